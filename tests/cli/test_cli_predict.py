"""What `tracknet predict` says and leaves: to stdout, interrupted, resumed, of many videos."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers_clips import write_video
from helpers_trackers import SCRIPTED, ScriptedTracker
from keras_tracknet_cli import main, options

from keras_tracknet.inference import choice
from keras_tracknet.tracks.files import read_track

CHOSEN = choice.Choice("badminton-v3", "badminton", "scripted", {})


@pytest.fixture
def tracknet(tmp_path, monkeypatch):
    """Return a function that runs a command in an empty folder, with a tracker that is given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(main, "silence_frameworks", lambda: None)
    monkeypatch.delenv("TRACKNET_DEBUG", raising=False)
    # The tracker is given; trying five networks on the video would take ten times as long.
    monkeypatch.setattr(choice, "choose_weights", lambda *_: CHOSEN)

    def run(*arguments, tracker=None):
        monkeypatch.setattr(options, "load_tracker", lambda *_, **__: tracker or ScriptedTracker())
        return CliRunner().invoke(main.cli, [str(argument) for argument in arguments])

    return run


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("videos") / "my clip.mp4", SCRIPTED)


def test_a_track_on_stdout_is_all_that_is_written(tracknet, video, tmp_path):
    written = tracknet("predict", video, "-o", "out", "--no-overlay")
    assert written.exit_code == 0, written.stderr
    for kind in ("csv", "jsonl"):
        printed = tracknet("predict", video, "-o", "-", "--format", kind)
        assert printed.exit_code == 0, printed.stderr
        (tmp_path / f"printed.{kind}").write_text(printed.stdout)
        assert len(read_track(tmp_path / f"printed.{kind}")) == SCRIPTED
    assert (tmp_path / "printed.csv").read_text() == (tmp_path / "out" / "track.csv").read_text()
    assert set(os.listdir()) == {"out", "printed.csv", "printed.jsonl"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["-o", "-", "--overlay"], "--overlay cannot be used with -o -"),
        (["-o", "-", "--plots"], "--plots cannot be used with -o -"),
        (["-o", "-", "--resume"], "--resume cannot be used with -o -"),
        (["-o", "-", "--json"], "--json cannot be used with -o -"),
        (["-o", "-", "--format", "parquet"], "--format must be csv or jsonl"),
        (["-o", "-", "--format", "csv,jsonl"], "--format must be csv or jsonl"),
        (["--resume", "--overwrite"], "remove one of them"),
        (["--duration", "3"], "--duration is for "),
        (["-o", ""], "-o is empty"),
        (["--output="], "--output is empty"),
        (["--weights", ""], "--weights is empty"),
        ([""], "an argument is empty"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(tracknet, video, more, message):
    result = tracknet("predict", video, *more)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert os.listdir() == []


@pytest.mark.parametrize(
    "command",
    [
        ["predict", ""],
        ["analyze", ""],
        ["fit", "--data", ""],
        ["evaluate", "--data", "x", "-o", ""],
        ["data", "check", ""],
        ["convert", "", "out.keras"],
        ["court", ""],
        ["export", "-o", ""],
        ["render", "-o", ""],
        ["demo", "-o", ""],
    ],
    ids=" ".join,
)
def test_an_empty_name_is_not_the_current_folder(tracknet, command):
    result = tracknet(*command)
    assert result.exit_code == 2
    assert "is empty" in result.stderr
    assert os.listdir() == []


def test_an_interruption_says_what_is_kept_and_how_to_go_on(tracknet, video):
    command = ["predict", video, "-o", "the out", "--no-overlay"]
    whole = tracknet(*command, "--overwrite")
    expected = Path("the out/track.csv").read_bytes()
    result = tracknet(*command, "--overwrite", tracker=ScriptedTracker(stop=5))
    assert (whole.exit_code, result.exit_code) == (0, 130)
    *_, said, last = result.stderr.splitlines()
    again = f"predict '{video}' -o 'the out' --no-overlay --resume"
    kept = Path("the out/track.csv")
    assert said == (
        f"tracknet: warning: stopped; 5 rows are kept in {kept}; continue with: tracknet {again}"
    )
    assert last == "interrupted"
    assert tracknet(*command, "--resume").exit_code == 0
    assert Path("the out/track.csv").read_bytes() == expected


def test_an_interruption_that_cannot_be_resumed_says_so(tracknet, video):
    command = ["predict", video, "-o", "out", "--no-overlay", "--schema", "tracknetv2"]
    result = tracknet(*command, tracker=ScriptedTracker(stop=5))
    assert result.exit_code == 130
    assert "5 rows are kept in out/track.csv; continue with: tracknet" in result.stderr
    assert "--schema tracknetv2 --overwrite, from the start" in result.stderr


def test_a_finished_video_is_left_as_it_is(tracknet, video):
    command = ["predict", video, "-o", "out", "--no-overlay", "--json"]
    first = tracknet(*command)
    before = Path("out/track.csv").stat().st_mtime_ns
    result = tracknet(*command, "--resume")
    assert (result.exit_code, result.stdout) == (0, first.stdout)
    assert "out: already finished, nothing to do" in result.stderr
    assert Path("out/track.csv").stat().st_mtime_ns == before
    assert tracknet(*command).exit_code == 1


def test_a_folder_called_like_a_file_is_a_folder(tracknet, video):
    Path("x.csv").mkdir()
    result = tracknet("predict", video, "-o", "x.csv", "--no-overlay")
    assert (result.exit_code, result.stdout) == (0, f"{Path('x.csv').resolve()}\n")
    assert set(os.listdir("x.csv")) == {"track.csv", "summary.json"}


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.mp4", "-"])
def test_many_videos_need_a_folder(tracknet, video, name):
    write_video(Path("videos/b.mp4"), 2)
    result = tracknet("predict", "videos", "-o", name, "--no-overlay")
    assert result.exit_code == (2 if name == "-" else 1)
    assert f"{name}" in result.stderr
    assert os.listdir() == ["videos"]


def test_many_videos_go_on_with_the_same_command(tracknet):
    for name in "ab":
        write_video(Path(f"videos/{name}.mp4"), SCRIPTED)
    command = ["predict", "videos", "-o", "out", "--no-overlay"]
    result = tracknet(*command, "--overwrite", tracker=ScriptedTracker(stop=5))
    assert result.exit_code == 130
    again = "tracknet predict videos -o out --no-overlay"
    assert f"finished videos are kept in out; continue with: {again}\n" in result.stderr
    assert len(read_track(Path("out/a/track.csv"))) == 5
    result = tracknet(*command, "--json")
    assert (result.exit_code, json.loads(result.stdout)["finished"]) == (0, 2)
    result = tracknet(*command, tracker=ScriptedTracker(mode="accurate"))
    assert result.exit_code == 1
    assert result.stderr.count("--mode was fast, is now accurate") == 2


def test_several_videos_whose_names_clash_have_folders_of_their_own(tracknet):
    for place in ("day 1/a.mp4", "day 2/a.mp4", "b.mp4"):
        write_video(Path(place), SCRIPTED)
    result = tracknet("predict", "day 1/a.mp4", "b.mp4", "day 2/a.mp4", "-o", "out")
    assert (result.exit_code, result.stdout) == (0, f"{Path('out').resolve()}\n"), result.stderr
    folders = {path.parent.name for path in Path("out").glob("*/track.csv")}
    assert folders == {"b", "day 1-a-mp4", "day 2-a-mp4"}
    for name in folders:
        assert len(read_track(Path("out", name, "track.csv"))) == SCRIPTED
        assert Path("out", name, "overlay.mp4").is_file()


@pytest.mark.parametrize("bad", ["damaged.mp4", "nowhere.mp4"])
@pytest.mark.parametrize("first", [True, False])
def test_a_bad_file_among_several_videos_does_not_stop_the_others(tracknet, bad, first):
    """Nor does it choose the weights, where it comes first."""
    for name in ("a.mp4", "b.mp4"):
        write_video(Path(name), SCRIPTED)
    Path("damaged.mp4").write_bytes(b"no video")
    names = [bad, "a.mp4", "b.mp4"] if first else ["a.mp4", bad, "b.mp4"]
    result = tracknet("predict", *names, "--no-overlay", "-o", "out", "--json")
    assert result.exit_code == 1
    outcomes = json.loads(result.stdout)
    assert (outcomes["finished"], outcomes["failed"]) == (2, 1)
    assert result.stderr.splitlines()[-1].startswith(f"Error: {bad}: not tracked")
    assert {path.parent.name for path in Path("out").glob("*/track.csv")} == {"a", "b"}
    again = tracknet("predict", "a.mp4", "b.mp4", "--no-overlay", "-o", "out", "--json")
    assert (again.exit_code, json.loads(again.stdout)["skipped"]) == (0, 2)


def test_a_pattern_and_a_folder_may_be_among_several_videos(tracknet):
    for place in ("a1.mp4", "a2.mp4", "more/c.mp4", "b.mp4"):
        write_video(Path(place), SCRIPTED)
    result = tracknet("predict", "a*.mp4", "more", "b.mp4", "--no-overlay", "-o", "out")
    assert result.exit_code == 0, result.stderr
    assert set(os.listdir("out")) >= {"a1", "a2", "b", "c"}


@pytest.mark.parametrize("live", ["0", "rtsp://camera/stream"])
def test_cameras_are_tracked_alone(tracknet, video, live):
    result = tracknet("predict", video, live)
    assert result.exit_code == 2
    assert "tracked one at a time" in result.stderr


TERMINATED = """
import os, signal, sys
from helpers_trackers import ScriptedTracker
from keras_tracknet_cli import options
from keras_tracknet_cli.main import cli

class Tracker(ScriptedTracker):
    def script(self, first):
        for row in super().script(first):
            if row.frame == 5:
                os.kill(os.getpid(), signal.SIGTERM)
            yield row

options.load_tracker = lambda *_, **__: Tracker()
cli(sys.argv[1:], prog_name="tracknet")
"""


def test_a_process_that_a_scheduler_ends_keeps_its_rows(video, tmp_path):
    command = ["predict", str(video), "-o", str(tmp_path), "--no-overlay", "--sport", "badminton"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TERMINATED, *command],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert "5 rows are kept" in done.stderr
    assert done.stderr.endswith("interrupted by SIGTERM\n")
    assert len(read_track(tmp_path / "track.csv")) == 5
    assert json.loads((tmp_path / "summary.json").read_text())["complete"] is False
