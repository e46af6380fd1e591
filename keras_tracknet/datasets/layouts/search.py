"""The search for labelled clips below a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.formats.recognise import (
    LABEL_SUFFIXES,
    read_label_file,
    recognise_format,
)
from keras_tracknet.datasets.labels import DEFAULT_VISIBLE, LabelTable
from keras_tracknet.errors import InputError
from keras_tracknet.video.images import IMAGE_SUFFIXES
from keras_tracknet.video.media import VIDEO_SUFFIXES, Media, open_media

SHOWN = 3  # names in a list of files that are not known
MAX_DEPTH = 3  # folders below the root that are searched: sport/match/rally

_PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

Read = Callable[[Path, Media, str], LabelTable]


@dataclass(frozen=True)
class Folder:
    """What lies in a folder, hidden things left out.

    Attributes:
        path: the folder.
        files, folders: paths by lower-case name, sorted.
    """

    path: Path
    files: dict[str, Path]
    folders: dict[str, Path]

    @cached_property
    def has_images(self) -> bool:
        """Whether an image lies in it."""
        return any(path.suffix.lower() in IMAGE_SUFFIXES for path in self.files.values())

    @property
    def videos(self) -> list[Path]:
        """The video files in it."""
        return [path for path in self.files.values() if path.suffix.lower() in VIDEO_SUFFIXES]


@dataclass
class LayoutSearch:
    """Collects the clips below a folder.

    Attributes:
        root: the folder; clips are named from there.
        visible: the worst grade that counts as visible, out of `VISIBLE`.
        clips: those found so far.
        warnings: what was left out or looked wrong, a line each.
        done: folders and files that belong to something found, not to be looked at again.
    """

    root: Path
    visible: str = DEFAULT_VISIBLE
    clips: list[Clip] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    done: set[Path] = field(default_factory=set)
    _layouts: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    _sources: dict[Path, str] = field(default_factory=dict)
    _folders: dict[Path, Folder] = field(default_factory=dict)
    _formats: dict[Path, ModuleType | None] = field(default_factory=dict)

    def listing(self, path: Path) -> Folder:
        """List a folder, at its first call; an unreadable folder gives a warning and is empty."""
        if path not in self._folders:
            files: dict[str, Path] = {}
            folders: dict[str, Path] = {}
            try:
                for entry in sorted(path.iterdir()):
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir():
                        if path.resolve().is_relative_to(entry.resolve()):
                            continue  # a link to a folder that this one is in
                        folders[entry.name.lower()] = entry
                    elif entry.is_file():  # and no pipe, that nobody may write into
                        files[entry.name.lower()] = entry
            except OSError as error:
                self.warnings.append(f"{path}: cannot be read ({error.strerror})")
            self._folders[path] = Folder(path, files, folders)
        return self._folders[path]

    def walk(self, path: Path, depth: int = MAX_DEPTH) -> Iterator[Folder]:
        """Yield a folder and those below it, the ones already done left out."""
        if path in self.done:
            return
        folder = self.listing(path)
        yield folder
        for below in folder.folders.values() if depth else ():
            yield from self.walk(below, depth - 1)

    def recognise(self, path: Path) -> ModuleType | None:
        """Return the module that reads a label file, None where it is none."""
        if path not in self._formats:
            self._formats[path] = recognise_format(path)
        return self._formats[path]

    def add(
        self,
        layout: str,
        name: str,
        source: Path | None,
        labels: Path | None,
        *,
        place: Path,
        read: Read = read_label_file,
        **more: Any,
    ) -> None:
        """Add a clip, or a warning about what it lacks.

        Args:
            layout: how it lies.
            name: of the clip.
            source: video file or folder of images.
            labels: its labels.
            place: the folder of clips that look alike, and whose name may say train or test.
            read: reads `labels`.
            more: further attributes of the `Clip`.
        """
        if source is None:
            self.warnings.append(f"{name}: skipped: labels without a video or images ({labels})")
        elif labels is None:
            self.warnings.append(
                f"{name}: skipped: no labels found ({source})" + self._name_unknown(source)
            )
        elif any(clip.name == name for clip in self.clips):
            self.warnings.append(f"{name}: skipped: another clip has this name ({source})")
        elif twin := self._sources.get(source.resolve()):
            # Under two names it could be validated on what has trained.
            self.warnings.append(f"{name}: skipped: same footage as {twin}")
        else:
            try:
                table = read(labels, open_media(source), self.visible)
            except InputError as error:
                why = str(error) if str(labels) in str(error) else f"{labels}: {error}."
                self.warnings.append(f"{name}: skipped: {why}")
                return
            self.warnings += [f"{name}: {warning}" for warning in table.warnings]
            self._layouts[", ".join(filter(None, (layout, table.format))), table.units] += 1
            clip = Clip(name, source, labels, self.name(place), table, self.part(place))
            self.clips.append(replace(clip, **more))
            self._sources[source.resolve()] = name

    def _name_unknown(self, source: Path) -> str:
        """Name the files beside a video that look like labels and are none that are known."""
        folder = self.listing(source.parent)
        others = {video.stem for video in folder.videos if video != source}
        files = [
            file.name
            for file in folder.files.values()
            if file.suffix.lower() in LABEL_SUFFIXES
            and file not in self.done
            and label_key(file) not in others
            and not self.recognise(file)
        ]
        more = f" and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
        return f"; unknown label format: {', '.join(files[:SHOWN])}{more}" if files else ""

    def describe(self) -> str:
        """Return the layouts found, with the number of clips and the units of their labels."""
        units = {"pixels": "in pixels", "fraction": "as fractions of the picture"}
        texts = [
            f"{layout}: {count} with positions {units[unit]}"
            if unit
            else f"{layout}: {count} without a visible ball"
            for (layout, unit), count in self._layouts.items()
        ]
        return "; ".join(texts) or "no known layout"

    def name(self, path: Path) -> str:
        """Return the name of a clip that lies there: its path below the root."""
        below = path.relative_to(self.root).as_posix()
        return self.root.resolve().name if below == "." else below

    def name_in(self, folder: Path, stem: str) -> str:
        """Return the name of a clip that is one of several in a folder."""
        return stem if folder == self.root else f"{self.name(folder)}/{stem}"

    def part(self, folder: Path) -> str:
        """Return the part of the dataset that a folder belongs to by the names above it."""
        parts = [_PARTS.get(part.lower(), "") for part in folder.relative_to(self.root).parts]
        return next(filter(None, parts), "")

    def pick_videos(self, paths: list[Path]) -> dict[str, Path]:
        """Return videos by stem; a second container of a video gives a warning."""
        videos: dict[str, Path] = {}
        for path in paths:
            if path.stem in videos:
                self.warnings.append(f"{path}: skipped in favour of {videos[path.stem].name}")
            videos.setdefault(path.stem, path)
        return videos


def label_key(path: Path) -> str:
    """Return the name of the clip that a label file is for by its own name."""
    stem = path.stem.removesuffix("_ball")
    return Path(stem).stem if Path(stem).suffix.lower() in VIDEO_SUFFIXES else stem
