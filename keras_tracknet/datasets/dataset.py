"""Datasets: labelled clips below a folder."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.labels import DEFAULT_VISIBLE, VISIBLE
from keras_tracknet.datasets.layouts.collections import find_collection, find_yolo
from keras_tracknet.datasets.layouts.matches import find_match
from keras_tracknet.datasets.layouts.pairs import find_pairs, find_twins
from keras_tracknet.datasets.layouts.predictions import find_prediction
from keras_tracknet.datasets.layouts.runs import find_labels_inside, find_run
from keras_tracknet.datasets.layouts.search import MAX_DEPTH, LayoutSearch
from keras_tracknet.errors import InputError
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.media import estimate_frames
from keras_tracknet.video.reader import probe_video

# Tried on each folder in this order: what one has found, the next do not look at again.
LAYOUTS = (
    find_match,
    find_prediction,
    find_run,
    find_collection,
    find_yolo,
    find_twins,
    find_labels_inside,
    find_pairs,
)


@dataclass(frozen=True)
class Dataset:
    """The clips below a folder.

    Attributes:
        root: the folder.
        layout: the layouts found, with the number of clips and the units of their labels.
        clips: every clip that has both frames and readable labels, by name.
        warnings: what was left out or looked wrong, a line each.
    """

    root: Path
    layout: str
    clips: tuple[Clip, ...]
    warnings: tuple[str, ...]

    def describe_warnings(self) -> str:
        """Return in one line what was left out or looked wrong; empty when nothing was."""
        if not self.warnings:
            return ""
        first = self.warnings[0].rstrip(".")
        more = f", and {len(self.warnings) - 1} more" if len(self.warnings) > 1 else ""
        return f"{first}{more}; run tracknet data check {self.root} to list all problems."


def find_dataset(root: Path, *, visible: str = DEFAULT_VISIBLE) -> Dataset:
    """Find the clips below a folder, in any of the known layouts or in a mixture of them.

    Labels are recognised by what the files hold; see `io.formats` for the formats and
    `io.layouts` for the ways in which they lie beside footage. Label files are read, to tell
    pixels from fractions; videos are not opened.

    Args:
        root: the folder.
        visible: which balls count as visible where labels say how well they are seen: `easy`
            ones, `hard` to see ones too, or those that are `hidden` as well.

    Returns:
        A `Dataset`, without clips when there are none.

    Raises:
        InputError: there is no such folder.
        ValueError: an unknown `visible`.
    """
    if visible not in VISIBLE:
        raise ValueError(f"`visible` must be one of {', '.join(VISIBLE)}. Received: {visible!r}")
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; use a folder of videos with labels.")
    search = LayoutSearch(root, visible)
    _visit(search, root, MAX_DEPTH)
    clips = tuple(sorted(search.clips, key=lambda clip: clip.name))
    warnings = dict.fromkeys([*search.warnings, *_check_units(clips)])
    return Dataset(root, search.describe(), clips, tuple(warnings))


def find_labelled_clips(root: Path, *, visible: str = DEFAULT_VISIBLE) -> Dataset:
    """Find the clips below a folder as `find_dataset` does; there must be one.

    Raises:
        InputError: there is no such folder, or no labelled clip in it.
    """
    dataset = find_dataset(root, visible=visible)
    if not dataset.clips:
        why = (
            dataset.describe_warnings() or f"run tracknet data check {root} to see what is missing."
        )
        raise InputError(f"{root}: no labelled clips found; {why}")
    return dataset


def find_clips(
    root: Path, names: Iterable[str] = (), *, visible: str = DEFAULT_VISIBLE
) -> tuple[Clip, ...]:
    """Find the labelled clips below a folder.

    Args:
        root: the folder.
        names: names of clips, folders of clips or globs, see `pick_clips`; every clip when empty.
        visible: as for `find_dataset`.

    Returns:
        The clips, each with its `name`, its `source` (the video) and its labels.

    Raises:
        InputError: there is no such folder, no labelled clip in it, or a name fits none.
    """
    clips, names = find_labelled_clips(root, visible=visible).clips, tuple(names)
    return pick_clips(clips, names) if names else clips


def read_labels(
    clip: Clip, *, size: tuple[int, int] | None = None, frames: int | None = None
) -> Track:
    """Read the labels of a clip.

    Rows are placed by their Frame, never by their order. Frames without a row are
    unlabelled; so are positions more than four pixels beyond the picture, while nearer ones
    are kept as they stand. Rows after the video's end are left out.

    Args:
        clip: whose labels to read.
        size: (height, width) of the source video; read from the video when omitted.
        frames: number of frames in it; read from the video when omitted.

    Returns:
        A `Track` in pixels of the source video, with a row for each of its frames.

    Raises:
        InputError: the video has to be opened and cannot be.
    """
    if size is None or frames is None:
        info = probe_video(clip.source)
        size = size or (info.height, info.width)
        frames = estimate_frames(info) if frames is None else frames
    return clip.table.track(size, frames)


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


def _visit(search: LayoutSearch, path: Path, depth: int) -> None:
    folder = search.listing(path)
    if any(find(search, folder) for find in LAYOUTS):
        return
    for below in folder.folders.values() if depth else ():
        if below not in search.done:
            _visit(search, below, depth - 1)


def _no_such_clip(name: str, clips: tuple[Clip, ...]) -> str:
    known = list(dict.fromkeys([*(c.name for c in clips), *(c.group for c in clips)]))
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or known[:3]
    return (
        f"no clip named {name}; did you mean {', '.join(near)}?"
        if near
        else f"no clip named {name}: the dataset has no clips."
    )


def _check_units(clips: tuple[Clip, ...]) -> list[str]:
    warnings = []
    for group in dict.fromkeys(clip.group for clip in clips):
        known = [clip.table.units for clip in clips if clip.group == group]
        units = Counter(filter(None, known))
        if len(units) > 1:
            counts = ", ".join(f"{count} in {unit}" for unit, count in units.most_common())
            warnings.append(f"{group}: labels use different units ({counts}); check them")
    return warnings
