"""Timestamps: when the frames of a track were shown, where some say what cannot be."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

MOST_WRONG = 0.1  # share of the timestamps that may be wrong and are mended by the others
FEW = 2  # that may be wrong in any case


def mend_times(times: np.ndarray) -> tuple[np.ndarray, int] | None:
    """Return times that ascend: those of single frames that cannot be are interpolated.

    Those are kept that every longest ascending part of the times holds. So where one of two is
    wrong, since they are the same or the second is earlier, both are interpolated.

    Args:
        times: `(frames,)` float64, seconds; NaN where unknown.

    Returns:
        `(frames,)` float64, strictly ascending, and the number of times that were given and are
        replaced; None where they are too many, or nothing tells the others.

    Example:
        >>> times, mended = mend_times(np.array([0.0, 0.1, 0.1, 0.3, 0.4]))
        >>> times.round(3).tolist(), mended
        ([0.0, 0.1, 0.2, 0.3, 0.4], 2)
    """
    given = np.flatnonzero(np.isfinite(times))
    good = given[find_ascent(times[given])]
    wrong = len(given) - len(good)
    if len(good) < min(len(times), 2) or wrong > max(MOST_WRONG * len(given), FEW):
        return None
    if len(good) == len(times):
        return times, 0
    frames = np.arange(len(times))
    mended = np.interp(frames, good, times[good])
    pace = float(np.median(np.diff(times[good]) / np.diff(good)))
    before, after = frames < good[0], frames > good[-1]
    mended[before] = times[good[0]] - pace * (good[0] - frames[before])
    mended[after] = times[good[-1]] + pace * (frames[after] - good[-1])
    return mended, wrong


def find_ascent(values: np.ndarray) -> np.ndarray:
    """Return the indices of those values that are in every longest strictly ascending part."""
    if not len(values):
        return np.zeros(0, dtype=np.intp)
    before, after = _count_ascent(values), _count_ascent(-values[::-1])[::-1]
    there = before + after == before.max() + 1
    rivals = np.bincount(before[there], minlength=before.max() + 1)
    return np.flatnonzero(there & (rivals[before] == 1))


def _count_ascent(values: np.ndarray) -> np.ndarray:
    """Return the length of the longest strictly ascending part that ends with each value."""
    ends: list[float] = []  # the least value that a part of each length ends with
    lengths = []
    for value in values.tolist():
        length = bisect_left(ends, value)
        ends[length : length + 1] = [value]
        lengths.append(length + 1)
    return np.array(lengths)
