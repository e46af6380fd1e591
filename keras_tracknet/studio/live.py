"""Live view: the newest picture of a camera or stream with its track, on a page of this machine."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from keras_tracknet.studio.answers import FRESH
from keras_tracknet.studio.jpegs import encode_jpeg
from keras_tracknet.studio.pages import STATIC
from keras_tracknet.studio.server import Server
from keras_tracknet.tracks.overlay import draw_overlay
from keras_tracknet.tracks.track import Track, TrackRow

TRAIL = 10  # frames that the trail reaches back
WIDEST = 1280  # pixels of a picture in the page
PATIENCE = 5.0  # seconds that the page waits for a picture before it asks again
LEAVING = 2.0  # seconds that the server may take at the end


class LiveView:
    """Keeps the newest picture of a live source and its track for those who look at it.

    Tracking hands over a picture and goes on. Who looks at it draws it, in a thread of the server;
    who looks too slowly misses pictures.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rows: deque[TrackRow] = deque(maxlen=TRAIL + 1)
        self._image: np.ndarray | None = None
        self._over = False

    def show(self, image: np.ndarray, row: TrackRow) -> bool:
        """Take the next picture and its row.

        Args:
            image: `(height, width, 3)` uint8 RGB; it must not change afterwards.
            row: in pixels of the picture.

        Returns:
            Whether to go on: False once the page is closed.
        """
        with self._changed:
            self._rows.append(row)
            self._image = image
            self._changed.notify_all()
            return not self._over

    def close(self) -> None:
        """Tell all who wait that no more pictures come."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def wait_for_first(self) -> bool:
        """Wait for the first picture; return whether there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._rows)
            return bool(self._rows)

    def draw(self, after: int) -> tuple[int, np.ndarray] | None:
        """Return the newest frame's number, and its picture with the track drawn in.

        Args:
            after: number of a frame that the one returned must come after; waits for it.

        Returns:
            None if no such frame comes within `PATIENCE`, or the view is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._newest > after, PATIENCE)
            if self._over or self._newest <= after or self._image is None:
                return None
            image, rows = self._image, list(self._rows)
        track = Track.from_rows(row._replace(frame=k) for k, row in enumerate(rows))
        return rows[-1].frame, draw_overlay(image, track, len(rows) - 1, trail=TRAIL)

    @property
    def over(self) -> bool:
        """Whether no more pictures come."""
        return self._over

    @property
    def _newest(self) -> int:
        return self._rows[-1].frame if self._rows else -1


@contextmanager
def open_live_view(
    *,
    announce: Callable[[str], Any] = print,
    started: Callable[[str], Any] | None = None,
) -> Iterator[LiveView]:
    """Serve a live view to this machine until the end of the `with` block.

    Args:
        announce: is told the page's address once there is a picture.
        started: is called with the address then, such as to open a browser.
    """
    view = LiveView()

    def work() -> None:
        if not view.wait_for_first():
            return
        announce(server.address)
        if started is not None:
            started(server.address)
        server.run()

    with Server(make_live_app(view), port=0) as server:
        thread = threading.Thread(target=work, name="live view", daemon=True)
        thread.start()
        try:
            yield view
        finally:
            view.close()
            server.stop()
            thread.join(LEAVING)


def make_live_app(view: LiveView) -> Starlette:
    """Return the application; `Guard` decides who may reach it."""

    def show_page(_request: Request) -> Response:
        return FileResponse(STATIC / "live.html", headers=FRESH)

    def show_picture(request: Request) -> Response:
        """Answer with the newest picture; 204 if there is none yet, 410 if none comes any more."""
        drawn = view.draw(request.path_params["after"] - 1)
        if drawn is None:
            return Response(status_code=410 if view.over else 204, headers=FRESH)
        frame, image = drawn
        headers = {**FRESH, "frame": str(frame)}
        return Response(encode_jpeg(image, WIDEST), media_type="image/jpeg", headers=headers)

    def end(_request: Request) -> Response:
        view.close()
        return Response(status_code=204, headers=FRESH)

    return Starlette(
        routes=[
            Route("/", show_page),
            Route("/pictures/{after:int}", show_picture),
            Route("/end", end, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC, check_dir=False)),
        ]
    )
