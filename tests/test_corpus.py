import json
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
from keras_tracknet.io.tracks import read_track
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
