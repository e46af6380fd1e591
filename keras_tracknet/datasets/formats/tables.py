"""Tables of one row per frame: CSV under the headers of this field, or the same as JSON lines."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_tracknet.datasets.formats.absent_codes import drop_codes, read_codes
from keras_tracknet.datasets.formats.json_file import parse_json
from keras_tracknet.datasets.formats.objects import read_number, shorten
from keras_tracknet.datasets.labels import (
    DEFAULT_VISIBLE,
    EASY,
    HARD,
    HIDDEN,
    LAST_FRAME,
    NO_BALL,
    Label,
    LabelTable,
)
from keras_tracknet.errors import InputError
from keras_tracknet.tracks.tables import UNLABELLED
from keras_tracknet.video.media import Media

NAMED = "file name"  # the column that says which image instead of which frame
TIMES = 10  # rows from which times tell a rate
EXPECTED = "Frame,Visibility,X,Y or Frame,Ball,x,y"


@dataclass(frozen=True)
class Columns:
    """The columns of one kind of table, by name in lower case.

    Attributes:
        frame, seen, x, y: names; `seen` is empty where a ball without a position is not seen.
        grades: the grade of visibility that each value of `seen` stands for.
        format: how the kind is called.
        hidden: whether a position beside a ball that is not visible is that of a hidden ball.
    """

    frame: str
    seen: str
    x: str
    y: str
    grades: dict[float, int]
    format: str = ""
    hidden: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that must be there."""
        return tuple(filter(None, (self.frame, self.seen, self.x, self.y)))


KINDS = (
    # GridTrackNet writes where a hidden ball must be; the others write 0,0 or nothing.
    Columns("frame", "visibility", "x", "y", {0: NO_BALL, 1: EASY}, hidden=True),
    Columns("frame", "ball", "x", "y", {0: NO_BALL, 1: EASY}),
    Columns("frame", "visible", "x", "y", {0: NO_BALL, 1: EASY}),
    Columns(
        "frame_num", "visible", "x", "y",
        {0: EASY, 1: HIDDEN, 2: HARD, 3: NO_BALL},
        "frame_num,x,y,visible with 0 for visible (mareksubocz)",
    ),
    Columns(
        NAMED, "visibility", "x-coordinate", "y-coordinate",
        {0: NO_BALL, 1: EASY, 2: HARD, 3: HIDDEN},
        "Label.csv with visibility 0 to 3 (TrackNetV1 tennis)",
    ),
    Columns("frame", "", "x", "y", {}),
)  # fmt: skip


def recognise(path: Path, head: str) -> bool:
    """Return whether a file's first characters are those of such a table."""
    first = head.lstrip("\ufeff").split("\n", 1)[0]
    try:
        names = parse_json(first) if first.startswith("{") else next(csv.reader([first]), [])
        _find_kind(path, [str(name) for name in names])
    except (ValueError, csv.Error):
        return False
    return True


def read(path: Path, media: Media, visible: str = DEFAULT_VISIBLE) -> LabelTable:
    """Read a table of labels, whatever its units and the order of its rows.

    More columns do no harm. What stands beside an invisible ball is ignored. A row that is
    visible without a position says nothing, so its frame is unlabelled, as is one whose
    `Status` says so.

    Raises:
        InputError: the file cannot be read, has other columns or no rows, a cell is not a
            number, or a frame stands twice.
    """
    labels: list[Label] = []
    lines: dict[int, int] = {}
    frames = media.frames_by_name
    missing = []
    times: dict[int, float] = {}
    kind = KINDS[0]
    for kind, line, cells in _read_rows(path):
        status = cells.get("status")
        name = cells[kind.frame]
        if status == UNLABELLED:
            continue
        if kind.frame == NAMED and name not in frames:
            missing.append(name)
            continue
        label = _parse(path, kind, line, cells, frames.get(name))
        if label.frame in lines:
            raise InputError(
                f"{path}: frame {label.frame} appears twice, in lines {lines[label.frame]} and"
                f" {line}; keep one."
            )
        lines[label.frame] = line
        times[label.frame] = read_number(cells.get("time"))
        labels.append(label)
    warnings = (
        [f"{len(missing)} labels refer to missing images (first: {shorten(missing[0])})"]
        if missing
        else []
    )
    try:
        labels, more = (drop_codes if kind.seen else read_codes)(labels)
        warnings += more
        table = LabelTable.from_labels(
            labels, visible=visible, warnings=warnings, format=kind.format, fps=_find_rate(times)
        )
    except InputError as error:
        raise InputError(f"{path}: {error}; expected {EXPECTED}.") from error
    return table if kind.frame == NAMED else table.placed(media)


