"""Video in with PyAV: exact frame rates, timestamps, and pictures as a player shows them."""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections import deque
from collections.abc import Container, Generator, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.video.clock import Clock
from keras_tracknet.video.container import decode_stream, demux_stream, open_video
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.display import Display, Shrink, find_orientation
from keras_tracknet.video.images import list_images, read_images, show_size
from keras_tracknet.video.info import VideoInfo
from keras_tracknet.video.part import WHOLE, Part

DEFAULT_FPS = Fraction(30)
NEAR = 1e-3  # seconds that a time may be short of a frame's: times are rounded
FASTEST_CAMERA = 1e5  # frames per second; what says more is damaged


class Frame(NamedTuple):
    """One decoded picture.

    `index` counts decoded frames from 0; `time` is in seconds from the start of the stream,
    taken from the frame's own timestamp; `image` is `(height, width, 3)` uint8 RGB, the picture
    as a player shows it, see `Display`. `shown` is the (height, width) of that picture where
    `image` is smaller.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls here
    time: float
    image: np.ndarray
    shown: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture as a player shows it, pixels."""
        return self.shown or self.image.shape[:2]


def probe_video(path: Path) -> VideoInfo:
    """Look at a video without decoding more than its first frame.

    Args:
        path: a file that FFmpeg can open, or a folder of .jpg, .jpeg or .png images.

    Returns:
        A `VideoInfo`.

    Raises:
        InputError: there is no such file, or no picture in it can be decoded.
    """
    path = Path(path)
    if os.path.isdir(path):
        return _probe_folder(path)
    with open_video(path) as (container, stream):
        first = next(decode_stream(container, stream, Damage()), None)
        if first is None:
            raise _no_frames(path)
        display = Display(stream)
        height, width = display.find_size(first)
        turn, mirrored = find_orientation(first)
        return VideoInfo(
            path=path,
            width=width,
            height=height,
            fps=_frame_rate(stream),
            frames=stream.frames or None,
            duration=_duration(container, stream),
            rotation=-turn % 4 * 90,
            codec=stream.codec_context.codec.canonical_name,
            has_audio=bool(container.streams.audio),
            mirrored=mirrored,
            aspect=display.aspect,
            hdr=display.curve,
            capture_fps=_capture_rate(container),
        )


def read_frames(
    path: Path,
    damage: Damage | None = None,
    part: Part = WHOLE,
    shrink: Shrink | None = None,
) -> Generator[Frame, None, None]:
    """Yield the frames of a video one at a time.

    A file with a damaged part yields every frame that can be decoded and then warns with
    their number, as does one whose header promises more.

    Args:
        path: a file that FFmpeg can open, or a folder of .jpg, .jpeg or .png images of one
            size, which are taken in the order of the numbers in their names.
        damage: where damage is noted. An image that cannot be decoded is an error without it;
            with it, the picture before stands in its place.
        part: which frames; the others are decoded and left out. Its region is not cut out.
        shrink: gives the (height, width) wanted, in pixels, for that of the picture. A video
            file's pictures are made as small at once where both sides get smaller; others keep
            their size.

    Yields:
        `Frame`, all of one size, each later than the last; `index` is that in the whole video.

    Raises:
        InputError: there is no such file, no picture in it can be decoded, or the picture
            size changes on the way.
    """
    path = Path(path)
    if os.path.isdir(path):
        files = list_images(path)
        chosen = range(len(files))[part.start : part.end : part.every]
        if not chosen:
            raise _ends_early(path, part)
        yield from _read_folder(files, chosen, damage)
        if damage is not None and damage.count:
            warnings.warn(
                f"{path}: {damage.count} of {len(files)} images cannot be read and count as frames"
                f" without a ball; the first: {damage.first}",
                stacklevel=2,
            )
        return
    if part == WHOLE:
        yield from _read_video(path, damage or Damage(), shrink=shrink)
        return
    found = False
    with contextlib.closing(_read_video(path, damage or Damage(), part.numbers, shrink)) as frames:
        for frame in frames:
            found = True
            yield frame
            if frame.index == part.numbers[-1]:
                return
    if not found:
        raise _ends_early(path, part)


