"""Latencies: how long things took, counted in bins, in memory that does not grow."""

from __future__ import annotations

import math

import numpy as np

SHORTEST, LONGEST = 1e-5, 1e4  # seconds; what is outside counts as that
GROWTH = 1.01  # from one bin to the next: percentiles are right to half a percent
BINS = math.ceil(math.log(LONGEST / SHORTEST, GROWTH)) + 1


class Latencies:
    """A histogram of latencies whose bins are 1 % wide.

    Example:
        >>> latencies = Latencies()
        >>> for n in range(1, 101):
        ...     latencies.add(n / 1000)
        >>> latencies.summarise()["max"]
        100.0
    """

    def __init__(self) -> None:
        self._counts = np.zeros(BINS, np.int64)
        self._longest = math.nan

    def add(self, seconds: float) -> None:
        """Count a latency."""
        within = min(max(seconds, SHORTEST), LONGEST)
        self._counts[round(math.log(within / SHORTEST, GROWTH))] += 1
        self._longest = seconds if math.isnan(self._longest) else max(self._longest, seconds)

    def percentile(self, percent: float) -> float:
        """Return the seconds that so many percent of the latencies do not exceed.

        NaN where there is none.
        """
        total = self._counts.cumsum()
        if not total[-1]:
            return math.nan
        place = int(np.searchsorted(total, max(1, math.ceil(total[-1] * percent / 100))))
        return min(SHORTEST * GROWTH**place, self._longest)

    def summarise(self) -> dict[str, float | None]:
        """Return percentiles and the longest in milliseconds; None where there is none."""
        found = {f"p{n}": self.percentile(n) for n in (50, 95, 99)} | {"max": self._longest}
        return {n: None if math.isnan(s) else round(1e3 * s, 1) for n, s in found.items()}
