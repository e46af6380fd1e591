"""Meetings: where one segment of a track becomes the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from keras_tracknet.analysis.flight.segments import LONGEST_GAP, Segment

NEAR = 0.05  # of the picture's height: flights that pass each other by more do not meet
SHORTEST_REST = 0.15  # seconds; a ball that seems to stop for less is at a racket
BREAK = 0.4  # seconds without a position in which a ball may be picked up and served
FINENESS = 16  # moments looked at from one picture to the next


@dataclass(frozen=True)
class Meeting:
    """Where one segment becomes the next.

    Attributes:
        before, after: the segments.
        time: when they are closest to each other, seconds.
        place: `(2,)` pixels, where they are then.
        close: whether they do meet there.
    """

    before: Segment
    after: Segment
    time: float
    place: np.ndarray
    close: bool

    @property
    def in_flight(self) -> bool:
        """Whether the ball flies there and flies on."""
        return self.close and self.before.flight is not None and self.after.flight is not None


def find_meetings(segments: Sequence[Segment], step: float, height: int) -> list[Meeting]:
    """Find where each segment becomes the next.

    Args:
        segments: in the order of time. A rest that is too short for a ball that has come down
            is passed over.
        step: seconds from one picture to the next.
        height: of the picture, pixels.
    """
    kept = [
        segment
        for k, segment in enumerate(segments)
        if segment.flight is not None
        or k in (0, len(segments) - 1)
        or segment.end - segment.start > SHORTEST_REST
    ]
    return [_meet(before, after, step, height) for before, after in pairwise(kept)]


def _meet(before: Segment, after: Segment, step: float, height: int) -> Meeting:
    low, high = before.end - step, after.start + step
    moments = np.linspace(low, high, max(round((high - low) / step * FINENESS), 2))
    places = np.stack([before.locate(moments), after.locate(moments)])
    apart = np.linalg.norm(places[0] - places[1], axis=1)
    best = int(apart.argmin())
    gap = after.start - before.end
    close = gap <= LONGEST_GAP and (gap <= BREAK or apart[best] <= NEAR * height)
    return Meeting(before, after, float(moments[best]), places[:, best].mean(axis=0), close)
