"""TrackNetV5: motion directions and residual refinement (arXiv 2512.02789)."""

from __future__ import annotations

from typing import Any

import keras
from keras import initializers, layers

from keras_tracknet.models.blocks import (
    PYTORCH_KERNEL,
    as_probability,
    check_count,
    check_input_size,
    keras_defaults,
    scale_filters,
    unet,
)
from keras_tracknet.models.motion import MotionFusion, MotionPrompt
from keras_tracknet.models.patches import JoinPatches, SplitPatches, TokenPositions

PATCH = 16  # side of a patch, pixels
ENCODERS = 4
DROPOUT = 0.1


@keras_defaults()
def build_v5(
    *,
    input_size: tuple[int, int] = (288, 512),
    frames: int = 3,
    heads: int = 2,
    width_multiplier: float = 1.0,
    output_bias: float = 0.0,
    name: str = "tracknet_v5",
) -> keras.Model:
    """Build TrackNetV5: a U-Net that sees motion directions, refined by a transformer.

    Maps of what becomes brighter and what becomes darker from frame to frame join the frames at
    the input. Of the U-Net's drafts, all but the first are gated by what becomes brighter. A
    transformer over patches of all drafts returns what is to be added to them. As in the published
    code: convolution, ReLU, then batch normalisation; interpolation with aligned corners; joint
    attention over all patches. 14,771,458 trainable parameters with the defaults, as published.
    The published code interleaves frames and motion maps; here the maps come last.

    Args:
        input_size: (height, width) in pixels, multiples of 16. The transformer learns a value for
            each patch, so the size is fixed.
        frames: RGB frames in a window, oldest first, at least 2; one heatmap comes out for each.
        heads: attention heads of each transformer layer.
        width_multiplier: factor on the number of filters and of values per patch.
        output_bias: initial bias before the logistic function, 0 as published; a negative one
            starts the training from nearly empty maps.
        name: name of the model.

    Input shape:
        `(batch, height, width, 3 x frames)`, 0 to 1.

    Output shape:
        `(batch, height, width, frames)`, probability 0 to 1 in float32.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: a size that is no multiple of 16, fewer than two frames, or no head.

    Example:
        >>> build_v5().output_shape
        (None, 288, 512, 3)
    """
    check_input_size(input_size, PATCH)
    check_count("frames", frames, least=2)
    check_count("heads", heads)
    inputs = keras.Input((*input_size, 3 * frames), name="frames")
    motion = MotionPrompt(
        frames, signed=True, gain=1.0, epsilon=1e-6, start=(0.2, 0.15), name="motion"
    )(inputs)
    x = layers.Concatenate(name="input_concat")([inputs, motion])
    x = unet(
        x,
        width_multiplier=width_multiplier,
        interpolated=True,
        norm_first=False,
        use_bias=False,
        kernel_initializer=PYTORCH_KERNEL,
    )
    drafts = layers.Conv2D(
        frames, 1, use_bias=False, kernel_initializer=PYTORCH_KERNEL, name="draft"
    )(x)
    drafts = MotionFusion("a", name="motion_fusion")([drafts, motion])
    drafts = layers.Dropout(DROPOUT, dtype="float32", name="refiner_mask")(drafts)
    values = heads * scale_filters(256 // heads, width_multiplier)
    residual = _refine(drafts, input_size, frames, values, heads, output_bias)
    x = layers.Add(dtype="float32", name="refiner_add")([drafts, residual])
    return keras.Model(inputs, as_probability(x), name=name)


def _refine(
    drafts: Any, size: tuple[int, int], frames: int, values: int, heads: int, output_bias: float
) -> Any:
    """Return what is to be added to the drafts, in float32.

    Args:
        drafts: `(batch, height, width, frames)`.
        size: (height, width), pixels.
        frames: number of drafts.
        values: that stand for a patch.
        heads: attention heads.
        output_bias: initial bias of the result.
    """
    whole: dict[str, Any] = {"dtype": "float32"}
    x = SplitPatches(PATCH, name="refiner_patches", **whole)(drafts)
    x = layers.Dense(values, kernel_initializer=PYTORCH_KERNEL, name="refiner_embed", **whole)(x)
    x = TokenPositions(frames, name="refiner_positions", **whole)(x)
    for number in range(1, ENCODERS + 1):
        x = _encode(x, values, heads, f"refiner_encoder{number}")
    x = layers.Dense(
        PATCH**2,
        kernel_initializer=PYTORCH_KERNEL,
        bias_initializer=initializers.Constant(output_bias),
        name="refiner_decode",
        **whole,
    )(x)
    return JoinPatches(*size, PATCH, name="refiner_join", **whole)(x)


def _encode(x: Any, values: int, heads: int, name: str) -> Any:
    """Apply a transformer layer that normalises last (Vaswani et al. 2017, section 3.1)."""
    whole: dict[str, Any] = {"dtype": "float32"}
    attended = layers.MultiHeadAttention(
        heads, values // heads, dropout=DROPOUT, name=f"{name}_attention", **whole
    )(x, x)
    attended = layers.Dropout(DROPOUT, name=f"{name}_attention_dropout", **whole)(attended)
    x = layers.Add(name=f"{name}_attention_add", **whole)([x, attended])
    x = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_attention_norm", **whole)(x)
    y = layers.Dense(4 * values, activation="relu", name=f"{name}_dense1", **whole)(x)
    y = layers.Dropout(DROPOUT, name=f"{name}_dense1_dropout", **whole)(y)
    y = layers.Dense(values, name=f"{name}_dense2", **whole)(y)
    y = layers.Dropout(DROPOUT, name=f"{name}_dense2_dropout", **whole)(y)
    x = layers.Add(name=f"{name}_dense_add", **whole)([x, y])
    return layers.LayerNormalization(epsilon=1e-5, name=f"{name}_dense_norm", **whole)(x)
