"""A page in the browser to click a court's points on, served from this machine to itself."""

from __future__ import annotations

import html
import secrets
import threading
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from keras_tracknet.analysis.court.calibration import calibrate_court
from keras_tracknet.analysis.court.marks import CUSTOM, LEAST_POINTS, Mark, read_marks
from keras_tracknet.analysis.report.charts import embed_image
from keras_tracknet.errors import InputError
from keras_tracknet.sports import find_sport

LARGEST_ANSWER = 1 << 16  # bytes
PATIENCE = 10.0  # seconds that a connection may say nothing

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Mark the court</title><style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 1em; color: #222 }
#stage { position: relative; display: inline-block; cursor: crosshair }
#stage img { max-width: 100%; display: block }
.mark { position: absolute; width: 14px; height: 14px; margin: -9px; border: 2px solid #ffd60a;
  border-radius: 50%; box-shadow: 0 0 0 1px #000; pointer-events: none }
.mark span { position: absolute; left: 16px; top: -4px; font-size: 12px; color: #fff;
  text-shadow: 0 0 3px #000, 0 0 3px #000; white-space: nowrap }
button, select, input { font: inherit; padding: .2em .6em } #message { color: #b00020 }
</style><h1>Mark the court</h1>
<p>Choose a place, click it in the picture; four places or more, far apart. Near is at the camera,
left and right as you see them. Marking a place again moves it.</p>
<p>__CHOICE__ <button id="undo">Take back</button> <button id="save" disabled>Save</button>
<span id="message"></span></p>
<div id="stage"><img src="__IMAGE__" alt="the picture"></div>
<script>
const width = __WIDTH__, least = __LEAST__, marks = new Map();
const stage = document.getElementById("stage"), choice = document.getElementById("place");
const message = document.getElementById("message"), save = document.getElementById("save");
function show() {
  for (const old of stage.querySelectorAll(".mark")) old.remove();
  const scale = stage.querySelector("img").clientWidth / width;
  for (const [name, [x, y]] of marks) {
    const dot = document.createElement("div"), label = document.createElement("span");
    dot.className = "mark"; label.textContent = name; dot.append(label);
    dot.style.left = (x + .5) * scale + "px"; dot.style.top = (y + .5) * scale + "px";
    stage.append(dot);
  }
  save.disabled = marks.size < least;
}
stage.addEventListener("click", (event) => {
  const box = stage.querySelector("img").getBoundingClientRect(), scale = width / box.width;
  if (!choice.value) { message.textContent = "Say first which place it is."; return; }
  marks.set(choice.value, [(event.clientX - box.left) * scale - .5,
                           (event.clientY - box.top) * scale - .5]);
  message.textContent = "";
  if (choice.options) {
    const free = [...choice.options].find((option) => !marks.has(option.value));
    if (free) choice.value = free.value;
  } else choice.value = "";
  show();
});
document.getElementById("undo").addEventListener("click", () => {
  marks.delete([...marks.keys()].pop()); show();
});
save.addEventListener("click", async () => {
  try {
    const answer = await fetch("marks", { method: "POST", body: JSON.stringify([...marks]) });
    const text = await answer.text();
    if (answer.ok) document.body.textContent = "Saved. You can close this page.";
    else message.textContent = text;
  } catch { message.textContent = "The command has ended; start it again."; }
});
addEventListener("resize", show);
</script></html>
"""


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
            self._answer(403, b"open the address as the terminal shows it")
        elif self.path == self.server.place:
            self._answer(200, self.server.page, "text/html")
        else:
            self._answer(404, b"there is nothing here")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not self._is_from_here() or self.headers.get("Origin") != f"http://{self.server.host}":
            self._answer(403, b"this page takes points from itself only")
        elif self.path != f"{self.server.place}marks":
            self._answer(404, b"there is nothing here")
        elif not (length.isascii() and length.isdigit()):
            self._answer(411, b"how long is it?")
        elif len(length) > 9 or int(length) > LARGEST_ANSWER:
            self._answer(413, b"too many points.")
        else:
            self._take_marks(self.rfile.read(int(length)))

    def _take_marks(self, body: bytes) -> None:
        try:
            marks = self.server.read(body)
        except InputError as error:
            self._answer(400, str(error).encode())
            return
        self._answer(200, b"saved")
        if not self.server.picked.is_set():
            self.server.marks = marks
            self.server.picked.set()

    def _is_from_here(self) -> bool:
        return self.headers.get("Host") == self.server.host

    def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
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
    if sport == CUSTOM:
        choice = 'metres <input id="place" placeholder="6.1,0" size="8">'
    else:
        names = sorted(
            find_sport(sport).landmarks, key=lambda n: (n.startswith("net"), n.count("_"))
        )
        options = "".join(f"<option>{html.escape(name)}</option>" for name in names)
        choice = f'<select id="place">{options}</select>'
    return (
        PAGE.replace("__CHOICE__", choice)
        .replace("__WIDTH__", str(image.shape[1]))
        .replace("__LEAST__", str(LEAST_POINTS))
        .replace("__IMAGE__", embed_image(image, quality=90))
    )
