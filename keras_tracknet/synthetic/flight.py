"""How a ball flies: gravity, drag that grows with the square of its speed, and its spin."""

from __future__ import annotations

import numpy as np

from keras_tracknet.sports import GRAVITY

STEP = 1 / 200  # seconds between two computed points of a flight


def fly_balls(
    start: np.ndarray,
    velocity: np.ndarray,
    seconds: float,
    drag: float,
    spin: np.ndarray | None = None,
) -> np.ndarray:
    """Fly many balls at once, second-order Runge-Kutta; the floor is not in the way.

    Args:
        start: `(flights, 3)` metres, or `(3,)` for all of them.
        velocity: `(flights, 3)` metres per second at the start.
        seconds: how long to fly.
        drag: per metre, see `Sport`.
        spin: `(flights, 3)` per metre, along the axis that the ball turns about: the Magnus
            acceleration is speed * spin x velocity. None for no spin.

    Returns:
        `(points, flights, 3)` metres, one point every `STEP` seconds from the start on.
    """
    speed = np.array(velocity, dtype=np.float64)
    place = np.broadcast_to(start, speed.shape).astype(np.float64)
    path = np.empty((round(seconds / STEP) + 1, *speed.shape))
    path[0] = place
    for index in range(1, len(path)):
        middle = speed + accelerate(speed, drag, spin) * (STEP / 2)
        place = place + middle * STEP
        speed = speed + accelerate(middle, drag, spin) * STEP
        path[index] = place
    return path


def accelerate(velocity: np.ndarray, drag: float, spin: np.ndarray | None = None) -> np.ndarray:
    """Acceleration in m/s^2 at `(flights, 3)` velocities: gravity, quadratic drag and lift."""
    size = np.sqrt(np.einsum("ij,ij->i", velocity, velocity))
    change: np.ndarray = velocity * (-drag * size)[:, None]
    change[:, 2] -= GRAVITY
    if spin is not None:
        change += np.cross(spin, velocity) * size[:, None]
    return change
