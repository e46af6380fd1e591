"""TrackNetV5 of two PyTorch code bases; only in the first one is it the paper's."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from keras_tracknet.models.blocks import as_probability, unet
from keras_tracknet.models.motion import MotionPrompt
from keras_tracknet.models.patches import JoinPatches, SplitPatches, TokenPositions
from keras_tracknet.models.v5 import ENCODERS, PATCH, build_v5
from keras_tracknet.weights.checkpoints.aninsomniacy import name_blocks
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.motion_prompts import (
    MEAN,
    SIZE,
    fill_prompt,
    name_codelancera_blocks,
)
from keras_tracknet.weights.checkpoints.state import StateDict, fill_blocks, fill_conv
from keras_tracknet.weights.spec import ModelSpec

FRAMES = 3
# Where the checkpoints have the 13 input channels of this package: the frames, then the maps of
# what becomes brighter and of what becomes darker. Theirs come between the frames.
ORDER = np.array([0, 1, 2, 5, 6, 7, 10, 11, 12, 3, 8, 4, 9])
# The same for AnInsomniacy's drafts and maps.
DRAFTS_AND_MAPS = np.array([0, 1, 2, 3, 5, 4, 6])
HEADS = {"codelancera": 2, "aninsomniacy": 4}
WHOLE: dict[str, Any] = {"dtype": "float32"}


def build_codelancera(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build V5; how many attention heads it has is a setting, for no weight tells."""
    size, first = size or SIZE, state.shape("backbone.conv1.conv.0.weight")[0]
    heads = int(state.settings.get("heads") or HEADS["codelancera"])
    model = build_v5(input_size=size, heads=heads, width_multiplier=first / 64)
    fill_blocks(model, state, name_codelancera_blocks(), orders={"encoder1_conv1": ORDER})
    fill_conv(model, "draft", state, "head.draft_head")
    fill_prompt(model, state, state.take("mdd.a"), state.take("mdd.b"))
    kernel = state.take("head.embed_conv.weight").reshape(-1, PATCH**2).T
    _set(model, state, "refiner_embed", kernel, state.take("head.embed_conv.bias"))
    places = [state.take(f"head.{name}") for name in ("spatial_pos_embed", "time_embed")]
    _set(model, state, "refiner_positions", *places)
    for number in range(ENCODERS):
        stem = f"head.transformer_encoder.layers.{number}"
        _fill_encoder(model, state, f"refiner_encoder{number + 1}", stem, heads)
    kernel = state.take("head.decoder_head.0.weight")[:, :, 0, 0].T
    _set(model, state, "refiner_decode", kernel, state.take("head.decoder_head.0.bias"))
    return model, ModelSpec("v5", FRAMES, FRAMES, "none", size)


