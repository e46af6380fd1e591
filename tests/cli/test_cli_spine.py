"""From labelled clips to a track on the command line, and what may go wrong on the way."""

import json
import os
import signal
import subprocess
import sys
import warnings
from fractions import Fraction
from pathlib import Path

import av
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from helpers_clips import SIZE as CLIP_SIZE
from helpers_clips import draw_frames, write_labels, write_video
from helpers_models import build_tiny, randomize_weights
from helpers_trackers import detector_spec, save_detector, shorten_networks
from keras_tracknet_cli import main

from keras_tracknet.presets import DEMO, preset_names
from keras_tracknet.tracks.files import TrackWriter, read_track
from keras_tracknet.video.reader import probe_video, read_frames
from keras_tracknet.video.writer import VideoWriter
from keras_tracknet.weights.model_file import load_model, save_model
from keras_tracknet.weights.spec import ModelSpec

FRAMES = 12
DOTS = [(6 + 8 * frame % 50, 18) for frame in range(FRAMES)]
FIT = ["--epochs", "1", "--input-size", "32x64", "--precision", "float32"]
EXACT = ["--precision", "float32"]


@pytest.fixture(autouse=True, scope="module")
def surroundings(tmp_path_factory):
    """Short networks and a cache of their own, and nothing set for the tests after these."""
    with pytest.MonkeyPatch.context() as patch:
        shorten_networks(patch)
        patch.setenv("TRACKNET_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(main, "silence_frameworks", lambda: None)
        patch.delenv("TRACKNET_DEBUG", raising=False)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three clips of a white dot; labels of the last go on after its end."""
    folder = tmp_path_factory.mktemp("data")
    for number, name in enumerate("abc"):
        write_video(folder / f"{name}.mp4", FRAMES, shade=20 + 30 * number)
        more = [(FRAMES + 3, 1, 5, 5)] if name == "c" else []
        write_labels(folder / f"{name}.csv", [(f, 1, *dot) for f, dot in enumerate(DOTS)] + more)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_detector(tmp_path_factory.mktemp("weights") / "dots.keras", trained_on="dots")


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A run folder, and what the command that made it has said."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    return folder, tracknet("fit", "--version", "v2", "--data", data, "-o", folder, *FIT)


def tracknet(*arguments):
    """Run a command in this process, with warnings as they are outside of tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", DeprecationWarning)
        return CliRunner().invoke(main.cli, [str(argument) for argument in arguments])


def list_files(folder):
    """Everything below a folder, with the content of the files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


# --- from clips to a track


def test_fit_ends_with_the_run_folder_on_stdout(trained):
    folder, result = trained
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{folder.resolve()}\n"
    assert "training: 2 clips, 20 windows per epoch" in result.stderr
    assert "epoch 1/1: loss " in result.stderr


def test_what_fit_wrote_is_evaluated_and_predicts(trained, data, tmp_path):
    folder, _ = trained
    result = tracknet("evaluate", "--data", data, "--weights", folder, "--json", *EXACT)
    assert result.exit_code == 0, result.stderr
    scores = json.loads(result.stdout)
    assert (scores["frames"], set(scores["clips"])) == (3 * FRAMES, {"a", "b", "c"})
    clip, out = data / "c.mp4", tmp_path / "out"
    result = tracknet("predict", clip, "--weights", folder, "-o", out, "--json", *EXACT)
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["frames"], summary["complete"]) == (FRAMES, True)
    assert summary["weights"] == str(folder / "best.keras")
    assert set(os.listdir(out)) == {"track.csv", "overlay.mp4", "summary.json"}


def test_predict_finds_the_dots(data, weights, tmp_path):
    out = tmp_path / "dots.csv"
    result = tracknet("predict", data / "a.mp4", "--weights", weights, "-o", out, *EXACT)
    assert (result.exit_code, result.stdout) == (0, f"{out.resolve()}\n")
    assert f"weights: {weights} (v2, trained on dots)" in result.stderr
    assert f"{FRAMES} frames ({FRAMES} detected)" in result.stderr
    assert np.abs(read_track(out).positions - DOTS).max() < 1
    assert set(os.listdir(tmp_path)) == {"dots.csv", "dots.overlay.mp4", "dots.summary.json"}


def test_predict_without_output_writes_below_the_current_folder(
    data, weights, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = tracknet("predict", data / "a.mp4", "--weights", weights, "--no-overlay", *EXACT)
    assert result.stdout == f"{tmp_path.resolve() / 'runs' / 'predict' / 'a'}\n"
    assert set(os.listdir("runs/predict/a")) == {"track.csv", "summary.json"}


def test_evaluate_prints_a_table_and_where_the_rest_is(data, weights, tmp_path):
    arguments = ["evaluate", "--data", data, "--weights", weights, "--clips", "a,b", *EXACT]
    result = tracknet(*arguments, "-o", tmp_path)
    assert result.exit_code == 0, result.stderr
    *table, last = result.stdout.splitlines()
    cells = [line.split() for line in table]
    assert ["a", "12", "1.000", "1.000", "1.000", "1.000", "12", "0", "0", "0", "0"] in [
        row[:-1] for row in cells
    ]
    titles = ["a", "b", "total", "Tolerance:", "Confidence:", "Accuracy:", "F1:"]
    assert [row[0] for row in cells if row][1:] == titles
    assert last == str(tmp_path.resolve())
    assert set(os.listdir(tmp_path / "tracks")) == {"a.csv", "b.csv"}


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "{data}/a.mp4", "--weights", "{weights}", "-o", "{out}"],
        ["evaluate", "--data", "{data}", "--weights", "{weights}"],
        ["fit", "--version", "v2", "--data", "{data}", "-o", "{out}", "--dry-run", *FIT],
    ],
    ids=["predict", "evaluate", "fit"],
)
def test_quiet_leaves_warnings_and_stdout_as_they_are(command, data, weights, tmp_path):
    places = {"data": data, "weights": weights}
    quiet, loud = (
        tracknet(*(part.format(**places, out=tmp_path / name) for part in command), *extra)
        for name, extra in (("quiet", ["--quiet"]), ("loud", []))
    )
    assert quiet.exit_code == 0
    warned = [line for line in loud.stderr.splitlines() if line.startswith("tracknet: warning: c:")]
    assert quiet.stderr.splitlines() == warned
    assert loud.stderr.count("\n") >= 2
    assert quiet.stdout == loud.stdout.replace("loud", "quiet")


def test_dry_run_says_what_would_be_trained_and_writes_nothing(data, tmp_path):
    result = tracknet("fit", "--version", "v3", "--data", data, "-o", tmp_path / "run", "--dry-run")
    assert result.exit_code == 0
    assert "network: v3, 8 frames of 288x512" in result.stderr
    assert os.listdir(tmp_path) == []


def test_fit_takes_a_written_split_with_its_folder(data, tmp_path):
    file = tmp_path / "split.json"
    assert tracknet("data", "split", data, "--val", "a", "-o", file).exit_code == 0
    file.write_text(json.dumps(json.loads(file.read_text()) | {"train": ["b"]}))
    command = ["fit", "--version", "v2", "--split", file, "-o", tmp_path / "run", "--dry-run"]
    result = tracknet(*command)
    assert result.exit_code == 0, result.stderr
    assert f"data: {data}" in result.stderr
    assert "training: 1 clips" in result.stderr
    assert "validation: 1 clips (a)" in result.stderr
    assert tracknet(*command, "--val", "b").exit_code == 2


def test_run_is_kept_until_resumed(trained, tmp_path):
    folder, _ = trained
    before = list_files(folder)
    refused = tracknet("fit", "--version", "v2", "-o", folder)
    assert refused.exit_code == 2
    assert f"{folder}: contains a run already; continue it with --resume" in refused.stderr
    resumed = tracknet("fit", "--resume", "-o", folder)
    assert (resumed.exit_code, resumed.stdout) == (0, f"{folder.resolve()}\n")
    assert "epochs: 1, 1 done" in resumed.stderr
    assert list_files(folder) == before


def test_results_are_kept_unless_overwritten(data, weights, tmp_path):
    common = ["--weights", weights, "-o", tmp_path, "--no-overlay", *EXACT]
    assert tracknet("predict", data / "a.mp4", *common).exit_code == 0
    before = list_files(tmp_path)
    refused = tracknet("predict", data / "b.mp4", *common)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "track.csv: already exists; use --overwrite" in refused.stderr
    assert list_files(tmp_path) == before
    assert tracknet("predict", data / "b.mp4", *common, "--overwrite").exit_code == 0
    assert json.loads((tmp_path / "summary.json").read_text())["source"].endswith("b.mp4")


def test_evaluation_is_kept_unless_overwritten(data, weights, tmp_path):
    common = ["evaluate", "--data", data, "--weights", weights, "-o", tmp_path, *EXACT]
    assert tracknet(*common, "--clips", "a").exit_code == 0
    before = list_files(tmp_path)
    refused = tracknet(*common, "--clips", "b")
    assert refused.exit_code == 1
    assert "evaluation.json: already exists; use --overwrite" in refused.stderr
    assert list_files(tmp_path) == before
    assert tracknet(*common, "--clips", "b", "--overwrite").exit_code == 0


def test_labels_beyond_the_end_are_noted_and_do_no_harm(data, weights):
    checked = tracknet("data", "check", "--no-sheet", data)
    assert f"c: 1 label after the last frame ({FRAMES - 1}) is ignored" in checked.stdout
    result = tracknet("evaluate", "--data", data, "--weights", weights, "--json", *EXACT)
    assert json.loads(result.stdout)["clips"]["c"]["frames"] == FRAMES


# --- what cannot be used: one line with the next step, and nothing is touched


def write_text(folder):
    (folder / "text.mp4").write_text("no video")
    return folder / "text.mp4"


def write_song(folder):
    with av.open(str(folder / "song.m4a"), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=44100)
        silence = np.zeros((1, 8820), np.int16)
        block = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
        block.sample_rate = 44100
        container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return folder / "song.m4a"


def write_long_video(path, frames=40):
    """A video whose pictures come last in the file, behind everything about them."""
    noise = np.random.default_rng(0)
    with VideoWriter(path, size=CLIP_SIZE, fps=Fraction(25)) as writer:
        for image in draw_frames(frames):
            image[:8] = noise.integers(0, 255, image[:8].shape, dtype=np.uint8)
            writer.write(image)
    return path


def write_header(folder):
    path = write_long_video(folder / "header.mp4")
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"mdat") + 4])
    return path


def make_folder(folder):
    (folder / "none").mkdir()
    return folder / "none"


def write_foreign(folder):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(1)(inputs)).save(folder / "foreign.keras")
    return folder / "foreign.keras"


def write_sequential(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has never been built
        keras.Sequential([keras.layers.Dense(1)]).save(folder / "foreign.keras")
    return folder / "foreign.keras"


def write_untrained(folder):
    save_model(build_tiny("v2"), detector_spec(), folder / "fresh.keras")
    return folder / "fresh.keras"


def write_rectifier(folder):
    spec = ModelSpec("rectifier", 16, 0, "none", (0, 0))
    save_model(randomize_weights(build_tiny("rectifier")), spec, folder / "rectifier.keras")
    return folder / "rectifier.keras"


def write_text_model(folder):
    (folder / "text.keras").write_text("weights")
    return folder / "text.keras"


def write_half_a_model(folder):
    path = save_detector(folder / "half.keras")
    path.write_bytes(path.read_bytes()[:-2000])
    return path


def write_old_track(folder):
    (folder / "track.csv").write_text("of before")
    return folder


def write_old_run(folder):
    (folder / "last.keras").touch()
    return folder


def write_file(folder):
    (folder / "file").write_text("mine")
    return folder / "file"


def write_wrong_columns(folder):
    write_video(folder / "clip.mp4", 2)
    write_labels(folder / "clip.csv", [(0, 10, 10)], header="Image,Left,Top")
    return folder


def write_config_only(folder):
    (folder / "config.json").write_text("{}")
    return folder


def in_folder(name):
    return lambda folder: folder / name


PREDICT = ["predict", "{clip}", "--weights", "{weights}", "-o", "{out}"]
EVALUATE = ["evaluate", "--data", "{data}", "--weights", "{weights}"]


def test_fine_tuning_keeps_the_network_unless_told_otherwise(data, trained, tmp_path):
    folder, _ = trained
    options = ["--data", data, "--init", folder, "--epochs", "1", "--dry-run"]
    result = tracknet("fit", *options, "-o", tmp_path / "run")
    assert "network: v2, 3 frames of 32x64" in result.stderr
    result = tracknet("fit", *options, "--version", "v3", "-o", tmp_path / "run")
    assert result.exit_code == 1
    assert "layers do not match" in result.stderr


@pytest.mark.parametrize(
    ("make", "command", "message"),
    [
        # Videos.
        (in_folder("nowhere.mp4"), ["predict", "{made}"], "nowhere.mp4: no such file; check"),
        (write_text, ["predict", "{made}"], "text.mp4: cannot be opened as a video"),
        (write_song, ["predict", "{made}"], "song.m4a: contains sound but no picture;"),
        (write_header, ["predict", "{made}"], "header.mp4: no frame can be decoded;"),
        (make_folder, ["predict", "{made}"], "none: folder contains no images; add .jpg"),
        # Weights.
        (write_foreign, [*PREDICT, "--weights", "{made}"], "but not a TrackNet; build"),
        (write_sequential, [*PREDICT, "--weights", "{made}"], "but not a TrackNet;"),
        (write_untrained, [*PREDICT, "--weights", "{made}"], "fresh.keras: weights are untrained"),
        (write_text_model, [*PREDICT, "--weights", "{made}"], "text.keras: not a Keras model;"),
        (write_half_a_model, [*PREDICT, "--weights", "{made}"], "half.keras: not a Keras model;"),
        (make_folder, [*PREDICT, "--weights", "{made}"], "none: no such weights; use a .keras"),
        (None, [*PREDICT, "--weights", "nonsense"], "nonsense: no such weights; use a .keras"),
        (write_rectifier, [*PREDICT, "--weights", "{made}"], "use it as --rectifier"),
        (None, [*PREDICT, "--rectifier", "{weights}"], "is a tracker, not a rectifier; use it as"),
        # Results.
        (write_file, [*PREDICT, "-o", "{made}"], "/file: cannot be written (File exists); choose"),
        (
            write_old_track,
            [*PREDICT, "-o", "{made}"],
            "track.csv: already exists; use --overwrite",
        ),
        # Labelled clips.
        (in_folder("none"), [*EVALUATE, "--data", "{made}"], "none: no such folder; use"),
        (
            make_folder,
            [*EVALUATE, "--data", "{made}"],
            "none: no labelled clips found; run tracknet",
        ),
        (write_wrong_columns, [*EVALUATE, "--data", "{made}"], "clip.csv: columns are Image,"),
        (None, [*EVALUATE, "--clips", "aa"], "no clip named aa; did you mean a"),
        (write_file, [*EVALUATE, "-o", "{made}"], "file: cannot be written (File exists); choose"),
        # Training.
        (
            make_folder,
            ["fit", "--data", "{made}"],
            "none: no labelled clips found; run tracknet data",
        ),
        (write_wrong_columns, ["fit", "--data", "{made}"], "clip.csv: columns are Image,Left"),
        (None, ["fit", "--data", "{data}", "--val", "x"], "no clip named x; did you mean a"),
        (
            in_folder("none.keras"),
            ["fit", "--version", "v2", "--data", "{data}", *FIT, "--init", "{made}"],
            "none.keras: no such weights; use a .keras file",
        ),
        (
            write_file,
            ["fit", "--version", "v2", "--data", "{data}", *FIT, "-o", "{made}/run"],
            "file/run: cannot be written (Not a directory); choose another path",
        ),
        (
            make_folder,
            ["fit", "--version", "rectifier", "--data", "{data}", "--tracks", "{made}"],
            "none/a.csv: no such file; use a track",
        ),
        (make_folder, ["fit", "--resume", "-o", "{made}"], "none: no run to resume; start one"),
        (write_config_only, ["fit", "--resume", "-o", "{made}"], "last.keras: no run to resume;"),
    ],
)
def test_what_cannot_be_used_is_one_line_with_the_next_step(
    make, command, message, data, weights, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    made = make(tmp_path) if make else None
    places = {"clip": data / "a.mp4", "data": data, "weights": weights, "made": made}
    before = list_files(tmp_path)
    result = tracknet(*(part.format(**places, out=tmp_path / "out") for part in command), "--quiet")
    assert (result.exit_code, result.stdout) == (1, ""), result.stderr
    *told, line = result.stderr.splitlines()
    assert all(warning.startswith("tracknet: warning: c: 1 label after") for warning in told)
    assert line.startswith("tracknet: ")
    assert line.endswith((".", "?"))
    assert message in line
    assert list_files(tmp_path) == before


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            ["fit", "--version", "v9"],
            "'v9' is not one of 'v1', 'v2', 'v3', 'v4', 'v5', 'wasb', 'rectifier'",
        ),
        (
            ["fit", "--version", "v2", "--heatmaps", "5"],
            "--heatmaps must be 1 to 3 for v2",
        ),
        (
            ["fit", "--version", "v3", "--heatmaps", "1"],
            "--heatmaps is supported by v2 and wasb only",
        ),
        (["fit", "--input-size", "30x50"], "multiples of 8"),
        (["fit", "--input-size", "30"], "'30' does not have the form HEIGHTxWIDTH"),
        (["fit", "--crop", "50x50"], "--crop must be (height, width) in multiples of 8"),
        (["fit", "--epochs", "0"], "'--epochs': 0 is out of range: at least 1"),
        (["fit", "--windows", "0"], "'--windows': 0 is out of range: at least 1"),
        ([*PREDICT, "--mode", "slow"], "'slow' is not one of 'fast', 'balanced', 'accurate'"),
        ([*PREDICT, "--format", "csv,xml"], "--format must be one or more of csv, jsonl, parquet"),
        ([*PREDICT, "--format", ","], "--format must be one or more of csv, jsonl, parquet"),
        ([*PREDICT, "--threshold", "2"], "2 is out of range: at least 0, at most 1"),
        ([*PREDICT, "--max-gap", "-1"], "-1 is out of range: at least 0"),
        ([*EVALUATE, "--tolerance", "-1"], "-1 is out of range: at least 0"),
        (["evaluate"], "Missing option '--data'"),
        (["predict"], "Missing argument 'VIDEO...'"),
        (["track"], "No such command 'track'"),
    ],
)
def test_wrong_usage_exits_with_2(command, message, data, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = {"clip": data / "a.mp4", "data": data, "weights": weights}
    result = tracknet(*(part.format(**places, out=tmp_path / "out") for part in command))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())
    assert os.listdir(tmp_path) == []


# --- what goes wrong on the way


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_full_disk_is_one_line_with_the_file(data, weights, tmp_path):
    (tmp_path / "track.csv").symlink_to("/dev/full")
    common = ["--weights", weights, "-o", tmp_path, "--no-overlay", "--quiet", "--overwrite"]
    result = tracknet("predict", data / "a.mp4", *common, *EXACT)
    assert result.exit_code == 1
    assert result.stderr == (
        f"tracknet: {tmp_path / 'track.csv'}: cannot be written (No space left on device); free"
        " some disk space or choose another path.\n"
    )
    assert json.loads((tmp_path / "summary.json").read_text())["complete"] is False


def test_interruption_exits_with_130_and_keeps_the_track(data, weights, tmp_path, monkeypatch):
    write = TrackWriter.write

    def interrupt(writer, rows):
        if rows[0].frame == 5:
            raise KeyboardInterrupt
        write(writer, rows)

    monkeypatch.setattr(TrackWriter, "write", interrupt)
    result = tracknet("predict", data / "a.mp4", "--weights", weights, "-o", tmp_path, *EXACT)
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.endswith("interrupted\n")
    assert len(read_track(tmp_path / "track.csv")) == 5
    assert json.loads((tmp_path / "summary.json").read_text())["complete"] is False


@pytest.mark.parametrize("background", ["none", "concat"])
def test_truncated_video_gives_the_rows_of_what_decodes(tmp_path, background):
    weights = save_detector(tmp_path / "dots.keras", "v3", background=background)
    path = write_long_video(tmp_path / "cut.mp4")
    content = path.read_bytes()
    path.write_bytes(content[: (content.index(b"mdat") + len(content)) // 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decodable = sum(1 for _ in read_frames(path))
    assert 2 < decodable < 40
    result = tracknet("predict", path, "--weights", weights, "-o", tmp_path / "out", *EXACT)
    assert result.exit_code == 0, result.stderr
    assert len(read_track(tmp_path / "out" / "track.csv")) == decodable
    (warning,) = [line for line in result.stderr.splitlines() if "warning" in line]
    assert warning.startswith(f"tracknet: warning: {path}: the file is damaged or truncated")
    assert warning.endswith(f"; {decodable} frames were decoded.")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["frames"], summary["complete"]) == (decodable, True)
    assert summary["frames_promised"] > decodable


INTERRUPTED_FIT = """
import os, signal, sys, warnings
warnings.simplefilter("ignore")  # of the frameworks, which change with their versions
import pytest
from helpers_trackers import shorten_networks
from keras_tracknet.training.batches import window_batches as pipeline
from keras_tracknet_cli.main import cli

shorten_networks(pytest.MonkeyPatch())
batch = pipeline.WindowBatches.batch

def send_signal(batches, epoch, number):
    if (epoch, number) == (1, 3):
        os.kill(os.getpid(), signal.SIGTERM)
    return batch(batches, epoch, number)

pipeline.WindowBatches.batch = send_signal
signal.signal(signal.SIGINT, signal.default_int_handler)
cli(sys.argv[1:], prog_name="tracknet")
"""


def test_process_that_a_scheduler_ends_says_so_and_can_be_resumed(data, tmp_path):
    """A process of its own: threads that make batches are alive when it ends."""
    options = ["--version", "v2", "--data", data, "-o", tmp_path / "run", *FIT, "--epochs", "3"]
    arguments = [sys.executable, "-c", INTERRUPTED_FIT, "fit", *map(str, options)]
    done = subprocess.run(arguments, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert done.stdout == ""
    assert done.stderr.endswith("interrupted by SIGTERM\n")
    assert "tracknet fit --resume -o" in done.stderr
    saved = load_model(tmp_path / "run" / "last.keras", compile=True)
    assert 5 <= int(saved.model.optimizer.iterations) < 15
    assert tracknet("fit", "--resume", "-o", tmp_path / "run").exit_code == 0
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 4


# --- the demo


@pytest.mark.skipif(DEMO not in preset_names(), reason="the demo's weights are not bundled yet")
def test_demo_tracks_a_rendered_rally(tmp_path):
    result = tracknet("demo", "-o", tmp_path)
    assert result.exit_code == 0, result.stderr
    *_, scores, last = result.stdout.splitlines()
    assert scores.startswith("accuracy 0.")
    assert float(scores.split()[1].rstrip(",")) > 0.5
    assert last == str(tmp_path.resolve())
    names = {path.name for path in tmp_path.iterdir()}
    assert {"track.csv", "overlay.mp4", "overlay.png", "summary.json"} <= names
    assert probe_video(tmp_path / "overlay.mp4").frames == len(read_track(tmp_path / "track.csv"))
