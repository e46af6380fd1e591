"""What an interrupted run leaves, who may go on with it, and that the result is the same."""

import errno
import io
import json
import os
import shutil
import subprocess
import sys

import pytest
from helpers_clips import write_images, write_video
from helpers_reporters import Notebook
from helpers_trackers import SCRIPTED as FRAMES
from helpers_trackers import ScriptedTracker

from keras_tracknet import locks
from keras_tracknet.errors import InputError
from keras_tracknet.inference import outputs
from keras_tracknet.inference.outputs import predict_video, track_to_stdout
from keras_tracknet.inference.places import OutputPaths
from keras_tracknet.inference.summaries import hash_source
from keras_tracknet.locks import hold_lock
from keras_tracknet.tracks.files import read_track
from keras_tracknet.tracks.play import reject_strays


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", FRAMES)


@pytest.fixture(scope="module")
def tracker():
    return ScriptedTracker()


@pytest.fixture(scope="module")
def whole(tracker, video, tmp_path_factory):
    """The content of a track that nothing interrupted, by its format."""
    folder = tmp_path_factory.mktemp("whole")
    paths = OutputPaths.inside(folder, ["csv", "jsonl"], overlay=False)
    predict_video(tracker, video, paths)
    return {path.suffix[1:]: path.read_bytes() for path in paths.tracks}


def interrupt(video, folder, *, format="csv", stop=10, overlay=False, **settings):
    """Track up to a frame; return where the results go."""
    paths = OutputPaths.inside(folder, [format], overlay=overlay)
    with pytest.raises(KeyboardInterrupt):
        predict_video(ScriptedTracker(stop=stop, **settings), video, paths)
    return paths


def list_contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- the same bytes


@pytest.mark.parametrize(("format", "rows"), [("csv", 2), ("jsonl", 1)])
def test_a_file_cut_at_any_byte_goes_on_to_the_same_result(
    tracker, video, whole, tmp_path, format, rows
):
    paths = interrupt(video, tmp_path, format=format)
    partial, summary = (path.read_bytes() for path in (paths.growing, paths.summary))
    latest = b"".join(partial.splitlines(keepends=True)[-rows:])
    for size in range(len(partial) - len(latest) - 1, len(partial) + 1):
        paths.growing.write_bytes(partial[:size])
        paths.summary.write_bytes(summary)
        predict_video(tracker, video, paths, resume=True)
        assert paths.growing.read_bytes() == whole[format], partial[:size][-20:]


@pytest.mark.parametrize("left", [b"", b"Frame,Vis", b"\0\0\0", None])
def test_a_file_without_a_whole_row_starts_anew(tracker, video, whole, tmp_path, left):
    paths = interrupt(video, tmp_path)
    paths.growing.unlink() if left is None else paths.growing.write_bytes(left)
    predict_video(tracker, video, paths, resume=True)
    assert paths.growing.read_bytes() == whole["csv"]


def test_zeros_that_a_loss_of_power_leaves_are_cut_off(tracker, video, whole, tmp_path):
    paths = interrupt(video, tmp_path)
    with open(paths.growing, "ab") as file:
        file.write(b"\0" * 4096)
    predict_video(tracker, video, paths, resume=True)
    assert paths.growing.read_bytes() == whole["csv"]


def test_the_rows_of_this_test_are_not_repaired_alike_twice(video, whole, tmp_path):
    (tmp_path / "once.csv").write_bytes(whole["csv"])
    once = read_track(tmp_path / "once.csv")
    assert reject_strays(once, 36).visibility.sum() < once.visibility.sum() < FRAMES


@pytest.mark.parametrize(
    "place", [(outputs, "write_overlay"), (outputs._Run, "_summarise")], ids=["overlay", "summary"]
)
def test_rows_are_repaired_once_whatever_was_interrupted(
    tracker, video, whole, tmp_path, monkeypatch, place
):
    def stop(*_arguments, **_more):
        raise KeyboardInterrupt

    paths = OutputPaths.inside(tmp_path, ["csv"], overlay=True)
    with monkeypatch.context() as patch:
        patch.setattr(*place, stop)
        with pytest.raises(KeyboardInterrupt):
            predict_video(tracker, video, paths)
    assert paths.growing.read_bytes() == whole["csv"]
    summary = predict_video(tracker, video, paths, resume=True)
    assert paths.growing.read_bytes() == whole["csv"]
    assert summary["complete"]
    assert set(os.listdir(tmp_path)) == {"track.csv", "overlay.mp4", "summary.json"}


def test_rates_are_those_of_this_run(tracker, video, tmp_path):
    reporter = Notebook()
    paths = interrupt(video, tmp_path, stop=15)
    summary = predict_video(tracker, video, paths, resume=True, reporter=reporter)
    assert (summary["frames"], summary["frames_before"]) == (FRAMES, 15)
    assert 0 < summary["frames_per_second"] * summary["seconds"] < 2
    assert "15 of them in an earlier run" in reporter.notes[-1]


