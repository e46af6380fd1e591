"""Sound of a video that is written: that of another video, whole or in parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np

from keras_tracknet.video.container import decode_stream, demux_stream, find_video_stream
from keras_tracknet.video.damage import Damage

# Sound that an mp4 file holds as it is; anything else is encoded to AAC.
MP4_AUDIO = ("aac", "mp3", "ac3", "eac3", "opus", "alac")
BLOCK = 1024  # samples of a packet of AAC


def carry_sound(source: Any, target: Any) -> Iterator[Any]:
    """Add the sound of `source` to `target`; yield its packets, timed from the first picture."""
    sound = _find_sound(source)
    if sound is None:
        return iter(())
    shift = round(_find_start(source) / sound.time_base)
    if sound.codec_context.codec.canonical_name in MP4_AUDIO:
        return _copy_packets(source, sound, target.add_stream_from_template(sound), shift)
    return _encode_packets(source, sound, _add_encoder(target, sound), shift)


def join_sound(source: Any, target: Any, parts: Sequence[tuple[float, float]]) -> Iterator[Any]:
    """Add sound to `target` that is the parts of the sound of `source`, one after the other.

    Args:
        source, target: containers.
        parts: start and end of each, seconds from the first picture, in the order of time.

    Returns:
        Packets; silence where `source` has none.
    """
    sound = _find_sound(source)
    if sound is None:
        return iter(())
    return _join_packets(source, sound, _add_encoder(target, sound), parts)


def _find_sound(source: Any) -> Any:
    return next((s for s in source.streams.audio if s.codec_context is not None), None)


def _find_start(source: Any) -> Fraction:
    """Return when the first picture is shown, in seconds of the file's own clock."""
    video = find_video_stream(source)
    return (video.start_time or 0) * video.time_base if video is not None else Fraction(0)


def _add_encoder(target: Any, sound: Any) -> Any:
    encoder = target.add_stream("aac", rate=sound.codec_context.sample_rate)
    encoder.codec_context.layout = "mono" if sound.codec_context.channels == 1 else "stereo"
    return encoder


def _copy_packets(source: Any, sound: Any, output: Any, shift: int) -> Iterator[Any]:
    # What is damaged is left out: it is no reason to lose the pictures.
    for packet in demux_stream(source, sound, Damage()):
        if packet is not None and packet.dts is not None and packet.pts is not None:
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = output
            yield packet


def _encode_packets(source: Any, sound: Any, encoder: Any, shift: int) -> Iterator[Any]:
    for block in decode_stream(source, sound, Damage()):
        if block.pts is not None:
            block.pts -= shift
        yield from encoder.encode(block)
    yield from encoder.encode(None)


def _join_packets(
    source: Any, sound: Any, encoder: Any, parts: Sequence[tuple[float, float]]
) -> Iterator[Any]:
    rate, layout = encoder.codec_context.sample_rate, encoder.codec_context.layout.name
    written = 0
    for samples in _cut_samples(source, sound, rate, layout, parts):
        for first in range(0, samples.shape[1], BLOCK):
            piece = np.ascontiguousarray(samples[:, first : first + BLOCK])
            block = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
            block.sample_rate, block.pts = rate, written
            block.time_base = Fraction(1, rate)
            written += piece.shape[1]
            yield from encoder.encode(block)
    yield from encoder.encode(None)


def _cut_samples(
    source: Any, sound: Any, rate: int, layout: str, parts: Sequence[tuple[float, float]]
) -> Iterator[np.ndarray]:
    """Yield the samples of each part, `(channels, samples)` float32, -1 to 1."""
    spans = [(round(start * rate), round(end * rate)) for start, end in parts]
    channels = 1 if layout == "mono" else 2
    held = [np.zeros((channels, end - start), np.float32) for start, end in spans]
    number, origin = 0, _find_start(source)
    resampler = av.AudioResampler("fltp", layout, rate)
    for block in decode_stream(source, sound, Damage()):
        for piece in resampler.resample(block):
            if piece.pts is None or piece.time_base is None:
                continue
            first = round((piece.pts * piece.time_base - origin) * rate)
            while number < len(spans) and first >= spans[number][1]:
                yield held[number]
                number += 1
            if number == len(spans):
                return
            for samples, (start, end) in zip(held[number:], spans[number:], strict=True):
                low, high = max(first, start), min(first + piece.samples, end)
                if low < high:
                    samples[:, low - start : high - start] = piece.to_ndarray()[
                        :, low - first : high - first
                    ]
    yield from held[number:]
