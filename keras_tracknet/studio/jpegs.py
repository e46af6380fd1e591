"""JPEGs: frames as the page shows them, with those around the latest one made ready ahead."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.studio.frames import Pictures

JPEG_QUALITY = 88
AHEAD = 10  # frames that are made ready after the one that was asked for
BEHIND = 10  # frames before it that are kept from a jump
CACHE_BYTES = 96 << 20
DECODED_BYTES, BYTES_A_PIXEL = 96 << 20, 1.5  # of pictures that were decoded on the way


def encode_jpeg(image: np.ndarray, width: int | None = None) -> bytes:
    """Return a picture as JPEG.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        width: of the JPEG, pixels; it is never enlarged.
    """
    size = _shrink(image.shape[:2], width)
    if size != image.shape[:2]:
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    assert done
    return data.tobytes()


def _shrink(size: tuple[int, int], width: int | None) -> tuple[int, int]:
    """Return (height, width) of a picture that is at most so wide."""
    height, own = size
    if width is None or width >= own:
        return size
    return max(1, round(height * width / own)), width


class AbandonedError(Exception):
    """A frame that nobody waits for any more."""


class JpegCache:
    """The latest JPEGs of all videos, up to a number of bytes.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self.limit, self.bytes = limit, 0
        self._kept: OrderedDict[Any, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any) -> bytes | None:
        """Return what is kept under a key, None for nothing."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Any, data: bytes) -> None:
        """Keep a JPEG, in place of those that nobody has asked for the longest."""
        with self._lock:
            self.bytes += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self.bytes > self.limit:
                _, oldest = self._kept.popitem(last=False)
                self.bytes -= len(oldest)


class FrameServer:
    """Frames of one video as JPEG, with those around the latest one made ready ahead.

    Frames that were decoded on the way to another one are kept for a while, and become JPEGs when
    they are asked for.

    Args:
        pictures: the video.
        cache: keeps the JPEGs, of other videos as well.
        tag: of the file, so that a browser knows whether its copies are still right.
    """

    def __init__(self, pictures: Pictures, cache: JpegCache, tag: str = "") -> None:
        self.pictures, self.cache, self.tag = pictures, cache, tag
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="frames")
        self._latest = 0  # number of the latest request; older ones need nothing ahead
        self._last = -1
        self._decoded: OrderedDict[int, Any] = OrderedDict()  # by number, as FFmpeg decoded them
        self._image: tuple[int, np.ndarray] | None = None  # the latest one that was read

    def close(self) -> None:
        """Stop working ahead and close the video."""
        self._latest += 1
        self._worker.shutdown()
        with self._lock:
            self._decoded.clear()
            self.pictures.close()

    def read(self, number: int) -> np.ndarray:
        """Return a frame, `(height, width, 3)` uint8 RGB."""
        with self._lock:
            if self._image is None or self._image[0] != number:
                self._image = number, self.pictures.show(self._decode(number))
            return self._image[1]

    def jpeg(
        self, number: int, width: int | None = None, is_wanted: Callable[[], bool] = lambda: True
    ) -> bytes:
        """Return a frame as JPEG.

        Args:
            number: of the frame.
            width: most pixels across; the video's own when omitted.
            is_wanted: whether somebody still waits for it; asked before it is decoded.

        Raises:
            IndexError: there is no such frame.
            AbandonedError: nobody waits for it any more.
        """
        self._latest += 1
        back, self._last = number < self._last, number
        data = self._make(number, width, is_wanted)
        ways = (
            range(number - 1, number - 1 - BEHIND, -1)
            if back
            else range(number + 1, number + 1 + AHEAD)
        )
        wanted = [n for n in ways if 0 <= n < len(self.pictures)]
        self._worker.submit(self._work_ahead, self._latest, wanted, width)
        return data

    def _work_ahead(self, request: int, wanted: list[int], width: int | None) -> None:
        with contextlib.suppress(InputError, AbandonedError):
            for number in wanted:
                self._make(number, width, lambda: self._latest == request)

    def _make(self, number: int, width: int | None, is_wanted: Callable[[], bool]) -> bytes:
        data = self.cache.get((self, number, width))
        if data is None:
            with self._lock:
                if not is_wanted():
                    raise AbandonedError
                picture = self._decode(number)
                image = self.pictures.show(picture, lambda size: _shrink(size, width))
            data = encode_jpeg(image, width)
            self.cache.put((self, number, width), data)
        return data

    def _decode(self, number: int) -> Any:
        """Return a picture as FFmpeg decodes it."""
        if number not in self._decoded:
            for passed, picture in self.pictures.find(number, BEHIND):
                self._decoded[passed] = picture
                self._decoded.move_to_end(passed)
            size = picture.height * picture.width * BYTES_A_PIXEL
            while len(self._decoded) > max(1, DECODED_BYTES // size):
                self._decoded.popitem(last=False)
        return self._decoded[number]
