"""Training: from a folder of labelled clips to a run folder with models and curves."""

from __future__ import annotations

import gc
import importlib.util
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras

from keras_tracknet.backends import choose_precision
from keras_tracknet.errors import InputError
from keras_tracknet.locks import hold_lock
from keras_tracknet.models.blocks import keras_defaults
from keras_tracknet.presets import find_weights
from keras_tracknet.progress import Reporter
from keras_tracknet.training.batches.feed import Batches, as_py_dataset, as_tf_dataset
from keras_tracknet.training.batches.window_batches import WindowBatches
from keras_tracknet.training.classifier.clip_batches import ClipBatches
from keras_tracknet.training.config import FitConfig
from keras_tracknet.training.config_file import write_config
from keras_tracknet.training.data import FitData, load_fit_data
from keras_tracknet.training.device.batches import DeviceBatches
from keras_tracknet.training.device.choice import check_pipeline, has_gpu, place_batches
from keras_tracknet.training.device.clock import DeviceClock
from keras_tracknet.training.devices import Devices, choose_devices
from keras_tracknet.training.guests import Guests
from keras_tracknet.training.recipes import (
    build_network,
    compile_network,
    plan_learning_rate,
    take_weights,
)
from keras_tracknet.training.run_folder import Recorder
from keras_tracknet.training.run_state import RunState, count_stale, read_state
from keras_tracknet.weights.model_file import ModelFile, load_model, set_precision
from keras_tracknet.weights.spec import TRACK_VERSIONS


@dataclass(frozen=True)
class FitPlan:
    """What a run is about to do.

    Attributes:
        config: its configuration.
        data: what it trains and validates on.
        model: the network, with the weights that training starts from.
        precision: Keras dtype policy.
        state: how far it is.
        devices: what it trains on.
    """

    config: FitConfig
    data: FitData
    model: keras.Model
    precision: str
    state: RunState = field(default_factory=RunState)
    devices: Devices = field(default_factory=Devices)

    def describe(self) -> list[str]:
        """Return in a few lines what is about to be trained, on what."""
        train, validation = self.data.clips
        done = self.state.steps // len(self.data.training)
        spec = self.config.spec
        shape = "x".join(map(str, spec.input_size)) if any(spec.input_size) else "positions"
        frames = f"{spec.frames} {'stabilized ' if spec.stabilized else ''}frames"
        return [
            f"network: {spec.version}, {frames} of {shape},"
            f" {self.model.count_params():,} parameters, {self.precision} on"
            f" {keras.backend.backend()}{self.devices.describe()}",
            f"training: {len(train)} clips, {self.data.training.windows:,} windows per epoch in"
            f" {len(self.data.training)} batches of {self.data.training.batch_size}"
            f"{', made on the device' if isinstance(self.data.training, DeviceBatches) else ''}",
            f"validation: {len(validation)} clips ({', '.join(validation[:8])}"
            f"{', ...' if len(validation) > 8 else ''}), {self.data.validation.windows:,} windows",
            f"epochs: {self.config.epochs}, {done} done",
        ]


def fit(
    config: FitConfig,
    *,
    resume: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    reporter: Reporter | None = None,
) -> list[dict[str, Any]]:
    """Train a model of the family.

    The run folder gets `config.json`, `best.keras` (highest validation accuracy; for the
    rectifier least loss, for TSM highest F1), `last.keras` with the optimizer's state,
    `history.csv`, `curves.png` where matplotlib is installed, and a TensorBoard log where
    TensorFlow and TensorBoard are.
    Every device of the machine takes its part of a batch, see `keras_tracknet.training.devices`.
    Ctrl-C stops after the step and keeps the state, a kill that of some minutes ago; `resume`
    goes on from it as if never stopped.

    Args:
        config: what to train, on what and how.
        resume: whether to continue the run in `config.output`.
        callbacks: Keras callbacks, which see the whole run as one training. One that sets
            `model.stop_training` ends the run after the epoch.
        reporter: where progress and notes go; nowhere when omitted.

    Returns:
        One row per epoch: loss and metrics, on training and validation data.

    Raises:
        InputError: no usable data, foreign weights, or a run that cannot be resumed.
    """
    reporter = reporter or Reporter()
    plan = plan_fit(config, resume=resume, reporter=reporter)
    return run_plan(plan, reporter, callbacks)


@keras_defaults()
def plan_fit(
    config: FitConfig, *, resume: bool = False, reporter: Reporter | None = None
) -> FitPlan:
    """Prepare a run: find and decode the clips, build or load the network.

    Args, Raises: as for `fit`.
    """
    reporter = reporter or Reporter()
    devices = choose_devices(config, reporter)
    keras.utils.set_random_seed(config.seed)
    with devices.scope():
        return _plan(config, devices, resume, reporter)


