"""Repeated frames: steps that a track makes up for where a video shows a picture twice."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

STILL = 0.12  # of the steps around it, that a repeated picture's step is at most
LEAST_STEP = 3.0  # pixels from frame to frame of a ball that clearly moves
LEAST_REPEATS = 3  # fewer are chance
FARTHEST = 13  # frames between two repeats that belong together: 12 in 13, such as 24 in 26


def undo_repeats(
    frames: np.ndarray, times: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Leave out repeated positions, and give those between two repeats their own times.

    Footage of 25 frames per second that is shown at 30 has every fifth picture twice, and the
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
