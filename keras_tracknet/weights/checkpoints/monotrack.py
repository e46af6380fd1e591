"""MonoTrack's tracker as in WASB-SBDT (github.com/nttcom/WASB-SBDT)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from keras_tracknet.models.blocks import conv_block, conv_stage, heatmap_head
from keras_tracknet.models.wasb import standardise
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.state import StateDict, fill_blocks, fill_conv
from keras_tracknet.weights.checkpoints.wasb import SIZE
from keras_tracknet.weights.spec import ModelSpec

BLOCK: dict[str, Any] = {"norm_first": True, "use_bias": True}
# (stage, stem of its weights, convolutions)
STAGES = (
    ("encoder2", "down1.maxpool_conv.1", 2),
    ("encoder3", "down2.maxpool_conv.1", 3),
    ("bottleneck", "down3.maxpool_conv.1", 3),
    ("decoder1", "up1.conv", 3),
    ("decoder2", "up2.conv", 2),
    ("decoder3", "up3.conv", 2),
)


def build(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build the residual U-Net, with WASB's standardisation as a layer."""
    size = size or SIZE
    first, channels = state.shape("inc.conv1.0.weight")[:2]
    frames, heatmaps = channels // 3, state.shape("outc.conv.weight")[0]
    inputs = keras.Input((*size, channels), name="frames")
    x = conv_block(standardise(inputs, frames), first, name="encoder1_conv1", **BLOCK)
    y = conv_block(x, first, name="encoder1_conv2", **BLOCK)
    x = layers.Add(name="encoder1_add")([x, y])
    skips = []
    for (stage, _, convs), factor in zip(STAGES[:3], (2, 4, 8), strict=True):
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"{stage}_pool")(x)
        x = _residual_stage(x, first * factor, convs, stage)
    for number, (stage, _, convs) in enumerate(STAGES[3:], start=1):
        skip = skips.pop()
        up = state.shape(f"up{number}.up.weight")[1]
        x = layers.Conv2DTranspose(up, 2, strides=2, name=f"{stage}_up")(x)
        x = layers.Concatenate(name=f"{stage}_concat")([skip, x])
        x = _residual_stage(x, skip.shape[-1], convs, stage)
    model = keras.Model(inputs, heatmap_head(x, heatmaps, output_bias=0.0), name="monotrack")
    fill_blocks(
        model, state, [(f"encoder1_conv{k}", f"inc.conv{k}.0", f"inc.conv{k}.1") for k in (1, 2)]
    )
    for stage, stem, convs in STAGES:
        for k in range(convs):
            block = (f"{stage}_conv{k + 1}", f"{stem}.convs.conv{k}", f"{stem}.convs.bn{k}")
            fill_blocks(model, state, [block])
        fill_conv(model, f"{stage}_shortcut", state, f"{stem}.conv0")
    for number in (1, 2, 3):
        fill_conv(model, f"decoder{number}_up", state, f"up{number}.up")
    fill_conv(model, "head", state, "outc.conv")
    return model, ModelSpec("v2", frames, heatmaps, "none", size, fit="longest")


def _residual_stage(x: Any, filters: int, convs: int, name: str) -> Any:
    shortcut = layers.Conv2D(filters, 1, name=f"{name}_shortcut")(x)
    x = conv_stage(x, filters, convs, name=name, **BLOCK)
    return layers.Add(name=f"{name}_add")([x, shortcut])


FAMILY = Family(
    "monotrack",
    "MonoTrack (WASB-SBDT)",
    lambda state: "down1.maxpool_conv.1.convs.conv0.weight" in state.arrays,
    build,
)
