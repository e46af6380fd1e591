"""Parts of a video in files of their own, copied packet by packet."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

from keras_tracknet.errors import InputError
from keras_tracknet.io.container import demux_stream, explain_error, open_video
from keras_tracknet.io.video import probe_video, read_frames
from keras_tracknet.io.video_writer import MP4_AUDIO, VideoWriter

MP4_VIDEO = ("h264", "hevc", "av1", "mpeg4", "vp9")


def cut_clip(source: Path, path: Path, start: float, end: float) -> float:
    """Write the part of a video between two moments to an mp4 file.

    Nothing is encoded again where mp4 can hold what the source holds. Then the clip begins at the
    last keyframe before `start`, since pictures behind it cannot be shown without it.

    Args:
        source: a video, or a folder of images.
        path: mp4 file to create.
        start, end: seconds from the start of the video's pictures.

    Returns:
        When the clip begins, seconds.

    Raises:
        InputError: the source cannot be read or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.path.isdir(source):
        with open_video(source) as (container, stream):
            if stream.codec_context.codec.canonical_name in MP4_VIDEO:
                return _copy_clip(container, stream, path, start, end)
    _encode_clip(source, path, start, end)
    return start


def _copy_clip(container: Any, stream: Any, path: Path, start: float, end: float) -> float:
    partial = path.with_name(f".{path.stem}.partial.mp4")
    origin = float((stream.start_time or 0) * stream.time_base)
    sound = next((s for s in container.streams.audio if _can_hold(s)), None)
    try:
        with av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart"}) as target:
            pictures = target.add_stream_from_template(stream)
            copies = {stream.index: pictures}
            if sound is not None:
                copies[sound.index] = target.add_stream_from_template(sound)
            container.seek(int((origin + start) / stream.time_base), stream=stream)
            began = None
            for packet in _read_packets(container, [stream, sound], end + origin):
                moment = float(packet.pts * packet.time_base)
                if began is None:
                    if packet.stream is not stream or not packet.is_keyframe:
                        continue
                    began = moment
                if packet.stream is not stream and not began <= moment <= end + origin:
                    continue
                shift = round(began / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
        if began is None:
            raise InputError(f"{container.name}: has no pictures at {start:.1f} s.")
        os.replace(partial, path)
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f"{path}: cannot be written ({explain_error(error)}); choose another place with -o."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return began - origin


def _read_packets(container: Any, streams: list[Any], end: float) -> Iterator[Any]:
    """Packets up to a moment; those of pictures come in the order of decoding."""
    wanted = [stream for stream in streams if stream is not None]
    for packet in demux_stream(container, wanted, []):
        if packet is None or packet.pts is None or packet.dts is None:
            continue
        if packet.stream is wanted[0] and float(packet.dts * packet.time_base) > end:
            return
        yield packet


def _can_hold(stream: Any) -> bool:
    context = stream.codec_context
    return context is not None and context.codec.canonical_name in MP4_AUDIO


def _encode_clip(source: Path, path: Path, start: float, end: float) -> None:
    info = probe_video(source)
    writer = VideoWriter(path, size=(info.height, info.width), fps=info.fps)
    with writer, contextlib.closing(read_frames(source)) as frames:
        for frame in frames:
            if frame.time > end:
                break
            if frame.time >= start:
                writer.write(frame.image, frame.time - start)
