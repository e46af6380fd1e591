"""Courts in the picture: from pixels to metres on the floor, and to the camera that sees it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from keras_tracknet.analysis.court.marks import (
    CUSTOM,
    LEAST_POINTS,
    Mark,
    check_marks,
    find_place,
    read_number,
    split_marks,
)
from keras_tracknet.analysis.flight.camera import View
from keras_tracknet.errors import InputError
from keras_tracknet.files import write_json
from keras_tracknet.sports import find_sport

LONGEST_SIDE = 100_000  # pixels
POOR_ERROR = 0.01  # of the picture's height: marks that are further off are named
EXACT = 0.02  # pixels: as near are only marks that were computed from a fit, and rounded


@dataclass(frozen=True)
class Court:
    """A calibrated court.

    Attributes:
        sport: name, or `custom`.
        size: (height, width) of the picture, pixels.
        marks: it was calibrated with.
        homography: `(3, 3)`, from metres on the floor to pixels of the source video.
    """

    sport: str
    size: tuple[int, int]
    marks: tuple[Mark, ...]
    homography: np.ndarray

    def to_picture(self, places: np.ndarray) -> np.ndarray:
        """From `(..., 2)` metres on the floor to `(..., 2)` pixels."""
        return _transform(self.homography, places)

    def to_floor(self, pixels: np.ndarray) -> np.ndarray:
        """From `(..., 2)` pixels to `(..., 2)` metres, of what touches the floor there.

        A ball in the air is somewhere else: between there and the camera.
        """
        return _transform(np.linalg.inv(self.homography), pixels)

    def errors(self) -> np.ndarray:
        """`(marks,)` pixels between each mark and where the calibration puts it."""
        pixels, places = split_marks(self.marks)
        distances: np.ndarray = np.linalg.norm(self.to_picture(places) - pixels, axis=1)
        return distances

    def floor_error(self, pixel: np.ndarray, error: float) -> float:
        """Metres that a place on the floor is uncertain by, for `error` pixels in the picture."""
        steps = np.array([[1.0, 0.0], [0.0, 1.0]])
        moved = self.to_floor(pixel + steps) - self.to_floor(pixel)
        return float(np.linalg.norm(moved, 2) * error)

    def focal(self) -> float | None:
        """Focal length in pixels, for square pixels and the optical axis in the middle.

        None where the marks do not tell, as when the camera looks straight down.
        """
        (a, b) = (_centred(self.homography, self.size)[:, k] for k in (0, 1))
        # Two directions of the floor that are at right angles and of one length.
        left = np.array([a[0] * b[0] + a[1] * b[1], a[0] ** 2 + a[1] ** 2 - b[0] ** 2 - b[1] ** 2])
        right = -np.array([a[2] * b[2], a[2] ** 2 - b[2] ** 2])
        if not left @ left:
            return None
        inverse = float(left @ right / (left @ left))
        if inverse <= 0 or not 0.2 < inverse**-0.5 / max(self.size) < 50:
            return None
        return float(inverse**-0.5)

    def camera(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Position `(3,)` in metres and axes `(3, 3)`: right, down and forward of the camera."""
        focal = self.focal()
        if focal is None:
            return None
        columns = _centred(self.homography, self.size) / np.array([[focal], [focal], [1.0]])
        columns = columns / np.linalg.norm(columns[:, :2], axis=0).mean()
        columns = columns * np.sign(columns[2, 2])  # the court is in front
        first, second = columns[:, 0], columns[:, 1]
        u, _, v = np.linalg.svd(np.stack([first, second, np.cross(first, second)], axis=1))
        turn = u @ v
        return -turn.T @ columns[:, 2], turn

    def view(self) -> View | None:
        """The camera as flights are fitted with; None where the marks do not tell."""
        camera, focal = self.camera(), self.focal()
        if camera is None or focal is None:
            return None
        position, axes = camera
        height, width = self.size
        pitch = float(np.arcsin(np.clip(-axes[2, 2], -1, 1)))
        centre = ((width - 1) / 2, (height - 1) / 2)
        return View(focal, centre, pitch, float(-position @ axes[2]), float(position[2]))

    def contains(self, place: np.ndarray) -> bool | None:
        """Whether a place on the floor is in the court, its lines included; None if custom."""
        if self.sport == CUSTOM:
            return None
        sport = find_sport(self.sport)
        return bool(abs(place[0]) <= sport.width / 2 and abs(place[1]) <= sport.length / 2)

    def camera_matrix(self) -> np.ndarray | None:
        """`(3, 4)`, from metres of the court to pixels; None where the marks do not tell.

        It puts the floor where the homography does. Upwards it is a camera with square pixels
        that looks along the middle of the picture.
        """
        focal = self.focal()
        if focal is None:
            return None
        shift = np.array(
            [[1, 0, (self.size[1] - 1) / 2], [0, 1, (self.size[0] - 1) / 2], [0, 0, 1]]
        )
        inner = shift @ np.diag([focal, focal, 1.0])
        floor = np.linalg.inv(inner) @ self.homography
        floor = floor / np.linalg.norm(floor[:, :2], axis=0).mean()
        floor = floor * np.sign(floor[2, 2])  # the court is in front
        up = np.cross(floor[:, 0], floor[:, 1])
        matrix: np.ndarray = inner @ np.column_stack([floor[:, :2], up, floor[:, 2]])
        return matrix


