"""Candidate files: the peaks of every heatmap of a clip as CSV, to train a linker on."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.files import write_table

COLUMNS = ("Frame", "X", "Y", "Heat")


def write_candidates(frames: Iterable[tuple[np.ndarray, np.ndarray]], path: Path) -> None:
    """Write a row per candidate, frame by frame, the highest peak first.

    Args:
        frames: of each frame `(candidates, 2)` (x, y) in pixels of the source video, and
            `(candidates,)` heat, 0 to 1, 0.5 at the network's threshold; 0 is no candidate.
        path: file to write.
    """
    rows = (
        (number, f"{x:.2f}", f"{y:.2f}", f"{value:.4f}")
        for number, (places, heat) in enumerate(frames)
        for (x, y), value in zip(places.tolist(), heat.tolist(), strict=True)
        if value > 0
    )
    write_table(COLUMNS, rows, path)


def read_candidates(path: Path, frames: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Read what `write_candidates` wrote.

    Args:
        path: the file.
        frames: frames of the clip.
        count: most candidates per frame.

    Returns:
        `(frames, count, 2)` places and `(frames, count)` heat; 0 where there are fewer.

    Raises:
        InputError: it is not there, or not such a file.
    """
    places, heat = np.zeros((frames, count, 2)), np.zeros((frames, count))
    try:
        with path.open(encoding="utf-8") as file, warnings.catch_warnings():
            if file.readline().strip() != ",".join(COLUMNS):
                raise ValueError("other columns")
            warnings.simplefilter("ignore")  # a clip without any candidate
            table = np.loadtxt(file, delimiter=",", ndmin=2, usecols=range(len(COLUMNS)))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: no candidates can be read; write them with tracknet evaluate --candidates."
        ) from error
    taken = np.zeros(frames, int)
    for number, x, y, value in table:
        frame = int(number)
        if 0 <= frame < frames and taken[frame] < count:
            places[frame, taken[frame]], heat[frame, taken[frame]] = (x, y), value
            taken[frame] += 1
    return places, heat
