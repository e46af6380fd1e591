"""TrackNetV3 and its rectifier as published (github.com/qaz812345/TrackNetV3)."""

from __future__ import annotations

import keras

from keras_tracknet.errors import InputError
from keras_tracknet.models.rectifier import build_rectifier
from keras_tracknet.models.v3 import INPUT_NAMES, build_v3, input_channels
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.state import StateDict, fill_blocks, fill_conv, unet_layers
from keras_tracknet.weights.spec import ModelSpec

STAGES = (
    "down_block_1", "down_block_2", "down_block_3", "bottleneck",
    "up_block_1", "up_block_2", "up_block_3",
)  # fmt: skip
MODES = {"": "none", **{mode: mode for mode in INPUT_NAMES if mode != "none"}}
# (layer, stem of its weights)
RECTIFIER = (
    ("down1", "down_1.conv"),
    ("down2", "down_2.conv"),
    ("down3", "down_3.conv"),
    ("bottleneck_conv1", "buttleneck.conv_1.conv"),
    ("bottleneck_conv2", "buttleneck.conv_2.conv"),
    ("up1", "up_1.conv"),
    ("up2", "up_2.conv"),
    ("up3", "up_3.conv"),
    ("head", "predictor"),
)
BLOCKS = tuple(
    (layer, f"{STAGES[stage]}.conv_{k}.conv", f"{STAGES[stage]}.conv_{k}.bn")
    for layer, stage, k in unet_layers()
)


def build_tracker(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build the tracker; frames and background mode are the checkpoint's `param_dict`."""
    size = size or (288, 512)
    first, channels = state.shape("down_block_1.conv_1.conv.weight")[:2]
    frames = state.shape("predictor.weight")[0]
    background = _find_background(state, frames, channels)
    model = build_v3(
        input_size=size, frames=frames, background=background, width_multiplier=first / 64
    )
    fill_blocks(model, state, BLOCKS)
    fill_conv(model, "head", state, "predictor")
    differences = "wrapped" if background.startswith("subtract") else "saturated"
    spec = ModelSpec("v3", frames, frames, background, size, differences=differences)
    return model, spec


def build_inpaintnet(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build the rectifier."""
    window = int(state.settings.get("seq_len", 16))
    width = state.shape("down_1.conv.weight")[0] / 32
    model = build_rectifier(window=window, width_multiplier=width)
    for layer, stem in RECTIFIER:
        fill_conv(model, layer, state, stem)
    return model, ModelSpec("rectifier", window, 0, "none", (0, 0))


def _find_background(state: StateDict, frames: int, channels: int) -> str:
    """Return the background mode, from what the checkpoint says or from its channels."""
    if state.settings.get("bg_mode") in MODES:
        return MODES[state.settings["bg_mode"]]
    fitting = [mode for mode in INPUT_NAMES if input_channels(mode, frames) == channels]
    if len(fitting) != 1:  # 3 frames: frames with differences and with background both are 12
        raise InputError(
            f"{state.path}: {channels} channels for {frames} frames"
            + (f" may be {' or '.join(fitting)}" if fitting else " fit no background mode")
            + "; keep param_dict with bg_mode in the checkpoint."
        )
    return fitting[0]


TRACKER = Family(
    "qaz",
    "TrackNetV3 (qaz812345)",
    lambda state: "up_block_1.conv_3.conv.weight" in state.arrays,
    build_tracker,
)
INPAINTNET = Family(
    "inpaintnet",
    "TrackNetV3's InpaintNet (qaz812345)",
    lambda state: "buttleneck.conv_1.conv.weight" in state.arrays,
    build_inpaintnet,
)
