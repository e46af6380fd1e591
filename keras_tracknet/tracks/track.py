"""Tracks: where the ball is in every frame of a clip, as labelled or as predicted."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.tracks.columns import make_data_frame, make_detections
from keras_tracknet.tracks.description import describe_columns
from keras_tracknet.tracks.figures import check_matplotlib, draw_flight
from keras_tracknet.tracks.tables import ABSENT, DETECTED, REPAIRED, STATUSES, UNLABELLED
from keras_tracknet.tracks.timestamps import mend_times

COLUMNS = ("Frame", "Visibility", "X", "Y", "Confidence", "Status", "Time")
_COLUMNS = ("x", "y", "confidence", "status", "time")  # of a `Track`


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
    """One row per frame, frames 0 to N-1 without a hole. Labels and predictions share it.

    Attributes:
        x, y: `(frames,)` float64, pixels of the source video with pixel centres on whole
            numbers, x to the right and y down; NaN where there is no ball.
        confidence: `(frames,)` float64, 0 to 1; labels have 1 where the ball is visible.
        status: `(frames,)` strings out of `STATUSES`. `unlabelled` occurs in labels only:
            nobody has looked at that frame, so it neither trains nor counts.
        time: `(frames,)` float64, seconds; NaN where unknown.
        shots: number of the first frame of each camera shot, the first one 0; empty where they
            are unknown, as in a track that was read from a file.
    """

    x: np.ndarray
    y: np.ndarray
    confidence: np.ndarray
    status: np.ndarray
    time: np.ndarray
    shots: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(v) for v in (self.x, self.y, self.confidence, self.status, self.time)}
        if len(lengths) != 1:
            raise ValueError(f"all columns must have the same length. Received: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.x)

    def __str__(self) -> str:
        """Return what is in the track, in five lines."""
        columns = (self.positions, self.confidence, self.status, self.time)
        lines = describe_columns(self.visibility, *columns)
        return "\n".join([*lines, f"camera shots: {len(self.shots) or 'unknown'}"])

    @property
    def visibility(self) -> np.ndarray:
        """`(frames,)` bool: whether the frame has a position."""
        found: np.ndarray = ~np.isnan(self.x)
        return found

    @property
    def positions(self) -> np.ndarray:
        """`(frames, 2)` float64: (x, y) in pixels of the source video, NaN for no ball."""
        return np.stack([self.x, self.y], axis=-1)

    @property
    def labelled(self) -> np.ndarray:
        """`(frames,)` bool: whether somebody, or a model, has looked at the frame."""
        known: np.ndarray = self.status != UNLABELLED
        return known

    def seconds(self, fps: float | None = None) -> np.ndarray:
        """`(frames,)` float64: when each frame was shown, strictly ascending.

        Where a few times repeat or go back those alone are mended, see `mend_times`, with a
        warning.

        Args:
            fps: frames per second, for a track without times.

        Raises:
            InputError: the track has no times that could be true, and `fps` is omitted.
        """
        if fps is not None and not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"`fps` must be a finite number above 0. Received: fps={fps}")
        found = mend_times(self.time)
        if found is not None:
            times, mended = found
            if mended:
                warnings.warn(
                    f"{mended} of {len(self)} timestamps do not increase and are interpolated from"
                    " their neighbours.",
                    stacklevel=2,
                )
            return times
        if fps is None and len(self) > 1:
            raise InputError("the track has no times; set `fps`.")
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
            time: seconds, one per frame; NaN when omitted.

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
    def from_rows(cls, rows: Iterable[TrackRow], *, shots: Iterable[int] = ()) -> Track:
        """Build a track from rows whose `frame` counts 0, 1, 2 and so on.

        Args:
            rows: one for every frame.
            shots: number of the first frame of each camera shot; those past the rows are left out.
        """
        table = list(rows)
        for index, row in enumerate(table):
            if row.frame != index:
                raise ValueError(
                    f"frames must count from 0. Received: frame {row.frame} in row {index}"
                )
        column = {name: [getattr(row, name) for row in table] for name in TrackRow._fields}
        return cls(
            x=np.array(column["x"], dtype=np.float64),
            y=np.array(column["y"], dtype=np.float64),
            confidence=np.array(column["confidence"], dtype=np.float64),
            status=np.array(column["status"], dtype=f"<U{max(map(len, STATUSES))}"),
            time=np.array(column["time"], dtype=np.float64),
            shots=tuple(first for first in shots if first < len(table)),
        )

    def rows(self) -> Iterator[TrackRow]:
        """Yield the track frame by frame."""
        lists = [getattr(self, name).tolist() for name in _COLUMNS]
        for frame, (x, y, confidence, status, time) in enumerate(zip(*lists, strict=True)):
            yield TrackRow(frame, x, y, confidence, status, time)

    def cut(self, start: int, stop: int) -> Track:
        """Return the rows from `start` up to, not including, `stop`."""
        columns: dict[str, Any] = {name: getattr(self, name)[start:stop] for name in _COLUMNS}
        shots = dict.fromkeys(max(0, first - start) for first in self.shots if first < stop)
        return replace(self, shots=tuple(shots), **columns)

    def split_shots(self) -> list[Track]:
        """Return the part of each camera shot; the whole track where shots are unknown."""
        bounds = [*(self.shots or (0,)), len(self)]
        return [self.cut(start, stop) for start, stop in itertools.pairwise(bounds)]

    @classmethod
    def join(cls, parts: Sequence[Track]) -> Track:
        """Return a track of the rows and shots of its parts, of which there is at least one."""
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS
        }
        starts = itertools.accumulate(map(len, parts[:-1]), initial=0)
        shots = [
            start + first for start, part in zip(starts, parts, strict=True) for first in part.shots
        ]
        return cls(shots=tuple(shots), **columns)

    def spread(self, frames: range) -> Track:
        """Return a track with the rows at other frames, and unlabelled ones before and between.

        Args:
            frames: those of the rows; as many as there are rows, or more.
        """
        places = list(frames[: len(self)])
        if places == list(range(len(self))):
            return self
        whole = self.cut(0, 0).resized(places[-1] + 1)
        columns: dict[str, Any] = {name: getattr(whole, name).copy() for name in _COLUMNS}
        columns["status"] = columns["status"].astype(f"<U{max(map(len, STATUSES))}")
        for name, values in columns.items():
            values[places] = getattr(self, name)
        return replace(self, shots=tuple(places[first] for first in self.shots), **columns)

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

    def plot(self, picture: np.ndarray | None = None) -> Any:
        """Return a matplotlib figure of where the ball flew, coloured by time.

        Args:
            picture: `(height, width, 3)` uint8 RGB to draw on, such as a frame of the video; an
                empty picture that holds all positions when omitted.

        Raises:
            InputError: matplotlib is not installed.
        """
        check_matplotlib()
        if picture is None:
            picture = self._draw_empty()
        return draw_flight(self.positions, self.time, self.status == REPAIRED, picture)

    def _draw_empty(self) -> np.ndarray:
        """Return a white picture that holds all positions."""
        width, height = (max(np.nanmax(v, initial=0.0), 1.0) for v in (self.x, self.y))
        return np.full((math.ceil(height) + 1, math.ceil(width) + 1, 3), 255, np.uint8)

    def to_supervision(self, *, side: float = 12.0) -> list[Any]:
        """Return a `supervision.Detections` for each frame, empty where there is no ball.

        Args:
            side: of the box around the ball, pixels of the source video; a track does not know
                how large the ball is. The middle of the box is the position.

        Raises:
            InputError: supervision is not installed.
        """
        return make_detections(self.positions, self.confidence, self.status, side)
