from functools import partial

import pytest
from helpers_clips import write_video
from helpers_trackers import save_detector

from keras_tracknet.errors import InputError
from keras_tracknet.inference import cluster
from keras_tracknet.inference.batch import BatchSettings, predict_videos
from keras_tracknet.inference.cluster import Worker, predict_on_cluster
from keras_tracknet.inference.tracker import Tracker


@pytest.fixture
def videos(tmp_path):
    names = ("a", "b", "c")
    return [write_video(tmp_path / "videos" / f"{name}.mp4", 7) for name in names]


@pytest.fixture
def make_tracker(tmp_path):
    weights = save_detector(tmp_path / "w.keras")
    return partial(Tracker, weights, engine="keras", precision="float32")


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_cluster_gives_the_results_of_one_process(videos, make_tracker, tmp_path):
    pytest.importorskip("ray")
    videos[1].write_bytes(b"no video")
    here, there = (BatchSettings(tmp_path / name, overlay=False) for name in ("here", "there"))
    expected = predict_videos(make_tracker, videos, here)
    outcomes = predict_on_cluster(make_tracker, videos, there)
    assert [o.state for o in outcomes] == ["finished", "failed", "finished"]
    assert [(o.state, o.frames) for o in outcomes] == [(o.state, o.frames) for o in expected]
    for name in "ac":
        tracks = [(tmp_path / place / name / "track.csv") for place in ("here", "there")]
        assert tracks[0].read_text() == tracks[1].read_text()
    again = predict_on_cluster(make_tracker, videos, there)
    assert [o.state for o in again] == ["skipped", "failed", "skipped"]


def test_a_worker_compares_settings_as_one_process_does(videos, make_tracker, tmp_path):
    settings = BatchSettings(tmp_path / "out", overlay=False)
    places = [(video, settings.output / video.stem) for video in videos]
    first = [Worker(make_tracker).predict(*place, settings) for place in places[:2]]
    worker = Worker(partial(make_tracker, mode="accurate"))
    second = [worker.predict(*place, settings) for place in places[1:]]
    same = Worker(make_tracker).predict(*places[0], settings)
    assert [o.state for o in (*first, *second, same)] == [
        "finished", "finished", "failed", "finished", "skipped",
    ]  # fmt: skip
    assert "`mode` was fast, is now accurate" in second[0].error


def test_without_ray_it_is_said_how_to_get_it(videos, make_tracker, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match="requires Ray; run: pip install"):
        predict_on_cluster(make_tracker, videos, BatchSettings(tmp_path))
