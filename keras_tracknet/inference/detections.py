"""Detections: from a heatmap to the position of the ball in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np


class Detection(NamedTuple):
    """Where a heatmap says the ball is.

    `x`, `y` are pixels at the model's size, pixel centres on whole numbers, NaN where there
    is no ball; `confidence` is the map's peak, 0 to 1, also where that is below the threshold.
    """

    x: float
    y: float
    confidence: float


def decode_centroid(heatmap: np.ndarray, threshold: float = 0.5) -> Detection:
    """Return the centre of the largest blob, each pixel weighted by its probability.

    A blob is a set of pixels above the threshold that touch, corners included; of equally
    large ones the one with the highest sum wins.

    Args:
        heatmap: `(height, width)` float32, probability 0 to 1.
        threshold: probability that a pixel must exceed.
    """
    peak = float(heatmap.max())
    if not peak > threshold:
        return Detection(math.nan, math.nan, peak)
    mask = (heatmap > threshold).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(mask)
    box = slice(top, top + height), slice(left, left + width)  # labelling costs by the pixel
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask[box], connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    candidates = 1 + np.flatnonzero(areas == areas.max())
    blobs = [
        _weighted_centre(heatmap[box], labels, stats[label], label) for label in candidates.tolist()
    ]
    _, x, y = max(blobs)
    return Detection(left + x, top + y, peak)


def decode_bounding_box(heatmap: np.ndarray, threshold: float = 0.5) -> Detection:
    """Return the truncated centre of the largest bounding box, as V3's published code does.

    Args:
        heatmap: `(height, width)` float32, probability 0 to 1.
        threshold: probability that a pixel must exceed.
    """
    peak = float(heatmap.max())
    if not peak > threshold:
        return Detection(math.nan, math.nan, peak)
    mask = (heatmap > threshold).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    left, top, width, height = max(map(cv2.boundingRect, contours), key=lambda b: b[2] * b[3])
    return Detection(float(int(left + width / 2)), float(int(top + height / 2)), peak)


def decode_circle(brightness: np.ndarray, threshold: float = 0.5) -> Detection:
    """Return the strongest Hough circle of V1's brightness map (Huang et al. 2019, III.C).

    Where no circle's centre lies on bright pixels, as with balls of few pixels, the centre of
    the largest blob stands in for it.

    Args:
        brightness: `(height, width)` float32, most likely class divided by the highest one.
        threshold: brightness that a pixel must exceed; 0.5 keeps classes 128 and above.
    """
    peak = float(brightness.max())
    if not peak > threshold:
        return Detection(math.nan, math.nan, peak)
    mask = np.where(brightness > threshold, np.uint8(255), np.uint8(0))
    circles = cv2.HoughCircles(
        mask, cv2.HOUGH_GRADIENT, dp=1, minDist=1, param1=50, param2=2, minRadius=2, maxRadius=7
    )
    if circles is not None:
        # OpenCV's centres lie half a pixel up and left of the disc that they are found for, and
        # at the right and the lower edge half a pixel off the picture.
        height, width = mask.shape
        x, y = np.asarray(circles, np.float64).reshape(-1, 3)[0, :2] + 0.5
        x, y = float(min(x, width - 1)), float(min(y, height - 1))
        if mask[round(y), round(x)]:
            return Detection(x, y, peak)
    return decode_centroid(brightness, threshold)


DECODERS: dict[str, Callable[[np.ndarray, float], Detection]] = {
    "centroid": decode_centroid,
    "published": decode_bounding_box,
    "circle": decode_circle,
}


def _weighted_centre(
    heatmap: np.ndarray, labels: np.ndarray, stats: np.ndarray, label: int
) -> tuple[float, float, float]:
    """Return the sum, x and y of the blob with a label."""
    left, top, width, height = stats[:4]
    box = slice(top, top + height), slice(left, left + width)
    weights = np.where(labels[box] == label, heatmap[box], 0).astype(np.float64)
    total = float(weights.sum())
    x = left + float(weights.sum(axis=0) @ np.arange(width)) / total
    y = top + float(weights.sum(axis=1) @ np.arange(height)) / total
    return total, float(x), float(y)
