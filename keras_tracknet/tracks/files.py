"""Track files: tracks written row by row or at once, and read back, whoever wrote them."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.files import explain_writing, replace_file
from keras_tracknet.tracks.columns import import_parquet, write_parquet
from keras_tracknet.tracks.tables import NAMES, UNLABELLED, TrackTable, read_table
from keras_tracknet.tracks.track import COLUMNS, Track, TrackRow

SCHEMAS = ("tracknet", "tracknetv2")
FORMATS = ("csv", "jsonl", "parquet")


class TrackWriter:
    """Writes a track row by row, so that what was tracked so far is always on disk.

    Args:
        path: file to create.
        format: `csv`, or `jsonl` for one JSON object a line.
        schema: `tracknet` writes every column with sub-pixel positions; `tracknetv2` writes
            `Frame,Visibility,X,Y` in whole pixels with 0,0 for an absent ball, as the
            published code does.
        to_stdout: write to stdout, and no file.
        append: write behind what the file holds.

    Raises:
        InputError: the file cannot be created.
    """

    def __init__(
        self,
        path: Path,
        *,
        format: str = "csv",
        schema: str = "tracknet",
        to_stdout: bool = False,
        append: bool = False,
    ) -> None:
        if format not in ("csv", "jsonl"):
            raise ValueError(f"`format` must be csv or jsonl. Received: format={format!r}")
        if schema not in SCHEMAS:
            raise ValueError(f"`schema` must be one of {SCHEMAS}. Received: schema={schema!r}")
        self.path, self.format, self.schema = Path(path), format, schema
        self.to_stdout, self.append = to_stdout, append
        self._file: IO[str] | None = None

    def __enter__(self) -> TrackWriter:
        if self.to_stdout:
            self._file = sys.stdout
        else:
            with explain_writing(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                mode = "a" if self.append else "w"
                self._file = open(self.path, mode, newline="", encoding="utf-8")
        if not self.append:
            self._file.write(_head(self.format, self.schema))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        file, self._file = self._file, None
        if file is not None and not self.to_stdout:
            with explain_writing(self.path):  # what a full disk did not take is tried again
                file.close()

    def write(self, rows: Iterable[TrackRow]) -> None:
        """Append rows and hand them to the operating system.

        Raises:
            InputError: the file cannot be written any further.
        """
        if self._file is None:
            raise ValueError("TrackWriter must be used in a with statement.")
        # A reader of stdout that has read enough is no error of a file.
        with contextlib.nullcontext() if self.to_stdout else explain_writing(self.path):
            self._file.writelines(_lines(rows, self.format, self.schema))
            self._file.flush()


def write_track(track: Track, path: Path, *, schema: str = "tracknet") -> None:
    """Write a whole track; the suffix (.csv, .jsonl, .parquet) decides the format.

    The file appears complete or not at all: it is written beside its place and moved there.
    Unlabelled frames get no row.

    Raises:
        InputError: the suffix is unknown, the place cannot be written, or Parquet is asked
            for without pyarrow.
    """
    path = Path(path)
    format = check_format(path)
    rows = [row for row in track.rows() if row.status != UNLABELLED]
    with replace_file(path) as partial:
        if format == "parquet":
            write_parquet([_cells(row, schema) for row in rows], partial)
        else:
            lines = (_head(format, schema), *_lines(rows, format, schema))
            partial.write_text("".join(lines), encoding="utf-8")


def check_format(path: Path) -> str:
    """Return the format that a track file has by its suffix.

    Raises:
        InputError: there is no such format, or it is Parquet and pyarrow is missing.
    """
    format = Path(path).suffix.lstrip(".")
    if format not in FORMATS:
        raise InputError(
            f"{path}: unknown track format; use one of the suffixes .{', .'.join(FORMATS)}."
        )
    if format == "parquet":
        import_parquet()
    return format


def read_track(path: Path) -> Track:
    """Read a track: CSV of either schema, JSON lines or Parquet, of this package or another maker.

    A file without `Confidence` gets 1 where the ball is visible, one without `Time` no times. Of
    another maker's file columns may be called a little differently, rows may be out of order, and
    frames without a row are `unlabelled`. What had to be mended is told in a warning.

    Raises:
        InputError: the file is missing, has other columns, or a row says something that cannot
            be.
    """
    path = Path(path)
    check_exists(path)
    table = read_table(path)
    if table.notes:
        warnings.warn(f"{path}: {'; '.join(table.notes)}.", stacklevel=2)
    return _make_track(table)


def check_exists(path: Path) -> None:
    """Raise `InputError` where there is no track file."""
    if not path.is_file():
        what = "not a file" if path.exists() else "no such file"
        raise InputError(f"{path}: {what}; use a track written by tracknet predict.")


def read_rows(path: Path, frames: range) -> list[TrackRow]:
    """Read what `TrackWriter` has written of a track so far, with all its columns.

    A last line that was cut off is left out.

    Args:
        path: the file.
        frames: of the rows; those that are returned count from 0.

    Raises:
        InputError: the file cannot be read, or is not as it was written.
    """
    path = Path(path)
    if b"\n" not in path.read_bytes():  # not even its first line was written to the end
        return []
    table = read_table(path)
    whole = all(row.frame == frame for row, frame in zip(table.rows, frames, strict=False))
    if not (whole and table.ordered) or table.names != set(NAMES):
        raise InputError(
            f"{path}: was changed after tracknet predict wrote it; start again with"
            " `overwrite=True`."
        )
    return [
        TrackRow(k, row.x, row.y, row.confidence, row.status, row.time)
        for k, row in enumerate(table.rows)
    ]


def _make_track(table: TrackTable) -> Track:
    """Put the rows of a table in the places of their frames."""
    frames = table.rows[-1].frame + 1 if table.rows else 0
    places = [row.frame for row in table.rows]
    x, y, confidence, time = np.full((4, frames), np.nan)
    confidence[:] = 0.0
    status = np.full(frames, UNLABELLED)
    x[places] = [row.x for row in table.rows]
    y[places] = [row.y for row in table.rows]
    confidence[places] = [row.confidence for row in table.rows]
    time[places] = [row.time for row in table.rows]
    status[places] = [row.status for row in table.rows]
    return Track(x, y, confidence, status, time)


def _head(format: str, schema: str) -> str:
    """Return what stands in a file before its rows."""
    names = COLUMNS if schema == "tracknet" else COLUMNS[:4]
    return ",".join(names) + "\n" if format == "csv" else ""


def _lines(rows: Iterable[TrackRow], format: str, schema: str) -> Iterator[str]:
    for row in rows:
        cells = _cells(row, schema)
        csv_line = format == "csv"
        yield (",".join(map(_csv_text, cells.values())) if csv_line else json.dumps(cells)) + "\n"


def _cells(row: TrackRow, schema: str) -> dict[str, Any]:
    if schema == "tracknetv2":
        x, y = (round(row.x), round(row.y)) if row.visible else (0, 0)
        return {"Frame": row.frame, "Visibility": int(row.visible), "X": x, "Y": y}
    row = row.rounded()
    return {
        "Frame": row.frame,
        "Visibility": int(row.visible),
        "X": row.x if row.visible else None,
        "Y": row.y if row.visible else None,
        "Confidence": row.confidence,
        "Status": row.status,
        "Time": None if math.isnan(row.time) else row.time,
    }


def _csv_text(value: Any) -> str:
    return "" if value is None else str(value)
