"""The first guess of a chain: how far away each touch is, by dynamic programming."""

from __future__ import annotations

import numpy as np

from keras_tracknet.analysis.flight.chain import AROUND, HIGHEST_HIT, OPEN, REACH, Chain
from keras_tracknet.analysis.flight.flights import FASTEST, OUTLIER, fly_states
from keras_tracknet.analysis.flight.space import DOWN
from keras_tracknet.sports import GRAVITY
from keras_tracknet.tracks.event_table import BOUNCE, HIT, LANDING

CANDIDATES = 9  # places along the line of sight to a touch
HIGHEST = 7.0  # metres, of a ball that is last seen in the air
ROUNDS = 6  # of aiming at the next touch
SAME_SIDE = 50.0  # what it costs, in chi squared, that a flight stays on one side of the net
MISSED = 100.0  # the same for each metre by which a flight misses the next touch


def guess_chain(chain: Chain) -> list[np.ndarray]:
    """Return parameters of a chain to begin with: the best that begin in either half of the court.

    Every touch is somewhere on its line of sight. Between a few places on one line and a few on
    the next there is one flight each that takes the time it took; the chain of flights that passes
    closest to the positions is the guess.
    """
    places = np.stack([_spread_places(chain, k) for k in range(len(chain.joints))])
    costs, velocities = _fly_between(chain, places)
    odd = np.where(
        (chain.kinds == HIT)[:, None], ((places[..., 2] - REACH[0]) / REACH[1]) ** 2, 0.0
    )
    guesses = []
    for half in (-1, 1):
        first = np.where(places[0, :, 1] * half > 0, odd[0], np.inf)
        if np.isfinite(first).any():
            path = _find_path(first, costs, odd[1:])
            guesses.append(_begin(chain, places, velocities, path))
    return guesses


def _find_path(first: np.ndarray, costs: np.ndarray, odd: np.ndarray) -> list[int]:
    """The cheapest way from place to place; `costs` are of the flights, the others of places."""
    total, came = first, []
    for cost, own in zip(costs, odd, strict=True):
        ways = total[:, None] + cost
        came.append(ways.argmin(axis=0))
        total = ways.min(axis=0) + own
    path = [int(total.argmin())]
    for before in reversed(came):
        path.append(int(before[path[-1]]))
    return path[::-1]


def _begin(chain: Chain, places: np.ndarray, velocities: np.ndarray, path: list[int]) -> np.ndarray:
    """The parameters of a chain through some of the places."""
    each = np.arange(len(chain.stretches))
    nodes = np.column_stack([places[np.arange(len(path)), path], chain.moments])
    still = np.zeros((len(each), 1))
    flights = np.hstack([velocities[each, path[:-1], path[1:]], still, still + chain.lift[0]])
    return np.concatenate([nodes.ravel(), flights.ravel()])


def _spread_places(chain: Chain, index: int) -> np.ndarray:
    """Places on the line of sight to a touch: `(CANDIDATES, 3)` metres."""
    joint, sport = chain.joints[index], chain.sport
    inverse = np.linalg.inv(chain.matrix[:, :3])
    camera = -inverse @ chain.matrix[:, 3]
    ray = inverse @ np.append(joint.pixel, 1.0)
    ray = ray / np.linalg.norm(ray)
    if joint.kind in (BOUNCE, LANDING) and ray[2] < -1e-3:
        foot = camera + (sport.ball_radius - camera[2]) / ray[2] * ray
        return np.tile(foot, (CANDIDATES, 1))
    way = np.linspace(2.0, 4 * np.linalg.norm(camera) + sport.length, 800)
    along = camera + way[:, None] * ray
    top = HIGHEST if joint.kind == OPEN else HIGHEST_HIT
    good = (along[:, 2] > 0.1) & (along[:, 2] < top)
    good &= np.abs(along[:, 0]) < sport.width / 2 + AROUND
    good &= np.abs(along[:, 1]) < sport.length / 2 + AROUND
    if not good.any():  # seen where nobody can be: as close to the court's middle as can be
        return np.tile(along[np.linalg.norm(along, axis=1).argmin()], (CANDIDATES, 1))
    kept = along[good]
    chosen: np.ndarray = kept[np.linspace(0, len(kept) - 1, CANDIDATES).round().astype(int)]
    return chosen


def _fly_between(chain: Chain, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Aim at each place of the next touch from each of this one.

    Returns:
        The misfit in chi squared, `(flights, from, to)`, and the velocity at the start,
        `(flights, from, to, 3)`.
    """
    number, sport = places.shape[1], chain.sport
    shape = (len(chain.stretches), number * number, 3)
    start = np.repeat(places[:-1], number, axis=1)
    target = np.tile(places[1:], (1, number, 1))
    seconds = np.maximum(np.diff(chain.moments), 1e-3)[:, None]
    span = seconds[..., None]
    way = target - start
    far = np.linalg.norm(way, axis=-1, keepdims=True)
    pace = np.expm1((sport.drag * far).clip(None, 6.0)) / (sport.drag * span)
    velocity = way / np.maximum(far, 1e-6) * pace
    velocity[..., 2] += GRAVITY * span[..., 0] / 2
    lift = np.full((*shape[:2], 1), chain.lift[0]) if chain.spins else None
    still = np.zeros((*shape[:2], 1))
    for _ in range(ROUNDS):
        states = np.concatenate([start, velocity, still], axis=-1)
        end = fly_states(states, seconds, sport, DOWN, lift)[:, 0, :, :3]
        pace = np.linalg.norm(velocity, axis=-1, keepdims=True)
        velocity = velocity + (target - end) * (1 + 0.5 * sport.drag * pace * span) / span
        pace = np.linalg.norm(velocity, axis=-1, keepdims=True)
        velocity = velocity * np.minimum(1.0, FASTEST / np.maximum(pace, 1e-6))
    states = np.concatenate([start, velocity, still], axis=-1)
    clock = np.hstack([chain.times - chain.moments[:-1, None], seconds]).clip(0.0)
    flown = fly_states(states, clock, sport, DOWN, lift)[..., :3]
    away = chain.project(flown[:, :-1]) - chain.positions[:, :, None]
    squares = (away * chain.weight[..., None, None]) ** 2
    cost = (2 * OUTLIER**2 * (np.sqrt(1 + squares / OUTLIER**2) - 1)).sum(axis=(1, 3))
    cost += MISSED * np.linalg.norm(flown[:, -1] - target, axis=-1)
    if chain.over_net:
        played = (chain.kinds[:-1] == HIT) & (chain.kinds[1:] != OPEN)
        same = start[..., 1] * target[..., 1] > 0
        cost += SAME_SIDE * (same & played[:, None])
    return (
        cost.reshape(-1, number, number),
        velocity.reshape(-1, number, number, 3),
    )
