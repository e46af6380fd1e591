"""Training: from a folder of labelled clips to a run folder with models and curves."""

from __future__ import annotations

import gc
import importlib.util
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_tracknet.data.augment import Augmentation
from keras_tracknet.data.cache import FrameCache, prepare_clips
from keras_tracknet.data.frames import BACKGROUND_MODES, scale_positions
from keras_tracknet.data.pipeline import (
    Batches,
    LabelledFrames,
    WindowBatches,
    WindowConfig,
    as_py_dataset,
    as_tf_dataset,
)
from keras_tracknet.data.trajectories import Trajectory, TrajectoryBatches
from keras_tracknet.errors import InputError
from keras_tracknet.io.datasets import Clip, find_labelled_clips, read_labels, split_clips
from keras_tracknet.io.tracks import read_track
from keras_tracknet.io.video import probe_video
from keras_tracknet.losses import MaskedMSE, PixelCrossEntropy, QualityFocal, WeightedBCE
from keras_tracknet.metrics import TrackingAccuracy, TrackingF1
from keras_tracknet.model_file import (
    VERSIONS,
    ModelFile,
    ModelSpec,
    load_model,
    set_precision,
)
from keras_tracknet.models.blocks import check_count, check_input_size
from keras_tracknet.models.rectifier import build_rectifier
from keras_tracknet.models.v1 import build_v1
from keras_tracknet.models.v2 import build_v2
from keras_tracknet.models.v3 import build_v3
from keras_tracknet.precision import choose_precision
from keras_tracknet.reporting import Reporter
from keras_tracknet.run_folder import Recorder, read_config, write_config
from keras_tracknet.synthetic import write_rallies

CHOICES = {
    "version": VERSIONS,
    "schedule": ("constant", "cosine"),
    "background": BACKGROUND_MODES,
    "target": ("disc", "gaussian"),
}
RENDERED_RALLIES = 24
RENDERED_SIZE = (720, 1280)  # (height, width), as broadcasts are


