"""Shots: where the camera cuts to another view, by thumbnails of successive frames."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import cv2
import numpy as np

THUMBNAIL = (18, 32)  # (height, width), pixels: a ball or a racket does not show in it
# Mean difference of two thumbnails, levels, above which they show two views. Frames of one shot
# of broadcast badminton differ by 1.6 at most from one to the next, different courts by 20.
CUT = 10.0

Item = TypeVar("Item")


def draw_thumbnail(picture: np.ndarray) -> np.ndarray:
    """Return a picture, `(height, width, 3)` uint8, at the size of `THUMBNAIL`, as float32."""
    small = cv2.resize(picture, THUMBNAIL[::-1], interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)


def show_one_view(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether two pictures of one size may be of one shot."""
    return _differ(draw_thumbnail(first), draw_thumbnail(second)) <= CUT


def split_shots(
    items: Iterable[Item], picture: Callable[[Item], np.ndarray]
) -> Iterator[tuple[int, Iterator[Item]]]:
    """Split a stream of pictures where the camera cuts.

    A cut is a change of most of the picture from one frame to the next. A dissolve is none, nor
    is a change between two views that look alike from afar.

    Args:
        items: pictures in order, or what holds them.
        picture: returns an item's picture, `(height, width, 3)` uint8 RGB.

    Yields:
        The number of the shot's first picture, and an iterator over the shot, which must be
        used up before the next one is asked for.
    """
    numbered = enumerate(items)
    last: np.ndarray | None = None
    pending: list[tuple[int, Item]] = list(itertools.islice(numbered, 1))

    def shot() -> Iterator[Item]:
        nonlocal last
        last = draw_thumbnail(picture(pending[0][1]))
        yield pending.pop()[1]
        for number, item in numbered:
            thumbnail = draw_thumbnail(picture(item))
            if _differ(thumbnail, last) > CUT:
                pending.append((number, item))
                return
            last = thumbnail
            yield item

    while pending:
        yield pending[0][0], shot()


def _differ(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).mean())
