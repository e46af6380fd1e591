"""Views: the report of a video as a page of the studio."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from keras_tracknet.analysis.court.calibration import read_court
from keras_tracknet.analysis.run import run_analysis
from keras_tracknet.sports import find_sport
from keras_tracknet.studio.answers import FRESH, with_video
from keras_tracknet.studio.court import find_court_file
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
    ]


def show_report(session: Session, video: Video, _request: Request) -> Response:
    """Answer with what `analyze` writes of the corrected track; its times open the player."""
    folder = video.folder / "report"
    track = merge_video(video)
    write_track(track, folder / "track.csv")
    court_file = find_court_file(video.path)
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


def _answer_page(page: str, video: Video) -> Response:
    """Answer with a page that brings its own style; no scripts may run."""
    page = page.replace("<h1>", BACK.format(id=video.id) + "<h1>", 1)
    policy = (
        "default-src 'none'; img-src 'self' blob: data:; style-src 'unsafe-inline';"
        " script-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    return HTMLResponse(page, headers={**FRESH, "content-security-policy": policy})
