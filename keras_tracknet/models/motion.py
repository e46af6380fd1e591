"""Layers of V4 and V5 that look for motion: attention to what changes, and how it gates maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue
FUSIONS = ("a", "b", "stack", "mean")


@keras.saving.register_keras_serializable("keras_tracknet")
class MotionPrompt(keras.layers.Layer):  # type: ignore[misc]
    """Attention to motion: by how much each pixel's brightness changes from frame to frame.

    With d the change in brightness, the attention is logistic(k (|d| - m)), where k = 5 /
    (0.45 |tanh a| + epsilon) and m = 0.6 tanh b. The scalars a and b are trained (TrackNetV4:
    Raj et al. 2025, section 2.1, as in the published code; TrackNetV5's motion direction
    decoupling, arXiv 2512.02789).

    Args:
        frames: RGB frames in the input.
        background: what else the input holds, as for `build_v3`: `none`, `concat` or
            `subtract_concat`.
        signed: whether pixels that become brighter and those that become darker have maps of
            their own (V5).
        gain: factor on all changes. V4's published code has 0.225.
        epsilon: keeps k finite.
        start: initial a and b.
        luminance: weights of red, green and blue in the brightness.
        linear: use a as k, and b as -k m: logistic(a |d| + b). Some PyTorch code does.
        data_format: `channels_last` or `channels_first`.

    Input shape:
        `(batch, height, width, channels)`, 0 to 1.

    Output shape:
        `(batch, height, width, frames - 1)`, attention 0 to 1 in float32; when `signed`, twice as
        many: all maps of what becomes brighter, then all of what becomes darker.
    """

    def __init__(
        self,
        frames: int,
        background: str = "none",
        signed: bool = False,
        gain: float = 0.225,
        epsilon: float = 0.1,
        start: Sequence[float] = (0.1, 0.0),
        luminance: Sequence[float] = LUMINANCE,
        linear: bool = False,
        data_format: str = "channels_last",
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.frames, self.background, self.signed = frames, background, signed
        self.gain, self.epsilon, self.start = gain, epsilon, tuple(start)
        self.luminance, self.linear, self.data_format = tuple(luminance), linear, data_format

    def build(self, input_shape: Any) -> None:
        """Make the two scalars."""
        constant = keras.initializers.Constant
        self.a = self.add_weight(shape=(), initializer=constant(self.start[0]), name="a")
        self.b = self.add_weight(shape=(), initializer=constant(self.start[1]), name="b")

    def call(self, inputs: Any) -> Any:
        """Return the attention."""
        change = self.gain * self._find_changes(inputs)
        axis = 1 if self.data_format == "channels_first" else -1
        if self.signed:
            size = ops.concatenate([ops.relu(change), ops.relu(-change)], axis=axis)
        else:
            size = ops.abs(change)
        if self.linear:
            return ops.sigmoid(self.a * size + self.b)
        slope = 5.0 / (0.45 * ops.abs(ops.tanh(self.a)) + self.epsilon)
        return ops.sigmoid(slope * (size - 0.6 * ops.tanh(self.b)))

    def _find_changes(self, inputs: Any) -> Any:
        """Return the change in brightness from each frame to the next."""
        shape = ops.shape(inputs)
        weights = ops.convert_to_tensor(self.luminance, dtype="float32")
        skip = 3 if self.background == "concat" else 0
        each = 4 if self.background == "subtract_concat" else 3
        if self.data_format == "channels_first":
            pictures = ops.reshape(inputs[:, skip:], (-1, self.frames, each, *shape[2:]))
            grey = ops.sum(pictures[:, :, :3] * ops.reshape(weights, (3, 1, 1)), axis=2)
            return grey[:, 1:] - grey[:, :-1]
        pictures = ops.reshape(inputs[..., skip:], (-1, *shape[1:3], self.frames, each))
        grey = ops.sum(pictures[..., :3] * weights, axis=-1)
        return grey[..., 1:] - grey[..., :-1]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the attention."""
        maps = (self.frames - 1) * (2 if self.signed else 1)
        if self.data_format == "channels_first":
            return (input_shape[0], maps, *input_shape[2:])
        return (*input_shape[:-1], maps)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        names = ("frames", "background", "signed", "gain", "epsilon", "start", "luminance")
        own = {name: getattr(self, name) for name in (*names, "linear", "data_format")}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("keras_tracknet")
class MotionFusion(keras.layers.Layer):  # type: ignore[misc]
    """Gates maps by the attention of `MotionPrompt`.

    Args:
        fusion: what becomes of the maps z by the attention A:
            `a`: z0, then each later map times the attention of the change that leads to it (V4,
            equation 4);
            `b`: each map times the mean attention of the changes beside it, which V4's published
            code offers;
            `stack`: all maps, then all times A0, all times A1 and so on;
            `mean`: all maps times the mean attention.
        data_format: `channels_last` or `channels_first`.

    Input shape:
        Maps `(batch, height, width, channels)`, for `a` and `b` one per frame; attention
        `(batch, height, width, frames - 1)` or more, whose first maps count.

    Output shape:
        `(batch, height, width, channels)` in float32; for `stack`, times the frames.
    """

    def __init__(
        self, fusion: str = "a", data_format: str = "channels_last", **kwargs: Any
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        if fusion not in FUSIONS:
            raise ValueError(
                f"`fusion` must be one of {', '.join(FUSIONS)}. Received: fusion={fusion!r}"
            )
        self.fusion, self.data_format = fusion, data_format

    def call(self, inputs: Any) -> Any:
        """Return the gated maps."""
        maps, attention = inputs
        axis = 1 if self.data_format == "channels_first" else -1
        count = maps.shape[axis] - 1 if self.fusion in ("a", "b") else attention.shape[axis]
        changes = [_take(attention, k, axis) for k in range(count)]
        if self.fusion == "mean":
            return maps * ops.mean(attention, axis=axis, keepdims=True)
        if self.fusion == "stack":
            return ops.concatenate([maps, *(maps * change for change in changes)], axis=axis)
        if self.fusion == "a":
            gates = [ops.ones_like(changes[0]), *changes]
        else:
            before, after = [changes[0], *changes], [*changes, changes[-1]]
            gates = [0.5 * (a + b) for a, b in zip(before, after, strict=True)]
        return maps * ops.concatenate(gates, axis=axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the gated maps."""
        maps, attention = (list(shape) for shape in input_shape)
        if self.fusion == "stack":
            axis = 1 if self.data_format == "channels_first" else -1
            maps[axis] *= 1 + attention[axis]
        return tuple(maps)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "fusion": self.fusion, "data_format": self.data_format}


def _take(values: Any, index: int, axis: int) -> Any:
    """Return one channel, kept as an axis of length 1."""
    here = slice(index, index + 1)
    return values[:, here] if axis == 1 else values[..., here]
