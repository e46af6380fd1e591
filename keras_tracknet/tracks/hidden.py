"""Positions that are hidden from the rectifier, or not known: what stands in their place."""

from __future__ import annotations

import numpy as np

HIDDEN_POSITIONS = ("zero", "interpolated")


def fill_hidden(coordinates: np.ndarray, known: np.ndarray, hidden: str) -> np.ndarray:
    """Return windows of positions with something in the place of those that are not known.

    Args:
        coordinates: `(windows, window, 2)`.
        known: `(windows, window)` bool.
        hidden: `zero`, or `interpolated` linearly in time, and beyond the first and the last
            known position as these; 0 where none is known.

    Returns:
        Another `(windows, window, 2)` float32.
    """
    filled = np.where(known[..., None], coordinates, 0).astype(np.float32)
    if hidden == "zero":
        return filled
    frames = np.arange(coordinates.shape[1])
    for window, there in zip(filled, known, strict=True):
        if there.any():
            for axis in (0, 1):
                window[:, axis] = np.interp(frames, frames[there], window[there, axis])
    return filled
