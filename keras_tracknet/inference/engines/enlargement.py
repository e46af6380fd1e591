"""Enlargement of pictures in one operation of the runtime.

Keras's own layer repeats rows, then columns. Converters write that as tiles between changes of
shape, which take longer than the enlargement itself and, in ONNX, keep the pictures channels last.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def enlarge_at_once(model: keras.Model, size: tuple[int, int]) -> keras.Model:
    """Build the same network, with the same weights, that enlarges in one operation.

    Args:
        model: a functional model of pictures `(batch, height, width, channels)`.
        size: (height, width) of the pictures that it is to take, pixels.
    """
    inputs = keras.Input((*size, model.input_shape[-1]), name=model.inputs[0].name)
    changed = keras.models.clone_model(model, input_tensors=inputs, clone_function=_replace)
    changed.set_weights(model.get_weights())
    return changed


def _replace(layer: layers.Layer) -> layers.Layer:
    if isinstance(layer, layers.UpSampling2D) and layer.interpolation == "nearest":
        return Enlargement(layer.size, "channels_last", name=layer.name)
    return type(layer).from_config(layer.get_config())


class Enlargement(layers.Layer):  # type: ignore[misc]
    """Makes pictures larger by repeating pixels.

    Args:
        size: factors of (height, width).
        data_format: where pictures have their channels, `channels_last` or `channels_first`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Output shape:
        The same with `height x size[0]` and `width x size[1]`.
    """

    def __init__(self, size: tuple[int, int], data_format: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.data_format = size, data_format

    def call(self, inputs: Any) -> Any:
        """Return the pictures enlarged."""
        first = self.data_format == "channels_first"
        sides = inputs.shape[2:] if first else inputs.shape[1:3]
        height, width = (int(n * f) for n, f in zip(sides, self.size, strict=True))
        return ops.image.resize(
            inputs, (height, width), interpolation="nearest", data_format=self.data_format
        )
