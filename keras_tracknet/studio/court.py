"""The court of a video: marked in the page, fitted at once, saved beside the video."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
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
from keras_tracknet.analysis.court.checks import check_orientation
from keras_tracknet.analysis.court.drawing import list_strokes
from keras_tracknet.analysis.court.finding import FINDABLE, find_court
from keras_tracknet.analysis.court.marks import CUSTOM, read_marks
from keras_tracknet.errors import InputError
from keras_tracknet.sports import SPORTS, find_sport
from keras_tracknet.studio.answers import answer, read_json_body, with_video
from keras_tracknet.studio.library import Video
from keras_tracknet.studio.play import find_weights_sport
from keras_tracknet.studio.session import Session

REACH = 1 / 60  # of the picture's height: how far a click may be from the corner it snaps to
MOST_CORNERS, LEAST_QUALITY, APART = 10, 0.15, 3  # corners near a click; pixels between two
WINDOW = (3, 3)  # pixels to each side that a corner's place is refined in


def list_routes(session: Session) -> list[Route]:
    """Return the addresses of the court."""
    one = "/api/videos/{id}/court"
    return [
        Route(one, with_video(session, show_court)),
        Route(one, with_video(session, mark_court), methods=["POST"]),
        Route(f"{one}/corner", with_video(session, show_corner)),
        Route(f"{one}/found", with_video(session, show_found)),
    ]


def show_court(_session: Session, video: Video, _request: Request) -> Response:
    """Answer with the saved court, and with what can be marked."""
    return answer(
        {
            "court": read_saved_court(video.path),
            "sport": find_weights_sport(video.weights),
            "sports": list_places(),
            "findable": FINDABLE,
        }
    )


async def mark_court(_session: Session, video: Video, request: Request) -> Response:
    """Fit a court to marks, and save it where that is asked for."""
    body = await read_json_body(request)
    size = (video.info.height, video.info.width)
    path = find_court_file(video.path) if body.get("save") else None
    sport = str(body.get("sport"))
    return answer(await run_in_threadpool(fit_court, body.get("marks"), sport, size, path))


def show_corner(session: Session, video: Video, request: Request) -> Response:
    """Answer with the corner of painted lines nearest to a click."""
    image = _read_frame(session, video, request)
    try:
        x, y = find_corner(image, [float(request.query_params[name]) for name in ("x", "y")])
    except (KeyError, ValueError, OverflowError):
        raise HTTPException(400, "expected x and y.") from None
    return answer({"x": x, "y": y})


def show_found(session: Session, video: Video, request: Request) -> Response:
    """Answer with the court that is found by its painted lines, to be looked at."""
    sport = request.query_params.get("sport", "")
    court = find_court(_read_frame(session, video, request), sport) if sport in FINDABLE else None
    if court is None:
        raise HTTPException(404, "no court is found; mark its corners.")
    return answer(describe_court(court))


def _read_frame(session: Session, video: Video, request: Request) -> np.ndarray:
    number = request.query_params.get("frame", "")
    try:
        return session.library.serve(video).read(int(number))
    except ValueError:
        raise HTTPException(400, "expected a frame.") from None
    except IndexError:
        raise HTTPException(404, "the video has no such frame.") from None


def find_court_file(video: Path) -> Path:
    """Return where the court of a video is saved: beside it."""
    return video.with_name(f"{video.stem}_court.json")


def list_places() -> dict[str, list[str]]:
    """Return the places of each sport's court that can be marked, corners first, the net last."""
    places = {
        name: sorted(find_sport(name).landmarks, key=lambda n: (n.startswith("net"), n.count("_")))
        for name in SPORTS
    }
    return places | {CUSTOM: []}


def read_saved_court(video: Path) -> dict[str, Any] | None:
    """Return the court saved beside a video, as `fit_court` describes it; None without one."""
    with suppress(InputError):
        return describe_court(read_court(find_court_file(video)))
    return None


def fit_court(marks: Any, sport: str, size: tuple[int, int], save: Path | None = None) -> Any:
    """Fit a court to marks.

    Args:
        marks: `[[name, [x, y]], ...]`, pixels of the video.
        sport: name, or `custom`.
        size: (height, width) of the video.
        save: file to write the court to; nowhere when omitted.

    Raises:
        InputError: no court fits the marks, or the file cannot be written.
    """
    court = calibrate_court(read_marks(json.dumps(marks), sport), size, sport)
    check_orientation(court)
    if save is not None:
        write_court(court, save)
    return describe_court(court)


def describe_court(court: Court) -> dict[str, Any]:
    """Return what the page shows of a court.

    Its sport, its marks with how far each is from where the fit puts it, its lines, in pixels, and
    how well it fits in words.
    """
    errors = court.errors().tolist()
    lines = [court.to_picture(ends).round(2).tolist() for ends in list_strokes(court)]
    return {
        "sport": court.sport,
        "marks": [[mark.name, [round(mark.x, 2), round(mark.y, 2)]] for mark in court.marks],
        "errors": {m.name: round(e, 2) for m, e in zip(court.marks, errors, strict=True)},
        "lines": lines,
        "fit": describe_fit(court),
    }


def find_corner(image: np.ndarray, point: Sequence[float]) -> tuple[float, float]:
    """Return the corner of painted lines nearest to a click; the click itself without one.

    Args:
        image: `(height, width, 3)` uint8.
        point: x and y of the click, pixels.
    """
    reach = max(6, round(image.shape[0] * REACH))
    left, top = (max(0, round(value) - 2 * reach) for value in point)
    right, bottom = (round(value) + 2 * reach + 1 for value in point)
    part = image[top : max(top, bottom), left : max(left, right)]
    if min(part.shape[:2]) < 4 * WINDOW[0]:
        return point[0], point[1]
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    corners = cv2.goodFeaturesToTrack(grey, MOST_CORNERS, LEAST_QUALITY, APART)
    if corners is None:
        return point[0], point[1]
    ends = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.01)
    places = cv2.cornerSubPix(grey, corners, WINDOW, (-1, -1), ends)[:, 0] + (left, top)
    away = np.linalg.norm(places - point, axis=1)
    if away.min() > reach:
        return point[0], point[1]
    x, y = places[away.argmin()].round(2).tolist()
    return x, y
