import os
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers_clips import write_images

from keras_tracknet.errors import InputError
from keras_tracknet.video.cutting import cut_clip
from keras_tracknet.video.reader import read_frames
from keras_tracknet.video.writer import VideoWriter

EVERY = 10  # frames from one keyframe to the next


def write_counting_video(path, frames=60, fps=25, every=EVERY, options=None, *, first=0):
    """A video whose brightness tells the number of the frame, with tone and keyframes."""
    with av.open(str(path), "w", options=options or {}) as container:
        video = container.add_stream("libx264", rate=fps)
        video.height, video.width, video.pix_fmt = 64, 96, "yuv420p"
        video.options = {"g": str(every), "keyint_min": str(every), "sc_threshold": "0", "crf": "5"}
        sound = container.add_stream("aac", rate=44100, layout="mono")
        for number in range(frames):
            image = np.full((64, 96, 3), 4 * (first + number), np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for block in range(frames * 44100 // fps // 1024):
            tone = np.sin(np.arange(1024) / 20, dtype=np.float32)[None]
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, block * 1024
            container.mux(sound.encode(frame))
        for stream in (video, sound):
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("start", "offset"), [(0.0, 0), (0.9, 0), (0.3, 3600)])
@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv", ".flv"])
def test_a_clip_begins_at_or_before_its_start(tmp_path, suffix, start, offset):
    options = {"output_ts_offset": str(offset)}
    source = write_counting_video(tmp_path / f"match{suffix}", options=options)
    begun = cut_clip(source, tmp_path / "clip.mp4", start, start + 0.5)
    first = int(start * 25) // EVERY * EVERY
    assert begun == pytest.approx(first / 25, abs=2e-3)
    frames = list(read_frames(tmp_path / "clip.mp4"))
    numbers = count_brightness(tmp_path / "clip.mp4")
    wanted = round((start + 0.5) * 25) - first  # behind it a B-frame may be missing
    assert numbers[:wanted] == list(range(first, first + wanted))
    times = [frame.time for frame in frames]
    np.testing.assert_allclose(times[:wanted], np.arange(wanted) / 25, atol=2e-3)


@pytest.mark.parametrize("start", [0.0, 1.0, 2.3])
def test_a_stream_of_one_keyframe_is_cut_from_it(tmp_path, start):
    source = write_counting_video(tmp_path / "match.ts", every=1000)
    assert cut_clip(source, tmp_path / "clip.mp4", start, 2.4) == 0
    assert count_brightness(tmp_path / "clip.mp4")[:60] == list(range(60))


def test_pictures_hidden_by_an_edit_list_stay_hidden(tmp_path):
    source = write_counting_video(tmp_path / "match.mp4", every=1000)
    data = bytearray(source.read_bytes())
    place = data.index(b"elst") + 16  # where the first segment begins in its media
    began = int.from_bytes(data[place : place + 4], "big")
    with av.open(str(source)) as container:
        one = int(1 / container.streams.video[0].time_base)
    data[place : place + 4] = (began + one).to_bytes(4, "big")
    source.write_bytes(data)
    with pytest.warns(UserWarning, match="removed by an edit list"):
        assert count_brightness(source)[0] == 25
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert cut_clip(source, tmp_path / "clip.mp4", 0.2, 0.4) == 0.2
    np.testing.assert_allclose(count_brightness(tmp_path / "clip.mp4"), range(30, 36), atol=1)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_gap_in_an_avi_is_kept(tmp_path, b_frames):
    with av.open(str(tmp_path / "gap.avi"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        stream.codec_context.max_b_frames = b_frames
        for number in [*range(20), *range(35, 60)]:
            image = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 4 * number, np.uint8))
            image.pts, image.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    shown = [frame.time * 25 for frame in read_frames(tmp_path / "gap.avi")]
    np.testing.assert_allclose(shown, [*range(20), *range(35, 60)], atol=1e-6)
    begun = cut_clip(tmp_path / "gap.avi", tmp_path / "clip.mp4", 0.6, 1.6)
    clip = list(read_frames(tmp_path / "clip.mp4"))
    numbers = [round(frame.image.mean() / 4) for frame in clip]
    times = np.array([frame.time for frame in clip]) + begun
    np.testing.assert_allclose(times * 25, numbers, atol=1.1)  # a level off, by the codec
    assert len(numbers) == 11 if b_frames else 13


@pytest.mark.parametrize("name", ["a:b.mp4", b"caf\xe9.mp4"])
def test_clips_are_written_to_any_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    source, name = write_counting_video(tmp_path / "match.mp4"), Path(os.fsdecode(name))
    assert cut_clip(source, name, 0.4, 0.8) == pytest.approx(0.4)
    assert count_brightness(name)[0] == 10
    cut_clip(write_images(tmp_path / "frames", 6), name, 0, 1)
    assert len(count_brightness(name)) == 6


def test_a_clip_of_joined_recordings_is_of_the_right_one(tmp_path):
    both = tmp_path / "both.ts"
    with open(both, "wb") as file:
        for name, first in (("one", 0), ("two", 30)):
            part = write_counting_video(tmp_path / f"{name}.ts", frames=30, first=first)
            file.write(part.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # times that start anew are told
        numbers = count_brightness(both)
        frames = list(read_frames(both))
        assert numbers == list(range(60))
        np.testing.assert_allclose([f.time * 25 for f in frames], numbers, atol=0.1)
        begun = cut_clip(both, tmp_path / "clip.mp4", 1.6, 2.0)
    clip = count_brightness(tmp_path / "clip.mp4")
    np.testing.assert_allclose(clip, np.arange(len(clip)) + begun * 25, atol=1)
    assert clip[-1] >= 49


def count_brightness(path):
    return [round(float(frame.image.mean()) / 4) for frame in read_frames(path)]


def read_packets(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_a_clip_is_copied_from_the_keyframe_before(tmp_path):
    source = write_counting_video(tmp_path / "match.mp4")
    begun = cut_clip(source, tmp_path / "clip.mp4", 0.9, 1.5)
    assert begun == pytest.approx(20 / 25)
    numbers = count_brightness(tmp_path / "clip.mp4")
    assert numbers[0] == 20
    assert 37 <= numbers[-1] <= 40
    assert numbers == list(range(20, numbers[-1] + 1))
    # Not a bit is encoded again.
    assert set(read_packets(tmp_path / "clip.mp4")) < set(read_packets(source))


def test_the_sound_goes_along(tmp_path):
    source = write_counting_video(tmp_path / "match.mp4")
    cut_clip(source, tmp_path / "clip.mp4", 0.9, 1.5)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        seconds = sum(frame.samples for frame in container.decode(audio=0)) / 44100
        assert seconds == pytest.approx(0.7, abs=0.1)


def test_a_clip_of_a_whole_video_has_every_frame(tmp_path):
    source = write_counting_video(tmp_path / "match.mp4")
    assert cut_clip(source, tmp_path / "clip.mp4", 0.0, 99.0) == 0
    assert count_brightness(tmp_path / "clip.mp4") == list(range(60))


def test_images_are_encoded(tmp_path):
    images = write_images(tmp_path / "frames", 12)
    assert cut_clip(images, tmp_path / "clip.mp4", 0.1, 0.3) == 0.1
    assert len(list(read_frames(tmp_path / "clip.mp4"))) == 7


def test_a_codec_that_mp4_cannot_hold_is_encoded(tmp_path):
    with av.open(str(tmp_path / "old.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuvj420p"
        for _ in range(20):
            image = np.full((64, 96, 3), 90, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    cut_clip(tmp_path / "old.avi", tmp_path / "clip.mp4", 0.2, 0.4)
    assert len(list(read_frames(tmp_path / "clip.mp4"))) == 6


def test_an_unwritable_place_is_told_in_a_line(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", size=(64, 96), fps=Fraction(25)) as writer:
        writer.write(np.zeros((64, 96, 3), np.uint8))
    (tmp_path / "clip.mp4").mkdir()
    with pytest.raises(InputError, match=r"cannot be written.*choose another path"):
        cut_clip(tmp_path / "a.mp4", tmp_path / "clip.mp4", 0, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "clip.mp4"]
