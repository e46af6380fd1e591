"""The network of a training run: built, with loss, metrics and learning rate."""

from __future__ import annotations

from typing import Any

import keras

from keras_tracknet.errors import InputError
from keras_tracknet.losses import (
    MaskedDistance,
    MaskedMSE,
    PixelCrossEntropy,
    QualityFocal,
    WeightedBCE,
)
from keras_tracknet.metrics import TrackingAccuracy, TrackingF1
from keras_tracknet.models.linker import build_linker
from keras_tracknet.models.rectifier import build_rectifier
from keras_tracknet.models.tsm import build_tsm
from keras_tracknet.models.v1 import build_v1
from keras_tracknet.models.v2 import build_v2
from keras_tracknet.models.v3 import build_v3
from keras_tracknet.models.v4 import build_v4
from keras_tracknet.models.v5 import build_v5
from keras_tracknet.models.wasb import build_wasb
from keras_tracknet.training.config import FitConfig
from keras_tracknet.weights.model_file import ModelFile


def build_network(config: FitConfig) -> keras.Model:
    """Return the network that a run trains, not yet compiled."""
    spec = config.spec
    if spec.version == "rectifier":
        return build_rectifier(window=spec.frames, width_multiplier=config.width)
    if spec.version == "linker":
        return build_linker(window=spec.frames, width_multiplier=config.width)
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
    common["output_bias"] = -3.0
    if spec.version in ("v2", "wasb"):
        build = build_v2 if spec.version == "v2" else build_wasb
        return build(**common, heatmaps=spec.heatmaps)
    if spec.version == "v5":
        return build_v5(**common)
    if spec.version == "v4":
        return build_v4(
            **common, base=config.base, fusion=config.fusion, background=config.background
        )
    return build_v3(**common, background=spec.background)


def compile_network(model: keras.Model, config: FitConfig, steps: int) -> None:
    """Give a network what trains it: optimizer, loss and metrics.

    Args:
        model: as `build_network` returns it.
        config: of the run.
        steps: batches of an epoch.
    """
    # The linker's many small operations become few; it trains three times as fast on a CPU.
    fused = config.version == "linker" and keras.backend.backend() == "tensorflow"
    model.compile(
        optimizer=keras.optimizers.Adam(plan_learning_rate(config, steps)),
        loss=_loss(config),
        weighted_metrics=_metrics(config),
        jit_compile=True if fused else "auto",
    )


def _loss(config: FitConfig) -> keras.losses.Loss:
    if config.version == "rectifier":
        return MaskedMSE() if config.hidden == "zero" else MaskedDistance()
    if config.version == "linker":
        return keras.losses.SparseCategoricalCrossentropy()
    if config.version == "tsm":
        return keras.losses.CategoricalCrossentropy()
    if config.version == "v1":
        return PixelCrossEntropy()
    return WeightedBCE() if config.target == "disc" else QualityFocal()


def _metrics(config: FitConfig) -> list[keras.metrics.Metric]:
    if config.version == "rectifier":
        return []
    if config.version == "linker":
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    if config.version == "tsm":
        accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
        return [accuracy, keras.metrics.F1Score(average="macro", name="f1")]
    return [TrackingAccuracy(), TrackingF1()]  # each costs a few percent of a step


def plan_learning_rate(config: FitConfig, steps: int) -> Any:
    """Return the learning rate of a run: a number, or a schedule over all of its steps.

    Args:
        config: of the run.
        steps: batches of an epoch.
    """
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


def take_weights(model: keras.Model, source: ModelFile) -> None:
    """Start a network from the weights of another.

    Raises:
        InputError: they do not fit.
    """
    shapes = [[tuple(w.shape) for w in m.weights] for m in (model, source.model)]
    names = [[layer.name for layer in m.layers] for m in (model, source.model)]
    if shapes[0] == shapes[1] and names[0] != names[1]:
        raise InputError(
            f"{source.path}: was converted from a code base whose layers cannot be trained here;"
            " start from another model."
        )
    if shapes[0] != shapes[1]:
        raise InputError(
            f"{source.path}: layers do not match; use the `version`, `width`, `frames` and"
            f" `background` it was trained with ({source.spec.version}, {source.spec.frames}"
            f" frames, background {source.spec.background})."
        )
    model.set_weights(source.model.get_weights())
