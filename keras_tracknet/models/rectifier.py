"""TrackNetV3's rectifier, which fills in hidden stretches (Chen and Wang 2023, MMAsia)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from keras_tracknet.models.blocks import keras_defaults, scale_filters


@keras_defaults()
def build_rectifier(
    *,
    window: int | None = 16,
    width_multiplier: float = 1.0,
    name: str = "tracknet_rectifier",
) -> keras.Model:
    """Build the rectifier: a one-dimensional U-Net over positions, without pooling.

    Convolutions of length 3 with leaky ReLU (slope 0.01) and three skip connections (Chen and
    Wang 2023, section 3.2, as in the published code). 520,610 parameters. Each position sees
    nine neighbours on both sides.

    Args:
        window: frames in a window; `None` for any.
        width_multiplier: factor on the number of filters of every layer.
        name: name of the model.

    Input shape:
        `coordinates`: `(batch, window, 2)`, (x, y) as fractions of picture width and height,
        0 where masked; `mask`: `(batch, window, 1)`, 1 where a position is to be filled in.

    Output shape:
        `(batch, window, 2)`, (x, y) as fractions of picture width and height.

    Returns:
        A functional `keras.Model` of the two inputs.

    Raises:
        ValueError: a window below 1 or a width multiplier of 0 or less.

    Example:
        >>> build_rectifier().count_params()
        520610
    """
    if window is not None and window < 1:
        raise ValueError(f"`window` must be at least 1 or None. Received: window={window}")
    f32, f64, f128, f256 = (scale_filters(f, width_multiplier) for f in (32, 64, 128, 256))

    coordinates = keras.Input((window, 2), name="coordinates")
    mask = keras.Input((window, 1), name="mask")
    x = layers.Concatenate(name="input_concat")([coordinates, mask])
    skip1 = x = _conv(x, f32, "down1")
    skip2 = x = _conv(x, f64, "down2")
    skip3 = x = _conv(x, f128, "down3")
    x = _conv(x, f256, "bottleneck_conv1")
    x = _conv(x, f256, "bottleneck_conv2")
    x = _conv(layers.Concatenate(name="up1_concat")([x, skip3]), f128, "up1")
    x = _conv(layers.Concatenate(name="up2_concat")([x, skip2]), f64, "up2")
    x = _conv(layers.Concatenate(name="up3_concat")([x, skip1]), f32, "up3")
    outputs = layers.Conv1D(2, 3, padding="same", activation="sigmoid", name="head")(x)
    return keras.Model([coordinates, mask], outputs, name=name)


def _conv(x: Any, filters: int, name: str) -> Any:
    x = layers.Conv1D(filters, 3, padding="same", name=name)(x)
    return layers.LeakyReLU(negative_slope=0.01, name=f"{name}_relu")(x)
