"""Outliers: positions that a tracker put somewhere else for a few frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from keras_tracknet.tracks.tables import ABSENT, REPAIRED
from keras_tracknet.tracks.track import Track

FAR = 0.05  # of the picture's height; a nearer one does no harm
SHARP = 2.0  # times the steps around them, that the way there and back is at least
LONGEST = 5  # positions in a row


def find_outliers(positions: np.ndarray, height: int) -> np.ndarray:
    """Find positions far from those before and after, which are close together themselves.

    A hit sends the ball back where it came from too, but then it was fast before and after.

    Args:
        positions: `(positions, 2)` pixels, in the order of time.
        height: of the picture, pixels.

    Returns:
        `(positions,)` bool.
    """
    found = np.zeros(len(positions), bool)
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    for run in range(1, min(LONGEST, len(positions) - 4) + 1):
        before, leave = steps[: -run - 2], steps[1 : -run - 1]
        back, after = steps[run + 1 : -1], steps[run + 2 :]
        across = np.linalg.norm(positions[run + 2 : -1] - positions[1 : -run - 2], axis=1)
        usual = np.maximum(np.maximum(before, after), across)
        away = np.minimum(leave, back)
        for start in np.flatnonzero((away > SHARP * usual) & (away > FAR * height)) + 2:
            found[start : start + run] = True
    return found


def raw_track(track: Track) -> Track:
    """Return a track as it was before rectification: repaired frames are absent again."""
    repaired = track.status == REPAIRED
    return replace(
        track,
        x=np.where(repaired, np.nan, track.x),
        y=np.where(repaired, np.nan, track.y),
        status=np.where(repaired, ABSENT, track.status),
    )
