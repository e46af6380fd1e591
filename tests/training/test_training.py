import csv
import errno
import gc
import importlib.util
import json
import shutil
import signal
from contextlib import contextmanager, suppress
from dataclasses import replace

import keras
import numpy as np
import pytest
from helpers_clips import write_clips, write_labels, write_match, write_pair, write_video
from helpers_labels import tennis
from helpers_reporters import Notebook
from helpers_trackers import shorten_networks

from keras_tracknet.errors import InputError
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.locks import hold_lock
from keras_tracknet.models import v2
from keras_tracknet.progress import Reporter
from keras_tracknet.synthetic import clips as rendered
from keras_tracknet.tracks.files import write_track
from keras_tracknet.tracks.track import Track
from keras_tracknet.training import data as fit_data
from keras_tracknet.training import loop as training
from keras_tracknet.training.batches import window_batches as pipeline
from keras_tracknet.training.batches.feed import as_py_dataset
from keras_tracknet.training.config import FitConfig
from keras_tracknet.training.config_file import change_config, load_config
from keras_tracknet.training.data import _find_clips, load_fit_data
from keras_tracknet.training.loop import fit, plan_fit, run_plan
from keras_tracknet.training.run_folder import Recorder
from keras_tracknet.training.run_state import RunState, read_state
from keras_tracknet.weights.model_file import is_trained, load_model

