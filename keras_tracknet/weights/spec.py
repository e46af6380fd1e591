"""Specifications: what a file says of its network, read as from a stranger."""

from __future__ import annotations

import json
import math
import reprlib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.frames.background import DIFFERENCES
from keras_tracknet.frames.sizes import FITS
from keras_tracknet.frames.stacking import BACKGROUND_MODES

FORMAT = 1  # counts up when an older version of this package would misread what is written
VERSIONS = ("v1", "v2", "v3", "v4", "v5", "wasb", "rectifier", "linker", "tsm")
TRACK_VERSIONS = ("rectifier", "linker")  # of networks that see tracks instead of pictures
CANDIDATES = 5  # peaks of a heatmap that a linker chooses from
HIDDEN = ("zero", "interpolated")
LARGEST_TEXT = 8 << 20  # bytes; the history of 30,000 epochs
DEEPEST = 32  # lists and dictionaries in each other
MOST_FRAMES = 4096
LARGEST_SIDE = 8192  # pixels
MOST_CLASSES = 1000
DAMAGED_ARCHIVE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError)

Shape = Sequence[int | None]  # None for any


@dataclass(frozen=True)
class ModelSpec:
    """What a network expects and what its output means.

    Attributes:
        version: one of `VERSIONS`.
        frames: frames in a window; for TSM those that it sees of a window.
        heatmaps: maps out, for the last frames of the window; 0 for the others.
        background: background mode, as for `build_v3`.
        input_size: (height, width) that frames are brought to, pixels; (0, 0) for the rectifier
            and the linker.
        threshold: probability that a pixel must exceed to be the ball's.
        hidden: what the rectifier sees where a position is hidden: `zero` (published), or
            `interpolated` between the positions beside it.
        fit: how frames are made to fit the input, see `keras_tracknet.frames.sizes.picture_box`.
        differences: how those to the background are kept in eight bits, see
            `keras_tracknet.frames.background.subtract_background`.
        stabilized: whether the frames of a window are moved so that the court stands still in them,
            see `keras_tracknet.frames.stabilization`.
        classes: what TSM tells apart.
        span: seconds that a window of TSM lasts.
        calibration: slope and intercept of the logistic curve from a peak's height in the heatmap
            to `confidence`, see `keras_tracknet.inference.confidence`; (1, 0) leaves it as it is.
        trained_on: the footage in a few words, for people.
        notes: whatever else is worth keeping: recipe, figures.

    Raises:
        ValueError: a field of the wrong type or out of its range.
    """

    version: str
    frames: int
    heatmaps: int
    background: str
    input_size: tuple[int, int]
    threshold: float = 0.5
    hidden: str = "zero"
    fit: str = "stretch"
    differences: str = "saturated"
    stabilized: bool = False
    classes: tuple[str, ...] = ()
    span: float = 0.0
    calibration: tuple[float, float] = (1.0, 0.0)
    trained_on: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("input_size", "classes", "calibration"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, (allows, expected) in FIELDS.items():
            check_value(name, getattr(self, name), allows, expected)
        least, most = {
            "v1": (1, 1),
            "v2": (1, self.frames),
            "v3": (self.frames, self.frames),
            "v4": (self.frames, self.frames),
            "v5": (self.frames, self.frames),
            "wasb": (1, self.frames),
        }.get(self.version, (0, 0))
        limits = str(least) if least == most else f"{least} to {most}"
        check_value(
            "heatmaps", self.heatmaps, _whole(least, most), f"{limits} for {self.version}"
            f" with {self.frames} frames"
        )  # fmt: skip
        smallest, largest = (0, 0) if self.version in TRACK_VERSIONS else (1, LARGEST_SIDE)
        check_value(
            "input_size",
            self.input_size,
            lambda size: all(smallest <= side <= largest for side in size),
            f"(height, width) from {smallest} to {largest} for {self.version}",
        )
        if self.version == "tsm":
            check_value("classes", self.classes, bool, "at least one for tsm")


def is_size(value: Any) -> bool:
    """Return whether a value is (height, width), whole numbers that are not negative."""
    whole = _whole(0, LARGEST_SIDE)
    return isinstance(value, tuple) and len(value) == 2 and all(whole(side) for side in value)


def check_value(name: str, value: Any, allows: Callable[[Any], bool], expected: str) -> None:
    """Raise `ValueError` for a value that is not allowed."""
    if not allows(value):
        raise ValueError(f"`{name}` must be {expected}. Received: {reprlib.repr(value)}")


def one_of(known: Sequence[str]) -> tuple[Callable[[Any], bool], str]:
    """Return the test of a value that must be one of a few, and its words."""
    return (lambda value: value in known), f"one of {', '.join(known)}"


def _whole(least: int, most: int) -> Callable[[Any], bool]:
    def allows(value: Any) -> bool:
        return (
            isinstance(value, Integral)
            and not isinstance(value, bool)
            and least <= int(value) <= most
        )

    return allows


def _real(least: float, most: float) -> Callable[[Any], bool]:
    def allows(value: Any) -> bool:
        known = isinstance(value, Real) and not isinstance(value, bool)
        return known and math.isfinite(value) and least <= value <= most

    return allows


def is_calibration(value: Any) -> bool:
    """Return whether a value is (slope, intercept), finite numbers, the slope above 0."""
    finite = _real(-1e6, 1e6)
    return isinstance(value, tuple) and len(value) == 2 and all(map(finite, value)) and value[0] > 0


def _are_names(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) <= MOST_CLASSES
        and all(isinstance(name, str) for name in value)
        and len(set(value)) == len(value)
    )