@dataclass(frozen=True)
class FitConfig:
    """Everything that decides a training run; written to the run folder as `config.json`.

    Attributes:
        version: `v1`, `v2`, `v3` or `rectifier`.
        data: folder of labelled clips; None for rendered rallies.
        output: the run folder.
        epochs: passes over the windows.
        batch_size: windows in a batch.
        learning_rate: Adam's, at its highest.
        schedule: `cosine` lets the learning rate fall to 0, `constant` keeps it.
        warmup: share of all steps over which the learning rate rises from 0 (cosine).
        precision: `auto`, or a Keras dtype policy.
        width: factor on the number of filters.
        frames: frames in a window; the version's own when None.
        heatmaps: maps out; as many as frames when None (V1 always 1).
        background: V3's background mode.
        input_size: (height, width) in pixels; the version's own when None.
        target: `disc` with weighted cross-entropy, or `gaussian` with quality focal loss;
            V1 has its own.
        mixup: parameter of mixup between windows, 0 for none.
        frame_mixup: parameter of mixup between neighbouring frames, 0 for none.
        flip, brightness, contrast, crop, zoom, on_ball: see `Augmentation`.
        windows: windows in an epoch, drawn anew each time; all when None.
        validation: names of clips, folders or globs to validate on; chosen when empty.
        tracks: folder with a predicted track for each clip, for the rectifier; its labels
            alone when None.
        seed: start of every random choice.
        init: model file to take the weights from (fine-tuning).
    """

    version: str = "v3"
    data: str | None = None
    output: str = "runs/fit"
    epochs: int = 30
    batch_size: int = 4
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup: float = 0.02
    precision: str = "auto"
    width: float = 1.0
    frames: int | None = None
    heatmaps: int | None = None
    background: str = "concat"
    input_size: tuple[int, int] | None = None
    target: str = "disc"
    mixup: float = 0.0
    frame_mixup: float = 0.0
    flip: float = 0.5
    brightness: float = 0.1
    contrast: float = 0.2
    crop: tuple[int, int] | None = None
    zoom: tuple[float, float] = (1.0, 1.0)
    on_ball: float = 0.7
    windows: int | None = None
    validation: tuple[str, ...] = ()
    tracks: str | None = None
    seed: int = 0
    init: str | None = None

    def __post_init__(self) -> None:
        for name in ("input_size", "crop", "zoom", "validation"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else tuple(value))
        for name, known in CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}. Received: {name}={value!r}"
                )
        for name in ("epochs", "batch_size", "frames", "heatmaps", "windows"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        for name, least, fits in (
            ("learning_rate", "above 0", self.learning_rate > 0),
            ("width", "above 0", self.width > 0),
            ("mixup", "at least 0", self.mixup >= 0),
            ("frame_mixup", "at least 0", self.frame_mixup >= 0),
        ):
            if not fits:
                raise ValueError(f"{name} must be {least}. Received: {name}={getattr(self, name)}")
        if self.heatmaps and (self.version != "v2" or self.heatmaps > self.spec.frames):
            raise ValueError(
                "heatmaps is for v2, and at most frames."
                f" Received: version={self.version!r}, heatmaps={self.heatmaps}"
            )
        check_input_size(self.input_size or (None, None))
        _ = self.augmentation  # raises what is wrong with it

    @property
    def spec(self) -> ModelSpec:
        """What the network to be trained expects and returns."""
        source = Path(self.data).name if self.data else "rendered rallies"
        if self.version == "rectifier":
            window = self.frames or 16
            return ModelSpec("rectifier", window, 0, "none", (0, 0), trained_on=source)
        size = self.input_size or ((360, 640) if self.version == "v1" else (288, 512))
        frames = self.frames or (8 if self.version == "v3" else 3)
        heatmaps = self.heatmaps or frames
        return ModelSpec(
            version=self.version,
            frames=frames,
            heatmaps=1 if self.version == "v1" else heatmaps,
            background=self.background if self.version == "v3" else "none",
            input_size=size,
            trained_on=source,
        )

    @property
    def augmentation(self) -> Augmentation:
        """How training windows are varied."""
        names = ("flip", "brightness", "contrast", "crop", "zoom", "on_ball")
        return Augmentation(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class FitPlan:
    """What a run is about to do.

    Attributes:
        config: its configuration.
        model: the network, with the weights that training starts from.
        training, validation: batches.
        clips: names of the clips that train and that validate.
        precision: Keras dtype policy.
        first: number of the first batch to train, counted over all epochs.
        history: what earlier epochs gave, a row each.
    """

    config: FitConfig
    model: keras.Model
    training: Batches
    validation: Batches
    clips: tuple[tuple[str, ...], tuple[str, ...]]
    precision: str
    first: int = 0
    history: tuple[dict[str, Any], ...] = ()

    def describe(self) -> list[str]:
        """Return in a few lines what is about to be trained, on what."""
        train, validation = self.clips
        spec = self.config.spec
        shape = "x".join(map(str, spec.input_size)) if any(spec.input_size) else "positions"
        return [
            f"network: {spec.version}, {spec.frames} frames of {shape},"
            f" {self.model.count_params():,} parameters, {self.precision} on"
            f" {keras.backend.backend()}",
            f"training: {len(train)} clips, {self.training.windows:,} windows an epoch in"
            f" {len(self.training)} batches of {self.training.batch_size}",
            f"validation: {len(validation)} clips ({', '.join(validation[:8])}"
            f"{', ...' if len(validation) > 8 else ''}), {self.validation.windows:,} windows",
            f"epochs: {self.config.epochs}, {self.first // len(self.training)} of them done",
        ]


def fit(
    config: FitConfig, *, resume: bool = False, reporter: Reporter | None = None
) -> list[dict[str, Any]]:
    """Train a model of the family.

    The run folder gets `config.json`, `best.keras` (highest validation accuracy; for the
    rectifier least loss), `last.keras` with the optimizer's state, `history.csv`,
    `curves.png` where matplotlib is installed, and a TensorBoard log where TensorFlow is.
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
    keras.utils.set_random_seed(config.seed)
    saved = _load_run(config) if resume else None
    start = load_model(Path(config.init)) if config.init and not resume else None
    train_clips, validation_clips = _find_clips(config, reporter)
    training: Batches
    validation: Batches
    if config.version == "rectifier":
        training, validation = _trajectory_batches(config, train_clips, validation_clips)
    else:
        training, validation = _window_batches(config, train_clips, validation_clips, reporter)
    names = tuple(tuple(c.name for c in clips) for clips in (train_clips, validation_clips))
    precision = "float32" if config.version == "rectifier" else choose_precision(config.precision)
    if saved is not None:
        model, history = saved.model, tuple(saved.training["history"])
        first = int(model.optimizer.iterations)
        if first // len(training) - len(history) not in (0, 1):
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
            optimizer=keras.optimizers.Adam(_learning_rate(config, len(training))),
            loss=_loss(config),
            metrics=_metrics(config),
        )
    return FitPlan(config, model, training, validation, names, precision, first, history)  # type: ignore[arg-type]


def run_plan(plan: FitPlan, reporter: Reporter) -> list[dict[str, Any]]:
    """Train as planned; see `fit`."""
    config, count = plan.config, len(plan.training)
    folder = Path(config.output)
    write_config(asdict(config), folder)
    epoch, done = divmod(plan.first, count)
    spec = replace(config.spec, notes={"fit": asdict(config)})
    recorder = Recorder(folder, spec, config.epochs, len(plan.validation), plan.history, reporter)
    recorder.set_model(plan.model)
    validation = _dataset(plan.validation, 0, len(plan.validation))
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
                    validation, callbacks=[recorder], return_dict=True, verbose=0
                )
                recorder.on_epoch_end(epoch - 1, {f"val_{n}": v for n, v in scores.items()})
            # An epoch a call: a PyDataset that goes on over several starts from its head again.
            for number in range(epoch, config.epochs):
                first = plan.first if number == epoch else number * count
                plan.model.fit(
                    _dataset(plan.training, first, (number + 1) * count),
                    initial_epoch=number,
                    epochs=number + 1,
                    validation_data=validation,
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


def load_clip(clip: Clip, frames: Any, size: tuple[int, int]) -> LabelledFrames:
    """Return a clip's cached frames with its labels in pixels at the model's size.

    Args:
        clip: where the labels are.
        frames: the clip's `CachedFrames`.
        size: (height, width) of the cached frames, pixels.
    """
    track = read_labels(clip, size=frames.source_size).resized(len(frames.frames))
    positions = scale_positions(track.positions, frames.source_size, size)
    return LabelledFrames(frames.frames, frames.background, positions, track.labelled)


def _find_clips(config: FitConfig, reporter: Reporter) -> tuple[Sequence[Clip], Sequence[Clip]]:
    if config.data is None:
        root = FrameCache().folder / "rendered"
        with reporter.track("rendering rallies", total=RENDERED_RALLIES, unit="clips") as advance:
            write_rallies(
                root,
                RENDERED_RALLIES,
                size=RENDERED_SIZE,
                progress=lambda _done, _count: advance(1),
            )
    else:
        root = Path(config.data)
    dataset = find_labelled_clips(root)
    if dataset.doubts:
        reporter.note(dataset.describe_doubts())
    train, validation = split_clips(dataset, list(config.validation) or None, seed=config.seed)
    if set(c.name for c in train) == set(c.name for c in validation):
        reporter.note(f"{root}: a single clip, so validation is on the clip that trains.")
    return train, validation


def _window_batches(
    config: FitConfig, train: Sequence[Clip], validation: Sequence[Clip], reporter: Reporter
) -> tuple[WindowBatches, WindowBatches]:
    spec, cache = config.spec, FrameCache()
    clips = [*train, *(clip for clip in validation if clip not in train)]
    with reporter.track("reading clips", total=len(clips), unit="clips") as advance:
        finished = 0

        def progress(index: int, _clip: Clip, _frames: int) -> None:
            nonlocal finished
            if index >= finished:
                advance(index + 1 - finished)
                finished = index + 1

        cached = prepare_clips(clips, spec.input_size, cache, progress)
    loaded = {
        clip.name: load_clip(clip, frames, spec.input_size)
        for clip, frames in zip(clips, cached, strict=True)
    }
    target = "classes" if config.version == "v1" else config.target
    window = WindowConfig(spec.frames, spec.heatmaps, spec.background, target)
    try:
        return (
            WindowBatches(
                [loaded[clip.name] for clip in train],
                window,
                batch_size=config.batch_size,
                augmentation=config.augmentation,
                mixup=config.mixup if config.version != "v1" else 0.0,
                frame_mixup=config.frame_mixup,
                seed=config.seed,
                windows=config.windows,
            ),
            WindowBatches(
                [loaded[clip.name] for clip in validation],
                window,
                batch_size=min(config.batch_size, 4),
                training=False,
            ),
        )
    except ValueError as error:
        raise InputError(f"{config.data}: {error}") from error


def _trajectory_batches(
    config: FitConfig, train: Sequence[Clip], validation: Sequence[Clip]
) -> tuple[TrajectoryBatches, TrajectoryBatches]:
    def load(clip: Clip) -> Trajectory:
        info = probe_video(clip.source)
        size = np.array([info.width, info.height], dtype=np.float64)
        labels = read_labels(clip, size=(info.height, info.width))
        labelled = labels.positions / size
        if config.tracks is None:
            return Trajectory(labelled, labelled)
        track = read_track(Path(config.tracks) / f"{clip.name}.csv").resized(len(labels))
        return Trajectory(track.positions / size, labelled)

    def batches(clips: Sequence[Clip], training: bool) -> TrajectoryBatches:
        return TrajectoryBatches(
            [load(clip) for clip in clips],
            window=config.spec.frames,
            batch_size=config.batch_size,
            training=training,
            seed=config.seed,
        )

    try:
        return batches(train, True), batches(validation, False)
    except ValueError as error:
        raise InputError(f"{config.data}: {error}") from error


def _build(config: FitConfig) -> keras.Model:
    spec = config.spec
    if spec.version == "rectifier":
        return build_rectifier(window=spec.frames, width_multiplier=config.width)
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
        return MaskedMSE()
    if config.version == "v1":
        return PixelCrossEntropy()
    return WeightedBCE() if config.target == "disc" else QualityFocal()


def _metrics(config: FitConfig) -> list[keras.metrics.Metric]:
    if config.version == "rectifier":
        return []
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


def load_config(folder: Path) -> FitConfig:
    """Read the configuration of a run.

    Raises:
        InputError: the folder holds no run.
    """
    try:
        # The folder may have been moved since.
        return FitConfig(**read_config(folder) | {"output": str(folder)})
    except (TypeError, ValueError) as error:
        raise InputError(f"{folder}: not a run of tracknet fit ({error}).") from error


def _dataset(batches: Batches, first: int, stop: int) -> Any:
    windows = isinstance(batches, WindowBatches)
    if windows and importlib.util.find_spec("tensorflow") is not None:
        return as_tf_dataset(batches, first, stop)
    return as_py_dataset(batches, first, stop)
