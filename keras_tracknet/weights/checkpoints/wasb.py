"""TrackNetV2 as in WASB-SBDT, of any of its sports (github.com/nttcom/WASB-SBDT)."""

from __future__ import annotations

import keras

from keras_tracknet.models.blocks import heatmap_head, unet
from keras_tracknet.models.wasb import standardise
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.state import (
    StateDict,
    fill_blocks,
    fill_conv,
    swap_skips,
    unet_layers,
)
from keras_tracknet.weights.spec import ModelSpec

SIZE = (288, 512)
STAGES = (
    "inc.double_conv",
    "down1.maxpool_conv.1.double_conv",
    "down2.maxpool_conv.1.triple_conv",
    "down3.maxpool_conv.1.triple_conv",
    "up1.conv.triple_conv",
    "up2.conv.double_conv",
    "up3.conv.double_conv",
)


def build(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build the network, with its standardisation as a layer."""
    size = size or SIZE
    first, channels = state.shape(f"{STAGES[0]}.0.weight")[:2]
    frames, heatmaps = channels // 3, state.shape("outc.conv.weight")[0]
    inputs = keras.Input((*size, channels), name="frames")
    x = unet(
        standardise(inputs, frames), width_multiplier=first / 64, norm_first=False, use_bias=True
    )
    outputs = heatmap_head(x, heatmaps, output_bias=0.0)
    model = keras.Model(inputs, outputs, name="tracknet_v2_wasb")
    fill_blocks(
        model,
        state,
        [
            (layer, f"{STAGES[stage]}.{3 * k - 3}", f"{STAGES[stage]}.{3 * k - 1}")
            for layer, stage, k in unet_layers()
        ],
        orders={
            "decoder1_conv1": swap_skips(8 * first, 4 * first),
            "decoder2_conv1": swap_skips(4 * first, 2 * first),
            "decoder3_conv1": swap_skips(2 * first, first),
        },
    )
    fill_conv(model, "head", state, "outc.conv")
    return model, ModelSpec("v2", frames, heatmaps, "none", size, fit="longest")


TRACKNET_V2 = Family(
    "wasb-tracknetv2",
    "TrackNetV2 (WASB-SBDT)",
    lambda state: "down2.maxpool_conv.1.triple_conv.0.weight" in state.arrays,
    build,
)
