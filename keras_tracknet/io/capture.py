"""Capture: frames of a camera or a network stream as they come, the newest first to be had."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

import av
import cv2
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.io.container import explain_error

OPTIONS = {"rtsp_transport": "tcp", "fflags": "nobuffer"}  # of network streams
TIMEOUT = 10.0  # seconds without an answer after which a stream counts as broken
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds before connecting again, doubled each time


class CapturedFrame(NamedTuple):
    """A frame: seconds of the monotonic clock at its arrival, and `(height, width, 3)` RGB."""

    arrived: float
    image: np.ndarray


def is_live(source: str) -> bool:
    """Return whether a source is a camera's number or a stream's address."""
    return source.isdecimal() or ("://" in source and not source.startswith(("file:", "hf:")))


def capture_frames(source: str) -> Generator[np.ndarray, None, None]:
    """Yield what a camera or a stream shows until it ends.

    Args:
        source: a camera's number, or an address such as `rtsp://camera/stream`.

    Yields:
        `(height, width, 3)` uint8 RGB.

    Raises:
        InputError: it cannot be opened, or breaks off.
    """
    if source.isdecimal():
        yield from _capture_camera(int(source))
        return
    options = OPTIONS if source.startswith("rtsp") else {}
    try:
        with av.open(source, options=options, timeout=TIMEOUT) as container:
            if not container.streams.video:
                raise InputError(f"{source}: there is no picture in it; give another stream.")
            for picture in container.decode(video=0):
                yield picture.to_ndarray(format="rgb24")
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{source}: cannot be read ({explain_error(error)}).") from error


class Capture:
    """Reads a live source in a thread; what is not taken in time is dropped and counted.

    A stream that breaks off is connected to again, after waits that double each time. Use it in
    a `with` block.

    Args:
        source: as for `capture_frames`.
        depth: frames to hold at most; the oldest is dropped for a new one.
        patience: seconds without a frame after which the source is given up.
        read: yields the pictures of one connection.
    """

    def __init__(
        self,
        source: str,
        *,
        depth: int,
        patience: float = 60.0,
        read: Callable[[str], Iterator[np.ndarray]] = capture_frames,
    ) -> None:
        self.source, self.patience, self._read = source, patience, read
        self.dropped = self.connections = 0
        self._frames: deque[CapturedFrame] = deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._over: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="capture", daemon=True)

    def __enter__(self) -> Capture:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stopped.set()
        self._thread.join(TIMEOUT)

    def __iter__(self) -> Iterator[CapturedFrame]:
        """Yield frames in the order of their arrival.

        Raises:
            InputError: the source cannot be read for longer than the patience lasts.
        """
        while True:
            with self._changed:
                while not self._frames and self._over is None:
                    self._changed.wait(0.2)  # now and then Ctrl-C gets a chance
                if not self._frames:
                    break
                frame = self._frames.popleft()
            yield frame
        if isinstance(self._over, InputError):
            raise self._over
        if self._over is not None and not isinstance(self._over, StopIteration):
            raise self._over

    def _work(self) -> None:
        wait, last = FIRST_WAIT, time.monotonic()
        error: BaseException = StopIteration()
        while not self._stopped.is_set():
            self.connections += 1
            try:
                for picture in self._read(self.source):
                    self._put(picture)
                    wait, last = FIRST_WAIT, time.monotonic()
                    if self._stopped.is_set():
                        break
                error = StopIteration()
            except InputError as failure:
                error = failure
            except BaseException as failure:  # handed over to the reader, whatever it is
                error = failure
                break
            if time.monotonic() - last + wait > self.patience:
                break
            self._stopped.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        with self._changed:
            self._over = error
            self._changed.notify_all()

    def _put(self, picture: np.ndarray) -> None:
        with self._changed:
            if len(self._frames) >= self._depth:
                self._frames.popleft()
                self.dropped += 1
            self._frames.append(CapturedFrame(time.monotonic(), picture))
            self._changed.notify_all()


def _capture_camera(number: int) -> Generator[np.ndarray, None, None]:
    camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise InputError(f"{number}: there is no such camera; check its number and rights.")
        while True:
            there, picture = camera.read()
            if not there:
                raise InputError(f"{number}: the camera stopped.")
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    finally:
        camera.release()
