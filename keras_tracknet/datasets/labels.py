"""Label tables: what people wrote down about the ball of one clip, before it is a track."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.media import Media

PIXELS = "pixels"
FRACTION = "fraction"

# Grades of visibility, as the TrackNetV1 tennis labels number them (Huang et al. 2019).
NO_BALL, EASY, HARD, HIDDEN = range(4)
# The worst grade that still counts as visible. `hard` is what WASB (Tarashima et al. 2023) takes.
VISIBLE = {"easy": EASY, "hard": HARD, "hidden": HIDDEN}
DEFAULT_VISIBLE = "hard"

MARGIN = 4.0  # pixels beyond the picture at which a position still counts
LAST_FRAME = 10_000_000  # more than four days of video; beyond it is a typing error
FAR = 1e9  # what lies beyond is no position
FRACTION_SHARE = 0.9  # of the visible positions; the rest may be slips of the pen
HALF_PIXEL = 0.5  # from the picture's edge to the centre of its first pixel


class Label(NamedTuple):
    """A frame, counted from 0; how well the ball is seen; and where, NaN for nowhere."""

    frame: int
    grade: int
    x: float
    y: float


@dataclass(frozen=True)
class LabelTable:
    """The labelled frames of one clip, ascending, at most one row per frame.

    Attributes:
        frame: `(rows,)` int64, 0-based.
        visibility: `(rows,)` bool.
        x, y: `(rows,)` float64 in `units`, NaN where the ball is not visible.
        units: `pixels` of the source video, `fraction` of its width and height, or None
            where no row is visible.
        warnings: what looked wrong, a line each.
        format: how the labels were written, empty for a plain table of frames.
        size: (height, width) in pixels of the picture that the labels were made on, where
            they say so.
        offset: pixels to add to a position, -0.5 where it was measured from the picture's edge.
        fps: frames per second as the labels' own times have it, where there are some.
        open_end: whether labels end where somebody stopped, which the warnings say.
    """

    frame: np.ndarray
    visibility: np.ndarray
    x: np.ndarray
    y: np.ndarray
    units: str | None
    warnings: tuple[str, ...] = ()
    format: str = ""
    size: tuple[int, int] | None = None
    offset: float = 0.0
    fps: float | None = None
    open_end: bool = False

    @classmethod
    def from_labels(
        cls,
        labels: Iterable[Label],
        *,
        visible: str = DEFAULT_VISIBLE,
        units: str | None = None,
        warnings: Iterable[str] = (),
        format: str = "",
        size: tuple[int, int] | None = None,
        offset: float = 0.0,
        fps: float | None = None,
        open_end: bool = False,
    ) -> LabelTable:
        """Build a table of labels in any order, one per frame.

        A row that is visible without a position says nothing, so its frame is unlabelled.
        Frames that no video has are left out.

        Args:
            labels: one per frame at most.
            visible: the worst grade that counts as visible, out of `VISIBLE`.
            units: of the positions; decided by what they are when omitted.
            warnings, format, size, offset, fps, open_end: as the attributes.

        Raises:
            InputError: no row is left.
        """
        every = sorted(labels)
        rows = [label for label in every if 0 <= label.frame <= LAST_FRAME]
        array = np.array(rows, dtype=np.float64).reshape(-1, 4)
        seen = (array[:, 1] > NO_BALL) & (array[:, 1] <= VISIBLE[visible])
        notes = [*warnings]
        if len(rows) < len(every):
            lost = len(every) - len(rows)
            notes.append(f"{lost} labels of frames below 0 or above {LAST_FRAME} are skipped")
        warning = _check_visibility(array, seen)
        if warning:
            notes.append(warning)
        blank = seen & ~(np.abs(array[:, 2:]) < FAR).all(axis=1)
        if blank.any():
            notes.append(f"{blank.sum()} rows are visible without a position: read as unlabelled")
            array, seen = array[~blank], seen[~blank]
        if not len(array):
            raise InputError(
                "contains no labelled rows" + (f" ({'; '.join(notes)})" if notes else "")
            )
        positions = np.where(seen[:, None], array[:, 2:], np.nan)
        if units is None or not seen.any():
            units, warning = _decide_units(positions[seen].T)
            if warning:
                notes.append(warning)
        return cls(
            frame=array[:, 0].astype(np.int64),
            visibility=seen,
            x=positions[:, 0],
            y=positions[:, 1],
            units=units,
            warnings=tuple(notes),
            format=format,
            size=size,
            offset=offset,
            fps=fps,
            open_end=open_end,
        )

    def positions(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y, `(rows,)` each, in pixels of the source video.

        A fraction is multiplied by the width or height, as the labelling tools of this field
        wrote it. Pixels of another picture size are scaled.

        Args:
            size: (height, width) of the source video.
        """
        height, width = size
        made_on = (1, 1) if self.units == FRACTION else (self.size or size)
        return (
            self.x * (width / made_on[1]) + self.offset,
            self.y * (height / made_on[0]) + self.offset,
        )

    def beyond(self, size: tuple[int, int]) -> np.ndarray:
        """Return `(rows,)` bool: positions more than `MARGIN` pixels off the picture."""
        x, y = self.positions(size)
        height, width = size
        off = np.maximum(np.maximum(-x, x - (width - 1)), np.maximum(-y, y - (height - 1)))
        beyond: np.ndarray = off > MARGIN + HALF_PIXEL
        return beyond

    def placed(self, media: Media) -> LabelTable:
        """Return the table with frames counted as those of a clip, see `Media.place`."""
        frames, warning = media.place(self.frame)
        return replace(
            self, frame=frames, warnings=(*self.warnings, *([warning] if warning else []))
        )

    def shifted(self, frames: int) -> LabelTable:
        """Return the table with every row moved by a number of frames; those before 0 are lost."""
        kept = self.frame + frames >= 0
        return replace(
            self,
            frame=self.frame[kept] + frames,
            visibility=self.visibility[kept],
            x=self.x[kept],
            y=self.y[kept],
        )

    def track(self, size: tuple[int, int], frames: int | None = None) -> Track:
        """Place the rows on the frames they name.

        Frames without a row, and positions that `beyond` marks, are unlabelled; rows after the
        last frame are left out.

        Args:
            size: (height, width) of the source video.
            frames: in the source video; when omitted the track ends with the last row.

        Returns:
            A `Track` in pixels of the source video.
        """
        if frames is None:
            frames = int(self.frame[-1]) + 1 if len(self.frame) else 0
        there = self.frame < frames
        columns = np.zeros((4, frames))
        x, y = self.positions(size)
        rows = np.stack([x, y, self.visibility, ~self.beyond(size)])
        columns[:, self.frame[there]] = rows[:, there]
        return Track.from_positions(columns[0], columns[1], columns[2], labelled=columns[3])


