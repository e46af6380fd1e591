"""Outliers: positions that a tracker put somewhere else for a single frame."""

from __future__ import annotations

import numpy as np

FAR = 0.05  # of the picture's height; a nearer one does no harm
SHARP = 4.0  # times the steps around it, that the way there and back is at least


def find_outliers(positions: np.ndarray, height: int) -> np.ndarray:
    """Find positions far from their neighbours, which are close together themselves.

    A hit sends the ball back where it came from too, but then it was fast before and after.

    Args:
        positions: `(positions, 2)` pixels, in the order of time.
        height: of the picture, pixels.

    Returns:
        `(positions,)` bool.
    """
    found = np.zeros(len(positions), bool)
    if len(positions) < 5:
        return found
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    across = np.linalg.norm(positions[3:-1] - positions[1:-3], axis=1)
    usual = np.maximum(np.maximum(steps[:-3], steps[3:]), across)
    away = np.minimum(steps[1:-2], steps[2:-1])
    found[2:-2] = (away > SHARP * usual) & (away > FAR * height)
    return found
