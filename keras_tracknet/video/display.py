"""Display: a decoded picture as a player shows it, in shape, orientation and colours."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from keras_tracknet.video.hdr import HDR_CURVES, find_curve

# Encoders round sizes and write pixels of 1280:1281: less than this is no other shape.
SQUARE = Fraction(1, 100)
FARTHEST_ASPECT = 8  # a pixel wider or higher than this is damage


class Display:
    """Turns the pictures of a stream into what a player shows.

    Pixels that are not square are stretched, never shrunk; a picture stored turned or mirrored is
    shown upright; HDR is converted to SDR.

    Args:
        stream: where the pictures come from.

    Attributes:
        aspect: width of a stored pixel by its height; 1 where they are square.
        curve: `HLG` or `PQ` for an HDR video, else empty.
    """

    def __init__(self, stream: Any) -> None:
        aspect = stream.sample_aspect_ratio or Fraction(1)
        plausible = Fraction(1, FARTHEST_ASPECT) <= aspect <= FARTHEST_ASPECT
        self.aspect = aspect if plausible and abs(aspect - 1) >= SQUARE else Fraction(1)
        transfer = int(stream.codec_context.color_trc)
        self.curve = HDR_CURVES.get(transfer, "")
        self._to_sdr = find_curve(transfer)
        self._rotation: float | None = None
        self._orientation = 0, False

    def show(self, picture: Any) -> np.ndarray:
        """Return a picture as it is shown, `(height, width, 3)` uint8 RGB."""
        # One thread: handing a single picture to a pool costs more than the conversion.
        image = picture.reformat(format="rgb24", threads=1).to_ndarray()
        if self._to_sdr is not None:
            image = self._to_sdr(image)
        # Not of every picture: one whose side data was looked at is kept until Python next
        # collects its garbage, and hundreds of pictures are gigabytes.
        if picture.rotation != self._rotation:
            self._rotation, self._orientation = picture.rotation, find_orientation(picture)
        turn, mirrored = self._orientation
        if mirrored:
            image = image[:, ::-1]
        return self._stretch(np.ascontiguousarray(np.rot90(image, turn)), turn)

    def _stretch(self, image: np.ndarray, turn: int) -> np.ndarray:
        if self.aspect == 1:
            return image
        height, width = image.shape[:2]
        aspect = 1 / self.aspect if turn % 2 else self.aspect
        if aspect > 1:
            width = round(width * aspect)
        else:
            height = round(height / aspect)
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def find_orientation(picture: Any) -> tuple[int, bool]:
    """Return how a stored picture becomes the one shown: quarter turns, after being mirrored.

    Returns:
        (turns, mirrored): counter-clockwise quarter turns, 0 to 3; and whether left and right
        change places before.
    """
    matrix = next((d for d in picture.side_data if d.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return round(picture.rotation / 90) % 4, False
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix)[:36])
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    # A stored step to the right becomes (a, b), x to the right and y down.
    if abs(a) >= abs(b):
        return (0 if a >= 0 else 2), mirrored
    return (3 if b > 0 else 1), mirrored
