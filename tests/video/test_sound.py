"""The sound of a video that is written, in parts."""

from fractions import Fraction

import av
import numpy as np
import pytest

from keras_tracknet.video.writer import VideoWriter

RATE = 16000
PICTURE = np.full((36, 64, 3), 90, np.uint8)


def write_scale(path, seconds, *, layout="mono", offset=0):
    """A video with a higher tone every second: 400, 800, 1200 Hz and so on."""
    times = np.arange(seconds * RATE) / RATE
    wave = 0.5 * np.sin(2 * np.pi * 400 * (1 + np.floor(times)) * times).astype(np.float32)
    with av.open(str(path), "w", options={"output_ts_offset": str(offset)}) as container:
        video = container.add_stream("libx264", rate=25)
        video.height, video.width, video.pix_fmt = 36, 64, "yuv420p"
        sound = container.add_stream("aac", rate=RATE, layout=layout)
        for _ in range(seconds * 25):
            container.mux(video.encode(av.VideoFrame.from_ndarray(PICTURE, format="rgb24")))
        for first in range(0, len(wave), 1024):
            channels = 2 if layout == "stereo" else 1
            block = np.ascontiguousarray(np.tile(wave[first : first + 1024], (channels, 1)))
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = RATE, first
            container.mux(sound.encode(frame))
        for stream in (video, sound):
            container.mux(stream.encode(None))
    return path


def read_sound(path):
    """The samples of a video, `(channels, samples)`, and where they begin in seconds."""
    with av.open(str(path)) as container:
        blocks = list(container.decode(audio=0))
        start = float(blocks[0].pts * blocks[0].time_base)
        return np.concatenate([block.to_ndarray() for block in blocks], axis=1), start


def find_tone(samples):
    """The loudest frequency, Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return spectrum.argmax() * RATE / len(samples)


def write_parts(source, path, parts):
    frames = round(sum(end - start for start, end in parts) * 25)
    with VideoWriter(
        path, size=(36, 64), fps=Fraction(25), audio_from=source, audio_parts=parts
    ) as writer:
        for _ in range(frames):
            writer.write(PICTURE)


@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize(("suffix", "offset"), [(".mp4", 0), (".mkv", 0), (".ts", 3600)])
def test_parts_sound_as_they_did_one_after_the_other(tmp_path, layout, suffix, offset):
    source = write_scale(tmp_path / f"scale{suffix}", 6, layout=layout, offset=offset)
    write_parts(source, tmp_path / "parts.mp4", [(1.0, 2.0), (4.0, 5.0), (5.0, 6.0)])
    samples, start = read_sound(tmp_path / "parts.mp4")
    assert len(samples) == (2 if layout == "stereo" else 1)
    assert samples.shape[1] / RATE + start == pytest.approx(3.0, abs=0.1)
    for second, tone in enumerate((800, 2000, 2400)):
        middle = slice(int((second + 0.25) * RATE), int((second + 0.75) * RATE))
        assert find_tone(samples[0, middle]) == pytest.approx(tone, abs=5)


def test_where_the_sound_is_over_there_is_silence(tmp_path):
    source = write_scale(tmp_path / "scale.mp4", 2)
    write_parts(source, tmp_path / "parts.mp4", [(1.0, 3.0)])
    samples, _ = read_sound(tmp_path / "parts.mp4")
    assert samples.shape[1] / RATE == pytest.approx(2.0, abs=0.1)
    assert np.abs(samples[0, RATE // 4 : RATE // 2]).max() > 0.3
    assert np.abs(samples[0, int(1.3 * RATE) :]).max() < 0.02


def test_a_video_without_sound_gives_none(tmp_path):
    with VideoWriter(tmp_path / "silent.mp4", size=(36, 64), fps=Fraction(25)) as writer:
        for _ in range(25):
            writer.write(PICTURE)
    write_parts(tmp_path / "silent.mp4", tmp_path / "parts.mp4", [(0.0, 0.5)])
    with av.open(str(tmp_path / "parts.mp4")) as container:
        assert not container.streams.audio
