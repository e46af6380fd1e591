"""Video out with PyAV: H.264 at an exact frame rate, with the sound of another video."""

from __future__ import annotations

import contextlib
import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.video.container import explain_error, open_container
from keras_tracknet.video.sound import carry_sound, join_sound

# Timestamps written by containers that count in milliseconds are this far off, in seconds.
TIME_ROUNDING = 1e-3
AHEAD = 4  # pictures that wait for the encoder, at most


class VideoWriter:
    """Writes frames to an H.264 mp4 file that every browser plays.

    The file appears complete or not at all: it is written beside its place under a hidden
    name, and moved there when the `with` block ends well. Frames are encoded in a thread beside the
    caller's.

    Args:
        path: file to create; its suffix must be `.mp4`.
        size: `(height, width)` in pixels of the images to come. An odd size is made even by
            repeating the last row or column, because the codec asks for it.
        fps: exact frame rate.
        audio_from: video whose sound goes along, copied where mp4 can hold it and encoded to
            AAC otherwise. A video without sound is fine.
        audio_parts: start and end in seconds of each part whose sound goes along, one after the
            other; all of it when omitted.
        comment: goes into the metadata of the file.

    Raises:
        InputError: the file cannot be written.

    Example:
        >>> with VideoWriter(Path("runs/grey.mp4"), size=(36, 64), fps=Fraction(30)) as writer:
        ...     writer.write(np.full((36, 64, 3), 128, np.uint8))
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        fps: Fraction,
        audio_from: Path | None = None,
        audio_parts: Sequence[tuple[float, float]] | None = None,
        comment: str = "",
    ) -> None:
        self.path, self.size, self.fps = Path(path), tuple(size), Fraction(fps)
        self.audio_from, self.audio_parts, self.comment = audio_from, audio_parts, comment
        self._partial = self.path.with_name(f".{self.path.stem}.partial.mp4")
        # A frame lasts a whole number of ticks, so that the rate stays exact, and a tick is
        # short enough for the times of a variable rate.
        fine = math.ceil(90_000 / self.fps.numerator)
        self._tick = Fraction(1, self.fps.numerator * fine)
        self._frame_ticks = self.fps.denominator * fine
        self._frames, self._pts = 0, -1
        self._resources = contextlib.ExitStack()
        self._container: Any = None
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._pictures: deque[Future[None]] = deque()

    def __enter__(self) -> VideoWriter:
        if self.path.suffix.lower() != ".mp4":
            raise InputError(f"{self.path}: videos are written as .mp4; use this suffix.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._partial.touch()
        except OSError as error:
            raise self._cannot_write(error) from error
        try:
            self._open()
        except BaseException as error:
            self._discard()
            if isinstance(error, av.FFmpegError):
                raise self._cannot_write(error) from error
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._discard()

    def write(self, image: np.ndarray, time: float | None = None) -> None:
        """Append one frame.

        Args:
            image: `(height, width, 3)` uint8 RGB.
            time: seconds from the start of the video; the next tick of `fps` when omitted. A
                time that does not come after the last one is moved just behind it.
        """
        if self._container is None:
            raise ValueError("VideoWriter must be used in a with statement.")
        if image.shape != (*self.size, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"image must be uint8 of shape {(*self.size, 3)}."
                f" Received: {image.dtype} of shape {image.shape}"
            )
        self._pts = max(self._ticks(time), self._pts + 1)
        self._frames += 1
        bottom, right = self.size[0] % 2, self.size[1] % 2
        if bottom or right:
            image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        picture = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), format="rgb24")
        picture = picture.reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
        )
        picture.pts, picture.time_base = self._pts, self._tick
        self._pictures.append(self._encoder.submit(self._encode, picture))
        self._wait(AHEAD)

    def _encode(self, picture: Any) -> None:
        self._container.mux(self._video.encode(picture))
        self._write_audio(until=picture.pts * self._tick)

    def _wait(self, most: int) -> None:
        """Wait until at most so many pictures are to be encoded."""
        try:
            while len(self._pictures) > most:
                self._pictures.popleft().result()
        except (av.FFmpegError, OSError) as error:
            raise self._cannot_write(error) from error

    def _open(self) -> None:
        source = None
        if self.audio_from is not None:
            source = self._resources.enter_context(open_container(Path(self.audio_from)))
        self._container = self._resources.enter_context(
            av.open(f"file:{self._partial}", "w", format="mp4", options={"movflags": "+faststart"})
        )
        if self.comment:
            self._container.metadata["comment"] = self.comment
        height, width = (side + side % 2 for side in self.size)
        self._video = self._container.add_stream("libx264", rate=self.fps)
        self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
        self._video.options = {"crf": "20", "preset": "veryfast"}
        self._video.time_base = self._tick
        context = self._video.codec_context
        context.time_base = self._tick
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1  # 16 to 235
        if source is None:
            self._audio: Iterator[Any] = iter(())
        elif self.audio_parts is None:
            self._audio = carry_sound(source, self._container)
        else:
            self._audio = join_sound(source, self._container, self.audio_parts)
        self._waiting = next(self._audio, None)
        self._resources.callback(self._encoder.shutdown, cancel_futures=True)

    def _ticks(self, time: float | None) -> int:
        if time is None:
            return self._frames * self._frame_ticks
        ticks = time / self._tick
        regular = round(time * self.fps) * self._frame_ticks
        return regular if abs(ticks - regular) * self._tick <= TIME_ROUNDING else round(ticks)

    def _write_audio(self, until: Fraction) -> None:
        # Sound goes in beside the pictures that it belongs to, so that the file streams well.
        while self._waiting is not None and self._waiting.pts * self._waiting.time_base <= until:
            self._container.mux(self._waiting)
            self._waiting = next(self._audio, None)

    def _finish(self) -> None:
        if not self._frames:
            raise InputError(f"{self.path}: no frames to write; check the source.")
        self._wait(0)
        try:
            self._container.mux(self._video.encode(None))
            self._write_audio(until=(self._pts + self._frame_ticks) * self._tick)
            self._container.close()
            os.replace(self._partial, self.path)
        except (av.FFmpegError, OSError) as error:
            raise self._cannot_write(error) from error

    def _discard(self) -> None:
        self._container = None
        with contextlib.suppress(av.FFmpegError, OSError):
            self._resources.close()
        self._partial.unlink(missing_ok=True)

    def _cannot_write(self, error: Exception) -> InputError:
        return InputError(
            f"{self.path}: cannot be written ({explain_error(error)}); choose another path."
        )
