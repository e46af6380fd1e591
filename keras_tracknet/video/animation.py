"""Animations: short silent videos as WebP, which plays by itself wherever a picture is shown."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.files import replace_file
from keras_tracknet.video.container import explain_error

WIDTH = 480  # pixels, at most
RATE = 15.0  # frames per second, at most
TICK = Fraction(1, 1000)  # seconds; WebP counts in milliseconds
QUALITY = 60  # 0 to 100


class Animation:
    """Takes the frames of a video and keeps one of every few.

    Args:
        container, stream: of PyAV.
        every: how many frames one is kept of.
    """

    def __init__(self, container: Any, stream: Any, every: int) -> None:
        self._container, self._stream, self._every = container, stream, every
        self._frames = 0

    def write(self, image: np.ndarray, time: float) -> None:
        """Append one frame, or leave it out.

        Args:
            image: `(height, width, 3)` uint8 RGB, of any size.
            time: seconds from the start of the animation.
        """
        self._frames += 1
        if (self._frames - 1) % self._every:
            return
        size = (self._stream.width, self._stream.height)
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        picture = av.VideoFrame.from_ndarray(small, format="rgb24").reformat(format="yuv420p")
        picture.pts, picture.time_base = round(time / TICK), TICK
        self._container.mux(self._stream.encode(picture))


@contextlib.contextmanager
def write_animation(path: Path, size: tuple[int, int], fps: float) -> Iterator[Animation]:
    """Write a WebP animation that repeats for ever; it appears when the `with` block succeeds.

    Args:
        path: file to create.
        size: (height, width) of the video that the frames are from, pixels.
        fps: frames per second of that video.

    Raises:
        InputError: the file cannot be written.
    """
    scale = min(1.0, WIDTH / size[1])
    try:
        with (
            replace_file(path) as partial,
            av.open(f"file:{partial}", "w", format="webp", options={"loop": "0"}) as container,
        ):
            stream = container.add_stream("libwebp_anim", rate=25)
            stream.height, stream.width = (max(round(side * scale / 2) * 2, 2) for side in size)
            stream.pix_fmt, stream.options = "yuv420p", {"quality": str(QUALITY)}
            stream.time_base = stream.codec_context.time_base = TICK
            yield Animation(container, stream, max(math.ceil(fps / RATE - 1e-3), 1))
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise InputError(
            f"{path}: cannot be written ({explain_error(error)}); choose another path."
        ) from error
