"""JPEGs: frames as the page shows them, with those around the latest one made ready ahead."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
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


def encode_jpeg(image: np.ndarray, width: int | None = None) -> bytes:
    """Return a picture as JPEG.

    Args:
        image: `(height, width, 3)` uint8 RGB.
        width: of the JPEG, pixels; it is never enlarged.
    """
    height, own = image.shape[:2]
    if width is not None and width < own:
        size = (width, max(1, round(height * width / own)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    assert done
    return data.tobytes()


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

    Args:
        pictures: the video.
        cache: keeps the JPEGs, of other videos as well.
    """

    def __init__(self, pictures: Pictures, cache: JpegCache) -> None:
        self.pictures, self.cache = pictures, cache
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="frames")
        self._latest = 0  # number of the latest request; older ones need nothing ahead
        self._last = -1

    def close(self) -> None:
        """Stop working ahead and close the video."""
        self._latest += 1
        self._worker.shutdown()
        with self._lock:
            self.pictures.close()

    def read(self, number: int) -> np.ndarray:
        """Return a frame, `(height, width, 3)` uint8 RGB."""
        with self._lock:
            return self.pictures.read(number)

    def jpeg(self, number: int, width: int | None = None) -> bytes:
        """Return a frame as JPEG.

        Args:
            number: of the frame.
            width: most pixels across; the video's own when omitted.

        Raises:
            IndexError: there is no such frame.
        """
        self._latest += 1
        back, self._last = number < self._last, number
        data = self.cache.get((self, number, width))
        around: list[tuple[int, Any]] = []
        if data is None:
            with self._lock:
                *around, (_, picture) = self.pictures.find(number, BEHIND)
                data = self._keep(number, width, picture)
        wanted = (
            [] if back else list(range(number + 1, min(number + 1 + AHEAD, len(self.pictures))))
        )
        self._worker.submit(self._work_ahead, self._latest, wanted, around[::-1], width)
        return data

    def _work_ahead(
        self, request: int, wanted: list[int], around: list[tuple[int, Any]], width: int | None
    ) -> None:
        for number, picture in (*((n, None) for n in wanted), *around):
            if self._latest != request and picture is None:
                return
            if self.cache.get((self, number, width)) is None:
                with self._lock, contextlib.suppress(InputError, IndexError):
                    picture = picture or self.pictures.find(number)[-1][1]
                    self._keep(number, width, picture)

    def _keep(self, number: int, width: int | None, picture: Any) -> bytes:
        data = encode_jpeg(self.pictures.show(picture), width)
        self.cache.put((self, number, width), data)
        return data
