"""Marks: places of a court as people give them, each with the pixel it is seen at."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.sports import find_sport

CUSTOM = "custom"
LEAST_POINTS, MOST_POINTS = 4, 100
FARTHEST = 10.0  # widths and heights of the picture that a mark may lie outside it
LARGEST_COURT = 1000.0  # metres
THINNEST = 0.01  # of the marks' spread; what is nearer to a line is on it


class Mark(NamedTuple):
    """A place of the court in the picture: pixels, and metres on the floor (see `sports`)."""

    name: str
    x: float
    y: float
    across: float
    along: float


def parse_marks(text: str, sport: str) -> list[Mark]:
    """Read marks such as `near_left=212,655 far_left=450,310`.

    For a custom court the name is a place in metres: `0,0=212,655 6.1,0=1070,655`.

    Raises:
        InputError: the text is of another form, or names a place that the sport has not.
    """
    marks = []
    for part in re.split(r"[\s;]+", text.strip()):
        name, _, pixel = part.partition("=")
        try:
            x, y = (float(value) for value in pixel.split(","))
        except ValueError as error:
            raise InputError(f"{part}: not a point; use the form near_left=212,655.") from error
        marks.append(Mark(name, x, y, *find_place(name, sport)))
    return marks


def read_marks(text: str | bytes, sport: str) -> list[Mark]:
    """Read marks in JSON: `{"near_left": [212, 655]}`, or a list of `["near_left", [212, 655]]`.

    Raises:
        InputError: it is something else, or names a place that the sport has not.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("not JSON; expected {near_left: [212, 655], ...}.") from error
    pairs = list(content.items()) if isinstance(content, dict) else content
    if not isinstance(pairs, list):
        raise InputError("contains no points; expected {near_left: [212, 655], ...}.")
    return [_make_mark(pair, sport) for pair in pairs]


def _make_mark(pair: Any, sport: str) -> Mark:
    """Return a mark of a name and a list of two numbers."""
    try:
        name, (x, y) = pair
        if not isinstance(name, str) or not isinstance(pair[1], list):
            raise TypeError
        return Mark(name, read_number(x), read_number(y), *find_place(name, sport))
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        shown = json.dumps(pair)[:60]
        raise InputError(f"{shown}: not a point; use the form near_left: [212, 655].") from error


def read_number(value: Any) -> float:
    """Return a number of a JSON file.

    Raises:
        ValueError: it is no number, or none that floating point can hold.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number. Received: {value!r}")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def find_place(name: str, sport: str) -> tuple[float, float]:
    """Return where a mark is on the floor, metres.

    Raises:
        InputError: there is no such place.
    """
    if sport == CUSTOM:
        try:
            across, along = (float(value) for value in name.split(","))
        except ValueError as error:
            raise InputError(f"{name}: not a position in metres; use the form 6.1,0.") from error
        return across, along
    landmarks = find_sport(sport).landmarks
    if name not in landmarks:
        raise InputError(
            f"{name}: unknown point of a {sport} court; use one of {', '.join(landmarks)}."
        )
    return landmarks[name]


def check_marks(marks: Sequence[Mark], size: tuple[int, int]) -> None:
    """Refuse marks that no court can be found from.

    Args:
        marks: pixels and metres.
        size: (height, width) of the picture, pixels.

    Raises:
        InputError: too few or too many of them, one outside any sense, two of one place, or all
            but one on a line.
    """
    if len(marks) < LEAST_POINTS:
        raise InputError(f"a court needs at least {LEAST_POINTS} points; {len(marks)} were given.")
    if len(marks) > MOST_POINTS:
        raise InputError(f"a court takes at most {MOST_POINTS} points; {len(marks)} were given.")
    height, width = size
    for mark in marks:
        # Written so that NaN is refused too.
        if not (_is_near(mark.x, width) and _is_near(mark.y, height)):
            raise InputError(
                f"{mark.name}: {mark.x:g},{mark.y:g} is outside the picture of {width}x{height}"
                " pixels; mark it again."
            )
        if not (abs(mark.across) <= LARGEST_COURT and abs(mark.along) <= LARGEST_COURT):
            raise InputError(
                f"{mark.name}: invalid position; a court is at most {LARGEST_COURT:g} m long."
            )
    pixels, places = split_marks(marks)
    for values, what in ((places, "court"), (pixels, "picture")):
        twice = _find_same(values)
        if twice is not None:
            first, second = (marks[k].name for k in twice)
            raise InputError(
                f"{first} and {second} are at the same position on the {what}; mark it once."
            )
        if _are_in_line(values):
            raise InputError(
                f"all points, or all but one, are on one line on the {what}; mark four corners."
            )


def split_marks(marks: Sequence[Mark]) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels and the metres of marks, `(marks, 2)` each."""
    table = np.array([mark[1:] for mark in marks], dtype=np.float64)
    return table[:, :2], table[:, 2:]


def _is_near(value: float, length: int) -> bool:
    return -FARTHEST * length <= value <= (FARTHEST + 1) * length


def _find_same(points: np.ndarray) -> tuple[int, int] | None:
    """Return the first two that are one point."""
    pairs: Iterable[tuple[int, int]] = combinations(range(len(points)), 2)
    return next((pair for pair in pairs if np.array_equal(*points[list(pair)])), None)


def _are_in_line(points: np.ndarray) -> bool:
    """Return whether a line goes through all points, or all but one, which fixes no court."""
    spread = np.linalg.norm(np.ptp(points, axis=0))
    for first, second in combinations(points, 2):
        x, y = (second - first) / np.linalg.norm(second - first)
        away = np.abs((points - first) @ np.array([-y, x]))
        if (away > THINNEST * spread).sum() < 2:
            return True
    return False
