"""Training: from a folder of labelled clips to a run folder with models and curves."""

from __future__ import annotations

import gc
import importlib.util
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras

from keras_tracknet.data.clip_batches import ClipBatches
from keras_tracknet.data.pipeline import Batches, WindowBatches, as_py_dataset, as_tf_dataset
from keras_tracknet.devices import Devices, choose_devices
from keras_tracknet.errors import InputError
from keras_tracknet.fit_config import FitConfig
from keras_tracknet.fit_data import FitData, load_fit_data
from keras_tracknet.losses import (
    MaskedDistance,
    MaskedMSE,
    PixelCrossEntropy,
    QualityFocal,
    WeightedBCE,
)
from keras_tracknet.metrics import TrackingAccuracy, TrackingF1
from keras_tracknet.model_file import ModelFile, load_model, set_precision
from keras_tracknet.models.rectifier import build_rectifier
from keras_tracknet.models.tsm import build_tsm
from keras_tracknet.models.v1 import build_v1
from keras_tracknet.models.v2 import build_v2
from keras_tracknet.models.v3 import build_v3
from keras_tracknet.precision import choose_precision
from keras_tracknet.presets import find_weights
from keras_tracknet.reporting import Reporter
from keras_tracknet.run_folder import Recorder, write_config


@dataclass(frozen=True)
class FitPlan:
    """What a run is about to do.

    Attributes:
        config: its configuration.
        data: what it trains and validates on.
        model: the network, with the weights that training starts from.
        precision: Keras dtype policy.
        first: number of the first batch to train, counted over all epochs.
        history: what earlier epochs gave, a row each.
        devices: what it trains on.
    """

    config: FitConfig
    data: FitData
    model: keras.Model
    precision: str
    first: int = 0
    history: tuple[dict[str, Any], ...] = ()
    devices: Devices = field(default_factory=Devices)

    def describe(self) -> list[str]:
        """Return in a few lines what is about to be trained, on what."""
        train, validation = self.data.clips
        spec = self.config.spec
        shape = "x".join(map(str, spec.input_size)) if any(spec.input_size) else "positions"
        frames = f"{spec.frames} {'stabilized ' if spec.stabilized else ''}frames"
        return [
            f"network: {spec.version}, {frames} of {shape},"
            f" {self.model.count_params():,} parameters, {self.precision} on"
            f" {keras.backend.backend()}{self.devices.describe()}",
            f"training: {len(train)} clips, {self.data.training.windows:,} windows an epoch in"
            f" {len(self.data.training)} batches of {self.data.training.batch_size}",
            f"validation: {len(validation)} clips ({', '.join(validation[:8])}"
            f"{', ...' if len(validation) > 8 else ''}), {self.data.validation.windows:,} windows",
            f"epochs: {self.config.epochs}, {self.first // len(self.data.training)} of them done",
        ]


def fit(
    config: FitConfig, *, resume: bool = False, reporter: Reporter | None = None
) -> list[dict[str, Any]]:
    """Train a model of the family.

    The run folder gets `config.json`, `best.keras` (highest validation accuracy; for the
    rectifier least loss, for TSM highest F1), `last.keras` with the optimizer's state,
    `history.csv`, `curves.png` where matplotlib is installed, and a TensorBoard log where
    TensorFlow and TensorBoard are.
    Every device of the machine takes its part of a batch, see `keras_tracknet.devices`.
    Ctrl-C stops after the step and keeps the state, a kill that of some minutes ago; `resume`
    goes on from it as if never stopped.

    Args:
        config: what to train, on what and how.
        resume: whether to continue the run in `config.output`.
        reporter: where progress and notes go; nowhere when omitted.

    Returns:
        One row an epoch: loss and metrics, on training and validation data.

    Raises:
        InputError: no usable data, foreign weights, or a run that cannot be resumed.
    """
    reporter = reporter or Reporter()
    plan = plan_fit(config, resume=resume, reporter=reporter)
    return run_plan(plan, reporter)


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
    saved = _load_run(config) if resume else None
    start = load_model(find_weights(config.init).tracker) if config.init and not resume else None
    data = load_fit_data(config, reporter, devices.count)
    steps = len(data.training)
    precision = "float32" if config.version == "rectifier" else choose_precision(config.precision)
    if saved is not None:
        model, history = saved.model, tuple(saved.training["history"])
        first = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
        if first // steps - len(history) not in (0, 1):
            raise InputError(
                f"{config.output}: its data has changed since the run began; start another run"
                f" with --init {saved.path}."
            )
    else:
        model, history, first = _build(config), (), 0
        if start is not None:
            _take_weights(model, start)
        set_precision(model, precision)
        model.compile(
            optimizer=keras.optimizers.Adam(_learning_rate(config, steps)),
            loss=_loss(config),
            weighted_metrics=_metrics(config),
        )
    return FitPlan(config, data, model, precision, first, history, devices)


def run_plan(plan: FitPlan, reporter: Reporter) -> list[dict[str, Any]]:
    """Train as planned; see `fit`."""
    if plan.devices.hosts.index:
        reporter = Reporter()  # the first host speaks for all
    with plan.devices.scope(), plan.devices.own_folder(Path(plan.config.output)) as folder:
        return _run(plan, folder, reporter)


