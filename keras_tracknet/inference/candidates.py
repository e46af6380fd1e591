"""Candidates: the peaks of a heatmap, each of which may be the ball."""

from __future__ import annotations

import cv2
import numpy as np

from keras_tracknet.weights.spec import CANDIDATES

LEAST_HEAT = 0.04  # a lower peak is no candidate
RADIUS = 4  # pixels around a peak that belong to it
HALF = 0.5  # of the peak: pixels of more heat make its position


def find_candidates(heatmap: np.ndarray, count: int = CANDIDATES) -> np.ndarray:
    """Return the highest peaks of a heatmap.

    A peak is a pixel that none within `RADIUS` exceeds. Its position is the centre of the pixels
    around it with more than half of its heat, weighted by heat.

    Args:
        heatmap: `(height, width)` float32, probability 0 to 1.
        count: most peaks to return.

    Returns:
        `(count, 3)` float32, the highest first: (x, y) in pixels of the heatmap, pixel centres on
        whole numbers, and the peak's height; all 0 where there are no more.

    Example:
        >>> heatmap = np.zeros((288, 512), np.float32)
        >>> heatmap[100, 200:202] = 0.9
        >>> heatmap[50, 60] = 0.3
        >>> find_candidates(heatmap, 3).astype(float).round(1).tolist()
        [[200.5, 100.0, 0.9], [60.0, 50.0, 0.3], [0.0, 0.0, 0.0]]
    """
    found = np.zeros((count, 3), np.float32)
    warm = (heatmap > LEAST_HEAT).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(warm)
    if not width:
        return found
    box = heatmap[top : top + height, left : left + width]
    around = np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)
    rows, columns = np.nonzero((box == cv2.dilate(box, around)) & (box > LEAST_HEAT))
    order = np.argsort(-box[rows, columns], kind="stable")
    taken: list[tuple[int, int]] = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if len(taken) == count:
            break
        if any(max(abs(row - r), abs(column - c)) <= RADIUS for r, c in taken):
            continue  # of equally high pixels side by side the first stands for all
        found[len(taken)] = _measure_peak(heatmap, left + column, top + row)
        taken.append((row, column))
    return found


def _measure_peak(heatmap: np.ndarray, x: int, y: int) -> tuple[float, float, float]:
    """Return the position and the height of the peak at a pixel."""
    left, top = max(0, x - RADIUS), max(0, y - RADIUS)
    box = heatmap[top : y + RADIUS + 1, left : x + RADIUS + 1]
    peak = float(heatmap[y, x])
    weights = np.where(box > HALF * peak, box, 0).astype(np.float64)
    total = weights.sum()
    across = weights.sum(axis=0) @ np.arange(box.shape[1]) / total
    down = weights.sum(axis=1) @ np.arange(box.shape[0]) / total
    return left + float(across), top + float(down), peak


def scale_heat(heat: np.ndarray, threshold: float) -> np.ndarray:
    """Return heat in relation to a threshold, so that one linker suits networks with any.

    Args:
        heat: heights of peaks, 0 to 1.
        threshold: from which a peak is the ball by itself, 0 to 1.

    Returns:
        Heat, 0 to 1, with the threshold at 0.5 and other log-odds moved along; 0 stays 0.

    Example:
        >>> scale_heat(np.array([0.0, 0.4, 0.7]), 0.4).round(2).tolist()
        [0.0, 0.5, 0.78]
    """
    least = min(max(threshold, 1e-3), 1 - 1e-3)
    odds = heat / np.maximum(1 - heat, 1e-6) * (1 - least) / least
    scaled: np.ndarray = odds / (1 + odds)
    return scaled


def as_candidates(places: np.ndarray, heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return candidates as `build_linker` takes them.

    Args:
        places: `(..., candidates, 2)`, (x, y) in pixels of the picture.
        heat: `(..., candidates)`, see `scale_heat`; 0 where there are fewer.
        size: (height, width) of the picture, pixels.

    Returns:
        `(..., candidates, 3)` float32: (x, y) from the centre of the picture in its heights, and
        heat.
    """
    centred = (places + 0.5 - np.array([size[1], size[0]]) / 2) / size[0]
    there = heat[..., None] > 0
    return np.concatenate([centred * there, heat[..., None]], axis=-1).astype(np.float32)
