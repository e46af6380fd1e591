"""Marking: the view of the court alone, for a picture that no studio is open on."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_tracknet.analysis.court.calibration import Court
from keras_tracknet.analysis.court.marks import Mark
from keras_tracknet.studio.court import Scene, list_routes
from keras_tracknet.studio.pages import make_page
from keras_tracknet.studio.server import Server


def pick_marks(
    image: np.ndarray,
    sport: str,
    announce: Callable[[str], Any],
    *,
    open_page: Callable[[str], Any] = webbrowser.open,
) -> Sequence[Mark]:
    """Show a picture in the browser and wait for its court to be marked.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        sport: name, or `custom`.
        announce: is told the page's address, which nobody else can guess.
        open_page: opens it.

    Returns:
        Marks that make a court.

    Raises:
        KeyboardInterrupt: the page was left by Ctrl-C.
    """
    saved: list[Court] = []

    def keep(court: Court) -> None:
        saved.append(court)
        server.stop()

    scene = Scene(image, sport, keep=keep)
    with Server(make_page(list_routes(lambda _request: scene)), port=0) as server:
        address = f"{server.address}#court=picture&sport={sport}&alone"
        announce(address)
        open_page(address)
        server.run()
    if not saved:
        raise KeyboardInterrupt
    return saved[0].marks
