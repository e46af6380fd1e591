"""TrackNet for tennis in PyTorch (github.com/yastrebksv/TrackNet)."""

from __future__ import annotations

import keras

from keras_tracknet.weights.checkpoints import v1
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.state import StateDict
from keras_tracknet.weights.spec import ModelSpec

STEMS = [(f"conv{number}.block.0", f"conv{number}.block.2") for number in range(1, 19)]


def build(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build the network; its BGR frames, newest first, become RGB, oldest first."""
    return v1.build_v1(
        state,
        size or v1.SIZE,
        STEMS,
        name="tracknet_v1",
        newest_first_bgr=True,
        norm_first=False,
        use_bias=True,
    )


FAMILY = Family(
    "yastrebksv",
    "TrackNet for tennis (yastrebksv)",
    lambda state: {"conv18.block.0.weight", "conv1.block.2.running_mean"} <= set(state.arrays),
    build,
)
