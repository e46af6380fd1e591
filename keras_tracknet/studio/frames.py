"""Frames by number: any frame of a video as the picture a player shows, without reading all."""

from __future__ import annotations

import bisect
import contextlib
import itertools
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.files import replace_file
from keras_tracknet.video.clock import Clock
from keras_tracknet.video.container import decode_stream, demux_stream, open_video
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.display import Display, Shrink
from keras_tracknet.video.reader import DEFAULT_FPS

Stamp = tuple[int, int]  # bytes, and nanoseconds of the last change


class FrameIndex(NamedTuple):
    """Where the frames of a video are in its file.

    Attributes:
        pts: `(frames,)` int64, timestamp of each frame in the order they are shown, ascending.
        keys: `(keys,)` int64, timestamps of the frames that decoding can begin at, ascending.
    """

    pts: np.ndarray
    keys: np.ndarray


def stamp_file(path: Path) -> Stamp:
    """Return what tells a file from another one that takes its name."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


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
    stamp = np.array(stamp_file(path))
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

    def show(self, picture: Any, shrink: Shrink | None = None) -> np.ndarray:
        """Return a picture as a player shows it, `(height, width, 3)` uint8 RGB.

        Args:
            picture: as decoded.
            shrink: as for `Display.show`.
        """
        return self._display.show(picture, shrink)

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