SIZE = (32, 64)  # (height, width) of the model's input
WHOLE_UNET = v2.unet  # as it is before `short_networks`
CLIP_FRAMES = 12
NAN, INF = float("nan"), float("inf")
DOTS = [(6 + 8 * frame % 50, 18) for frame in range(CLIP_FRAMES)]  # as the clips show them


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A folder of three clips; the last one validates."""
    return write_clips(tmp_path_factory.mktemp("clips"), DOTS)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("TRACKNET_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True, scope="module")
def short_networks():
    with pytest.MonkeyPatch.context() as patch:
        shorten_networks(patch)
        yield


def configure(data, output, version="v2", **settings):
    usual = {
        "v1": {"input_size": SIZE},
        "v2": {"input_size": SIZE},
        "v3": {"input_size": SIZE, "frames": 4},
        "v4": {"input_size": SIZE, "base": "v3"},
        "v5": {"input_size": (32, 48)},
        "wasb": {"input_size": SIZE},
        "rectifier": {"frames": 8},
    }
    return FitConfig(
        version=version,
        data=str(data),
        output=str(output),
        **{"epochs": 1, "width": 0.1, "precision": "float32", "validation": ("c",)}
        | usual[version]
        | settings,
    )


class Interrupter(Notebook):
    """Presses Ctrl-C at a step of a piece of work, or when something is noted."""

    def __init__(self, work="", step=0, note=None):
        super().__init__()
        self.work, self.step, self.awaited = work, step, note

    def note(self, message):
        super().note(message)
        if self.awaited and message.startswith(self.awaited):
            raise KeyboardInterrupt

    @contextmanager
    def track(self, description, total=None, *, unit="items"):
        def advance(n=1, **_figures):
            if self.work and description.startswith(self.work):
                self.step -= n
                if self.step == 0:
                    raise KeyboardInterrupt

        yield advance


def read_weights(path):
    return load_model(path).model.get_weights()


def assert_same_weights(path, other):
    for array, twin in zip(read_weights(path), read_weights(other), strict=True):
        np.testing.assert_allclose(array, twin, atol=1e-5)


def assert_same_history(rows, others):
    """Compare histories but for the time."""
    assert len(rows) == len(others)
    for row, other in zip(rows, others, strict=True):
        assert row.keys() == other.keys()
        timeless = {name: value for name, value in other.items() if name != "seconds"}
        assert {name: row[name] for name in timeless} == pytest.approx(timeless, abs=1e-5)


def read_history(folder):
    with open(folder / "history.csv", newline="") as file:
        return [{n: float(v) for n, v in row.items()} for row in csv.DictReader(file)]


# --- what a run leaves behind


@pytest.mark.parametrize(
    ("version", "settings", "spec"),
    [
        ("v1", {}, ("v1", 3, 1, "none", SIZE)),
        ("v2", {}, ("v2", 3, 3, "none", SIZE)),
        ("v2", {"heatmaps": 1}, ("v2", 3, 1, "none", SIZE)),
        ("v3", {"target": "gaussian", "mixup": 0.5}, ("v3", 4, 4, "concat", SIZE)),
        ("v4", {"frames": 4, "fusion": "b"}, ("v4", 4, 4, "concat", SIZE)),
        ("v5", {}, ("v5", 3, 3, "none", (32, 48))),
        ("wasb", {"heatmaps": 1}, ("wasb", 3, 1, "none", SIZE)),
        ("rectifier", {}, ("rectifier", 8, 0, "none", (0, 0))),
    ],
    ids=["v1", "v2", "v2 3-in-1", "v3", "v4", "v5", "wasb", "rectifier"],
)
def test_run_folder_holds_config_models_history_and_curves(
    clips, tmp_path, version, settings, spec
):
    config = configure(clips, tmp_path / "run", version, **settings)
    (row,) = fit(config)
    assert row["epoch"] == 1
    assert {"loss", "val_loss", "learning_rate", "seconds"} <= row.keys()
    run = tmp_path / "run"
    files = {path.name for path in run.iterdir()}
    expected = {"config.json", "best.keras", "last.keras", "history.csv"}
    if importlib.util.find_spec("matplotlib"):
        expected.add("curves.png")
    if all(map(importlib.util.find_spec, ("tensorflow", "tensorboard"))):
        expected.add("tensorboard")
    assert files == expected
    assert load_config(run) == config
    for name in ("best.keras", "last.keras"):
        saved = load_model(run / name)
        kept = saved.spec
        assert (
            kept.version,
            kept.frames,
            kept.heatmaps,
            kept.background,
            kept.input_size,
        ) == spec
        assert kept.notes["fit"]["version"] == version
        assert saved.training["history"] == [row]
        assert is_trained(saved.model)
    header, *rows = (run / "history.csv").read_text().splitlines()
    assert header.split(",") == list(row)
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("score", "values", "best"),
    [
        ("val_accuracy", [0.5, 0.9, 0.7], 2),
        ("val_accuracy", [0.9, 0.5, 0.7], 1),
        ("val_accuracy", [0.0, 0.7, 0.7], 3),  # of equals the one that has learned longest
        ("val_loss", [0.3, 0.1, 0.2], 2),  # the rectifier has no accuracy
        ("val_accuracy", [0.5, NAN, 0.7, 0.6], 3),  # what is no number is better than nothing
        ("val_accuracy", [NAN, 0.5, 0.4], 2),
        ("val_accuracy", [0.5, 0.4, NAN], 1),
        ("val_loss", [0.3, NAN, 0.2], 3),
        ("val_loss", [0.3, -INF, 0.2], 3),
        ("val_loss", [INF, 0.3, 0.4], 2),
    ],
)
@pytest.mark.parametrize("stop", [None, 2], ids=["at one go", "resumed"])
def test_best_model_is_of_the_best_epoch(clips, tmp_path, score, values, best, stop):
    plan = plan_fit(configure(clips, tmp_path))
    plan.model.optimizer.build(plan.model.trainable_variables)
    reporter = Notebook()
    recorder = Recorder(tmp_path, plan.config.spec, len(values), 1, RunState(), reporter)
    for epoch, value in enumerate(values):
        if epoch == stop:  # go on from what was saved
            state = read_state(load_model(tmp_path / "last.keras", compile=True))
            recorder = Recorder(tmp_path, plan.config.spec, len(values), 1, state, reporter)
        recorder.set_model(plan.model)
        recorder.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.5, score: value})
    assert len(load_model(tmp_path / "best.keras").training["history"]) == best
    history = load_model(tmp_path / "last.keras").training["history"]
    assert [row[score] for row in history] == pytest.approx(values, nan_ok=True)
    said = [note.partition(":")[0] for note in reporter.notes if "(best so far)" in note]
    assert said[-1] == f"epoch {best}/{len(values)}"


def test_epoch_without_a_loss_is_not_the_best(clips, tmp_path):
    """A blind network is right where there is no ball, whatever its weights."""
    plan = plan_fit(configure(clips, tmp_path))
    recorder = Recorder(tmp_path, plan.config.spec, 2, 1, RunState(), Reporter())
    recorder.set_model(plan.model)
    recorder.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.5, "val_accuracy": 0.3})
    recorder.on_epoch_end(1, {"loss": NAN, "val_loss": NAN, "val_accuracy": 0.4})
    assert len(load_model(tmp_path / "best.keras").training["history"]) == 1


def blind_model(plan):
    """Make the weights of a network NaN, as one step too large does."""
    for variable in plan.model.trainable_variables:
        variable.assign(np.full(variable.shape, NAN))


def test_run_that_is_lost_says_so_and_keeps_the_last_good_state(clips, tmp_path):
    config = configure(clips, tmp_path, epochs=3)
    with suppress(KeyboardInterrupt):
        fit(config, reporter=Interrupter(note="epoch 1/3"))
    before = (tmp_path / "last.keras").read_bytes()
    plan = plan_fit(config, resume=True)
    blind_model(plan)
    with pytest.raises(InputError) as caught:
        run_plan(plan, Reporter())
    assert str(caught.value) == (
        f"{tmp_path}: weights are NaN or infinite since epoch 2; start a new run with a lower"
        f' `learning_rate`, from `init="{tmp_path}/best.keras"`.'
    )
    assert (tmp_path / "last.keras").read_bytes() == before
    assert all(np.isfinite(array).all() for array in read_weights(tmp_path / "best.keras"))


def test_epoch_of_nothing_but_nan_is_written_down_before_the_run_stops(clips, tmp_path):
    plan = plan_fit(configure(clips, tmp_path))
    blind_model(plan)
    recorder = Recorder(tmp_path, plan.config.spec, 2, 1, RunState(), Reporter())
    recorder.set_model(plan.model)
    with pytest.raises(InputError, match=r"infinite since epoch 1.*`learning_rate`\."):
        recorder.on_epoch_end(0, {"loss": NAN, "val_loss": NAN, "val_accuracy": 0.3})
    assert {path.name for path in tmp_path.glob("*.keras")} == set()
    (row,) = read_history(tmp_path)
    assert np.isnan(row["loss"])


def test_cosine_schedule_ends_near_zero(uninterrupted):
    _, history = uninterrupted
    rates = [row["learning_rate"] for row in history]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 1e-2 * 1e-2
    assert rates[0] > 1e-3


def test_constant_schedule_stays(clips, tmp_path):
    plan = plan_fit(configure(clips, tmp_path, schedule="constant", learning_rate=0.25))
    assert float(plan.model.optimizer.learning_rate) == 0.25


def test_network_learns_to_find_a_dot(clips, tmp_path):
    """The whole chain with a whole network: decode, label, augment, train, validate, save."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(v2, "unet", WHOLE_UNET)
        settings = {"width": 0.2, "batch_size": 2, "brightness": 0.0, "contrast": 0.0}
        settings["learning_rate"] = 1e-2
        config = configure(clips, tmp_path / "run", epochs=10, seed=2, **settings)
        history = fit(config)
    assert history[-1]["loss"] < 0.2 * history[0]["loss"]
    assert max(row["val_f1"] for row in history) > 0.9
    track = Tracker(tmp_path / "run" / "best.keras").track(clips / "c.mp4")
    errors = np.hypot(*(track.positions - DOTS).T)
    assert np.median(errors) < 2


