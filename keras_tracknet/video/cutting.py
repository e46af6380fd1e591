"""Parts of a video in files of their own, copied packet by packet."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import av

from keras_tracknet.files import replace_file
from keras_tracknet.video.container import demux_stream, open_video
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.reader import probe_video, read_frames
from keras_tracknet.video.sound import MP4_AUDIO
from keras_tracknet.video.writer import VideoWriter

MP4_VIDEO = ("h264", "hevc", "av1", "mpeg4", "vp9")
NEAR = 1e-3  # seconds that a keyframe may be behind the moment asked for: times are rounded


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
    if not os.path.isdir(source):
        with open_video(source) as (container, stream):
            begun = _copy_clip(source, container, stream, path, start, end)
        if begun is not None:
            return begun
    _encode_clip(source, path, start, end)
    return start


def _copy_clip(
    source: Path, container: Any, stream: Any, path: Path, start: float, end: float
) -> float | None:
    """Copy packets, and return when they begin; None where what is there cannot be copied."""
    if stream.codec_context.codec.canonical_name not in MP4_VIDEO:
        return None
    if container.format.name == "avi" and stream.codec_context.has_b_frames:
        return None  # its packets do not say when their pictures are shown
    if not _ascends(source, os.path.getmtime(source)):
        return None  # its pictures are shown at other times than their packets say
    origin = (stream.start_time or 0) * stream.time_base
    landing = _find_landing(container, stream, float(origin) + start)
    if landing is None or landing.pts < (stream.start_time or 0):
        return None  # or pictures would show that an edit list hides
    try:
        with replace_file(path) as partial:
            _copy_packets(container, stream, landing, partial, float(origin) + end)
    except (av.FFmpegError, av.codec.codec.UnknownCodecError, _CopyError):
        return None
    return float(landing.pts * stream.time_base - origin)


@lru_cache(maxsize=16)
def _ascends(source: Path, _changed: float) -> bool:
    """Return whether the times of a video never start anew, as they do where films are joined."""
    last = None
    with open_video(source) as (container, stream):
        for packet in demux_stream(container, stream, Damage()):
            if packet is None or packet.dts is None:
                continue
            if last is not None and packet.dts <= last:
                return False
            last = packet.dts
    return True


class _Landing(NamedTuple):
    """Where to seek to, and the keyframe to begin at; in the stream's own time base."""

    target: int
    pts: int


class _CopyError(Exception):
    """Packets have no times, or some that go back."""


def _find_landing(container: Any, stream: Any, moment: float) -> _Landing | None:
    """Find the last keyframe before a moment; the first one of all where there is none.

    Seeking may arrive behind the moment, as it does in MPEG-TS: then it is tried from earlier.
    """
    first = None
    for back in (0, *(2**n for n in range(int(math.log2(moment + 1)) + 2)), math.inf):
        target = int((moment - back) / stream.time_base) if back < math.inf else 0
        with contextlib.suppress(av.FFmpegError, OSError):
            container.seek(target, stream=stream)
            found = None
            for packet in demux_stream(container, stream, Damage()):
                if packet is None or packet.pts is None:
                    continue
                if float(packet.pts * stream.time_base) > moment + NEAR and (found or first):
                    break
                if packet.is_keyframe and packet.size:
                    first = _Landing(target, packet.pts)
                    if float(packet.pts * stream.time_base) <= moment + NEAR:
                        found = first
            if found:
                return found
    return first


def _copy_packets(container: Any, stream: Any, landing: _Landing, path: Path, end: float) -> None:
    sound = next((s for s in container.streams.audio if _can_hold(s)), None)
    began = float(landing.pts * stream.time_base)
    with av.open(f"file:{path}", "w", format="mp4", options={"movflags": "+faststart"}) as target:
        copies = {stream.index: target.add_stream_from_template(stream)}
        if sound is not None:
            copies[sound.index] = target.add_stream_from_template(sound)
        container.seek(landing.target, stream=stream)
        last: dict[int, int] = {}
        for packet in _read_packets(container, stream, sound, landing, end):
            moment = float(packet.pts * packet.time_base)
            if packet.stream is not stream and not began <= moment <= end:
                continue
            if packet.dts <= last.get(packet.stream.index, packet.dts - 1):
                if packet.stream is stream:
                    raise _CopyError
                continue
            last[packet.stream.index] = packet.dts
            shift = round(began / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = copies[packet.stream.index]
            target.mux(packet)


def _read_packets(
    container: Any, stream: Any, sound: Any, landing: _Landing, end: float
) -> Iterator[Any]:
    """Packets from a keyframe up to a moment; those of pictures come in the order of decoding."""
    wanted = [s for s in (stream, sound) if s is not None]
    begun, untimed = False, []
    for packet in demux_stream(container, wanted, Damage()):
        if packet is None or packet.pts is None or not packet.size:
            continue
        if packet.stream is not stream:
            if packet.dts is not None:
                yield packet
            continue
        begun = begun or packet.pts == landing.pts
        if not begun:
            continue
        if packet.dts is None:  # as of the first packets of Matroska with B-frames
            untimed.append(packet)
            continue
        if float(packet.dts * packet.time_base) > end:
            break
        step = packet.duration or 1
        for back, early in enumerate(reversed(untimed), 1):
            early.dts = packet.dts - back * step
        yield from untimed
        untimed = []
        yield packet
    if untimed or not begun:
        raise _CopyError


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
