import csv
import io
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from helpers_clips import write_video
from keras_tracknet_cli.main import cli

from keras_tracknet.locks import hold_lock
from keras_tracknet.tracks.files import write_track
from keras_tracknet.tracks.track import Track


@pytest.fixture
def track_file(tmp_path):
    frames = np.arange(40)
    seen = frames != 20
    write_track(Track.from_positions(4.0 * frames, 0.1 * frames**2, seen), tmp_path / "track.csv")
    return tmp_path / "track.csv"


def run(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def list_rows(*words):
    done = run("review", *words)
    assert done.exit_code == 0, done.output
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_review_lists_doubtful_frames_with_their_reasons(track_file):
    (row,) = list_rows(track_file, "--list")
    assert row == {
        "Frame": "20", "First": "20", "Last": "20", "Kind": "gap", "Score": "0.88",
        "Reason": "no ball for 1 frame within a flight",
    }  # fmt: skip


def test_review_leaves_out_what_labels_answer(track_file, tmp_path):
    labels = tmp_path / "match_ball.csv"
    labels.write_text("Frame,Visibility,X,Y,Status,Author\n20,1,80,40,visible,ada\n")
    assert list_rows(track_file, "--list", "--labels", labels) == []


def test_review_puts_disagreement_first(track_file, tmp_path):
    frames = np.arange(40)
    other = tmp_path / "other.csv"
    write_track(Track.from_positions(4.0 * frames, 0.1 * frames**2, frames != 30), other)
    rows = list_rows(track_file, "--list", "--other", other, "--most", 2)
    assert [(row["Frame"], row["Kind"]) for row in rows] == [
        ("20", "disagreement"),
        ("30", "disagreement"),
    ]


def test_review_asks_for_list(track_file):
    assert run("review", track_file).exit_code == 2


@pytest.mark.parametrize("name", ["none.mp4", "none"])
def test_studio_needs_videos(tmp_path, name):
    done = run("studio", tmp_path / name, "--no-open")
    assert done.exit_code == 1
    assert "no such file or folder" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_second_studio_on_a_folder_is_told_so(tmp_path):
    write_video(tmp_path / "a.mp4")
    holder = (
        "import sys\nfrom pathlib import Path\nfrom keras_tracknet.locks import hold_lock\n"
        f"with hold_lock(Path({str(tmp_path)!r}) / '.tracknet' / 'studio'):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        done = run("studio", tmp_path, "--no-open")
        process.stdin.close()
    assert done.exit_code == 1
    assert "another studio is open on this folder" in done.stderr
    with hold_lock(tmp_path / ".tracknet" / "studio"):
        pass


def test_a_taken_port_is_named(tmp_path):
    import socket

    write_video(tmp_path / "a.mp4")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("studio", tmp_path, "--no-open", "--port", taken.getsockname()[1])
    assert done.exit_code == 1
    assert "use another --port" in done.stderr
