"""One position a line, `x y`, `0 0` for no ball: the volleyball labels of WASB."""

from __future__ import annotations

import math
from pathlib import Path

from keras_tracknet.datasets.formats.objects import shorten
from keras_tracknet.datasets.labels import DEFAULT_VISIBLE, EASY, NO_BALL, PIXELS, Label, LabelTable
from keras_tracknet.errors import InputError
from keras_tracknet.video.media import Media

FORMAT = "one position per line (WASB volleyball)"


def recognise(path: Path, head: str) -> bool:
    """Return whether the first lines of a file are two numbers each."""
    lines = head.split("\n")[:-1] or [head]
    try:
        return bool(head.strip()) and all(_parse(line) for line in lines if line.strip())
    except ValueError:
        return False


def read(path: Path, media: Media, visible: str = DEFAULT_VISIBLE) -> LabelTable:
    """Read a file whose lines belong to the frames in their order.

    Raises:
        InputError: the file cannot be read, or a line is not two numbers.
    """
    labels = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); check the file.") from error
    for frame, line in enumerate(filter(str.strip, lines)):
        try:
            x, y = _parse(line)
        except ValueError as error:
            raise InputError(
                f"{path}: line {frame + 1} is {shorten(line)!r}, expected x y."
            ) from error
        absent = x == y == 0 or (x < 0 and y < 0)
        labels.append(Label(frame, NO_BALL if absent else EASY, x, y))
    return LabelTable.from_labels(labels, visible=visible, units=PIXELS, format=FORMAT)


def _parse(line: str) -> tuple[float, float]:
    x, y = map(float, line.split())
    if not math.isfinite(x + y):
        raise ValueError(line)
    return x, y
