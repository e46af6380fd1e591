from fractions import Fraction

import av
import numpy as np
import pytest
from helpers_clips import write_images

from keras_tracknet.errors import InputError
from keras_tracknet.io.clips import cut_clip
from keras_tracknet.io.video import read_frames
from keras_tracknet.io.video_writer import VideoWriter

EVERY = 10  # frames from one keyframe to the next


def write_counting_video(path, frames=60, fps=25):
    """A video whose brightness tells the number of the frame, with tone and keyframes."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps)
        video.height, video.width, video.pix_fmt = 64, 96, "yuv420p"
        video.options = {"g": str(EVERY), "keyint_min": str(EVERY), "sc_threshold": "0", "crf": "5"}
        sound = container.add_stream("aac", rate=44100, layout="mono")
        for number in range(frames):
            image = np.full((64, 96, 3), 4 * number, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for block in range(frames * 44100 // fps // 1024):
            tone = np.sin(np.arange(1024) / 20, dtype=np.float32)[None]
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, block * 1024
            container.mux(sound.encode(frame))
        for stream in (video, sound):
            container.mux(stream.encode(None))
    return path


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
    with pytest.raises(InputError, match=r"cannot be written.*-o"):
        cut_clip(tmp_path / "a.mp4", tmp_path / "clip.mp4", 0, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "clip.mp4"]
