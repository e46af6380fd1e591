"""TrackNet V1 with a checkpoint's weights, in the variants of three code bases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from keras_tracknet.models.v1 import encoder_decoder
from keras_tracknet.weights.checkpoints.state import (
    StateDict,
    fill_blocks,
    reorder_frames,
    unet_layers,
)
from keras_tracknet.weights.spec import ModelSpec

# The eighteen convolutions in their order; the last one makes the scores.
LAYERS = [*(layer for layer, _, _ in unet_layers()), "head"]
SIZE = (360, 640)


def build_v1(
    state: StateDict,
    size: tuple[int, int],
    stems: Sequence[tuple[str, str]],
    *,
    name: str,
    fit: str = "stretch",
    newest_first_bgr: bool = False,
    scale: float = 1.0,
    **block: Any,
) -> tuple[keras.Model, ModelSpec]:
    """Build V1 with as many filters as a checkpoint has; the input becomes RGB, oldest first.

    Args:
        state: the checkpoint.
        size: (height, width) of the input, pixels.
        stems: (stem of the convolution's weights, of the normalisation's) for each of `LAYERS`.
        name: of the model.
        fit: how frames get to that size, as in `ModelSpec`.
        newest_first_bgr: whether the checkpoint's frames are BGR, newest first.
        scale: what its frames have where this package's have 1.
        block: arguments of `conv_block`.
    """
    first, channels = state.shape(f"{stems[0][0]}.weight")[:2]
    inputs = keras.Input((*size, channels), name="frames")
    scores = encoder_decoder(
        inputs,
        state.shape(f"{stems[-1][0]}.weight")[0],
        decoder_filters=round(64 * state.shape(f"{stems[10][0]}.weight")[0] / first),
        width_multiplier=first / 64,
        **block,
    )
    model = keras.Model(inputs, scores, name=name)
    order = reorder_frames(channels // 3, newest_first=newest_first_bgr, bgr=newest_first_bgr)
    blocks = [(layer, conv, norm) for layer, (conv, norm) in zip(LAYERS, stems, strict=True)]
    fill_blocks(model, state, blocks, orders={LAYERS[0]: order}, scales={LAYERS[0]: scale})
    return model, ModelSpec("v1", channels // 3, 1, "none", size, fit=fit)
