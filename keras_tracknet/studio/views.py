"""Views: the report of a video and the page to mark its court, as pages of the studio."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from keras_tracknet.analysis.court.calibration import read_court
from keras_tracknet.analysis.court.marking import mark_court
from keras_tracknet.analysis.court.page import describe_court, read_marked_court, write_page
from keras_tracknet.analysis.run import run_analysis
from keras_tracknet.errors import InputError
from keras_tracknet.files import replace_file
from keras_tracknet.sports import find_sport
from keras_tracknet.studio.access import find_scripts
from keras_tracknet.studio.answers import FRESH, read_body, with_video
from keras_tracknet.studio.exchange import merge_video
from keras_tracknet.studio.library import Video
from keras_tracknet.studio.play import find_weights_sport
from keras_tracknet.studio.session import Session
from keras_tracknet.tracks.files import write_track

FILM = re.compile(r'<div class="film">.*?</div>', re.DOTALL)  # the studio's player stands for it
SCRIPT = re.compile(r"<script>.*?</script>", re.DOTALL)
MOMENT = re.compile(r'href="#t=([\d.]+)"')
BACK = '<p><a href="/#video={id}">Back to the video</a></p>'


def list_routes(session: Session) -> list[Route]:
    """Return the addresses of these pages."""
    return [
        Route("/report/{id}", with_video(session, show_report)),
        Route("/court/{id}", with_video(session, open_court)),
        Route("/court/{id}/", with_video(session, show_court)),
        Route("/court/{id}/court", with_video(session, preview_court), methods=["POST"]),
        Route("/court/{id}/marks", with_video(session, save_court), methods=["POST"]),
    ]


def find_court_file(video: Video) -> Path:
    """Return where the court of a video is kept: beside it."""
    return video.path.with_name(f"{video.path.stem}_court.json")


def show_report(session: Session, video: Video, _request: Request) -> Response:
    """Answer with what `analyze` writes of the corrected track; its times open the player."""
    folder = video.folder / "report"
    track = merge_video(video)
    write_track(track, folder / "track.csv")
    court_file = find_court_file(video)
    sport = find_weights_sport(video.weights)
    court = read_court(court_file) if court_file.is_file() else None
    run_analysis(
        folder / "track.csv",
        folder,
        find_sport(sport),
        court=court,
        video=video.path,
    )
    page = (folder / "report.html").read_text(encoding="utf-8")
    with video.open() as pictures:
        times = pictures.times()

    def lead_to_player(match: re.Match[str]) -> str:
        frame = int(abs(times - float(match[1])).argmin())
        return f'href="/#video={video.id}&amp;frame={frame}"'

    page = MOMENT.sub(lead_to_player, SCRIPT.sub("", FILM.sub("", page)))
    return _answer_page(page, video)


def open_court(_session: Session, video: Video, request: Request) -> Response:
    """Lead to the page, whose own addresses are below it."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/court/{video.id}/{query}", headers=FRESH)


def show_court(session: Session, video: Video, request: Request) -> Response:
    """Answer with the page to mark the court on a frame, the first one unless `frame` says."""
    number = request.query_params.get("frame", "0")
    server = session.library.serve(video)
    place = min(int(number), len(server.pictures) - 1) if number.isdecimal() else 0
    image = server.read(place)
    return _answer_page(write_page(image, find_weights_sport(video.weights)), video)


async def preview_court(session: Session, video: Video, request: Request) -> Response:
    """Answer with how to draw the court that the marks make."""
    body = await read_body(request)

    def describe() -> Response:
        image = session.library.serve(video).read(0)
        court = read_marked_court(body, image.shape[:2], find_weights_sport(video.weights))
        return Response(describe_court(image, court), media_type="application/json")

    return await _answer_text(describe)


async def save_court(_session: Session, video: Video, request: Request) -> Response:
    """Save the court beside the video."""
    body = await read_body(request)

    def save() -> Response:
        sport = find_weights_sport(video.weights)
        size = (video.info.height, video.info.width)
        read_marked_court(body, size, sport)
        points = video.folder / "marks.json"
        with replace_file(points) as partial:
            partial.write_bytes(body)
        mark_court(video.path, find_court_file(video), sport, points=str(points), overwrite=True)
        return Response("saved", media_type="text/plain")

    return await _answer_text(save)


async def _answer_text(respond: Any) -> Response:
    """Answer an error as this page shows it: in plain words."""
    try:
        response: Response = await run_in_threadpool(respond)
    except InputError as error:
        return Response(str(error), 400, media_type="text/plain")
    return response


def _answer_page(page: str, video: Video) -> Response:
    """Answer with a page that brings its own style and scripts; no other scripts may run."""
    page = page.replace("<h1>", BACK.format(id=video.id) + "<h1>", 1)
    scripts = " ".join(find_scripts(page)) or "'none'"
    policy = (
        f"default-src 'none'; img-src 'self' blob: data:; style-src 'unsafe-inline';"
        f" script-src {scripts}; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    return HTMLResponse(page, headers={**FRESH, "content-security-policy": policy})
