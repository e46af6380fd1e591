"""Video in and out with PyAV: exact frame rates, timestamps, display rotation and sound."""

from __future__ import annotations

import contextlib
import math
import os
import re
import warnings
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import av
import cv2
import numpy as np

from keras_tracknet.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
DEFAULT_FPS = Fraction(30)
# Sound that an mp4 file holds as it is; anything else is encoded to AAC.
MP4_AUDIO = ("aac", "mp3", "ac3", "eac3", "opus", "alac")
# Timestamps written by containers that count in milliseconds are this far off, in seconds.
TIME_ROUNDING = 1e-3


class Frame(NamedTuple):
    """One decoded picture.

    `index` counts decoded frames from 0; `time` is in seconds from the start of the stream,
    taken from the frame's own timestamp; `image` is `(height, width, 3)` uint8 RGB in source
    pixels, turned the way a player shows it.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls here
    time: float
    image: np.ndarray


@dataclass(frozen=True)
class VideoInfo:
    """What the container says about a video.

    Attributes:
        path: the file, or the folder of images.
        width, height: pixels of the picture as shown, after rotation.
        fps: exact average frame rate, frames a second; `DEFAULT_FPS` for a folder of images.
        frames: number of frames, or None when the container does not say. It can be wrong:
            only decoding tells.
        duration: seconds, or None when unknown.
        rotation: degrees clockwise that the stored picture is turned by to be shown: 0, 90,
            180 or 270.
        codec: name of the video codec; `images` for a folder.
        has_audio: whether there is a sound track.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frames: int | None
    duration: float | None
    rotation: int
    codec: str
    has_audio: bool


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
        return _probe_images(path)
    with _open_video(path) as (container, stream):
        first = next(_decode(container, stream, []), None)
        if first is None:
            raise _no_frames(path)
        height, width = _to_rgb(first).shape[:2]
        return VideoInfo(
            path=path,
            width=width,
            height=height,
            fps=_frame_rate(stream),
            frames=stream.frames or None,
            duration=_duration(container, stream),
            rotation=-_quarter_turns(first) % 4 * 90,
            codec=stream.codec_context.codec.canonical_name,
            has_audio=bool(container.streams.audio),
        )


def read_frames(path: Path) -> Generator[Frame, None, None]:
    """Yield the frames of a video one at a time.

    A file with a damaged part yields every frame that can be decoded and then warns with
    their number.

    Args:
        path: a file that FFmpeg can open, or a folder of .jpg, .jpeg or .png images of one
            size, which are taken in the order of the numbers in their names.

    Yields:
        `Frame`, all of one size.

    Raises:
        InputError: there is no such file, no picture in it can be decoded, or the picture
            size changes on the way.
    """
    path = Path(path)
    if os.path.isdir(path):
        files = _list_images(path)
        yield from _read_images(files, range(len(files)))
        return
    with _open_video(path) as (container, stream):
        clock = _Clock(container, stream)
        damage: list[str] = []
        size: tuple[int, ...] | None = None
        index = -1
        for index, picture in enumerate(_decode(container, stream, damage)):
            image = _to_rgb(picture)
            size = size or image.shape
            if image.shape != size:
                raise InputError(
                    f"{path}: the picture changes from {_show_size(size)} to"
                    f" {_show_size(image.shape)} pixels at frame {index}; cut it there or"
                    " encode it to one size."
                )
            yield Frame(index, clock.seconds(picture, index), image)
        if index < 0:
            raise _no_frames(path)
        if damage:
            warnings.warn(
                f"{path}: the file is damaged or cut short ({damage[0]});"
                f" {index + 1} frames could be decoded.",
                stacklevel=2,
            )


