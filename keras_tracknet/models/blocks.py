"""The blocks that the TrackNet networks are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from keras import config, initializers, layers

from keras_tracknet.models.patches import AlignedUpSampling

# PyTorch's batch normalisation, which the published weights were trained with.
BATCH_NORM = {"epsilon": 1e-5, "momentum": 0.9}
# PyTorch's first weights of a convolution: uniform within 1 / sqrt(inputs of a filter).
PYTORCH_KERNEL = initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
# The stages of V2 and V3 with their convolutions.
UNET_STAGES = (
    "encoder1", "encoder2", "encoder3", "bottleneck", "decoder1", "decoder2", "decoder3",
)  # fmt: skip
UNET_CONVS = (2, 2, 3, 3, 3, 2, 2)


@contextmanager
def keras_defaults() -> Iterator[None]:
    """Let Keras have its own defaults in the `with` block, whatever the user's `keras.json` says.

    That is channels last, float32, and an epsilon of 1e-7. A policy of mixed precision stays.
    Afterwards the user's settings are back; they are those of the user's other networks.
    """
    layout, float_type, epsilon = config.image_data_format(), config.floatx(), config.epsilon()
    policy = config.dtype_policy()
    config.set_image_data_format("channels_last")
    config.set_floatx("float32")
    config.set_epsilon(1e-7)
    if policy.name == float_type:  # nobody has chosen it
        config.set_dtype_policy("float32")
    try:
        yield
    finally:
        config.set_image_data_format(layout)
        config.set_floatx(float_type)
        config.set_epsilon(epsilon)
        config.set_dtype_policy(policy)


def scale_filters(filters: int, width_multiplier: float) -> int:
    """Return the number of filters of a layer in a network made wider or narrower."""
    if width_multiplier <= 0:
        raise ValueError(
            f"`width_multiplier` must be above 0. Received: width_multiplier={width_multiplier}"
        )
    return max(1, round(filters * width_multiplier))


def check_input_size(input_size: tuple[int | None, int | None], multiple: int = 8) -> None:
    """Raise `ValueError` unless both sides of an input are allowed.

    Args:
        input_size: (height, width) in pixels; `None` stands for any multiple of 8.
        multiple: what sides are multiples of: of 8 for three poolings by two. With another, both
            sides must be given.
    """
    for side in input_size:
        if side is None and multiple == 8:
            continue
        if side is None or side <= 0 or side % multiple:
            raise ValueError(
                f"`input_size` must be (height, width) in multiples of {multiple}. Received:"
                f" input_size={input_size}"
            )


def check_count(name: str, value: int, *, least: int = 1) -> None:
    """Raise `ValueError` unless `value` is at least `least`."""
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}. Received: {name}={value}")


def conv_block(
    x: Any,
    filters: int,
    *,
    name: str,
    norm_first: bool,
    use_bias: bool,
    kernel_initializer: Any = "glorot_uniform",
    kernel_size: int = 3,
    norm: Mapping[str, Any] = BATCH_NORM,
) -> Any:
    """Apply a convolution with ReLU and batch normalisation.

    Args:
        x: `(batch, height, width, channels)`.
        filters: channels of the result.
        name: name of the convolution; its ReLU and normalisation are called after it.
        norm_first: `True` for convolution, normalisation, ReLU (V3); `False` for
            convolution, ReLU, normalisation (V1, V2).
        use_bias: whether the convolution has a bias.
        kernel_initializer: initial weights of the convolution.
        kernel_size: side of the convolution's kernel.
        norm: arguments of the batch normalisation.

    Returns:
        `(batch, height, width, filters)`.
    """
    x = layers.Conv2D(
        filters,
        kernel_size,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=kernel_initializer,
        name=name,
    )(x)
    if norm_first:
        x = layers.BatchNormalization(**norm, name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)
    x = layers.ReLU(name=f"{name}_relu")(x)
    return layers.BatchNormalization(**norm, name=f"{name}_bn")(x)


def conv_stage(x: Any, filters: int, convs: int, *, name: str, **block: Any) -> Any:
    """Apply `convs` convolution blocks, called `<name>_conv1` and so on."""
    for index in range(1, convs + 1):
        x = conv_block(x, filters, name=f"{name}_conv{index}", **block)
    return x


def decoder_stage(
    x: Any,
    skip: Any,
    filters: int,
    convs: int,
    *,
    name: str,
    interpolated: bool = False,
    **block: Any,
) -> Any:
    """Double the size, append the encoder's map of that size, convolve.

    Args:
        x: `(batch, height / 2, width / 2, channels)`.
        skip: `(batch, height, width, skip channels)`; it comes after the enlarged `x`.
        filters, convs, name, block: as for `conv_stage`.
        interpolated: whether pixels are interpolated with aligned corners; otherwise they are
            repeated.

    Returns:
        `(batch, height, width, filters)`.
    """
    enlarge = AlignedUpSampling if interpolated else layers.UpSampling2D
    x = enlarge(name=f"{name}_up")(x)
    x = layers.Concatenate(name=f"{name}_concat")([x, skip])
    return conv_stage(x, filters, convs, name=name, **block)


def unet(
    x: Any,
    *,
    width_multiplier: float,
    convs: Sequence[int] = UNET_CONVS,
    interpolated: bool = False,
    **block: Any,
) -> Any:
    """Apply the network that V2 to V5 share (Sun et al. 2020, table I).

    Args:
        x: `(batch, height, width, channels)`, height and width multiples of 8.
        width_multiplier: factor on the number of filters of every layer.
        convs: convolutions in each of the seven stages.
        interpolated: as for `decoder_stage`.
        block: arguments of `conv_block` that tell the versions apart.

    Returns:
        `(batch, height, width, 64 x width_multiplier)`.
    """
    f64, f128, f256, f512 = (scale_filters(f, width_multiplier) for f in (64, 128, 256, 512))

    skip1 = conv_stage(x, f64, convs[0], name="encoder1", **block)
    x = layers.MaxPooling2D(2, name="encoder1_pool")(skip1)  # (batch, height / 2, width / 2, 64)
    skip2 = conv_stage(x, f128, convs[1], name="encoder2", **block)
    x = layers.MaxPooling2D(2, name="encoder2_pool")(skip2)  # (batch, height / 4, width / 4, 128)
    skip3 = conv_stage(x, f256, convs[2], name="encoder3", **block)
    x = layers.MaxPooling2D(2, name="encoder3_pool")(skip3)  # (batch, height / 8, width / 8, 256)

    x = conv_stage(x, f512, convs[3], name="bottleneck", **block)

    block["interpolated"] = interpolated
    x = decoder_stage(x, skip3, f256, convs[4], name="decoder1", **block)  # height / 4
    x = decoder_stage(x, skip2, f128, convs[5], name="decoder2", **block)  # height / 2
    return decoder_stage(x, skip1, f64, convs[6], name="decoder3", **block)  # height


def heatmap_head(x: Any, heatmaps: int, *, output_bias: float) -> Any:
    """Turn features into one map of ball probabilities per frame.

    Args:
        x: `(batch, height, width, channels)`.
        heatmaps: number of maps.
        output_bias: initial bias before the logistic function.

    Returns:
        `(batch, height, width, heatmaps)` float32, probability 0 to 1.
    """
    return as_probability(heatmap_logits(x, heatmaps, output_bias=output_bias))


def heatmap_logits(x: Any, heatmaps: int, *, output_bias: float) -> Any:
    """Turn features into maps before the logistic function; arguments as for `heatmap_head`."""
    bias = initializers.Constant(output_bias)
    return layers.Conv2D(heatmaps, 1, bias_initializer=bias, name="head")(x)


def as_probability(x: Any) -> Any:
    """Apply the logistic function that makes heatmaps of maps."""
    # Reduced precision would leave the peak's probability with two digits.
    return layers.Activation("sigmoid", dtype="float32", name="heatmaps")(x)
