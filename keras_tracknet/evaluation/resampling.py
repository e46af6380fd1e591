"""Confidence intervals of scores, from resampling clips.

Frames of one clip resemble each other, so whole clips are drawn, with replacement, as many as there
are (the percentile bootstrap, Efron 1979).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_tracknet.metrics import Counts

RESAMPLES = 2000
INTERVAL = 0.95


def resample_scores(clips: Sequence[Counts]) -> dict[str, np.ndarray]:
    """Return `accuracy` and `f1` of every resample, `(RESAMPLES,)` each.

    The same clips are drawn for any counts of as many clips, so that scores of several trackers can
    be subtracted.
    """
    drawn = np.random.default_rng(0).integers(len(clips), size=(RESAMPLES, len(clips)))
    counts = np.array([[c.tp, c.tn, c.fp1, c.fp2, c.fn] for c in clips], np.float64)
    tp, tn, fp1, fp2, fn = counts[drawn].sum(axis=1).T
    with np.errstate(invalid="ignore"):
        accuracy = (tp + tn) / (tp + tn + fp1 + fp2 + fn)
        f1 = 2 * tp / (2 * tp + fp1 + fp2 + fn)
    return {"accuracy": accuracy, "f1": f1}


def find_interval(scores: np.ndarray) -> tuple[float, float] | None:
    """Return the ends of the 95 % interval; None where no score is defined."""
    if np.isnan(scores).all():
        return None
    low, high = np.nanquantile(scores, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2]).tolist()
    return low, high


def find_difference(
    first: Sequence[Counts], second: Sequence[Counts], score: str
) -> tuple[float, float] | None:
    """Return the 95 % interval of how far one is ahead of the other on the same clips.

    None with fewer than two clips, and where no score is defined.

    Args:
        first, second: counts of the same clips.
        score: `accuracy` or `f1`.
    """
    if len(first) < 2:
        return None
    return find_interval(resample_scores(first)[score] - resample_scores(second)[score])


def find_intervals(clips: Sequence[Counts]) -> dict[str, tuple[float, float]]:
    """Return 95 % intervals of `accuracy` and `f1`; empty with fewer than two clips."""
    if len(clips) < 2:
        return {}
    found = {name: find_interval(scores) for name, scores in resample_scores(clips).items()}
    return {name: interval for name, interval in found.items() if interval is not None}