def sample_frames(path: Path, count: int) -> Generator[Frame, None, None]:
    """Yield about `count` frames spread evenly over a video, at little cost.

    A long video is visited at its keyframes only, and then `Frame.index` is computed from the
    time. A short one, or one with fewer than `count / 2` keyframes to visit, is decoded in
    order. Made for estimating the background, where it matters little which frames they are.

    Args:
        path: as for `read_frames`.
        count: frames wanted; a shorter video yields all it has.

    Yields:
        `Frame`, oldest first, at most `count` of them.

    Raises:
        InputError: as for `read_frames`.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1. Received: count={count}")
    path = Path(path)
    if os.path.isdir(path):
        files = _list_images(path)
        yield from _read_images(files, _spread(len(files), count))
        return
    with _open_video(path) as (container, stream):
        total = _estimate_frames(container, stream)
        if total > 4 * count:
            seconds = _duration(container, stream) or float(total / _frame_rate(stream))
            keyframes = _find_keyframes(container, stream, count, seconds)
            if 2 * len(keyframes) >= count:
                yield from _read_keyframes(container, stream, keyframes)
                return
    wanted = _spread(total, count)
    with contextlib.closing(read_frames(path)) as frames:
        for frame in frames:
            if frame.index == wanted[0]:
                yield frame
                wanted = wanted[1:]
                if not wanted:
                    return


class VideoWriter:
    """Writes frames to an H.264 mp4 file that every browser plays.

    The file appears complete or not at all: it is written beside its place under a hidden
    name, and moved there when the `with` block ends well.

    Args:
        path: file to create; its suffix must be `.mp4`.
        size: `(height, width)` in pixels of the images to come. An odd size is made even by
            repeating the last row or column, because the codec asks for it.
        fps: exact frame rate.
        audio_from: video whose sound goes along, copied where mp4 can hold it and encoded to
            AAC otherwise. A video without sound is fine.

    Raises:
        InputError: the file cannot be written.

    Example:
        >>> with VideoWriter(Path("grey.mp4"), size=(36, 64), fps=Fraction(30)) as writer:
        ...     writer.write(np.full((36, 64, 3), 128, np.uint8))
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        fps: Fraction,
        audio_from: Path | None = None,
    ) -> None:
        self.path, self.size, self.fps = Path(path), tuple(size), Fraction(fps)
        self.audio_from = audio_from
        self._partial = self.path.with_name(f".{self.path.stem}.partial.mp4")
        # A frame lasts a whole number of ticks, so that the rate stays exact, and a tick is
        # short enough for the times of a variable rate.
        fine = math.ceil(90_000 / self.fps.numerator)
        self._tick = Fraction(1, self.fps.numerator * fine)
        self._frame_ticks = self.fps.denominator * fine
        self._frames, self._pts = 0, -1
        self._resources = contextlib.ExitStack()
        self._container: Any = None

    def __enter__(self) -> VideoWriter:
        if self.path.suffix.lower() != ".mp4":
            raise InputError(f"{self.path}: videos are written as .mp4; use that suffix.")
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
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        picture = picture.reformat(
            format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
        )
        picture.pts, picture.time_base = self._pts, self._tick
        try:
            self._container.mux(self._video.encode(picture))
            self._write_audio(until=self._pts * self._tick)
        except (av.FFmpegError, OSError) as error:
            raise self._cannot_write(error) from error

    def _open(self) -> None:
        source = None
        if self.audio_from is not None:
            source = self._resources.enter_context(_open_container(Path(self.audio_from)))
        self._container = self._resources.enter_context(
            av.open(str(self._partial), "w", format="mp4", options={"movflags": "+faststart"})
        )
        height, width = (side + side % 2 for side in self.size)
        self._video = self._container.add_stream("libx264", rate=self.fps)
        self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
        self._video.options = {"crf": "20", "preset": "veryfast"}
        self._video.time_base = self._tick
        context = self._video.codec_context
        context.time_base = self._tick
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1  # 16 to 235
        self._audio = iter(()) if source is None else _audio_packets(source, self._container)
        self._waiting = next(self._audio, None)

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
            raise InputError(f"{self.path}: there was no frame to write; check the source.")
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
            f"{self.path}: cannot be written ({_reason(error)}); choose another place."
        )


class _Clock:
    """Seconds of a frame from the start of its stream."""

    def __init__(self, container: Any, stream: Any) -> None:
        # AVI stores no display times, and what is made up for it comes out of order.
        self.tick = None if container.format.name == "avi" else stream.time_base
        self.start = stream.start_time
        self.fps = _frame_rate(stream)

    def seconds(self, picture: Any, index: int) -> float:
        if picture.pts is None or self.tick is None:
            return float(index / self.fps)
        if self.start is None:
            self.start = picture.pts
        return float((picture.pts - self.start) * self.tick)


@contextlib.contextmanager
def _open_container(path: Path) -> Iterator[Any]:
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file; check the path.")
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be opened as a video ({_reason(error)});"
            " give a complete video file or a folder of images."
        ) from error
    try:
        yield container
    finally:
        container.close()


@contextlib.contextmanager
def _open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    with _open_container(path) as container:
        stream = _video_stream(container)
        if stream is None:
            raise InputError(f"{path}: there is no picture in it, only sound; give a video.")
        if stream.codec_context is None:
            raise InputError(f"{path}: its codec is unknown here; convert it to H.264 mp4.")
        stream.thread_type = "AUTO"
        yield container, stream


def _video_stream(container: Any) -> Any:
    covers = av.stream.Disposition.attached_pic
    return next((s for s in container.streams.video if not s.disposition & covers), None)


def _decode(container: Any, stream: Any, damage: list[str]) -> Iterator[Any]:
    """Yield what can be decoded, and note in `damage` what could not."""
    for packet in _demux(container, stream, damage):
        try:
            pictures = stream.decode(packet)
        except (av.FFmpegError, OSError) as error:
            damage.append(_reason(error))
            continue
        yield from pictures


