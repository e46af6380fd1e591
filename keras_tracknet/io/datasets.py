"""Datasets: labelled clips below a folder, split for training, checked for what is wrong."""

from __future__ import annotations

import difflib
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.io.labels import read_label_table
from keras_tracknet.io.layouts import Clip, LayoutSearch
from keras_tracknet.io.tracks import Track
from keras_tracknet.io.video import probe_video, read_frames

HELD_OUT = 0.15  # of the clips, for validation
MOST_HELD_OUT = 0.3  # a match larger than this is not given away whole


@dataclass(frozen=True)
class Dataset:
    """The clips below a folder.

    Attributes:
        root: the folder.
        layout: the layouts found, with the number of clips and the units of their labels.
        clips: every clip that has both frames and readable labels, by name.
        doubts: what was left out or looked wrong, a line each.
    """

    root: Path
    layout: str
    clips: tuple[Clip, ...]
    doubts: tuple[str, ...]

    def describe_doubts(self) -> str:
        """Return in one line what was left out or looked wrong; empty when nothing was."""
        if not self.doubts:
            return ""
        first = self.doubts[0].rstrip(".")
        more = f", and {len(self.doubts) - 1} more like it" if len(self.doubts) > 1 else ""
        return f"{first}{more}; tracknet data check {self.root} lists what to look at."


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
        root, layout, doubts: as in `Dataset`.
        clips: a report each, by name.
    """

    root: Path
    layout: str
    clips: tuple[ClipReport, ...]
    doubts: tuple[str, ...]

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
        return {**asdict(self), "root": str(self.root), "totals": self.totals()}


def find_dataset(root: Path) -> Dataset:
    """Find the clips below a folder in any of three layouts, or in a mixture of them.

    - Shuttlecock Trajectory (Sun et al. 2020): match folders, possibly under `train`, `val`
      and `test`, with `video/<rally>.mp4` (or `frame/<rally>/N.png`) and
      `csv/<rally>_ball.csv`. `corrected_csv` is preferred to `csv`, rally by rally;
      `drop_frame.json` beside the match folders says which frames count in an evaluation.
    - Pairs: `<stem>.mp4` and `<stem>.csv` or `<stem>_ball.csv` side by side.
    - Image runs: `<run>/frames/*.jpg` and `<run>/labels.csv`.

    Label files are read, to tell pixels from fractions; videos are not opened.

    Returns:
        A `Dataset`, without clips when there are none.

    Raises:
        InputError: there is no such folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give one with videos and their labels.")
    search = LayoutSearch(root)
    search.visit(root)
    clips = tuple(sorted(search.clips, key=lambda clip: clip.name))
    doubts = dict.fromkeys([*search.doubts, *_doubt_units(clips)])
    return Dataset(root, search.describe(), clips, tuple(doubts))


def find_labelled_clips(root: Path) -> Dataset:
    """Find the clips below a folder as `find_dataset` does; there must be one.

    Raises:
        InputError: there is no such folder, or no labelled clip in it.
    """
    dataset = find_dataset(root)
    if not dataset.clips:
        why = dataset.describe_doubts() or f"tracknet data check {root} says what is missing."
        raise InputError(f"{root}: no labelled clips found; {why}")
    return dataset


def read_labels(clip: Clip, *, size: tuple[int, int]) -> Track:
    """Read the labels of a clip.

    Rows are placed by their Frame, never by their order. Frames without a row are
    unlabelled; so are positions more than four pixels beyond the picture, while nearer ones
    are kept as they stand. The track ends with the last row: `Track.resized` fits it to the
    video.

    Args:
        clip: whose labels to read.
        size: (height, width) of the source video.

    Returns:
        A `Track` in pixels of the source video.

    Raises:
        InputError: the file cannot be read, has other columns, or a frame twice.
    """
    return read_label_table(clip.labels).track(size, clip.units)


def pick_clips(clips: Iterable[Clip], names: Iterable[str]) -> tuple[Clip, ...]:
    """Pick clips by name (`match1/1_05_02`), by a folder of them (`match1`) or glob (`match?/1_*`).

    Raises:
        InputError: a name fits no clip; similar names are listed.
    """
    clips = tuple(clips)
    picked: set[str] = set()
    for name in names:
        wanted = name.rstrip("/")
        found = {
            clip.name
            for clip in clips
            if clip.name == wanted
            or clip.name.startswith(f"{wanted}/")
            or fnmatchcase(clip.name, wanted)
        }
        if not found:
            raise InputError(_no_such_clip(name, clips))
        picked |= found
    return tuple(clip for clip in clips if clip.name in picked)


