import io
import json

import pytest
from helpers_clips import write_video
from helpers_models import build_tiny, randomize_weights

from keras_tracknet.files import read_json
from keras_tracknet.inference import outputs
from keras_tracknet.studio.worker import LineReporter, work
from keras_tracknet.tracks.files import read_track
from keras_tracknet.weights.model_file import infer_spec, save_model

FRAMES = 8


@pytest.fixture
def order(tmp_path):
    model = randomize_weights(build_tiny("v2"))
    save_model(model, infer_spec(model), tmp_path / "tiny.keras")
    video = {
        "id": "a1",
        "path": str(write_video(tmp_path / "match.mp4", FRAMES)),
        "folder": str(tmp_path / "own"),
    }
    return {"kind": "track", "weights": str(tmp_path / "tiny.keras"), "videos": [video]}


def test_tracking_leaves_a_track_and_tells_of_progress(order, tmp_path):
    lines = io.StringIO()
    work(order, LineReporter(lines))
    own = tmp_path / "own"
    assert len(read_track(own / "track.csv")) == FRAMES
    assert read_json(own / "summary.json")["complete"]
    assert (own / "weights.txt").read_text() == order["weights"]
    assert read_json(own / "play.json")["cuts"] == []
    assert not (own / "next").exists()
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert {"video": "a1"} in told
    assert any(line.get("done") == FRAMES and line["total"] == FRAMES for line in told)


def test_the_track_in_another_mode_is_kept_until_other_weights_track(order, tmp_path):
    own = tmp_path / "own"
    for mode in ("fast", "balanced", "balanced"):
        work(order | {"mode": mode}, LineReporter(io.StringIO()))
        if mode == "fast":
            first = (own / "track.csv").read_bytes()
            assert not (own / "other.csv").exists()
    assert (own / "other.csv").read_bytes() == first
    (own / "weights.txt").write_text("others")
    work(order | {"mode": "balanced"}, LineReporter(io.StringIO()))
    assert not (own / "other.csv").exists()


def test_an_interrupted_run_leaves_the_track_that_there_was(order, tmp_path, monkeypatch):
    work(order, LineReporter(io.StringIO()))
    before = (tmp_path / "own" / "track.csv").read_bytes()

    def interrupt(*_arguments, **_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs, "predict_video", interrupt)
    with pytest.raises(KeyboardInterrupt):
        work(order, LineReporter(io.StringIO()))
    assert (tmp_path / "own" / "track.csv").read_bytes() == before
    assert read_json(tmp_path / "own" / "summary.json")["complete"]
