"""The court of a video: marked in the page, fitted at once, saved beside the video."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from keras_tracknet.analysis.court.calibration import (
    Court,
    calibrate_court,
    describe_fit,
    read_court,
    write_court,
)
from keras_tracknet.analysis.court.checks import check_orientation, recognise_sport
from keras_tracknet.analysis.court.drawing import list_strokes, stroke_line
from keras_tracknet.analysis.court.finding import FINDABLE, find_court
from keras_tracknet.analysis.court.marks import CUSTOM, read_marks
from keras_tracknet.errors import InputError
from keras_tracknet.sports import SPORTS, find_sport
from keras_tracknet.studio.answers import FRESH, answer, find_video, read_json_body
from keras_tracknet.studio.corners import find_corner
from keras_tracknet.studio.jpegs import encode_jpeg
from keras_tracknet.studio.play import find_weights_sport
from keras_tracknet.studio.session import Session


@dataclass
class Scene:
    """A picture to mark a court in.

    Attributes:
        image: `(height, width, 3)` uint8 RGB.
        sport: of the court, as far as is known.
        keep: takes the court when it is saved.
        court: that was marked before.
    """

    image: np.ndarray
    sport: str
    keep: Callable[[Court], Any]
    court: Court | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture, pixels."""
        return self.image.shape[:2]


def look(session: Session, request: Request) -> Scene:
    """Return the frame of a video that a request names; the one in the middle without a name.

    Raises:
        HTTPException: there is no such video or frame.
    """
    video = find_video(session, request)
    server = session.library.serve(video)
    try:
        number = int(request.query_params.get("frame", len(server.pictures) // 2))
        image = server.read(number)
    except ValueError:
        raise HTTPException(400, "expected a frame.") from None
    except IndexError:
        raise HTTPException(404, "the video has no such frame.") from None
    path = find_court_file(video.path)
    sport = find_weights_sport(video.weights)
    scene = Scene(image, sport, keep=lambda court: write_court(court, path))
    with suppress(InputError):
        court = read_court(path)
        scene.court = court if court.size == scene.size else None
    return scene


def find_court_file(video: Path) -> Path:
    """Return where the court of a video is saved: beside it."""
    return video.with_name(f"{video.stem}_court.json")


def list_routes(find_scene: Callable[[Request], Scene]) -> list[Route]:
    """Return the addresses of the court.

    Args:
        find_scene: what a request is about.
    """

    def serve(function: Callable[[Scene, Mapping[str, Any]], Response]) -> Callable[..., Any]:
        async def respond(request: Request) -> Response:
            reads = request.method == "GET"
            given = request.query_params if reads else await read_json_body(request)
            scene = await run_in_threadpool(find_scene, request)
            return await run_in_threadpool(function, scene, given)

        return respond

    one = "/api/videos/{id}/court"
    return [
        Route(one, serve(show_court)),
        Route(one, serve(mark_court), methods=["POST"]),
        Route(f"{one}/picture", serve(show_picture)),
        Route(f"{one}/corner", serve(show_corner)),
        Route(f"{one}/found", serve(show_found)),
    ]


def show_court(scene: Scene, _query: Mapping[str, Any]) -> Response:
    """Answer with the court as it was saved, and with what can be marked."""
    return answer(
        {
            "width": scene.size[1],
            "height": scene.size[0],
            "court": None if scene.court is None else describe_court(scene, scene.court),
            "sport": scene.sport,
            "sports": {name: sketch_court(name) for name in (*SPORTS, CUSTOM)},
            "findable": FINDABLE,
        }
    )


def show_picture(scene: Scene, _query: Mapping[str, Any]) -> Response:
    """Answer with the picture."""
    return Response(encode_jpeg(scene.image), media_type="image/jpeg", headers=FRESH)


def mark_court(scene: Scene, body: Mapping[str, Any]) -> Response:
    """Fit a court to marks, and save it where that is asked for."""
    court = fit_court(body.get("marks"), str(body.get("sport")), scene.size)
    if body.get("save"):
        scene.keep(court)
    return answer(describe_court(scene, court))


def show_corner(scene: Scene, query: Mapping[str, Any]) -> Response:
    """Answer with the corner of painted lines nearest to a click."""
    try:
        x, y = find_corner(scene.image, [float(query[name]) for name in ("x", "y")])
    except (KeyError, ValueError, OverflowError):
        raise HTTPException(400, "expected x and y.") from None
    return answer({"x": x, "y": y})


def show_found(scene: Scene, query: Mapping[str, Any]) -> Response:
    """Answer with the court that is found by its painted lines, to be looked at; null for none."""
    sport = query.get("sport", "")
    court = find_court(scene.image, sport) if sport in FINDABLE else None
    return answer(None if court is None else describe_court(scene, court))


def sketch_court(sport: str) -> dict[str, Any]:
    """Return a court from above, metres: its places, corners first and the net last; its lines."""
    if sport == CUSTOM:
        return {"places": {}, "lines": []}
    rules = find_sport(sport)
    names = sorted(rules.landmarks, key=lambda n: (n.startswith("net"), n.count("_")))
    return {
        "places": {name: rules.landmarks[name] for name in names},
        "lines": [stroke_line(line).tolist() for line in rules.lines],
    }


def fit_court(marks: Any, sport: str, size: tuple[int, int]) -> Court:
    """Fit a court to marks.

    Args:
        marks: `[[name, [x, y]], ...]`, pixels of the video.
        sport: name, or `custom`.
        size: (height, width) of the video.

    Raises:
        InputError: no court fits the marks.
    """
    court = calibrate_court(read_marks(json.dumps(marks), sport), size, sport)
    check_orientation(court)
    return court


def describe_court(scene: Scene, court: Court) -> dict[str, Any]:
    """Return what the page shows of a court.

    Its sport, its marks with how far each is from where the fit puts it, its lines, in pixels, and
    how well it fits in words; `warning` if the lines in the picture are those of another sport.
    """
    message, other = describe_fit(court), recognise_sport(scene.image, court)
    if other is not None:
        message = f"These look like the lines of a {other} court: check the sport. {message}"
    errors = court.errors().tolist()
    lines = [court.to_picture(ends).round(2).tolist() for ends in list_strokes(court)]
    return {
        "sport": court.sport,
        "marks": [[mark.name, [round(mark.x, 2), round(mark.y, 2)]] for mark in court.marks],
        "errors": {m.name: round(e, 2) for m, e in zip(court.marks, errors, strict=True)},
        "lines": lines,
        "message": message,
        "warning": other is not None,
    }
