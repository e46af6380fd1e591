"""From labelled clips to a classifier and its confusion matrix, in Python and as commands."""

import csv
import json
import warnings

import cv2
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from helpers_clips import write_clips
from helpers_models import build_tiny, randomize_weights
from keras_tracknet_cli import main

from keras_tracknet.errors import InputError
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.progress import Reporter
from keras_tracknet.training.classifier.clip_classes import CLASSES
from keras_tracknet.training.classifier.evaluation import ClipEvaluation, evaluate_classes
from keras_tracknet.training.run_folder import Recorder
from keras_tracknet.training.run_state import RunState
from keras_tracknet.weights.model_file import infer_spec, load_model, save_model, set_precision
from keras_tracknet.weights.spec import ModelSpec

SIZE = (32, 64)
# In the hand, hit at frame 10 up and away, hit back at frame 26. Pixels, 36 x 64.
FLIGHT = [(10, 30)] * 10 + [(10 + 2 * n, 30 - 1.2 * n) for n in range(16)]
FLIGHT += [(40 - 2 * n, 10.8 + 1.2 * n) for n in range(14)]
FIT = ("--input-size", "32x64", "--width", "0.1", "--frames", "4", "--span", "0.24")
FIT = (*FIT, "--precision", "float32", "--batch-size", "4", "--windows", "8", "--val", "c")

EVALUATION = ClipEvaluation(
    ("a", "b", "c"), np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]), ("one", "two")
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("data"), FLIGHT)


