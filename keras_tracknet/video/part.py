"""Part of a video: the frames that are looked at, and where in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_tracknet.errors import InputError

Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class Part:
    """Which frames of a video are tracked, and where in the picture.

    Attributes:
        start: first frame.
        end: frame before which it stops; None for the end of the video.
        every: how many frames it is from one to the next; 2 for every second frame.
        roi: region of interest as (x, y, width, height), pixels of the video; None for the whole
            picture.

    Raises:
        ValueError: a number is out of range, or the end is not behind the start.
    """

    start: int = 0
    end: int | None = None
    every: int = 1
    roi: Region | None = None

    def __post_init__(self) -> None:
        if self.start < 0:
            raise ValueError(f"`start` must be at least 0. Received: start={self.start}")
        if self.end is not None and self.end <= self.start:
            raise ValueError(
                f"`end` must be greater than `start`. Received: start={self.start}, end={self.end}"
            )
        if self.every < 1:
            raise ValueError(f"`every` must be at least 1. Received: every={self.every}")
        if self.roi is not None and (min(self.roi[:2]) < 0 or min(self.roi[2:]) < 1):
            raise ValueError(f"`roi` must be (x, y, width, height). Received: roi={self.roi}")

    @property
    def numbers(self) -> range:
        """The frames of the part in a video without an end."""
        return range(self.start, 10**9 if self.end is None else self.end, self.every)

    @property
    def corner(self) -> tuple[int, int]:
        """(x, y) of the region's upper left corner, pixels of the video."""
        return (0, 0) if self.roi is None else self.roi[:2]

    def count(self, frames: int | None) -> int | None:
        """Return how many frames the part has of a video of that many; None for unknown."""
        return None if frames is None else len(range(frames)[self.start : self.end : self.every])

    def crop(self, picture: np.ndarray) -> np.ndarray:
        """Return the region of a picture, `(height, width, 3)`.

        Raises:
            InputError: the region reaches over the picture's edge.
        """
        if self.roi is None:
            return picture
        x, y, width, height = self.roi
        if y + height > picture.shape[0] or x + width > picture.shape[1]:
            size = f"{picture.shape[1]}x{picture.shape[0]}"
            raise InputError(
                f"`roi={','.join(map(str, self.roi))}` reaches over the edge of the picture, which"
                f" is {size}; use a region inside it."
            )
        return picture[y : y + height, x : x + width]


WHOLE = Part()
