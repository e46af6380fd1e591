"""Velocity: how fast the ball moves in the picture, frame by frame, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_tracknet.files import write_table
from keras_tracknet.tracks.tables import REPAIRED
from keras_tracknet.tracks.track import Track

WINDOW = 0.2  # seconds that the polynomial is fitted over, the frame in its middle
DEGREE = 2
POSITION_ERROR = 1 / 720  # standard deviation of a detected position, share of the height
REPAIRED_ERROR = 3.0  # of a repaired position, in those of a detected one
LONGEST_GAP = 0.25  # seconds without a position that velocity is computed across
JUMP = 0.05  # of the height: a step this long, and
SUDDEN = 3.0  # times as fast as those before and after it, is a jump to another object
VELOCITY_COLUMNS = ("Frame", "Time", "VX", "VY", "Speed", "SpeedError")


@dataclass(frozen=True)
class Velocity:
    """One row per frame, pixels of the source video per second; NaN where it cannot be told.

    Attributes:
        time: `(frames,)` seconds.
        x, y: `(frames,)` to the right and down.
        error: `(frames,)` standard deviation of x and of y.
    """

    time: np.ndarray
    x: np.ndarray
    y: np.ndarray
    error: np.ndarray

    def __len__(self) -> int:
        return len(self.time)

    @property
    def speed(self) -> np.ndarray:
        """`(frames,)` pixels per second."""
        speed: np.ndarray = np.hypot(self.x, self.y)
        return speed


def compute_velocity(
    track: Track,
    size: tuple[int, int],
    *,
    breaks: Sequence[float] | np.ndarray = (),
    fps: float | None = None,
    position_error: float | None = None,
    window: float = WINDOW,
) -> Velocity:
    """Fit a parabola to the positions around each frame and take its slope.

    This is the filter of Savitzky and Golay (1964) for uneven times. Positions beyond a break, a
    jump, or a gap of more than `LONGEST_GAP`, do not count. Near a break the frame is at the end
    of its window, where the slope is less sure; so it is beside a gap, and with few positions.

    Args:
        track: labels or predictions, pixels of the source video. Repaired positions count less.
        size: (height, width) of the video, pixels.
        breaks: moments in seconds of hits, bounces and cuts; a position at one comes after it.
        fps: frames per second, for a track without times, which needs it.
        position_error: standard deviation of a detected position, pixels; the picture's height
            times `POSITION_ERROR` when omitted.
        window: seconds.

    Example:
        >>> time = np.arange(9) / 30
        >>> track = Track.from_positions(600 * time, 0 * time, np.ones(9), time=time)
        >>> compute_velocity(track, (720, 1280)).x.round(3).tolist()
        [600.0, 600.0, 600.0, 600.0, 600.0, 600.0, 600.0, 600.0, 600.0]
    """
    times = track.seconds(fps)
    if position_error is None:
        position_error = POSITION_ERROR * size[0]
    found = np.full((3, len(track)), np.nan)
    seen = np.flatnonzero(track.visibility)
    moments = times[seen]
    pieces = np.searchsorted(np.sort(np.asarray(breaks, dtype=float)), moments, side="right")
    apart = np.diff(moments, prepend=moments[:1]) > LONGEST_GAP
    apart |= _find_jumps(moments, track.positions[seen], size[0])
    pieces = pieces + np.cumsum(apart) * (len(breaks) + 1)
    errors = np.where(track.status[seen] == REPAIRED, REPAIRED_ERROR, 1.0) * position_error
    positions = track.positions[seen]
    for piece in np.unique(pieces):
        own = np.flatnonzero(pieces == piece)
        if len(own) < 2:
            continue
        for index in own:
            near = own[np.abs(moments[own] - moments[index]) <= window / 2 + 1e-9]
            if len(near) < 3:  # as many as there are, the nearest first
                near = own[np.argsort(np.abs(moments[own] - moments[index]))[:3]]
            slope = _fit_slope(moments[near] - moments[index], positions[near], errors[near])
            found[:, seen[index]] = slope
    return Velocity(times, *found)


def write_velocity(velocity: Velocity, path: Path) -> None:
    """Write one row per frame: `Frame,Time,VX,VY,Speed,SpeedError`, pixels per second.

    Raises:
        InputError: the file cannot be written.
    """
    table = np.stack([velocity.x, velocity.y, velocity.speed, velocity.error], axis=1)
    rows = []
    for frame, (time, row) in enumerate(zip(velocity.time, table, strict=True)):
        cells = ["" if np.isnan(value) else f"{value:.2f}" for value in row]
        rows.append([frame, f"{time:.6f}".rstrip("0").rstrip("."), *cells])
    write_table(VELOCITY_COLUMNS, rows, path)


def _find_jumps(moments: np.ndarray, positions: np.ndarray, height: int) -> np.ndarray:
    """Before which positions the track jumps: `(positions,)` bool.

    A ball that is hit is fast in the next step, too. So is not one that is seen elsewhere.
    """
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    speeds = np.concatenate([[0.0], steps / np.diff(moments), [0.0]])
    around = np.maximum(speeds[:-2], speeds[2:])
    sudden = (steps > JUMP * height) & (speeds[1:-1] > SUDDEN * around)
    if len(steps) < 3:  # nothing to compare with
        sudden[:] = False
    return np.concatenate([np.zeros(min(len(moments), 1), bool), sudden])


def _fit_slope(
    seconds: np.ndarray, positions: np.ndarray, errors: np.ndarray
) -> tuple[float, float, float]:
    """Slope of a polynomial at 0 in x and y, and its standard deviation."""
    degree = min(DEGREE, len(seconds) - 1)
    if len(seconds) == DEGREE + 1:  # an exact parabola follows every error
        degree = 1
    design = np.vander(seconds, degree + 1, increasing=True) / errors[:, None]
    inverse = np.linalg.pinv(design)
    x, y = (inverse @ (positions / errors[:, None]))[1]
    # What the polynomial misses is error too, where there are positions to tell.
    spare = len(seconds) - degree - 1
    scale = 1.0
    if spare > 0:
        left = positions / errors[:, None] - design @ (inverse @ (positions / errors[:, None]))
        scale = max(1.0, float(np.sqrt((left**2).sum() / (2 * spare))))
    return float(x), float(y), float(np.sqrt((inverse[1] ** 2).sum()) * scale)