# --- what decides a row


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "f" * 64}, "`weights` was v2.keras (SHA-256 00000000), is now v2"),
        ({"mode": "accurate"}, "`mode` was fast, is now accurate"),
        ({"threshold": 0.25}, "`threshold` was 0.5, is now 0.25"),
        ({"decode": "published"}, "`decode` was centroid, is now published"),
        ({"stabilize": True}, "`stabilize` was off, is now on"),
        ({"max_gap": 7}, "`max_gap` was 1, is now 7"),
    ],
)
@pytest.mark.parametrize("finished", [False, True])
def test_other_settings_are_refused(video, tmp_path, change, message, finished):
    if finished:
        predict_video(ScriptedTracker(), video, paths := OutputPaths.inside(
            tmp_path, ["csv"], overlay=False))  # fmt: skip
    else:
        paths = interrupt(video, tmp_path)
        paths.growing.write_bytes(paths.growing.read_bytes()[:-3])
    before = list_contents(tmp_path)
    with pytest.raises(InputError) as caught:
        predict_video(ScriptedTracker(**change), video, paths, resume=True)
    assert f"{tmp_path}: tracked with other settings: {message}" in str(caught.value)
    assert list_contents(tmp_path) == before


def test_result_of_a_version_without_linkers_is_still_finished(video, tmp_path):
    paths = OutputPaths.inside(tmp_path, ["csv"], overlay=False)
    predict_video(ScriptedTracker(), video, paths)
    summary = json.loads(paths.summary.read_text())
    del summary["linker"], summary["linker_sha256"]
    paths.summary.write_text(json.dumps(summary))
    before = list_contents(tmp_path)
    predict_video(ScriptedTracker(), video, paths, resume=True)
    assert list_contents(tmp_path) == before


def test_another_video_of_the_same_name_is_refused(tracker, video, tmp_path):
    paths = interrupt(video, tmp_path)
    other = write_video(tmp_path / "other" / video.name, FRAMES, shade=60)
    with pytest.raises(InputError, match=r"the video was clip\.mp4 \(.*, is now clip\.mp4 \("):
        predict_video(tracker, other, paths, resume=True)


def test_the_same_video_may_have_moved(tracker, video, whole, tmp_path):
    paths = interrupt(video, tmp_path / "out")
    moved = shutil.copy(video, tmp_path / "moved.mp4")
    predict_video(tracker, moved, paths, resume=True)
    assert paths.growing.read_bytes() == whole["csv"]


@pytest.mark.parametrize("name", ["version", "engine", "precision"])
def test_what_computes_counts_for_half_a_track_only(tracker, video, tmp_path, name):
    paths = interrupt(video, tmp_path)
    summary = json.loads(paths.summary.read_text())
    paths.summary.write_text(json.dumps(summary | {name: "other"}))
    with pytest.raises(InputError, match="was other, is now"):
        predict_video(tracker, video, paths, resume=True)
    finished = summary | {name: "other", "complete": True}
    paths.summary.write_text(json.dumps(finished))
    assert predict_video(tracker, video, paths, resume=True) == finished


def test_settings_survive_a_kill(video, tmp_path):
    """They are there as soon as there is a row."""
    paths = OutputPaths.inside(tmp_path, ["csv"], overlay=False)
    seen = []

    class Killed(ScriptedTracker):
        def script(self, first):
            for row in super().script(first):
                yield row
                seen.append(json.loads(paths.summary.read_text()))

    predict_video(Killed(), video, paths)
    assert {(record["complete"], record["mode"]) for record in seen} == {(False, "fast")}


@pytest.mark.parametrize("content", ["[]", "{}", '{"complete": 1}', "no JSON", "[" * 100_000])
@pytest.mark.parametrize("resume", [True, False])
def test_a_summary_of_another_shape_is_refused(tracker, video, tmp_path, content, resume):
    (tmp_path / "summary.json").write_text(content)
    paths = OutputPaths.inside(tmp_path, ["csv"], overlay=False)
    with pytest.raises(InputError, match=r"summary\.json: (not a summary of|already exists)"):
        predict_video(tracker, video, paths, resume=resume, overwrite=False)
    assert list_contents(tmp_path) == {"summary.json": content.encode()}


@pytest.mark.parametrize("name", ["track.csv", "track.jsonl", "overlay.mp4"])
def test_what_lies_there_without_a_summary_is_not_touched(tracker, video, tmp_path, name):
    (tmp_path / name).write_bytes(b"Frame,Visibility,X,Y\n0,1,2,3\n1,1,2")
    before = list_contents(tmp_path)
    paths = OutputPaths.inside(tmp_path, ["csv", "jsonl"], overlay=True)
    with pytest.raises(InputError, match=f"{name}: already exists; use `overwrite=True`"):
        predict_video(tracker, video, paths, resume=True)
    assert list_contents(tmp_path) == before


