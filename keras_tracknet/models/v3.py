"""TrackNetV3's tracker (Chen and Wang 2023, MMAsia)."""

from __future__ import annotations

import keras

from keras_tracknet.models.blocks import (
    check_count,
    check_input_size,
    heatmap_head,
    keras_defaults,
    unet,
)

# Name of the model's input, which thereby tells what to feed it.
INPUT_NAMES = {
    "none": "frames",
    "subtract": "differences",
    "subtract_concat": "frames_and_differences",
    "concat": "background_and_frames",
}


def input_channels(background: str, frames: int) -> int:
    """Return the number of channels of V3's input in a background mode."""
    return {
        "none": 3 * frames,
        "subtract": frames,
        "subtract_concat": 4 * frames,
        "concat": 3 * (frames + 1),
    }[background]


@keras_defaults()
def build_v3(
    *,
    input_size: tuple[int | None, int | None] = (288, 512),
    frames: int = 8,
    background: str = "concat",
    width_multiplier: float = 1.0,
    output_bias: float = 0.0,
    name: str = "tracknet_v3",
) -> keras.Model:
    """Build TrackNetV3's tracker: V2's U-Net that also sees the background.

    Convolution without bias, batch normalisation, then ReLU; otherwise V2's layers (Chen and
    Wang 2023, section 3.1). 11,341,000 trainable parameters with the defaults. The background
    is the median picture of the clip.

    Args:
        input_size: (height, width) in pixels, multiples of 8; `None` for any.
        frames: RGB frames in a window, oldest first; one heatmap comes out for each.
        background: what the network sees of the background:
            `none`: R0 G0 B0 R1 G1 B1 ..., the frames alone;
            `subtract`: D0 D1 ..., the absolute differences to the background summed over RGB;
            `subtract_concat`: R0 G0 B0 D0 R1 G1 B1 D1 ...;
            `concat`: Rb Gb Bb R0 G0 B0 ..., the background first (the published best).
        width_multiplier: factor on the number of filters of every layer.
        output_bias: initial bias before the logistic function, 0 as published; a negative
            one starts the training from nearly empty maps.
        name: name of the model.

    Input shape:
        `(batch, height, width, channels)`, 0 to 1; channels as listed above, 27 by default.

    Output shape:
        `(batch, height, width, frames)`, probability 0 to 1 in float32.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an unknown background mode, a size that is no multiple of 8, or a count
            below 1.

    Example:
        >>> build_v3().input_shape
        (None, 288, 512, 27)
    """
    check_input_size(input_size)
    check_count("frames", frames)
    if background not in INPUT_NAMES:
        raise ValueError(
            f"`background` must be one of {', '.join(INPUT_NAMES)}. Received:"
            f" background={background!r}"
        )
    inputs = keras.Input(
        (*input_size, input_channels(background, frames)), name=INPUT_NAMES[background]
    )
    x = unet(inputs, width_multiplier=width_multiplier, norm_first=True, use_bias=False)
    return keras.Model(inputs, heatmap_head(x, frames, output_bias=output_bias), name=name)
