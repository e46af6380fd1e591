"""The linker, which says which peak of each heatmap is the ball: a network of our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_tracknet.models.blocks import check_count, keras_defaults, scale_filters

OFFSETS = (1, 2, 3, 4, 6, 10)  # frames to those whose candidates send messages, both ways
REACH = 9  # frames that decide together whether there is a ball


@keras.saving.register_keras_serializable("keras_tracknet")
class LinkMessages(keras.layers.Layer):  # type: ignore[misc]
    """What the candidates of the frames around, and of its own frame, tell each candidate.

    A message depends on the step from one candidate to the other, divided by the frames between
    them; on the heat of the other; and on what is known of both. Of all messages from earlier
    frames the greatest value of each channel counts, and so it is with those from its own frame and
    from later ones, as in the edge convolution of Wang et al. 2019 (arXiv:1801.07829, section 3.1).

    Args:
        units: channels of a message.
        offsets: frames from a candidate to those that it hears from.

    Input shape:
        `candidates`: `(batch, frames, candidates, 3)`, see `build_linker`; `states`: `(batch,
        frames, candidates, channels)`.

    Output shape:
        `(batch, frames, candidates, 3 x units)`: from earlier frames, its own and later ones; 0
        where there is no candidate to send any.
    """

    def __init__(self, units: int, offsets: Sequence[int] = OFFSETS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.offsets = units, tuple(offsets)
        self.ways = (*(-offset for offset in self.offsets), 0, *self.offsets)

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        channels, units, ways = input_shape[1][-1], self.units, len(self.ways)
        self.step_kernel = self.add_weight(shape=(5, units), name="step_kernel")
        self.own_kernel = self.add_weight(shape=(channels, units), name="own_kernel")
        self.other_kernel = self.add_weight(shape=(channels, units), name="other_kernel")
        self.kernel = self.add_weight(shape=(units, units), name="kernel")
        zeros: dict[str, Any] = {"initializer": "zeros"}
        self.step_bias = self.add_weight(shape=(ways, 1, 1, units), name="step_bias", **zeros)
        self.bias = self.add_weight(shape=(units,), name="bias", **zeros)

    def call(self, inputs: Any) -> Any:
        """Return the messages."""
        candidates, states = inputs
        sent = ops.concatenate([candidates, ops.matmul(states, self.other_kernel)], axis=-1)
        others = self._look_around(sent)[:, :, :, None]
        frames = ops.reshape([float(max(abs(way), 1)) for way in self.ways], (-1, 1, 1, 1))
        step = others[..., :2] - candidates[:, :, None, :, None, :2]
        step = step / ops.cast(frames, step.dtype)  # (batch, frames, ways, receivers, senders, 2)
        heat = others[..., 2:3] * ops.ones_like(step[..., :1])
        length = ops.sqrt(ops.sum(ops.square(step), axis=-1, keepdims=True) + 1e-8)
        edge = [10 * step, ops.minimum(10 * length, 3.0), ops.log(length + 0.003), heat]
        hidden = ops.matmul(ops.concatenate(edge, axis=-1), self.step_kernel)
        hidden = hidden + self.step_bias + others[..., 3:]
        hidden = hidden + ops.matmul(states, self.own_kernel)[:, :, None, :, None]
        messages = ops.relu(ops.matmul(ops.relu(hidden), self.kernel) + self.bias)
        messages = ops.where(heat > 0, messages, 0.0)
        heard = ops.max(messages, axis=4)  # (batch, frames, ways, receivers, units)
        half = len(self.offsets)
        groups = [slice(0, half), slice(half, half + 1), slice(half + 1, None)]
        return ops.concatenate([ops.max(heard[:, :, g], axis=2) for g in groups], axis=-1)

    def _look_around(self, x: Any) -> Any:
        """Return what is around each frame: `(batch, frames, ways, candidates, channels)`."""
        most, frames = max(self.offsets), x.shape[1]
        padded = ops.pad(x, [[0, 0], [most, most], [0, 0], [0, 0]])
        starts = [most + way for way in self.ways]
        return ops.stack([padded[:, start : start + frames] for start in starts], axis=2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the messages."""
        return (*input_shape[0][:-1], 3 * self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "units": self.units, "offsets": self.offsets}


@keras_defaults()
def build_linker(
    *,
    window: int = 32,
    candidates: int = 5,
    rounds: int = 3,
    width_multiplier: float = 1.0,
    dropout: float = 0.1,
    name: str = "tracknet_linker",
) -> keras.Model:
    """Build the linker, which chooses among the peaks of heatmaps by how they line up in time.

    Every candidate has a state. In each round it hears from the candidates around it, see
    `LinkMessages`. The network is our own; TrackNet takes the largest blob of each heatmap by
    itself.

    Args:
        window: frames in a window.
        candidates: peaks of a frame's heatmap, the highest first.
        rounds: how often messages are sent.
        width_multiplier: factor on the number of channels of every layer.
        dropout: share of a state's update that is left out in training.
        name: name of the model.

    Input shape:
        `(batch, window, candidates, 3)`: (x, y) from the centre of the picture, in heights of the
        picture, and the peak's height in the heatmap, 0 to 1; all 0 where there are fewer peaks.

    Output shape:
        `(batch, window, candidates + 1)`: the probability of each candidate that it is the ball,
        and in the last place that none is.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: fewer than one frame, candidate or round, or a width multiplier of 0 or less.

    Example:
        >>> build_linker().output_shape
        (None, 32, 6)
    """
    for label, value in (("window", window), ("candidates", candidates), ("rounds", rounds)):
        check_count(label, value)
    units = scale_filters(24, width_multiplier)

    inputs = keras.Input((window, candidates, 3), name="candidates")
    states = layers.Dense(units, activation="relu", name="embed1")(inputs)
    states = layers.Dense(units, name="embed2")(states)
    for number in range(1, rounds + 1):
        x = LinkMessages(units, name=f"round{number}_messages")([inputs, states])
        x = layers.Concatenate(name=f"round{number}_concat")([states, x])
        x = layers.Dense(units, activation="relu", name=f"round{number}_dense1")(x)
        x = layers.Dropout(dropout, name=f"round{number}_dropout")(x)
        x = layers.Dense(units, name=f"round{number}_dense2")(x)
        states = layers.Add(name=f"round{number}_add")([states, x])

    each = layers.Dense(1, name="each")(layers.ReLU(name="each_relu")(states))
    each = layers.Reshape((window, candidates), name="each_flat")(each)
    none = layers.Reshape((window, candidates * units), name="none_flat")(states)
    none = layers.Conv1D(units, REACH, padding="same", activation="relu", name="none_conv")(none)
    none = layers.Dense(1, name="none")(none)
    logits = layers.Concatenate(name="logits")([each, none])
    outputs = layers.Softmax(dtype="float32", name="choice")(logits)
    return keras.Model(inputs, outputs, name=name)
