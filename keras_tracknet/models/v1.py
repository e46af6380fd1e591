"""TrackNet, the first version (Huang et al. 2019, AVSS, arXiv 1907.03698)."""

from __future__ import annotations

from typing import Any

import keras
from keras import initializers, layers

from keras_tracknet.models.blocks import (
    check_count,
    check_input_size,
    conv_block,
    conv_stage,
    keras_defaults,
    scale_filters,
)


@keras_defaults()
def build_v1(
    *,
    input_size: tuple[int | None, int | None] = (360, 640),
    frames: int = 3,
    classes: int = 256,
    decoder_filters: int = 256,
    width_multiplier: float = 1.0,
    output_bias: float = 0.0,
    name: str = "tracknet_v1",
) -> keras.Model:
    """Build TrackNet: three frames in, one map of 256 brightness classes for the last one.

    Eighteen 3x3 convolutions in an encoder and a decoder without skip connections, each
    followed by ReLU and batch normalisation over channels (Huang et al. 2019, table I). The
    published code has 256 filters in the decoder's first stage and 10,708,032 trainable
    parameters; the paper's table says 512 there, which gives 15,723,840.

    Args:
        input_size: (height, width) in pixels, multiples of 8; `None` for any.
        frames: RGB frames in a window, oldest first. The published code stacks the newest
            first, in BGR.
        classes: brightness levels of the target, 0 for no ball.
        decoder_filters: filters of convolutions 11 to 13: 256 as in the published code, 512
            as in the paper's table.
        width_multiplier: factor on the number of filters of every layer but the last.
        output_bias: initial score of class 0 above the others; positive values start the
            training from an empty map.
        name: name of the model.

    Input shape:
        `(batch, height, width, 3 x frames)`, 0 to 1.

    Output shape:
        `(batch, height, width, classes)`, scores before the softmax over classes; see
        `keras_tracknet.losses.PixelCrossEntropy`.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: a size that is no multiple of 8, or a count below 1.

    Example:
        >>> build_v1().count_params() > 10_708_032  # with batch statistics
        True
    """
    check_input_size(input_size)
    check_count("frames", frames)
    check_count("classes", classes)
    inputs = keras.Input((*input_size, 3 * frames), name="frames")
    scores = encoder_decoder(
        inputs,
        classes,
        decoder_filters=decoder_filters,
        width_multiplier=width_multiplier,
        norm_first=False,
        use_bias=True,
        kernel_initializer=initializers.RandomUniform(-0.05, 0.05),
    )
    model = keras.Model(inputs, scores, name=name)
    if output_bias:
        beta = model.get_layer("head_bn").beta
        beta.assign([output_bias] + [0.0] * (classes - 1))
    return model


def encoder_decoder(
    x: Any, classes: int, *, decoder_filters: int, width_multiplier: float, **block: Any
) -> Any:
    """Apply the eighteen convolutions of V1.

    Args:
        x: `(batch, height, width, channels)`, height and width multiples of 8.
        classes, decoder_filters, width_multiplier: as for `build_v1`.
        block: arguments of `conv_block`.

    Returns:
        `(batch, height, width, classes)`.
    """
    f64, f128, f256, f512, f_decoder = (
        scale_filters(f, width_multiplier) for f in (64, 128, 256, 512, decoder_filters)
    )
    x = conv_stage(x, f64, 2, name="encoder1", **block)
    x = layers.MaxPooling2D(2, name="encoder1_pool")(x)  # (batch, height / 2, width / 2, 64)
    x = conv_stage(x, f128, 2, name="encoder2", **block)
    x = layers.MaxPooling2D(2, name="encoder2_pool")(x)  # (batch, height / 4, width / 4, 128)
    x = conv_stage(x, f256, 3, name="encoder3", **block)
    x = layers.MaxPooling2D(2, name="encoder3_pool")(x)  # (batch, height / 8, width / 8, 256)
    x = conv_stage(x, f512, 3, name="bottleneck", **block)
    x = layers.UpSampling2D(2, name="decoder1_up")(x)  # height / 4
    x = conv_stage(x, f_decoder, 3, name="decoder1", **block)
    x = layers.UpSampling2D(2, name="decoder2_up")(x)  # height / 2
    x = conv_stage(x, f128, 2, name="decoder2", **block)
    x = layers.UpSampling2D(2, name="decoder3_up")(x)  # height
    x = conv_stage(x, f64, 2, name="decoder3", **block)
    return conv_block(x, classes, name="head", **block)