@pytest.fixture(autouse=True, scope="module")
def surroundings(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKNET_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(main, "silence_frameworks", lambda: None)
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A classifier that says the same of every window: flight."""
    model = build_tiny("tsm")
    kernel, bias = model.get_layer("head").weights
    kernel.assign(np.zeros(kernel.shape))
    bias.assign(np.array([0, 0, 5, 0], np.float32))
    spec = ModelSpec("tsm", 4, 0, "none", SIZE, classes=CLASSES, span=0.24)
    path = tmp_path_factory.mktemp("weights") / "flight.keras"
    save_model(model, spec, path)
    return path


def tracknet(*arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", DeprecationWarning)
        return CliRunner().invoke(main.cli, [str(argument) for argument in arguments])


def read_rows(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_scores_are_those_done_by_hand():
    a, b, c = EVALUATION.table()
    assert a == {"class": "a", "windows": 8, "precision": 6 / 7, "recall": 6 / 8, "f1": 12 / 15}
    assert b == {"class": "b", "windows": 4, "precision": 3 / 5, "recall": 3 / 4, "f1": 6 / 9}
    assert np.isnan([c["precision"], c["recall"], c["f1"]]).all()
    assert EVALUATION.accuracy == 9 / 12
    assert EVALUATION.f1 == pytest.approx((12 / 15 + 6 / 9) / 2)


def test_summary_is_strict_json():
    text = json.dumps(EVALUATION.as_dict(), allow_nan=False)
    assert json.loads(text)["classes"][2]["recall"] is None


def test_a_classifier_that_says_flight_is_right_where_the_shuttle_flies(data, weights):
    evaluation = evaluate_classes(load_model(weights), data, clips=["a"], precision="float32")
    assert evaluation.classes == CLASSES
    assert evaluation.confusion[:, [0, 1, 3]].sum() == 0
    labelled = dict(zip(CLASSES, evaluation.confusion.sum(axis=1).tolist(), strict=True))
    assert labelled["flight"] > 0
    assert labelled["no_play"] > 0
    assert labelled["near_hit"] + labelled["far_hit"] > 0
    assert evaluation.accuracy == labelled["flight"] / evaluation.windows


def test_evaluate_writes_tables_and_a_picture(data, weights, tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    result = tracknet("evaluate", "--data", data, "--weights", weights, "-o", out)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "classes.csv", "confusion.csv", "confusion.png", "evaluation.json",
    ]  # fmt: skip
    summary = json.loads((out / "evaluation.json").read_text())
    assert read_rows(out / "confusion.csv")[0] == ["labelled", *CLASSES]
    counts = [[int(count) for count in row[1:]] for row in read_rows(out / "confusion.csv")[1:]]
    assert counts == summary["confusion"]
    table = read_rows(out / "classes.csv")
    assert table[0] == ["class", "windows", "precision", "recall", "f1"]
    assert [row[0] for row in table[1:]] == list(CLASSES)
    assert cv2.imread(str(out / "confusion.png")).std() > 0
    assert f"{summary['windows']} windows from 3 clips" in result.stdout
    assert result.stdout.splitlines()[-1] == str(out)

    again = tracknet("evaluate", "--data", data, "--weights", weights, "-o", out)
    assert again.exit_code == 1
    assert "already exists" in again.stderr


def test_evaluate_prints_one_json_object(data, weights):
    result = tracknet("evaluate", "--data", data, "--weights", weights, "--json", "--quiet")
    assert json.loads(result.stdout)["clips"] == ["a", "b", "c"]


def test_fit_trains_a_classifier_that_resumes_and_evaluates(data, tmp_path):
    run = tmp_path / "run"
    options = ("--version", "tsm", "--data", data, "-o", run, *FIT)
    done = tracknet("fit", *options, "--epochs", "1")
    assert done.exit_code == 0, done.output
    assert "network: tsm, 4 frames of 32x64" in done.stderr
    file = load_model(run / "best.keras")
    assert (file.spec.version, file.spec.classes, file.spec.span) == ("tsm", CLASSES, 0.24)
    assert read_rows(run / "history.csv")[0][:4] == ["epoch", "accuracy", "f1", "loss"]

    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"epochs": 2}))
    resumed = tracknet("fit", "--resume", "-o", run)
    assert resumed.exit_code == 0, resumed.output
    assert [row[0] for row in read_rows(run / "history.csv")[1:]] == ["1", "2"]

    result = tracknet("evaluate", "--data", data, "--weights", run, "--clips", "c")
    assert result.exit_code == 0, result.output


def test_classifier_is_no_tracker(weights):
    with pytest.raises(InputError, match="is a clip classifier, not a tracker"):
        Tracker(weights)


def test_classifier_without_its_classes_is_refused(data, tmp_path):
    model = randomize_weights(build_tiny("tsm"))
    save_model(model, infer_spec(model), tmp_path / "plain.keras")
    with pytest.raises(InputError, match="window length is not recorded"):
        evaluate_classes(load_model(tmp_path / "plain.keras"), data)


def test_probabilities_stay_float32_in_half_precision():
    model = build_tiny("tsm")
    set_precision(model, "mixed_bfloat16")
    assert model.get_layer("head").compute_dtype == "bfloat16"
    assert model.get_layer("consensus").compute_dtype == "float32"
    assert keras.backend.standardize_dtype(model(np.zeros((1, 4, *SIZE, 3))).dtype) == "float32"


def test_best_classifier_is_not_the_one_that_calls_everything_flight(tmp_path):
    saved = []

    class Notes(Recorder):
        def _save(self, name):
            saved.append(name)

    model = build_tiny("tsm")
    model.compile("sgd", "categorical_crossentropy")
    spec = ModelSpec("tsm", 4, 0, "none", SIZE, classes=CLASSES, span=0.24)
    recorder = Notes(tmp_path, spec, 3, 1, RunState(), Reporter())
    recorder.set_model(model)
    best = []
    for epoch, (accuracy, f1) in enumerate([(0.6, 0.2), (0.5, 0.4), (0.65, 0.3)]):
        saved.clear()
        recorder.on_epoch_end(epoch, {"val_loss": 1.0, "val_accuracy": accuracy, "val_f1": f1})
        best.append("best.keras" in saved)
    assert best == [True, True, False]
