"""Events of a clip: when and where the ball was hit or touched the floor, and their files."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from keras_tracknet.errors import InputError
from keras_tracknet.files import write_table

HIT = "hit"
BOUNCE = "bounce"
LANDING = "landing"
KINDS = (HIT, BOUNCE, LANDING)
EVENT_COLUMNS = ("Time", "Frame", "Kind", "X", "Y", "Score", "Rally")


class Event(NamedTuple):
    """The ball is hit, bounces, or comes down for good.

    `time` is in seconds from the start of the video; `frame` the one closest to it; `kind` one
    of `KINDS`; `x` and `y` pixels of the source video, NaN where unknown; `score` 0 to 1, how
    clear the case is; `rally` counts from 1, 0 for an event outside of all rallies.
    """

    time: float
    frame: int
    kind: str
    x: float
    y: float
    score: float = 1.0
    rally: int = 0


def write_events(events: Iterable[Event], path: Path) -> None:
    """Write events as CSV, one row each.

    Raises:
        InputError: the file cannot be written.
    """
    rows = []
    for event in events:
        place = ["" if math.isnan(v) else round(v, 2) for v in (event.x, event.y)]
        row = (round(event.time, 4), event.frame, event.kind, *place)
        rows.append([*row, round(event.score, 3), event.rally or ""])
    write_table(EVENT_COLUMNS, rows, path)


def read_events(path: Path) -> list[Event]:
    """Read what `write_events` wrote.

    Raises:
        InputError: the file is missing or holds something else.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return [
                Event(
                    time=float(row["Time"]),
                    frame=int(row["Frame"]),
                    kind=row["Kind"],
                    x=float(row["X"] or "nan"),
                    y=float(row["Y"] or "nan"),
                    score=float(row["Score"] or 1),
                    rally=int(row["Rally"] or 0),
                )
                for row in csv.DictReader(file)
            ]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: not a file of events; expected {','.join(EVENT_COLUMNS)}."
        ) from error
