"""Arithmetic operations of a network for one window."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers

from keras_tracknet.models.patches import AlignedUpSampling

CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv2DTranspose)


def count_operations(model: keras.Model, size: tuple[int, int]) -> int:
    """Return the multiplications and additions of a network's convolutions and products.

    What works on each value by itself, such as normalisation, is left out.

    Args:
        model: a tracker of this package.
        size: (height, width) of the input, pixels, for a network that takes any.

    Example:
        >>> from keras_tracknet.models.v2 import build_v2
        >>> round(count_operations(build_v2(), (288, 512)) / 2e9, 2)  # multiply-adds
        112.23
    """
    if None in model.input_shape[1:]:
        inputs = keras.Input((*size, model.input_shape[-1]), name=model.inputs[0].name)
        model = keras.models.clone_model(model, input_tensors=inputs)
    return 2 * int(sum(_count(layer) for layer in model.layers))


def _count(layer: Any) -> Any:
    """Return a layer's multiplications, each with an addition."""
    if isinstance(layer, CONVOLUTIONS):
        # A transposed convolution uses its kernel once for each input, the others for each output.
        transposed = isinstance(layer, layers.Conv2DTranspose)
        places = (layer.input if transposed else layer.output).shape[1:-1]
        return math.prod(layer.kernel.shape) * math.prod(places)
    if isinstance(layer, layers.Dense):
        return math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
    if isinstance(layer, layers.MultiHeadAttention):
        _, tokens, values = layer.output.shape
        inner = layer.num_heads * layer.key_dim
        return 4 * tokens * values * inner + 2 * tokens**2 * inner
    if isinstance(layer, AlignedUpSampling):  # two neighbours along each side
        return 2 * (math.prod(layer.output.shape[1:]) + math.prod(layer.output.shape[1:]) // 2)
    return 0