def split_clips(
    clips: Dataset | Iterable[Clip], names: Sequence[str] | None = None, *, seed: int = 0
) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Split clips for training and validation; whole clips, never frames.

    Clips under a `test` folder never train: they are in neither part, unless `names` picks
    them for validation. Without `names`, a `val` folder is the validation where there is
    one. Else about 15 % of the clips are held out: whole groups where some fit into 30 % of
    the clips, so that no match is on both sides, otherwise single clips. One clip alone is
    both parts, and its figures flatter.

    Args:
        clips: a dataset, or clips of it.
        names: the validation clips, as `pick_clips` takes them.
        seed: chooses among equals; the same seed gives the same split.

    Returns:
        (train, validation), in the order of `clips`.

    Raises:
        InputError: a name fits no clip, or no clip is left to train on.
    """
    every = clips.clips if isinstance(clips, Dataset) else tuple(clips)
    pool = tuple(clip for clip in every if clip.part != "test")
    if names is None and len(pool) == 1:
        return pool, pool
    if names is not None:
        validation = pick_clips(every, names)
    else:
        validation = tuple(clip for clip in pool if clip.part == "val") or _hold_out(pool, seed)
    train = tuple(clip for clip in pool if clip not in validation)
    if not train:
        raise InputError(
            f"no clip is left to train on ({len(every)} found, {len(validation)} for validation,"
            f" {len(every) - len(pool)} under a test folder); add clips or name fewer."
        )
    return train, validation


def check_dataset(root: Path) -> DatasetReport:
    """Compare labels and videos of every clip below a folder.

    Videos are opened, not decoded, unless their container does not say how long they are.

    Raises:
        InputError: there is no such folder.
    """
    dataset = find_dataset(root)
    doubts = dataset.doubts
    if len(dataset.clips) == 1:
        doubts += ("only one clip: a model would be validated on what it learns from",)
    reports = tuple(_check_clip(clip) for clip in dataset.clips)
    return DatasetReport(dataset.root, dataset.layout, reports, doubts)


def _check_clip(clip: Clip) -> ClipReport:
    table = read_label_table(clip.labels)
    try:
        info = probe_video(clip.source)
        frames = info.frames or sum(1 for _ in read_frames(clip.source))
    except InputError as error:
        problems = (str(error),)
        return ClipReport(
            clip.name, clip.group, clip.part, clip.evaluated, 0, 0, 0, None, None, problems
        )
    size = (info.height, info.width)
    track = table.track(size, clip.units).resized(frames)
    beyond = table.beyond(size, clip.units)
    late = table.frame >= frames
    notes = {
        f"{late.sum()} labels after the last frame, {frames - 1}: ignored": late.any(),
        f"{beyond.sum()} positions beyond the picture, as in frame"
        f" {table.frame[beyond.argmax()]}: taken as unlabelled": beyond.any(),
        "no ball is visible in any frame": not track.visibility.any(),
    }
    return ClipReport(
        name=clip.name,
        group=clip.group,
        part=clip.part,
        evaluated=clip.evaluated,
        frames=frames,
        labelled=int(track.labelled.sum()),
        visible=int(track.visibility.sum()),
        size=size,
        fps=None if clip.source.is_dir() else float(info.fps),
        problems=tuple(note for note, holds in notes.items() if holds),
    )


def _hold_out(clips: tuple[Clip, ...], seed: int) -> tuple[Clip, ...]:
    target = max(1, round(HELD_OUT * len(clips)))
    shuffled = random.Random(seed)
    groups = Counter(clip.group for clip in clips)
    order = sorted(groups)
    shuffled.shuffle(order)
    held: set[str] = set()
    count = 0
    for group in order:
        if count + groups[group] <= target:
            held.add(group)
            count += groups[group]
    smallest = min(order, key=groups.__getitem__, default="")
    if not held and groups[smallest] <= MOST_HELD_OUT * len(clips):
        held.add(smallest)
    if held:
        return tuple(clip for clip in clips if clip.group in held)
    names = set(shuffled.sample([clip.name for clip in clips], min(target, len(clips))))
    return tuple(clip for clip in clips if clip.name in names)


def _no_such_clip(name: str, clips: tuple[Clip, ...]) -> str:
    known = list(dict.fromkeys([*(c.name for c in clips), *(c.group for c in clips)]))
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known[:3]
    return (
        f"no clip is called {name}; did you mean {', '.join(near)}?"
        if near
        else f"no clip is called {name}: there are no clips."
    )


def _doubt_units(clips: tuple[Clip, ...]) -> list[str]:
    doubts = []
    for group in dict.fromkeys(clip.group for clip in clips):
        units = Counter(clip.units for clip in clips if clip.group == group and clip.units)
        if len(units) > 1:
            counts = ", ".join(f"{count} in {unit}" for unit, count in units.most_common())
            doubts.append(f"{group}: labels differ in units, {counts}; look at them")
    return doubts