def _run(plan: FitPlan, folder: Path, reporter: Reporter) -> list[dict[str, Any]]:
    config, count = plan.config, len(plan.data.training)
    write_config(asdict(config), folder)
    plan.devices.prepare(plan.model, plan.data.training)
    epoch, done = divmod(plan.first, count)
    spec = replace(config.spec, notes={"fit": asdict(config)})
    validating = len(plan.data.validation)
    recorder = Recorder(folder, spec, config.epochs, validating, plan.history, reporter)
    recorder.set_model(plan.model)
    validation = _dataset(plan, plan.data.validation, 0, validating)
    steps = (config.epochs - epoch) * count - done
    training = reporter.track(f"training {config.version}", steps, unit="steps")
    with (
        training as recorder.advance,
        recorder.validating,
        recorder.interruptible(),
        _release_pipelines(),
    ):
        try:
            if len(plan.history) < epoch:  # it was stopped between training and validation
                scores = plan.model.evaluate(
                    validation,
                    steps=validating,
                    callbacks=[recorder],
                    return_dict=True,
                    verbose=0,
                )
                recorder.on_epoch_end(epoch - 1, {f"val_{n}": v for n, v in scores.items()})
            # An epoch a call: a PyDataset that goes on over several starts from its head again.
            for number in range(epoch, config.epochs):
                first = plan.first if number == epoch else number * count
                stop = (number + 1) * count
                plan.model.fit(
                    _dataset(plan, plan.data.training, first, stop),
                    initial_epoch=number,
                    epochs=number + 1,
                    steps_per_epoch=stop - first,
                    validation_data=validation,
                    validation_steps=validating,
                    callbacks=[recorder],
                    shuffle=False,
                    verbose=0,
                )
        except KeyboardInterrupt:
            if recorder.between_steps:
                recorder.save_state()
            if (folder / "last.keras").is_file():
                reporter.warn(f"stopped; go on with: tracknet fit --resume -o {folder}")
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


def _build(config: FitConfig) -> keras.Model:
    spec = config.spec
    if spec.version == "rectifier":
        return build_rectifier(window=spec.frames, width_multiplier=config.width)
    if spec.version == "tsm":
        return build_tsm(
            len(spec.classes),
            frames=spec.frames,
            input_size=spec.input_size,
            backbone=config.backbone,
            modality=config.modality,
            width_multiplier=config.width,
            bidirectional=not config.online,
        )
    # Cut-outs and whole pictures pass through one network, so its input size is left open.
    size = (None, None) if config.crop else spec.input_size
    common: dict[str, Any] = {
        "input_size": size,
        "frames": spec.frames,
        "width_multiplier": config.width,
    }
    # A start from nearly empty maps: the ball has few of the pixels.
    if spec.version == "v1":
        return build_v1(**common, output_bias=5.0)
    if spec.version == "v2":
        return build_v2(**common, heatmaps=spec.heatmaps, output_bias=-3.0)
    return build_v3(**common, background=spec.background, output_bias=-3.0)


def _loss(config: FitConfig) -> keras.losses.Loss:
    if config.version == "rectifier":
        return MaskedMSE() if config.hidden == "zero" else MaskedDistance()
    if config.version == "tsm":
        return keras.losses.CategoricalCrossentropy()
    if config.version == "v1":
        return PixelCrossEntropy()
    return WeightedBCE() if config.target == "disc" else QualityFocal()


def _metrics(config: FitConfig) -> list[keras.metrics.Metric]:
    if config.version == "rectifier":
        return []
    if config.version == "tsm":
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
        return [accuracy, keras.metrics.F1Score(average="macro", name="f1")]
    return [TrackingAccuracy(), TrackingF1()]  # each costs a few percent of a step


def _learning_rate(config: FitConfig, steps: int) -> Any:
    if config.schedule == "constant":
        return config.learning_rate
    total = steps * config.epochs
    warmup = round(total * config.warmup)
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else config.learning_rate,
        max(1, total - warmup),
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def _take_weights(model: keras.Model, source: ModelFile) -> None:
    shapes = [[tuple(w.shape) for w in m.weights] for m in (model, source.model)]
    names = [[layer.name for layer in m.layers] for m in (model, source.model)]
    if shapes[0] == shapes[1] and names[0] != names[1]:
        raise InputError(
            f"{source.path}: converted from another code, with layers that are not built for"
            " training here; start from another model."
        )
    if shapes[0] != shapes[1]:
        raise InputError(
            f"{source.path}: its layers do not fit; use the --version, --width, --frames and"
            f" --background that it was trained with ({source.spec.version},"
            f" {source.spec.frames} frames, background {source.spec.background})."
        )
    model.set_weights(source.model.get_weights())


def _load_run(config: FitConfig) -> ModelFile:
    path = Path(config.output) / "last.keras"
    if not path.is_file():
        raise InputError(f"{path}: no run to resume; start one without --resume.")
    saved = load_model(path, compile=True)
    if not saved.model.compiled or "history" not in saved.training:
        raise InputError(f"{path}: not written by tracknet fit; use it with --init instead.")
    return saved


def _dataset(plan: FitPlan, batches: Batches, first: int, stop: int) -> Any:
    windows = isinstance(batches, (WindowBatches, ClipBatches))
    shared = plan.devices.share(batches)
    if windows and importlib.util.find_spec("tensorflow") is not None:
        return plan.devices.feed(as_tf_dataset(shared, first, stop), shared)
    return as_py_dataset(shared, first, stop)