# What each field may be, whatever the others are.
FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "version": one_of(VERSIONS),
    "frames": (_whole(1, MOST_FRAMES), f"a whole number from 1 to {MOST_FRAMES}"),
    "heatmaps": (_whole(0, MOST_FRAMES), f"a whole number from 0 to {MOST_FRAMES}"),
    "background": one_of(BACKGROUND_MODES),
    "input_size": (is_size, f"(height, width), whole numbers up to {LARGEST_SIDE}"),
    "threshold": (_real(0, 1), "a number from 0 to 1"),
    "hidden": one_of(HIDDEN),
    "fit": one_of(FITS),
    "differences": one_of(DIFFERENCES),
    "stabilized": (lambda value: isinstance(value, bool), "true or false"),
    "classes": (_are_names, f"at most {MOST_CLASSES} different names"),
    "span": (_real(0, 3600), "a number of seconds from 0 to 3600"),
    "calibration": (is_calibration, "a slope above 0 and an intercept"),
    "trained_on": (lambda value: isinstance(value, str), "text"),
    "notes": (lambda value: isinstance(value, dict), "a dictionary"),
}


def parse_specification(text: bytes | str, path: Path) -> tuple[ModelSpec, dict[str, Any]]:
    """Read what a file says of its network.

    Args:
        text: JSON: `format`, a number, none in files of the first releases; `spec`, the fields
            of `ModelSpec`; and whatever else the kind of file has.
        path: the file, for messages.

    Returns:
        The specification and all that was read.

    Raises:
        InputError: it is damaged, of a newer version, or says what cannot be.
    """
    content = _parse(text, path)
    written = content.get("format", FORMAT)
    if not _whole(1, 10**6)(written):
        raise damaged(path, f"its format is {reprlib.repr(written)}, which is not a format number")
    if written > FORMAT:
        raise InputError(
            f"{path}: was written by a newer version (format {written}, supported: {FORMAT});"
            " upgrade keras_tracknet."
        )
    spec = content.get("spec")
    if not isinstance(spec, dict):
        raise damaged(path, "it has no network specification")
    known = {f.name for f in fields(ModelSpec)}
    required = ("version", "frames", "heatmaps", "background", "input_size")
    if missing := [name for name in required if name not in spec]:
        raise damaged(path, f"missing fields: {', '.join(missing)}")
    if unknown := sorted(set(spec) - known):
        names = ", ".join(reprlib.repr(name) for name in unknown[:3])
        raise InputError(
            f"{path}: its specification contains {names}, unknown to this version; upgrade"
            " keras_tracknet."
        )
    try:
        return ModelSpec(**spec), content
    except ValueError as error:
        raise damaged(path, str(error).rstrip(".")) from error


