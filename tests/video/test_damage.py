"""Sources that are damaged in part: what can be read is tracked, and the rest is counted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import av
import numpy as np
import pytest
from helpers_clips import draw_frames, write_images, write_video
from helpers_reporters import Notebook
from helpers_trackers import make_detector

from keras_tracknet.errors import InputError
from keras_tracknet.inference.outputs import predict_video
from keras_tracknet.inference.places import OutputPaths
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.tracks.files import read_track
from keras_tracknet.video.reader import read_frames

FRAMES = 12


@pytest.fixture(scope="module")
def tracker():
    return Tracker(make_detector(), precision="float32")


def predict(tracker, source: Path, folder: Path, *, overlay=False, **settings):
    paths = OutputPaths.choose(source, folder, ("csv",), overlay=overlay)
    return predict_video(tracker, source, paths, **settings)


def damage_images(folder: Path, damaged: set[int]) -> Path:
    write_images(folder, FRAMES)
    for index in damaged:
        (folder / f"{index}.png").write_bytes(b"\x89PNG")
    return folder


def damage_video(path: Path) -> Path:
    """Write a video with a packet in its middle that no decoder takes."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.height, stream.width, stream.pix_fmt = 36, 64, "rgb24"
        for number, image in enumerate(draw_frames(FRAMES)):
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                if number == 5:
                    torn = av.Packet(b"\x89PNG" + bytes(40))
                    torn.pts, torn.dts, torn.stream = packet.pts, packet.dts, stream
                    torn.time_base, torn.is_keyframe = packet.time_base, True
                    packet = torn
                container.mux(packet)
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("damaged", [{5}, {0, 1}, {4, 5, 6}, {11}])
def test_a_damaged_image_has_a_row_without_a_ball(tracker, tmp_path, damaged):
    whole = read_track_of(tracker, write_images(tmp_path / "whole", FRAMES), tmp_path)
    folder = damage_images(tmp_path / "images", damaged)
    with pytest.warns(UserWarning, match=f"{len(damaged)} of {FRAMES} images cannot be read"):
        summary = predict(tracker, folder, tmp_path / "out", overlay=True)
    track = read_track(tmp_path / "out" / "track.csv")
    assert (summary["damaged"], summary["frames"], summary["complete"]) == (
        len(damaged), FRAMES, True,
    )  # fmt: skip
    assert not track.visibility[sorted(damaged)].any()
    kept = [frame for frame in range(FRAMES) if frame not in damaged]
    np.testing.assert_array_equal(track.positions[kept], whole.positions[kept])
    np.testing.assert_array_equal(track.time, whole.time)
    assert len(list(read_frames(tmp_path / "out" / "overlay.mp4"))) == FRAMES


def read_track_of(tracker, source: Path, folder: Path):
    summary = predict(tracker, source, folder / "track of whole")
    assert summary["damaged"] == 0
    return read_track(folder / "track of whole" / "track.csv")


def test_a_damaged_packet_is_counted_and_the_rest_tracked(tracker, tmp_path):
    video = damage_video(tmp_path / "clip.mov")
    with pytest.warns(UserWarning, match=rf"damaged .*; {FRAMES - 1} frames were decoded"):
        summary = predict(tracker, video, tmp_path / "out")
    track = read_track(tmp_path / "out" / "track.csv")
    assert (summary["damaged"], len(track)) == (1, FRAMES - 1)
    times = [frame / 25 for frame in range(FRAMES) if frame != 5]
    np.testing.assert_allclose(track.time, times, atol=1e-3)


@pytest.mark.parametrize("kind", ["images", "video"])
def test_strict_stops_at_the_first_damage(tracker, tmp_path, kind):
    images = kind == "images"
    source = damage_images(tmp_path / "s", {5}) if images else damage_video(tmp_path / "s.mov")
    with pytest.raises(InputError, match=r"s(\.mov)?: damaged.*; without `strict` the rest is"):
        predict(tracker, source, tmp_path / "out", strict=True)
    summary = tmp_path / "out" / "summary.json"
    assert not summary.exists() or not json.loads(summary.read_text())["complete"]


def test_strict_takes_what_is_whole(tracker, tmp_path):
    summary = predict(tracker, write_video(tmp_path / "clip.mp4"), tmp_path / "out", strict=True)
    assert (summary["damaged"], summary["complete"]) == (0, True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("name", ["00.png", "5b.png", "99.png"])
def test_a_pipe_among_images_is_refused_at_once(tracker, tmp_path, name):
    folder = write_images(tmp_path / "images", FRAMES)
    os.mkfifo(folder / name)
    with pytest.raises(InputError, match=rf"{name}: is a folder, a pipe or a device, not an image"):
        predict(tracker, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_that_leads_nowhere_is_a_damaged_image(tracker, tmp_path):
    folder = write_images(tmp_path / "images", FRAMES)
    (folder / "11.png").unlink()
    (folder / "11.png").symlink_to("moved.png")
    with pytest.warns(UserWarning, match="1 of 12 images cannot be read"):
        assert predict(tracker, folder, tmp_path / "out")["damaged"] == 1


def test_slow_motion_is_said_and_noted(tracker, tmp_path):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["com.android.capture.fps"] = "100"
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 36, 64, "yuv420p"
        for image in draw_frames(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    reporter = Notebook()
    summary = predict(tracker, path, tmp_path / "out", reporter=reporter)
    assert (summary["fps"], summary["capture_fps"]) == ("25", 100)
    assert any("slow motion: recorded at 100" in note for note in reporter.notes)
    assert read_track(tmp_path / "out" / "track.csv").time[1] == pytest.approx(1 / 25)
