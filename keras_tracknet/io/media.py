"""Media: what a clip's frames are read from, a video or a folder of images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from keras_tracknet.io.images import list_images

VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".mpg", ".mpeg", ".ts",
    ".mts", ".m2ts", ".m2t", ".flv", ".f4v", ".3gp", ".3g2", ".vob", ".mod", ".ogv", ".asf", ".mxf",
    ".m2v", ".divx", ".dv", ".qt",
)  # fmt: skip


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

    def place(self, numbers: np.ndarray) -> tuple[np.ndarray, str]:
        """Find the frames that numbers in a label file mean.

        Where images are numbered from 1, or with holes, labels may count the images or use the
        numbers in their names. They mean the names when every one of them is there.

        Args:
            numbers: `(rows,)` int64, frames as the labels number them.

        Returns:
            (frames, doubt): `(rows,)` int64 counted from 0; and what is unsure, else empty.
        """
        named = number_images(self.images)
        if named is None or not len(numbers) or np.array_equal(named, np.arange(len(named))):
            return numbers, ""
        if not np.isin(numbers, named).all():
            return numbers, ""
        frames = np.searchsorted(named, numbers)
        unsure = numbers.max() < len(named)
        doubt = (
            f"images are numbered from {named[0]}: frames are taken as their numbers, so label"
            f" {numbers[0]} is for {self.images[frames[0]]}"
        )
        return frames, doubt if unsure else ""


def open_media(path: Path) -> Media:
    """Look at a video file, or list a folder of images.

    Raises:
        InputError: the folder cannot be read, or there is no image in it.
    """
    images = list_images(path) if path.is_dir() else []
    return Media(path, tuple(image.name for image in images))


def number_images(names: tuple[str, ...]) -> np.ndarray | None:
    """Return the last number in each name, ascending; None where they do not number the frames."""
    found = [re.findall(r"\d+", Path(name).stem) for name in names]
    if not found or not all(found):
        return None
    numbers = np.array([int(parts[-1][-15:]) for parts in found], dtype=np.int64)
    return numbers if (np.diff(numbers) > 0).all() else None
