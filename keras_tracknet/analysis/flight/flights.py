"""Flights: a stretch of a track as the picture of a ball that only gravity and air act upon.

A flight is followed in three dimensions, in metres, and seen by a camera. Where the court has not
been calibrated the camera is that of a usual broadcast: how fast things fall in the picture says
how far away they are, so that a rough guess of the focal length will do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.integrate import cumulative_trapezoid

from keras_tracknet.analysis.flight.camera import View
from keras_tracknet.analysis.flight.solver import solve_many
from keras_tracknet.sports import Sport

STEP = 0.03  # seconds between two points that a flight is computed at
DEPTH_SPREAD = 0.35  # of the distance from the camera, as a share of the view's
SPEED_SPREAD = 25.0  # m/s
DRAG_SPREAD = 0.2  # of the logarithm of the drag: no two balls are alike, and spin changes it
OUTLIER = 2.5  # standard deviations at which a position starts to be doubted
GOOD = 2.3  # misfit per position at which no other guess is tried
FASTEST = 150.0  # m/s; no ball has been faster


class Attempt(NamedTuple):
    """What a first guess takes for granted: speed away from the camera, m/s, and its spread."""

    away: float
    spread: float


# What comes towards the camera looks slow. Of 150 random flights of a shuttlecock the first guess
# leads to the best fit of 132, and the first two to that of 149.
ATTEMPTS = (Attempt(0.0, SPEED_SPREAD), Attempt(-20.0, 5.0), Attempt(-45.0, 5.0))


@dataclass(frozen=True)
class Flight:
    """A fitted flight.

    Attributes:
        start, end: seconds, of its first and last position.
        state: `(7,)` place in metres and velocity in m/s at its start, along the camera's axes,
            and the logarithm of its drag over the sport's.
        misfit: what is left to explain: the sum over all positions of the squared distance in
            standard deviations, warned ones counting less, and how far the distance from
            the camera and the speed are from usual ones.
        sport: gives the drag.
        view: sees it.
    """

    start: float
    end: float
    state: np.ndarray
    misfit: float
    sport: Sport = field(repr=False)
    view: View = field(repr=False)

    def trace(self, times: np.ndarray) -> np.ndarray:
        """The state at other times: `(times, 7)`.

        Args:
            times: `(times,)` seconds; before and after the flight it is followed further.
        """
        seconds = np.atleast_1d(times) - self.start
        found = np.empty((len(seconds), 7))
        for part in (seconds >= 0, seconds < 0):
            if part.any():
                state, moments = self.state[None, None], seconds[part][None]
                found[part] = fly_states(state, moments, self.sport, self.view.gravity)[0, :, 0]
        return found

    def locate(self, times: np.ndarray) -> np.ndarray:
        """Where the ball is, or would be before and after: `(times, 2)` pixels."""
        return self.view.project(self.trace(times)[:, :3])


def fly_states(
    states: np.ndarray,
    seconds: np.ndarray,
    sport: Sport,
    gravity: np.ndarray,
    lift: np.ndarray | None = None,
) -> np.ndarray:
    """Fly many balls at once.

    Drag alone has a closed form, and so has gravity alone; they take turns (Strang 1968), which
    stays stable for the fastest smash.

    Args:
        states: `(flights, variants, 7)` at the start, see `Flight`.
        seconds: `(flights, times)` from the start, of one sign within a flight.
        sport: gives the drag.
        gravity: `(3,)` m/s^2 along the axes of the states.
        lift: `(flights, variants, 1)` per metre, topspin: the acceleration across the way of the
            ball, downwards, is lift * speed^2. None for no spin.

    Returns:
        `(flights, times, variants, 7)`.
    """
    limit = np.take_along_axis(seconds, np.abs(seconds).argmax(axis=1)[:, None], axis=1)
    count = max(math.ceil(np.abs(limit).max() / STEP), 4)
    step = np.where(limit == 0, 1e-6, limit / count)
    path = np.empty((count + 1, *states.shape))
    path[0] = states
    pace = step[:, :, None]
    place, velocity, half = states[..., :3], states[..., 3:6], gravity * pace / 2
    drag = sport.drag * np.exp(states[..., 6:].clip(-2.0, 2.0)) * pace
    if lift is not None:
        axis = np.cross(velocity, gravity)
        turning = axis * (lift * pace / (2 * np.linalg.norm(axis, axis=-1, keepdims=True) + 1e-9))
    for index in range(1, count + 1):
        velocity = velocity + half
        if lift is not None:
            velocity = _bend(velocity, turning)
        speed = np.sqrt(np.einsum("...i,...i->...", velocity, velocity))[..., None]
        # Back in time the air speeds the ball up, without an end.
        lost = np.maximum(drag * np.minimum(speed, FASTEST), -0.5) + 1e-12
        place = place + velocity * (np.log1p(lost) / lost * pace)
        velocity = velocity / (1 + lost)
        if lift is not None:
            velocity = _bend(velocity, turning)
        velocity = velocity + half
        path[index, ..., :3], path[index, ..., 3:6] = place, velocity
    path[..., 6] = states[..., 6]
    low = np.minimum((seconds / step).astype(int), count - 1)
    share = (seconds / step - low)[..., None, None]
    each = np.arange(len(states))[:, None]
    before, after = path[low, each], path[low + 1, each]
    found: np.ndarray = before + share * (after - before)
    # Cubic Hermite interpolation of the place.
    way, pace = (after - before)[..., :3], pace[..., None]
    bend, turn = before[..., 3:6] * pace - way, way - after[..., 3:6] * pace
    found[..., :3] += share * (1 - share) * ((1 - share) * bend + share * turn)
    return found


def _bend(velocity: np.ndarray, turning: np.ndarray) -> np.ndarray:
    """Turn velocities about an axis, by an angle that grows with the speed."""
    speed = np.linalg.norm(velocity, axis=-1, keepdims=True).clip(None, FASTEST)
    # The cross product, which np.cross takes several times as long for.
    ahead, behind = [1, 2, 0], [2, 0, 1]
    across = (
        turning[..., ahead] * velocity[..., behind] - turning[..., behind] * velocity[..., ahead]
    )
    bent: np.ndarray = velocity + speed * across
    return bent


class Stretch(NamedTuple):
    """Positions that may be a flight: `(positions,)` seconds and `(positions, 2)` pixels."""

    times: np.ndarray
    positions: np.ndarray

    def part(self, first: int, stop: int) -> Stretch:
        """The positions from one index up to another."""
        return Stretch(self.times[first:stop], self.positions[first:stop])


def fit_flights(
    stretches: Sequence[Stretch],
    error: float,
    sport: Sport,
    view: View,
    *,
    guesses: Sequence[np.ndarray | None] | None = None,
    good: float = GOOD,
) -> list[Flight]:
    """Fit a flight to each of many stretches, whose positions may be a few of them far off.

    Args:
        stretches: two or more positions each, ascending in time.
        error: standard deviation of a position, pixels.
        sport: gives the drag.
        view: sees the flights.
        guesses: a state to begin with for each stretch, such as that of a shorter flight; None
            for no guess.
        good: misfit per position at which no other attempt is made.

    Returns:
        The best of a few attempts for each.
    """
    if not stretches:
        return []
    problem = _Problem(stretches, error, sport, view)
    first = [
        given if given is not None else _guess_state(part, error, sport, view, ATTEMPTS[0])
        for part, given in zip(stretches, guesses or [None] * len(stretches), strict=True)
    ]
    states, misfits = solve_many(problem.miss, np.array(first), outlier=OUTLIER, firm=5)
    for attempt in ATTEMPTS[guesses is None :]:
        poor = np.flatnonzero(misfits > good * problem.counts)
        if not len(poor):
            break
        parts = [stretches[k] for k in poor.tolist()]
        start = [_guess_state(part, error, sport, view, attempt) for part in parts]
        other = _Problem(parts, error, sport, view)
        found = solve_many(other.miss, np.array(start), outlier=OUTLIER, firm=5)
        better = found.misfit < misfits[poor]
        states[poor[better]] = found.parameters[better]
        misfits[poor[better]] = found.misfit[better]
    return [
        Flight(float(s.times[0]), float(s.times[-1]), state, float(misfit), sport, view)
        for s, state, misfit in zip(stretches, states, misfits, strict=True)
    ]


class _Problem:
    """What many flights miss their positions by."""

    def __init__(
        self, stretches: Sequence[Stretch], error: float, sport: Sport, view: View
    ) -> None:
        self.counts = np.array([len(part.times) for part in stretches])
        shape = (len(stretches), int(self.counts.max()))
        self.seconds, self.weight = np.zeros(shape), np.zeros(shape)
        self.positions = np.zeros((*shape, 2))
        for row, part in enumerate(stretches):
            length = len(part.times)
            self.seconds[row, :length] = part.times - part.times[0]
            self.positions[row, :length] = part.positions
            self.weight[row, :length] = 1 / error
        self.sport, self.view = sport, view

    def miss(self, which: np.ndarray, states: np.ndarray) -> np.ndarray:
        """Residuals in standard deviations: `(flights, variants, 2 * positions + 5)`."""
        used = int(self.counts[which].max())
        flown = fly_states(states, self.seconds[which, :used], self.sport, self.view.gravity)
        away = self.view.project(flown[..., :3]) - self.positions[which, :used, None]
        away *= self.weight[which, :used, None, None]
        away = away.transpose(0, 2, 1, 3).reshape(*states.shape[:2], -1)
        return np.concatenate([away, find_oddness(states, self.view)], axis=-1)


def find_oddness(states: np.ndarray, view: View) -> np.ndarray:
    """How far distance, speed and drag are from usual, `(..., 5)` in standard deviations."""
    odd = states[..., 2:] - [view.distance, 0, 0, 0, 0]
    return odd / [DEPTH_SPREAD * view.distance, *[SPEED_SPREAD] * 3, DRAG_SPREAD]


def _guess_state(
    stretch: Stretch, error: float, sport: Sport, view: View, attempt: Attempt
) -> np.ndarray:
    """Guess the state at the start, `(7,)`, from how fast the ball seems to be.

    With the speed known, and with it what the air takes, where the ball is depends linearly on
    where it started and how fast. Every position says that the ball is on its ray, x = z * ray.
    """
    seconds, positions = stretch.times - stretch.times[0], stretch.positions
    grid = np.linspace(0.0, seconds[-1], max(math.ceil(seconds[-1] / STEP), 8) + 1)
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1) / np.diff(seconds)
    speed = np.interp(grid, (seconds[1:] + seconds[:-1]) / 2, steps) * view.distance / view.focal
    unseen = attempt.away / (1 + sport.drag * abs(attempt.away) * grid)
    slowing = sport.drag * np.hypot(speed, unseen).clip(3.0, FASTEST)
    kept = np.exp(-cumulative_trapezoid(slowing, grid, initial=0))
    pulled = kept * cumulative_trapezoid(1 / kept, grid, initial=0)
    reach, fall = (
        np.interp(seconds, grid, cumulative_trapezoid(rate, grid, initial=0))
        for rate in (kept, pulled)
    )
    weight = view.focal / (view.distance * error)
    rays = (positions - view.centre) / view.focal
    left, right = [], []
    for axis in range(2):
        rows = np.zeros((len(rays), 6))
        rows[:, axis], rows[:, 3 + axis] = 1, reach
        rows[:, 2], rows[:, 5] = -rays[:, axis], -rays[:, axis] * reach
        left.append(rows * weight)
        right.append((rays[:, axis] * view.gravity[2] - view.gravity[axis]) * fall * weight)
    usual = np.zeros((4, 6))
    usual[0, 2] = 1 / (DEPTH_SPREAD * view.distance)
    usual[1:, 3:] = np.diag([1 / SPEED_SPREAD, 1 / SPEED_SPREAD, 1 / attempt.spread])
    right.append(np.array([1 / DEPTH_SPREAD, 0, 0, attempt.away / attempt.spread]))
    start = np.linalg.lstsq(np.vstack([*left, usual]), np.concatenate(right))[0]
    return np.append(start, 0.0)
