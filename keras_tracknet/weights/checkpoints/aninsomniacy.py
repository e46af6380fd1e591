"""TrackNet V1 to V3 as in github.com/AnInsomniacy/tracknet-series-pytorch."""

from __future__ import annotations

import keras

from keras_tracknet.models.v3 import build_v3
from keras_tracknet.weights.checkpoints import v1
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.state import (
    StateDict,
    fill_blocks,
    fill_conv,
    reorder_frames,
    unet_layers,
)
from keras_tracknet.weights.spec import ModelSpec

STAGES = ("enc1", "enc2", "enc3", "enc4", "dec1", "dec2", "dec3")


def build_unet(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build V2, or V3's tracker, whose background comes to stand before the frames."""
    size = size or (288, 512)
    first, channels = state.shape("backbone.enc1.0.0.weight")[:2]
    frames = state.shape("backbone.output.weight")[0]
    background = "concat" if channels == 3 * (frames + 1) else "none"
    # V2 has no bias here and normalises before ReLU, as V3 does.
    model = build_v3(
        input_size=size, frames=frames, background=background, width_multiplier=first / 64
    )
    order = reorder_frames(channels // 3, background_last=background == "concat")
    fill_blocks(model, state, name_blocks("backbone."), orders={"encoder1_conv1": order})
    fill_conv(model, "head", state, "backbone.output")
    return model, ModelSpec("v3", frames, frames, background, size, fit="letterbox")


def build_v1(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build V1, here without bias and with the normalisation before ReLU."""
    stems = [(conv, norm) for _, conv, norm in name_blocks("")]
    return v1.build_v1(
        state,
        size or v1.SIZE,
        [*stems, ("dec3.2.0", "dec3.2.1")],
        name="tracknet_v1_aninsomniacy",
        fit="letterbox",
        norm_first=True,
        use_bias=False,
    )


def name_blocks(prefix: str) -> list[tuple[str, str, str]]:
    """Return (layer, stem of its convolution, stem of its normalisation)."""
    return [
        (layer, f"{prefix}{STAGES[stage]}.{k - 1}.0", f"{prefix}{STAGES[stage]}.{k - 1}.1")
        for layer, stage, k in unet_layers()
    ]


UNET = Family(
    "aninsomniacy",
    "TrackNet V2 or V3 (AnInsomniacy)",
    # V4 and V5 have more than a backbone.
    lambda state: (
        "backbone.output.weight" in state.arrays
        and all(name.startswith("backbone.") for name in state.arrays)
    ),
    build_unet,
)
V1 = Family(
    "aninsomniacy-v1",
    "TrackNet V1 (AnInsomniacy)",
    lambda state: {"enc1.0.0.weight", "dec3.2.0.weight"} <= set(state.arrays),
    build_v1,
)
