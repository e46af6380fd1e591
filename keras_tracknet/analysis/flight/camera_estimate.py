"""Views: the camera of a shot, estimated from how a ball flies and bounces in its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from keras_tracknet.analysis.flight.bounces import WORTH, Touch, fit_bounces
from keras_tracknet.analysis.flight.camera import View
from keras_tracknet.analysis.flight.flights import Stretch, fit_flights
from keras_tracknet.analysis.flight.meetings import find_meetings
from keras_tracknet.analysis.flight.segments import Segmenter
from keras_tracknet.sports import Sport

PITCHES = (0.08, 0.13, 0.18, 0.25, 0.35, 0.5)  # radians
ZOOMS = (1.1, 1.35, 1.6, 2.0, 2.6, 3.4)
ROUNDS = 2  # better flights tell a better view, and the other way round
TELLING = 8  # positions of a flight that says something about the camera
WITNESSES = 12  # longest flights that the camera is estimated from
WITNESSED_TOUCHES = 24  # of those with the most positions around them
WITNESSED_PLAYS = 5  # longest stretches without a gap that they are looked for in
MOST_MISFIT = 10.0  # misfit per position; a flight that misses by more was none
LEAST_BOUNCES = 3  # that tell how high the camera is


def find_view(
    plays: Sequence[Stretch], error: float, size: tuple[int, int], sport: Sport, step: float
) -> View:
    """Estimate the camera of a shot, and the flights that tell it, in turns.

    Args:
        plays: positions without a long gap.
        error: standard deviation of a position, pixels.
        size: (height, width) of the video, pixels.
        sport: what is played.
        step: seconds from one picture to the next.
    """
    plays = sorted(plays, key=lambda play: -len(play.times))[:WITNESSED_PLAYS]
    view = View.of_broadcast(size, sport)
    for _ in range(ROUNDS):
        before, flights, touches = view, [], []
        for play in plays:
            segments = Segmenter(play.times, play.positions, error, sport, view).segment()
            flights += [play.part(s.first, s.last + 1) for s in segments if s.flight is not None]
            touches += [
                Touch.between(play, meeting)
                for meeting in find_meetings(segments, step, size[0])
                if meeting.in_flight
            ]
        view = estimate_view(flights, touches, error, size, sport)
        if view == before:
            break
    return view


def estimate_view(
    flights: Sequence[Stretch],
    touches: Sequence[Touch],
    error: float,
    size: tuple[int, int],
    sport: Sport,
) -> View:
    """Estimate the camera that explains flights best, and touches as bounces or hits.

    Flights alone say little: a wrong pitch makes up for a wrong zoom. A bounce ties two flights
    together, which under a wrong camera do not fit each other, so that it would have to be a hit.

    Args:
        flights: positions that nothing touched the ball between.
        touches: of a racket or the floor.
        error: standard deviation of a position, pixels.
        size: (height, width) of the video, pixels.
        sport: what is played.
    """
    telling = [part for part in flights if len(part.times) > TELLING]
    parts = sorted(telling, key=lambda part: -len(part.times))[:WITNESSES]
    touches = sorted(touches, key=lambda t: -len(t.whole.times))[:WITNESSED_TOUCHES]
    zoom, pitch = 1.6, 0.25
    known: dict[tuple[float, float], float] = {}

    def misfit(zoom: float, pitch: float) -> float:
        if (zoom, pitch) not in known:
            view = View.of_broadcast(size, sport, zoom=zoom, pitch=pitch)
            fitted = fit_flights(parts, error, sport, view)
            known[zoom, pitch] = sum(
                min(flight.misfit, MOST_MISFIT * len(part.times))
                for flight, part in zip(fitted, parts, strict=True)
            ) + float(np.minimum(fit_bounces(touches, error, sport, view).excess, WORTH).sum())
        return known[zoom, pitch]

    if parts:
        for _ in range(2):
            pitch = min(PITCHES, key=lambda p: misfit(zoom, p))
            zoom = min(ZOOMS, key=lambda z: misfit(z, pitch))
    view = View.of_broadcast(size, sport, zoom=zoom, pitch=pitch)
    bounces = fit_bounces(touches, error, sport, view)
    depths = bounces.depth[bounces.excess < WORTH]
    if len(depths) < LEAST_BOUNCES:
        return view
    return replace(view, height=float(np.median(depths)))
