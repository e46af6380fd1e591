"""Checks of a dataset: what each clip holds, and what looks wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.dataset import Dataset
from keras_tracknet.errors import InputError
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.images import show_size
from keras_tracknet.video.media import estimate_frames, number_images, open_media
from keras_tracknet.video.reader import probe_video, read_frames

MOST_LINES = 12  # of warnings, before a run
DENSE = 24  # labels without a hole that are too many for a sample
RATES = 0.05  # by which the labels' frames per second may differ from the video's
SHAPES = 0.02  # by which the shape of a picture may differ from another's
EARLY = 0.98  # share of a clip before which its labels end early


@dataclass(frozen=True)
class ClipReport:
    """What one clip holds.

    Attributes:
        name, group, part, evaluated: as in `Clip`.
        frames: in the video; for a video file as its container states, which may be off by
            a few.
        labelled: frames of the video with a label.
        visible: those where the ball has a position.
        size: (height, width) of the video in pixels, None when it cannot be read.
        fps: None for images, or when the video cannot be read.
        problems: a line each.
    """

    name: str
    group: str
    part: str
    evaluated: tuple[int, int] | None
    frames: int
    labelled: int
    visible: int
    size: tuple[int, int] | None
    fps: float | None
    problems: tuple[str, ...]


@dataclass(frozen=True)
class DatasetReport:
    """What a dataset holds, clip by clip.

    Attributes:
        root, layout, warnings: as in `Dataset`.
        clips: a report each, by name.
        sheet: the contact sheet, None where none was drawn.
    """

    root: Path
    layout: str
    clips: tuple[ClipReport, ...]
    warnings: tuple[str, ...]
    sheet: Path | None = None

    @property
    def usable(self) -> bool:
        """Whether there is a single labelled frame to train on or to evaluate."""
        return any(clip.labelled for clip in self.clips)

    def totals(self) -> dict[str, int]:
        """Return the number of clips, and the sums of their frames."""
        counts = {
            name: sum(getattr(clip, name) for clip in self.clips)
            for name in ("frames", "labelled", "visible")
        }
        return {"clips": len(self.clips), **counts}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        return {
            **asdict(self),
            "root": str(self.root),
            "sheet": str(self.sheet) if self.sheet else None,
            "totals": self.totals(),
        }


def list_warnings(dataset: Dataset, clips: Sequence[Clip]) -> list[str]:
    """Return what was left out or looks wrong, a line each, before clips are made use of.

    Equal warnings of several clips become one line.

    Args:
        dataset: as `find_dataset` returns it.
        clips: those of them that are used; their videos are opened, not decoded.
    """
    lines = [*dataset.warnings]
    for clip in clips:
        lines += [f"{clip.name}: {problem}" for problem in _check_clip(clip, exact=False).problems]
    alike: dict[str, list[str]] = {}
    for line in lines:
        alike.setdefault(re.sub(r"\d+", "", line.partition(": ")[2]), []).append(line)
    shown = [
        f"{same[0]} (and {len(same) - 1} more like it)" if len(same) > 1 else same[0]
        for same in alike.values()
    ]
    if len(lines) > len(shown) or len(shown) > MOST_LINES:
        more = f"{len(shown) - MOST_LINES} more warnings; " if len(shown) > MOST_LINES else ""
        shown[MOST_LINES:] = [f"{more}run tracknet data check {dataset.root} to list all"]
    return shown


def check_dataset(dataset: Dataset) -> DatasetReport:
    """Compare labels and videos of every clip of a dataset.

    Videos are opened, not decoded, unless their container does not say how long they are.

    Args:
        dataset: as `find_dataset` returns it.
    """
    warnings = dataset.warnings
    if len(dataset.clips) == 1:
        warnings += ("only one clip: a model would be trained and validated on the same clip",)
    reports = tuple(_check_clip(clip, exact=True) for clip in dataset.clips)
    return DatasetReport(dataset.root, dataset.layout, reports, warnings)


def _check_clip(clip: Clip, *, exact: bool) -> ClipReport:
    table = clip.table
    try:
        info = probe_video(clip.source)
        counted = info.frames or not exact
        frames = estimate_frames(info) if counted else sum(1 for _ in read_frames(clip.source))
    except InputError as error:
        problems = (str(error),)
        return ClipReport(
            clip.name, clip.group, clip.part, clip.evaluated, 0, 0, 0, None, None, problems
        )
    size = (info.height, info.width)
    fps = None if clip.source.is_dir() else float(info.fps)
    track = table.track(size, frames)
    return ClipReport(
        name=clip.name,
        group=clip.group,
        part=clip.part,
        evaluated=clip.evaluated,
        frames=frames,
        labelled=int(track.labelled.sum()),
        visible=int(track.visibility.sum()),
        size=size,
        fps=fps,
        problems=(*info.remarks(), *_find_problems(clip, frames, size, fps, track)),
    )


def _find_problems(
    clip: Clip, frames: int, size: tuple[int, int], fps: float | None, track: Track
) -> Iterator[str]:
    table = clip.table
    first, last = int(table.frame[0]), int(table.frame[-1])
    if first >= 1 and last == frames:
        yield (
            f"labels cover frames {first} to {frames}, but the clip has frames 0 to {frames - 1}:"
            " they are probably counted from 1; fix them with tracknet data convert --first-frame"
            " 1"
        )
    elif (late := table.frame >= frames).any():
        count = int(late.sum())
        labels = "1 label" if count == 1 else f"{count:,} labels"
        verb = "is" if count == 1 else "are"
        yield f"{labels} after the last frame ({frames - 1}) {verb} ignored"
    elif not table.open_end and DENSE <= len(table.frame) == last + 1 < EARLY * frames:
        yield (
            f"every frame up to {last} has a label, the remaining {frames - last - 1} have none:"
            " labels may use another frame rate or come from a shorter cut"
        )
    if fps and table.fps and not 1 - RATES < table.fps / fps < 1 + RATES:
        yield (
            f"label times correspond to {table.fps:.4g} frames per second, but the video has"
            f" {fps:.4g}: labels may belong to another version of the video"
        )
    if table.size is not None and table.size != size:
        made_on, shown = show_size(table.size), show_size(size)
        alike = abs(table.size[0] * size[1] / (table.size[1] * size[0]) - 1) < SHAPES
        yield (
            f"labels were made at {made_on} pixels, frames have {shown}: positions are scaled"
            + ("" if alike else ", although the aspect ratios differ; check the contact sheet")
        )
    if (beyond := table.beyond(size)).any():
        first = table.frame[beyond.argmax()]
        yield (
            f"{beyond.sum()} positions outside the picture, first in frame {first}, are read as"
            " unlabelled"
        )
    if not track.visibility.any():
        yield "no frame has a visible ball"
    yield from _find_holes(clip)


def _find_holes(clip: Clip) -> Iterator[str]:
    """Yield a problem where the images of a folder are not frames that follow each other."""
    images = open_media(clip.source).images if clip.source.is_dir() else ()
    numbers = number_images(images)
    if images and numbers is None:
        yield "image numbers are not consecutive: the folder may contain frames of several clips"
    elif numbers is not None and (holes := np.flatnonzero(np.diff(numbers) > 1)).size:
        after = images[holes[0]]
        yield (
            f"{holes.size} gaps in the image numbers, first after {after}: frames must be"
            " consecutive"
        )