def calibrate_court(marks: Sequence[Mark], size: tuple[int, int], sport: str) -> Court:
    """Find the homography of a court's floor from four marks or more.

    Args:
        marks: no three of the first four in a line; more make it more exact.
        size: (height, width) of the picture, pixels.
        sport: name, or `custom`.

    Raises:
        InputError: the marks are too few, in a line, or contradict each other.
    """
    check_marks(marks, size)
    pixels, places = split_marks(marks)
    homography, _ = cv2.findHomography(places, pixels, 0)
    if homography is None or abs(np.linalg.det(homography)) < 1e-12:
        raise InputError("no court fits the points; check their names.")
    court = Court(sport, size, tuple(marks), homography / np.linalg.norm(homography))
    depths = np.column_stack([places, np.ones(len(places))]) @ court.homography[2]
    if depths.min() * depths.max() <= 0:
        raise InputError("no court fits the points; check their names.")
    return court


def describe_fit(court: Court) -> str:
    """Say in words how well a court fits its marks; four marks, and those found, always fit."""
    count, errors = len(court.marks), court.errors()
    if count == LEAST_POINTS:
        return f"{count} points: fits by construction; a fifth point shows the calibration error"
    if errors.max() < EXACT:
        return f"{count} points: fits by construction; check that the lines cover the painted ones"
    rms = float(np.sqrt((errors**2).mean()))
    return (
        f"{count} points, calibration error {rms:.2f} pixels RMS, {float(errors.max()):.2f} maximum"
    )


def write_court(court: Court, path: Path) -> None:
    """Write a court as JSON.

    Raises:
        InputError: the file cannot be written.
    """
    content = {
        "sport": court.sport,
        "width": court.size[1],
        "height": court.size[0],
        "marks": [mark._asdict() for mark in court.marks],
        "homography": court.homography.tolist(),
        "reprojection_error_pixels": [round(float(error), 3) for error in court.errors()],
    }
    write_json(content, path)


def read_court(path: Path) -> Court:
    """Read what `write_court` wrote; the homography is computed again from the marks.

    Raises:
        InputError: the file is missing or holds something else.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        size = (_read_length(content["height"]), _read_length(content["width"]))
        sport = str(content["sport"])
        return calibrate_court([_read_mark(mark, sport) for mark in content["marks"]], size, sport)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path.") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a court file; write one with tracknet court.") from error


def _read_length(value: Any) -> int:
    """Return a side of a picture, pixels."""
    length = read_number(value)
    if not (length.is_integer() and 1 <= length <= LONGEST_SIDE):
        raise ValueError(f"expected a length in pixels. Received: {value}")
    return int(length)


def _read_mark(content: Any, sport: str) -> Mark:
    """Return a mark of a file; its metres must be those of its name."""
    x, y, across, along = (read_number(content[key]) for key in ("x", "y", "across", "along"))
    mark = Mark(str(content["name"]), x, y, across, along)
    place = find_place(mark.name, sport)
    if not np.allclose(place, (across, along), rtol=0, atol=1e-3):
        raise InputError(
            f"{mark.name} of a {sport} court is at {place[0]:g},{place[1]:g} metres, not at"
            f" {across:g},{along:g}; mark the court again with tracknet court."
        )
    return mark


def _transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    flat = np.asarray(points, dtype=np.float64)
    mapped = np.concatenate([flat, np.ones((*flat.shape[:-1], 1))], axis=-1) @ matrix.T
    moved: np.ndarray = mapped[..., :2] / mapped[..., 2:]
    return moved


def _centred(homography: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The homography to pixels from the middle of the picture."""
    shift = np.array([[1, 0, -(size[1] - 1) / 2], [0, 1, -(size[0] - 1) / 2], [0, 0, 1.0]])
    shifted: np.ndarray = shift @ homography
    return shifted
