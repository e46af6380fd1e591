"""Repeated pictures: video shown at a higher frame rate than it has, with some pictures twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

COARSE = (72, 128)  # (height, width), pixels: a ball still shows in it
# Levels by which two coarse pictures may differ anywhere if one repeats the other. In 1,016 such
# frames of broadcast badminton the label has moved by more than 2 pixels of 512x288 in 5, by more
# than 4 in none. Two different pictures in a row usually differ by 30 levels or more.
SAME = 8.0
MOST_SHOWN = 3  # frames that may share an output: 10 frames per second, shown at 30


class FrameOutput(NamedTuple):
    """A frame with the network's output for it.

    Attributes:
        time: seconds.
        size: (height, width) of the source, pixels.
        repeated: whether its picture is that of the frame before.
        shot: number of the first frame of its camera shot.
        output: a heatmap `(height, width)`, or a detection `(x, y, confidence)`.
    """

    time: float
    size: tuple[int, int]
    repeated: bool
    shot: int
    output: np.ndarray


def is_repeat(picture: np.ndarray, before: np.ndarray) -> bool:
    """Return whether a picture shows the same as the one before, apart from compression.

    Args:
        picture, before: `(height, width, 3)` uint8, of one size.
    """
    coarse = cv2.resize(cv2.absdiff(picture, before), COARSE[::-1], interpolation=cv2.INTER_AREA)
    return bool(coarse.max() < SAME)


def share_outputs(frames: Iterable[FrameOutput]) -> Iterator[FrameOutput]:
    """Yield frames; those that repeat one picture share one output: what is seen in any of them.

    Args:
        frames: of one shot, in order.
    """
    alike: list[FrameOutput] = []
    for frame in frames:
        if alike and not frame.repeated:
            yield from _share(alike)
            alike = []
        alike.append(frame)
        if len(alike) == MOST_SHOWN:
            yield from _share(alike)
            alike = []
    yield from _share(alike)


def _share(alike: list[FrameOutput]) -> list[FrameOutput]:
    if len(alike) < 2:
        return alike
    outputs = [frame.output for frame in alike]
    if outputs[0].ndim == 1:  # detections
        output = max(outputs, key=lambda detection: detection[2])
    else:
        output = np.maximum.reduce(outputs)
    return [frame._replace(output=output) for frame in alike]
