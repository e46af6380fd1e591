"""ResNet-10: a small network for pictures, for classifiers that are trained from scratch."""

from __future__ import annotations

from typing import Any

from keras import layers

from keras_tracknet.models.blocks import BATCH_NORM

STEM_FILTERS = 16
BLOCK_FILTERS = (32, 48, 64, 96)


def stack_resnet10(x: Any, *, width_multiplier: float = 1.0) -> Any:
    """Put a residual network on pictures: a stem and four blocks, each of which halves them.

    Blocks of two 3x3 convolutions (He et al. 2016, figure 2), whose shortcuts average 2x2 pixels
    before their 1x1 convolution (He et al. 2019, ResNet-D). Ten counts the convolutions off the
    shortcuts and the layer that reads them out. Plain convolutions train several times as fast on
    a processor as the depthwise ones of MobileNetV2.

    Args:
        x: `(batch, height, width, channels)`, a Keras tensor.
        width_multiplier: factor on the number of filters.

    Returns:
        A Keras tensor, `(batch, height / 32, width / 32, 96)` at width 1, sizes rounded up.
    """
    filters = [max(1, round(count * width_multiplier)) for count in BLOCK_FILTERS]
    x = _convolve(x, max(1, round(STEM_FILTERS * width_multiplier)), 5, name="stem", strides=2)
    x = layers.ReLU(name="stem_relu")(x)
    for number, count in enumerate(filters, start=1):
        name = f"block{number}"
        shortcut = layers.AveragePooling2D(2, padding="same", name=f"{name}_pool")(x)
        shortcut = _convolve(shortcut, count, 1, name=f"{name}_0")
        x = _convolve(x, count, 3, name=f"{name}_1", strides=2)
        x = layers.ReLU(name=f"{name}_1_relu")(x)
        x = _convolve(x, count, 3, name=f"{name}_2")
        x = layers.Add(name=f"{name}_add")([shortcut, x])
        x = layers.ReLU(name=f"{name}_out")(x)
    return x


def _convolve(x: Any, filters: int, size: int, *, name: str, strides: int = 1) -> Any:
    x = layers.Conv2D(
        filters, size, strides=strides, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return layers.BatchNormalization(**BATCH_NORM, name=f"{name}_bn")(x)
