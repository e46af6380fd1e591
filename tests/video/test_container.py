"""Opening files: which stream is the film, and what is no file."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from helpers_clips import draw_frames, write_labels, write_video

from keras_tracknet.datasets.checks import check_dataset
from keras_tracknet.datasets.dataset import find_dataset
from keras_tracknet.errors import InputError
from keras_tracknet.video.container import demux_stream, find_video_stream, open_video
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.reader import probe_video, read_frames

FLAGS = av.stream.Disposition
DEFAULT, COVER, STILL, NONE = FLAGS.default, FLAGS.attached_pic, FLAGS.still_image, FLAGS(0)


def describe(codec: str, size: tuple[int, int], frames: int, disposition=NONE):
    context = SimpleNamespace(
        codec=SimpleNamespace(canonical_name=codec), height=size[0], width=size[1]
    )
    return SimpleNamespace(
        codec_context=context if codec else None, frames=frames, disposition=disposition
    )


@pytest.mark.parametrize(
    ("streams", "film"),
    [
        ([("mjpeg", (720, 1280), 1), ("h264", (720, 1280), 90, DEFAULT)], 1),  # a thumbnail
        ([("mjpeg", (720, 1280), 1, DEFAULT), ("h264", (720, 1280), 90)], 1),  # said to be the film
        ([("h264", (720, 1280), 2, DEFAULT), ("h264", (360, 640), 90)], 1),
        ([("png", (720, 1280), 0, DEFAULT), ("h264", (360, 640), 0, DEFAULT)], 1),  # none counted
        ([("mjpeg", (720, 1280), 90, COVER), ("h264", (360, 640), 90)], 1),
        ([("h264", (720, 1280), 90, STILL), ("h264", (360, 640), 90)], 1),
        ([("", (720, 1280), 900, DEFAULT), ("h264", (360, 640), 90)], 1),  # cannot be decoded
        ([("h264", (360, 640), 90), ("h264", (720, 1280), 90)], 1),  # a preview
        ([("h264", (720, 1280), 90), ("h264", (360, 640), 90, DEFAULT)], 1),
        ([("h264", (360, 640), 90), ("h264", (360, 640), 90)], 0),
        ([("mjpeg", (360, 640), 90)], 0),
        ([("mjpeg", (360, 640), 1, COVER)], None),  # a song
        ([], None),
    ],
)
def test_the_film_is_found_among_the_streams(streams, film):
    described = [describe(*stream) for stream in streams]
    found = find_video_stream(SimpleNamespace(streams=SimpleNamespace(video=described)))
    assert found is (None if film is None else described[film])


def test_a_thumbnail_before_the_film_is_not_tracked(tmp_path):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        thumbnail = container.add_stream("mjpeg", rate=25)
        film = container.add_stream("mpeg4", rate=25)
        for stream, size, kind in ((thumbnail, (72, 128), "yuvj420p"), (film, (36, 64), "yuv420p")):
            stream.height, stream.width, stream.pix_fmt = *size, kind
        image = np.zeros((72, 128, 3), np.uint8)
        container.mux(thumbnail.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(thumbnail.encode(None))
        for image in draw_frames(12):
            container.mux(film.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(film.encode(None))
    assert (probe_video(path).frames, probe_video(path).height) == (12, 36)
    assert [frame.image.shape for frame in read_frames(path)] == [(36, 64, 3)] * 12


@pytest.mark.parametrize(
    "name", ["match:final.mp4", "http:match.mp4", "a%03d.mp4", "-.mp4", b"caf\xe9.mp4"]
)
def test_paths_are_paths(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(name)
    try:
        write_video(tmp_path / "clip.mp4", 3).rename(name)
    except OSError:
        pytest.skip("this file system has no such names")
    assert len(list(read_frames(Path(name)))) == 3
    assert len(list(read_frames(tmp_path / name))) == 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "clip.mp4")
    with (
        pytest.raises(InputError, match=r"clip\.mp4: is a pipe or a device; save"),
        open_video(tmp_path / "clip.mp4"),
    ):
        pass


def test_data_check_says_what_is_shown_otherwise_than_stored(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 36, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for image in draw_frames(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    write_labels(tmp_path / "a.csv")
    (clip,) = check_dataset(find_dataset(tmp_path)).clips
    assert clip.size == (36, 85)
    assert any("pixel aspect ratio 4:3: positions are in pixels" in line for line in clip.problems)


def test_packets_of_a_stream_that_appears_later_are_left_out():
    packets = [SimpleNamespace(is_corrupt=False, number=number) for number in range(6)]
    coming = iter(packets)

    def demux(_stream):  # as PyAV does where a packet is of a stream it has not seen at the start
        for packet in coming:
            if packet.number in (2, 3):
                raise IndexError("list index out of range")
            yield packet

    damage = Damage()
    read = list(demux_stream(SimpleNamespace(demux=demux), None, damage))
    assert [packet.number for packet in read] == [0, 1, 4, 5]
    assert damage.count == 0
