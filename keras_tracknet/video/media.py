"""Media: what a clip's frames are read from, a video or a folder of images."""

from __future__ import annotations

import glob
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.video.images import list_images
from keras_tracknet.video.info import VideoInfo
from keras_tracknet.video.reader import probe_video

VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".mpg", ".mpeg", ".ts",
    ".mts", ".m2ts", ".m2t", ".flv", ".f4v", ".3gp", ".3g2", ".vob", ".mod", ".ogv", ".asf", ".mxf",
    ".m2v", ".divx", ".dv", ".qt",
)  # fmt: skip


UNKNOWN_FRAMES = 1_000_000  # more than a video that cannot be read is taken to have
DIGITS = 15  # of a number in a name; the rest is no frame's

# Roboflow ends its names so: rally_mp4-0012_jpg.rf.0a1b2c3d.jpg
_HASH = re.compile(r"\.rf\.\w+$")


@dataclass(frozen=True)
class Media:
    """The frames that labels belong to.

    Attributes:
        path: video file or folder of images.
        images: names of the images in the order of the frames; empty for a video.
    """

    path: Path
    images: tuple[str, ...] = ()

    @cached_property
    def frames_by_name(self) -> dict[str, int]:
        """Frame of each image, by its file name and by its name without suffix."""
        stems = {Path(name).stem: frame for frame, name in enumerate(self.images)}
        return stems | {name: frame for frame, name in enumerate(self.images)}

    @cached_property
    def info(self) -> VideoInfo | None:
        """What the video says about itself; None for one that cannot be read, and for images."""
        try:
            return None if self.images else probe_video(self.path)
        except InputError:
            return None

    @property
    def most_frames(self) -> int:
        """How many frames there may be, so that no label file makes us allocate more."""
        if self.images:
            return len(self.images)
        if self.info is None:
            return UNKNOWN_FRAMES
        return estimate_frames(self.info)

    def find_image(self, name: str, *, folders: bool = True) -> int | None:
        """Return the frame of the image that a label file calls by a name with its folders.

        Args:
            name: with slashes of either kind.
            folders: whether those in the name must be the ones that the clip lies in.
        """
        above, last = split_name(name)
        apart = folders and above and self._above[-len(above) :] != above
        return None if apart else self.frames_by_name.get(last)

    @cached_property
    def _above(self) -> tuple[str, ...]:
        return self.path.resolve().parts

    def place(self, numbers: np.ndarray) -> tuple[np.ndarray, str]:
        """Find the frames that numbers in a label file mean.

        Where images are numbered from 1, or with holes, labels may count the images or use the
        numbers in their names. They mean the names when every one of them is there.

        Args:
            numbers: `(rows,)` int64, frames as the labels number them.

        Returns:
            (frames, warning): `(rows,)` int64 counted from 0; and what is unsure, else empty.
        """
        named = number_images(self.images)
        if named is None or not len(numbers) or np.array_equal(named, np.arange(len(named))):
            return numbers, ""
        if not np.isin(numbers, named).all():
            return numbers, ""
        frames = np.searchsorted(named, numbers)
        unsure = numbers.max() < len(named)
        warning = (
            f"images are numbered from {named[0]}: labels refer to image numbers, so label"
            f" {numbers[0]} belongs to {self.images[frames[0]]}"
        )
        return frames, warning if unsure else ""


def open_media(path: Path) -> Media:
    """Look at a video file, or list a folder of images.

    Raises:
        InputError: the folder cannot be read, or there is no image in it.
    """
    images = list_images(path) if path.is_dir() else []
    return Media(path, tuple(image.name for image in images))


def find_namesakes(file: Path) -> list[Path]:
    """Return the videos beside a file that have its name but for the suffix, usual kinds first."""
    found = {
        path.suffix.lower(): path
        for path in sorted(file.parent.glob(f"{glob.escape(file.stem)}.*"))
        if path.stem == file.stem
    }
    return [found[suffix] for suffix in VIDEO_SUFFIXES if suffix in found]


def estimate_frames(info: VideoInfo) -> int:
    """Return how many frames a video has as its container says, or its duration."""
    if info.frames:
        return info.frames
    return round(info.duration * info.fps) + 1 if info.duration else UNKNOWN_FRAMES


def number_images(names: Collection[str]) -> np.ndarray | None:
    """Return the number in each name, ascending; None where they do not number the frames."""
    found = [find_number(name) for name in names]
    if not found or None in found:
        return None
    numbers = np.array(found, dtype=np.int64)
    return numbers if (np.diff(numbers) > 0).all() else None


def find_number(name: str) -> int | None:
    """Return the last number in the name of an image, its suffix and Roboflow's hash left out."""
    parts = re.findall(r"[0-9]+", _HASH.sub("", Path(name).stem))
    return int(parts[-1][-DIGITS:]) if parts else None


@lru_cache(maxsize=1 << 20)
def split_name(name: str) -> tuple[tuple[str, ...], str]:
    """Return the folders in the name of an image, and what it is called without them."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    return tuple(parts[:-1]), parts[-1] if parts else ""
