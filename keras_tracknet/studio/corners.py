"""Corners: where painted lines meet, for clicks that come near."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

REACH = 1 / 60  # of the picture's height: how far a click may be from the corner it snaps to
MOST_CORNERS, LEAST_QUALITY, APART = 10, 0.15, 3  # corners near a click; pixels between two
WINDOW = (3, 3)  # pixels to each side that a corner's place is refined in


def find_corner(image: np.ndarray, point: Sequence[float]) -> tuple[float, float]:
    """Return the corner of painted lines nearest to a click; the click itself without one.

    Args:
        image: `(height, width, 3)` uint8.
        point: x and y of the click, pixels.
    """
    reach = max(6, round(image.shape[0] * REACH))
    left, top = (max(0, round(value) - 2 * reach) for value in point)
    right, bottom = (round(value) + 2 * reach + 1 for value in point)
    part = image[top : max(top, bottom), left : max(left, right)]
    if min(part.shape[:2]) < 4 * WINDOW[0]:
        return point[0], point[1]
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    corners = cv2.goodFeaturesToTrack(grey, MOST_CORNERS, LEAST_QUALITY, APART)
    if corners is None:
        return point[0], point[1]
    ends = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.01)
    places = cv2.cornerSubPix(grey, corners, WINDOW, (-1, -1), ends)[:, 0] + (left, top)
    away = np.linalg.norm(places - point, axis=1)
    if away.min() > reach:
        return point[0], point[1]
    x, y = places[away.argmin()].round(2).tolist()
    return x, y
