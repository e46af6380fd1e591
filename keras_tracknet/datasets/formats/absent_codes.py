"""Absence that is written into a position: -1,-1 or 0,0 where there is no ball."""

from __future__ import annotations

import numpy as np

from keras_tracknet.datasets.labels import NO_BALL, Label
from keras_tracknet.errors import InputError

NEAR = 0.1  # share of the farthest position within which another may be in the corner, too


def read_codes(labels: list[Label]) -> tuple[list[Label], list[str]]:
    """Tell places from codes in a table without a column that says whether a ball is seen.

    A position left of and above the picture is no ball. So is 0,0 where no other position is
    near that corner.

    Returns:
        (labels, warnings).

    Raises:
        InputError: 0,0 may be a place as well as no ball.
    """
    places = np.array([(label.x, label.y) for label in labels]).reshape(-1, 2)
    below = (places < 0).all(axis=1)
    zero = (places == 0).all(axis=1)
    others = np.abs(places[~below & ~zero & np.isfinite(places).all(axis=1)])
    if zero.any():
        far = others.max(axis=0, initial=0.0)
        share = (others / np.where(far > 0, far, 1.0)).max(axis=1)
        if not len(others) or share.min() < NEAR:
            frame = labels[int(zero.argmax())].frame
            raise InputError(
                f"{zero.sum()} rows are 0,0 (first: frame {frame}), which may mean no ball or the"
                " corner of the picture; add a column Visibility with 0 or 1"
            )
    return _write_absent(labels, below | zero), [
        f"{rows.sum()} rows are {text} and there is no visibility column: read as no ball"
        for rows, text in ((below, "below 0"), (zero, "0,0"))
        if rows.any()
    ]


def drop_codes(labels: list[Label]) -> tuple[list[Label], list[str]]:
    """Take positions that look like codes from rows that say that a ball is seen.

    -1,-1 is no place in a picture, and 0,0 none where a ball is twice. Such rows contradict
    themselves, so their frames are unlabelled.

    Returns:
        (labels, warnings).
    """
    places = np.array([(label.x, label.y) for label in labels]).reshape(-1, 2)
    seen = np.array([label.grade != NO_BALL for label in labels], dtype=bool)
    below = seen & (places == -1).all(axis=1)
    zero = seen & (places == 0).all(axis=1)
    if zero.sum() == 1:
        zero[:] = False
    warnings = [
        (
            f"{rows.sum()} rows are visible at {text} (first: frame"
            f" {labels[int(rows.argmax())].frame}): read as unlabelled"
        )
        for rows, text in ((below, "-1,-1"), (zero, "0,0"))
        if rows.any()
    ]
    codes = below | zero
    return [label for label, code in zip(labels, codes, strict=True) if not code], warnings


def _write_absent(labels: list[Label], absent: np.ndarray) -> list[Label]:
    return [
        label._replace(grade=NO_BALL) if gone else label
        for label, gone in zip(labels, absent, strict=True)
    ]
