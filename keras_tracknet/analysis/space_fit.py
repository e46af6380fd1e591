"""Fits of flights in space: all flights of a rally at once, with what they are uncertain by."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from keras_tracknet.analysis.events import EventList
from keras_tracknet.analysis.flight.chain import NODE, OPEN, Chain, Joint
from keras_tracknet.analysis.flight.chain_start import guess_chain
from keras_tracknet.analysis.flight.flights import Stretch
from keras_tracknet.analysis.flight.space import SpaceFlight
from keras_tracknet.analysis.rallies import Rally
from keras_tracknet.sports import Sport
from keras_tracknet.tracks.event_table import BOUNCE, HIT, LANDING, Event
from keras_tracknet.tracks.repeats import undo_repeats
from keras_tracknet.tracks.tables import REPAIRED
from keras_tracknet.tracks.track import Track

ROUNDS = 60
SETTLED = 1e-4  # relative gain below which a chain is solved
MOST_DAMPING = 1e6
LEAST_POSITIONS = 5
LEAST_SCALE, MOST_SCALE = 0.3, 1.5  # of the error of a position that a chain may find
MOST_MISFIT = 3.0  # chi squared per coordinate of a flight: others were none
MOST_ODD = 20.0  # chi squared of what is unusual about a flight
CLEAR = 12.0  # chi squared that an explanation has to be better than another by
MOST_SPEED_ERROR = 0.25  # of the speed
MOST_LANDING_ERROR = 1.0  # metres
MOST_NET_ERROR = 0.25  # metres
FASTEST = {
    "badminton": 140.0,
    "tennis": 75.0,
    "padel": 60.0,
    "volleyball": 40.0,
}  # m/s at the racket or hand


def fit_space_flights(
    found: EventList, track: Track, sport: Sport, matrix: np.ndarray | None, *, fps: float | None
) -> dict[Event, SpaceFlight]:
    """Fit the flights after all hits in space.

    Args:
        found: rallies, and the standard deviation of a position.
        track: without false detections, pixels of the source video.
        sport: gives court, drag and bounce.
        matrix: the camera, `(3, 4)` from metres of the court to pixels; None where unknown.
        fps: frames per second, for a track without times.

    Returns:
        The flights that the positions determine.
    """
    times = track.seconds(fps)
    if matrix is None or len(times) < 2:
        return {}
    seen = np.flatnonzero(
        track.visibility & (track.status != REPAIRED) & np.isfinite(track.positions).all(axis=1)
    )
    keep, moments = undo_repeats(seen, times[seen], track.positions[seen])
    moments, positions = moments[keep], track.positions[seen][keep]
    step = float(np.median(np.diff(times)))
    flights = {}
    for rally in found.rallies:
        fitted = fit_rally(rally, moments, positions, found.error, step, sport, matrix)
        flights.update({rally.events[index]: flight for index, flight in fitted.items()})
    return flights


def fit_rally(
    rally: Rally,
    times: np.ndarray,
    positions: np.ndarray,
    error: float,
    step: float,
    sport: Sport,
    matrix: np.ndarray,
) -> dict[int, SpaceFlight]:
    """Fit the flights of a rally in space.

    Args:
        rally: says where one flight ends and the next begins.
        times: `(positions,)` seconds, ascending.
        positions: `(positions, 2)` pixels.
        error: standard deviation of a position, pixels; the fit measures it again.
        step: seconds from one picture to the next.
        sport: gives court, drag and bounce.
        matrix: the camera, `(3, 4)` from metres of the court to pixels.

    Returns:
        The flights that the positions determine, by the index of their hit in `rally.events`.
    """
    joints, stretches = _cut_rally(rally, times, positions, step)
    found: dict[int, SpaceFlight] = {}
    spans = [(0, len(stretches))] if stretches else []
    while spans:
        first, stop = spans.pop()
        parts = (joints[first : stop + 1], stretches[first:stop])
        chain = Chain(*parts, error, step, sport, matrix)
        solved = sorted((_solve(chain, guess) for guess in guess_chain(chain)), key=chain.measure)
        if not solved:
            continue
        ratio = _measure_scale(chain, solved[0])
        chain = Chain(*parts, error * ratio, step, sport, matrix)
        solved = sorted((_solve(chain, start) for start in solved), key=chain.measure)
        parameters = solved[0]
        misfit, odd = chain.strain(parameters)
        worst = int(np.maximum(misfit / MOST_MISFIT, odd / MOST_ODD).argmax())
        if misfit[worst] > MOST_MISFIT or odd[worst] > MOST_ODD:
            # No such ball flew there: something is missing in the events. The rest stands alone.
            cut = first + worst
            spans += [span for span in ((first, cut), (cut + 1, stop)) if span[0] < span[1]]
            continue
        flights = _read_flights(chain, parameters)
        for other in solved[1:]:
            if chain.measure(other) < chain.measure(parameters) + CLEAR:
                flights = _keep_common(flights, _read_flights(chain, other))
        found |= {first + index: flight for index, flight in flights.items()}
    return found


def _keep_common(
    flights: dict[int, SpaceFlight], others: dict[int, SpaceFlight]
) -> dict[int, SpaceFlight]:
    """Leave out the flights whose speed another explanation of the positions contradicts."""
    return {
        index: flight
        for index, flight in flights.items()
        if index in others
        and abs(flight.speed_kmh - others[index].speed_kmh) < 2 * flight.speed_error
    }


def _cut_rally(
    rally: Rally, times: np.ndarray, positions: np.ndarray, step: float
) -> tuple[list[Joint], list[Stretch]]:
    joints = []
    for event in rally.events:
        pixel = np.array([event.x, event.y])
        if not np.isfinite(pixel).all():
            pixel = positions[np.abs(times - event.time).argmin()]
        joints.append(Joint(event.time, event.kind, pixel))
    own = np.flatnonzero((times > joints[-1].time) & (times <= rally.end + step / 2))
    if not rally.finished and len(own) >= LEAST_POSITIONS:
        joints.append(Joint(float(times[own[-1]]), OPEN, positions[own[-1]]))
    bounds = np.searchsorted(times, [joint.time for joint in joints])
    whole = Stretch(times, positions)
    return joints, [whole.part(a, b) for a, b in pairwise(bounds.tolist())]


def _solve(chain: Chain, start: np.ndarray) -> np.ndarray:
    """Return the parameters that explain a chain best (Levenberg 1944, Marquardt 1963)."""
    best, lowest, damping = start, chain.measure(start), 1e-3
    gradient, curvature = chain.expand(best)
    for _ in range(ROUNDS):
        damped = curvature + damping * np.diag(np.diag(curvature))
        trial = best - np.linalg.solve(damped, gradient)
        cost = chain.measure(trial)
        if not cost < lowest:
            damping *= 5
            if damping > MOST_DAMPING:
                break
            continue
        gain, best, lowest = lowest - cost, trial, cost
        if gain < SETTLED * lowest:
            break
        damping = max(damping / 5, 1e-7)
        gradient, curvature = chain.expand(best)
    return best


def _measure_scale(chain: Chain, parameters: np.ndarray) -> float:
    """How far off positions are, as a share of the error that was assumed."""
    away = chain.away(parameters)
    # Two flights that meet share two coordinates, so that about four are free for each.
    free = len(away) / max(len(away) - NODE * len(chain.joints), len(away) / 4)
    ratio = 1.4826 * float(np.median(np.abs(away)) if len(away) else 1.0) * math.sqrt(free)
    return min(max(ratio, LEAST_SCALE), MOST_SCALE)


def _read_flights(chain: Chain, parameters: np.ndarray) -> dict[int, SpaceFlight]:
    spread = np.linalg.pinv(chain.expand(parameters)[1], hermitian=True)
    states, moments = chain.flights(parameters)
    found = {}
    for index, state in enumerate(states):
        if chain.kinds[index] != HIT or chain.counts[index] < LEAST_POSITIONS:
            continue
        columns = chain.columns[index]
        own = np.r_[columns[:3], columns[4:9]]
        flight = _Reading(state, spread[np.ix_(own, own)], chain.sport)
        speed, speed_error = flight.speed()
        if not speed_error < MOST_SPEED_ERROR * speed or speed > FASTEST[chain.sport.name]:
            continue
        span = (float(moments[index]), float(moments[index + 1]))
        landing = landing_error = None
        if chain.kinds[index + 1] in (BOUNCE, LANDING):
            first = NODE * (index + 1)
            place = parameters[first : first + 2]
            around = np.sqrt(np.diag(spread)[first : first + 2])
            if around.max() < MOST_LANDING_ERROR:
                landing, landing_error = place, around
        height, height_error = flight.net_height(span[1] - span[0])
        if state[2] < 0 or height < -height_error:  # no ball flies through the floor or the net
            continue
        if math.isnan(height) and chain.over_net and chain.kinds[index + 1] == HIT:
            continue  # the other side hit it next, so it went over the net
        if height_error > MOST_NET_ERROR:
            height = height_error = math.nan
        kmh = 3.6
        found[index] = SpaceFlight(
            *span,
            speed * kmh,
            speed_error * kmh,
            height,
            height_error,
            landing,
            landing_error,
            state,
            chain.sport,
        )
    return found


class _Reading(NamedTuple):
    """What is read off a state `(8,)` with its covariance `(8, 8)`."""

    state: np.ndarray
    spread: np.ndarray
    sport: Sport

    def speed(self) -> tuple[float, float]:
        """m/s at the start, and its error."""
        velocity = self.state[3:6]
        speed = float(np.linalg.norm(velocity))
        way = velocity / max(speed, 1e-9)
        return speed, float(np.sqrt(way @ self.spread[3:6, 3:6] @ way))

    def net_height(self, seconds: float) -> tuple[float, float]:
        """Metres over the net's top edge, and its error; NaN if the flight does not cross it."""
        states = self.state + np.vstack([np.zeros(8), 1e-4 * np.eye(8)])
        clock = np.linspace(0.0, seconds, max(math.ceil(seconds / 0.01), 2))
        nothing = (math.nan,) * 6
        flights = [
            SpaceFlight(0.0, 0.0, *nothing[:4], None, None, state, self.sport) for state in states
        ]
        heights = []
        for flight in flights:
            places = flight.locate(clock)
            crossed = np.flatnonzero(places[:-1, 1] * places[1:, 1] < 0)
            if not len(crossed):
                return math.nan, math.nan
            before, after = places[crossed[0]], places[crossed[0] + 1]
            share = before[1] / (before[1] - after[1])
            heights.append(before[2] + share * (after[2] - before[2]))
        slope = (np.array(heights[1:]) - heights[0]) / 1e-4
        error = float(np.sqrt(slope @ self.spread @ slope))
        return float(heights[0]) - self.sport.net_height, error
