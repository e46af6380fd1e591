"""Display: a decoded picture as a player shows it, in shape, orientation and colours."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from keras_tracknet.video.hdr import HDR_CURVES, find_curve

# Encoders round sizes and write pixels of 1280:1281: less than this is no other shape.
SQUARE = Fraction(1, 100)
FARTHEST_ASPECT = 8  # a pixel wider or higher than this is damage
Size = tuple[int, int]  # (height, width), pixels
Shrink = Callable[[Size], Size]  # the size wanted, for that of a picture as it is shown


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

    def find_size(self, picture: Any) -> Size:
        """Return (height, width) of a picture as it is shown."""
        height, width, aspect = picture.height, picture.width, self.aspect
        if self._orient(picture)[0] % 2:
            height, width, aspect = width, height, 1 / aspect
        if aspect > 1:
            width = round(width * aspect)
        elif aspect < 1:
            height = round(height / aspect)
        return height, width

    def show(self, picture: Any, shrink: Shrink | None = None) -> np.ndarray:
        """Return a picture as it is shown, `(height, width, 3)` uint8 RGB.

        Args:
            picture: as decoded.
            shrink: gives the size wanted. One that is smaller both ways is made in the decoder's
                own colours, at half the cost of the whole picture in RGB and its reduction; else,
                and of HDR or a video stored in RGB, the whole picture is returned.
        """
        turn, mirrored = self._orient(picture)
        size = small = self.find_size(picture)
        if shrink is not None and self._to_sdr is None and not picture.format.is_rgb:
            small = shrink(size)
        if small[0] < size[0] and small[1] < size[1]:
            size, picture = small, _scale(picture, small if turn % 2 == 0 else small[::-1])
        # One thread: handing a single picture to a pool costs more than the conversion.
        image = picture.reformat(format="rgb24", threads=1).to_ndarray()
        if self._to_sdr is not None:
            image = self._to_sdr(image)
        if mirrored:
            image = image[:, ::-1]
        image = np.ascontiguousarray(np.rot90(image, turn))
        if image.shape[:2] == size:
            return image
        return cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)

    def _orient(self, picture: Any) -> tuple[int, bool]:
        # Not of every picture: one whose side data was looked at is kept until Python next
        # collects its garbage, and hundreds of pictures are gigabytes.
        if picture.rotation != self._rotation:
            self._rotation, self._orientation = picture.rotation, find_orientation(picture)
        return self._orientation


def _scale(picture: Any, size: Size) -> Any:
    """Return a smaller picture, averaged over area, with its colours at full resolution."""
    height, width = size
    return picture.reformat(width, height, "yuv444p", interpolation="AREA", threads=1)


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
