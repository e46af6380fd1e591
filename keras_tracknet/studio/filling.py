"""Filling: where the ball is between two frames that a person has clicked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from keras_tracknet.analysis.flight.camera import View
from keras_tracknet.analysis.flight.flights import Stretch, fit_flights
from keras_tracknet.errors import InputError
from keras_tracknet.sports import Sport

ERROR = 1.5 / 720  # of a click, as a share of the picture's height
LEAST_POSITIONS = 4  # that a flight is fitted to
CONTEXT = 8  # frames before and after that say how the ball flies
GOOD_FIT = 6.0  # squared misfit per position, in standard deviations; a flight that misses by more
# is none, and a spline is drawn instead
LONGEST = 120  # frames
FLIGHT, SPLINE = "flight", "spline"


def fill_stretch(
    known: Mapping[int, tuple[float, float]],
    times: np.ndarray,
    first: int,
    last: int,
    size: tuple[int, int],
    sport: Sport,
) -> tuple[dict[int, tuple[float, float]], str]:
    """Return where the ball is in the frames between two, by the law of flight or a spline.

    Args:
        known: (x, y) in pixels by frame: the two, and what is known around and between them.
        times: `(frames,)` seconds of every frame.
        first, last: the two frames.
        size: (height, width) of the video, pixels.
        sport: says how much the air slows the ball.

    Returns:
        The frames in between that are not known, with (x, y) in pixels; and `flight` or `spline`.

    Raises:
        InputError: the two frames have no positions, or are too far apart.
    """
    if not 0 <= first < last < len(times) or first not in known or last not in known:
        raise InputError("click the ball in the first and in the last frame of the stretch.")
    if last - first > LONGEST:
        raise InputError(f"the stretch is too long; at most {LONGEST} frames are filled at once.")
    wanted = [frame for frame in range(first + 1, last) if frame not in known]
    if not wanted:
        return {}, SPLINE
    given = [f for f in range(first - CONTEXT, last + CONTEXT + 1) if f in known]
    found = _fly(known, times, given, wanted, first, last, size, sport)
    law = FLIGHT
    if found is None:
        found, law = _draw_spline(known, times, given, wanted, first, last), SPLINE
    places = {
        frame: (round(float(x), 2), round(float(y), 2))
        for frame, (x, y) in zip(wanted, found, strict=True)
    }
    return places, law


def _fly(
    known: Mapping[int, tuple[float, float]],
    times: np.ndarray,
    given: list[int],
    wanted: list[int],
    first: int,
    last: int,
    size: tuple[int, int],
    sport: Sport,
) -> np.ndarray | None:
    """Return the places by a flight through all that is known, or through the stretch alone."""
    inner = [frame for frame in given if first <= frame <= last]
    before = [frame for frame in given if frame < first]
    after = [frame for frame in given if frame > last]
    error = ERROR * size[0]
    view = View.of_broadcast(size, sport)
    for frames in (given, before + inner, inner + after, inner):
        if len(frames) < LEAST_POSITIONS:
            continue
        stretch = Stretch(times[frames], np.array([known[frame] for frame in frames]))
        (flight,) = fit_flights([stretch], error, sport, view)
        away = np.linalg.norm(flight.locate(stretch.times) - stretch.positions, axis=1) / error
        ends = [frames.index(first), frames.index(last)]
        if (away**2).mean() <= GOOD_FIT and away[ends].max() <= 3:
            places = flight.locate(times[wanted])
            return _meet_ends(places, times, wanted, known, first, last, flight.locate)
    return None


def _meet_ends(  # type: ignore[no-untyped-def]
    places: np.ndarray, times: np.ndarray, wanted: list[int], known, first: int, last: int, locate
) -> np.ndarray:
    """Shift a flight so that it passes through the two clicks."""
    ends = np.array([known[first], known[last]]) - locate(times[[first, last]])
    share = ((times[wanted] - times[first]) / (times[last] - times[first]))[:, None]
    shifted: np.ndarray = places + (1 - share) * ends[0] + share * ends[1]
    return shifted


def _draw_spline(
    known: Mapping[int, tuple[float, float]],
    times: np.ndarray,
    given: list[int],
    wanted: list[int],
    first: int,
    last: int,
) -> np.ndarray:
    """Return the places on a smooth curve through what is known."""
    nodes = [frame for frame in given if first - 2 <= frame <= last + 2]
    moments, places = times[nodes], np.array([known[frame] for frame in nodes])
    slopes = np.gradient(places, moments, axis=0)
    curve: np.ndarray = CubicHermiteSpline(moments, places, slopes)(times[wanted])
    return curve
