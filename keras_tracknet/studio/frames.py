"""Frames by number: any frame of a video as the picture a player shows, without reading all."""

from __future__ import annotations

import bisect
import contextlib
import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.files import replace_file
from keras_tracknet.video.clock import Clock
from keras_tracknet.video.container import decode_stream, demux_stream, open_video
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.display import Display
from keras_tracknet.video.reader import DEFAULT_FPS

JPEG_QUALITY = 88
AHEAD = 10  # frames that are made ready after the one that was asked for
BEHIND = 10  # frames before it that are kept from a jump
CACHE_BYTES = 96 << 20


class FrameIndex(NamedTuple):
    """Where the frames of a video are in its file.

    Attributes:
        pts: `(frames,)` int64, timestamp of each frame in the order they are shown, ascending.
        keys: `(keys,)` int64, timestamps of the frames that decoding can begin at, ascending.
    """

    pts: np.ndarray
    keys: np.ndarray


def find_frames(path: Path, saved: Path | None = None, *, frames: int | None = None) -> FrameIndex:
    """Return the index of a video: by its packets, or by decoding it where they cannot tell.

    Args:
        path: the video.
        saved: file to keep the index in; nowhere when omitted.
        frames: how many frames `read_frames` yields, if known. Packets that say otherwise are not
            believed.

    Raises:
        InputError: the video cannot be read, or its frames have no usable timestamps.
    """
    stat = path.stat()
    stamp = np.array([stat.st_size, stat.st_mtime_ns])
    if saved is not None:
        with contextlib.suppress(OSError, ValueError, KeyError), np.load(saved) as kept:
            right = np.array_equal(kept["stamp"], stamp) and frames in (None, len(kept["pts"]))
            if right:
                return FrameIndex(kept["pts"], kept["keys"])
    index = _index_packets(path)
    if index is None or frames not in (None, len(index.pts)):
        index = _index_pictures(path)
    if saved is not None:
        with replace_file(saved) as partial:
            np.savez(partial, stamp=stamp, pts=index.pts, keys=index.keys)
    return index


def _index_packets(path: Path) -> FrameIndex | None:
    with open_video(path) as (container, stream):
        if container.format.name == "avi":  # numbers its packets in the order of decoding
            return None
        damage, pts, keys = Damage(), [], []
        for packet in demux_stream(container, stream, damage):
            if packet is None or not packet.size:
                continue
            if packet.pts is None:
                return None
            if not packet.is_discard:  # else an edit list leaves it out
                pts.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
    # Pictures that are shown before the first key frame cannot be decoded.
    shown = sorted(moment for moment in pts if keys and moment >= min(keys))
    if damage.count or not shown or len(set(shown)) < len(shown):
        return None
    return FrameIndex(np.array(shown, np.int64), np.array(sorted(keys), np.int64))


def _index_pictures(path: Path) -> FrameIndex:
    pts, keys = [], []
    with open_video(path) as (container, stream):
        for picture in decode_stream(container, stream, Damage()):
            pts.append(picture.pts)
            if picture.key_frame:
                keys.append(picture.pts)
    usable = pts and None not in pts and all(a < b for a, b in itertools.pairwise(pts))
    if not usable:
        raise InputError(
            f"{path}: timestamps are missing or not ascending; convert the video to H.264 mp4."
        )
    return FrameIndex(np.array(pts, np.int64), np.array(keys or pts[:1], np.int64))


class Pictures:
    """A video that is open for reading frames by their numbers, in any order.

    Frame `n` is the one that `read_frames` yields as number `n`. Not for use by two threads.

    Args:
        path: the video.
        index: of its frames.
    """

    def __init__(self, path: Path, index: FrameIndex) -> None:
        self.path, self.index = path, index
        self._stack = contextlib.ExitStack()
        self._container, self._stream = self._stack.enter_context(open_video(path))
        self._display = Display(self._stream)
        self._decoded: Iterator[Any] = iter(())
        self._next: int | None = None  # number of the frame that is decoded next
        self._wanted = 0  # timestamp before which frames need not be decoded in full

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def __len__(self) -> int:
        return len(self.index.pts)

    def times(self) -> np.ndarray:
        """`(frames,)` seconds from the start of the stream, of each frame."""
        clock = Clock(self._container, self._stream, self._stream.average_rate or DEFAULT_FPS)
        return np.array([clock.seconds(pts) for pts in self.index.pts.tolist()])

    def show(self, picture: Any) -> np.ndarray:
        """Return a picture as a player shows it, `(height, width, 3)` uint8 RGB."""
        return self._display.show(picture)

    def read(self, number: int) -> np.ndarray:
        """Return a frame as a player shows it, `(height, width, 3)` uint8 RGB."""
        return self.show(self.find(number)[-1][1])

    def find(self, number: int, behind: int = 0) -> list[tuple[int, Any]]:
        """Return a frame after those before it that were decoded on the way.

        Args:
            number: of the frame, from 0.
            behind: how many frames before it to return, at most.

        Returns:
            (number, picture as FFmpeg decoded it), ascending; the last is the one asked for.

        Raises:
            IndexError: there is no such frame.
            InputError: it cannot be decoded.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        pts = self.index.pts
        key = bisect.bisect_right(self.index.keys, pts[number]) - 1
        first = int(np.searchsorted(pts, self.index.keys[max(key, 0)]))
        self._wanted = int(pts[max(number - behind, 0)])
        if self._next is None or not max(first, 0) <= self._next <= number:
            self._seek(max(key, 0))
        while True:
            found: deque[tuple[int, Any]] = deque(maxlen=behind + 1)
            for picture in self._decoded:
                place = int(np.searchsorted(pts, picture.pts if picture.pts is not None else -1))
                if picture.pts is None or place > number:
                    break
                if place < len(pts) and pts[place] == picture.pts:
                    found.append((place, picture))
                    self._next = place + 1
                    if place == number:
                        return list(found)
            # What was decoded began too late, or needs what is before the key frame.
            key -= 1
            if key < 0:
                raise InputError(f"{self.path}: frame {number} cannot be decoded.")
            self._seek(key)

    def _seek(self, key: int) -> None:
        self._next = None
        first = key == 0
        target = int(self.index.pts[0] if first else self.index.keys[key])
        self._container.seek(target, stream=self._stream, backward=True)
        self._decoded = self._decode()

    def _decode(self) -> Iterator[Any]:
        """Yield pictures; those that no other needs and nobody asked for are skipped."""
        context = self._stream.codec_context
        for packet in demux_stream(self._container, self._stream, Damage()):
            early = packet is not None and packet.pts is not None and packet.pts < self._wanted
            context.skip_frame = "NONREF" if early else "DEFAULT"
            try:
                yield from self._stream.decode(packet)
            except (av.FFmpegError, OSError):
                continue


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
