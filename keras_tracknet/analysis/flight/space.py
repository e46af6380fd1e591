"""A flight in space: where the ball is in metres of the court, and how fast."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from keras_tracknet.analysis.flight.flights import fly_states
from keras_tracknet.sports import GRAVITY, Sport

DOWN = np.array([0.0, 0.0, -GRAVITY])  # m/s^2, in the axes of a court


@dataclass(frozen=True)
class SpaceFlight:
    """A flight from a hit to the next touch of the ball, in the metres of the court (see `sports`).

    Every error is one standard deviation.

    Attributes:
        start, end: seconds, of the hit and of the next touch; where that is unknown, of the last
            position.
        speed_kmh: speed as the ball leaves the racket or hand.
        speed_error: km/h.
        net_height: metres of the ball's middle above the net's top edge; NaN if the flight does
            not cross the net.
        net_height_error: metres.
        landing: `(2,)` metres, where the ball first touches the floor; None if it does not.
        landing_error: `(2,)` metres, of each coordinate; None without a landing.
        state: `(8,)` place in metres and velocity in m/s at the start, the logarithm of the drag
            over the sport's, and topspin per metre (see `fly_states`).
        sport: gives the drag.
    """

    start: float
    end: float
    speed_kmh: float
    speed_error: float
    net_height: float
    net_height_error: float
    landing: np.ndarray | None
    landing_error: np.ndarray | None
    state: np.ndarray = field(repr=False)
    sport: Sport = field(repr=False)

    def locate(self, times: np.ndarray) -> np.ndarray:
        """Where the ball is: `(times, 3)` metres; past both ends it flies on.

        Args:
            times: `(times,)` seconds.
        """
        seconds = np.atleast_1d(times) - self.start
        states, lift = self.state[None, None, :7], self.state[None, None, 7:]
        places = np.empty((len(seconds), 3))
        for part in (seconds >= 0, seconds < 0):
            if part.any():
                flown = fly_states(states, seconds[part][None], self.sport, DOWN, lift)
                places[part] = flown[0, :, 0, :3]
        return places