def _read_video(
    path: Path,
    damage: Damage,
    wanted: Container[int] | None = None,
    shrink: Shrink | None = None,
) -> Generator[Frame, None, None]:
    """Yield the frames of a video file, or those of some indices; the others are only decoded."""
    with open_video(path) as (container, stream):
        clock, display = Clock(container, stream, _frame_rate(stream)), Display(stream)
        size: tuple[int, int] | None = None
        stored: tuple[int, int] | None = None
        index = -1
        pictures = decode_stream(container, stream, damage)
        for index, (time, picture) in enumerate(clock.stamp(pictures)):
            asked = wanted is None or index in wanted
            before, stored = stored, (picture.width, picture.height)
            if not asked and stored == before:
                continue
            shown = display.find_size(picture)
            size = size or shown
            if shown != size:
                raise InputError(
                    f"{path}: frame size changes from {show_size(size)} to {show_size(shown)} at"
                    f" frame {index}; cut the video there or re-encode it at one size."
                )
            if asked:
                yield Frame(index, time, display.show(picture, shrink), shown)
        if index < 0:
            raise _no_frames(path)
        fault = _find_fault(damage, clock, index + 1, stream.frames, time)
        if fault:
            warnings.warn(f"{path}: {fault}", stacklevel=2)


def _find_fault(damage: Damage, clock: Clock, decoded: int, promised: int, last: float) -> str:
    """Return what was found to be wrong with a video that was read to its end; else nothing."""
    mended = clock.mended
    if damage.count:
        times = f"; {mended} of their timestamps are estimated" if mended else ""
        return (
            f"the file is damaged or truncated ({damage.first}); {decoded} frames were"
            f" decoded{times}."
        )
    if mended:
        return (
            f"{mended} of {decoded} timestamps do not increase; they are estimated from"
            " neighbouring frames."
        )
    # AVI counts empty frames too, which only make the one before last longer.
    if promised > (round(last / clock.step) + 1 if clock.is_avi else decoded):
        return (
            f"{decoded} frames were decoded, but the header announces {promised}; the rest is"
            " missing or removed by an edit list."
        )
    return ""


def sample_frames(
    path: Path, count: int, shrink: Shrink | None = None
) -> Generator[Frame, None, None]:
    """Yield about `count` frames spread evenly over a video, at little cost.

    A long video is visited at its keyframes only, and then `Frame.index` is computed from the
    time. A short one, or one with fewer than `count / 2` keyframes to visit, is decoded in
    order. Made for estimating the background, where it matters little which frames they are.

    Args:
        path: as for `read_frames`.
        count: frames wanted; a shorter video yields all it has.
        shrink: as for `read_frames`.

    Yields:
        `Frame`, oldest first, at least one and at most `count` of them.

    Raises:
        InputError: as for `read_frames`.
    """
    if count < 1:
        raise ValueError(f"`count` must be at least 1. Received: count={count}")
    path = Path(path)
    if os.path.isdir(path):
        files = list_images(path)
        yield from _read_folder(files, _spread(len(files), count), Damage())
        return
    with open_video(path) as (container, stream):
        total = _estimate_frames(container, stream)
        if total > 4 * count:
            seconds = _duration(container, stream) or float(total / _frame_rate(stream))
            keyframes = _find_keyframes(container, stream, count, seconds)
            if 2 * len(keyframes) >= count:
                yield from _read_keyframes(container, stream, keyframes, shrink)
                return
    wanted = _spread(total, count)
    found = False
    with contextlib.closing(_read_video(path, Damage(), set(wanted), shrink)) as frames:
        for frame in frames:
            found = True
            yield frame
            if frame.index == wanted[-1]:
                return
    if not found:  # the video ends long before its container says
        yield from deque(read_frames(path, shrink=shrink), maxlen=1)


def _frame_rate(stream: Any) -> Fraction:
    return stream.average_rate or stream.guessed_rate or DEFAULT_FPS


