"""What a track is measured by: its video, its picture, its frames and its time base."""

import csv
import json
import warnings

import numpy as np
import pytest
from helpers_clips import write_images, write_labels, write_video
from helpers_reporters import Notebook

from keras_tracknet.analysis.footage import (
    Footage,
    choose_times,
    find_footage,
    fit_to_picture,
    fit_to_video,
    watch_video,
)
from keras_tracknet.analysis.run import run_analysis
from keras_tracknet.errors import InputError
from keras_tracknet.progress import Reporter
from keras_tracknet.sports import SPORTS
from keras_tracknet.tracks.files import write_track
from keras_tracknet.tracks.tables import UNLABELLED
from keras_tracknet.tracks.timestamps import mend_times
from keras_tracknet.tracks.track import Track
from keras_tracknet.tracks.velocity import compute_velocity

BADMINTON = SPORTS["badminton"]
NAN = np.nan


def move(frames, fps=None, step=4.0, first=0):
    """A ball that goes to the right by `step` pixels a frame."""
    x = 10 + step * np.arange(frames)
    time = None if fps is None else np.arange(frames) / fps
    return Track.from_positions(x, np.full(frames, 18.0), np.arange(frames) >= first, time=time)


@pytest.mark.parametrize(
    ("times", "mended", "number"),
    [
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], 0),
        ([0, 1, 1, 3, 4], [0, 1, 2, 3, 4], 2),  # the second of a pair is wrong
        ([0, 2, 2, 3, 4], [0, 1, 2, 3, 4], 2),  # the first is
        ([0, 1, 0.5, 3, 4], [0, 1, 2, 3, 4], 2),  # back, or ahead before
        ([0, 1, 9, 3, 4], [0, 1, 2, 3, 4], 1),  # ahead
        ([0, 1, 2, 3, 3], [0, 1, 2, 3, 4], 2),  # at the end
        ([1, 1, 2, 3, 4], [0, 1, 2, 3, 4], 2),  # at the beginning
        ([0, NAN, 2, NAN, NAN], [0, 1, 2, 3, 4], 0),  # not given
        ([0, 1, 5, 6, 7], [0, 1, 5, 6, 7], 0),  # a variable rate is nothing to mend
    ],
)
def test_only_the_timestamps_concerned_are_mended(times, mended, number):
    found, count = mend_times(np.array(times, float))
    np.testing.assert_allclose(found, mended)
    assert count == number


@pytest.mark.parametrize(
    "times", [[0, 0, 0, 0], [NAN] * 4, [4, 3, 2, 1], [0, 0, 1, 1, 2, 2], [1, NAN]]
)
def test_times_that_say_nothing_are_not_made_up(times):
    assert mend_times(np.array(times, float)) is None


def test_one_repeated_timestamp_leaves_the_speed_as_it_is():
    track = move(60, 60.0)
    track.time[30] = track.time[29]
    with pytest.warns(UserWarning, match="2 of 60 timestamps do not increase"):
        velocity = compute_velocity(track, (720, 1280))
    np.testing.assert_allclose(velocity.x, 240)
    np.testing.assert_allclose(velocity.time, np.arange(60) / 60)


@pytest.mark.parametrize("fps", [NAN, np.inf, 0, -25])
def test_a_rate_that_is_none_is_refused(fps):
    with pytest.raises(ValueError, match="`fps` must be a finite number above 0"):
        move(9).seconds(fps)


def test_without_times_a_rate_is_asked_for():
    with pytest.raises(InputError, match=r"no times; set `fps`"):
        compute_velocity(move(9), (720, 1280))
    np.testing.assert_allclose(compute_velocity(move(9), (720, 1280), fps=60.0).x, 240)


VIDEO = Footage((36, 64), 25.0, "clip.mp4")
SUMMARY = Footage((36, 64), 50.0, "summary.json")


@pytest.mark.parametrize(
    ("track", "footage", "fps", "rate", "name"),
    [
        (move(5, 60), VIDEO, 240.0, 240, "240 frames per second, as given"),
        (move(5, 60), SUMMARY, None, 60, "timestamps of the track"),
        (move(5), VIDEO, None, 25, "timestamps of clip.mp4"),
        (move(5), SUMMARY, None, 50, "50 frames per second, from summary.json"),
    ],
)
def test_the_time_base_is_the_first_that_is_known(track, footage, fps, rate, name):
    shown = np.arange(5) / 25 if footage is VIDEO else None
    base = choose_times(track, footage, Reporter(), fps=fps, video_times=shown)
    np.testing.assert_allclose(base.times, np.arange(5) / rate)
    assert base.name == name


