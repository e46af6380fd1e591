"""Description: what is in a track, in a few lines for people."""

from __future__ import annotations

from collections import Counter

import numpy as np

from keras_tracknet.tracks.tables import STATUSES


def describe_columns(
    seen: np.ndarray,
    positions: np.ndarray,
    confidence: np.ndarray,
    status: np.ndarray,
    time: np.ndarray,
) -> list[str]:
    """Return lines about length, frames with a ball, confidence and places.

    Args:
        seen: `(frames,)` bool.
        positions, confidence, status, time: as in a `Track`.
    """
    found = Counter(status.tolist())
    counts = ", ".join(f"{found[name]:,} {name}" for name in STATUSES if found[name])
    times = time[np.isfinite(time)]
    length = f", {times[0]:.2f} to {times[-1]:.2f} seconds" if len(times) else ""
    share = f" ({seen.mean():.0%})" if len(seen) else ""
    median, place = "-", "-"
    if seen.any():
        median = f"{np.median(confidence[seen]):.2f} (median where there is a ball)"
        (left, top), (right, bottom) = positions[seen].min(axis=0), positions[seen].max(axis=0)
        place = f"x {left:.0f} to {right:.0f}, y {top:.0f} to {bottom:.0f} pixels"
    return [
        f"Track of {len(seen):,} frames{length}",
        f"ball: {seen.sum():,} frames{share}: {counts or 'none'}",
        f"confidence: {median}",
        f"positions: {place}",
    ]
