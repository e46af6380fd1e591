"""Tables of one position per frame, as this package and other trackers of this field write them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from keras_tracknet.errors import InputError
from keras_tracknet.tracks.columns import read_parquet
from keras_tracknet.tracks.records import Record, Records, name_columns, read_records

DETECTED = "detected"
REPAIRED = "repaired"
ABSENT = "absent"
REJECTED = "rejected"  # there was a detection, but not of the ball
UNLABELLED = "unlabelled"
CORRECTED = "corrected"  # a person has said whether there is a ball, and where
STATUSES = (DETECTED, REPAIRED, ABSENT, REJECTED, UNLABELLED, CORRECTED)
# What a person says of a frame in a label file; `absent` is what a network says as well.
LABEL_STATUSES = ("visible", "hidden", ABSENT, "accepted", "filled")

# What columns are called, in lower case.
NAMES = {
    "frame": ("frame", "frame_num", "frame_number", "frame_id", "frame_index"),
    "visibility": ("visibility", "ball", "visible"),
    "x": ("x", "x-coordinate", "x_coordinate", "ball_x"),
    "y": ("y", "y-coordinate", "y_coordinate", "ball_y"),
    "confidence": ("confidence",),
    "status": ("status",),
    "time": ("time",),
}
EXPECTED = "Frame,Visibility,X,Y"
WORDS = {"": math.nan, "true": 1.0, "false": 0.0}  # what stands in a cell for a number
NO_PLACE = ((0.0, 0.0), (-1.0, -1.0))  # how others write that there is no ball
FARTHEST = 100_000.0  # pixels; no picture is as wide
LONGEST = 1e10  # seconds, more than 300 years
HOLES = 1000  # frames to a row at which a frame's number is a mistake
FEWEST = 1000  # rows that a table is taken to have for that


class OtherTableError(InputError):
    """The file holds no pixels by frame; labels in another form, perhaps."""


class TableRow(NamedTuple):
    """A row of a table; see `TrackRow`."""

    frame: int
    visible: bool
    x: float
    y: float
    confidence: float
    status: str
    time: float


@dataclass(frozen=True)
class TrackTable:
    """The rows of a track file, ascending by frame, one per frame at most.

    Attributes:
        rows: what they say.
        ordered: whether the file has them in that order.
        names: columns that there are, as in `NAMES`.
        notes: what was mended, a few words each.
    """

    rows: tuple[TableRow, ...]
    ordered: bool
    names: frozenset[str]
    notes: tuple[str, ...]


def read_table(path: Path) -> TrackTable:
    """Read a table of positions: CSV with any common separator, JSON lines or Parquet.

    Where rows have no `Status`, the file is another maker's: positions of 0,0 or -1,-1 mean that
    there is no ball.

    Raises:
        OtherTableError: its columns are others, or its positions fractions of the picture.
        InputError: it cannot be read, or a row says something that cannot be.
    """
    records = _read_any(path)
    columns = _find_columns(path, records)
    parsed = [_parse(path, record, columns) for record in records.rows]
    notes = [*records.notes]
    if "status" not in columns:
        _check_units(path, parsed)
        blank = [row.visible and (row.x, row.y) in NO_PLACE for row in parsed]
        if any(blank):
            notes.append(f"{sum(blank)} positions at 0,0 or -1,-1 are read as no ball")
            parsed = [
                _without_ball(row) if empty else row
                for row, empty in zip(parsed, blank, strict=True)
            ]
    order = sorted(range(len(parsed)), key=lambda k: parsed[k].frame)
    rows = tuple(parsed[k] for k in order)
    _check_frames(path, rows, [records.rows[k].line for k in order])
    if order != sorted(order):
        notes.append("rows were out of order and are sorted by frame")
    holes = rows[-1].frame + 1 - len(rows) if rows else 0
    if holes:
        notes.append(
            f"{holes} of {rows[-1].frame + 1} frames have no row; the ball is unknown there"
        )
    return TrackTable(rows, order == sorted(order), frozenset(columns), tuple(notes))


def _read_any(path: Path) -> Records:
    if path.suffix.lower() != ".parquet":
        return read_records(path)
    rows = read_parquet(path)
    names = name_columns(path, list(rows[0]) if rows else [])
    cells = (dict(zip(names, row.values(), strict=True)) for row in rows)
    return Records(names, tuple(Record(line, row) for line, row in enumerate(cells, 1)))


def _find_columns(path: Path, records: Records) -> dict[str, str]:
    """Return the file's name of each column, by the name that it has here."""
    names = records.names
    found = {}
    for column, aliases in NAMES.items():
        own = [alias for alias in aliases if alias in names]
        if len(own) > 1:
            raise InputError(f"{path}: has both columns {' and '.join(own)}; keep one of them.")
        if own:
            found[column] = own[0]
    shown = ",".join(names)[:200] or "none"
    if not {"frame", "x", "y"} <= found.keys():
        raise OtherTableError(f"{path}: not a track: columns are {shown}, expected {EXPECTED}.")
    if found["frame"] == "frame_num" and found.get("visibility") == "visible":
        raise OtherTableError(
            f"{path}: visible=0 may mean that the ball is seen in these labels; give their"
            f" `video`, or use columns {EXPECTED}."
        )
    if {"w", "h"} <= set(names):
        raise InputError(
            f"{path}: contains boxes (x,y,w,h), where x,y may be a corner; write the centre of the"
            f" ball as {EXPECTED}."
        )
    return found