@pytest.mark.parametrize("footage", [Footage(), Footage((36, 64), None, "a folder")])
def test_without_any_source_of_time_it_is_asked_for(footage):
    with pytest.raises(InputError, match=r"set `fps`, or give its `video`"):
        choose_times(move(5), footage, Reporter(), video_times=np.arange(5) / 30)


def test_milliseconds_are_not_taken_for_seconds():
    with pytest.raises(InputError, match=r"advance by 40 per frame.*in seconds"):
        choose_times(move(5, 1 / 40), Footage(), Reporter())


def test_what_is_odd_about_times_is_said():
    notes = Notebook()
    choose_times(move(5, 60), VIDEO, notes)
    assert "correspond to 60 frames per second, but clip.mp4 has 25" in notes.warnings[0]
    slow = Footage((36, 64), 30.0, "slow.mp4", capture_fps=240.0)
    notes = Notebook()
    choose_times(move(5, 30), slow, notes)
    assert "recorded at 240 frames per second, played at 30" in notes.warnings[0]
    assert "`fps=240`" in notes.warnings[0]


def unlabel_first(track):
    track.status[0] = UNLABELLED
    track.x[0] = track.y[0] = NAN
    return track


@pytest.mark.parametrize(
    ("track", "frames", "first", "length", "said"),
    [
        (move(8), 8, 10, 8, ""),
        # Frames 1 to 8 of a video with frames 0 to 7.
        (unlabel_first(move(9)), 8, 14, 8, "counts frames from 1 to 8: it is read as counting"),
        # Frames 1 to 7 may be counted from 1 or not.
        (
            unlabel_first(move(8)),
            8,
            NAN,
            8,
            "if it counts from 1, every position is one frame late",
        ),
        (
            unlabel_first(move(8)),
            None,
            NAN,
            8,
            "if it counts from 1, every position is one frame late",
        ),
        (move(10), 8, 10, 8, "2 rows after the last frame of the video are skipped"),
        (move(4), 8, 10, 4, "has 4 frames, but the video has 8: the rest is unknown"),
        (move(7), 8, 10, 7, ""),
    ],
)
def test_frames_are_those_of_the_video(track, frames, first, length, said):
    notes = Notebook()
    found = fit_to_video(track, frames, notes)
    np.testing.assert_equal(found.x[0], first)
    assert len(found) == length
    assert [said in warning for warning in notes.warnings] == ([True] if said else [])


def test_a_track_of_another_video_is_refused():
    with pytest.raises(InputError, match=r"has 20 frames, but the video has 8.*`video`"):
        fit_to_video(move(20), 8, Reporter())


def test_positions_beyond_the_picture_are_left_out_or_stop():
    notes = Notebook()
    track = move(30, step=1.0)
    track.x[7] = 5000
    found = fit_to_picture(track, (36, 64), notes)
    assert np.flatnonzero(~found.visibility).tolist() == [7]
    assert "1 of 30 positions are outside the picture of 64 x 36 pixels" in notes.warnings[0]
    with pytest.raises(InputError, match=r"belongs to a video of another size; give that"):
        fit_to_picture(move(30, step=10.0), (36, 64), Reporter())


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ({"width": 64, "height": 36, "fps": "30000/1001"}, ((36, 64), 30000 / 1001)),
        ({"width": 64, "height": 36, "fps": "1e999999999"}, ((36, 64), None)),
        ({"width": 1e308, "height": 36, "fps": "1/0"}, (None, None)),
        ({"width": NAN, "height": "36", "fps": NAN}, (None, None)),
        ({"width": -1, "height": 36, "source": 5, "fps": -25}, (None, None)),
        ({"source": "\0"}, (None, None)),
        ([1, 2], (None, None)),
        (None, (None, None)),
    ],
)
def test_a_summary_of_any_shape_does_no_harm(tmp_path, summary, expected):
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    footage = find_footage(tmp_path / "track.csv", None)
    assert (footage.size, footage.fps) == expected


def test_the_summary_of_the_track_itself_counts_first(tmp_path):
    for name, fps in (("summary.json", 25), ("a.summary.json", 50)):
        (tmp_path / name).write_text(json.dumps({"fps": str(fps)}))
    assert find_footage(tmp_path / "a.csv", None).fps == 50
    assert find_footage(tmp_path / "track.csv", None).fps == 25


