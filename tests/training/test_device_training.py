"""Runs whose batches are made on the device: when, what they give, and how fast they say to be."""

from contextlib import contextmanager, suppress
from dataclasses import replace

import keras
import pytest
from click.testing import CliRunner
from helpers_clips import write_labels, write_video
from helpers_reporters import Notebook
from helpers_trackers import SIZE, shorten_networks
from keras_tracknet_cli.main import cli

from keras_tracknet.errors import InputError
from keras_tracknet.progress import Reporter
from keras_tracknet.training import loop, run_folder
from keras_tracknet.training.batches.feed import as_py_dataset
from keras_tracknet.training.batches.window_batches import WindowBatches
from keras_tracknet.training.config import FitConfig
from keras_tracknet.training.config_file import load_config
from keras_tracknet.training.device import choice, clock
from keras_tracknet.training.device.batches import DeviceBatches
from keras_tracknet.training.device.clock import DeviceClock
from keras_tracknet.training.loop import fit, plan_fit
from keras_tracknet.training.run_folder import Recorder
from keras_tracknet.training.run_state import RunState

FRAMES = 12
BACKEND = keras.backend.backend()
can_train = pytest.mark.skipif(BACKEND not in ("jax", "torch"), reason="requires JAX or PyTorch")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Three clips of a white dot; the last one validates."""
    folder = tmp_path_factory.mktemp("clips")
    for number, name in enumerate("abc"):
        write_video(folder / f"{name}.mp4", FRAMES, shade=20 + 30 * number)
        rows = [(frame, 1, 6 + 8 * frame % 50, 18) for frame in range(FRAMES)]
        write_labels(folder / f"{name}.csv", rows)
    return folder


@pytest.fixture(autouse=True, scope="module")
def surroundings(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKNET_CACHE", str(tmp_path_factory.mktemp("cache")))
        shorten_networks(patch)
        patch.setattr(run_folder, "_installed", lambda name: False)  # no curves, no TensorFlow
        patch.setattr(loop, "as_tf_dataset", as_py_dataset)
        yield


@pytest.fixture
def backend(monkeypatch):
    """Let the choice of a pipeline see a backend of that name."""

    def use(name):
        monkeypatch.setattr(choice.keras.backend, "backend", lambda: name)

    return use


def configure(clips, output, **settings):
    usual = {"version": "v3", "frames": 4, "input_size": SIZE, "precision": "float32", "epochs": 2}
    usual |= {"validation": ("c",), "learning_rate": 2e-2, "pipeline": "device"}
    return FitConfig(data=str(clips), output=str(output), **usual | settings)


class Stopper(Reporter):
    """Presses Ctrl-C after some steps."""

    def __init__(self, steps):
        self.steps = steps

    @contextmanager
    def track(self, description, total=None, *, unit="items"):
        def advance(n=1, **_figures):
            self.steps -= n * (unit == "steps")
            if self.steps == 0:
                raise KeyboardInterrupt

        yield advance


# --- what a run gives


@can_train
def test_network_learns_from_the_device_and_goes_on(clips, tmp_path):
    settings = {"crop": (24, 32), "zoom": (0.8, 1.25)}
    expected = fit(configure(clips, tmp_path / "whole", **settings))
    assert expected[1]["loss"] < 0.8 * expected[0]["loss"]
    with suppress(KeyboardInterrupt):
        fit(configure(clips, tmp_path / "cut", **settings), reporter=Stopper(6))
    resumed = load_config(tmp_path / "cut")
    assert resumed.pipeline == "device"
    for row, twin in zip(fit(resumed, resume=True), expected, strict=True):
        assert row["loss"] == pytest.approx(twin["loss"], rel=1e-4)
        assert row["val_loss"] == pytest.approx(twin["val_loss"], rel=1e-4)


@can_train
def test_plan_says_where_batches_are_made(clips, tmp_path):
    plan = plan_fit(configure(clips, tmp_path))
    assert isinstance(plan.data.training, DeviceBatches)
    assert isinstance(plan.data.validation, WindowBatches)
    assert plan.describe()[1].endswith(" batches of 4, made on the device")


# --- where batches are made


def test_a_cpu_leaves_batches_to_the_host(clips, tmp_path):
    reporter = Notebook()
    plan = plan_fit(configure(clips, tmp_path, pipeline="auto"), reporter=reporter)
    assert isinstance(plan.data.training, WindowBatches)
    assert reporter.notes == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"compression": 0.5}, "does not support `compression`"),
        ({"frame_mixup": 0.5}, "does not support `frame_mixup`"),
        ({"background": "none", "stabilize": True}, "does not support `stabilize`"),
        ({"version": "tsm"}, "does not support `version='tsm'`"),
        ({"version": "rectifier", "input_size": None}, "does not support `version='rectifier'`"),
    ],
)
def test_what_the_device_cannot_do_is_refused_in_one_line(
    clips, tmp_path, backend, settings, message
):
    backend("jax")
    config = configure(clips, tmp_path, **settings)
    with pytest.raises(InputError) as caught:
        choice.check_pipeline(config, 1)
    assert str(caught.value) == f'`pipeline="device"` {message}; use `pipeline="host"`.'
    choice.check_pipeline(replace(config, pipeline="auto"), 1)


def test_several_devices_and_tensorflow_are_refused(clips, tmp_path, backend):
    config = configure(clips, tmp_path)
    backend("jax")
    with pytest.raises(InputError, match="a single device, but this run uses 2"):
        choice.check_pipeline(config, 2)
    backend("tensorflow")
    with pytest.raises(InputError, match="requires JAX or PyTorch, but Keras uses tensorflow"):
        choice.check_pipeline(config, 1)


@pytest.mark.parametrize(
    ("name", "free", "settings", "note"),
    [
        ("jax", 10**9, {}, None),
        ("torch", 10**9, {}, None),
        ("jax", 10**5, {}, "needs 0.0 GB for the frames"),
        ("jax", None, {}, "does not know how much GPU memory is free"),
        ("jax", 10**9, {"compression": 0.1}, "does not support `compression`"),
        (
            "jax",
            10**9,
            {"version": "rectifier", "input_size": None},
            "does not support `version='rectifier'`",
        ),
        ("tensorflow", 10**9, {}, "requires JAX or PyTorch"),
    ],
)
def test_auto_takes_a_gpu_with_room_or_says_why_not(
    clips, tmp_path, monkeypatch, backend, name, free, settings, note
):
    config = configure(clips, tmp_path, pipeline="host", **settings)
    batches = plan_fit(config).data.training
    monkeypatch.setattr(choice, "has_gpu", lambda: True)
    monkeypatch.setattr(choice, "find_free_memory", lambda: free)
    monkeypatch.setattr(choice, "DeviceBatches", lambda batches: "on the device")
    backend(name)
    reporter = Notebook()
    placed = choice.place_batches(replace(config, pipeline="auto"), batches, 1, reporter)
    if note is None:
        assert (placed, reporter.notes) == ("on the device", [])
    else:
        assert placed is batches
        (said,) = reporter.notes
        assert said.startswith(f"pipeline: host, since the device pipeline {note}")


def test_frames_that_do_not_fit_are_refused(clips, tmp_path, monkeypatch, backend):
    config = configure(clips, tmp_path, pipeline="host")
    batches = plan_fit(config).data.training
    monkeypatch.setattr(choice, "has_gpu", lambda: True)
    monkeypatch.setattr(choice, "find_free_memory", lambda: 200_000)
    backend("jax")
    with pytest.raises(InputError, match=r"needs 0.0 GB .* only 0.0 GB of GPU memory are free"):
        choice.place_batches(replace(config, pipeline="device"), batches, 1, Reporter())


def test_command_refuses_before_it_writes(clips, tmp_path):
    command = ["fit", "--data", str(clips), "--compression", "0.5", "--pipeline", "device"]
    done = CliRunner().invoke(cli, [*command, "-o", str(tmp_path / "run")])
    assert done.exit_code == 1
    line = done.stderr.strip().splitlines()[-1]
    assert line.endswith("; use --pipeline host.")
    assert not (tmp_path / "run").exists()


# --- the pace on the device


@pytest.fixture
def now(monkeypatch):
    """A clock that tests set."""
    time = {"now": 100.0}
    monkeypatch.setattr(clock.time, "monotonic", lambda: time["now"])
    return time


def test_clock_looks_now_and_then_and_leaves_out_the_first_step(now):
    pace, looked = DeviceClock(8), []
    for step in range(11):
        now["now"] += 30 if step == 0 else 0.25  # the first one compiles
        if pace.step(last=step == 10):
            looked.append(step)
            pace.look()
    assert looked == [0, 4, 8, 10]
    assert pace.rate == pytest.approx(8 / 0.25)
    pace.begin_epoch()
    assert pace.rate is None
    assert pace.step(last=False)


def test_figures_are_read_when_the_clock_looks(now, tmp_path, clips):
    class Figure(float):
        def __float__(self):
            read.append(True)
            return 0.5

    read, reports, reporter = [], [], Notebook()
    plan = plan_fit(configure(clips, tmp_path, pipeline="host"))
    plan.model.optimizer.build(plan.model.trainable_variables)
    pace = DeviceClock(8)
    recorder = Recorder(tmp_path, plan.config.spec, 1, 1, RunState(), reporter, pace)
    recorder.set_model(plan.model)
    recorder.set_params({"steps": 5})
    recorder.advance = lambda n, **figures: reports.append((len(read), figures))
    recorder.on_epoch_begin(0)
    for batch in range(5):
        now["now"] += 0.25
        recorder.on_train_batch_begin(batch)
        recorder.on_train_batch_end(batch, {"loss": Figure()})
    assert [count for count, _ in reports] == [1, 1, 1, 1, 2]
    assert reports[-1][1] == {"loss": 0.5, "windows/s": pytest.approx(32)}
    recorder.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.5})
    assert recorder.history[0]["windows_per_second"] == 32
    assert "  32 windows/s" in reporter.notes[-1]
