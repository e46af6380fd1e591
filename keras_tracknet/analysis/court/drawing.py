"""Drawings of a calibrated court over the picture it was marked in."""

from __future__ import annotations

import cv2
import numpy as np

from keras_tracknet.analysis.court.calibration import Court
from keras_tracknet.analysis.court.marks import CUSTOM, split_marks
from keras_tracknet.sports import Line, find_sport

COLOUR, MARK_COLOUR = (255, 214, 10), (64, 196, 255)  # RGB
FINE = 4  # bits behind the point that OpenCV draws with


def draw_court(image: np.ndarray, court: Court) -> np.ndarray:
    """Draw a calibrated court over the picture: its lines, and rings at the marks.

    Args:
        image: `(height, width, 3)` uint8 RGB; it is not changed.
        court: of that picture.

    Returns:
        `(height, width, 3)` uint8 RGB.
    """
    picture = np.array(image, order="C")
    thick = max(1, round(picture.shape[0] / 480))
    for ends in list_strokes(court):
        start, end = (_fixed(pixel) for pixel in court.to_picture(ends))
        cv2.line(picture, start, end, COLOUR, thick, cv2.LINE_AA, FINE)
    for mark in court.marks:
        spot, radius = _fixed(np.array([mark.x, mark.y])), 6 * thick << FINE
        cv2.circle(picture, spot, radius, MARK_COLOUR, thick + 1, cv2.LINE_AA, FINE)
    return picture


def list_strokes(court: Court) -> list[np.ndarray]:
    """The middles of the court's lines as `(2, 2)` metres; the outline of the marks if custom."""
    if court.sport == CUSTOM:
        places = split_marks(court.marks)[1].astype(np.float32)
        hull = cv2.convexHull(places)[:, 0].astype(float)
        return [np.stack([a, b]) for a, b in zip(hull, np.roll(hull, -1, axis=0), strict=True)]
    return [stroke_line(line) for line in find_sport(court.sport).lines]


def stroke_line(line: Line) -> np.ndarray:
    """The middle of a painted line: both ends, `(2, 2)` metres."""
    left, right, near, far = line
    if far - near > right - left:
        return np.array([[(left + right) / 2, near], [(left + right) / 2, far]])
    return np.array([[left, (near + far) / 2], [right, (near + far) / 2]])


def _fixed(point: np.ndarray) -> tuple[int, int]:
    x, y = np.clip(np.rint(point * 2**FINE), -(2**24), 2**24).astype(int).tolist()
    return x, y
