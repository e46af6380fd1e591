"""Events of a clip: when and where the ball was hit or touched the floor, and their files."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from keras_tracknet.errors import InputError
from keras_tracknet.files import write_table
from keras_tracknet.tracks.records import read_records

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
    """Read what `write_events` wrote; more columns, as `analyze` writes them, do no harm.

    A last line that has no end is left out with a warning.

    Raises:
        InputError: the file is missing or holds something else.
    """
    path = Path(path)
    records = read_records(path)
    if not {name.lower() for name in EVENT_COLUMNS} <= set(records.names):
        raise InputError(f"{path}: not an events file; expected columns {','.join(EVENT_COLUMNS)}.")
    for note in records.notes:
        warnings.warn(f"{path}: {note}.", stacklevel=2)
    events = []
    for record in records.rows:
        try:
            events.append(_parse(record.cells))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: line {record.line} is not a valid event: {error}."
            ) from error
    return events


def _parse(cells: dict[str, str]) -> Event:
    x, y = (float(cells[name] or "nan") for name in ("x", "y"))
    event = Event(
        time=float(cells["time"]),
        frame=int(cells["frame"]),
        kind=cells["kind"],
        x=x,
        y=y,
        score=float(cells["score"] or 1),
        rally=int(cells["rally"] or 0),
    )
    if event.kind not in KINDS:
        raise ValueError(f"kind is {event.kind!r}, expected one of {', '.join(KINDS)}")
    if not (math.isfinite(event.time) and event.frame >= 0 and event.rally >= 0):
        raise ValueError("expected a finite time, and frame and rally of at least 0")
    if math.isinf(x) or math.isinf(y) or not 0 <= event.score <= 1:
        raise ValueError("expected a position in pixels and a score from 0 to 1")
    return event
