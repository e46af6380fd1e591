"""The other TrackNetV3, with attention, and its baseline (github.com/alenzenx/TrackNetV3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from keras_tracknet.models.blocks import conv_block, conv_stage, decoder_stage, heatmap_head, unet
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.qaz import STAGES
from keras_tracknet.weights.checkpoints.state import StateDict, fill_blocks, fill_conv, unet_layers
from keras_tracknet.weights.spec import ModelSpec

SIZE = (288, 512)
BASELINE_CONVS = (2, 2, 2, 3, 2, 2, 2)  # two less than V2 has
BRANCHES = 7  # convolutions in each of the attention network's encoder stages
BLOCK: dict[str, Any] = {"norm_first": True, "use_bias": True}
# (name of the layers, stem of their weights)
ATTENTION = (
    ("skip3", "cbam0_2"),
    ("skip2", "cbam1_2"),
    ("skip1", "cbam2_2"),
    ("decoder1", "cbam1"),
    ("decoder2", "cbam2"),
    ("decoder3", "cbam3"),
)


def build_baseline(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build the baseline: V2's network, two convolutions shorter, normalised before ReLU."""
    first, spec = state.shape("down_block_1.conv_1.conv.weight")[0], _spec(state, size)
    inputs = keras.Input((*spec.input_size, 3 * spec.frames), name="frames")
    x = unet(inputs, width_multiplier=first / 64, convs=BASELINE_CONVS, **BLOCK)
    outputs = heatmap_head(x, spec.heatmaps, output_bias=0.0)
    model = keras.Model(inputs, outputs, name="tracknet_v2_alenzenx")
    fill_blocks(model, state, _blocks(BASELINE_CONVS))
    fill_conv(model, "head", state, "predictor")
    return model, spec


def build_attention(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build the network with three branches in each encoder stage and channel attention."""
    first, spec = state.shape("down_block_1.conv_1.conv.weight")[0], _spec(state, size)
    inputs = keras.Input((*spec.input_size, 3 * spec.frames), name="frames")
    skips, x = [], inputs
    for number, factor in enumerate((1, 2, 4), start=1):
        skips.append(_encoder_stage(x, first * factor, f"encoder{number}"))
        x = layers.MaxPooling2D(2, name=f"encoder{number}_pool")(skips[-1])
    x = conv_stage(x, 8 * first, 3, name="bottleneck", **BLOCK)
    for number, factor in enumerate((4, 2, 1), start=1):
        skip = _attend(skips.pop(), f"skip{4 - number}")
        x = decoder_stage(x, skip, first * factor, 2, name=f"decoder{number}", **BLOCK)
        x = _attend(x, f"decoder{number}")
    outputs = heatmap_head(x, spec.heatmaps, output_bias=0.0)
    model = keras.Model(inputs, outputs, name="tracknet_v3_alenzenx")
    fill_blocks(model, state, _blocks((BRANCHES,) * 3 + BASELINE_CONVS[3:]))
    for name, stem in ATTENTION:
        fill_conv(model, f"{name}_squeeze", state, f"{stem}.channel_attention.shared_MLP.0")
        fill_conv(model, f"{name}_excite", state, f"{stem}.channel_attention.shared_MLP.2")
    fill_conv(model, "head", state, "predictor")
    return model, spec


def _encoder_stage(x: Any, filters: int, name: str) -> Any:
    """Apply three branches with kernels of 1, 3 and 5, merge them, add the second one."""
    branches = []
    for branch, kernel_size in enumerate((1, 3, 5)):
        first, second = f"{name}_conv{2 * branch + 1}", f"{name}_conv{2 * branch + 2}"
        branch = conv_block(x, filters, name=first, kernel_size=kernel_size, **BLOCK)
        branches.append(conv_block(branch, filters, name=second, **BLOCK))
    merged = layers.Concatenate(name=f"{name}_concat")(branches)
    merged = conv_block(merged, filters, name=f"{name}_conv{BRANCHES}", **BLOCK)
    return layers.Add(name=f"{name}_add")([merged, branches[1]])


def _attend(x: Any, name: str) -> Any:
    """Weigh each channel by its mean and its highest value over the picture."""
    squeeze = layers.Conv2D(
        max(1, x.shape[-1] // 16), 1, use_bias=False, activation="relu", name=f"{name}_squeeze"
    )
    excite = layers.Conv2D(x.shape[-1], 1, use_bias=False, name=f"{name}_excite")
    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    peak = layers.GlobalMaxPooling2D(keepdims=True, name=f"{name}_peak")(x)
    total = layers.Add(name=f"{name}_sum")([excite(squeeze(mean)), excite(squeeze(peak))])
    gate = layers.Activation("sigmoid", name=f"{name}_gate")(total)
    return layers.Multiply(name=f"{name}_attention")([x, gate])


def _blocks(convs: tuple[int, ...]) -> Iterator[tuple[str, str, str]]:
    for layer, stage, k in unet_layers(convs):
        yield layer, f"{STAGES[stage]}.conv_{k}.conv", f"{STAGES[stage]}.conv_{k}.bn"


def _spec(state: StateDict, size: Size | None) -> ModelSpec:
    frames = state.shape("down_block_1.conv_1.conv.weight")[1] // 3
    heatmaps = state.shape("predictor.weight")[0]
    return ModelSpec("v2", frames, heatmaps, "none", size or SIZE)


ATTENTION_NAME = "cbam1.channel_attention.shared_MLP.0.weight"


def _is_alenzenx(state: StateDict, *, attention: bool) -> bool:
    names = state.arrays
    ours = "up_block_1.conv_2.conv.bias" in names and "up_block_1.conv_3.conv.weight" not in names
    return ours and (ATTENTION_NAME in names) == attention


V3 = Family(
    "alenzenx",
    "TrackNetV3 with attention (alenzenx)",
    lambda state: _is_alenzenx(state, attention=True),
    build_attention,
    ignores=(".spatial_attention.",),
)
V2 = Family(
    "alenzenx-v2",
    "shortened TrackNetV2 (alenzenx)",
    lambda state: _is_alenzenx(state, attention=False),
    build_baseline,
)
