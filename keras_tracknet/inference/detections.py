"""Detections: from a heatmap to the position of the ball in it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np

from keras_tracknet.frames.sizes import unfit_positions
from keras_tracknet.inference.candidates import find_candidates
from keras_tracknet.inference.published import truncate_position
from keras_tracknet.weights.spec import ModelSpec


class Detection(NamedTuple):
    """Where a heatmap says the ball is.

    `x`, `y` are pixels, pixel centres on whole numbers, NaN where there is no ball: pixels at the
    model's size from a decoding function, pixels of the source from a `Decoder`. `confidence` is
    the map's peak, 0 to 1, also where that is below the threshold.
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


class Decoder:
    """Reads the ball's position from a network's output for one frame.

    Args:
        spec: of the network.
        outputs: what the network puts out, `heatmaps` or `detections`.
        rule: `centroid` or `published`, see `Tracker`; V1 always looks for a circle.
        threshold: probability that a pixel must exceed.

    Attributes:
        published: whether positions are whole pixels, as in the published code.
        sees_faint: whether what is below the threshold is worth a look.
    """

    def __init__(self, spec: ModelSpec, outputs: str, rule: str, threshold: float) -> None:
        self.spec, self.threshold, self.published = spec, threshold, rule == "published"
        v1 = spec.version == "v1"
        self.sees_faint = outputs == "heatmaps" and not v1 and not self.published
        self._decode: Callable[[Any, float], Detection] = DECODERS["circle" if v1 else rule]
        if outputs == "detections":
            self._decode = partial(_read_detection, size=spec.input_size)

    def locate(
        self, output: np.ndarray, size: tuple[int, int], threshold: float | None = None
    ) -> Detection:
        """Return where the ball is, in pixels of the source.

        Args:
            output: the network's, for one frame.
            size: (height, width) of the source, pixels.
            threshold: the decoder's own when None.
        """
        x, y, confidence = self._decode(output, self.threshold if threshold is None else threshold)
        if self.published and self.spec.version != "v1":
            return Detection(*truncate_position(x, y, self.spec.input_size, size), confidence)
        here = np.array([x, y])
        x, y = unfit_positions(here, size, self.spec.input_size, self.spec.fit).tolist()
        return Detection(x, y, confidence)

    def propose(self, heatmap: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return where the ball may be, the likeliest place by the heatmap alone first.

        Args:
            heatmap: of one frame.
            size: (height, width) of the source, pixels.

        Returns:
            `(candidates, 2)`, (x, y) in pixels of the source, and `(candidates,)`, the height of
            the heatmap's peak there; 0 where there are fewer peaks.
        """
        found = find_candidates(heatmap)
        places = unfit_positions(found[:, :2], size, self.spec.input_size, self.spec.fit)
        return places, found[:, 2]


def _read_detection(output: np.ndarray, threshold: float, *, size: tuple[int, int]) -> Detection:
    """Return a detection as the network made it, in pixels of its input."""
    x, y, peak = output.tolist()
    if peak <= threshold:
        return Detection(math.nan, math.nan, peak)
    return Detection(x * size[1] - 0.5, y * size[0] - 0.5, peak)


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
