"""Objects that labelling tools draw: which of them are the ball, and what nobody can tell."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.datasets.labels import NO_BALL, Label
from keras_tracknet.errors import InputError

BALLS = ("ball", "shuttle", "shuttlecock")
BOX_SIDE = 1 / 60  # of the picture's height: a box is wanted, and a track says nothing of size


class LeftOut:
    """What a reader could not make out. Not knowing is never "no ball".

    Attributes:
        frames: those concerned, which are unlabelled.
        astray: how many things may belong to any frame, so that a frame for which nothing was
            found is not known to be without a ball.
    """

    def __init__(self) -> None:
        self.frames: set[int] = set()
        self.astray = 0
        self._found: dict[str, list[str]] = {}

    def add(self, what: str, example: object, frame: int | None = None) -> None:
        """Leave something out.

        Args:
            what: it is, in the plural.
            example: what it is called, for whoever looks for it.
            frame: that it belongs to, None where nobody knows.
        """
        self._found.setdefault(what, []).append(shorten(example))
        if frame is None:
            self.astray += 1
        else:
            self.frames.add(frame)

    def warnings(self) -> list[str]:
        """Return a line for each kind of thing: how many, the first, and what becomes of it."""
        return [
            f"{len(found)} {what} (first: {found[0]}) are read as unlabelled"
            for what, found in self._found.items()
        ]


def merge_labels(
    labels: Iterable[Label], frames: Iterable[int], left_out: LeftOut
) -> tuple[list[Label], list[str]]:
    """Keep one label a frame of those that a tool has written as objects.

    An object that is seen counts more than one that is not. Where two balls are seen in a
    frame, nobody knows which is meant: the frame is unlabelled.

    Args:
        labels: any number a frame.
        frames: those that the file is about; they have no ball where no label is for them,
            unless something that was left out may be theirs.
        left_out: what could not be made out; frames with several balls are added.

    Returns:
        (labels, warnings), ascending by frame.
    """
    found: dict[int, set[Label]] = {}
    for label in labels:
        found.setdefault(label.frame, set()).add(label)
    kept = []
    for frame, candidates in sorted(found.items()):
        seen = [label for label in candidates if label.grade != NO_BALL]
        if not seen and left_out.astray:
            continue
        if len(seen) > 1:
            left_out.add("frames with several balls", f"frame {frame}", frame)
        elif frame not in left_out.frames:
            kept.append(seen[0] if seen else Label(frame, NO_BALL, math.nan, math.nan))
    settled = {label.frame for label in kept} | left_out.frames
    empty = [frame for frame in frames if frame not in settled]
    warnings = left_out.warnings()
    if left_out.astray and empty:
        warnings.append(
            f"{len(empty)} frames without a label (first: frame {empty[0]}) are read as"
            " unlabelled, since skipped objects may belong to them"
        )
    elif empty:
        kept = sorted([*kept, *(Label(frame, NO_BALL, math.nan, math.nan) for frame in empty)])
    return kept, warnings


def choose_ball(names: Iterable[str], path: Path) -> str:
    """Choose the class of the ball: the only one, or the one that sounds most like a ball.

    "ball" itself comes before a name that ends so, as "tennis-ball", and that before one with
    ball in it, as "football player".

    Args:
        names: classes that occur.
        path: the file, for the message.

    Raises:
        InputError: no class is the ball's, or several may be.
    """
    known = sorted(set(names))
    degrees = (
        known if len(known) == 1 else [],
        [name for name in known if name.strip().lower() in BALLS],
        [name for name in known if name.strip().lower().endswith(BALLS)],
        [name for name in known if any(ball in name.lower() for ball in BALLS)],
    )
    chosen = next(filter(None, degrees), [])
    if len(chosen) != 1:
        shown = shorten(", ".join(known) or "none")
        raise InputError(
            f"{path}: classes are {shown}; expected one class, or one with ball or shuttle in its"
            " name."
        )
    return chosen[0]


def choose_size(sizes: Iterable[tuple[Any, Any]]) -> tuple[int, int] | None:
    """Return the (height, width) of all pictures; None where they differ, or do not say."""
    known = {(read_number(height), read_number(width)) for height, width in sizes}
    height, width = known.pop() if len(known) == 1 else (0, 0)
    return (int(height), int(width)) if height >= 1 and width >= 1 else None


def read_number(value: Any) -> float:
    """Return a number as a label file has it, 12, "12" or "12.0"; NaN where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return math.nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return number if np.isfinite(number) else math.nan


def read_key(value: Any) -> str | None:
    """Return an id as text, so that 12, 12.0 and "12" are one; None where it is no id."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return str(int(value))
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def shorten(value: object, most: int = 60) -> str:
    """Return a value as text on one line that is not too long for a message."""
    text = " ".join(str(value).split())
    return text if len(text) <= most else f"{text[: most - 3]}..."
