"""Frames at the model's size, the background behind them, and the way back to the source.

Pixel centres are on whole numbers, so a position is scaled about the pixel's corner:
`model = (source + 0.5) x model size / source size - 0.5`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np

MERGE_LIMIT = 128  # channels that OpenCV can put together
BACKGROUND_MODES = ("none", "subtract", "subtract_concat", "concat")
DIFFERENCES = ("saturated", "wrapped")
FITS = ("stretch", "letterbox", "longest")
BACKGROUND_FRAMES = 101  # frames that a background is estimated from, at most


def resize_frame(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Stretch a frame to the model's size, averaging over area where it shrinks.

    Args:
        image: `(height, width, 3)` uint8.
        size: (height, width) of the result in pixels.

    Returns:
        `(*size, 3)` uint8.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] >= height and image.shape[1] >= width
    return cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )


def picture_box(
    size: tuple[int, int], model_size: tuple[int, int], fit: str
) -> tuple[int, int, int, int]:
    """Return where in a network's input a picture comes to lie.

    Args:
        size: (height, width) of the picture, pixels.
        model_size: (height, width) of the input, pixels.
        fit: `stretch` to the whole input, each axis by its own factor; `letterbox` as large as
            goes in whole; `longest` with the longer side as wide as the input, which cuts off
            what is then too high, as WASB does.

    Returns:
        (left, top, width, height) in pixels of the input; left and top below 0 where something
        is cut off.
    """
    (height, width), (model_height, model_width) = size, model_size
    if fit == "stretch":
        return 0, 0, model_width, model_height
    factor = min(model_width / width, model_height / height)
    if fit == "longest":
        factor = model_width / max(size)
    across, down = max(1, round(width * factor)), max(1, round(height * factor))
    return (model_width - across) // 2, (model_height - down) // 2, across, down


def fit_frame(image: np.ndarray, size: tuple[int, int], fit: str) -> np.ndarray:
    """Bring a frame to the model's size; black where the frame does not reach.

    Args:
        image: `(height, width, 3)` uint8.
        size: (height, width) of the result in pixels.
        fit: see `picture_box`.

    Returns:
        `(*size, 3)` uint8.
    """
    left, top, width, height = picture_box(image.shape[:2], size, fit)
    picture = resize_frame(image, (height, width))
    if (height, width) == tuple(size):
        return picture
    fitted = np.zeros((*size, 3), np.uint8)
    right, bottom = min(left + width, size[1]), min(top + height, size[0])
    fitted[max(top, 0) : bottom, max(left, 0) : right] = picture[
        max(-top, 0) : bottom - top, max(-left, 0) : right - left
    ]
    return fitted


def unfit_positions(
    positions: np.ndarray, size: tuple[int, int], model_size: tuple[int, int], fit: str
) -> np.ndarray:
    """Convert positions in a network's input to those in the picture that `fit_frame` took.

    Args:
        positions: `(..., 2)`, (x, y) in pixels of the input; NaN stays NaN.
        size: (height, width) of the picture, pixels.
        model_size: (height, width) of the input, pixels.
        fit: see `picture_box`.

    Returns:
        `(..., 2)`, (x, y) in pixels of the picture.
    """
    left, top, width, height = picture_box(size, model_size, fit)
    return scale_positions(np.asarray(positions) - (left, top), (height, width), size)


def scale_positions(
    positions: np.ndarray, from_size: tuple[int, int], to_size: tuple[int, int]
) -> np.ndarray:
    """Convert positions between pictures of two sizes, each axis by its own factor.

    Args:
        positions: `(..., 2)`, (x, y) in pixels of a picture of `from_size`; NaN stays NaN.
        from_size, to_size: (height, width) in pixels.

    Returns:
        `(..., 2)`, (x, y) in pixels of a picture of `to_size`.
    """
    factor = np.array([to_size[1] / from_size[1], to_size[0] / from_size[0]])
    return (np.asarray(positions, dtype=np.float64) + 0.5) * factor - 0.5


def sample_indices(frames: int, count: int = BACKGROUND_FRAMES) -> np.ndarray:
    """Return at most `count` frame indices spread evenly over a clip of `frames` frames."""
    if frames <= count:
        return np.arange(frames)
    return np.linspace(0, frames - 1, count).round().astype(int)


def estimate_background(frames: Iterable[np.ndarray]) -> np.ndarray:
    """Return the median picture of a sample of frames (Chen and Wang 2023, section 3.1).

    Args:
        frames: frames at the model's size, `(height, width, 3)` uint8; the caller bounds
            their number, see `sample_indices`.

    Returns:
        `(height, width, 3)` uint8; of an even number of frames the lower median.

    Raises:
        ValueError: there is no frame.
    """
    pictures = frames if isinstance(frames, np.ndarray) else list(frames)
    if not len(pictures):
        raise ValueError("a background needs at least one frame. Received: none")
    stack = np.asarray(pictures)
    middle = (len(stack) - 1) // 2
    background = np.empty(stack.shape[1:], np.uint8)
    for row in range(0, stack.shape[1], 16):  # a strip at a time, so that the copy stays small
        strip = slice(row, row + 16)
        background[strip] = np.partition(stack[:, strip], middle, axis=0)[middle]
    return background


def subtract_background(
    frames: np.ndarray, background: np.ndarray, differences: str = "saturated"
) -> np.ndarray:
    """Return how much each frame differs from the background, summed over RGB.

    Args:
        frames: `(frames, height, width, 3)` uint8.
        background: `(height, width, 3)` uint8.
        differences: `saturated` at 255, or `wrapped` around there as the published code does.

    Returns:
        `(frames, height, width)` uint8.
    """
    if differences == "wrapped":
        return np.stack([cv2.absdiff(f, background).sum(axis=2, dtype=np.uint8) for f in frames])
    planes = np.empty(frames.shape[:3], np.uint8)
    ones = np.ones((1, 3), np.float32)
    for frame, out in zip(frames, planes, strict=True):
        cv2.transform(cv2.absdiff(frame, background), ones, dst=out)
    return planes


def stack_window(
    frames: np.ndarray,
    background: np.ndarray | None,
    mode: str,
    differences: str = "saturated",
) -> np.ndarray:
    """Stack a window's pictures into channels; their order is that of `build_v3`.

    Args:
        frames: `(frames, height, width, 3)` uint8 RGB, oldest first.
        background: `(height, width, 3)` uint8 RGB; unused in mode `none`.
        mode: background mode, as for `build_v3`.
        differences: see `subtract_background`.

    Returns:
        `(height, width, channels)` uint8; `scale_window` makes it the model's input.

    Raises:
        ValueError: the mode needs a background and none is given, or the mode is unknown.
    """
    if mode not in BACKGROUND_MODES:
        raise ValueError(
            f"`mode` must be one of {', '.join(BACKGROUND_MODES)}. Received: mode={mode!r}"
        )
    if mode == "none":
        planes = list(frames)
    elif background is None:
        raise ValueError(f"`mode={mode!r}` requires a background. Received: background=None")
    elif mode == "concat":
        planes = [background, *frames]
    elif mode == "subtract":
        planes = list(subtract_background(frames, background, differences))
    else:
        beside = subtract_background(frames, background, differences)
        planes = [p for pair in zip(frames, beside, strict=True) for p in pair]
    if sum(1 if plane.ndim == 2 else 3 for plane in planes) > MERGE_LIMIT:
        return np.dstack(planes)
    stacked = cv2.merge(planes)  # several times faster than np.dstack
    return stacked.reshape(*stacked.shape[:2], -1)  # a single plane comes without channels


def scale_window(stacked: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return stacked channels, uint8, as the model's input: float32, 0 to 1.

    Args:
        stacked: uint8 of any shape.
        out: float32 of that shape to fill instead of a new array.
    """
    return np.multiply(stacked, np.float32(1 / 255), out=out, dtype=np.float32)


def aligned_empty(shape: tuple[int, ...]) -> np.ndarray:
    """Return an uninitialised float32 array that TensorFlow can take over without a copy."""
    count, alignment = math.prod(shape), 64
    buffer = np.empty(4 * count + alignment, np.uint8)
    skip = -buffer.ctypes.data % alignment
    return buffer[skip : skip + 4 * count].view(np.float32).reshape(shape)