def damaged(path: Path, reason: str) -> InputError:
    """Return the error that a file's specification cannot be used."""
    return InputError(
        f"{path}: its specification is damaged ({reason}); download or export the file again."
    )


def read_member(archive: zipfile.ZipFile, name: str, path: Path, limit: int) -> bytes:
    """Return a member of an archive that is not larger than a limit.

    Raises:
        InputError: it is larger, encrypted or damaged.
    """
    info = archive.getinfo(name)
    if info.flag_bits & 1:
        raise InputError(f"{path}: {name} in it is encrypted; use a file without a password.")
    if info.file_size > limit:
        raise InputError(
            f"{path}: {name} in it would unpack to {info.file_size:,} bytes, more than the limit"
            f" of {limit:,}; use another file."
        )
    try:
        return archive.read(info)
    except DAMAGED_ARCHIVE as error:
        raise damaged(path, f"{name} cannot be unpacked") from error


def read_beside(file: Path, path: Path) -> bytes:
    """Return the specification that lies in a folder.

    Args:
        file: where it lies.
        path: the folder, for messages.

    Raises:
        InputError: it is too large.
    """
    if file.stat().st_size > LARGEST_TEXT:
        raise damaged(path, f"more than {LARGEST_TEXT:,} bytes")
    return file.read_bytes()


def check_shapes(
    path: Path, spec: ModelSpec, expected: Sequence[Shape], found: Sequence[Shape]
) -> None:
    """Compare what a network takes and gives with what its specification says.

    Args:
        path: the file, for messages.
        spec: the specification.
        expected: shapes of the inputs that follow from it, then that of the output.
        found: the network's own.

    Raises:
        InputError: they differ.
    """
    if len(expected) == len(found) and all(map(_agrees, expected, found)):
        return
    words = [_describe(shapes) for shapes in (expected, found)]
    raise InputError(
        f"{path}: specification and network do not match: {spec.version}, {spec.frames} frames,"
        f" {spec.heatmaps} heatmaps, background {spec.background} and"
        f" {spec.input_size[0]}x{spec.input_size[1]} pixels mean {words[0]}, but the network has"
        f" {words[1]}; download the file again."
    )


def _agrees(expected: Shape, found: Shape) -> bool:
    pairs = zip(expected, found, strict=False)
    return len(expected) == len(found) and all(a == b or a is None or b is None for a, b in pairs)


def _describe(shapes: Sequence[Shape]) -> str:
    words = ["x".join("any" if side is None else str(side) for side in s) for s in shapes]
    return f"{' and '.join(words[:-1])} in, {words[-1]} out"


def _parse(text: bytes | str, path: Path) -> dict[str, Any]:
    if len(text) > LARGEST_TEXT:
        raise damaged(path, f"more than {LARGEST_TEXT:,} bytes")
    try:
        content = json.loads(text.decode() if isinstance(text, bytes) else text)
    except UnicodeDecodeError as error:
        raise damaged(path, "not UTF-8") from error
    except RecursionError as error:
        raise damaged(path, "nested too deep") from error
    except ValueError as error:
        raise damaged(path, "not JSON") from error
    if not isinstance(content, dict):
        raise damaged(path, f"{type(content).__name__} instead of a dictionary")
    if any(level >= DEEPEST for level in _walk(content)):
        raise damaged(path, "nested too deep")
    return content


def _walk(content: Any) -> Iterator[int]:
    """Yield how deep each list and dictionary lies."""
    waiting = [(content, 0)]
    while waiting:
        place, level = waiting.pop()
        yield level
        inside = place.values() if isinstance(place, dict) else place
        waiting += [(item, level + 1) for item in inside if isinstance(item, dict | list)]
