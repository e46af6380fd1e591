"""Hysteresis: faint detections are kept where they continue a flight.

In front of a white shirt, or in the hand before a serve, a shuttlecock shows in the heatmap, but
below the threshold. As with the edges of a picture (Canny 1986), strong detections stand by
themselves, and faint ones if they continue strong ones, forwards or backwards in time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from keras_tracknet.tracks.tables import DETECTED
from keras_tracknet.tracks.track import TrackRow

FAINT = 2 / 3  # of the threshold: anything below is ignored
REACH = 8  # frames that a flight is followed from a strong detection
RECENT = 3  # frames that hold the two positions which predict the next one
CONTEXT = REACH + RECENT  # frames before and after a faint detection that decide about it
NEAR = 2 / 288  # of the picture's height: how far a ball may be from its predicted position,
NEAR_SHARE = 0.1  # plus this share of the step to it


class Sighting(NamedTuple):
    """What one frame shows: its row of the track, and the position of something faint.

    `x`, `y` are pixels of the source video, NaN if there is nothing faint or the row has a
    position; `height` is that of the source video, pixels; `shot` is the number of the first frame
    of the camera shot.
    """

    row: TrackRow
    x: float
    y: float
    height: int
    shot: int = 0

    @property
    def place(self) -> np.ndarray:
        """`(2,)` pixels: the row's position, else the faint one."""
        return np.array([self.row.x, self.row.y] if self.row.visible else [self.x, self.y])


def confirm_faint(sightings: Iterable[Sighting]) -> Iterator[TrackRow]:
    """Yield the rows of sightings; a faint one is `detected` if it continues a flight.

    A row comes at once while nothing is faint, otherwise after `CONTEXT` more frames or at the end
    of the shot: no flight continues across a cut.

    Args:
        sightings: one per frame, in the order of time.
    """
    for _, shot in groupby(sightings, key=lambda sighting: sighting.shot):
        yield from _confirm_in_shot(shot)


def _confirm_in_shot(sightings: Iterable[Sighting]) -> Iterator[TrackRow]:
    before: deque[Sighting] = deque(maxlen=CONTEXT)
    ahead: deque[Sighting] = deque()
    for sighting in sightings:
        ahead.append(sighting)
        while ahead and (np.isnan(ahead[0].x) or len(ahead) > CONTEXT):
            yield _decide(before, ahead)
            before.append(ahead.popleft())
    while ahead:
        yield _decide(before, ahead)
        before.append(ahead.popleft())


def _decide(before: Iterable[Sighting], ahead: Sequence[Sighting]) -> TrackRow:
    """Return the row of the first sighting ahead."""
    row, x, y, height, _ = ahead[0]
    if np.isnan(x):
        return row
    paths = [*before, ahead[0]], [*reversed(ahead)]
    if any(_leads_to_last(path, NEAR * height) for path in paths):
        return row._replace(x=x, y=y, status=DETECTED)
    return row


def _leads_to_last(path: Sequence[Sighting], near: float) -> bool:
    """Return whether the ball can be followed from where it was last clear to the path's end."""
    clear = [k for k, sighting in enumerate(path) if sighting.row.visible]
    end = len(path) - 1
    if not clear or end - clear[-1] > REACH:
        return False
    known = {k: path[k].place for k in clear}
    for frame in range(clear[-1] + 1, end + 1):
        recent = [k for k in known if frame - k <= RECENT]
        if len(recent) < 2:
            return False
        previous, last = recent[-2:]
        way = (known[last] - known[previous]) * (frame - last) / (last - previous)
        away = np.linalg.norm(path[frame].place - known[last] - way)
        if away <= near + NEAR_SHARE * np.linalg.norm(way):
            known[frame] = path[frame].place
    return end in known
