import json
import os
from pathlib import Path

import pytest
from helpers_clips import write_images, write_video
from helpers_reporters import Notebook
from helpers_trackers import make_detector

from keras_tracknet.errors import InputError
from keras_tracknet.inference.batch import (
    BatchSettings,
    find_videos,
    name_folders,
    predict_videos,
)
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.locks import hold_lock
from keras_tracknet.tracks.files import read_track
from keras_tracknet.tracks.overlay import write_overlay
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.reader import probe_video


def make_tracker():
    return Tracker(make_detector(), precision="float32")


@pytest.fixture
def folder(tmp_path):
    for name in ("b", "a", "c"):
        write_video(tmp_path / "videos" / f"{name}.mp4", 7)
    return tmp_path / "videos"


def test_what_is_meant_by_a_source(folder, tmp_path):
    names = ["a.mp4", "b.mp4", "c.mp4"]
    (tmp_path / "list.txt").write_text("# matches\nvideos/c.mp4\n\nvideos/a.mp4\n")
    assert [p.name for p in find_videos(str(folder))] == names
    assert [p.name for p in find_videos(f"{folder}/*.mp4")] == names
    assert [p.name for p in find_videos(str(tmp_path / "list.txt"))] == ["c.mp4", "a.mp4"]
    assert find_videos(str(folder / "a.mp4")) is None
    assert find_videos(str(write_images(tmp_path / "images"))) is None
    with pytest.raises(InputError, match="no matching file"):
        find_videos(f"{folder}/*.mov")
    (tmp_path / "empty.txt").write_text("\n# nothing\n")
    with pytest.raises(InputError, match="lists no videos"):
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
    with pytest.warns(UserWarning, match=r"a overlay\.mp4, .*overlay\.mp4: skipped") as caught:
        found = find_videos(str(folder))
    assert [path.name for path in found] == ["a.mp4", "b.mp4", "c.mp4", "my overlay.mp4"]
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="skipped"):
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
    reporter = Notebook()
    settings = BatchSettings(tmp_path / "out", overlay=False)
    outcomes = predict_videos(make_tracker, find_videos(str(folder)), settings, reporter=reporter)
    assert [o.state for o in outcomes] == ["finished", "failed", "finished"]
    assert len(reporter.warnings) == 1
    assert "b.mp4" in reporter.warnings[0]
    assert len(read_track(tmp_path / "out" / "c" / "track.csv")) == 7
    summary = json.loads((tmp_path / "out" / "batch.json").read_text())
    assert (summary["finished"], summary["failed"]) == (2, 1)
    assert "b.mp4" in summary["videos"][1]["error"]


def test_finished_videos_are_skipped_and_interrupted_ones_go_on(folder, tmp_path):
    videos, settings = find_videos(str(folder)), BatchSettings(tmp_path / "out", overlay=False)
    predict_videos(make_tracker, videos, settings)
    paths = [tmp_path / "out" / name / "track.csv" for name in "abc"]
    whole = [path.read_text() for path in paths]
    # As an interruption in the middle of b would have left it.
    paths[1].write_text("".join(whole[1].splitlines(keepends=True)[:4]))
    summary = paths[1].with_name("summary.json")
    summary.write_text(summary.read_text().replace('"complete": true', '"complete": false'))
    before = [path.stat().st_mtime_ns for path in paths]
    outcomes = predict_videos(make_tracker, videos, settings)
    assert [o.state for o in outcomes] == ["skipped", "finished", "skipped"]
    assert [path.read_text() for path in paths] == whole
    after = [path.stat().st_mtime_ns for path in paths]
    assert [a == b for a, b in zip(after, before, strict=True)] == [True, False, True]


