"""Clock: the time of every picture, from its own timestamp, ascending whatever the file says."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

# AVI numbers packets in the order of decoding, and B-frames are decoded after a picture that is
# shown later: by at most this many pictures, which is the most that H.264 allows.
REORDERED = 16
BACK_IN_STEP = 1.0  # seconds ahead at most of a time that is right again after wrong ones


class Clock:
    """Gives the pictures of a stream their times.

    Where a timestamp does not come after the one before it, one of them is wrong: a damaged file
    has any, and a recording that was joined from several starts anew. A single wrong one is put
    between its neighbours; where time starts anew it goes on from the last picture.

    Args:
        container, stream: where the pictures come from.
        fps: frames per second, for pictures without a timestamp.

    Attributes:
        mended: pictures so far whose timestamp was not after the one before.
    """

    def __init__(self, container: Any, stream: Any, fps: Fraction) -> None:
        self.is_avi = container.format.name == "avi"
        self.reordered = REORDERED if stream.codec_context.has_b_frames else 0
        self.tick: Fraction = stream.time_base
        self.start: int | None = None if self.is_avi else stream.start_time
        self.step = float(1 / fps)
        self.mended = 0

    def stamp(self, pictures: Iterable[Any]) -> Iterator[tuple[float, Any]]:
        """Yield (seconds from the start of the stream, picture), each later than the last."""
        timed: Iterator[tuple[int | None, Any]] = ((p.pts, p) for p in pictures)
        if self.is_avi:
            timed = sort_times(timed, self.reordered)
        return self._ascend((self.seconds(pts), picture) for pts, picture in timed)

    def seconds(self, pts: int | None) -> float | None:
        """Return the seconds from the start that a timestamp means."""
        if pts is None:
            return None
        if self.start is None:
            self.start = pts
        return float((pts - self.start) * self.tick)

    def _ascend(self, timed: Iterable[tuple[float | None, Any]]) -> Iterator[tuple[float, Any]]:
        last, restarted = -self.step, 0.0  # seconds that were added since time started anew
        ahead = itertools.chain(timed, [(None, None)])
        for (raw, picture), (following, _) in itertools.pairwise(ahead):
            if raw is not None and last < raw <= last + BACK_IN_STEP:
                restarted = 0.0
            time = None if raw is None else raw + restarted
            after = None if following is None else following + restarted
            if time is None:
                time = last + self.step
            elif after is not None and _is_alone(last, time, after):
                self.mended += 1
                time = (last + min(after, last + 2 * self.step)) / 2
            elif time <= last:
                self.mended += 1
                restarted += last + self.step - time
                time = last + self.step
            yield time, picture
            last = time


def _is_alone(last: float, time: float, after: float) -> bool:
    """Return whether a time is wrong between two that are right."""
    if after <= last:
        return False
    return time <= last or (time > after and after - last <= BACK_IN_STEP)


def sort_times(
    timed: Iterable[tuple[int | None, Any]], depth: int
) -> Iterator[tuple[int | None, Any]]:
    """Give pictures, which come in the order they are shown in, their timestamps in order.

    Args:
        timed: (timestamp, picture), no timestamp farther from its place than `depth` pictures.
        depth: pictures to look ahead.
    """
    waiting: list[Any] = []
    stamps: list[int] = []
    for pts, picture in timed:
        waiting.append(picture)
        if pts is not None:
            heapq.heappush(stamps, pts)
        if len(waiting) > depth:
            yield (heapq.heappop(stamps) if stamps else None), waiting.pop(0)
    for picture in waiting:
        yield (heapq.heappop(stamps) if stamps else None), picture
