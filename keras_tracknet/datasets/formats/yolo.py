"""YOLO text: one file per frame, one line per box, `class x y width height` as fractions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from keras_tracknet.datasets.formats.objects import (
    BOX_SIDE,
    LeftOut,
    choose_ball,
    merge_labels,
    read_number,
    shorten,
)
from keras_tracknet.datasets.labels import (
    DEFAULT_VISIBLE,
    EASY,
    FRACTION,
    HALF_PIXEL,
    Label,
    LabelTable,
)
from keras_tracknet.errors import InputError
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.media import DIGITS, Media

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
    """Read the boxes on the frames of one clip; a position is the middle of its box.

    An image whose file is empty or missing has no ball, as YOLO takes it. A frame of a video
    without a file is unlabelled: files are written for what was found.

    Args:
        path: the folder of text files, named like the images, or like the video and the
            frame's number.
        media: the images or the video.
        visible: has no meaning here.

    Raises:
        InputError: no file can be read, or the ball is not to be told from the rest.
    """
    left_out = LeftOut()
    files, warnings = _name_files(path, media) if media.images else _number_files(path, media)
    boxes: dict[int, list[tuple[int, float, float]]] = {}
    for frame, file in files.items():
        try:
            boxes[frame] = _read_boxes(file) if file else []
        except (OSError, ValueError):
            left_out.add("text files without lines of class x y width height", file, frame)
    ball = _choose_number(path, {number for found in boxes.values() for number, _, _ in found})
    labels = [
        Label(frame, EASY, x, y)
        for frame, found in boxes.items()
        for number, x, y in found
        if number == ball
    ]
    merged, more = merge_labels(labels, files, left_out)
    return LabelTable.from_labels(
        merged, units=FRACTION, warnings=[*warnings, *more], format=FORMAT, offset=-HALF_PIXEL
    )


def write(track: Track, names: Sequence[str], folder: Path, size: tuple[int, int]) -> None:
    """Write a text for every labelled frame, empty where there is no ball.

    The box has its middle at the ball and a nominal side of `BOX_SIDE`. A ball beyond the picture
    is moved to its edge, for YOLO takes no other.

    Args:
        track: pixels of the source.
        names: of each frame's image, without suffix.
        folder: where the texts go.
        size: (height, width) of the source.
    """
    folder.mkdir(parents=True, exist_ok=True)
    height, width = size
    side = BOX_SIDE * height
    for row, name in zip(track.rows(), names, strict=True):
        if not track.labelled[row.frame]:
            continue
        line = ""
        if row.visible:
            x, y = (row.x + HALF_PIXEL) / width, (row.y + HALF_PIXEL) / height
            cells = (min(max(x, 0), 1), min(max(y, 0), 1), side / width, side / height)
            line = " ".join(["0", *(f"{cell:.10f}" for cell in cells)]) + "\n"
        (folder / f"{name}.txt").write_text(line, encoding="utf-8")


def write_index(parts: Mapping[str, list[str]], folder: Path) -> None:
    """Write `data.yaml`, which training a YOLO begins with.

    Args:
        parts: folders of images, relative to the index, for `train`, `val` and `test`.
        folder: where it goes.
    """
    # YOLO wants both lists.
    train = parts.get("train") or parts.get("val") or []
    index = {**parts, "train": train, "val": parts.get("val") or train, "names": {0: "ball"}}
    text = yaml.safe_dump(index, sort_keys=False, allow_unicode=True)
    (folder / NAMES[0]).write_text(text, encoding="utf-8")


def find_numbered(files: Iterable[Path], video: Path) -> dict[int, Path]:
    """Return the texts for frames of a video among some files, by the number in their names."""
    numbered = re.compile(rf"{re.escape(video.stem)}_([0-9]{{1,{DIGITS}}})\.txt", re.I)
    found = ((numbered.fullmatch(file.name), file) for file in files)
    return {int(match[1]): file for match, file in sorted(found, key=str) if match}


def _name_files(path: Path, media: Media) -> tuple[dict[int, Path | None], list[str]]:
    """Return the text of each image, None where there is none; and what to say of that."""
    texts = [path / f"{Path(name).stem}.txt" for name in media.images]
    files = {frame: text if text.is_file() else None for frame, text in enumerate(texts)}
    without = [media.images[frame] for frame, text in files.items() if text is None]
    if not without:
        return files, []
    return files, [
        f"{len(without)} images without a text file (first: {without[0]}) are read as no ball"
    ]


def _number_files(path: Path, media: Media) -> tuple[dict[int, Path | None], list[str]]:
    """Return the text of each frame of a video that has one; and what to say of the numbers."""
    numbered = find_numbered(path.iterdir(), media.path)
    if 0 in numbered:
        return {**numbered}, []
    return {number - 1: file for number, file in numbered.items()}, [
        "no text file for frame 0: frames are counted from 1, as in ultralytics"
    ]


def _read_boxes(file: Path) -> list[tuple[int, float, float]]:
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    return [_parse(line) for line in lines if line.strip()]


def _parse(line: str) -> tuple[int, float, float]:
    """Return (class, x, y) of a line; a sixth number, the confidence, does no harm."""
    cells = line.split()
    number, x, y, width, height = map(read_number, cells[:5])
    sides = (x, y, width, height)
    if len(cells) not in (5, 6) or number % 1 != 0 or not all(0 <= v <= 1 for v in sides):
        raise ValueError(line)
    return int(number), x, y


def _choose_number(folder: Path, numbers: set[int]) -> int:
    if len(numbers) < 2:
        return next(iter(numbers), 0)
    names = _read_names(folder)
    ball = choose_ball((names.get(number, str(number)) for number in numbers), folder)
    return next(number for number in numbers if names.get(number, str(number)) == ball)


def _read_names(folder: Path) -> dict[int, str]:
    """Read the names of the classes from a list beside or above the labels, where there is one.

    Raises:
        InputError: the list is damaged.
    """
    places = [folder, *folder.parents][: LISTS + 1]
    files = [place / name for place in places for name in NAMES if (place / name).is_file()]
    if not files:
        return {}
    text = files[0].read_text(encoding="utf-8-sig", errors="replace")
    if files[0].suffix not in (".yaml", ".yml"):
        return dict(enumerate(filter(None, map(str.strip, text.splitlines()))))
    return _parse_names(text, files[0])


def _parse_names(text: str, path: Path) -> dict[int, str]:
    """Return the names of the classes in ultralytics' YAML: a list, or a name for each number."""
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        reason = shorten(getattr(error, "problem", None) or error)
        raise InputError(
            f"{path}: cannot be read as YAML ({line}{reason}); mend it, or remove it."
        ) from error
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict):
        return {}
    return {
        int(number): str(name)
        for key, name in names.items()
        if (number := read_number(key)) % 1 == 0 and isinstance(name, str | int | float)
    }