def _check_visibility(array: np.ndarray, seen: np.ndarray) -> str:
    """Return a warning where positions stand beside what counts as invisible, and only there."""
    placed = np.isfinite(array[:, 2:]).all(axis=1) & (array[:, 2:] > 0).any(axis=1)
    if not seen.any() or seen.all() or placed[seen].mean() > 0.1 or placed[~seen].mean() < 0.9:
        return ""
    return (
        f"{seen.sum()} rows are visible, nearly all without a position, and {(~seen).sum()} are"
        " not, nearly all with one: visibility may be inverted"
    )


def _decide_units(visible: np.ndarray) -> tuple[str | None, str]:
    """Return the units of `visible` (2, positions), and a warning where they are not clear."""
    if not visible.size:
        return None, ""
    small = ((visible >= -0.1) & (visible <= 1.1)).all(axis=0)
    if FRACTION_SHARE > small.mean() > 0.5:
        return PIXELS, (
            f"{small.sum()} of {small.size} positions are between 0 and 1, like fractions: all are"
            " read as pixels, check the file"
        )
    if small.mean() < FRACTION_SHARE:
        return PIXELS, ""
    if (visible[:, small] % 1 != 0).any():
        return FRACTION, ""
    return PIXELS, "all visible positions are 0 or 1: read as pixels, check the file"
