"""A page in the browser to click a court's points on, served from this machine to itself."""

from __future__ import annotations

import json
import secrets
import threading
import webbrowser
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from keras_tracknet.analysis.court.calibration import Court, calibrate_court, describe_fit
from keras_tracknet.analysis.court.checks import check_orientation, recognise_sport
from keras_tracknet.analysis.court.drawing import list_strokes, stroke_line
from keras_tracknet.analysis.court.marks import CUSTOM, LEAST_POINTS, Mark, read_marks
from keras_tracknet.analysis.templates import fill_template
from keras_tracknet.errors import InputError
from keras_tracknet.sports import Sport, find_sport
from keras_tracknet.video.images import embed_image

LARGEST_BODY = 1 << 16  # bytes
PATIENCE = 10.0  # seconds that a connection may say nothing


def pick_marks(
    image: np.ndarray,
    sport: str,
    announce: Callable[[str], None],
    *,
    found: Sequence[Mark] = (),
    open_page: Callable[[str], Any] = webbrowser.open,
) -> list[Mark]:
    """Show a picture in the browser and wait for its court to be marked.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        sport: name, or `custom`.
        announce: is told the page's address, which nobody else can guess.
        found: marks to begin with, to be checked and moved.
        open_page: opens it.

    Returns:
        Marks that make a court.
    """

    def read(body: bytes) -> Court:
        court = calibrate_court(read_marks(body, sport), image.shape[:2], sport)
        check_orientation(court)
        return court

    def describe(court: Court) -> str:
        return _describe_court(image, court)

    with CourtServer(_write_page(image, sport, found).encode(), read, describe) as server:
        announce(server.address)
        open_page(server.address)
        return server.wait()


class CourtServer(ThreadingHTTPServer):
    """Serves the page to this machine until marks that make a court have come.

    Other pages that are open in the browser can reach it too: its address holds a random token,
    and what comes from another origin, or under another name of this machine, is refused.

    Args:
        page: HTML.
        read: makes a court of what the page sends.
        describe: says in JSON how to draw a court before it is saved.
    """

    daemon_threads = True
    block_on_close = False  # a connection that is kept open does not keep the command going

    def __init__(
        self, page: bytes, read: Callable[[bytes], Court], describe: Callable[[Court], str]
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page, self.read, self.describe = page, read, describe
        self.host = f"127.0.0.1:{self.server_port}"
        self.place = f"/{secrets.token_urlsafe(16)}/"
        self.address = f"http://{self.host}{self.place}"
        self.marks: Sequence[Mark] = ()
        self.picked = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __exit__(self, *error: Any) -> None:
        self.shutdown()
        super().__exit__(*error)

    def wait(self) -> list[Mark]:
        """Return the marks once they are there."""
        while not self.picked.wait(0.2):  # now and then Ctrl-C gets a chance
            pass
        return list(self.marks)

    def handle_error(self, *_: Any) -> None:
        """Say nothing of a connection that breaks off."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: CourtServer
    timeout = PATIENCE

    def do_GET(self) -> None:
        if not self._is_from_here():
            self._respond(403, b"open the address shown in the terminal")
        elif self.path == self.server.place:
            self._respond(200, self.server.page, "text/html")
        else:
            self._respond(404, b"not found")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not self._is_from_here() or self.headers.get("Origin") != f"http://{self.server.host}":
            self._respond(403, b"points are accepted from this page only")
        elif self.path not in (f"{self.server.place}marks", f"{self.server.place}court"):
            self._respond(404, b"not found")
        elif not (length.isascii() and length.isdigit()):
            self._respond(411, b"missing content length")
        elif len(length) > 9 or int(length) > LARGEST_BODY:
            self._respond(413, b"too many points")
        else:
            self._take_marks(self.rfile.read(int(length)))

    def _take_marks(self, body: bytes) -> None:
        try:
            court = self.server.read(body)
        except InputError as error:
            self._respond(400, str(error).encode())
            return
        if self.path.endswith("court"):
            self._respond(200, self.server.describe(court).encode(), "application/json")
            return
        self._respond(200, b"saved")
        if not self.server.picked.is_set():
            self.server.marks = court.marks
            self.server.picked.set()

    def _is_from_here(self) -> bool:
        return self.headers.get("Host") == self.server.host

    def _respond(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "same-origin")
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _describe_court(image: np.ndarray, court: Court) -> str:
    """Return in JSON what the page draws and says of the court that its marks make."""
    message, other = describe_fit(court), recognise_sport(image, court)
    if other is not None:
        message = f"These look like the lines of a {other} court: check the sport. {message}"
    lines = [court.to_picture(stroke).round(2).tolist() for stroke in list_strokes(court)]
    return json.dumps({"lines": lines, "message": message, "warning": other is not None})


def _write_page(image: np.ndarray, sport: str, found: Sequence[Mark]) -> str:
    places = None
    if sport != CUSTOM:
        places = sorted(
            find_sport(sport).landmarks, key=lambda n: (n.startswith("net"), n.count("_"))
        )
    return fill_template(
        "court/page.html.j2",
        places=places,
        sketch=None if sport == CUSTOM else _sketch_court(find_sport(sport)),
        width=image.shape[1],
        height=image.shape[0],
        least=LEAST_POINTS,
        found=[[mark.name, [mark.x, mark.y]] for mark in found],
        hint="Found by its lines: check them, drag what is off, then save. " if found else "",
        image=embed_image(image, quality=90),
    )


def _sketch_court(sport: Sport) -> dict[str, Any]:
    """Return the court from above in centimetres, the far end up."""

    def place(x: float, y: float) -> tuple[int, int]:
        return round(100 * x), round(-100 * y)

    wide, long = place(sport.width / 2, -sport.length / 2)
    strokes = [stroke_line(line) for line in sport.lines]
    return {
        "box": f"{-wide - 120} {-long - 120} {2 * wide + 240} {2 * long + 240}",
        "lines": [(*place(*start), *place(*end)) for start, end in strokes],
        "net": (-wide - 60, wide + 60),
        "far": -long - 55,
        "near": long + 95,
        "points": [(name, *place(*spot)) for name, spot in sport.landmarks.items()],
    }
