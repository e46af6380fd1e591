"""TrackNetV2 in PyTorch (github.com/mareksubocz/TrackNet)."""

from __future__ import annotations

import keras

from keras_tracknet.errors import InputError
from keras_tracknet.models.v2 import build_v2
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.state import (
    StateDict,
    fill_blocks,
    fill_conv,
    reorder_frames,
    unet_layers,
)
from keras_tracknet.weights.spec import ModelSpec

STAGES = (
    "vgg_conv1", "vgg_conv2", "vgg_conv3", "vgg_conv4", "unet_conv1", "unet_conv2", "unet_conv3",
)  # fmt: skip
THRESHOLD = 0.9  # of its predict.py: the targets are wide Gaussians


def build(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build the network; its BGR frames, as predict.py has them, become RGB.

    Raises:
        InputError: a network of grey frames, or one for the middle frame only.
    """
    size = size or (512, 1024)
    first, channels = state.shape("vgg_conv1.0.0.weight")[:2]
    frames = state.shape("last_conv.weight")[0]
    if channels != 3 * frames:
        raise InputError(
            f"{state.path}: mareksubocz's TrackNetV2 with {channels} input channels and {frames}"
            " heatmaps (grey frames, or middle frame only) is not supported; use another"
            " checkpoint."
        )
    model = build_v2(input_size=size, frames=frames, width_multiplier=first / 64)
    fill_blocks(
        model,
        state,
        [
            (layer, f"{STAGES[stage]}.{k - 1}.0", f"{STAGES[stage]}.{k - 1}.2")
            for layer, stage, k in unet_layers()
        ],
        orders={"encoder1_conv1": reorder_frames(frames, bgr=True)},
    )
    fill_conv(model, "head", state, "last_conv")
    return model, ModelSpec("v2", frames, frames, "none", size, THRESHOLD)


FAMILY = Family(
    "mareksubocz",
    "TrackNetV2 (mareksubocz)",
    lambda state: "vgg_conv1.0.0.weight" in state.arrays,
    build,
)
