"""A page in the browser to click a court's points on, served from this machine to itself."""

from __future__ import annotations

import html
import json
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import numpy as np

from keras_tracknet.charts import embed_image
from keras_tracknet.courts import CUSTOM, LEAST_POINTS, Mark, calibrate_court, find_place
from keras_tracknet.errors import InputError
from keras_tracknet.sports import find_sport

LARGEST_ANSWER = 1 << 16  # bytes

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
  const answer = await fetch("marks", { method: "POST", body: JSON.stringify([...marks]) });
  const text = await answer.text();
  if (answer.ok) document.body.textContent = "Saved. You can close this page.";
  else message.textContent = text;
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
        announce: is told the page's address.
        open_page: opens it.

    Returns:
        Marks that make a court.
    """
    size = image.shape[:2]
    page = _write_page(image, sport).encode()
    picked: list[Mark] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200 if self.path == "/" else 404, page if self.path == "/" else b"")

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            try:
                if length > LARGEST_ANSWER:
                    raise InputError("too many points.")
                marks = _read_marks(self.rfile.read(length), sport)
                calibrate_court(marks, size, sport)
            except InputError as error:
                self._answer(400, str(error).encode())
                return
            self._answer(200, b"saved")
            picked.extend(marks)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        announce(address)
        open_page(address)
        while not picked:
            server.handle_request()
    return picked


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


def _read_marks(body: bytes, sport: str) -> list[Mark]:
    try:
        return [
            Mark(str(name), float(x), float(y), *find_place(str(name), sport))
            for name, (x, y) in json.loads(body)
        ]
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("the page sent no points.") from error
