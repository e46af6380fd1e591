"""TrackNetV4 of three PyTorch code bases, each with a motion prompt of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_tracknet.errors import InputError
from keras_tracknet.models.blocks import as_probability, unet
from keras_tracknet.models.motion import MotionFusion, MotionPrompt
from keras_tracknet.weights.checkpoints.aninsomniacy import STAGES, name_blocks
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.state import (
    StateDict,
    fill_blocks,
    fill_conv,
    unet_layers,
)
from keras_tracknet.weights.spec import ModelSpec

SIZE = (288, 512)
MEAN = (1 / 3, 1 / 3, 1 / 3)  # brightness as the mean of the colours
LEAST_SLOPE, MOST_SLOPE = 1e-3, 100.0  # of AnInsomniacy's prompt


def build_asigatchov(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build V4 with biased convolutions and a linear prompt: logistic(a |change| + b)."""
    first, channels = state.shape("enc1.0.weight")[:2]
    model = _build(
        channels,
        size or SIZE,
        state.shape("output.weight")[0],
        {"width_multiplier": first / 64, "norm_first": True, "use_bias": True},
        {"gain": 1.0, "luminance": MEAN, "linear": True},
        name="tracknet_v4_asigatchov",
    )
    blocks = [
        (layer, f"{STAGES[stage]}.{3 * k - 3}", f"{STAGES[stage]}.{3 * k - 2}")
        for layer, stage, k in unet_layers()
    ]
    fill_blocks(model, state, blocks)
    fill_conv(model, "head", state, "output")
    fill_prompt(model, state, *(state.take(f"motion_prompt.{name}") for name in "ab"))
    return model, _spec(model, size, "letterbox")


def build_codelancera(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build V4 with aligned interpolation, without biases, and with V5's prompt."""
    first, channels = state.shape("backbone.conv1.conv.0.weight")[:2]
    model = _build(
        channels,
        size or SIZE,
        state.shape("head.conv.weight")[0],
        {
            "width_multiplier": first / 64,
            "interpolated": True,
            "norm_first": False,
            "use_bias": False,
        },
        {
            "gain": 1.0,
            "epsilon": 1e-6,
            "luminance": state.take("backbone.motion.gray_scale").ravel().tolist(),
        },
        use_bias=False,
        name="tracknet_v4_codelancera",
    )
    fill_blocks(model, state, name_codelancera_blocks())
    fill_conv(model, "head", state, "head.conv")
    fill_prompt(model, state, *(state.take(f"backbone.motion.{name}") for name in "ab"))
    return model, _spec(model, size, "stretch")


def build_aninsomniacy(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build V4 that gates features, not maps, before its last convolution."""
    first, channels = state.shape("backbone.enc1.0.0.weight")[:2]
    maps, features = state.shape("fusion_output.weight")[:2]
    fusion = find_fusion(state, features, first, maps)
    model = _build(
        channels,
        size or SIZE,
        maps,
        {"width_multiplier": first / 64, "norm_first": True, "use_bias": False},
        {"gain": 1.0, "luminance": MEAN, "linear": True},
        fusion=fusion,
        name="tracknet_v4_aninsomniacy",
    )
    fill_blocks(model, state, name_blocks("backbone."))
    fill_conv(model, "head", state, "fusion_output")
    slope, shift = (state.take(f"motion_prompt.{name}") for name in ("log_slope", "shift"))
    steep = np.clip(np.exp(slope), LEAST_SLOPE, MOST_SLOPE)
    fill_prompt(model, state, steep, -steep * shift)
    return model, _spec(model, size, "letterbox")


def find_fusion(state: StateDict, features: int, first: int, maps: int) -> str:
    """Return how AnInsomniacy's network fuses, which changed twice under the same names.

    Raises:
        InputError: the weights alone leave two possibilities.
    """
    if features == first * maps:
        return "stack"
    if "backbone.output.weight" not in state.arrays:
        return "mean"
    variant = state.settings.get("fusion_variant")
    if variant not in ("eq4", "mean"):
        raise InputError(
            f"{state.path}: TrackNetV4 (AnInsomniacy) of an early version may fuse by eq4 or mean;"
            " keep config with model.fusion_variant in the checkpoint."
        )
    return "a" if variant == "eq4" else "mean"


def fill_prompt(model: keras.Model, state: StateDict, a: Any, b: Any) -> None:
    """Put the two scalars of a motion prompt into its layer."""
    model.get_layer("motion").set_weights([np.reshape(a, ()), np.reshape(b, ())])
    state.layers.add("motion")


def name_codelancera_blocks() -> Iterator[tuple[str, str, str]]:
    """Yield (layer, stem of its convolution, stem of its normalisation)."""
    for number, (layer, stage, _) in enumerate(unet_layers(), start=1):
        stem = f"{'backbone' if stage < 4 else 'neck'}.conv{number}.conv"
        yield layer, f"{stem}.0", f"{stem}.2"


def _build(
    channels: int,
    size: Size,
    maps: int,
    body: dict[str, Any],
    prompt: dict[str, Any],
    *,
    name: str,
    fusion: str = "a",
    use_bias: bool = True,
) -> keras.Model:
    """Build a V4; features are gated before the head, or for fusion `a` maps after it."""
    inputs = keras.Input((*size, channels), name="frames")
    x = unet(inputs, **body)
    attention = MotionPrompt(channels // 3, name="motion", **prompt)(inputs)
    head = layers.Conv2D(maps, 1, use_bias=use_bias, name="head")
    gate: Callable[[Any], Any] = lambda x: MotionFusion(fusion, name="motion_fusion")(  # noqa: E731
        [x, attention]
    )
    x = gate(head(x)) if fusion == "a" else head(gate(x))
    return keras.Model(inputs, as_probability(x), name=name)


def _spec(model: keras.Model, size: Size | None, fit: str) -> ModelSpec:
    frames = model.input_shape[-1] // 3
    return ModelSpec("v4", frames, model.output_shape[-1], "none", size or SIZE, fit=fit)


ASIGATCHOV = Family(
    "asigatchov",
    "TrackNetV4 (asigatchov)",
    lambda state: {"enc1.0.weight", "motion_prompt.a"} <= set(state.arrays),
    build_asigatchov,
)
CODELANCERA = Family(
    "codelancera-v4",
    "TrackNetV4 (codelancera-offical)",
    lambda state: "backbone.motion.gray_scale" in state.arrays,
    build_codelancera,
)
ANINSOMNIACY = Family(
    "aninsomniacy-v4",
    "TrackNetV4 (AnInsomniacy)",
    lambda state: "motion_prompt.log_slope" in state.arrays,
    build_aninsomniacy,
    ignores=("backbone.output.",),
)
