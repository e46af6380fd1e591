from types import SimpleNamespace

import numpy as np
import pytest
from helpers_clips import SIZE, write_video
from helpers_models import build_tiny, randomize_weights

from keras_tracknet import presets
from keras_tracknet.errors import InputError
from keras_tracknet.files import read_json
from keras_tracknet.progress import Reporter
from keras_tracknet.studio import lessons, teaching
from keras_tracknet.studio.cards import describe_lesson, write_card
from keras_tracknet.studio.labels import FrameLabel, LabelFile
from keras_tracknet.studio.teaching import TeachingClock, teach
from keras_tracknet.training.config import FitConfig
from keras_tracknet.weights.model_file import infer_spec, load_model, save_model

FRAMES = 24


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(teaching, "RENDERED", 1)
    monkeypatch.setattr(teaching, "RENDERED_FRAMES", 8)


@pytest.fixture
def weights(tmp_path):
    return write_weights(tmp_path / "tiny.keras", "v2")


def write_weights(path, version):
    model = randomize_weights(build_tiny(version))
    save_model(model, infer_spec(model), path)
    return path


@pytest.fixture
def labelled(tmp_path):
    """A video, and where a person has said the ball is in all of it."""
    video = write_video(tmp_path / "match.mp4", FRAMES)
    file = LabelFile(tmp_path / "match_ball.csv", tmp_path / "reviewed.json")
    places = {n: {"status": "visible", "x": 6 + 8 * n % 50, "y": 18} for n in range(FRAMES)}
    file.change({n: FrameLabel.parse(place, "ada") for n, place in places.items()})
    return video, file


def test_taught_weights_differ_and_say_what_they_were_taught(weights, labelled, tmp_path):
    video, file = labelled
    result = teach(
        [(video, file.path)], weights=str(weights), output=tmp_path / "out", minutes=0.02
    )
    assert result == read_json(tmp_path / "out" / "result.json")
    assert result["frames"] + result["held_back"] == FRAMES
    assert result["held_back"] == 8
    counts = ("tp", "tn", "fp1", "fp2", "fn")
    for scores in (result["before"], result["after"]):
        assert sum(scores[name] for name in counts) == 8
    assert result["steps"] >= 1
    assert result["others"] == "1 rendered rallies"
    assert {entry["frame"] for entry in result["examples"]} == set(range(16, 24))
    taught, before = load_model(tmp_path / "out" / "taught.keras"), load_model(weights)
    assert taught.spec.notes["taught"]["from"] == str(weights)
    changed = [
        not np.array_equal(one, two)
        for one, two in zip(taught.model.get_weights(), before.model.get_weights(), strict=True)
    ]
    assert any(changed)
    norms = [layer for layer in taught.model.layers if "batch_normalization" in layer.name]
    assert all(layer.trainable for layer in norms)


@pytest.mark.parametrize("version", ["v1", "v5"])
def test_networks_with_other_targets_or_one_size_of_picture_are_taught(version, labelled, tmp_path):
    video, file = labelled
    weights = write_weights(tmp_path / "tiny.keras", version)
    result = teach(
        [(video, file.path)], weights=str(weights), output=tmp_path / "out", minutes=1, steps=1
    )
    assert result["steps"] == 1


def test_frames_held_back_do_not_train(labelled):
    video, file = labelled
    (lesson,) = lessons.read_lessons([(video, file.path)], [], hold_back=True)
    spec = FitConfig(version="v2", input_size=(32, 64)).spec
    (clip,) = lessons.cut_clips(lesson, spec)
    assert clip.labelled.tolist() == [True] * 16 + [False] * 2
    np.testing.assert_allclose(clip.positions[3, 0], (30 + 0.5) * 64 / SIZE[1] - 0.5)


def test_neighbours_are_held_back_together():
    labelled = np.zeros(60, bool)
    labelled[[0, 2, 4, 20, 21, 40, *range(45, 57)]] = True
    groups = [group.tolist() for group in lessons.list_groups(labelled)]
    assert groups == [[0, 2, 4], [20, 21], [40], [*range(45, 53)], [*range(53, 57)]]


def test_a_few_labels_are_too_few(weights, labelled, tmp_path):
    video, file = labelled
    file.change({}, remove=range(4, FRAMES))
    with pytest.raises(InputError, match="only 4 frames are labelled; correct at least 5"):
        teach([(video, file.path)], weights=str(weights), output=tmp_path / "out", minutes=0.02)


def test_the_learning_rate_rises_and_falls_until_the_last_step():
    model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.0), stop_training=False)
    clock = TeachingClock(0.0, Reporter(), most=40)
    clock.set_model(model)
    rates = []
    while not clock.over:
        clock.on_train_batch_begin(0)
        rates.append(model.optimizer.learning_rate)
        clock.on_train_batch_end(0, {"loss": 1.0})
    assert (clock.steps, model.stop_training) == (40, True)
    assert rates.index(max(rates)) in (1, 2)
    assert rates[0] < 0.2 * teaching.LEARNING_RATE
    assert rates[-1] < 0.01 * teaching.LEARNING_RATE


RESULT = {
    "weights": "tennis-v3", "frames": 50, "held_back": 10, "minutes": 5.0, "steps": 300,
    "others": "6 rendered rallies", "tolerance": 4.0, "parameters": 7,
    "before": {"accuracy": 0.5, "f1": 0.6}, "after": {"accuracy": 0.75, "f1": None},
}  # fmt: skip


def test_kept_weights_work_by_their_name(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKNET_WEIGHTS", str(tmp_path / "own"))
    facts = describe_lesson(RESULT, "tennis")
    kept = presets.keep_weights(
        "my-club", weights, write_card("my-club", RESULT, "tennis"), **facts
    )
    assert presets.list_own_presets() == {"my-club": kept}
    assert presets.find_weights("my-club").tracker == tmp_path / "own" / "my-club.keras"
    assert (kept.accuracy, kept.sport) == (0.75, "tennis")
    card = kept.card.read_text()
    assert "| before | 0.500 | 0.600 |" in card
    assert "| after | 0.750 | - |" in card
    assert "my-club" not in presets.list_presets()
    for name in ("my-club", "badminton-v3", "../evil", "My Club", ""):
        with pytest.raises(InputError):
            presets.keep_weights(name, weights, "", **facts)
    kept.tracker.write_text("damaged")
    with pytest.raises(InputError, match="missing or damaged"):
        presets.find_weights("my-club")
