"""Checks of a marked court: points that are swapped, and a court of another sport."""

from __future__ import annotations

import cv2
import numpy as np

from keras_tracknet.analysis.court.calibration import Court, calibrate_court
from keras_tracknet.analysis.court.drawing import list_strokes
from keras_tracknet.analysis.court.marks import CUSTOM, LEAST_POINTS, split_marks
from keras_tracknet.errors import InputError
from keras_tracknet.sports import SPORTS, find_sport

CLEAR_DEPTH = 1.03  # ratio of the distances to both ends above which one end is farther away
# A painted line is lighter than the floor on both sides of it. Pixels at a height of 720:
LINE_OFFSETS, FLOOR_OFFSETS, CONTRAST = (-2, -1, 0, 1, 2), (5, 6, 7), 10.0
LINE_WIDTH = 0.1  # metres, more than any line is wide
LIKELY, MARGIN = 0.45, 0.2  # share of the lines that are painted, and its lead over the other sport


def check_orientation(court: Court) -> None:
    """Refuse a court that no camera can see so: mirrored, or with its ends swapped.

    Raises:
        InputError: near and far, or left and right, are swapped; or the picture is upside down.
    """
    places = split_marks(court.marks)[1]
    middle = places.mean(axis=0)
    reach = np.array([[0.0, max(float(np.ptp(places[:, 1])) / 2, 1e-6)]])
    near, far = middle - reach[0], middle + reach[0]
    depth = np.column_stack([np.stack([near, far, middle]), np.ones(3)]) @ court.homography[2]
    ratio = float(depth[1] / depth[0])
    step = court.to_picture(middle + np.array([[1e-3, 0.0], [0.0, 1e-3]]))
    across, along = step - court.to_picture(middle)
    # The floor's axes go right and away from the camera, the picture's right and down.
    mirrored = bool(across[0] * along[1] - across[1] * along[0] > 0)
    reversed_ends = ratio < 1 / CLEAR_DEPTH or (mirrored and along[1] > 0 and ratio < CLEAR_DEPTH)
    if court.sport == CUSTOM:
        if mirrored:
            raise InputError(
                "the points are a mirror image of the picture: the first number of a position"
                " grows to the right, the second away from the camera; mark them again."
            )
    elif mirrored and reversed_ends:
        raise InputError("near and far are swapped: near is close to the camera; mark them again.")
    elif mirrored:
        raise InputError("left and right are swapped: mark them as you see them in the picture.")
    elif reversed_ends:
        raise InputError(
            "the court is marked upside down: near is close to the camera, left and right are as"
            " you see them; mark the points again."
        )
    elif along[1] > 0 and ratio > CLEAR_DEPTH:
        raise InputError("the picture is upside down: turn the video by 180 degrees first.")


def recognise_sport(image: np.ndarray, court: Court) -> str | None:
    """Return the sport whose lines are painted where a court is marked, if it is another one.

    Args:
        image: `(height, width, 3)` uint8 RGB, the picture that the court is marked in.
        court: as marked.

    Returns:
        The name of the other sport; None if the marked one is as likely.
    """
    if court.sport == CUSTOM:
        return None
    shares = {court.sport: measure_paint(image, court)}
    for name, sport in SPORTS.items():
        known = [mark for mark in court.marks if mark.name in sport.landmarks]
        if name == court.sport or len(known) < LEAST_POINTS:
            continue
        places = [sport.landmarks[mark.name] for mark in known]
        moved = [
            mark._replace(across=x, along=y) for mark, (x, y) in zip(known, places, strict=True)
        ]
        try:
            other = calibrate_court(moved, court.size, name)
        except InputError:
            continue
        shares[name] = measure_paint(image, other)
    best = max(shares, key=lambda name: shares[name])
    clear = shares[best] > max(LIKELY, shares[court.sport] + MARGIN)
    return best if best != court.sport and clear else None


def measure_paint(image: np.ndarray, court: Court) -> float:
    """Return the share of a court's inner lines that lie on something painted, 0 to 1.

    The outline says nothing: it is where the corners are marked, whatever the sport.
    """
    outline = np.array([find_sport(court.sport).width, find_sport(court.sport).length]) / 2
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    scale = image.shape[0] / 720
    painted = []
    for stroke in list_strokes(court):
        if (outline - np.abs(stroke.mean(axis=0)) < LINE_WIDTH).any():
            continue
        steps = np.linspace(0, 1, 80)[1:-1, None]
        points = court.to_picture(stroke[0] + steps * (stroke[1] - stroke[0]))
        along = np.gradient(points, axis=0)
        normal = along[:, ::-1] * [1, -1] / (np.linalg.norm(along, axis=1)[:, None] + 1e-9)

        def look(
            offset: float, points: np.ndarray = points, normal: np.ndarray = normal
        ) -> np.ndarray:
            x, y = np.rint(points + offset * scale * normal).astype(int).T
            height, width = grey.shape
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            seen = np.full(len(x), np.nan, np.float32)
            seen[inside] = grey[y[inside], x[inside]]
            return seen

        line = np.max([look(offset) for offset in LINE_OFFSETS], axis=0)
        sides = [np.mean([look(sign * o) for o in FLOOR_OFFSETS], axis=0) for sign in (-1, 1)]
        contrast = line - np.max(sides, axis=0)
        painted.append(contrast[np.isfinite(contrast)] > CONTRAST)
    seen = np.concatenate(painted)
    return float(seen.mean()) if len(seen) else 0.0
