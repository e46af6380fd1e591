"""How a shuttlecock flies: gravity, and air drag that grows with the square of its speed."""

from __future__ import annotations

import numpy as np

GRAVITY = 9.81  # m/s^2
TERMINAL_SPEED = 6.8  # m/s, of a feather shuttlecock
STEP = 1 / 200  # seconds between two computed points of a flight


def fly_shuttles(start: np.ndarray, velocity: np.ndarray, seconds: float) -> np.ndarray:
    """Fly many shuttlecocks at once, second-order Runge-Kutta; the floor is not in the way.

    Args:
        start: `(flights, 3)` metres, or `(3,)` for all of them.
        velocity: `(flights, 3)` metres a second at the start.
        seconds: how long to fly.

    Returns:
        `(points, flights, 3)` metres, one point every `STEP` seconds from the start on.
    """
    speed = np.array(velocity, dtype=np.float64)
    place = np.broadcast_to(start, speed.shape).astype(np.float64)
    path = np.empty((round(seconds / STEP) + 1, *speed.shape))
    path[0] = place
    for index in range(1, len(path)):
        middle = speed + accelerate(speed) * (STEP / 2)
        place = place + middle * STEP
        speed = speed + accelerate(middle) * STEP
        path[index] = place
    return path


def accelerate(velocity: np.ndarray) -> np.ndarray:
    """Acceleration in m/s^2 at `(flights, 3)` velocities: gravity less quadratic drag."""
    size = np.sqrt(np.einsum("ij,ij->i", velocity, velocity))
    change = velocity * (-GRAVITY / TERMINAL_SPEED**2 * size)[:, None]
    change[:, 2] -= GRAVITY
    return change