@pytest.mark.parametrize("settings", [{"mode": "accurate"}, {"threshold": 0.4}, {"max_gap": 2}])
def test_videos_tracked_with_other_settings_are_told_and_kept(folder, tmp_path, settings):
    videos, batch = find_videos(str(folder)), BatchSettings(tmp_path / "out", overlay=False)
    predict_videos(make_tracker, videos[:2], batch)
    before = (tmp_path / "out" / "a" / "track.csv").stat().st_mtime_ns
    reporter = Notebook()
    outcomes = predict_videos(
        lambda: Tracker(make_detector(), precision="float32", **settings),
        videos,
        batch,
        reporter=reporter,
    )
    assert [o.state for o in outcomes] == ["failed", "failed", "finished"]
    (name,) = settings
    for warning in reporter.warnings:
        assert f"tracked with other settings: `{name}` was" in warning
        assert "`overwrite=True`" in warning
    assert (tmp_path / "out" / "a" / "track.csv").stat().st_mtime_ns == before


@pytest.mark.parametrize("schema", ["tracknet", "tracknetv2"])
def test_what_somebody_else_left_there_is_kept(folder, tmp_path, schema):
    settings = BatchSettings(tmp_path / "out", overlay=False, schema=schema)
    other = tmp_path / "out" / "b" / "track.csv"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    outcomes = predict_videos(make_tracker, find_videos(str(folder)), settings)
    assert [o.state for o in outcomes] == ["finished", "failed", "finished"]
    assert "track.csv: already exists; use `overwrite=True`" in outcomes[1].error
    assert other.read_text() == "mine"


def test_what_cannot_be_resumed_begins_anew(folder, tmp_path):
    settings = BatchSettings(tmp_path / "out", overlay=False, schema="tracknetv2")
    predict_videos(make_tracker, find_videos(str(folder)), settings)
    track = tmp_path / "out" / "b" / "track.csv"
    whole, summary = track.read_text(), track.with_name("summary.json")
    track.write_text(whole[:40])
    summary.write_text(summary.read_text().replace('"complete": true', '"complete": false'))
    outcomes = predict_videos(make_tracker, find_videos(str(folder)), settings)
    assert [o.state for o in outcomes] == ["skipped", "finished", "skipped"]
    assert track.read_text() == whole


class BrokenTracker(Tracker):
    """Has a mistake that one video shows."""

    def stream(self, source, **settings):
        if source.stem == "b":
            raise ZeroDivisionError("ours\nand long")
        return super().stream(source, **settings)


def test_a_mistake_of_ours_with_one_video_does_not_stop_the_others(folder, tmp_path):
    reporter = Notebook()
    outcomes = predict_videos(
        lambda: BrokenTracker(make_detector(), precision="float32"),
        find_videos(str(folder)),
        BatchSettings(tmp_path / "out", overlay=False),
        reporter=reporter,
    )
    assert [o.state for o in outcomes] == ["finished", "failed", "finished"]
    assert reporter.warnings == [f"{folder / 'b.mp4'}: ZeroDivisionError: ours and long"]
    assert "in stream" in outcomes[1].traceback
    assert not (tmp_path / "out" / "b").exists()


def test_an_interruption_stops_all(folder, tmp_path):
    class Stopped(Tracker):
        def stream(self, source, **settings):
            raise KeyboardInterrupt

    settings = BatchSettings(tmp_path / "out", overlay=False)
    with pytest.raises(KeyboardInterrupt):
        predict_videos(lambda: Stopped(make_detector()), find_videos(str(folder)), settings)


@pytest.mark.parametrize("name", ["tracks.csv", "tracks.mp4", "file"])
def test_many_videos_need_a_folder(folder, tmp_path, name):
    (tmp_path / "file").touch()
    settings = BatchSettings(tmp_path / name, overlay=False)
    with pytest.raises(InputError, match=f"{name}: not a (folder|track file)"):
        predict_videos(make_tracker, find_videos(str(folder)), settings)


@pytest.mark.parametrize("content", ["[]", '{"videos": 3}', "null", "no JSON"])
def test_a_batch_file_of_something_else_is_kept(folder, tmp_path, content):
    settings = BatchSettings(tmp_path / "out", overlay=False)
    settings.output.mkdir()
    (settings.output / "batch.json").write_text(content)
    with pytest.raises(InputError, match=r"batch\.json: not written by tracknet predict"):
        predict_videos(make_tracker, find_videos(str(folder)), settings)
    assert (settings.output / "batch.json").read_text() == content


