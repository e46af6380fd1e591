"""A page in the browser to click a court's points on, served from this machine to itself."""

from __future__ import annotations

import secrets
import threading
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from keras_tracknet.analysis.court.calibration import calibrate_court
from keras_tracknet.analysis.court.marks import CUSTOM, LEAST_POINTS, Mark, read_marks
from keras_tracknet.analysis.templates import fill_template
from keras_tracknet.errors import InputError
from keras_tracknet.sports import find_sport
from keras_tracknet.video.images import embed_image

LARGEST_BODY = 1 << 16  # bytes
PATIENCE = 10.0  # seconds that a connection may say nothing


def pick_marks(
    image: np.ndarray,
    sport: str,
    announce: Callable[[str], None],
    *,
    open_page: Callable[[str], Any] = webbrowser.open,
) -> list[Mark]:
    """Show a picture in the browser and wait for its court to be marked.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        sport: name, or `custom`.
        announce: is told the page's address, which nobody else can guess.
        open_page: opens it.

    Returns:
        Marks that make a court.
    """
    size = image.shape[:2]

    def read(body: bytes) -> list[Mark]:
        marks = read_marks(body, sport)
        calibrate_court(marks, size, sport)
        return marks

    with CourtServer(_write_page(image, sport).encode(), read) as server:
        announce(server.address)
        open_page(server.address)
        return server.wait()


class CourtServer(ThreadingHTTPServer):
    """Serves the page to this machine until marks that make a court have come.

    Other pages that are open in the browser can reach it too: its address holds a random token,
    and what comes from another origin, or under another name of this machine, is refused.

    Args:
        page: HTML.
        read: makes marks of what the page sends.
    """

    daemon_threads = True
    block_on_close = False  # a connection that is kept open does not keep the command going

    def __init__(self, page: bytes, read: Callable[[bytes], list[Mark]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page, self.read = page, read
        self.host = f"127.0.0.1:{self.server_port}"
        self.place = f"/{secrets.token_urlsafe(16)}/"
        self.address = f"http://{self.host}{self.place}"
        self.marks: list[Mark] = []
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
        return self.marks

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
        elif self.path != f"{self.server.place}marks":
            self._respond(404, b"not found")
        elif not (length.isascii() and length.isdigit()):
            self._respond(411, b"missing content length")
        elif len(length) > 9 or int(length) > LARGEST_BODY:
            self._respond(413, b"too many points")
        else:
            self._take_marks(self.rfile.read(int(length)))

    def _take_marks(self, body: bytes) -> None:
        try:
            marks = self.server.read(body)
        except InputError as error:
            self._respond(400, str(error).encode())
            return
        self._respond(200, b"saved")
        if not self.server.picked.is_set():
            self.server.marks = marks
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


def _write_page(image: np.ndarray, sport: str) -> str:
    places = None
    if sport != CUSTOM:
        places = sorted(
            find_sport(sport).landmarks, key=lambda n: (n.startswith("net"), n.count("_"))
        )
    return fill_template(
        "court/page.html.j2",
        places=places,
        width=image.shape[1],
        least=LEAST_POINTS,
        image=embed_image(image, quality=90),
    )
