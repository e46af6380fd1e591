"""Media files opened with PyAV: their streams, packets and decoded frames, damaged or not."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

from keras_tracknet.errors import InputError


@contextlib.contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """Open a file with FFmpeg, and close it at the end of the `with` block.

    Raises:
        InputError: there is no such file, or FFmpeg does not know what it is.
    """
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file; check the path.")
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be opened as a video ({explain_error(error)});"
            " give a complete video file or a folder of images."
        ) from error
    try:
        yield container
    finally:
        container.close()


@contextlib.contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a file as `(container, video stream)`, ready to be decoded.

    Raises:
        InputError: as for `open_container`, or there is no picture in the file.
    """
    with open_container(path) as container:
        stream = find_video_stream(container)
        if stream is None:
            raise InputError(f"{path}: there is no picture in it, only sound; give a video.")
        if stream.codec_context is None:
            raise InputError(f"{path}: its codec is unknown here; convert it to H.264 mp4.")
        stream.thread_type = "AUTO"
        yield container, stream


def find_video_stream(container: Any) -> Any:
    """The first video stream that is not the cover of a song, or None."""
    covers = av.stream.Disposition.attached_pic
    return next((s for s in container.streams.video if not s.disposition & covers), None)


def decode_stream(container: Any, stream: Any, damage: list[str]) -> Iterator[Any]:
    """Yield the frames that can be decoded, and note in `damage` what could not."""
    for packet in demux_stream(container, stream, damage):
        try:
            pictures = stream.decode(packet)
        except (av.FFmpegError, OSError) as error:
            damage.append(explain_error(error))
            continue
        yield from pictures


def demux_stream(container: Any, stream: Any, damage: list[str]) -> Iterator[Any]:
    """Yield the packets that can be read, and note in `damage` what could not.

    A last packet of None stands for the rest of a file that breaks off.
    """
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                damage.append("a packet is incomplete")
            yield packet
    except (av.FFmpegError, OSError) as error:
        damage.append(explain_error(error))
        yield None  # asks the decoder for the pictures it still holds


def explain_error(error: Exception) -> str:
    """What went wrong in a few words, without the number that the system gives it."""
    return getattr(error, "strerror", None) or str(error)