def _plan(config: FitConfig, devices: Devices, resume: bool, reporter: Reporter) -> FitPlan:
    check_pipeline(config, devices.count)
    saved = _load_run(config) if resume else None
    start = load_model(find_weights(config.init).tracker) if config.init and not resume else None
    data = load_fit_data(config, reporter, devices.count)
    training = place_batches(config, data.training, devices.count, reporter)
    data = replace(data, training=training)
    steps = len(data.training)
    sees_tracks = config.version in TRACK_VERSIONS
    precision = "float32" if sees_tracks else choose_precision(config.precision)
    if saved is not None:
        model, state = saved.model, _go_on(read_state(saved), data, saved.path)
        begun = -(-state.steps // steps)
        if config.epochs < begun:
            raise InputError(
                f"{config.output}: `epochs={config.epochs}` is too small, since {begun} epochs"
                " have already started; use a larger value."
            )
        if config.schedule != "constant":  # which goes over as many epochs as there are now
            model.optimizer.learning_rate = plan_learning_rate(config, steps)
    else:
        model, state = build_network(config), RunState(data=data.digest)
        if start is not None:
            take_weights(model, start)
        set_precision(model, precision)
        compile_network(model, config, steps)
    return FitPlan(config, data, model, precision, state, devices)


@keras_defaults()
def run_plan(
    plan: FitPlan, reporter: Reporter, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> list[dict[str, Any]]:
    """Train as planned; see `fit`."""
    if plan.devices.hosts.index:
        reporter = Reporter()  # the first host speaks for all
    with (
        plan.devices.scope(),
        plan.devices.own_folder(Path(plan.config.output)) as folder,
        hold_lock(folder / "last.keras"),
    ):
        return _run(plan, folder, reporter, callbacks)


def _run(
    plan: FitPlan,
    folder: Path,
    reporter: Reporter,
    callbacks: Sequence[keras.callbacks.Callback],
) -> list[dict[str, Any]]:
    config, count = plan.config, len(plan.data.training)
    write_config(asdict(config), folder)
    plan.devices.prepare(plan.model, plan.data.training)
    state = plan.state
    epoch, done = divmod(state.steps, count)
    if done:  # the metrics, whose state is put back, are made with the first batch otherwise
        plan.model._symbolic_build(data_batch=plan.data.training.batch(0, 0))
    spec = replace(config.spec, notes={"fit": asdict(config)})
    validating = len(plan.data.validation)
    clock = DeviceClock(plan.data.training.batch_size) if has_gpu() else None
    recorder = Recorder(folder, spec, config.epochs, validating, state, reporter, clock)
    recorder.set_model(plan.model)
    guests = Guests(callbacks, {"epochs": config.epochs, "steps": count, "verbose": 0})
    validation = _dataset(plan, plan.data.validation, 0, validating)
    steps = (config.epochs - epoch) * count - done
    training = reporter.track(f"training {config.version}", steps, unit="steps")
    with (
        training as recorder.advance,
        recorder.validating,
        recorder.interruptible(),
        _release_pipelines(),
        guests.training(plan.model),
    ):
        try:
            if len(state.history) < epoch:  # it was stopped between training and validation
                scores = plan.model.evaluate(
                    validation,
                    steps=validating,
                    callbacks=[recorder],
                    return_dict=True,
                    verbose=0,
                )
                scores = {f"val_{name}": value for name, value in scores.items()}
                recorder.on_epoch_end(epoch - 1, state.figures | scores)
            # An epoch a call: a PyDataset that goes on over several starts from its head again.
            for number in range(epoch, config.epochs):
                stale = count_stale(recorder.history, recorder.measure)
                if config.patience is not None and stale >= config.patience:
                    reporter.note(f"stopped: no better epoch in the last {stale}")
                    break
                first = state.steps if number == epoch else number * count
                stop = (number + 1) * count
                plan.model.fit(
                    _dataset(plan, plan.data.training, first, stop),
                    initial_epoch=number,
                    epochs=number + 1,
                    steps_per_epoch=stop - first,
                    validation_data=validation,
                    validation_steps=validating,
                    callbacks=[recorder, guests],
                    shuffle=False,
                    verbose=0,
                )
                if plan.model.stop_training:
                    reporter.note("stopped by a callback")
                    break
        except KeyboardInterrupt:
            recorder.save_interrupted()
            if (folder / "last.keras").is_file():
                reporter.warn(f"stopped; continue with: tracknet fit --resume -o {folder}")
            raise
    return recorder.history


@contextmanager
def _release_pipelines() -> Iterator[None]:
    """Let go of the data pipelines that an error passing through the `with` block holds on to.

    One of tf.data that still makes batches when Python ends aborts it, or hangs it.
    """
    try:
        yield
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        gc.collect()
        raise


def _load_run(config: FitConfig) -> ModelFile:
    path = Path(config.output) / "last.keras"
    if not path.is_file():
        raise InputError(f"{path}: no run to resume; start one without `resume`.")
    return load_model(path, compile=True)


def _go_on(state: RunState, data: FitData, path: Path) -> RunState:
    """Return the state with what is known of the data now.

    Raises:
        InputError: the run began with other data.
    """
    whole = state.steps // len(data.training)
    other = state.data and state.data != data.digest
    if other or whole - len(state.history) not in (0, 1):
        raise InputError(
            f"{path.parent}: the data has changed since the run started; start a new run with"
            f' `init="{path}"`.'
        )
    return replace(state, data=data.digest)


def _dataset(plan: FitPlan, batches: Batches, first: int, stop: int) -> Any:
    windows = isinstance(batches, (WindowBatches, ClipBatches))
    shared = plan.devices.share(batches)
    if windows and importlib.util.find_spec("tensorflow") is not None:
        return plan.devices.feed(as_tf_dataset(shared, first, stop), shared)
    return as_py_dataset(shared, first, stop)
