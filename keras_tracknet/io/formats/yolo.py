"""YOLO text: one file an image, one line a box, `class x y width height` as fractions."""

from __future__ import annotations

import re
from math import nan
from pathlib import Path

from keras_tracknet.errors import InputError
from keras_tracknet.io.labels import (
    DEFAULT_VISIBLE,
    EASY,
    FRACTION,
    HALF_PIXEL,
    NO_BALL,
    Label,
    LabelTable,
    choose_ball,
    merge_labels,
)
from keras_tracknet.io.media import Media

FORMAT = "YOLO txt"
NAMES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")
LISTS = 3  # folders above the labels in which a list of the classes may lie


def recognise(path: Path, head: str) -> bool:
    """Return whether the first lines of a file are boxes; an empty file may be one without."""
    lines = head.split("\n")[:-1] or [head]
    try:
        return all(_parse(line) for line in lines if line.strip())
    except ValueError:
        return False


def read(path: Path, media: Media, visible: str = DEFAULT_VISIBLE) -> LabelTable:
    """Read the boxes on the images of one folder; a position is the middle of its box.

    An image whose file is empty or missing has no ball, as YOLO takes it.

    Args:
        path: the folder of text files, named like the images.
        media: the images.
        visible: has no meaning here.

    Raises:
        InputError: a line is not a box, or the ball is not to be told from the rest.
    """
    boxes: dict[int, list[tuple[int, float, float]]] = {}
    without = []
    for frame, name in enumerate(media.images):
        file = path / f"{Path(name).stem}.txt"
        if file.is_file():
            boxes[frame] = _read_boxes(file)
        else:
            boxes[frame] = []
            without.append(name)
    numbers = {number for found in boxes.values() for number, _, _ in found}
    ball = _choose_number(path, numbers)
    labels = [
        Label(frame, EASY, x, y)
        for frame, found in boxes.items()
        for number, x, y in found
        if number == ball
    ]
    merged, doubts = merge_labels([*labels, *(Label(f, NO_BALL, nan, nan) for f in boxes)])
    if without:
        doubts.append(f"{len(without)} images without a text, as {without[0]}: taken as no ball")
    return LabelTable.from_labels(
        merged, units=FRACTION, doubts=doubts, format=FORMAT, offset=-HALF_PIXEL
    )


def _read_boxes(file: Path) -> list[tuple[int, float, float]]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        return [_parse(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: not lines of class x y width height ({error}).") from error


def _parse(line: str) -> tuple[int, float, float]:
    """Return (class, x, y) of a line; a sixth number, the confidence, does no harm."""
    cells = line.split()
    number, x, y, width, height = int(cells[0]), *map(float, cells[1:5])
    if len(cells) not in (5, 6) or not all(0 <= value <= 1 for value in (x, y, width, height)):
        raise ValueError(line)
    return number, x, y


def _choose_number(folder: Path, numbers: set[int]) -> int:
    if len(numbers) < 2:
        return next(iter(numbers), 0)
    names = _read_names(folder)
    ball = choose_ball((names.get(number, str(number)) for number in numbers), folder)
    return next(number for number in numbers if names.get(number, str(number)) == ball)


def _read_names(folder: Path) -> dict[int, str]:
    """Read the names of the classes from a list beside or above the labels, where there is one."""
    places = [folder, *folder.parents][: LISTS + 1]
    files = [place / name for place in places for name in NAMES if (place / name).is_file()]
    if not files:
        return {}
    text = files[0].read_text(encoding="utf-8-sig", errors="replace")
    if files[0].suffix not in (".yaml", ".yml"):
        return dict(enumerate(filter(None, map(str.strip, text.splitlines()))))
    listed = re.search(r"^names:\s*\[(.*?)\]", text, re.M | re.S)
    if listed:
        return dict(enumerate(part.strip(" \n'\"") for part in listed[1].split(",")))
    block = re.search(r"^names:\s*\n((?:[ \t]*(?:-|\d+:).*\n?)+)", text, re.M)
    lines = block[1].splitlines() if block else []
    return dict(enumerate(re.sub(r"^\s*(-|\d+:)\s*", "", line).strip(" '\"") for line in lines))
