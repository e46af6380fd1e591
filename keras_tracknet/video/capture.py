"""Capture: frames of a camera or a network stream as they come, the newest first to be had."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

import av
import cv2
import numpy as np

from keras_tracknet.addresses import mask_addresses
from keras_tracknet.errors import InputError
from keras_tracknet.video.container import explain_error, find_video_stream
from keras_tracknet.video.display import Display

OPTIONS = {"rtsp_transport": "tcp", "fflags": "nobuffer"}  # of network streams
TIMEOUT = 10.0  # seconds without an answer after which a source counts as broken
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds before connecting again, doubled each time
LARGEST_NUMBER = 999  # of a camera; what is longer is a mistyped name
LEAVING = 2.0  # seconds that are waited for a source which does not answer, at the end


class CapturedFrame(NamedTuple):
    """A frame: seconds of the monotonic clock at its arrival, and `(height, width, 3)` RGB."""

    arrived: float
    image: np.ndarray


def is_live(source: str) -> bool:
    """Return whether a source is a camera's number or an address, and no path that exists."""
    if os.path.exists(source):
        return False
    return source.isdecimal() or ("://" in source and not source.startswith(("file:", "hf:")))


def name_source(source: str) -> str:
    """Return what a source is called in messages and files: no password is in it."""
    return mask_addresses(source.replace(" ", "%20"))


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
    with open_stream(source) as container:
        stream = find_video_stream(container)
        if stream is None or stream.codec_context is None:
            raise InputError(f"{name_source(source)}: contains no video; use another stream.")
        display = Display(stream)
        for picture in _decode_on(container, stream):
            yield display.show(picture)


def _decode_on(container: Any, stream: Any) -> Iterator[Any]:
    """Yield what can be decoded, to the last picture also where the source breaks off."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            yield from stream.decode(None)
            raise
        if packet is None:
            return
        with contextlib.suppress(av.InvalidDataError):  # the next ones may be whole
            yield from stream.decode(packet)


@contextlib.contextmanager
def open_stream(address: str) -> Iterator[Any]:
    """Open an address with FFmpeg, and close it at the end of the `with` block.

    Raises:
        InputError: it cannot be opened, or what is done in the block meets an error of FFmpeg.
    """
    options = OPTIONS if address.startswith("rtsp") else {}
    asked, opened = time.monotonic(), False
    try:
        with av.open(address, options=options, timeout=TIMEOUT) as container:
            opened = True
            yield container
    except (av.FFmpegError, OSError) as error:
        reason = explain_error(error)
        if opened and error.errno == errno.EIO and address.startswith("http"):
            return  # FFmpeg's word for a server that hangs up, having told no length
        late = not opened and time.monotonic() - asked >= TIMEOUT
        if late or isinstance(error, av.ExitError):
            reason = f"no response within {TIMEOUT:g} s"
        # FFmpeg's own error holds the address with its password.
        what = f"connection lost ({reason})."
        if not opened:
            what = (
                f"cannot be read ({reason}); check the address and whether the source is sending."
            )
        raise InputError(f"{name_source(address)}: {what}") from None


class Capture:
    """Reads a live source in a thread; what is not taken in time is dropped and counted.

    A source that ends has ended. One that breaks off with an error is connected to again, after
    waits that double each time; one that cannot be read at first is given up at once. Use it in
    a `with` block.

    Args:
        source: as for `capture_frames`.
        patience: seconds without a frame after which a source that broke off is given up.
        read: yields the pictures of one connection.
        warn: is told when the source breaks off.
    """

    def __init__(
        self,
        source: str,
        *,
        patience: float = 60.0,
        read: Callable[[str], Iterator[np.ndarray]] = capture_frames,
        warn: Callable[[str], Any] = warnings.warn,
    ) -> None:
        self.source, self.patience, self._read, self._warn = source, patience, read, warn
        self.dropped = self.connections = 0
        self._frames: deque[CapturedFrame] = deque()
        self._depth, self._end = 1, math.inf
        self._changed = threading.Condition()
        self._found, self._begun = threading.Event(), threading.Event()
        self._stopped = threading.Event()
        self._over = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="capture", daemon=True)

    def __enter__(self) -> Capture:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stopped.set()
        self._begun.set()
        self._thread.join(LEAVING)

    def wait(self) -> None:
        """Wait until the first frame is there, and hold the source there.

        Raises:
            InputError: the source cannot be read, or ends without a frame.
        """
        given_up = time.monotonic() + self.patience
        while not self._found.wait(0.2):  # now and then Ctrl-C gets a chance
            if time.monotonic() > given_up:
                raise InputError(
                    f"{name_source(self.source)}: no picture received within {self.patience:g} s;"
                    " use another stream."
                )
        if self._error is not None:
            raise self._error

    def begin(self, depth: int, duration: float | None = None) -> None:
        """Let frames come.

        Args:
            depth: frames to hold at most; the oldest is dropped for a new one.
            duration: seconds after which the source has ended, whether it still sends or not.
        """
        self._depth = depth
        if duration is not None:
            self._end = time.monotonic() + duration
        self._begun.set()

    def __iter__(self) -> Iterator[CapturedFrame]:
        """Yield frames in the order of their arrival.

        Raises:
            InputError: the source cannot be read for longer than the patience lasts.
        """
        while True:
            with self._changed:
                while not self._frames and not self._over and time.monotonic() < self._end:
                    # Now and then Ctrl-C gets a chance.
                    self._changed.wait(min(0.2, max(self._end - time.monotonic(), 0)))
                if not self._frames:
                    break
                frame = self._frames.popleft()
            if frame.arrived >= self._end:
                return
            yield frame
        if self._error is not None and time.monotonic() < self._end:
            raise self._error

    def _work(self) -> None:
        try:
            self._read_on()
        except BaseException as error:  # handed over to the reader, whatever it is
            self._error = error
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._found.set()

    def _read_on(self) -> None:
        """Read until the source ends, and connect again where it breaks off."""
        wait, latest = FIRST_WAIT, None
        while not self._stopped.is_set():
            self.connections += 1
            connected = time.monotonic()
            try:
                for picture in self._read(self.source):
                    if latest is None:
                        self._found.set()
                        self._begun.wait()
                    self._put(picture)
                    latest = time.monotonic()
                    if self._stopped.is_set():
                        return
                if latest is None:
                    raise InputError(
                        f"{name_source(self.source)}: ended before the first picture; check the"
                        " source."
                    )
                return
            except InputError as error:
                if time.monotonic() - connected > LONGEST_WAIT:  # it went well for a while
                    wait = FIRST_WAIT
                if latest is None or time.monotonic() - latest + wait > self.patience:
                    raise
                self._warn(f"{error} Reconnecting in {wait:g} s.")
            self._stopped.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def _put(self, picture: np.ndarray) -> None:
        with self._changed:
            if len(self._frames) >= self._depth:
                self._frames.popleft()
                self.dropped += 1
            self._frames.append(CapturedFrame(time.monotonic(), picture))
            self._changed.notify_all()


def _capture_camera(number: int) -> Generator[np.ndarray, None, None]:
    missing = InputError(f"{number}: no such camera or file; check the number and the permissions.")
    if number > LARGEST_NUMBER:
        raise missing
    with _quiet_opencv():
        camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise missing
        while True:
            there, picture = camera.read()
            if not there:
                raise InputError(f"{number}: the camera stopped sending; check its connection.")
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    finally:
        camera.release()


@contextlib.contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from telling on stderr what it tries."""
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)