# --- going on


@pytest.fixture(scope="module")
def uninterrupted(clips, tmp_path_factory):
    """Folder and history of a run of three epochs of five steps."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    return folder, fit(configure(clips, folder, epochs=3, learning_rate=1e-2))


@pytest.mark.parametrize(
    "interrupter",
    [
        {"note": "epoch 1/3"},  # after a whole epoch
        {"work": "training", "step": 2},
        {"work": "training", "step": 9},
        {"work": "training", "step": 10},  # all steps done, nothing validated
        {"work": "validating", "step": 2},
    ],
    ids=["after an epoch", "first epoch", "mid-epoch", "last step", "validation"],
)
def test_resumed_run_ends_as_an_uninterrupted_one(clips, tmp_path, uninterrupted, interrupter):
    whole, expected = uninterrupted
    config = configure(clips, tmp_path, epochs=3, learning_rate=1e-2)
    reporter = Interrupter(**interrupter)
    with pytest.raises(KeyboardInterrupt):
        fit(config, reporter=reporter)
    assert f"tracknet fit --resume -o {tmp_path}" in reporter.warnings[-1]
    history = fit(load_config(tmp_path), resume=True)
    assert_same_history(history, expected)
    assert_same_history(read_history(tmp_path), read_history(whole))
    assert_same_weights(tmp_path / "last.keras", whole / "last.keras")
    assert_same_weights(tmp_path / "best.keras", whole / "best.keras")


@pytest.fixture
def listening():
    """Python's own reaction to Ctrl-C, which a background job is started without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listening")
