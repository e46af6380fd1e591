"""The camera that a flight is seen by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_tracknet.sports import GRAVITY, Sport

NEAREST = 1.0  # metres; nothing is closer to the camera


@dataclass(frozen=True)
class View:
    """The camera that sees the flights.

    Attributes:
        focal: pixels.
        centre: (x, y) of the optical axis, pixels.
        pitch: radians below the horizon that the camera looks down by.
        distance: metres from the camera to the middle of the play.
        height: metres from the floor to the camera; None where unknown.
    """

    focal: float
    centre: tuple[float, float]
    pitch: float
    distance: float
    height: float | None = None

    @classmethod
    def of_broadcast(
        cls, size: tuple[int, int], sport: Sport, *, zoom: float = 1.6, pitch: float = 0.25
    ) -> View:
        """A camera behind the court that has its near end in most of the picture.

        Args:
            size: (height, width) of the picture, pixels.
            sport: whose court it is.
            zoom: focal length over the width of a 16:9 picture.
            pitch: radians below the horizon.
        """
        height, width = size
        focal = zoom * min(width, height * 16 / 9)
        distance = sport.width * zoom / 0.56 + sport.length / 2
        return cls(focal, ((width - 1) / 2, (height - 1) / 2), pitch, distance)

    @property
    def gravity(self) -> np.ndarray:
        """`(3,)` m/s^2 along the camera's right, down and forward."""
        return GRAVITY * np.array([0.0, np.cos(self.pitch), np.sin(self.pitch)])

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project `(..., 3)` metres along the camera's axes to `(..., 2)` pixels."""
        depth = np.maximum(points[..., 2:], NEAREST)
        pixels: np.ndarray = np.asarray(self.centre) + self.focal * points[..., :2] / depth
        return pixels