def test_two_runs_of_a_batch_at_once(folder, tmp_path):
    settings = BatchSettings(tmp_path / "out", overlay=False)
    with (
        hold_lock(settings.output / "batch.json"),
        pytest.raises(InputError, match="another tracknet process is writing there"),
    ):
        predict_videos(make_tracker, find_videos(str(folder)), settings)


def test_overwriting_tracks_all_again(folder, tmp_path):
    videos, settings = find_videos(str(folder)), BatchSettings(tmp_path / "out", overlay=False)
    predict_videos(make_tracker, videos, settings)
    again = BatchSettings(tmp_path / "out", overlay=False, overwrite=True)
    assert {o.state for o in predict_videos(make_tracker, videos, again)} == {"finished"}


@pytest.mark.parametrize(
    ("encoding", "newline"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\n")]
)
def test_a_list_is_read_in_unicode(tmp_path, encoding, newline):
    path = tmp_path / "list.txt"
    path.write_bytes(newline.join(["Müller.mp4", "", "# x", "b c.mp4"]).encode(encoding))
    assert find_videos(str(path)) == [tmp_path / "Müller.mp4", tmp_path / "b c.mp4"]


def test_a_list_in_latin_1_is_refused(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("Müller.mp4\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"list\.txt: not text in UTF-8; save the list as UTF-8"):
        find_videos(str(path))


def test_a_video_called_txt_is_a_video(folder, tmp_path):
    video = (folder / "a.mp4").rename(tmp_path / "x.txt")
    assert find_videos(str(video)) is None
    assert probe_video(video).width == 64


@pytest.mark.parametrize(
    ("videos", "folders"),
    [
        (["m/one/rally.mp4", "m/final.mp4"], ["rally", "final"]),
        (["m/one/rally.mp4", "m/two/rally.mp4"], ["one-rally-mp4", "two-rally-mp4"]),
        (["m/a.mp4", "m/a.mov"], ["a-mp4", "a-mov"]),
        (["m/a.b.mp4", "m/a.c.mp4", "m/a.mp4"], ["a.b", "a.c", "a"]),
        (["m/clip.v1/", "m/clip.v2/"], ["clip.v1", "clip.v2"]),
        (["m/match.csv.mp4", "m/x.mp4.mp4"], ["match.csv", "x.mp4"]),
    ],
)
def test_videos_of_one_name_have_folders_of_their_own(tmp_path, videos, folders):
    for video in videos:
        (tmp_path / video).mkdir(parents=True) if video.endswith("/") else None
    paths = [tmp_path / video for video in videos]
    assert [folder for _, folder in name_folders(paths, Path("out"))] == [
        Path("out") / name for name in folders
    ]


@pytest.mark.parametrize(
    "videos", [["/m/x-y/c.mp4", "/m/x/y/c.mp4"], ["/m/a/c.mp4", "/m/b/c.mp4", "/m/b/a-c-mp4.mp4"]]
)
def test_joined_names_are_told_apart_too(videos):
    names = [folder.name for _, folder in name_folders([*map(Path, videos)], Path("out"))]
    assert len(set(names)) == len(videos)
    again = [folder.name for _, folder in name_folders([*map(Path, videos[::-1])], Path("out"))]
    assert again == names[::-1]


def test_a_video_named_like_a_track_has_a_folder(folder, tmp_path):
    (folder / "a.mp4").rename(folder / "a.csv.mp4")
    settings = BatchSettings(tmp_path / "out", overlay=False)
    outcomes = predict_videos(make_tracker, find_videos(str(folder)), settings)
    assert {o.state for o in outcomes} == {"finished"}
    assert len(read_track(tmp_path / "out" / "a.csv" / "track.csv")) == 7