def test_ctrl_c_takes_effect_after_the_step(clips, tmp_path):
    handler = signal.getsignal(signal.SIGINT)
    make_batch, began = pipeline.WindowBatches.batch, []

    def press(batches, epoch, number):
        began.append((epoch, number))
        if (epoch, number) == (0, 3):
            signal.raise_signal(signal.SIGINT)
        return make_batch(batches, epoch, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "as_tf_dataset", as_py_dataset)  # one that asks in this process
        patch.setattr(pipeline.WindowBatches, "batch", press)
        with pytest.raises(KeyboardInterrupt):
            fit(configure(clips, tmp_path))
    assert (0, 3) in began
    saved = load_model(tmp_path / "last.keras", compile=True)
    assert 1 <= int(saved.model.optimizer.iterations) <= 4
    assert signal.getsignal(signal.SIGINT) is handler


def test_interrupted_run_lets_go_of_its_pipeline(clips, tmp_path):
    """One that is still at work when Python ends would abort it."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

    def find_iterators():
        gc.collect()
        return [o for o in gc.get_objects() if type(o).__name__ == "OwnedIterator"]

    before = len(find_iterators())
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(configure(clips, tmp_path), reporter=Interrupter("training", 2))
    assert len(find_iterators()) == before
    assert caught.tb is not None  # it is kept, and with it what its frames held


@pytest.mark.usefixtures("listening")
def test_second_ctrl_c_takes_effect_at_once(clips, tmp_path):
    pressed = []

    def press_twice(recorder, batch, logs=None):
        for press in (1, 2):
            pressed.append(press)
            signal.raise_signal(signal.SIGINT)
        pressed.append("too late")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "on_train_batch_begin", press_twice)
        with pytest.raises(KeyboardInterrupt):
            fit(configure(clips, tmp_path))
    assert pressed == [1, 2]


@pytest.mark.usefixtures("listening")
def test_signals_while_the_state_is_saved_do_not_destroy_it(clips, tmp_path):
    """Ctrl-C pressed again and again, and a scheduler that sends TERM."""
    save, pressed = Recorder.save_state, []

    def disturb(recorder):
        for number in (signal.SIGINT, signal.SIGTERM):
            pressed.append(number)
            signal.raise_signal(number)
        save(recorder)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Recorder, "save_state", disturb)
            with pytest.raises(KeyboardInterrupt):
                fit(configure(clips, tmp_path), reporter=Interrupter("training", 2))
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
    assert pressed == [signal.SIGINT, signal.SIGTERM]
    assert read_state(load_model(tmp_path / "last.keras", compile=True)).steps == 2
    assert len(fit(load_config(tmp_path), resume=True)) == 1


def test_full_disk_keeps_the_last_good_state(clips, tmp_path, monkeypatch):
    config = configure(clips, tmp_path, epochs=2)
    with suppress(KeyboardInterrupt):
        fit(config, reporter=Interrupter(note="epoch 1/2"))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    def write_half(model, path):
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save", write_half)
        with pytest.raises(
            InputError, match=r"cannot be written \(No space left.*free some disk space"
        ):
            fit(config, resume=True)
    for name in ("last.keras", "best.keras", "history.csv"):
        assert (tmp_path / name).read_bytes() == before[name]
    assert [row["epoch"] for row in fit(config, resume=True)] == [1, 2]


def test_resumed_rectifier_ends_as_an_uninterrupted_one(clips, tmp_path):
    whole, cut = (configure(clips, tmp_path / n, "rectifier", epochs=3) for n in ("whole", "cut"))
    expected = fit(whole)
    with pytest.raises(KeyboardInterrupt):
        fit(cut, reporter=Interrupter("training", 4))
    history = fit(cut, resume=True)
    assert_same_history(history, expected)
    assert_same_weights(tmp_path / "cut" / "last.keras", tmp_path / "whole" / "last.keras")


def test_run_without_tensorflow_sees_the_same_batches(clips, tmp_path, monkeypatch, uninterrupted):
    _, expected = uninterrupted
    monkeypatch.setattr(training, "as_tf_dataset", as_py_dataset)
    history = fit(configure(clips, tmp_path, epochs=3, learning_rate=1e-2))
    assert_same_history(history, expected)


def test_run_can_be_resumed_where_its_folder_was_moved_to(clips, tmp_path):
    with suppress(KeyboardInterrupt):
        fit(configure(clips, tmp_path / "here"), reporter=Interrupter("training", 1))
    moved = (tmp_path / "here").rename(tmp_path / "there")
    fit(load_config(moved), resume=True)
    assert (moved / "best.keras").is_file()
    assert not (tmp_path / "here").exists()


def test_finished_run_has_nothing_to_resume(uninterrupted):
    folder, history = uninterrupted
    before = (folder / "last.keras").read_bytes()
    assert fit(load_config(folder), resume=True) == history
    assert (folder / "last.keras").read_bytes() == before


def test_more_epochs_go_on_with_the_schedule_of_all_of_them(clips, tmp_path):
    config = configure(clips, tmp_path, epochs=1, learning_rate=1e-2, warmup=0.0)
    (first,) = fit(config)
    assert first["learning_rate"] == pytest.approx(0, abs=1e-6)
    longer = change_config(load_config(tmp_path), {"epochs": 2})
    rows = fit(longer, resume=True)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[0] == first
    assert rows[1]["learning_rate"] == pytest.approx(0, abs=1e-6)
    assert load_config(tmp_path).epochs == 2
    saved = load_model(tmp_path / "last.keras", compile=True).model.optimizer
    assert int(saved.iterations) == 10
    # Half-way through a cosine.
    assert float(saved._learning_rate(5)) == pytest.approx(0.5e-2)


def test_fewer_epochs_than_have_begun_are_refused(clips, tmp_path):
    with suppress(KeyboardInterrupt):
        fit(configure(clips, tmp_path, epochs=3), reporter=Interrupter("training", 7))
    config = change_config(load_config(tmp_path), {"epochs": 1})
    with pytest.raises(InputError, match="`epochs=1` is too small, since 2 epochs"):
        fit(config, resume=True)


def test_two_runs_at_once_do_not_mix(clips, tmp_path):
    config = configure(clips, tmp_path)
    with (
        hold_lock(tmp_path / "last.keras"),
        pytest.raises(InputError, match="another tracknet process is writing there"),
    ):
        fit(config)
    assert list(tmp_path.iterdir()) == []


def test_resume_refuses_other_data(uninterrupted, tmp_path):
    folder, _ = uninterrupted
    for name in "abcd":
        write_pair(tmp_path, name)
    config = replace(load_config(folder), data=str(tmp_path))
    with pytest.raises(InputError, match=r'the data has changed since.*`init=".*last\.keras'):
        plan_fit(config, resume=True)


def test_resume_refuses_labels_that_have_changed(clips, tmp_path):
    shutil.copytree(clips, tmp_path / "clips")
    config = configure(tmp_path / "clips", tmp_path / "run")
    with suppress(KeyboardInterrupt):
        fit(config, reporter=Interrupter("training", 2))
    write_labels(tmp_path / "clips" / "a.csv", [(f, 1, x, y + 1) for f, (x, y) in enumerate(DOTS)])
    with pytest.raises(InputError, match="the data has changed since"):
        plan_fit(config, resume=True)


def test_resume_refuses_weights_of_another_origin(clips, tmp_path, uninterrupted):
    folder, _ = uninterrupted
    load_model(folder / "best.keras").model.save(tmp_path / "last.keras")
    with pytest.raises(InputError, match=r"last\.keras: not written by tracknet fit.*`init`"):
        plan_fit(configure(clips, tmp_path), resume=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no run to resume; start one without `resume`"),
        ("no JSON", "config.json: not the configuration of a run"),
        ('{"colour": "red"}', "not a run of tracknet fit"),
        ('{"version": "v9"}', "not a run of tracknet fit .`version` must be one of"),
    ],
)
def test_folder_without_a_run_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=message):
        load_config(tmp_path)


def test_run_without_saved_state_is_refused(clips, tmp_path):
    with pytest.raises(InputError, match=r"last\.keras: no run to resume"):
        plan_fit(configure(clips, tmp_path / "missing"), resume=True)


# --- what a run starts from


def test_init_takes_the_weights_of_another_run(clips, tmp_path, uninterrupted):
    folder, _ = uninterrupted
    plan = plan_fit(configure(clips, tmp_path, init=str(folder / "best.keras")))
    for array, twin in zip(
        plan.model.get_weights(), read_weights(folder / "best.keras"), strict=True
    ):
        np.testing.assert_array_equal(array, twin)
    assert (plan.state.steps, plan.state.history) == (0, ())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 4}, r"layers do not match; use the `version`.*v2, 3 frames"),
        ({"version": "rectifier"}, "layers do not match"),
    ],
)
def test_init_refuses_weights_that_do_not_fit(clips, tmp_path, uninterrupted, settings, message):
    folder, _ = uninterrupted
    config = configure(clips, tmp_path, init=str(folder / "best.keras"), **settings)
    with pytest.raises(InputError, match=message):
        plan_fit(config)


def test_init_refuses_a_missing_file(clips, tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.keras: no such weights"):
        plan_fit(configure(clips, tmp_path, init="nowhere.keras"))


def test_seed_decides_weights_and_batches(clips, tmp_path):
    one, same, other = (plan_fit(configure(clips, tmp_path, seed=seed)) for seed in (1, 1, 2))
    kernels = [plan.model.get_layer("encoder1_conv1").get_weights()[0] for plan in (one, same)]
    np.testing.assert_array_equal(*kernels)
    np.testing.assert_array_equal(
        one.data.training.batch(2, 1)[0], same.data.training.batch(2, 1)[0]
    )
    kernel = other.model.get_layer("encoder1_conv1").get_weights()[0]
    assert np.abs(kernel - kernels[0]).max() > 1e-3
    assert (
        np.abs(other.data.training.batch(2, 1)[0] - one.data.training.batch(2, 1)[0]).max() > 1e-3
    )


def test_tracks_are_what_the_rectifier_sees(clips, tmp_path):
    shifted = Track.from_positions([x + 5 for x, _ in DOTS], [9] * CLIP_FRAMES, [1] * CLIP_FRAMES)
    for name in "abc":
        write_track(shifted, tmp_path / f"{name}.csv")
    plan = plan_fit(configure(clips, tmp_path / "run", "rectifier", tracks=str(tmp_path)))
    (coordinates, mask), targets = plan.data.validation.batch(0, 0)
    seen = mask[0, :, 0] == 0
    np.testing.assert_allclose(coordinates[0, seen, 1], 9 / 36, atol=1e-6)
    np.testing.assert_allclose(targets[0, :, 1], 18 / 36, atol=1e-6)
    np.testing.assert_allclose((coordinates - targets[..., :2])[0, seen, 0], 5 / 64, atol=1e-6)


def test_missing_track_is_an_input_error(clips, tmp_path):
    with pytest.raises(InputError, match=r"a\.csv: no such file"):
        plan_fit(configure(clips, tmp_path / "run", "rectifier", tracks=str(tmp_path)))


def test_crops_train_a_network_that_takes_whole_frames(clips, tmp_path):
    config = configure(clips, tmp_path, crop=(16, 24))
    fit(config)
    saved = load_model(tmp_path / "best.keras")
    assert saved.model.input_shape == (None, None, None, 9)
    assert saved.spec.input_size == SIZE
    assert plan_fit(config).data.training.batch(0, 0)[0].shape[1:3] == (16, 24)
    track = Tracker(saved, precision="float32").track(clips / "c.mp4")
    assert len(track) == CLIP_FRAMES


def test_without_data_rallies_are_rendered_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fit_data, "RENDERED_RALLIES", 2)
    monkeypatch.setattr(fit_data, "RENDERED_SIZE", (72, 128))
    config = FitConfig(
        version="v2", output=str(tmp_path / "run"), input_size=SIZE, precision="float32"
    )
    plan = plan_fit(config)
    assert [len(clips) for clips in plan.data.clips] == [1, 1]
    assert config.spec.trained_on == "rendered rallies"
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    videos = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.mp4")}
    assert len(videos) == 2
    assert plan_fit(config).data.clips == plan.data.clips
    assert {path: path.stat().st_mtime_ns for path in videos} == videos


@pytest.mark.parametrize("change", ["renderer", "count", "size"])
def test_rallies_of_another_renderer_do_not_train_along(tmp_path, monkeypatch, change):
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fit_data, "RENDERED_RALLIES", 3)
    monkeypatch.setattr(fit_data, "RENDERED_SIZE", (72, 128))
    config = FitConfig(version="rectifier", output=str(tmp_path / "run"))
    before = _find_clips(config, Reporter())
    if change == "renderer":
        monkeypatch.setattr(rendered, "RENDERER", rendered.RENDERER + 1)
    if change == "count":
        monkeypatch.setattr(fit_data, "RENDERED_RALLIES", 2)
    if change == "size":
        monkeypatch.setattr(fit_data, "RENDERED_SIZE", (64, 96))
    train, validation = _find_clips(config, Reporter())
    assert len(train) + len(validation) == (2 if change == "count" else 3)
    used = {clip.source for clips in (train, validation) for clip in clips}
    assert used.isdisjoint(clip.source for clips in before for clip in clips)


def test_clip_half_written_by_a_killed_process_does_not_train(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fit_data, "RENDERED_RALLIES", 2)
    monkeypatch.setattr(fit_data, "RENDERED_SIZE", (72, 128))
    config = FitConfig(version="rectifier", output=str(tmp_path / "run"))
    before = _find_clips(config, Reporter())
    sources = sorted(clip.source for clips in before for clip in clips)
    whole = sources[0].read_bytes()
    # Killed between video and track, and, another one, while it encoded.
    sources[0].write_bytes(b"of another run")
    sources[0].with_suffix(".csv").unlink()
    work = sources[0].parent / ".rendering-abc"
    work.mkdir()
    (work / "rally-000000-half.mp4").write_bytes(whole[:100])
    (work / "rally-000000-half.csv").write_text("Frame,Visibility,X,Y\n0,1,5,5\n")
    again = _find_clips(config, Reporter())
    assert sorted(clip.source for clips in again for clip in clips) == sources
    assert sources[0].read_bytes() == whole


# --- what a run says


def test_plan_describes_itself_and_writes_nothing(clips, tmp_path):
    plan = plan_fit(configure(clips, tmp_path / "run", epochs=7))
    lines = plan.describe()
    assert lines[0].startswith("network: v2, 3 frames of 32x64, ")
    assert lines[0].endswith(f"float32 on {keras.backend.backend()}")
    assert lines[1:] == [
        "training: 2 clips, 20 windows per epoch in 5 batches of 4",
        "validation: 1 clips (c), 4 windows",
        "epochs: 7, 0 done",
    ]
    assert not (tmp_path / "run").exists()


def test_blind_network_is_warned_of_once(clips, tmp_path):
    reporter = Notebook()
    history = fit(configure(clips, tmp_path, epochs=4, learning_rate=1e-9), reporter=reporter)
    assert [row["val_f1"] for row in history] == [0, 0, 0, 0]
    (warning,) = reporter.warnings
    assert "after 3 epochs the model finds no ball" in warning


def test_single_clip_is_noted(tmp_path):
    write_pair(tmp_path, "only")
    write_labels(tmp_path / "only.csv", [(f, 1, *dot) for f, dot in enumerate(DOTS[:6])])
    reporter = Notebook()
    plan = plan_fit(configure(tmp_path, tmp_path / "run", validation=()), reporter=reporter)
    assert plan.data.clips == (("only",), ("only",))
    assert any("used for both training and validation" in note for note in reporter.notes)


def test_split_keeps_matches_apart(tmp_path):
    for number in range(4):
        write_match(tmp_path / f"match{number}", ["1_01_00"])
    labels = [(f, 1, *dot) for f, dot in enumerate(DOTS[:6])]
    for path in tmp_path.rglob("*_ball.csv"):
        write_labels(path, labels)
    plan = plan_fit(configure(tmp_path, tmp_path / "run", validation=("match2",)))
    assert plan.data.clips[1] == ("match2/1_01_00",)
    assert len(plan.data.clips[0]) == 3


def test_clips_that_train_can_be_named(tmp_path):
    for number in range(4):
        write_match(tmp_path / f"match{number}", ["1_01_00"])
    labels = [(f, 1, *dot) for f, dot in enumerate(DOTS[:6])]
    for path in tmp_path.rglob("*_ball.csv"):
        write_labels(path, labels)
    named = {"training": ("match0", "match3"), "validation": ("match2",)}
    plan = plan_fit(configure(tmp_path, tmp_path / "run", **named))
    assert plan.data.clips == (("match0/1_01_00", "match3/1_01_00"), ("match2/1_01_00",))


@pytest.mark.parametrize(("visible", "count"), [("easy", 3), ("hidden", 4)])
def test_run_takes_the_balls_that_count_as_visible(tmp_path, visible, count):
    tennis(tmp_path)
    labels = tmp_path / "game1" / "Clip1" / "Label.csv"
    labels.write_text(labels.read_text().replace("0000.jpg,1", "0000.jpg,3"))
    config = configure(tmp_path, tmp_path / "run", validation=(), visible=visible)
    (clip,), _ = _find_clips(config, Reporter())
    assert clip.table.visibility.sum() == count


# --- what cannot be trained


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"version": "v9"},
            "`version` must be one of v1, v2, v3, v4, v5, wasb, rectifier.*version='v9'",
        ),
        ({"schedule": "steps"}, "`schedule` must be one of .*schedule='steps'"),
        ({"background": "sky"}, "`background` must be one of .*background='sky'"),
        ({"target": "square"}, "`target` must be one of disc, gaussian.*target='square'"),
        ({"epochs": 0}, "`epochs` must be at least 1.*epochs=0"),
        ({"batch_size": 0}, "`batch_size` must be at least 1"),
        ({"frames": 0}, "`frames` must be at least 1"),
        ({"windows": 0}, "`windows` must be at least 1"),
        ({"learning_rate": 0.0}, "`learning_rate` must be above 0"),
        ({"width": -1.0}, "`width` must be above 0"),
        ({"mixup": -0.5}, "`mixup` must be at least 0"),
        ({"frame_mixup": -0.5}, "`frame_mixup` must be at least 0"),
        ({"input_size": (30, 64)}, r"multiples of 8.*\(30, 64\)"),
        ({"crop": (30, 30)}, "`crop` must be .* in multiples of 8"),
        ({"flip": 1.5}, "`flip` must be 0 to 1"),
        # Only V2 has a choice.
        ({"version": "v3", "heatmaps": 1}, "`heatmaps` is supported by v2 and wasb only"),
        ({"version": "v4", "base": "v1"}, "`base` must be one of v2, v3"),
        ({"version": "v4", "fusion": "c"}, "`fusion` must be one of a, b"),
        ({"version": "v4", "base": "v3", "background": "subtract"}, "must show the frames to v4"),
        ({"version": "v4", "frames": 1}, "`frames` must be at least 2"),
        ({"version": "v5", "crop": (32, 32)}, "`crop` is not supported by v5"),
        ({"version": "v5", "input_size": (24, 64)}, "in multiples of 16"),
        ({"version": "v3", "pan": 3.0}, "`pan` requires a model without a background"),
        ({"version": "v3", "stabilize": True}, "`stabilize` requires a model without a background"),
        ({"version": "v2", "heatmaps": 4}, "`heatmaps` must be 1 to 3 for v2 with 3 frames"),
    ],
)
def test_impossible_configuration_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FitConfig(**settings)


def test_config_survives_json():
    config = FitConfig(crop=(64, 64), zoom=(0.8, 1.2), validation=["a", "b"], input_size=[32, 64])
    assert config.validation == ("a", "b")
    kept = json.loads(json.dumps(training.asdict(config)))
    assert FitConfig(**kept) == config


def write_unlabelled(folder):
    write_video(folder / "clip.mp4")


def write_too_few_labels(folder):
    for name in "ab":
        write_pair(folder, name)
        write_labels(folder / f"{name}.csv", [(0, 1, 6, 18), (4, 1, 6, 18)])


def write_late_labels(folder):
    for name in "ab":
        write_pair(folder, name)
        write_labels(folder / f"{name}.csv", [(60, 1, 6, 18)])


@pytest.mark.parametrize(
    ("write", "version", "message"),
    [
        (lambda folder: None, "v2", "no labelled clips found; run tracknet data check"),
        (write_unlabelled, "v2", "no labelled clips found; clip: skipped: no labels found"),
        (write_late_labels, "v2", "no window has a labelled frame"),
        (write_too_few_labels, "rectifier", "no window of 8 frames has three visible"),
    ],
)
def test_data_without_a_window_is_an_input_error(tmp_path, write, version, message):
    write(tmp_path)
    with pytest.raises(InputError, match=message):
        plan_fit(configure(tmp_path, tmp_path / "run", version, validation=()))
    assert not (tmp_path / "run").exists()


def test_few_labels_are_enough_and_their_warnings_are_said(tmp_path):
    write_too_few_labels(tmp_path)
    write_labels(tmp_path / "a.csv", [(0, 1, 6, 18), (4, 1, 6, 18), (99, 1, 6, 18)])
    reporter = Notebook()
    data = load_fit_data(configure(tmp_path, tmp_path / "run", validation=("b",)), reporter)
    assert reporter.warnings == ["a: 1 label after the last frame (5) is ignored"]
    assert (data.training.windows, data.validation.windows) == (3, 2)


def test_output_that_cannot_be_written_is_an_input_error(clips, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/run: cannot be written .*choose another path"):
        fit(configure(clips, tmp_path / "file" / "run"))


def test_patience_stops_the_run_and_stays_stopped(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "count_stale", lambda history, _measure: max(0, len(history) - 1))
    config = configure(clips, tmp_path / "run", epochs=9, patience=1, windows=4)
    told = Notebook()
    assert len(fit(config, reporter=told)) == 2
    assert "stopped: no better epoch in the last 1" in told.notes
    assert len(fit(config, resume=True)) == 2
    longer = change_config(load_config(tmp_path / "run"), {"patience": 2})
    assert len(fit(longer, resume=True)) == 3


def test_callbacks_see_one_training_and_can_stop_it(clips, tmp_path):
    seen = []

    class Spy(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(("begin", self.params["epochs"]))

        def on_train_end(self, logs=None):
            seen.append("end")

        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, "val_loss" in logs))
            self.model.stop_training = epoch == 1

    fit(configure(clips, tmp_path / "run", epochs=9, windows=4), callbacks=[Spy()])
    assert seen == [("begin", 9), (0, True), (1, True), "end"]