def _demux(container: Any, stream: Any, damage: list[str]) -> Iterator[Any]:
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                damage.append("a packet is incomplete")
            yield packet
    except (av.FFmpegError, OSError) as error:
        damage.append(_reason(error))
        yield None  # asks the decoder for the pictures it still holds


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _quarter_turns(picture: Any) -> int:
    """Counter-clockwise quarter turns from the stored picture to the one shown, 0 to 3."""
    return round(picture.rotation / 90) % 4


def _to_rgb(picture: Any) -> np.ndarray:
    # One thread: handing a single picture to a pool costs more than the conversion.
    image = picture.reformat(format="rgb24", threads=1).to_ndarray()
    return np.ascontiguousarray(np.rot90(image, _quarter_turns(picture)))


def _frame_rate(stream: Any) -> Fraction:
    return stream.average_rate or stream.guessed_rate or DEFAULT_FPS


def _duration(container: Any, stream: Any) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def _estimate_frames(container: Any, stream: Any) -> int:
    if stream.frames:
        return stream.frames
    seconds = _duration(container, stream)
    if seconds:
        return max(1, round(seconds * _frame_rate(stream)))
    packets = _demux(container, stream, [])
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


def _read_keyframes(container: Any, stream: Any, keyframes: list[int]) -> Iterator[Frame]:
    clock = _Clock(container, stream)
    for pts in keyframes:
        try:
            packet = _seek_keyframe(container, stream, pts)
            # Draining hands out the picture at once, whatever the number of decoder threads.
            pictures = [] if packet is None else packet.decode() + stream.decode(None)
        except (av.FFmpegError, OSError):
            continue
        if pictures:
            index = round((pts - (stream.start_time or 0)) * stream.time_base * clock.fps)
            yield Frame(index, clock.seconds(pictures[0], index), _to_rgb(pictures[0]))


def _seek_keyframe(container: Any, stream: Any, pts: int) -> Any:
    container.seek(pts, stream=stream)
    packets = container.demux(stream)
    return next((p for p in packets if p.is_keyframe and p.size and p.pts is not None), None)


def _audio_packets(source: Any, target: Any) -> Iterator[Any]:
    """Add the sound of `source` to `target`; yield its packets, timed from the first picture."""
    sound = next((s for s in source.streams.audio if s.codec_context is not None), None)
    if sound is None:
        return iter(())
    video = _video_stream(source)
    start = (video.start_time or 0) * video.time_base if video is not None else Fraction(0)
    shift = round(start / sound.time_base)
    if sound.codec_context.codec.canonical_name in MP4_AUDIO:
        return _copy_audio(source, sound, target.add_stream_from_template(sound), shift)
    encoder = target.add_stream("aac", rate=sound.codec_context.sample_rate)
    encoder.codec_context.layout = "mono" if sound.codec_context.channels == 1 else "stereo"
    return _encode_audio(source, sound, encoder, shift)


def _copy_audio(source: Any, sound: Any, output: Any, shift: int) -> Iterator[Any]:
    # What is damaged is left out: it is no reason to lose the pictures.
    for packet in _demux(source, sound, []):
        if packet is not None and packet.dts is not None and packet.pts is not None:
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = output
            yield packet


def _encode_audio(source: Any, sound: Any, encoder: Any, shift: int) -> Iterator[Any]:
    for block in _decode(source, sound, []):
        if block.pts is not None:
            block.pts -= shift
        yield from encoder.encode(block)
    yield from encoder.encode(None)


def _probe_images(folder: Path) -> VideoInfo:
    files = _list_images(folder)
    height, width = _read_image(files[0]).shape[:2]
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


def _list_images(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder), key=_natural_key)
    except OSError as error:
        raise InputError(
            f"{folder}: the folder cannot be read ({error.strerror}); check its permissions."
        ) from error
    files = [
        folder / name
        for name in names
        if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")
    ]
    if not files:
        raise InputError(
            f"{folder}: no images in this folder; it needs {', '.join(IMAGE_SUFFIXES)} files."
        )
    return files


def _natural_key(name: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


def _read_images(files: list[Path], indices: range | list[int]) -> Iterator[Frame]:
    size: tuple[int, ...] | None = None
    for index in indices:
        image = _read_image(files[index])
        size = size or image.shape
        if image.shape != size:
            raise InputError(
                f"{files[index]}: this image has {_show_size(image.shape)} pixels, the others"
                f" {_show_size(size)}; a folder must hold images of one size."
            )
        yield Frame(index, float(index / DEFAULT_FPS), image)


def _read_image(file: Path) -> np.ndarray:
    try:
        data = np.fromfile(file, np.uint8)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); check it.") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise InputError(f"{file}: not an image that can be decoded; remove or replace it.")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _show_size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"


def _no_frames(path: Path) -> InputError:
    return InputError(f"{path}: no frame in it can be decoded; convert it to H.264 mp4.")
