"""Camera: how far it pans within a window, and frames moved so that the court stands still."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

FASTEST = 16.0  # pixels that a camera pans from one frame to the next, at most
# Response of phase correlation from which it is believed: 0.66 and more in broadcasts of badminton,
# tennis and volleyball, less than 0.1 between pictures that have nothing in common.
SURE = 0.3


def follow_camera(frames: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Return how far the court has moved across the picture since the first frame.

    By phase correlation of the upper half: score boards, which stand still, are below, and so
    are players that fill the picture.

    Args:
        frames: `(height, width, 3)` uint8 each, of one size.

    Returns:
        `(frames, 2)`, (x, y) in pixels; from one frame to the next `FASTEST` at most, and 0 where
        it would be more, as at a cut, or where it cannot be told.
    """
    upper = [
        cv2.cvtColor(frame[: max(1, len(frame) // 2)], cv2.COLOR_RGB2GRAY).astype(np.float32)
        for frame in frames
    ]
    window = cv2.createHanningWindow(upper[0].shape[::-1], cv2.CV_32F)
    steps = np.zeros((len(frames), 2))
    for number, (before, after) in enumerate(pairwise(upper), start=1):
        # OpenCV applies the window to the pictures that it is given.
        step, response = cv2.phaseCorrelate(before.copy(), after.copy(), window)
        if response > SURE and np.abs(step).max() <= FASTEST:
            steps[number] = step
    return np.cumsum(steps, axis=0)


def stack_frames(
    frames: Sequence[np.ndarray] | np.ndarray, *, stabilized: bool = False, out: np.ndarray
) -> np.ndarray:
    """Put the frames of a window side by side, and where asked let the court stand still in them.

    Args:
        frames: `(height, width, 3)` uint8 each, of one size.
        stabilized: whether to move each frame so that the court is where the middle one has it,
            by whole pixels, so that nothing is blurred.
        out: `(frames, height, width, 3)` uint8 to put them in.

    Returns:
        `(frames, 2)` int, (x, y) in pixels that each frame was moved by.
    """
    shifts = np.zeros((len(frames), 2), int)
    if stabilized:
        path = follow_camera(frames)
        shifts = np.round(path[len(path) // 2] - path).astype(int)
    for frame, shift, place in zip(frames, shifts, out, strict=True):
        place[:] = shift_picture(frame, shift, cv2.BORDER_REPLICATE)
    return shifts


def unshift_outputs(outputs: np.ndarray, shifts: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a network's outputs for moved frames as outputs for the frames as they were.

    Args:
        outputs: `(outputs, height, width)` heatmaps, or `(outputs, 3)` detections: x and y as
            shares of the picture, confidence.
        shifts: as `stack_frames` returns them; the outputs are of the window's last frames.
        size: (height, width) of the frames, pixels.
    """
    shifts = shifts[-len(outputs) :]
    if not shifts.any():
        return outputs
    if outputs.ndim == 2:
        return outputs - np.pad(shifts / size[::-1], ((0, 0), (0, 1))).astype(np.float32)
    scale = np.array(outputs.shape[:0:-1]) / size[::-1]
    moved = zip(outputs, np.round(-shifts * scale), strict=True)
    return np.stack([shift_picture(output, shift) for output, shift in moved])


def shift_picture(
    picture: np.ndarray, shift: np.ndarray, border: int = cv2.BORDER_CONSTANT
) -> np.ndarray:
    """Return a picture moved by (x, y) pixels; by whole ones it stays as sharp as it was.

    Args:
        picture: `(height, width)` or `(height, width, 3)`.
        shift: to the right and down.
        border: what comes in at the edges, in OpenCV's words: 0 when omitted.
    """
    if not shift.any():
        return picture
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
    return cv2.warpAffine(picture, move, picture.shape[1::-1], borderMode=border)
