"""Play: when the ball is in play, and which detections of a track are not of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from keras_tracknet.tracks.ball_path import find_path
from keras_tracknet.tracks.outliers import find_outliers
from keras_tracknet.tracks.tables import CORRECTED, REJECTED
from keras_tracknet.tracks.timestamps import mend_times
from keras_tracknet.tracks.track import Track

USUAL_RATE = 30.0  # frames per second, where nothing says
# With fewer frames a second, or in a shorter video, only outliers are rejected.
SLOWEST = 0.05  # seconds from frame to frame
SHORTEST = 1.0  # seconds


def reject_strays(track: Track, height: int, *, fps: float | None = None) -> Track:
    """Return a track without detections that are not of the ball.

    These are jumps to other objects and back, resting objects that no flight leads to, and
    detections while the ball is out of the picture, see `find_path`.

    Args:
        track: pixels of the source video; its `shots` are told apart where they are known.
        height: of the source video, pixels.
        fps: frames per second, for a track without times; 30 where that is not known either.

    Returns:
        The track with status `rejected` there; itself where there are none. What a person has
        corrected is kept.

    Example:
        >>> x, y = np.full((2, 40), 200.0) + 10 * np.arange(40)
        >>> x[14:16] = 50.0
        >>> track = Track.from_positions(x, y, np.ones(40), time=np.arange(40) / 30)
        >>> np.flatnonzero(reject_strays(track, 720).status == "rejected").tolist()
        [14, 15]
    """
    seen = np.flatnonzero(track.visibility)
    mended = mend_times(track.time)
    times = mended[0] if mended is not None else np.arange(len(track)) / (fps or USUAL_RATE)
    shots = np.searchsorted(np.array(track.shots, dtype=int), seen, side="right")
    places = track.positions[seen]
    steps = np.diff(times)
    if steps.sum() >= SHORTEST and np.median(steps) <= SLOWEST:
        confidence = track.confidence[seen]
        kept = find_path(seen, times[seen], places, confidence, height, shots=shots)
    else:
        kept = np.ones(len(seen), bool)
        for shot in np.unique(shots):
            own = shots == shot
            kept[own] = ~find_outliers(places[own], height)
    kept |= track.status[seen] == CORRECTED
    return drop_positions(track, seen[~kept])


def drop_positions(track: Track, frames: np.ndarray) -> Track:
    """Return a track with status `rejected` at some frames; itself where there are none."""
    if not len(frames):
        return track
    x, y, status = track.x.copy(), track.y.copy(), track.status.astype("<U16")
    x[frames] = y[frames] = np.nan
    status[frames] = REJECTED
    return replace(track, x=x, y=y, status=status)
