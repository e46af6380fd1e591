"""Chains: the flights of a rally in space, which hang together at the touches between them.

A flight of its own says little about how far away it is. That the next one begins where it ends,
that a bounce is on the floor and a hit within reach of a player ties them all down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_tracknet.analysis.flight.bounces import SPREAD as BOUNCE_SPREAD
from keras_tracknet.analysis.flight.flights import OUTLIER, Stretch, fly_states
from keras_tracknet.analysis.flight.space import DOWN
from keras_tracknet.sports import Sport
from keras_tracknet.tracks.event_table import BOUNCE, HIT, LANDING

OPEN = "open"  # the ball is last seen in the air
REACH = (1.5, 0.8)  # metres: usual height of a hit, and its spread
HIGHEST_HIT = 3.0  # metres
AROUND = 2.5  # metres outside the court that a ball is still played in
SOFTNESS = 0.2  # metres: spread of a limit that is passed
FLOOR_SPREAD = 0.01  # metres: of the ball's middle above the floor in a bounce
JOINT = 0.003  # metres: of the gap between one flight and the next
# Frames: of the moment of a touch. In rendered rallies with 1 px of noise it is 0.05 to 0.1.
MOMENT_SPREAD = 0.1
DRAG_SPREAD = 0.06  # of the logarithm of the drag
LIFT = (0.2, 0.25)  # topspin's lift over the drag, and its spread, of balls that bounce
BACKWARDS = 1.0  # m/s: spread of the speed away from the net
LEAST_LIFT = 1e-4  # per metre: spread of the lift of a shuttlecock, which has none
NUDGES = np.array([*[1e-4] * 3, 1e-5, *[1e-4] * 3, 1e-4, 1e-5, *[1e-4] * 3, 1e-5, *[1e-4] * 3])
NUDGED = np.vstack([np.zeros(len(NUDGES)), np.diag(NUDGES)])
NODE, FLIGHT = 4, 5  # parameters of a touch, and of a flight


class Joint(NamedTuple):
    """Where a flight begins or ends: seconds, kind of the event or `OPEN`, and `(2,)` pixels."""

    time: float
    kind: str
    pixel: np.ndarray


class Chain:
    """What a chain of flights misses its positions by.

    The parameters are those of all joints, place in metres and time in seconds, then those of all
    flights: velocity in m/s at the start, logarithm of the drag over the sport's, topspin.

    Args:
        joints: one more than flights.
        stretches: positions of each flight, which may be none.
        error: standard deviation of a position, pixels.
        step: seconds from one picture to the next.
        sport: gives court, drag and bounce.
        matrix: `(3, 4)`, from metres of the court to pixels.
    """

    def __init__(
        self,
        joints: Sequence[Joint],
        stretches: Sequence[Stretch],
        error: float,
        step: float,
        sport: Sport,
        matrix: np.ndarray,
    ) -> None:
        self.joints, self.stretches, self.step = tuple(joints), tuple(stretches), step
        self.sport, self.matrix = sport, matrix
        self.kinds = np.array([joint.kind for joint in joints])
        self.moments = np.array([joint.time for joint in joints])
        self.counts = np.array([len(part.times) for part in stretches])
        shape = (len(stretches), max(int(self.counts.max()), 1))
        self.times = np.tile(self.moments[:-1, None], shape[1])
        self.weight, self.positions = np.zeros(shape), np.zeros((*shape, 2))
        for row, part in enumerate(stretches):
            self.times[row, : len(part.times)] = part.times
            self.positions[row, : len(part.times)] = part.positions
            self.weight[row, : len(part.times)] = 1 / error
        flights, joints_end = len(stretches), NODE * len(self.joints)
        first = np.arange(flights)[:, None]
        self.columns = np.hstack(
            [
                NODE * first + np.arange(NODE),
                joints_end + FLIGHT * first + np.arange(FLIGHT),
                NODE * (first + 1) + np.arange(NODE),
                joints_end + FLIGHT * (first + 1) + np.arange(3),
            ]
        )
        self.size = joints_end + FLIGHT * flights
        self.over_net = sport.name != "volleyball"  # every hit has to go there
        self.spins = bool(sport.restitution)
        self.lift = np.array([0.0, LEAST_LIFT])
        if self.spins:
            self.lift = np.array(LIFT) * sport.drag

    def project(self, places: np.ndarray) -> np.ndarray:
        """Project `(..., 3)` metres to `(..., 2)` pixels."""
        seen = places @ self.matrix[:, :3].T + self.matrix[:, 3]
        pixels: np.ndarray = seen[..., :2] / np.maximum(seen[..., 2:], 0.1)
        return pixels

    def measure(self, parameters: np.ndarray) -> float:
        """What is left to explain, in chi squared: positions that are far off count less."""
        local, node = self._split(parameters)
        near, far = self._miss_flights(local[:, None]), self._miss_joints(node[:, None])
        places = (near[..., : 2 * self.weight.shape[1]] / OUTLIER) ** 2
        lost = 2 * OUTLIER**2 * (np.sqrt(1 + places) - 1).sum()
        return float(lost + (near[..., 2 * self.weight.shape[1] :] ** 2).sum() + (far**2).sum())

    def expand(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Half the gradient of `measure`, and half its curvature (Gauss-Newton)."""
        local, node = self._split(parameters)
        gradient = np.zeros(self.size + FLIGHT)
        curvature = np.zeros((self.size + FLIGHT, self.size + FLIGHT))
        near = self._miss_flights(local[:, None] + NUDGED)
        trust = np.ones((len(near), near.shape[2]))
        places = 2 * self.weight.shape[1]
        trust[:, :places] = (1 + (near[:, 0, :places] / OUTLIER) ** 2) ** -0.5
        far = self._miss_joints(node[:, None] + NUDGED[: NODE + 1, :NODE])
        joints = NODE * np.arange(len(node))[:, None] + np.arange(NODE)
        for columns, found, weight in (
            (self.columns, near, trust),
            (joints, far, np.ones_like(far[:, 0])),
        ):
            slopes = (found[:, 1:] - found[:, :1]) / NUDGES[: columns.shape[1], None]
            weighted = slopes * weight[:, None]
            squares = weighted @ slopes.transpose(0, 2, 1)
            pulls = np.einsum("fpr,fr->fp", weighted, found[:, 0])
            for own, square, pull in zip(columns, squares, pulls, strict=True):
                gradient[own] += pull
                curvature[np.ix_(own, own)] += square
        return gradient[: self.size], curvature[: self.size, : self.size]

    def flights(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """States `(flights, 8)`, see `SpaceFlight`, and the moments of all joints in seconds."""
        local, node = self._split(parameters)
        return np.hstack([local[:, :3], local[:, 4:9]]), node[:, 3]

    def strain(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How badly each flight fits, `(flights,)` each in chi squared.

        The first is the mean of its positions; the second is the sum of what its drag, its topspin
        and the touches at its ends are unusual by.
        """
        local, node = self._split(parameters)
        near, far = self._miss_flights(local[:, None])[:, 0], self._miss_joints(node[:, None])[:, 0]
        places = 2 * self.weight.shape[1]
        lost = 2 * OUTLIER**2 * (np.sqrt(1 + (near[:, :places] / OUTLIER) ** 2) - 1)
        joints = (far**2).sum(axis=1)
        odd = (near[:, places:] ** 2).sum(axis=1) + np.maximum(joints[:-1], joints[1:])
        return lost.sum(axis=1) / np.maximum(2 * self.counts, 1), odd

    def away(self, parameters: np.ndarray) -> np.ndarray:
        """How far off all positions are, `(coordinates,)` standard deviations."""
        local, _ = self._split(parameters)
        places = 2 * self.weight.shape[1]
        found = self._miss_flights(local[:, None])[:, 0, :places].reshape(*self.weight.shape, 2)
        return found[self.weight > 0].ravel()

    def _split(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What each flight depends on, `(flights, 16)`, and the joints `(joints, 4)`."""
        padded = np.append(parameters, np.zeros(FLIGHT))
        return padded[self.columns], parameters[: NODE * len(self.joints)].reshape(-1, NODE)

    def _miss_flights(self, local: np.ndarray) -> np.ndarray:
        """`(flights, variants, 2 * positions + 9)` for `(flights, variants, 16)` parameters."""
        flights, variants = local.shape[:2]
        flat = local.reshape(flights * variants, -1)
        start, moment, motion = flat[:, :3], flat[:, 3:4], flat[:, 4:9]
        end, until, leaving = flat[:, 9:12], flat[:, 12:13], flat[:, 13:16]
        clock = np.hstack([np.repeat(self.times, variants, axis=0), until]) - moment
        states = np.hstack([start, motion[:, :4]])[:, None]
        flown = fly_both_ways(
            states, clock, self.sport, motion[:, None, 4:] if self.spins else None
        )
        away = self.project(flown[:, :-1, :3]) - np.repeat(self.positions, variants, axis=0)
        away *= np.repeat(self.weight, variants, axis=0)[..., None]
        gap = (flown[:, -1, :3] - end) / JOINT
        arriving = flown[:, -1, 3:6]
        bounced = np.repeat(self.kinds[1:] == BOUNCE, variants)[:, None]
        bounced[-variants:] = False  # nothing follows
        usual = np.array([self.sport.grip, self.sport.grip, -self.sport.restitution])
        pace = np.linalg.norm(arriving[:, :2], axis=1, keepdims=True)
        scale = BOUNCE_SPREAD * np.hstack([pace, pace, np.abs(arriving[:, 2:])]) + 0.1
        bounce = (leaving - usual * arriving) / scale * bounced
        played = np.repeat((self.kinds[:-1] == HIT) & self.over_net, variants)[:, None]
        back = (motion[:, 1:2] * np.sign(start[:, 1:2])).clip(0) / BACKWARDS * played
        odd = np.hstack(
            [back, motion[:, 3:4] / DRAG_SPREAD, (motion[:, 4:] - self.lift[0]) / self.lift[1]]
        )
        found = np.hstack([away.reshape(len(flat), -1), gap, bounce, odd])
        return found.reshape(flights, variants, -1)

    def _miss_joints(self, nodes: np.ndarray) -> np.ndarray:
        """`(joints, variants, 5)` for `(joints, variants, 4)` parameters."""
        across, along, up = np.abs(nodes[..., 0]), np.abs(nodes[..., 1]), nodes[..., 2]
        hit, kinds = (self.kinds == HIT)[:, None], self.kinds
        down = np.isin(kinds, (BOUNCE, LANDING))[:, None]
        usual = np.where(down, self.sport.ball_radius, REACH[0])
        spread = np.where(down, FLOOR_SPREAD, np.where(hit, REACH[1], 10.0))
        limits = np.stack(
            [
                (up - HIGHEST_HIT).clip(0) * hit,
                (self.sport.ball_radius - up).clip(0) * ~down,
                (across - self.sport.width / 2 - AROUND).clip(0),
                (along - self.sport.length / 2 - AROUND).clip(0),
            ],
            axis=-1,
        )
        late = (nodes[..., 3] - self.moments[:, None]) / (MOMENT_SPREAD * self.step)
        late = np.where((kinds == OPEN)[:, None], 100 * late, late)
        height = (up - usual) / spread
        return np.concatenate([height[..., None], limits / SOFTNESS, late[..., None]], axis=-1)


def fly_both_ways(
    states: np.ndarray, seconds: np.ndarray, sport: Sport, lift: np.ndarray | None
) -> np.ndarray:
    """Fly balls in space, where a few moments may lie before the start.

    Args:
        states: `(flights, 1, 7)` at the start.
        seconds: `(flights, times)` from the start.
        sport: gives the drag.
        lift: `(flights, 1, 1)`, see `fly_states`.

    Returns:
        `(flights, times, 7)`.
    """
    found = fly_states(states, seconds.clip(0.0), sport, DOWN, lift)[:, :, 0]
    early = np.minimum(seconds, 0.0)[..., None]
    found[..., :3] += early * states[:, :, 3:6]
    return found