def test_what_is_finished_stays_as_it_is(tracker, video, tmp_path):
    paths, reporter = OutputPaths.inside(tmp_path, ["csv"], overlay=False), Notebook()
    expected = predict_video(tracker, video, paths)
    before = list_contents(tmp_path)
    assert predict_video(tracker, video, paths, resume=True, reporter=reporter) == expected
    assert reporter.notes == [f"{tmp_path}: already finished, nothing to do"]
    assert list_contents(tmp_path) == before


def test_a_result_that_was_not_wanted_before_is_missing(tracker, video, tmp_path):
    predict_video(tracker, video, OutputPaths.inside(tmp_path, ["csv"], overlay=False))
    more = OutputPaths.inside(tmp_path, ["csv"], overlay=True)
    with pytest.raises(InputError, match=r"overlay\.mp4: missing although tracking was finished"):
        predict_video(tracker, video, more, resume=True)


def test_what_is_replaced_does_not_stay_beside_half_a_track(tracker, video, tmp_path):
    paths = OutputPaths.inside(tmp_path, ["csv", "jsonl"], overlay=True, shots=True)
    predict_video(tracker, video, paths)
    with pytest.raises(KeyboardInterrupt):
        predict_video(ScriptedTracker(stop=3, mode="accurate"), video, paths)
    assert set(os.listdir(tmp_path)) == {"track.csv", "summary.json"}


def test_the_source_is_never_replaced(tracker, video, tmp_path):
    source = shutil.copy(video, tmp_path / "overlay.mp4")
    before = list_contents(tmp_path)
    paths = OutputPaths.inside(tmp_path, ["csv"], overlay=True)
    with pytest.raises(InputError, match="is the source video itself"):
        predict_video(tracker, source, paths)
    assert list_contents(tmp_path) == before


def test_a_source_is_told_by_its_size_and_its_ends(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(bytes(3 * 2**20))
    for place in (0, 2**20 - 1, 2 * 2**20, 3 * 2**20 - 1):
        b.write_bytes(bytes(place) + b"x" + bytes(3 * 2**20 - 1 - place))
        assert hash_source(a) != hash_source(b)
    b.write_bytes(bytes(3 * 2**20 + 1))
    assert hash_source(a) != hash_source(b)
    b.write_bytes(bytes(3 * 2**20))
    assert hash_source(a) == hash_source(b)
    folders = [
        write_images(tmp_path / name, count) for name, count in zip("cde", (2, 2, 3), strict=True)
    ]
    assert hash_source(folders[0]) == hash_source(folders[1]) != hash_source(folders[2])


# --- two at once

HOLD = "import sys, time; from pathlib import Path; from keras_tracknet.locks import hold_lock\n" \
    "with hold_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"  # fmt: skip


def test_a_second_run_is_refused_until_the_first_has_ended_or_died(tracker, video, tmp_path):
    paths = OutputPaths.inside(tmp_path, ["csv"], overlay=False)
    command = [sys.executable, "-c", HOLD, str(paths.summary)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(InputError, match=f"{tmp_path}: another tracknet process is writing"):
            predict_video(tracker, video, paths)
        assert os.listdir(tmp_path) == [".summary.json.lock"]
        other.kill()
    predict_video(tracker, video, paths)
    assert set(os.listdir(tmp_path)) == {"track.csv", "summary.json"}


def test_a_lock_is_for_one_result_and_leaves_nothing(tmp_path):
    with (
        hold_lock(tmp_path / "new" / "a.json"),
        hold_lock(tmp_path / "new" / "b.json"),
        pytest.raises(InputError, match="another tracknet process"),
        hold_lock(tmp_path / "new" / "a.json"),
    ):
        pytest.fail("held twice")
    assert os.listdir(tmp_path) == []


def test_a_file_system_without_locks_has_none(tmp_path, monkeypatch):
    def refuse(_descriptor):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_acquire", refuse)
    with hold_lock(tmp_path / "a.json"), hold_lock(tmp_path / "b.json"):
        pass
    assert os.listdir(tmp_path) == []


# --- to stdout


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_stdout_gets_the_track_that_the_file_would(tracker, video, whole, capsys, format):
    track_to_stdout(tracker, video, format=format)
    assert capsys.readouterr().out.encode() == whole[format]


def test_a_reader_of_stdout_that_has_read_enough_is_no_error_of_a_file(tracker, video, monkeypatch):
    class Closed(io.StringIO):
        def flush(self):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Closed())
        with pytest.raises(BrokenPipeError):
            track_to_stdout(tracker, video)
