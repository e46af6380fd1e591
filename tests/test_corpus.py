import json
import os
from pathlib import Path

import pytest
from helpers_clips import write_images, write_video
from helpers_trackers import make_detector

from keras_tracknet.corpus import (
    CorpusSettings,
    find_videos,
    name_folders,
    predict_corpus,
)
from keras_tracknet.errors import InputError
from keras_tracknet.inference import Tracker
from keras_tracknet.io.tracks import Track, read_track
from keras_tracknet.overlay import write_overlay
from keras_tracknet.reporting import Reporter


def make_tracker():
    return Tracker(make_detector(), precision="float32")


@pytest.fixture
def folder(tmp_path):
    for name in ("b", "a", "c"):
        write_video(tmp_path / "videos" / f"{name}.mp4", 7)
    return tmp_path / "videos"


class Warnings(Reporter):
    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


def test_what_is_meant_by_a_source(folder, tmp_path):
    names = ["a.mp4", "b.mp4", "c.mp4"]
    (tmp_path / "list.txt").write_text("# matches\nvideos/c.mp4\n\nvideos/a.mp4\n")
    assert [p.name for p in find_videos(str(folder))] == names
    assert [p.name for p in find_videos(f"{folder}/*.mp4")] == names
    assert [p.name for p in find_videos(str(tmp_path / "list.txt"))] == ["c.mp4", "a.mp4"]
    assert find_videos(str(folder / "a.mp4")) is None
    assert find_videos(str(write_images(tmp_path / "images"))) is None
    with pytest.raises(InputError, match="no file is called like that"):
        find_videos(f"{folder}/*.mov")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(InputError, match="no video is listed there"):
        find_videos(str(tmp_path / "empty.txt"))


@pytest.mark.parametrize("name", ["A.MTS", "a.m2ts", "a.flv", "a.3gp", "a.MP4", "a.clip", "a"])
def test_videos_are_known_by_suffix_or_content(folder, name):
    (folder / "a.mp4").rename(folder / name)
    found = [path.name for path in find_videos(str(folder))]
    assert found == sorted([name, "b.mp4", "c.mp4"])


def test_what_is_no_video_is_left_out(folder, recwarn):
    for name in ("notes.txt", "labels.csv", "weights.keras", "page.html", "empty", "list.m3u8"):
        (folder / name).write_text("Frame,X,Y\n1,2,3\n" if name != "empty" else "")
    (folder / "._a.mp4").write_bytes(b"\0\5\x16\7")  # as macOS writes beside files
    write_video(folder / ".overlay.partial.mp4", 2)
    write_images(folder, 2)
    (folder / "folder.mp4").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.mp4")
    assert [path.name for path in find_videos(str(folder))] == ["a.mp4", "b.mp4", "c.mp4"]
    assert not recwarn.list


def test_overlays_of_an_earlier_run_are_left_out_and_named(folder):
    track = Track.from_positions([1.0] * 7, [1.0] * 7, [True] * 7)
    write_overlay(folder / "a.mp4", track, folder / "a overlay.mp4")  # known by what it says
    for name in ("", "b."):  # as written before overlays said so
        write_video(folder / f"{name}overlay.mp4", 2)
        (folder / f"{name}summary.json").write_text("{}")
    write_video(folder / "my overlay.mp4", 2)
    with pytest.warns(UserWarning, match=r"a overlay\.mp4, .*overlay\.mp4: left out") as caught:
        found = find_videos(str(folder))
    assert [path.name for path in found] == ["a.mp4", "b.mp4", "c.mp4", "my overlay.mp4"]
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="left out"):
        assert find_videos(f"{folder}/*.mp4") == found
    assert find_videos(str(folder / "overlay.mp4")) is None  # named, it is tracked


@pytest.mark.parametrize("name", ["cup [2024]", "all*", "what?"])
def test_folders_may_be_called_like_patterns(tmp_path, name):
    write_video(tmp_path / name / "day 1" / "a.mp4", 2)
    write_video(tmp_path / name / "day 1" / "b.avi", 2)
    write_video(tmp_path / "cup 2" / "day 1" / "c.mp4", 2)
    for pattern in ("*/*.mp4", "day 1/*.mp4", "**/a.*", "day [0-9]/[ab].mp4"):
        found = find_videos(f"{tmp_path}/{name}/{pattern}")
        assert [path.name for path in found] == ["a.mp4"], pattern
    assert len(find_videos(f"{tmp_path}/{name}/day 1")) == 2


def test_a_video_that_fails_does_not_stop_the_others(folder, tmp_path):
    (folder / "b.mp4").write_bytes(b"no video")
    reporter = Warnings()
    settings = CorpusSettings(tmp_path / "out", overlay=False)
    outcomes = predict_corpus(make_tracker, find_videos(str(folder)), settings, reporter=reporter)
    assert [o.state for o in outcomes] == ["finished", "failed", "finished"]
    assert len(reporter.warnings) == 1
    assert "b.mp4" in reporter.warnings[0]
    assert len(read_track(tmp_path / "out" / "c" / "track.csv")) == 7
    summary = json.loads((tmp_path / "out" / "corpus.json").read_text())
    assert (summary["finished"], summary["failed"]) == (2, 1)
    assert "b.mp4" in summary["videos"][1]["error"]


def test_finished_videos_are_skipped_and_interrupted_ones_go_on(folder, tmp_path):
    videos, settings = find_videos(str(folder)), CorpusSettings(tmp_path / "out", overlay=False)
    predict_corpus(make_tracker, videos, settings)
    paths = [tmp_path / "out" / name / "track.csv" for name in "abc"]
    whole = [path.read_text() for path in paths]
    # As an interruption in the middle of b would have left it.
    paths[1].write_text("".join(whole[1].splitlines(keepends=True)[:4]))
    summary = paths[1].with_name("summary.json")
    summary.write_text(summary.read_text().replace('"complete": true', '"complete": false'))
    before = [path.stat().st_mtime_ns for path in paths]
    outcomes = predict_corpus(make_tracker, videos, settings)
    assert [o.state for o in outcomes] == ["skipped", "finished", "skipped"]
    assert [path.read_text() for path in paths] == whole
    after = [path.stat().st_mtime_ns for path in paths]
    assert [a == b for a, b in zip(after, before, strict=True)] == [True, False, True]


def test_nothing_is_loaded_when_all_is_finished(folder, tmp_path):
    videos, settings = find_videos(str(folder)), CorpusSettings(tmp_path / "out", overlay=False)
    predict_corpus(make_tracker, videos, settings)
    outcomes = predict_corpus(lambda: pytest.fail("made a tracker"), videos, settings)
    assert {o.state for o in outcomes} == {"skipped"}


def test_overwriting_tracks_all_again(folder, tmp_path):
    videos, settings = find_videos(str(folder)), CorpusSettings(tmp_path / "out", overlay=False)
    predict_corpus(make_tracker, videos, settings)
    again = CorpusSettings(tmp_path / "out", overlay=False, overwrite=True)
    assert {o.state for o in predict_corpus(make_tracker, videos, again)} == {"finished"}


def test_videos_of_one_name_have_folders_of_their_own():
    videos = [Path("/m/one/rally.mp4"), Path("/m/two/rally.mp4"), Path("/m/two/final.mp4")]
    folders = [folder for _, folder in name_folders(videos, Path("out"))]
    assert folders == [Path("out/one-rally-mp4"), Path("out/two-rally-mp4"), Path("out/final")]