def _parse(path: Path, record: Record, columns: dict[str, str]) -> TableRow:
    missing = [name for name in columns.values() if name not in record.cells]
    if missing:
        raise InputError(f"{path}: line {record.line} has no {', '.join(missing)}; complete it.")
    cells = {column: record.cells[name] for column, name in columns.items()}
    try:
        return _parse_cells(cells)
    except ValueError as error:
        raise InputError(f"{path}: line {record.line} cannot be read: {error}.") from error


def _parse_cells(cells: dict[str, Any]) -> TableRow:
    frame = _number(cells, "frame")
    if not (frame >= 0 and frame % 1 == 0):
        raise ValueError(f"frame is {_show(cells['frame'])}, expected a whole number from 0")
    x, y = (_number(cells, name) for name in ("x", "y"))
    placed = not (math.isnan(x) or math.isnan(y))
    visible = placed
    if "visibility" in cells:
        visibility = _number(cells, "visibility")
        if visibility not in (0, 1):
            raise ValueError(f"visibility is {_show(cells['visibility'])}, expected 0 or 1")
        visible = visibility == 1
    if visible and not placed:
        raise ValueError("the ball is visible but has no position")
    if visible and max(abs(x), abs(y)) > FARTHEST:
        raise ValueError(f"position is {x:g},{y:g}, expected pixels")
    status = str(cells.get("status") or (DETECTED if visible else ABSENT))
    if status in LABEL_STATUSES and status != ABSENT:
        status = CORRECTED
    if status not in STATUSES:
        raise ValueError(f"status is {_show(status)}, expected one of {', '.join(STATUSES)}")
    if status != CORRECTED and visible != (status in (DETECTED, REPAIRED)):
        raise ValueError(f"status is {status}, which contradicts visibility")
    confidence = _number(cells, "confidence")
    if math.isnan(confidence):
        confidence = float(visible)
    if not 0 <= confidence <= 1:
        raise ValueError(f"confidence is {_show(cells['confidence'])}, expected 0 to 1")
    time = _number(cells, "time")
    time = time if 0 <= time <= LONGEST else math.nan
    if not visible:
        x = y = math.nan
    return TableRow(int(frame), visible, x, y, confidence, status, time)


def _without_ball(row: TableRow) -> TableRow:
    return TableRow(row.frame, False, math.nan, math.nan, 0.0, ABSENT, row.time)


def _number(cells: dict[str, Any], name: str) -> float:
    """Return a cell as a number, NaN where there is nothing in it."""
    value = cells.get(name)
    if value is None:
        return math.nan
    try:
        if not (isinstance(value, str) and "_" in value):  # 1_000 is one in Python only
            return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf
    except (TypeError, ValueError):
        word = value.strip().lower() if isinstance(value, str) else None
        if word in WORDS:
            return WORDS[word]
    raise ValueError(f"{name} is {_show(value)}, expected a number")


def _show(value: Any) -> str:
    return repr(str(value)[:40])


def _check_units(path: Path, rows: Iterable[TableRow]) -> None:
    """Raise `OtherTableError` where all positions seem to be fractions of the picture."""
    values = [value for row in rows if row.visible for value in (row.x, row.y)]
    if any(value % 1 for value in values) and all(-0.1 <= value <= 1.1 for value in values):
        raise OtherTableError(
            f"{path}: positions are fractions of the picture; give the `video`, or write pixels."
        )


def _check_frames(path: Path, rows: Sequence[TableRow], lines: Sequence[int]) -> None:
    """Raise `InputError` where a frame stands twice, or is so far off that it must be wrong."""
    for k in range(1, len(rows)):
        if rows[k].frame == rows[k - 1].frame:
            first, second = sorted(lines[k - 1 : k + 1])
            raise InputError(
                f"{path}: frame {rows[k].frame} appears twice, in lines {first} and {second}; keep"
                " one."
            )
    if rows and rows[-1].frame >= HOLES * max(len(rows), FEWEST):
        raise InputError(
            f"{path}: line {lines[-1]} is for frame {rows[-1].frame}, but the table has only"
            f" {len(rows)} rows; check the frame number."
        )
