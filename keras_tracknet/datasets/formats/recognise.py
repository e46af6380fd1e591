"""Recognising the format of a label file by its content."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from keras_tracknet.datasets.formats import coco, cvat, label_studio, positions, tables
from keras_tracknet.datasets.labels import DEFAULT_VISIBLE, LabelTable
from keras_tracknet.errors import InputError
from keras_tracknet.video.media import Media

# Formats of a file that labels one clip, and of one that may label many.
CLIP_FORMATS = (tables, cvat, positions)
COLLECTIONS = (coco, label_studio)
# Only such files are looked into; what they hold decides.
LABEL_SUFFIXES = (".csv", ".txt", ".jsonl", ".ndjson", ".json", ".xml")
HEAD = 4096  # characters that are looked at


def recognise_format(path: Path) -> ModuleType | None:
    """Return the module that reads a label file; None when its content is no such thing."""
    if path.suffix.lower() not in LABEL_SUFFIXES:
        return None
    head = read_head(path)
    found = (format for format in (*CLIP_FORMATS, *COLLECTIONS) if format.recognise(path, head))
    return next(found, None)


def read_head(path: Path) -> str:
    """Return the first characters of a file; none where it cannot be read."""
    return read_text(path, HEAD)


def read_text(path: Path, most: int = -1) -> str:
    """Return the text of a file, up to so many characters; none where it cannot be read."""
    try:
        if not path.is_file():  # a pipe would wait for somebody to write into it
            return ""
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return file.read(most)
    except OSError:
        return ""


def read_label_file(path: Path, media: Media, visible: str = DEFAULT_VISIBLE) -> LabelTable:
    """Read the labels of one clip from a file of any known format.

    Args:
        path: the file.
        media: the clip's frames.
        visible: the worst grade that counts as visible, out of `VISIBLE`.

    Raises:
        InputError: the file is of no known format, or broken.
    """
    try:
        table: LabelTable = (recognise_format(path) or tables).read(path, media, visible)
        return table
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}: {error}.") from error
