"""The broadcast camera that looks at a court, in the metres of `sports`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_tracknet.sports import Sport


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes:
        position: `(3,)` metres.
        axes: `(3, 3)`, the camera's right, down and forward as unit vectors of the world.
        focal: focal length in pixels.
        centre: (x, y) of the optical axis in pixels.
    """

    position: np.ndarray
    axes: np.ndarray
    focal: float
    centre: np.ndarray

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project `(..., 3)` metres to `(..., 2)` pixels, pixel centres on whole numbers."""
        seen = (np.asarray(points, dtype=np.float64) - self.position) @ self.axes.T
        pixels: np.ndarray = self.centre + self.focal * seen[..., :2] / seen[..., 2:]
        return pixels

    def scale(self, points: np.ndarray) -> np.ndarray:
        """Pixels that one metre covers at each of `(..., 3)` points."""
        depth = (np.asarray(points, dtype=np.float64) - self.position) @ self.axes[2]
        scale: np.ndarray = self.focal / depth
        return scale


def place_camera(rng: np.random.Generator, size: tuple[int, int], sport: Sport) -> Camera:
    """Place a camera behind and above the near end so that the whole court is in the picture.

    Args:
        rng: draws the distance, height, zoom and the small sideways offsets.
        size: (height, width) of the picture in pixels.
        sport: whose court is seen.
    """
    height, width = size
    length = sport.length
    distance = rng.uniform(11.0, 22.0) * (length / 13.4)  # from the near base line, on the floor
    rise = distance * rng.uniform(0.26, 0.50)
    position = np.array([rng.normal(0.0, 0.25), -length / 2 - distance, rise])

    # The near base line fills this share of a 16:9 picture, whatever the shape of ours.
    share = rng.uniform(0.50, 0.62) * min(width, height * 16 / 9)
    focal = share * np.hypot(distance, rise) / sport.width
    bottom = rng.uniform(0.39, 0.45) * height
    # A high camera sees a deep court: zoom out until the far half keeps room for the crowd.
    angle = np.arctan2(rise, distance) - np.arctan2(rise, distance + length)
    focal *= min(1.0, rng.uniform(0.38, 0.50) * height / (focal * np.tan(angle)))
    pitch = np.arctan2(rise, distance) - np.arctan2(bottom, focal)
    yaw = np.arctan2(-position[0], distance + length / 2) + rng.normal(0.0, 0.006)

    forward = np.array([np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), -np.sin(pitch)])
    right = np.array([np.cos(yaw), -np.sin(yaw), 0.0])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return Camera(position, np.stack([right, np.cross(forward, right), forward]), focal, centre)
