"""Comparison: several trackers on the same labelled clips, by one protocol, in one table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from keras_tracknet.evaluation.resampling import find_difference, find_intervals
from keras_tracknet.metrics import TOLERANCE, Counts

SIZE = (288, 512)  # (height, width) at which every tracker's positions are judged, pixels
BALL = 5.0  # diameter of the disc that networks are trained on, pixels at that size
SCORES = ("accuracy", "precision", "recall", "f1")
COUNTS = ("tp", "tn", "fp1", "fp2", "fn")


class Tolerance(NamedTuple):
    """Greatest distance that counts as right: its name, and pixels at 512x288."""

    name: str
    pixels: float


def list_tolerances(
    pixels: Sequence[float], shares: Sequence[float], ball: float
) -> list[Tolerance]:
    """Return tolerances in pixels, and in shares of the ball's diameter of `ball` pixels."""
    named = [Tolerance(f"{value:g} px", value) for value in pixels]
    return named + [Tolerance(f"{share:g} ball", share * ball) for share in shares]


@dataclass(frozen=True)
class ClipOutcome:
    """What a tracker made of a clip.

    Attributes:
        name: of the clip.
        frames: in the clip.
        seconds: from the first frame decoded to the track.
        counts: one for each tolerance.
        distances: `(frames,)` from the truth, pixels at 512x288, of frames with both positions.
    """

    name: str
    frames: int
    seconds: float
    counts: tuple[Counts, ...]
    distances: np.ndarray


@dataclass(frozen=True)
class Entry:
    """One row of the table.

    Attributes:
        name: of the weights, for people.
        weights: where they lie.
        version: of the network.
        engine, precision: what ran it.
        parameters: of the network; None for an exported file.
        gflop: 10^9 operations per frame; None for an exported file.
        clips: the outcomes.
    """

    name: str
    weights: str
    version: str
    engine: str
    precision: str
    parameters: int | None
    gflop: float | None
    clips: tuple[ClipOutcome, ...]

    @property
    def frames_per_second(self) -> float:
        """End to end, from decoding to the track."""
        return sum(c.frames for c in self.clips) / sum(c.seconds for c in self.clips)

    def total(self, tolerance: int) -> Counts:
        """Return the counts of all clips together, at the tolerance of that number."""
        return sum((clip.counts[tolerance] for clip in self.clips), Counts())

    @property
    def median_error(self) -> float:
        """Median distance from the truth, pixels at 512x288; NaN where there is none."""
        return find_median([clip.distances for clip in self.clips])


class Difference(NamedTuple):
    """How two entries differ at the main tolerance.

    `low` and `high` are the 95 % interval of the difference when the same clips are resampled for
    both; None with fewer than two clips.
    """

    first: str
    second: str
    score: str
    value: float
    low: float | None
    high: float | None

    @property
    def is_noise(self) -> bool | None:
        """Whether the interval holds 0; None where it is not known."""
        return None if self.low is None or self.high is None else self.low <= 0 <= self.high


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison.

    Attributes:
        entries: one for each tracker.
        tolerances: those that outcomes are counted at; the first that is 4 pixels, else the first
            of all, is the main one.
    """

    entries: tuple[Entry, ...]
    tolerances: tuple[Tolerance, ...]

    @property
    def main(self) -> int:
        """Number of the main tolerance."""
        values = [tolerance.pixels for tolerance in self.tolerances]
        return values.index(TOLERANCE) if TOLERANCE in values else 0

    def intervals(self, entry: Entry, tolerance: int) -> dict[str, tuple[float, float]]:
        """Return 95 % intervals of an entry's accuracy and F1 when clips are resampled."""
        return find_intervals([clip.counts[tolerance] for clip in entry.clips])

    @property
    def differences(self) -> list[Difference]:
        """Every pair's difference in accuracy and F1 at the main tolerance."""
        found = []
        for first, second in combinations(self.entries, 2):
            one, other = ([c.counts[self.main] for c in e.clips] for e in (first, second))
            for score in ("accuracy", "f1"):
                value = getattr(first.total(self.main), score) - getattr(
                    second.total(self.main), score
                )
                ends = find_difference(one, other, score) or (None, None)
                found.append(Difference(first.name, second.name, score, value, *ends))
        return found

    def rows(self) -> list[dict[str, Any]]:
        """Return one row for each tracker, tolerance and clip, and one for all its clips."""
        rows = []
        for entry in self.entries:
            facts: dict[str, Any] = {
                "weights": entry.name,
                "network": entry.version,
                "engine": entry.engine,
            }
            facts |= {"precision_of_numbers": entry.precision}
            size = {"parameters": entry.parameters, "gflop_per_frame": entry.gflop}
            for number, tolerance in enumerate(self.tolerances):
                ends = self.intervals(entry, number)
                for clip in (*entry.clips, None):
                    counts = entry.total(number) if clip is None else clip.counts[number]
                    speed = entry.frames_per_second if clip is None else clip.frames / clip.seconds
                    error = entry.median_error if clip is None else find_median([clip.distances])
                    row: dict[str, Any] = facts | {
                        "clip": "total" if clip is None else clip.name,
                        "tolerance": tolerance.name,
                        "tolerance_pixels": tolerance.pixels,
                        "frames": counts.frames,
                        **counts.as_dict(),
                        "median_error": None if math.isnan(error) else error,
                    }
                    for score in ("accuracy", "f1"):
                        low, high = ends.get(score, (None, None)) if clip is None else (None, None)
                        row |= {f"{score}_low": low, f"{score}_high": high}
                    rows.append(row | {"frames_per_second": speed} | size)
        return rows

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "size": list(SIZE),
            "tolerances": [tolerance._asdict() for tolerance in self.tolerances],
            "main_tolerance": self.tolerances[self.main].name,
            "weights": {entry.name: entry.weights for entry in self.entries},
            "rows": self.rows(),
            "differences": [
                {**difference._asdict(), "within_noise": difference.is_noise}
                for difference in self.differences
            ],
        }


def find_median(distances: Sequence[np.ndarray]) -> float:
    """Return the median of all distances; NaN where there is none."""
    values = np.concatenate(distances) if distances else np.zeros(0)
    return float(np.median(values)) if len(values) else math.nan
