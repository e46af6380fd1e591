"""Stacking: the frames of a window, and the background, as one input of the network."""

from __future__ import annotations

import math

import cv2
import numpy as np

from keras_tracknet.frames.background import subtract_background

MERGE_LIMIT = 128  # channels that OpenCV can put together
BACKGROUND_MODES = ("none", "subtract", "subtract_concat", "concat")


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
    # A single plane comes without channels.
    merged: np.ndarray = stacked.reshape(*stacked.shape[:2], -1)
    return merged


def scale_window(stacked: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Return stacked channels, uint8, as the model's input: float32, 0 to 1.

    Args:
        stacked: uint8 of any shape.
        out: float32 of that shape to fill instead of a new array.
    """
    scaled: np.ndarray = np.multiply(stacked, np.float32(1 / 255), out=out, dtype=np.float32)
    return scaled


def aligned_empty(shape: tuple[int, ...]) -> np.ndarray:
    """Return an uninitialised float32 array that TensorFlow can take over without a copy."""
    count, alignment = math.prod(shape), 64
    buffer = np.empty(4 * count + alignment, np.uint8)
    skip = -buffer.ctypes.data % alignment
    return buffer[skip : skip + 4 * count].view(np.float32).reshape(shape)
