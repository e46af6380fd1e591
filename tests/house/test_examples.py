import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers_models import build_tiny, randomize_weights

from keras_tracknet.synthetic import RallyConfig, write_rally
from keras_tracknet.tracks.plots import name_plots
from keras_tracknet.training.classifier.clip_classes import CLASSES
from keras_tracknet.weights.model_file import load_model, save_model
from keras_tracknet.weights.spec import ModelSpec

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(folder, *arguments):
    """Run a script or a module as people do, with a cache of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "TRACKNET_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_example(folder, name, *arguments):
    return run(folder, EXAMPLES / f"{name}.py", *arguments)


def load(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


def test_the_notebook_has_no_outputs():
    """`nox -s docs` runs it in Jupyter."""
    notebook = json.loads((EXAMPLES / "track_video.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert not [cell for cell in cells if cell.get("outputs")]


def test_every_example_is_tried_here():
    text = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'"{path.stem}"' in text


def test_training_in_keras_lowers_the_loss(tmp_path):
    told = run_example(tmp_path, "train_in_keras", "--frames=24", "--epochs=3")
    losses = [float(loss) for loss in re.findall(r" loss: ([\d.e-]+)", told)]
    assert losses[-1] < losses[0]


def test_tracking_writes_one_row_a_frame_and_plots(tmp_path):
    pytest.importorskip("matplotlib")
    video = write_rally(RallyConfig(frames=20, size=(144, 256), seed=3), tmp_path)
    told = run_example(tmp_path, "track_video", video, "--weights=rendered-v3")
    assert "of 20 frames show the ball" in told
    assert len(video.with_suffix(".track.csv").read_text().splitlines()) == 21
    assert all(path.is_file() for path in name_plots(tmp_path, prefix=f"{video.stem}."))


def test_fine_tuning_writes_a_tracker(tmp_path):
    told = run_example(tmp_path, "fine_tune", "--windows=8")
    assert "rendered-v3: accuracy" in told
    assert (tmp_path / "runs/example/fine-tuned/best.keras").is_file()


def test_mean_of_weights_counts_a_network_as_often_as_said(tmp_path):
    spec = ModelSpec("v3", 4, 4, "concat", (32, 64))
    models = [randomize_weights(build_tiny("v3"), seed) for seed in (1, 2)]
    files = [tmp_path / "one.keras", tmp_path / "other.keras"]
    for model, file in zip(models, files, strict=True):
        save_model(model, spec, file)
    told = run_example(tmp_path, "average_weights", files[0], f"{files[1]}=3", "-o", "mean.keras")
    assert "mean of 2 networks" in told
    mean = load_model(tmp_path / "mean.keras")
    assert mean.spec == spec
    for got, one, other in zip(
        mean.model.get_weights(), *(model.get_weights() for model in models), strict=True
    ):
        np.testing.assert_allclose(got, (one + 3 * other) / 4, atol=1e-6)


def test_own_model_learns_from_positions(tmp_path):
    told = run_example(tmp_path, "inside_keras", "--frames=32", "--epochs=60")
    share = float(told.partition("correct for ")[2].partition("%")[0])
    assert share > 75


def test_occlusion_study_finds_fewer_balls_where_they_are_hidden(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path / "cache"))
    data, output = tmp_path / "data", tmp_path / "study"
    write_rally(RallyConfig(frames=24, size=(144, 256), seed=3), data)
    study = load("occlusion_study")
    conditions = ((0.0, 0, "none"), (0.4, 4, "whole"))
    rows = study["main"](
        data, [], "multisport-v2", "rendered-v3", None, None, None, output, conditions
    )
    assert {row["background"] for row in rows} == {"none", *study["BACKGROUNDS"]}
    v3 = {row["share"]: row for row in rows if row["background"] == "all"}
    assert v3[0.4]["f1"] < v3[0.0]["f1"] > 0.8
    assert v3[0.4]["hidden_recall"] < v3[0.0]["f1"]
    assert {row["frames"] for row in rows} == {24}
    assert len((output / "occlusion.csv").read_text().splitlines()) == len(rows) + 1
    assert (output / "occlusion.svg").stat().st_size > 1000


def test_occlusion_study_hides_whole_stretches_of_visible_frames():
    pytest.importorskip("matplotlib")
    study = load("occlusion_study")
    visible = np.arange(100) % 20 != 0
    hidden = study["choose_hidden"](visible, 0.3, 4, 0)
    edges = np.flatnonzero(np.diff(np.pad(hidden.astype(int), 1)))
    assert hidden.sum() == 28  # whole stretches, of 95 visible frames
    assert set(np.diff(edges)[::2]) == {4}
    assert not (hidden & ~visible).any()


def test_occlusion_study_leaves_half_of_the_ball():
    pytest.importorskip("matplotlib")
    study = load("occlusion_study")
    frames = np.random.default_rng(0).integers(0, 255, (6, 96, 160, 3), np.uint8)
    positions = np.full((6, 2), [80.0, 48.0])
    hidden = np.arange(6) == 2
    for cover, left in (("whole", 0), ("half", 0.5)):
        shown = study["hide_ball"](frames, positions, hidden, cover, 0)
        ball = (shown == frames).all(axis=-1)[2, 46:51, 79:82]
        assert ball.mean() == pytest.approx(left, abs=0.21)
        assert (shown[~hidden] == frames[~hidden]).all()


def test_exported_file_runs_without_keras(tmp_path):
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("tensorflow")
    video = write_rally(RallyConfig(frames=10, size=(144, 256), seed=3), tmp_path)
    file = tmp_path / "ball.tflite"
    run(
        tmp_path, "-m", "keras_tracknet_cli", "export", "--weights=rendered-v3",
        "--format=tflite", "--output", file,
    )  # fmt: skip
    rows = run_example(tmp_path, "run_tflite", file, video).split()
    assert rows[0] == "Frame,X,Y,Confidence"
    assert [int(row.split(",")[0]) for row in rows[1:]] == list(range(10))


def test_tracknet_vs_tsm_measures_and_draws(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path / "cache"))
    video = write_rally(RallyConfig(frames=48, size=(144, 256), seed=3), tmp_path)
    model = randomize_weights(build_tiny("tsm"))
    spec = ModelSpec("tsm", 4, 0, "none", (32, 64), classes=CLASSES, span=0.3)
    save_model(model, spec, tmp_path / "tsm.keras")
    contrast = load("tracknet_vs_tsm")["main"](
        tmp_path,
        [video.stem],
        "rendered-v3",
        str(tmp_path / "tsm.keras"),
        tmp_path / "contrast.png",
    )
    assert contrast["velocity_error"] < 5
    assert 0 <= contrast["accuracy"] <= 1
    assert (tmp_path / "contrast.png").stat().st_size > 10_000
    assert "windows classified right" in capsys.readouterr().out


def test_each_hit_is_found_once_and_near():
    pytest.importorskip("matplotlib")
    match = load("tracknet_vs_tsm")["match_hits"]
    assert match([10, 30, 50], [13.0, 14.0, 35.0]).tolist() == [1, 3, 3]
    assert match([], [5.0]).tolist() == [0, 1, 0]


@pytest.mark.parametrize("size", [(8, 8), (None, None)])
def test_gflop_are_those_done_by_hand(size):
    pytest.importorskip("matplotlib")
    count = load("tracknet_vs_tsm")["count_gflop"]
    inputs = keras.Input((*size, 3))
    x = keras.layers.Conv2D(5, 3, padding="same")(inputs)  # 64 places x 3 x 3 x 3 x 5
    model = keras.Model(inputs, keras.layers.DepthwiseConv2D(3, padding="same")(x))  # 64 x 9 x 5
    assert count(model, (8, 8)) == pytest.approx(2e-9 * 64 * (135 + 45))
