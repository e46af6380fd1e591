"""Label files as they come: what people wrote down about the ball, before it is a track."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.io.tracks import UNLABELLED, Track

PIXELS = "pixels"
FRACTION = "fraction"

EXPECTED = "Frame,Visibility,X,Y or Frame,Ball,x,y"
MARGIN = 4.0  # pixels beyond the picture at which a position still counts
LAST_FRAME = 10_000_000  # more than four days of video; beyond it is a typing error
FRACTION_SHARE = 0.9  # of the visible positions; the rest may be slips of the pen


class _Row(NamedTuple):
    frame: int
    visible: bool
    x: float
    y: float
    line: int


@dataclass(frozen=True)
class LabelTable:
    """The labelled frames of one file, ascending, at most one row a frame.

    Attributes:
        frame: `(rows,)` int64, 0-based.
        visibility: `(rows,)` bool.
        x, y: `(rows,)` float64 in `units`, NaN where the ball is not visible.
        units: `pixels` of the source video, `fraction` of its width and height, or None
            where no row is visible.
        doubts: what looked wrong, a line each.
    """

    frame: np.ndarray
    visibility: np.ndarray
    x: np.ndarray
    y: np.ndarray
    units: str | None
    doubts: tuple[str, ...]

    def positions(
        self, size: tuple[int, int], units: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y, `(rows,)` each, in pixels of the source video.

        A fraction is multiplied by the width or height, as the labelling tools of this field
        wrote it.

        Args:
            size: (height, width) of the source video.
            units: overrides what the content says.
        """
        height, width = size
        if (units or self.units) == FRACTION:
            return self.x * width, self.y * height
        return self.x, self.y

    def beyond(self, size: tuple[int, int], units: str | None = None) -> np.ndarray:
        """Return `(rows,)` bool: positions more than `MARGIN` pixels off the picture."""
        x, y = self.positions(size, units)
        height, width = size
        return (np.maximum(-x, x - (width - 1)) > MARGIN + 0.5) | (
            np.maximum(-y, y - (height - 1)) > MARGIN + 0.5
        )

    def track(self, size: tuple[int, int], units: str | None = None) -> Track:
        """Place the rows on the frames they name.

        Frames without a row, and positions that `beyond` marks, are unlabelled.

        Args:
            size: (height, width) of the source video.
            units: overrides what the content says.

        Returns:
            A `Track` that ends with the last row's frame, in pixels of the source video.
        """
        frames = int(self.frame[-1]) + 1
        columns = np.zeros((4, frames))
        x, y = self.positions(size, units)
        columns[:, self.frame] = [x, y, self.visibility, ~self.beyond(size, units)]
        return Track.from_positions(columns[0], columns[1], columns[2], labelled=columns[3])


def read_label_table(path: Path) -> LabelTable:
    """Read a CSV of labels, whatever its units and the order of its rows.

    Columns are `Frame,Visibility,X,Y` or `Frame,Ball,x,y`, in any order and case; more columns
    do no harm. What stands beside an invisible ball is ignored. A row that is visible
    without a position says nothing, so its frame is unlabelled, as is one whose `Status`
    says so.

    Raises:
        InputError: the file cannot be read, has other columns or no rows, a cell is not a
            number, or a frame stands twice.
    """
    path = Path(path)
    rows = _read_rows(path)
    lines: dict[int, int] = {}
    for row in rows:
        if row.frame in lines:
            raise InputError(
                f"{path}: frame {row.frame} stands twice, in lines {lines[row.frame]} and"
                f" {row.line}; keep one."
            )
        lines[row.frame] = row.line
    doubts = []
    placed = [row for row in rows if not row.visible or math.isfinite(row.x + row.y)]
    if len(placed) < len(rows):
        doubts.append(
            f"{len(rows) - len(placed)} rows are visible without a position: taken as unlabelled"
        )
    if not placed:
        raise InputError(f"{path}: has no labelled rows; expected {EXPECTED}.")
    frame, visibility, x, y = zip(*sorted(row[:4] for row in placed), strict=True)
    seen = np.array(visibility, dtype=bool)
    xs = np.where(seen, np.array(x, dtype=np.float64), np.nan)
    ys = np.where(seen, np.array(y, dtype=np.float64), np.nan)
    units, doubt = _decide_units(np.stack([xs[seen], ys[seen]]))
    return LabelTable(
        frame=np.array(frame, dtype=np.int64),
        visibility=seen,
        x=xs,
        y=ys,
        units=units,
        doubts=(*doubts, *([doubt] if doubt else [])),
    )


def is_label_file(path: Path) -> bool:
    """Return whether the file can be read and its header has the columns of labels."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            _find_columns(path, next(csv.reader(file), []))
    except (OSError, ValueError, csv.Error):
        return False
    return True


def _decide_units(visible: np.ndarray) -> tuple[str | None, str]:
    """Return the units of `visible` (2, positions), and a doubt where they are not clear."""
    if not visible.size:
        return None, ""
    small = ((visible >= -0.1) & (visible <= 1.1)).all(axis=0)
    if small.mean() < FRACTION_SHARE:
        return PIXELS, ""
    if (visible[:, small] % 1 != 0).any():
        return FRACTION, ""
    return PIXELS, "all visible positions are 0 or 1: taken as pixels, look at the file"


def _read_rows(path: Path) -> list[_Row]:
    rows = []
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            places, status = _find_columns(path, next(reader, []))
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if status is not None and cells[status : status + 1] == [UNLABELLED]:
                    continue
                rows.append(_parse_row(path, cells, places, reader.line_num))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file ({error}); expected {EXPECTED}.") from error
    return rows


def _find_columns(path: Path, header: list[str]) -> tuple[list[int], int | None]:
    names = [name.strip().lower() for name in header]
    seen = "visibility" if "visibility" in names else "ball"
    if not {"frame", seen, "x", "y"} <= set(names):
        found = ",".join(header) or "none"
        raise InputError(f"{path}: its columns are {found}; expected {EXPECTED}.")
    places = [names.index(name) for name in ("frame", seen, "x", "y")]
    return places, names.index("status") if "status" in names else None


def _parse_row(path: Path, cells: list[str], places: list[int], line: int) -> _Row:
    try:
        frame, visible, x, y = (cells[place].strip() for place in places)
        seen = {0.0: False, 1.0: True}[float(visible)]
        number = float(frame)
        if not number.is_integer() or not 0 <= number <= LAST_FRAME:
            raise ValueError(frame)
        position = (float(x or "nan"), float(y or "nan")) if seen else (math.nan, math.nan)
    except (IndexError, KeyError, ValueError) as error:
        raise InputError(
            f"{path}: line {line} is {','.join(cells)!r}; expected a frame from 0, visibility"
            " 0 or 1, and two numbers."
        ) from error
    return _Row(int(number), seen, *position, line)
