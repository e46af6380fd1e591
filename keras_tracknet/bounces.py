"""Bounces: two flights as one, with a touch of the floor between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_tracknet.fitting import solve_many
from keras_tracknet.flights import (
    DRAG_SPREAD,
    OUTLIER,
    Flight,
    Stretch,
    find_oddness,
    fit_flights,
    fly_states,
)
from keras_tracknet.segments import Segment, Segmenter

FREEDOM = 3  # parameters of a velocity: a hit may choose it, after a bounce it is known
SPREAD = 0.12  # of restitution and grip
HEIGHT_ERROR = 0.3  # metres, of where a bounce seems to be above the floor
WINDOW = 0.25  # seconds before and after a bounce that tell it from a hit
RISING_COST = 10.0  # standard deviations for each m/s that a ball goes up into the floor


def judge_bounces(
    segmenter: Segmenter, pairs: Sequence[tuple[Segment, Segment]], moments: Sequence[float]
) -> list[bool]:
    """Say where one flight with a bounce in it explains two flights as well as two do.

    As well: what two explain better is no more than their freedom is worth (the criterion of
    Akaike 1974, which is for few positions). Only what is near counts: spin, which a fit has no
    number for, bends a flight more the longer it takes.

    Args:
        segmenter: has the positions.
        pairs: flights before and after.
        moments: seconds, when they meet.
    """
    if not segmenter.sport.restitution or not pairs:
        return [False] * len(pairs)
    times, positions = segmenter.times, segmenter.positions
    ends, whole, guesses = [], [], []
    for (before, after), moment in zip(pairs, moments, strict=True):
        low, high = np.searchsorted(times, [moment - WINDOW, moment + WINDOW]).tolist()
        first = min(max(before.first, low), before.last - 1)
        stop = max(min(after.last + 1, high), after.first + 2)
        for a, b in ((first, before.last + 1), (after.first, stop)):
            ends.append(Stretch(times[a:b], positions[a:b]))
        whole.append(Stretch(times[first:stop], positions[first:stop]))
        for flight, start in ((before.flight, first), (after.flight, after.first)):
            guesses.append(None if flight is None else flight.trace(times[start])[0])
    error, view = segmenter.error, segmenter.view
    flights = fit_flights(ends, error, segmenter.sport, view, guesses=guesses)
    bounced = fit_bounces(flights[::2], moments, whole, error)
    apart = np.array([flight.misfit for flight in flights]).reshape(-1, 2).sum(axis=1)
    return (bounced < apart + 2 * FREEDOM).tolist()


def fit_bounces(
    before: Sequence[Flight], moments: Sequence[float], parts: Sequence[Stretch], error: float
) -> np.ndarray:
    """Fit flights that bounce once, and return their misfits.

    Args:
        before: the flights before the bounce, to start from.
        moments: seconds, of the bounces, to start from.
        parts: positions before and after.
        error: standard deviation of a position, pixels.
    """
    if not before:
        return np.zeros(0)
    sport, view = before[0].sport, before[0].view
    up = -view.gravity / np.linalg.norm(view.gravity)
    usual = np.array([sport.restitution, sport.grip])
    length = max(len(part.times) for part in parts)
    seconds, weight = np.zeros((2, len(parts), length))
    positions = np.zeros((len(parts), length, 2))
    for row, (part, flight) in enumerate(zip(parts, before, strict=True)):
        count = len(part.times)
        seconds[row, :count] = part.times - flight.start
        positions[row, :count] = part.positions
        weight[row, :count] = 1 / error

    def miss(which: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        rows, variants = parameters.shape[:2]
        flat = parameters.reshape(rows * variants, -1)
        state, moment, bounce = flat[:, None, :7], flat[:, 7:8], flat[:, 8:10]
        clock = np.repeat(seconds[which], variants, axis=0)
        moment = moment.clip(0.0, clock.max(axis=1, keepdims=True))
        until = np.minimum(clock, moment)
        flown = fly_states(state, np.hstack([until, moment]), sport, view)[:, :, 0]
        velocity = flown[:, -1, 3:6]
        rise = (velocity @ up)[:, None]
        leaving = bounce[:, 1:] * (velocity - rise * up) + bounce[:, :1] * np.abs(rise) * up
        again = np.hstack([flown[:, -1, :3], leaving, flat[:, 10:]])[:, None]
        later = fly_states(again, (clock - moment).clip(0.0), sport, view)[:, :, 0]
        points = np.where((clock < moment)[..., None], flown[:, :-1, :3], later[..., :3])
        away = view.project(points) - np.repeat(positions[which], variants, axis=0)
        away *= np.repeat(weight[which], variants, axis=0)[..., None]
        falling = np.maximum(rise, 0.0) * RISING_COST
        above = np.zeros_like(rise)
        if view.height is not None:
            above = (view.height + flown[:, -1, :3] @ up)[:, None] / HEIGHT_ERROR
        odd = np.hstack(
            [
                find_oddness(state[:, 0], view),
                (bounce - usual) / SPREAD,
                falling,
                above,
                flat[:, 10:] / DRAG_SPREAD,
            ]
        )
        return np.hstack([away.reshape(len(flat), -1), odd]).reshape(rows, variants, -1)

    start = [
        np.concatenate([flight.state, [moment - flight.start], usual, [0.0]])
        for flight, moment in zip(before, moments, strict=True)
    ]
    return solve_many(miss, np.array(start), outlier=OUTLIER, firm=10).misfit
