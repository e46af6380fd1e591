"""Looks: what is played, by the lines and edges of the picture behind the ball."""

from __future__ import annotations

import cv2
import numpy as np

from keras_tracknet.errors import WEIGHTS

FILE = WEIGHTS / "looks.npz"  # see `looks.md` beside it
SIZE = (144, 256)  # (height, width) that a picture is looked at in, pixels
CELLS = (9, 16)  # rows and columns
DIRECTIONS = 8  # of edges, in half a turn


def describe_look(picture: np.ndarray) -> np.ndarray:
    """Return the directions of the edges in each cell of a picture (Dalal and Triggs 2005).

    How bright it is, and how strong its edges are, does not matter.

    Args:
        picture: `(height, width, 3)` uint8 RGB, best without players: the median of some frames.

    Returns:
        `(DIRECTIONS * cells,)` float32, 0 to 1.
    """
    small = cv2.resize(picture, SIZE[::-1], interpolation=cv2.INTER_AREA)
    light = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32)
    right, down = cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)
    strength = np.hypot(right, down)
    place = np.arctan2(down, right) % np.pi / np.pi * DIRECTIONS
    lower = np.floor(place)
    share = place - lower
    rows, columns = CELLS
    histogram = np.empty((DIRECTIONS, rows, columns), np.float32)
    for k in range(DIRECTIONS):
        here = (lower % DIRECTIONS == k) * (1 - share) + ((lower + 1) % DIRECTIONS == k) * share
        cells = (strength * here).reshape(rows, SIZE[0] // rows, columns, SIZE[1] // columns)
        histogram[k] = cells.sum((1, 3))
    energy = np.sqrt((histogram**2).sum(0))
    usual = cv2.blur(energy, (3, 3)) + 1e-3 * energy.max() + 1
    look: np.ndarray = np.sqrt(np.minimum(histogram / usual, 1.0)).ravel()
    return look


def recognise_look(picture: np.ndarray) -> dict[str, float]:
    """Return how much a picture looks like each sport, about -0.5 to 1; `rendered` is one of them.

    Args:
        picture: as for `describe_look`.
    """
    with np.load(FILE) as looks:
        scores = (describe_look(picture) - looks["mean"]) @ looks["weights"]
        return dict(zip(looks["sports"].tolist(), scores.tolist(), strict=True))
