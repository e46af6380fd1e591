"""Runs that are interrupted, and go on."""

import errno
import gc
import shutil
import signal
from contextlib import suppress
from dataclasses import replace

import keras
import pytest
from helpers_clips import write_labels, write_pair
from helpers_runs import (
    DOTS,
    Interrupter,
    assert_same_history,
    assert_same_weights,
    configure,
    read_history,
)

from keras_tracknet.errors import InputError
from keras_tracknet.locks import hold_lock
from keras_tracknet.training import loop as training
from keras_tracknet.training.batches import window_batches as pipeline
from keras_tracknet.training.batches.feed import as_py_dataset
from keras_tracknet.training.config_file import change_config, load_config
from keras_tracknet.training.loop import fit, plan_fit
from keras_tracknet.training.run_folder import Recorder
from keras_tracknet.training.run_state import read_state
from keras_tracknet.weights.model_file import load_model


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