def read_speed(folder):
    with open(folder / "speed.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_analysis_says_its_time_base_and_measures_by_it(tmp_path):
    write_track(move(12), tmp_path / "track.csv", schema="tracknetv2")
    with pytest.raises(
        InputError, match=r"track.csv: the frame rate of the track is unknown; set `fps`"
    ):
        run_analysis(tmp_path / "track.csv", tmp_path / "out", BADMINTON)
    assert not (tmp_path / "out").exists()
    summary = run_analysis(tmp_path / "track.csv", tmp_path / "out", BADMINTON, fps=60.0)
    assert summary["time_base"] == "60 frames per second, as given"
    assert summary["frames_per_second"] == 60
    assert float(read_speed(tmp_path / "out")[5]["VX"]) == 240
    report = (tmp_path / "out" / "report.html").read_text()
    assert "times: 60 frames per second, as given" in report


def test_absence_written_as_a_position_is_no_hit(tmp_path):
    rows = [(f, *((20 + 4 * f, 90 - f) if f % 3 else (-1, -1))) for f in range(30)]
    write_labels(tmp_path / "track.csv", rows, header="frame,x,y")
    with pytest.warns(UserWarning, match="10 positions at 0,0 or -1,-1 are read as no ball"):
        run_analysis(tmp_path / "track.csv", tmp_path / "out", BADMINTON, fps=30.0)
    speeds = [float(row["Speed"]) for row in read_speed(tmp_path / "out") if row["Speed"]]
    np.testing.assert_allclose(speeds, 30 * np.hypot(4, 1), rtol=1e-3)


def test_frames_counted_from_one_are_those_of_the_video(tmp_path):
    write_video(tmp_path / "clip.mp4", 8)
    rows = [(f + 1, 6 + 7 * f, 18) for f in range(8)]
    write_labels(tmp_path / "clip.csv", rows, header="frame,x,y")
    notes = Notebook()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_analysis(tmp_path / "clip.csv", tmp_path / "out", BADMINTON, reporter=notes)
    assert "counts frames from 1" in notes.warnings[0]
    speed = read_speed(tmp_path / "out")
    assert len(speed) == 8
    assert float(speed[0]["VX"]) == pytest.approx(175, rel=0.01)


def test_images_in_a_folder_tell_no_time(tmp_path):
    write_images(tmp_path / "frames", 6)
    write_labels(tmp_path / "track.csv", [(f, 6 + 8 * f, 18) for f in range(6)], header="frame,x,y")
    options = {"video": tmp_path / "frames"}
    with pytest.raises(InputError, match=r"set `fps`"):
        run_analysis(tmp_path / "track.csv", tmp_path / "out", BADMINTON, **options)
    summary = run_analysis(tmp_path / "track.csv", tmp_path / "out", BADMINTON, fps=50, **options)
    assert summary["frames_per_second"] == 50


def test_times_that_were_made_up_for_images_do_not_count(tmp_path):
    (tmp_path / "frames").mkdir()
    write_track(move(6, 30), tmp_path / "track.csv")
    (tmp_path / "summary.json").write_text(
        json.dumps({"source": str(tmp_path / "frames"), "width": 64, "height": 36, "fps": "30"})
    )
    with pytest.raises(InputError, match=r"images have no timestamps.; set `fps`"):
        run_analysis(tmp_path / "track.csv", tmp_path / "out", BADMINTON)
    run_analysis(tmp_path / "track.csv", tmp_path / "out", BADMINTON, fps=60.0)
    assert float(read_speed(tmp_path / "out")[3]["VX"]) == 240


def test_a_track_without_rows_is_told(tmp_path):
    write_labels(tmp_path / "track.csv", [])
    with pytest.raises(InputError, match=r"contains no rows"):
        run_analysis(tmp_path / "track.csv", tmp_path / "out", BADMINTON)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["a.MTS"], "a.MTS"),
        (["a.avi", "a.mp4"], "a.mp4"),
        (["a.jpg", "ab.mp4", "a.b.mp4"], None),
        ([], None),
    ],
)
def test_the_video_of_a_track_has_its_name_whatever_its_suffix(tmp_path, names, found):
    for name in names:
        write_video(tmp_path / "film.mp4", 2).rename(tmp_path / name)
    track = write_labels(tmp_path / "a.csv")
    assert find_footage(track, None).video == (tmp_path / found if found else None)


def test_a_damaged_image_does_not_stop_the_look_for_cuts(tmp_path):
    folder = write_images(tmp_path / "frames", 5)
    (folder / "2.png").write_bytes(b"\x89PNG")
    with pytest.warns(UserWarning, match="1 of 5 images cannot be read"):
        times, cuts = watch_video(folder, 5, Reporter())
    assert (len(times), len(cuts)) == (5, 0)
