"""TrackNetV2 (Sun et al. 2020, ICPAI)."""

from __future__ import annotations

import keras
from keras import initializers

from keras_tracknet.models.blocks import (
    check_count,
    check_input_size,
    heatmap_head,
    keras_defaults,
    unet,
)


@keras_defaults()
def build_v2(
    *,
    input_size: tuple[int | None, int | None] = (288, 512),
    frames: int = 3,
    heatmaps: int | None = None,
    width_multiplier: float = 1.0,
    output_bias: float = 0.0,
    name: str = "tracknet_v2",
) -> keras.Model:
    """Build TrackNetV2: a U-Net from a window of frames to heatmaps.

    Convolution with bias, ReLU, then batch normalisation (Sun et al. 2020, table I). The
    normalisation is over channels, so that any input size works; the authors' Keras code
    normalises over picture width. 11,334,147 trainable parameters with three frames in and
    three heatmaps out.

    Args:
        input_size: (height, width) in pixels, multiples of 8; `None` for any.
        frames: RGB frames in a window, oldest first.
        heatmaps: maps out, for the last frames of the window: as many as frames when omitted
            (3-in-3-out), or 1 (3-in-1-out).
        width_multiplier: factor on the number of filters of every layer.
        output_bias: initial bias before the logistic function, 0 as published; a negative
            one starts the training from nearly empty maps.
        name: name of the model.

    Input shape:
        `(batch, height, width, 3 x frames)`, 0 to 1.

    Output shape:
        `(batch, height, width, heatmaps)`, probability 0 to 1 in float32.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: a size that is no multiple of 8, a count below 1, or more heatmaps than
            frames.

    Example:
        >>> build_v2().output_shape
        (None, 288, 512, 3)
    """
    check_input_size(input_size)
    check_count("frames", frames)
    heatmaps = frames if heatmaps is None else heatmaps
    check_count("heatmaps", heatmaps)
    if heatmaps > frames:
        raise ValueError(
            f"`heatmaps` must be at most `frames`. Received: heatmaps={heatmaps}, frames={frames}"
        )
    inputs = keras.Input((*input_size, 3 * frames), name="frames")
    x = unet(
        inputs,
        width_multiplier=width_multiplier,
        norm_first=False,
        use_bias=True,
        kernel_initializer=initializers.RandomUniform(-0.05, 0.05),
    )
    return keras.Model(inputs, heatmap_head(x, heatmaps, output_bias=output_bias), name=name)
