"""Layouts: the ways labelled clips lie in folders, recognised by what the folders hold."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.io.images import IMAGE_SUFFIXES
from keras_tracknet.io.labels import is_label_file, read_label_table

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".mpg", ".mpeg", ".ts")

SHUTTLECOCK = "match folders (Shuttlecock Trajectory)"
PAIRS = "video and CSV pairs"
RUNS = "image runs"

MAX_DEPTH = 3  # folders below the root that are searched: sport/match/rally

_PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class Clip:
    """One rally or run: frames and the labels that belong to them.

    Attributes:
        name: unique in the dataset, with forward slashes: `match1/1_05_02`, `00001`.
        source: video file or folder of images.
        labels: CSV of labels.
        group: the match, or the folder, the clip comes from; clips of one group look alike.
        units: of the positions in `labels`: `pixels` of the source video, `fraction` of its
            width and height, or None where no row is visible.
        part: `train`, `val` or `test` where the dataset comes split, else empty.
        evaluated: (start, end): only frames start <= frame < end count in an evaluation;
            None when all do.
    """

    name: str
    source: Path
    labels: Path
    group: str
    units: str | None = None
    part: str = ""
    evaluated: tuple[int, int] | None = None


@dataclass
class LayoutSearch:
    """Collects the clips below a folder.

    Attributes:
        root: the folder; clips are named from there.
        clips: those found so far.
        doubts: what was left out or looked wrong, a line each.
    """

    root: Path
    clips: list[Clip] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    _layouts: Counter[tuple[str, str | None]] = field(default_factory=Counter)

    def visit(self, folder: Path, depth: int = 0) -> None:
        """Add the clips of a folder; folders inside it are searched down to `MAX_DEPTH`."""
        try:
            files, folders = _listing(folder)
            if {"csv", "corrected_csv"} & folders.keys() and {"video", "frame"} & folders.keys():
                self._add_match(folder, folders)
                return
            if "frames" in folders and ("labels.csv" in files or _has_images(folders["frames"])):
                self._add_run(folder, folders["frames"], files.pop("labels.csv", None))
            self._add_pairs(folder, files)
        except OSError as error:
            self.doubts.append(f"{folder}: cannot be read ({error.strerror})")
            return
        for below in folders.values() if depth < MAX_DEPTH else ():
            self.visit(below, depth + 1)

    def describe(self) -> str:
        """Return the layouts found, with the number of clips and the units of their labels."""
        units = {"pixels": "in pixels", "fraction": "as fractions of the picture"}
        texts = [
            f"{layout}: {count} with positions {units[unit]}"
            if unit
            else f"{layout}: {count} without a visible ball"
            for (layout, unit), count in self._layouts.items()
        ]
        return "; ".join(texts) or "none that is known"

    def _add_match(self, match: Path, folders: dict[str, Path]) -> None:
        files = {name: _listing(path)[0].values() for name, path in folders.items()}
        labels = _label_files(files.get("csv", ())) | _label_files(files.get("corrected_csv", ()))
        sources = _image_folders(folders.get("frame")) | self._videos(files.get("video", ()))
        group = self._name(match)
        evaluated = self._evaluated_frames(match, labels)
        for rally in sorted(labels.keys() | sources.keys()):
            self._add(
                SHUTTLECOCK,
                f"{group}/{rally}" if match != self.root else rally,
                sources.get(rally),
                labels.get(rally),
                # val holds the last rally of every match in train: the same match.
                group=re.sub(r"(^|/)val/", r"\1train/", group),
                part=self._part(match),
                evaluated=evaluated.get(rally),
            )

    def _add_run(self, run: Path, frames: Path, labels: Path | None) -> None:
        above = run.parent if run != self.root else run
        self._add(
            RUNS,
            self._name(run),
            frames if _has_images(frames) else None,
            labels,
            group=self._name(above),
            part=self._part(above),
        )

    def _add_pairs(self, folder: Path, files: dict[str, Path]) -> None:
        videos = self._videos(files.values())
        labels = _label_files(files.values())
        for stem in sorted(videos.keys() | labels.keys()):
            if stem not in videos and not is_label_file(labels[stem]):
                continue  # some other table
            self._add(
                PAIRS,
                f"{self._name(folder)}/{stem}" if folder != self.root else stem,
                videos.get(stem),
                labels.get(stem),
                group=self._name(folder),
                part=self._part(folder),
            )

    def _add(
        self, layout: str, name: str, source: Path | None, labels: Path | None, **more: Any
    ) -> None:
        if source is None:
            self.doubts.append(f"{name}: labels without a video or images ({labels})")
        elif labels is None:
            self.doubts.append(f"{name}: no labels for it, so it is left out ({source})")
        elif any(clip.name == name for clip in self.clips):
            self.doubts.append(f"{name}: a second clip of this name is left out ({source})")
        else:
            try:
                table = read_label_table(labels)
            except InputError as error:
                self.doubts.append(f"{name}: left out. {error}")
                return
            self.doubts += [f"{name}: {doubt}" for doubt in table.doubts]
            self._layouts[layout, table.units] += 1
            self.clips.append(Clip(name, source, labels, units=table.units, **more))

    def _name(self, path: Path) -> str:
        below = path.relative_to(self.root).as_posix()
        return self.root.resolve().name if below == "." else below

    def _part(self, folder: Path) -> str:
        parts = [_PARTS.get(part.lower(), "") for part in folder.relative_to(self.root).parts]
        return next(filter(None, parts), "")

    def _videos(self, files: Iterable[Path]) -> dict[str, Path]:
        videos: dict[str, Path] = {}
        for path in files:
            if path.suffix.lower() not in VIDEO_SUFFIXES:
                continue
            if path.stem in videos:
                self.doubts.append(f"{path}: left out for {videos[path.stem].name} beside it")
            videos.setdefault(path.stem, path)
        return videos

    def _evaluated_frames(self, match: Path, rallies: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Read which frames of each rally count, from `drop_frame.json` beside the match."""
        match = match.resolve()
        path = match.parent / "drop_frame.json"
        if not path.is_file():
            return {}
        number = re.sub(r"\D", "", match.name)
        try:
            table = json.loads(path.read_text(encoding="utf-8-sig"))
            start, end = table["start"], table["end"]
            spans = {r: (start[k], end[k]) for r in rallies if (k := f"{number}_{r}") in start}
            if any(not 0 <= int(first) < int(last) for first, last in spans.values()):
                raise ValueError("an end is not after its start")
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.doubts.append(f"{path}: cannot be used, so all frames count ({error})")
            return {}
        if not spans:
            self.doubts.append(f"{path}: names no rally of {match.name}, so all its frames count")
        return {rally: (int(first), int(last)) for rally, (first, last) in spans.items()}


def _listing(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return files and folders by lower-case name, sorted, without hidden ones."""
    files: dict[str, Path] = {}
    folders: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith("."):
            (folders if path.is_dir() else files)[path.name.lower()] = path
    return files, folders


def _label_files(files: Iterable[Path]) -> dict[str, Path]:
    """Return the CSV files by clip: the stem, without a closing `_ball`."""
    tables = [path for path in files if path.suffix.lower() == ".csv"]
    return {path.stem.removesuffix("_ball"): path for path in tables}


def _image_folders(folder: Path | None) -> dict[str, Path]:
    if folder is None:
        return {}
    folders = _listing(folder)[1].values()
    return {path.name: path for path in folders if _has_images(path)}


def _has_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())