def _read_rows(path: Path) -> Iterator[tuple[Columns, int, dict[str, str]]]:
    """Yield (kind, line, cells by lower-case column) of each row that is not empty."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            if file.read(1) == "{":
                file.seek(0)
                yield from _read_json_lines(path, file)
                return
            file.seek(0)
            reader = csv.reader(file)
            header = next(reader, None)
            if header is None:
                raise InputError(f"{path}: is empty; expected {EXPECTED}.")
            kind, names = _find_kind(path, header)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    row = dict(zip(names, cells, strict=False))
                    if not set(kind.names) <= row.keys():
                        raise _bad_row(path, kind, reader.line_num, ",".join(cells))
                    yield kind, reader.line_num, row
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file ({error}); expected {EXPECTED}.") from error


def _read_json_lines(path: Path, file: Any) -> Iterator[tuple[Columns, int, dict[str, str]]]:
    kind = None
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            record = parse_json(line)
            values = {str(name).lower(): _text(value) for name, value in record.items()}
        except (ValueError, AttributeError) as error:
            raise InputError(f"{path}: line {number} is not a JSON object ({error}).") from error
        kind = kind or _find_kind(path, list(values))[0]
        if not set(kind.names) <= values.keys():
            raise _bad_row(path, kind, number, line.strip())
        yield kind, number, values


def _find_kind(path: Path, header: list[str]) -> tuple[Columns, list[str]]:
    names = [name.strip().lower() for name in header]
    for kind in KINDS:
        if set(kind.names) <= set(names):
            return kind, names
    found = shorten(",".join(header)) or "none"
    raise InputError(f"{path}: columns are {found}; expected {EXPECTED}.")


def _parse(path: Path, kind: Columns, line: int, cells: dict[str, str], frame: int | None) -> Label:
    try:
        number = read_number(cells[kind.frame]) if frame is None else frame
        if number % 1 != 0 or not 0 <= number <= LAST_FRAME:
            raise ValueError(number)
        grade = kind.grades[_read_seen(cells[kind.seen], kind)] if kind.seen else EASY
        x, y = (_number(cells[name]) for name in (kind.x, kind.y))
    except (KeyError, ValueError) as error:
        shown = ",".join(cells[name] for name in cells)
        raise _bad_row(path, kind, line, shown) from error
    if not kind.seen and not math.isfinite(x + y):
        grade = NO_BALL
    if kind.hidden and grade == NO_BALL and max(x, y) > 0:
        grade = HIDDEN
    return Label(int(number), grade, x, y)


def _find_rate(times: dict[int, float]) -> float | None:
    """Return frames per second as a column of times has it, None where it has too few."""
    known = sorted(frame for frame, time in times.items() if math.isfinite(time))
    if len(known) < TIMES or times[known[-1]] <= times[known[0]]:
        return None
    return (known[-1] - known[0]) / (times[known[-1]] - times[known[0]])


def _bad_row(path: Path, kind: Columns, line: int, shown: str) -> InputError:
    grades = " or ".join(f"{value:g}" for value in sorted(kind.grades))
    seen = f"visibility {grades}, " if grades else ""
    return InputError(
        f"{path}: line {line} is {shorten(shown)!r}; expected a frame number from 0, {seen}and two"
        " numbers."
    )


def _read_seen(text: str, kind: Columns) -> float:
    """Return a value of visibility: 1, "1.0" or, where 1 is visible, "True" as pandas writes it."""
    plain = text.strip().lower()
    if kind.grades[1] == EASY and plain in ("true", "false"):
        return float(plain == "true")
    return read_number(plain)


def _number(text: str) -> float:
    return float(text.strip() or "nan")


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)
