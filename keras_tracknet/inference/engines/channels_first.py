"""Networks with the channels before rows and columns, as OpenVINO computes them.

Keras's OpenVINO backend writes a channels-last layer as transpose, layer, transpose. A network of
channels-first layers needs none of them, and its batch normalisation folds into its convolutions.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_tracknet.inference.engines.enlargement import Enlargement

TOKENS = "refiner_token_"  # layers of tables of tokens
AXES = (0, 2, 3, 1)  # where an axis of channels-last pictures has gone
# Layers that work on each value by itself.
ELEMENTWISE = (
    layers.Activation, layers.Add, layers.Dropout, layers.LeakyReLU, layers.Multiply, layers.ReLU,
)  # fmt: skip


def turn_channels_first(model: keras.Model, size: tuple[int, int]) -> keras.Model:
    """Build the same network, with the same weights, for channels-first pictures.

    Args:
        model: a functional model of pictures `(batch, height, width, channels)`.
        size: (height, width) of the pictures, pixels.

    Returns:
        A model from `(1, channels, height, width)` to `(1, channels, height, width)`.

    Raises:
        NotImplementedError: the network has a layer whose channels-first form is not known.
    """
    channels, name = model.input_shape[-1], model.inputs[0].name
    inputs = keras.Input((channels, *size), batch_size=1, name=name)
    turned = keras.models.clone_model(model, input_tensors=inputs, clone_function=_turn)
    turned.set_weights(model.get_weights())
    return turned


def _turn(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Return a layer that does with channels-first pictures what `layer` does with others."""
    config = layer.get_config()
    if isinstance(layer, layers.UpSampling2D):
        if config["interpolation"] != "nearest":
            raise NotImplementedError(
                f"{layer.name}: interpolation {config['interpolation']} is not supported."
            )
        return Enlargement(layer.size, "channels_first", name=layer.name)
    if isinstance(layer, layers.Rescaling):
        for name in ("scale", "offset"):
            value = np.asarray(getattr(layer, name))
            config[name] = (value.reshape(-1, 1, 1) if value.ndim else value).tolist()
    elif isinstance(layer, (layers.BatchNormalization, layers.Concatenate)):
        config["axis"] = AXES[config["axis"] % 4]
        if isinstance(layer, layers.BatchNormalization) and config["axis"] != 1:
            return OtherNormalization.from_config(config)
    elif "data_format" in config:
        config["data_format"] = "channels_first"
    elif len(layer.output.shape) == 3 or layer.name.startswith(TOKENS):
        pass  # tokens, which have no rows and columns
    elif not isinstance(layer, ELEMENTWISE):
        raise NotImplementedError(
            f"{layer.name}: {type(layer).__name__} is not supported channels first."
        )
    return type(layer).from_config(config)


class OtherNormalization(layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalisation, as the network is run, along another axis than the channels.

    The authors' Keras weights have it along rows. The runtime's own operation is for channels.
    """

    def call(self, inputs: Any, **_: Any) -> Any:
        """Return the inputs normalised by the statistics of training."""
        shape = [1, 1, 1, 1]
        shape[self.axis] = -1
        factor = self.gamma / ops.sqrt(self.moving_variance + self.epsilon)
        offset = self.beta - self.moving_mean * factor
        return inputs * ops.reshape(factor, shape) + ops.reshape(offset, shape)