def build_aninsomniacy(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build V5 as AnInsomniacy has it: a 1x1 convolution fuses drafts and maps.

    The later version refines the drafts and the maps, the earlier one what the convolution made
    of them.
    """
    size, first = size or SIZE, state.shape("backbone.enc1.0.0.weight")[0]
    later = "motion_gate.projection.weight" in state.arrays
    values = state.shape("rstr.patch_embed.weight")[0]
    inputs = keras.Input((*size, 3 * FRAMES), name="frames")
    motion = MotionPrompt(
        FRAMES, signed=True, gain=1.0, epsilon=1e-6, start=(0.0, 0.0), luminance=MEAN, name="motion"
    )(inputs)
    x = layers.Concatenate(name="input_concat")([inputs, motion])
    x = unet(x, width_multiplier=first / 64, norm_first=True, use_bias=False)
    drafts = layers.Conv2D(FRAMES, 1, name="draft")(x)
    both = layers.Concatenate(name="motion_concat")([drafts, motion])
    base = layers.Conv2D(FRAMES, 1, name="motion_gate")(both)
    refined = both if later else base
    residual = _refine(refined, size, values, HEADS["aninsomniacy"])
    x = layers.Add(name="refiner_add", **WHOLE)([base, residual])
    model = keras.Model(inputs, as_probability(x), name="tracknet_v5_aninsomniacy")
    fill_blocks(model, state, name_blocks("backbone."), orders={"encoder1_conv1": ORDER})
    fill_conv(model, "draft", state, "backbone.output")
    stem = "motion_gate.projection" if later else "motion_gate"
    fill_conv(model, "motion_gate", state, stem, order=DRAFTS_AND_MAPS)
    fill_prompt(model, state, state.take("mdd.alpha"), state.take("mdd.beta"))
    for ours, theirs in (("embed", "patch_embed"), ("decode", "patch_decode")):
        weights = (state.take(f"rstr.{theirs}.{name}") for name in ("weight", "bias"))
        kernel, bias = weights
        _set(model, state, f"refiner_token_{ours}", kernel.T, bias)
    rows, columns = (side // PATCH for side in size)
    space = _encode_place(rows, values)[:, None] + _encode_place(columns, values)[None]
    time = _encode_place(refined.shape[-1], values)
    time = time[DRAFTS_AND_MAPS] if later else time
    _set(model, state, "refiner_positions", space.reshape(1, -1, values), time[None])
    for name in ("temporal", "spatial"):
        stem = f"rstr.blocks.0.{name}"
        _fill_encoder(model, state, f"refiner_token_{name}", stem, HEADS["aninsomniacy"])
    return model, ModelSpec("v5", FRAMES, FRAMES, "none", size, fit="letterbox")


def _refine(maps: Any, size: Size, values: int, heads: int) -> Any:
    """Return AnInsomniacy's residuals: attention across the maps, then across each map."""
    count, patches = maps.shape[-1], size[0] * size[1] // PATCH**2
    x = SplitPatches(PATCH, name="refiner_split", **WHOLE)(maps)
    x = layers.Dense(values, name="refiner_token_embed", **WHOLE)(x)
    x = TokenPositions(count, name="refiner_positions", **WHOLE)(x)
    x = layers.Reshape((count, patches, values), name="refiner_token_table", **WHOLE)(x)
    for axis, name in ((1, "temporal"), (2, "spatial")):
        x = _encode(x, heads, axis, f"refiner_token_{name}")
    x = layers.Dense(PATCH**2, name="refiner_token_decode", **WHOLE)(x)
    x = layers.Reshape((count * patches, PATCH**2), name="refiner_token_list", **WHOLE)(x)
    if count > FRAMES:  # residuals of the drafts come first
        x = layers.Cropping1D((0, (count - FRAMES) * patches), name="refiner_token_crop", **WHOLE)(
            x
        )
    return JoinPatches(*size, PATCH, name="refiner_join", **WHOLE)(x)


def _encode(x: Any, heads: int, axis: int, name: str) -> Any:
    """Apply a transformer layer that normalises first, along one axis of the tokens."""
    values = x.shape[-1]
    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_attention_norm", **WHOLE)(x)
    y = layers.MultiHeadAttention(
        heads, values // heads, attention_axes=(axis,), name=f"{name}_attention", **WHOLE
    )(y, y)
    x = layers.Add(name=f"{name}_attention_add", **WHOLE)([x, y])
    y = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_dense_norm", **WHOLE)(x)
    y = layers.Dense(2 * values, activation="relu", name=f"{name}_dense1", **WHOLE)(y)
    y = layers.Dense(values, name=f"{name}_dense2", **WHOLE)(y)
    return layers.Add(name=f"{name}_dense_add", **WHOLE)([x, y])


def _fill_encoder(model: keras.Model, state: StateDict, name: str, stem: str, heads: int) -> None:
    """Fill a transformer layer; query, key and value come in one matrix."""
    kernel, bias = (state.take(f"{stem}.self_attn.in_proj_{part}") for part in ("weight", "bias"))
    values = kernel.shape[1]
    each = values // heads
    weights: list[np.ndarray] = []
    for part in range(3):
        rows = slice(part * values, (part + 1) * values)
        weights += [kernel[rows].T.reshape(values, heads, each), bias[rows].reshape(heads, each)]
    out, out_bias = (state.take(f"{stem}.self_attn.out_proj.{part}") for part in ("weight", "bias"))
    _set(model, state, f"{name}_attention", *weights, out.T.reshape(heads, each, values), out_bias)
    for number in (1, 2):
        weight, bias = (state.take(f"{stem}.linear{number}.{p}") for p in ("weight", "bias"))
        _set(model, state, f"{name}_dense{number}", weight.T, bias)
    for number, kind in ((1, "attention"), (2, "dense")):
        values_of = [state.take(f"{stem}.norm{number}.{part}") for part in ("weight", "bias")]
        _set(model, state, f"{name}_{kind}_norm", *values_of)


def _set(model: keras.Model, state: StateDict, layer: str, *values: np.ndarray) -> None:
    """Put values into a layer and note that it has them."""
    model.get_layer(layer).set_weights(list(values))
    state.layers.add(layer)


def _encode_place(length: int, values: int) -> np.ndarray:
    """Return `(length, values)` sines and cosines of places (Vaswani et al. 2017, 3.5)."""
    rates = np.exp(np.arange(0, values, 2) * (-np.log(10000.0) / values))
    angles = np.arange(length)[:, None] * rates
    code = np.zeros((length, values), np.float32)
    code[:, 0::2], code[:, 1::2] = np.sin(angles), np.cos(angles)[:, : values // 2]
    return code


CODELANCERA = Family(
    "codelancera-v5",
    "TrackNetV5 (codelancera-offical)",
    lambda state: {"mdd.a", "head.embed_conv.weight"} <= set(state.arrays),
    build_codelancera,
    ignores=("mdd.R_WEIGHT", "mdd.G_WEIGHT", "mdd.B_WEIGHT"),
)
ANINSOMNIACY = Family(
    "aninsomniacy-v5",
    "TrackNetV5 (AnInsomniacy)",
    lambda state: "rstr.patch_embed.weight" in state.arrays,
    build_aninsomniacy,
)
