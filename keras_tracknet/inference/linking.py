"""Linking: which peak of each heatmap is the ball, as the linker sees it."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np

from keras_tracknet.frames.windows import WindowMerger, stream_windows
from keras_tracknet.tracks.tables import DETECTED
from keras_tracknet.tracks.track import TrackRow

STEP = 8  # frames between the starts of neighbouring windows
RATE = 30  # frames per second of a linker's window
SPACINGS = (1, 2, 3, 4, 6, 10)  # frames of the window that a linker's messages go across

# candidates -> probabilities: (1, frames, candidates, 3) to (1, frames, candidates + 1)
Link = Callable[[np.ndarray], np.ndarray]


class Prospect(NamedTuple):
    """What one frame shows to the linker.

    Attributes:
        row: frame, time and confidence of the row to be.
        candidates: `(candidates, 3)`, as `build_linker` takes them.
        places: `(candidates, 2)`, (x, y) in pixels of the source video.
        shot: number of the first frame of the camera shot.
    """

    row: TrackRow
    candidates: np.ndarray
    places: np.ndarray
    shot: int


def find_spacing(fps: float) -> int:
    """Return how many frames of a linker's window lie from one frame of a video to the next.

    Linkers know how far a ball flies in a thirtieth of a second. So in the window of a slower video
    there are frames without candidates, for those that were not filmed.

    Args:
        fps: frames per second of the video.
    """
    return min(SPACINGS, key=lambda spacing: abs(math.log(spacing * fps / RATE)))


def link_prospects(
    prospects: Iterable[Prospect], link: Link, window: int, *, spacing: int = 1, step: int = STEP
) -> Iterator[TrackRow]:
    """Yield the rows of prospects, with the position of the candidate that is likeliest the ball.

    A row comes after at most `window` more frames, or at the end of its shot; windows do not
    reach over a cut. Its confidence is the probability of what it says there is: of the candidate,
    or, without a position, of all of them together.

    Args:
        prospects: one per frame, in the order of time.
        link: the network, see `build_linker`.
        window: frames in the network's window.
        spacing: frames of the window from one prospect to the next, see `find_spacing`.
        step: frames between the starts of neighbouring windows.
    """
    for shot, frames in groupby(prospects, key=lambda prospect: prospect.shot):
        yield from _link_shot(frames, shot, link, window, spacing, step)


def _link_shot(
    prospects: Iterable[Prospect], shot: int, link: Link, window: int, spacing: int, step: int
) -> Iterator[TrackRow]:
    waiting: deque[Prospect | None] = deque()  # None where nothing was filmed

    def note(aligned: Iterable[Prospect]) -> Iterator[np.ndarray]:
        for prospect in aligned:
            waiting.extend([prospect, *[None] * (spacing - 1)])
            yield prospect.candidates
            for _ in range(spacing - 1):
                yield np.zeros_like(prospect.candidates)

    frames = iter(prospects)
    # A stream that begins inside a shot has the windows of one that began before it.
    for prospect in frames:
        if (prospect.row.frame - shot) * spacing % step == 0:
            frames = itertools.chain([prospect], frames)
            break
        yield prospect.row
    merger = WindowMerger(window, step)

    def choose(merged: Iterable[np.ndarray]) -> Iterator[TrackRow]:
        for of_frame in merged:
            prospect = waiting.popleft() if waiting else None  # a short shot has outputs to spare
            if prospect is not None:
                yield _choose(prospect, of_frame)

    for seen in stream_windows(note(frames), window, window, step):
        (chances,) = link(np.stack(seen.frames)[None])
        yield from choose(merger.add(seen.start, chances))
    yield from choose(merger.finish())


def _choose(prospect: Prospect, chances: np.ndarray) -> TrackRow:
    """Return the row of a frame, given the chances of its candidates, and that none is the ball."""
    there = np.where(prospect.candidates[:, 2] > 0, chances[:-1], 0.0)
    best = int(there.argmax())
    if there[best] <= chances[-1]:
        return prospect.row._replace(confidence=float(np.clip(1 - chances[-1], 0, 1)))
    x, y = prospect.places[best].tolist()
    return prospect.row._replace(x=x, y=y, confidence=float(there[best]), status=DETECTED)
