import json
from contextlib import contextmanager

import numpy as np
import pytest
from helpers_clips import write_images, write_video
from helpers_trackers import save_detector

from keras_tracknet.errors import InputError
from keras_tracknet.inference.outputs import predict_video
from keras_tracknet.inference.places import OutputPaths
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.progress import Reporter
from keras_tracknet.tracks.files import read_track
from keras_tracknet.video.part import Part
from keras_tracknet.video.reader import find_frame, probe_video, read_frames

FRAMES = 14


@pytest.fixture(scope="module")
def tracker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return Tracker(save_detector(folder / "dots.keras"), precision="float32", engine="keras")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", FRAMES)


@pytest.mark.parametrize("images", [False, True])
@pytest.mark.parametrize(
    ("part", "frames"),
    [
        (Part(), range(14)),
        (Part(start=3), range(3, 14)),
        (Part(end=5), range(5)),
        (Part(start=4, end=11, every=3), [4, 7, 10]),
        (Part(start=12, end=99), [12, 13]),
    ],
)
def test_frames_of_a_part_are_read_exactly(part, frames, images, video, tmp_path):
    source = write_images(tmp_path / "images", FRAMES) if images else video
    whole = list(read_frames(source))
    found = list(read_frames(source, part=part))
    assert [frame.index for frame in found] == list(frames)
    for frame in found:
        assert frame.time == whole[frame.index].time
        np.testing.assert_array_equal(frame.image, whole[frame.index].image)
    assert part.count(FRAMES) == len(found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": -1}, "`start` must be at least 0"),
        ({"start": 5, "end": 5}, "`end` must be greater than `start`"),
        ({"every": 0}, "`every` must be at least 1"),
        ({"roi": (0, 0, 0, 5)}, "`roi` must be"),
    ],
)
def test_impossible_parts_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Part(**settings)


def test_a_part_outside_the_video_is_refused(tracker, video):
    with pytest.raises(InputError, match="ends before frame 14; use a smaller `start`"):
        tracker.track(video, part=Part(start=14))
    with pytest.raises(InputError, match="`roi=30,0,60,30` reaches over the edge of the picture"):
        tracker.track(video, part=Part(roi=(30, 0, 60, 30)))


def test_times_become_frames(video):
    assert [find_frame(video, seconds) for seconds in (0.0, 0.04, 0.1, 0.52)] == [0, 1, 3, 13]
    with pytest.raises(InputError, match="ends before 9 seconds"):
        find_frame(video, 9.0)


def test_rows_of_a_part_keep_the_numbers_of_the_video(tracker, video):
    whole = tracker.track(video)
    track = tracker.track(video, part=Part(start=4, end=12))
    assert len(track) == 12
    assert not track.labelled[:4].any()
    np.testing.assert_allclose(track.positions[4:], whole.positions[4:12], atol=0.01)
    np.testing.assert_array_equal(track.time[4:], whole.time[4:12])
    assert track.shots == (4,)
    every = tracker.track(video, part=Part(start=1, every=2))
    assert np.flatnonzero(every.labelled).tolist() == list(range(1, 14, 2))
    np.testing.assert_allclose(every.positions[1::2], whole.positions[1::2], atol=0.01)


def test_positions_in_a_region_are_those_of_the_picture(tracker, video):
    info = probe_video(video)
    whole = tracker.track(video)
    region = (2, 4, info.width - 2, info.height - 4)
    track = tracker.track(video, part=Part(roi=region))
    seen = whole.visibility & (whole.x > 6)
    assert seen.sum() > 5
    np.testing.assert_allclose(track.positions[seen], whole.positions[seen], atol=1.0)


def place(folder):
    return OutputPaths.inside(folder, ["csv"], overlay=True)


def test_files_hold_the_part_alone(tracker, video, tmp_path):
    part = Part(start=4, end=12, every=2)
    summary = predict_video(tracker, video, place(tmp_path), part=part)
    lines = (tmp_path / "track.csv").read_text().splitlines()
    assert [int(line.split(",")[0]) for line in lines[1:]] == [4, 6, 8, 10]
    assert summary["frames"] == 4
    assert [summary[name] for name in ("start", "end", "every", "roi")] == [4, 12, 2, None]
    assert probe_video(tmp_path / "overlay.mp4").frames == 8
    with pytest.warns(UserWarning, match="7 of 11 frames have no row"):
        track = read_track(tmp_path / "track.csv")
    np.testing.assert_allclose(
        track.positions, tracker.track(video, part=part).positions, atol=0.001
    )


def test_an_interrupted_part_is_resumed(tracker, video, tmp_path):
    class Interrupter(Reporter):
        @contextmanager
        def track(self, description, total=None, *, unit="items"):
            done = 0

            def advance(n=1, **_figures):
                nonlocal done
                done += n
                if description.startswith("tracking") and done == 4:
                    raise KeyboardInterrupt

            yield advance

    part = Part(start=3, every=2)
    whole = tmp_path / "whole"
    predict_video(tracker, video, place(whole), part=part)
    with pytest.raises(KeyboardInterrupt):
        predict_video(tracker, video, place(tmp_path), part=part, reporter=Interrupter())
    assert not json.loads((tmp_path / "summary.json").read_text())["complete"]
    with pytest.raises(InputError, match="`start` was 3, is now 0"):
        predict_video(tracker, video, place(tmp_path), resume=True)
    predict_video(tracker, video, place(tmp_path), part=part, resume=True)
    assert (tmp_path / "track.csv").read_text() == (whole / "track.csv").read_text()


def test_a_bar_shows_progress(tracker, video, capsys):
    told = []
    tracker.track(video, progress=True, advance=told.append)
    assert sum(told) == FRAMES
    assert f"{FRAMES}/{FRAMES}" in capsys.readouterr().out