def _duration(container: Any, stream: Any) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _estimate_frames(container: Any, stream: Any) -> int:
    if stream.frames:
        return int(stream.frames)
    seconds = _duration(container, stream)
    if seconds:
        return max(1, round(seconds * _frame_rate(stream)))
    packets = demux_stream(container, stream, Damage())
    return max(1, sum(1 for packet in packets if packet is not None and packet.size))


def _spread(total: int, count: int) -> list[int]:
    """Indices of `count` frames in the middles of `count` equal parts of a video."""
    return sorted({int((k + 0.5) * total / count) for k in range(count)})


def _find_keyframes(container: Any, stream: Any, count: int, seconds: float) -> list[int]:
    """Timestamps of the keyframes that `count` evenly spread seeks arrive at."""
    found = set()
    with contextlib.suppress(av.FFmpegError, OSError):
        for k in range(count):
            time = int((k + 0.5) / count * seconds / stream.time_base)
            packet = _seek_keyframe(container, stream, time + (stream.start_time or 0))
            if packet is not None:
                found.add(packet.pts)
    return sorted(found)


def _read_keyframes(
    container: Any, stream: Any, keyframes: list[int], shrink: Shrink | None
) -> Iterator[Frame]:
    clock, display = Clock(container, stream, _frame_rate(stream)), Display(stream)
    for pts in keyframes:
        try:
            packet = _seek_keyframe(container, stream, pts)
            # Draining hands out the picture at once, whatever the number of decoder threads.
            pictures = [] if packet is None else packet.decode() + stream.decode(None)
        except (av.FFmpegError, OSError):
            continue
        if pictures:
            time = float((pts - (stream.start_time or 0)) * stream.time_base)
            image, shown = display.show(pictures[0], shrink), display.find_size(pictures[0])
            yield Frame(round(time / clock.step), time, image, shown)


def _seek_keyframe(container: Any, stream: Any, pts: int) -> Any:
    container.seek(pts, stream=stream)
    packets = container.demux(stream)
    return next((p for p in packets if p.is_keyframe and p.size and p.pts is not None), None)


def _probe_folder(folder: Path) -> VideoInfo:
    files = list_images(folder)
    height, width = next(read_images(files, Damage())).shape[:2]
    return VideoInfo(
        path=folder,
        width=width,
        height=height,
        fps=DEFAULT_FPS,
        frames=len(files),
        duration=float(len(files) / DEFAULT_FPS),
        rotation=0,
        codec="images",
        has_audio=False,
    )


def _read_folder(
    files: list[Path], indices: Sequence[int], damage: Damage | None
) -> Iterator[Frame]:
    images = read_images([files[index] for index in indices], damage)
    for index, image in zip(indices, images, strict=True):
        yield Frame(index, float(index / DEFAULT_FPS), image)


def _capture_rate(container: Any) -> float | None:
    try:
        rate = float(container.metadata.get("com.android.capture.fps", ""))
    except ValueError:
        return None
    return rate if 0 < rate < FASTEST_CAMERA else None


def find_frame(path: Path, seconds: float) -> int:
    """Return the first frame of a video that is shown at a time or after it.

    Raises:
        InputError: the video cannot be read, or ends before.
    """
    path = Path(path)
    if os.path.isdir(path):
        return math.ceil(seconds * DEFAULT_FPS - NEAR)
    index = -1
    with open_video(path) as (container, stream):
        clock = Clock(container, stream, _frame_rate(stream))
        stamped = clock.stamp(decode_stream(container, stream, Damage()))
        for index, (time, _picture) in enumerate(stamped):
            if time >= seconds - NEAR:
                return index
    raise InputError(f"{path}: ends before {seconds:g} seconds; use an earlier time.")


def _ends_early(path: Path, part: Part) -> InputError:
    return InputError(f"{path}: ends before frame {part.start}; use a smaller `start`.")


def _no_frames(path: Path) -> InputError:
    return InputError(f"{path}: no frame can be decoded; convert the video to H.264 mp4.")
