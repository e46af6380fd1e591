"""Frames at the model's size, the background behind them, and the way back to the source.

Pixel centres are on whole numbers, so a position is scaled about the pixel's corner:
`model = (source + 0.5) x model size / source size - 0.5`.
"""

from __future__ import annotations

import cv2
import numpy as np

from keras_tracknet.video.display import Shrink

FITS = ("stretch", "letterbox", "longest")


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


def shrink_to_fit(model_size: tuple[int, int], fit: str) -> Shrink:
    """Return what gives the size of a picture in a network's input, so that it is read as small.

    Args:
        model_size, fit: as for `picture_box`.
    """

    def shrink(size: tuple[int, int]) -> tuple[int, int]:
        _, _, width, height = picture_box(size, model_size, fit)
        return height, width

    return shrink


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
    scaled: np.ndarray = (np.asarray(positions, dtype=np.float64) + 0.5) * factor - 0.5
    return scaled
