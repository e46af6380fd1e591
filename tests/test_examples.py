import runpy
from pathlib import Path

import keras
import pytest
from helpers_models import build_tiny, randomize_weights

from keras_tracknet.data.clip_classes import CLASSES
from keras_tracknet.model_file import ModelSpec, save_model
from keras_tracknet.presets import DEMO, preset_names
from keras_tracknet.synthetic import RallyConfig, write_rally

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name):
    return runpy.run_path(str(EXAMPLES / name))


def test_train_in_keras_learns():
    history = load("train_in_keras.py")["main"](frames=24, epochs=3)
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.skipif(DEMO not in preset_names(), reason="the demo weights are not bundled")
def test_track_video_writes_one_row_a_frame(tmp_path, capsys):
    video = write_rally(RallyConfig(frames=20, size=(144, 256), seed=3), tmp_path)
    track = load("track_video.py")["main"](video, DEMO)
    assert len(track) == 20
    assert "of 20 frames show the ball" in capsys.readouterr().out
    assert len(video.with_suffix(".track.csv").read_text().splitlines()) == 21


@pytest.mark.skipif(DEMO not in preset_names(), reason="the demo weights are not bundled")
def test_tracknet_vs_tsm_measures_and_draws(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path / "cache"))
    video = write_rally(RallyConfig(frames=48, size=(144, 256), seed=3), tmp_path)
    model = randomize_weights(build_tiny("tsm"))
    spec = ModelSpec("tsm", 4, 0, "none", (32, 64), classes=CLASSES, span=0.3)
    save_model(model, spec, tmp_path / "tsm.keras")
    contrast = load("tracknet_vs_tsm.py")["main"](
        tmp_path, video.stem, DEMO, str(tmp_path / "tsm.keras"), tmp_path / "contrast.png"
    )
    assert contrast["velocity_error"] < 5
    assert 0 <= contrast["accuracy"] <= 1
    assert (tmp_path / "contrast.png").stat().st_size > 10_000
    assert "windows classified right" in capsys.readouterr().out


@pytest.mark.parametrize("size", [(8, 8), (None, None)])
def test_gflop_are_those_done_by_hand(size):
    count = load("tracknet_vs_tsm.py")["count_gflop"]
    inputs = keras.Input((*size, 3))
    x = keras.layers.Conv2D(5, 3, padding="same")(inputs)  # 64 places x 3 x 3 x 3 x 5
    model = keras.Model(inputs, keras.layers.DepthwiseConv2D(3, padding="same")(x))  # 64 x 9 x 5
    assert count(model, (8, 8)) == pytest.approx(2e-9 * 64 * (135 + 45))
