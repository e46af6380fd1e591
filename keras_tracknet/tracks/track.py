"""Tracks: where the ball is in every frame of a clip, as labelled or as predicted."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.files import explain_writing, replace_file
from keras_tracknet.tracks.columns import (
    import_parquet,
    make_data_frame,
    make_detections,
    write_parquet,
)
from keras_tracknet.tracks.tables import (
    ABSENT,
    DETECTED,
    NAMES,
    STATUSES,
    UNLABELLED,
    TrackTable,
    read_table,
)
from keras_tracknet.tracks.timestamps import mend_times

COLUMNS = ("Frame", "Visibility", "X", "Y", "Confidence", "Status", "Time")
SCHEMAS = ("tracknet", "tracknetv2")
FORMATS = ("csv", "jsonl", "parquet")


class TrackRow(NamedTuple):
    """One frame of a track.

    `x` and `y` are pixels of the source video, NaN when there is no ball; `confidence` is
    0 to 1; `status` one of `STATUSES`; `time` seconds from the frame's own timestamp, NaN
    when unknown.
    """

    frame: int
    x: float
    y: float
    confidence: float
    status: str
    time: float

    @property
    def visible(self) -> bool:
        """Whether the row holds a position."""
        return not math.isnan(self.x)

    def rounded(self) -> TrackRow:
        """Return the row as a file holds it: pixels to 0.001, seconds to 0.000001."""
        return self._replace(
            x=round(self.x, 3),
            y=round(self.y, 3),
            confidence=round(self.confidence, 4),
            time=round(self.time, 6),
        )


@dataclass(frozen=True)
class Track:
    """One row a frame, frames 0 to N-1 without a hole. Labels and predictions share it.

    Attributes:
        x, y: `(frames,)` float64, pixels of the source video with pixel centres on whole
            numbers, x to the right and y down; NaN where there is no ball.
        confidence: `(frames,)` float64, 0 to 1; labels have 1 where the ball is visible.
        status: `(frames,)` strings out of `STATUSES`. `unlabelled` occurs in labels only:
            nobody has looked at that frame, so it neither trains nor counts.
        time: `(frames,)` float64, seconds; NaN where unknown.
    """

    x: np.ndarray
    y: np.ndarray
    confidence: np.ndarray
    status: np.ndarray
    time: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(v) for v in (self.x, self.y, self.confidence, self.status, self.time)}
        if len(lengths) != 1:
            raise ValueError(f"All columns must have one length. Received: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def visibility(self) -> np.ndarray:
        """`(frames,)` bool: whether the frame has a position."""
        return ~np.isnan(self.x)

    @property
    def positions(self) -> np.ndarray:
        """`(frames, 2)` float64: (x, y) in pixels of the source video, NaN for no ball."""
        return np.stack([self.x, self.y], axis=-1)

    @property
    def labelled(self) -> np.ndarray:
        """`(frames,)` bool: whether somebody, or a model, has looked at the frame."""
        return self.status != UNLABELLED

    def seconds(self, fps: float | None = None) -> np.ndarray:
        """`(frames,)` float64: when each frame was shown, strictly ascending.

        Where a few times repeat or go back those alone are mended, see `mend_times`, with a
        warning.

        Args:
            fps: frames a second, for a track without times.

        Raises:
            InputError: the track has no times that could be true, and `fps` is omitted.
        """
        if fps is not None and not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"fps must be a finite number above 0. Received: fps={fps}")
        found = mend_times(self.time)
        if found is not None:
            times, mended = found
            if mended:
                warnings.warn(
                    f"{mended} of {len(self)} timestamps repeat or go back and were interpolated"
                    " from their neighbours.",
                    stacklevel=2,
                )
            return times
        if fps is None and len(self) > 1:
            raise InputError("the track has no times; give its frames per second (fps).")
        return np.arange(len(self)) / (fps or 1.0)

    @classmethod
    def from_positions(
        cls,
        x: Iterable[float],
        y: Iterable[float],
        visibility: Iterable[Any],
        *,
        labelled: Iterable[Any] | None = None,
        time: Iterable[float] | None = None,
    ) -> Track:
        """Build a track of labels from plain columns.

        Args:
            x, y: pixels of the source video; what stands where the ball is invisible is
                ignored.
            visibility: 0 or 1 a frame.
            labelled: 0 or 1 a frame; all labelled when omitted.
            time: seconds a frame; NaN when omitted.

        Returns:
            A `Track` with confidence 1 where visible.
        """
        seen = np.asarray(list(visibility), dtype=bool)
        known = np.ones(len(seen), bool) if labelled is None else np.asarray(list(labelled), bool)
        seen = seen & known
        return cls(
            x=np.where(seen, np.asarray(list(x), dtype=np.float64), np.nan),
            y=np.where(seen, np.asarray(list(y), dtype=np.float64), np.nan),
            confidence=seen.astype(np.float64),
            status=np.where(seen, DETECTED, np.where(known, ABSENT, UNLABELLED)),
            time=np.full(len(seen), np.nan) if time is None else np.asarray(list(time), float),
        )

    @classmethod
    def from_rows(cls, rows: Iterable[TrackRow]) -> Track:
        """Build a track from rows whose `frame` counts 0, 1, 2 and so on."""
        table = list(rows)
        for index, row in enumerate(table):
            if row.frame != index:
                raise ValueError(f"Frames must count from 0. Received: {row.frame} in row {index}")
        column = {name: [getattr(row, name) for row in table] for name in TrackRow._fields}
        return cls(
            x=np.array(column["x"], dtype=np.float64),
            y=np.array(column["y"], dtype=np.float64),
            confidence=np.array(column["confidence"], dtype=np.float64),
            status=np.array(column["status"], dtype=f"<U{max(map(len, STATUSES))}"),
            time=np.array(column["time"], dtype=np.float64),
        )

    def rows(self) -> Iterator[TrackRow]:
        """Yield the track frame by frame."""
        columns = (self.x, self.y, self.confidence, self.status, self.time)
        lists = [column.tolist() for column in columns]
        for frame, (x, y, confidence, status, time) in enumerate(zip(*lists, strict=True)):
            yield TrackRow(frame, x, y, confidence, status, time)

    def cut(self, start: int, stop: int) -> Track:
        """Return the rows from `start` up to, not including, `stop`."""
        return Track(*(getattr(self, name)[start:stop] for name in self.__dataclass_fields__))

    @classmethod
    def join(cls, parts: Sequence[Track]) -> Track:
        """Return a track of the rows of its parts, of which there is at least one."""
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def resized(self, frames: int) -> Track:
        """Cut the track to `frames` rows, or lengthen it with unlabelled ones."""
        extra = frames - len(self)
        if extra <= 0:
            return self.cut(0, frames)
        blank = np.full(extra, np.nan)
        return replace(
            self,
            x=np.concatenate([self.x, blank]),
            y=np.concatenate([self.y, blank]),
            confidence=np.concatenate([self.confidence, np.zeros(extra)]),
            status=np.concatenate([self.status, np.full(extra, UNLABELLED)]),
            time=np.concatenate([self.time, blank]),
        )

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame` with the columns of a track file, NaN for no position.

        Raises:
            InputError: pandas is not installed.

        Example:
            >>> Track.from_positions([4.5, 0], [3.0, 0], [1, 0]).to_pandas()["X"].tolist()
            [4.5, nan]
        """
        columns = (
            np.arange(len(self)),
            self.visibility.astype(np.int64),
            self.x,
            self.y,
            self.confidence,
            self.status,
            self.time,
        )
        return make_data_frame(dict(zip(COLUMNS, columns, strict=True)))

    def to_supervision(self, *, side: float = 12.0) -> list[Any]:
        """Return a `supervision.Detections` for each frame, empty where there is no ball.

        Args:
            side: of the box around the ball, pixels of the source video; a track does not know
                how large the ball is. The middle of the box is the position.

        Raises:
            InputError: supervision is not installed.
        """
        return make_detections(self.positions, self.confidence, self.status, side)


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
            raise ValueError(f"format must be csv or jsonl. Received: format={format!r}")
        if schema not in SCHEMAS:
            raise ValueError(f"schema must be one of {SCHEMAS}. Received: schema={schema!r}")
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

    Raises:
        InputError: the suffix is unknown, the place cannot be written, or Parquet is asked
            for without pyarrow.
    """
    path = Path(path)
    format = check_format(path)
    with replace_file(path) as partial:
        if format == "parquet":
            write_parquet([_cells(row, schema) for row in track.rows()], partial)
        else:
            lines = (_head(format, schema), *_lines(track.rows(), format, schema))
            partial.write_text("".join(lines), encoding="utf-8")


def check_format(path: Path) -> str:
    """Return the format that a track file has by its suffix.

    Raises:
        InputError: there is no such format, or it is Parquet and pyarrow is missing.
    """
    format = Path(path).suffix.lstrip(".")
    if format not in FORMATS:
        raise InputError(f"{path}: tracks are written as {', '.join(FORMATS)}; use such a suffix.")
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
    if not path.is_file():
        what = "not a file" if path.exists() else "no such file"
        raise InputError(f"{path}: {what}; give a track written by tracknet predict.")
    table = read_table(path)
    if table.notes:
        warnings.warn(f"{path}: {'; '.join(table.notes)}.", stacklevel=2)
    return _make_track(table)


def read_rows(path: Path) -> list[TrackRow]:
    """Read what `TrackWriter` has written of a track so far, with all its columns.

    A last line that was cut off is left out.

    Raises:
        InputError: the file cannot be read, or is not as it was written.
    """
    path = Path(path)
    if b"\n" not in path.read_bytes():  # not even its first line was written to the end
        return []
    table = read_table(path)
    if not table.whole or table.names != set(NAMES):
        raise InputError(
            f"{path}: is not as tracknet predict left it; begin again with --overwrite."
        )
    return list(_make_track(table).rows())


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
