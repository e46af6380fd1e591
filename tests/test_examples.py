import runpy
from pathlib import Path

import pytest

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
