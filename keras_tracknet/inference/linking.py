"""Linking: which peak of each heatmap is the ball, as the linker sees it."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np

from keras_tracknet.frames.windows import WindowMerger, stream_windows
from keras_tracknet.tracks.tables import DETECTED
from keras_tracknet.tracks.track import TrackRow

STEP = 8  # frames between the starts of neighbouring windows

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


def link_prospects(
    prospects: Iterable[Prospect], link: Link, window: int, step: int = STEP
) -> Iterator[TrackRow]:
    """Yield the rows of prospects, with the position of the candidate that is likeliest the ball.

    A row comes after at most `window` more frames, or at the end of its shot; windows do not
    reach over a cut. Its confidence is the probability of what it says there is: of the candidate,
    or, without a position, of all of them together.

    Args:
        prospects: one per frame, in the order of time.
        link: the network, see `build_linker`.
        window: frames in the network's window.
        step: frames between the starts of neighbouring windows.
    """
    for shot, frames in groupby(prospects, key=lambda prospect: prospect.shot):
        yield from _link_shot(frames, shot, link, window, step)


def _link_shot(
    prospects: Iterable[Prospect], shot: int, link: Link, window: int, step: int
) -> Iterator[TrackRow]:
    waiting: deque[Prospect] = deque()

    def note(aligned: Iterable[Prospect]) -> Iterator[np.ndarray]:
        for prospect in aligned:
            waiting.append(prospect)
            yield prospect.candidates

    frames = iter(prospects)
    # A stream that begins inside a shot has the windows of one that began before it.
    for prospect in frames:
        if (prospect.row.frame - shot) % step == 0:
            frames = itertools.chain([prospect], frames)
            break
        yield prospect.row
    merger = WindowMerger(window, step)
    for seen in stream_windows(note(frames), window, window, step):
        (chances,) = link(np.stack(seen.frames)[None])
        for of_frame in merger.add(seen.start, chances):
            if waiting:  # a shot shorter than a window has outputs to spare
                yield _choose(waiting.popleft(), of_frame)
    for of_frame in merger.finish():
        if waiting:
            yield _choose(waiting.popleft(), of_frame)


def _choose(prospect: Prospect, chances: np.ndarray) -> TrackRow:
    """Return the row of a frame, given the chances of its candidates, and that none is the ball."""
    there = np.where(prospect.candidates[:, 2] > 0, chances[:-1], 0.0)
    best = int(there.argmax())
    if there[best] <= chances[-1]:
        return prospect.row._replace(confidence=float(np.clip(1 - chances[-1], 0, 1)))
    x, y = prospect.places[best].tolist()
    return prospect.row._replace(x=x, y=y, confidence=float(there[best]), status=DETECTED)
