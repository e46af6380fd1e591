"""TrackNet for tennis in PyTorch (github.com/yastrebksv/TrackNet)."""

from __future__ import annotations

import keras

from keras_tracknet.checkpoints.family import Family, Size
from keras_tracknet.checkpoints.state import (
    StateDict,
    fill_blocks,
    reorder_frames,
    unet_layers,
)
from keras_tracknet.model_file import ModelSpec
from keras_tracknet.models.v1 import build_v1

# The layers of V1 in their order; the last one makes the scores.
LAYERS = [*(layer for layer, _, _ in unet_layers()), "head"]


def build(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build the network; its BGR frames, newest first, become RGB, oldest first."""
    size = size or (360, 640)
    first, channels = state.shape("conv1.block.0.weight")[:2]
    frames = channels // 3
    model = build_v1(
        input_size=size,
        frames=frames,
        classes=state.shape("conv18.block.0.weight")[0],
        decoder_filters=round(64 * state.shape("conv11.block.0.weight")[0] / first),
        width_multiplier=first / 64,
    )
    fill_blocks(
        model,
        state,
        [
            (layer, f"conv{number}.block.0", f"conv{number}.block.2")
            for number, layer in enumerate(LAYERS, start=1)
        ],
        orders={LAYERS[0]: reorder_frames(frames, newest_first=True, bgr=True)},
    )
    return model, ModelSpec("v1", frames, 1, "none", size)


FAMILY = Family(
    "yastrebksv",
    "TrackNet for tennis (yastrebksv)",
    lambda state: {"conv18.block.0.weight", "conv1.block.2.running_mean"} <= set(state.arrays),
    build,
)
