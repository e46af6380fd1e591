"""Bounces: two flights as one, with a touch of the floor between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from keras_tracknet.analysis.flight.camera import View
from keras_tracknet.analysis.flight.flights import (
    DRAG_SPREAD,
    OUTLIER,
    Flight,
    Stretch,
    find_oddness,
    fit_flights,
    fly_states,
)
from keras_tracknet.analysis.flight.meetings import Meeting
from keras_tracknet.analysis.flight.solver import solve_many
from keras_tracknet.sports import Sport

FREEDOM = 3  # parameters of a velocity: a hit may choose it, after a bounce it is known
# What this freedom is worth in chi squared (Akaike 1974, which is for few positions).
WORTH = 2.0 * FREEDOM
SPREAD = 0.12  # of restitution and grip
HEIGHT_ERROR = 0.3  # metres, of where a bounce seems to be above the floor
WINDOW = 0.25  # seconds before and after a bounce that tell it from a hit
RISING_COST = 10.0  # standard deviations for each m/s that a ball goes up into the floor


@dataclass(frozen=True)
class Touch:
    """Something touches the ball: the moment in seconds, and positions before and after it."""

    moment: float
    before: Stretch
    after: Stretch

    @classmethod
    def between(cls, whole: Stretch, meeting: Meeting) -> Touch:
        """The touch between two flights, with the positions that are near.

        What is farther says less: spin, which a fit has no number for, bends a flight more the
        longer it takes.
        """
        before, after, moment = meeting.before, meeting.after, meeting.time
        low, high = np.searchsorted(whole.times, [moment - WINDOW, moment + WINDOW]).tolist()
        first = min(max(before.first, low), before.last - 1)
        stop = max(min(after.last + 1, high), after.first + 2)
        return cls(moment, whole.part(first, before.last + 1), whole.part(after.first, stop))

    @property
    def whole(self) -> Stretch:
        """The positions before and after as one."""
        pairs = zip(self.before, self.after, strict=True)
        return Stretch(*(np.concatenate(pair) for pair in pairs))


class Bounces(NamedTuple):
    """Touches as bounces: how much less they explain than hits, and metres below the camera.

    Both are `(touches,)`. The first is in chi squared; a touch that explains less by more than
    `WORTH` is a hit, as is every one of a ball that does not bounce.
    """

    excess: np.ndarray
    depth: np.ndarray


def fit_bounces(touches: Sequence[Touch], error: float, sport: Sport, view: View) -> Bounces:
    """Explain touches as bounces, and compare that with two flights that are free.

    Args:
        touches: to explain.
        error: standard deviation of a position, pixels.
        sport: says what the floor does to the ball.
        view: sees it.
    """
    if not touches or not sport.restitution:
        return Bounces(np.full(len(touches), np.inf), np.full(len(touches), np.nan))
    ends = [end for touch in touches for end in (touch.before, touch.after)]
    flights = fit_flights(ends, error, sport, view)
    apart = np.array([flight.misfit for flight in flights]).reshape(-1, 2).sum(axis=1)
    problem = _Problem(touches, flights[::2], error, sport, view)
    parameters, misfit = solve_many(problem.miss, problem.start(), outlier=OUTLIER, firm=10)
    return Bounces(misfit - apart, problem.measure_depth(parameters))


class _Problem:
    """What flights that bounce once miss their positions by.

    The parameters are the state before, see `Flight`, the moment of the bounce in seconds from
    there, restitution, grip, and the logarithm of the drag after it over the sport's.
    """

    def __init__(
        self,
        touches: Sequence[Touch],
        flights: Sequence[Flight],
        error: float,
        sport: Sport,
        view: View,
    ) -> None:
        self.touches, self.flights, self.sport, self.view = touches, flights, sport, view
        self.up = -view.gravity / np.linalg.norm(view.gravity)
        self.usual = np.array([sport.restitution, sport.grip])
        parts = [touch.whole for touch in touches]
        length = max(len(part.times) for part in parts)
        self.seconds, self.weight = np.zeros((2, len(parts), length))
        self.positions = np.zeros((len(parts), length, 2))
        for row, part in enumerate(parts):
            count = len(part.times)
            self.seconds[row, :count] = part.times - part.times[0]
            self.positions[row, :count] = part.positions
            self.weight[row, :count] = 1 / error

    def start(self) -> np.ndarray:
        """Parameters to begin with: `(touches, 11)`."""
        return np.array(
            [
                [*flight.state, touch.moment - flight.start, *self.usual, 0.0]
                for touch, flight in zip(self.touches, self.flights, strict=True)
            ]
        )

    def measure_depth(self, parameters: np.ndarray) -> np.ndarray:
        """Metres from the camera down to each bounce: `(touches,)`."""
        flown = fly_states(
            parameters[:, None, :7], parameters[:, 7:8], self.sport, self.view.gravity
        )
        speeds: np.ndarray = -flown[:, 0, 0, :3] @ self.up
        return speeds

    def miss(self, which: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """Residuals in standard deviations: `(touches, variants, 2 * positions + 10)`."""
        rows, variants = parameters.shape[:2]
        up, sport, view = self.up, self.sport, self.view
        flat = parameters.reshape(rows * variants, -1)
        state, moment, bounce = flat[:, None, :7], flat[:, 7:8], flat[:, 8:10]
        clock = np.repeat(self.seconds[which], variants, axis=0)
        moment = moment.clip(0.0, clock.max(axis=1, keepdims=True))
        until = np.minimum(clock, moment)
        flown = fly_states(state, np.hstack([until, moment]), sport, view.gravity)[:, :, 0]
        velocity = flown[:, -1, 3:6]
        rise = (velocity @ up)[:, None]
        leaving = bounce[:, 1:] * (velocity - rise * up) + bounce[:, :1] * np.abs(rise) * up
        again = np.hstack([flown[:, -1, :3], leaving, flat[:, 10:]])[:, None]
        later = fly_states(again, (clock - moment).clip(0.0), sport, view.gravity)[:, :, 0]
        points = np.where((clock < moment)[..., None], flown[:, :-1, :3], later[..., :3])
        away = view.project(points) - np.repeat(self.positions[which], variants, axis=0)
        away *= np.repeat(self.weight[which], variants, axis=0)[..., None]
        above = np.zeros_like(rise)
        if view.height is not None:
            above = (view.height + flown[:, -1, :3] @ up)[:, None] / HEIGHT_ERROR
        odd = np.hstack(
            [
                find_oddness(state[:, 0], view),
                (bounce - self.usual) / SPREAD,
                np.maximum(rise, 0.0) * RISING_COST,
                above,
                flat[:, 10:] / DRAG_SPREAD,
            ]
        )
        return np.hstack([away.reshape(len(flat), -1), odd]).reshape(rows, variants, -1)
