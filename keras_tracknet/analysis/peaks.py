"""Peaks: the top speed of a stroke in the picture, measured over a part of its flight."""

from __future__ import annotations

import math

import numpy as np

from keras_tracknet.analysis.flight.camera import View
from keras_tracknet.analysis.flight.chain import MOMENT_SPREAD
from keras_tracknet.sports import Sport
from keras_tracknet.tracks.event_table import Event

SPAN = 0.2  # seconds that a peak is measured over,
SHORTEST_SPAN = 0.1  # in a shorter flight over all of it, but no less than this
SLACK = 1.05  # times the span that positions may be apart


def measure_peak(
    times: np.ndarray,
    positions: np.ndarray,
    hit: Event,
    end: Event | None,
    error: float,
    step: float,
) -> tuple[float, float]:
    """Return the highest speed of a stroke and its standard deviation, pixels per second.

    It is the highest mean speed over `SPAN` seconds, along straight lines. A shuttlecock is slower
    by a third from one picture to the next, so that its speed in a single picture says more about
    the picture than about the stroke.

    Args:
        times: `(positions,)` seconds, ascending, of the ball's flight after the hit.
        positions: `(positions, 2)` pixels.
        hit: where the flight begins.
        end: where it ends; None where the ball is lost.
        error: standard deviation of a position, pixels.
        step: seconds from one picture to the next.

    Returns:
        NaN twice where positions are too few or too far apart.
    """
    inside = (times > hit.time) & (times < (end.time if end is not None else np.inf))
    ends = [hit] if end is None else [hit, end]
    moments = np.concatenate([[e.time for e in ends], times[inside]])
    places = np.concatenate([[(e.x, e.y) for e in ends], positions[inside]])
    order = np.argsort(moments, kind="stable")
    moments, places = moments[order], places[order]
    span = min(SPAN, float(moments[-1] - moments[0]))
    if len(moments) < 4 or span < SHORTEST_SPAN:
        return math.nan, math.nan
    starts = moments[moments <= moments[-1] - span + 1e-9]
    from_to = np.stack([starts, starts + span])
    ways = [np.interp(from_to, moments, places[:, axis]) for axis in (0, 1)]
    speeds = np.hypot(*(way[1] - way[0] for way in ways)) / span
    low = np.searchsorted(moments, from_to[0] + 1e-9, side="right") - 1
    high = np.minimum(np.searchsorted(moments, from_to[1] - 1e-9), len(moments) - 1)
    gaps = np.diff(moments)
    whole = [gaps[a:b].max(initial=0.0) <= SLACK * SPAN for a, b in zip(low, high, strict=True)]
    if not any(whole):
        return math.nan, math.nan
    best = int(np.where(whole, speeds, -1.0).argmax())
    speed = float(speeds[best])
    late = 0.0  # what a hit that was a little earlier or later would change the speed by
    if best == 0 and len(starts) > 1:
        late = (speeds[1] - speeds[0]) / (starts[1] - starts[0]) * MOMENT_SPREAD * step
    # Between two positions the errors of both count, each for its share.
    shares = np.interp(from_to[:, best], moments, np.arange(len(moments))) % 1.0
    places_error = error * math.sqrt(float((shares**2 + (1 - shares) ** 2).sum()))
    return speed, math.hypot(places_error / span, float(late))


def is_possible(speed: float, sport: Sport, view: View) -> bool:
    """Return whether a ball of the sport in the middle of play can be so fast.

    Args:
        speed: in the picture, pixels per second.
        sport: what is played.
        view: says how large metres are in the picture.
    """
    return speed * view.distance / view.focal <= sport.fastest
