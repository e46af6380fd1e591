"""Media files opened with PyAV: their streams, packets and decoded frames, damaged or not."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

from keras_tracknet.errors import InputError
from keras_tracknet.video.damage import Damage

MUCH_SHORTER = 10  # times as long is the film, at least, as a still beside it
STILL_CODECS = ("mjpeg", "png", "bmp", "gif", "webp", "tiff")  # of a film only where alone


@contextlib.contextmanager
def open_container(path: Path) -> Iterator[Any]:
    """Open a file with FFmpeg, and close it at the end of the `with` block.

    Raises:
        InputError: there is no such file, or FFmpeg does not know what it is.
    """
    check_regular(path)
    try:
        # Without the protocol, what stands before a colon in a name would be taken for one.
        container = av.open(f"file:{path}", metadata_errors="ignore")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be opened as a video ({explain_error(error)}); use a complete video"
            " file or a folder of images."
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
            raise InputError(f"{path}: contains sound but no picture; use a video.")
        if stream.codec_context is None:
            raise InputError(f"{path}: unknown codec; convert the video to H.264 mp4.")
        stream.thread_type = "AUTO"
        yield container, stream


def check_regular(path: Path) -> None:
    """Raise `InputError` where there is no file, or one that may never end, as a pipe's."""
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file; check the path.")
    if os.path.isdir(path):
        raise InputError(f"{path}: is a folder; use a video file in it.")
    if not os.path.isfile(path):
        raise InputError(
            f"{path}: is a pipe or a device; save the video to a file first, or use a camera"
            " number."
        )


def find_video_stream(container: Any) -> Any:
    """The video stream that a player shows, or None where there is none.

    That is the default one, and else the largest, of those that can be decoded and are no still:
    the cover of a song, or a thumbnail beside the film.
    """
    covers = av.stream.Disposition.attached_pic | av.stream.Disposition.still_image
    streams = [s for s in container.streams.video if not s.disposition & covers]
    known = [s for s in streams if s.codec_context is not None] or streams
    longest = max((s.frames for s in known), default=0)
    films = [s for s in known if not s.frames or s.frames > longest / MUCH_SHORTER] or known
    return max(films, key=_rank_stream, default=None)


def _rank_stream(stream: Any) -> tuple[bool, bool, int, int]:
    context = stream.codec_context
    if context is None:
        return False, False, 0, stream.frames
    film = context.codec.canonical_name not in STILL_CODECS
    default = bool(stream.disposition & av.stream.Disposition.default)
    return film, default, context.width * context.height, stream.frames


def decode_stream(container: Any, stream: Any, damage: Damage) -> Iterator[Any]:
    """Yield the frames that can be decoded, and note in `damage` what could not."""
    for packet in demux_stream(container, stream, damage):
        try:
            pictures = stream.decode(packet)
        except (av.FFmpegError, OSError) as error:
            damage.note(explain_error(error))
            continue
        yield from pictures


def demux_stream(container: Any, stream: Any, damage: Damage) -> Iterator[Any]:
    """Yield the packets that can be read, and note in `damage` what could not.

    A last packet of None stands for the rest of a file that breaks off.
    """
    while True:
        try:
            for packet in container.demux(stream):
                if packet.is_corrupt:
                    damage.note("incomplete packet")
                yield packet
            return
        except IndexError:  # a packet of a stream that appears later in the file: left out
            continue
        except (av.FFmpegError, OSError) as error:
            damage.note(explain_error(error))
            yield None  # asks the decoder for the pictures it still holds
            return


def explain_error(error: Exception) -> str:
    """What went wrong in a few words, without the number that the system gives it."""
    return getattr(error, "strerror", None) or str(error)
