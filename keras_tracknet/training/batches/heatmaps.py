"""Targets: from the ball's position to the map that the network learns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

DISC_RADIUS = 2.5  # pixels at the model's size: 21 pixels of a 5 x 5 box
GAUSSIAN_SIGMA = 1.5  # pixels at the model's size
UNLABELLED = -1.0  # in the whole map of a frame that nobody has labelled; losses leave it out
CLASS_VARIANCE = 10.0  # square pixels at V1's model size (Huang et al. 2019, section III.B)


def render_disc(
    positions: np.ndarray,
    size: tuple[int, int],
    *,
    radius: float = DISC_RADIUS,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Draw a filled disc of ones about the pixel nearest to each position.

    The published V2 and V3 code draws the same disc (radius 2.5: 21 pixels) about the
    truncated position.

    Args:
        positions: `(frames, 2)`, (x, y) in pixels at the model's size; NaN where there is no
            ball. A position off the picture draws what of the disc lies on it.
        size: (height, width) in pixels.
        radius: pixels.
        out: `(height, width, frames)` float32 of zeros to draw on instead of a new array.

    Returns:
        `(height, width, frames)` float32, 0 or 1.
    """
    reach = int(np.floor(radius))
    offsets = np.arange(-reach, reach + 1)
    disc = (offsets[:, None] ** 2 + offsets[None, :] ** 2 <= radius**2).astype(np.float32)
    return _draw(np.floor(np.asarray(positions) + 0.5), size, reach, lambda _x, _y: disc, out)


def render_gaussian(
    positions: np.ndarray,
    size: tuple[int, int],
    *,
    sigma: float = GAUSSIAN_SIGMA,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Draw a Gaussian about each position, to the fraction of a pixel.

    Args:
        positions: as for `render_disc`.
        size: (height, width) in pixels.
        sigma: standard deviation, pixels; the drawing ends at 4 sigma.
        out: as for `render_disc`.

    Returns:
        `(height, width, frames)` float32, 0 to 1; 1 where a position is on a pixel's centre.
    """
    reach = int(np.ceil(4 * sigma))
    offsets = np.arange(-reach, reach + 1)

    def bell(x: float, y: float) -> np.ndarray:
        across = np.exp(-((offsets - (x - np.floor(x + 0.5))) ** 2) / (2 * sigma**2))
        down = np.exp(-((offsets - (y - np.floor(y + 0.5))) ** 2) / (2 * sigma**2))
        patch: np.ndarray = (down[:, None] * across[None, :]).astype(np.float32)
        return patch

    return _draw(positions, size, reach, bell, out)


def render_classes(positions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Draw V1's target: a Gaussian cut into 256 brightness classes (Huang et al. 2019, eq. 1).

    floor(255 exp(-d^2 / (2 x 10))) about the pixel nearest to the position: 37 distinct
    classes, 45 pixels at half height or more.

    Args:
        positions: as for `render_disc`.
        size: (height, width) in pixels.

    Returns:
        `(height, width, frames)` uint8, class 0 to 255.
    """
    reach = 11  # beyond it the class is 0
    offsets = np.arange(-reach, reach + 1)
    squares = offsets[:, None] ** 2 + offsets[None, :] ** 2
    levels = np.floor(255 * np.exp(-squares / (2 * CLASS_VARIANCE))).astype(np.float32)
    nearest = np.floor(np.asarray(positions) + 0.5)
    return _draw(nearest, size, reach, lambda _x, _y: levels, None).astype(np.uint8)


def _draw(
    positions: np.ndarray,
    size: tuple[int, int],
    reach: int,
    patch_at: Callable[[float, float], np.ndarray],
    out: np.ndarray | None,
) -> np.ndarray:
    height, width = size
    heatmaps = np.zeros((height, width, len(positions)), np.float32) if out is None else out
    for frame, (x, y) in enumerate(np.asarray(positions, dtype=np.float64)):
        if not (np.isfinite(x) and np.isfinite(y)):
            continue
        left, top = int(np.floor(x + 0.5)) - reach, int(np.floor(y + 0.5)) - reach
        x0, x1 = max(left, 0), min(left + 2 * reach + 1, width)
        y0, y1 = max(top, 0), min(top + 2 * reach + 1, height)
        if x0 < x1 and y0 < y1:
            patch = patch_at(x, y)
            heatmaps[y0:y1, x0:x1, frame] = patch[y0 - top : y1 - top, x0 - left : x1 - left]
    return heatmaps
