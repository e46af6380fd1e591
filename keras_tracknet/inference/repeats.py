"""Repeated pictures: video shown at a higher frame rate than it has, with some pictures twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

COARSE = (72, 128)  # (height, width), pixels: a ball still shows in it
# Levels by which two coarse pictures may differ anywhere if one repeats the other. In 1,016 such
# frames of broadcast badminton the label has moved by more than 2 pixels of 512x288 in 5, by more
# than 4 in none. Two different pictures in a row usually differ by 30 levels or more.
SAME = 8.0
MOST_SHOWN = 3  # frames that may share an output: 10 frames per second, shown at 30
STILL = 0.12  # of the steps around it, that a repeated picture's step is at most
LEAST_STEP = 3.0  # pixels from frame to frame of a ball that clearly moves
LEAST_REPEATS = 3  # fewer are chance
FARTHEST = 13  # frames between two repeats that belong together: 12 in 13, such as 24 in 26


def undo_repeats(
    frames: np.ndarray, times: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Leave out repeated positions, and give those between two repeats their own times.

    Footage of 25 frames a second that is shown at 30 has every fifth picture twice, and the
    others at uneven moments: the ball seems to stop and to jump. Between two repeats pictures
    were taken at even times.

    Args:
        frames: `(positions,)` indices, ascending.
        times: `(positions,)` seconds.
        positions: `(positions, 2)` pixels.

    Returns:
        `(positions,)` bool of what to keep, and corrected times for all of them.
    """
    keep, corrected = np.ones(len(frames), bool), times.copy()
    if len(frames) < 4:
        return keep, corrected
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    around = np.minimum(steps[:-2], steps[2:])
    near = np.diff(frames) == 1
    still = (steps[1:-1] < STILL * around) & (around > LEAST_STEP) & near[1:-1]
    first = np.flatnonzero(still) + 1  # of the two that are one
    if len(first) < LEAST_REPEATS:
        return keep, corrected
    keep[first + 1] = False
    for start, stop in pairwise(first.tolist()):
        shown = frames[stop] - frames[start]
        if shown <= FARTHEST:
            own = np.arange(start + 2, stop)
            share = (frames[own] - frames[start] - 1) / (shown - 1)
            corrected[own] = times[start] + share * (times[stop] - times[start])
    return keep, corrected


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
