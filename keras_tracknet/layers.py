"""Layers that the networks need and Keras does not have."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_tracknet.models.linker import LinkMessages
from keras_tracknet.models.motion import MotionFusion, MotionPrompt
from keras_tracknet.models.patches import (
    AlignedUpSampling,
    JoinPatches,
    SplitPatches,
    TokenPositions,
)

__all__ = [
    "AlignedUpSampling",
    "CachedDifference",
    "CachedShift",
    "Consensus",
    "FrameDifference",
    "JoinPatches",
    "KnownPositions",
    "LinkMessages",
    "MotionFusion",
    "MotionPrompt",
    "SplitPatches",
    "TemporalShift",
    "TokenPositions",
    "temporal_shift",
]


def temporal_shift(x: Any, divisor: int = 8, *, bidirectional: bool = True) -> Any:
    """Move a part of the channels by one frame in time (Lin et al. 2019, section 3.1).

    With `fold` the channels divided by `divisor`, rounded down: offline, the first `fold`
    channels come from the next frame and the second `fold` from the one before; online, the
    first `fold` come from the frame before. The others stay. What comes from beyond the clip is
    0. No weights, no multiplications.

    Args:
        x: `(batch, frames, ..., channels)`.
        divisor: one channel in so many moves in each direction.
        bidirectional: `True` for offline, `False` for online, which never looks ahead.

    Returns:
        Same shape.

    Example:
        >>> x = ops.reshape([1.0, 2, 3, 10, 20, 30], (1, 2, 3))  # two frames, three channels
        >>> ops.convert_to_numpy(temporal_shift(x, 3))[0].tolist()
        [[10.0, 0.0, 3.0], [0.0, 2.0, 30.0]]
    """
    fold = x.shape[-1] // divisor
    first, zero = x[..., :fold], ops.zeros_like(x[:, :1, ..., :fold])
    if not bidirectional:
        past = ops.concatenate([zero, first[:, :-1]], axis=1)
        return ops.concatenate([past, x[..., fold:]], axis=-1)
    future = ops.concatenate([first[:, 1:], zero], axis=1)
    past = ops.concatenate([zero, x[:, :-1, ..., fold : 2 * fold]], axis=1)
    return ops.concatenate([future, past, x[..., 2 * fold :]], axis=-1)


@keras.saving.register_keras_serializable("keras_tracknet")
class TemporalShift(keras.layers.Layer):  # type: ignore[misc]
    """`temporal_shift` for a network that takes the frames of a clip as a batch.

    Args:
        frames: frames of a clip.
        divisor, bidirectional: as for `temporal_shift`.

    Input shape:
        `(batch x frames, height, width, channels)`, a clip's frames next to each other.

    Output shape:
        Same as the input.

    Raises:
        ValueError: `frames` or `divisor` below 1; fewer than two channels in `divisor` would
            have to move both ways.
    """

    def __init__(
        self, frames: int, divisor: int = 8, bidirectional: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        for name, value, least in (("frames", frames, 1), ("divisor", divisor, 1 + bidirectional)):
            if value < least:
                raise ValueError(f"`{name}` must be at least {least}. Received: {name}={value}")
        self.frames, self.divisor, self.bidirectional = frames, divisor, bidirectional

    def call(self, inputs: Any) -> Any:
        """Return the inputs with a part of their channels moved."""
        shape = tuple(inputs.shape[1:])
        clips = ops.reshape(inputs, (-1, self.frames, *shape))
        shifted = temporal_shift(clips, self.divisor, bidirectional=self.bidirectional)
        return ops.reshape(shifted, (-1, *shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {
            **super().get_config(),
            "frames": self.frames,
            "divisor": self.divisor,
            "bidirectional": self.bidirectional,
        }


@keras.saving.register_keras_serializable("keras_tracknet")
class CachedShift(keras.layers.Layer):  # type: ignore[misc]
    """The online `temporal_shift` of a stream that comes one frame a call.

    Keeps the channels that move until the next call (Lin et al. 2019, section 3.3), so that a
    stream gives what `TemporalShift(frames, bidirectional=False)` gives for all its frames at
    once. `reset` begins another stream.

    Args:
        streams: streams that are fed side by side.
        divisor: as for `temporal_shift`.

    Input shape:
        `(streams, height, width, channels)`, one frame of each stream.

    Output shape:
        Same as the input.
    """

    def __init__(self, streams: int = 1, divisor: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.streams, self.divisor = streams, divisor

    def build(self, input_shape: Any) -> None:
        """Make room for the channels that move."""
        self.fold = input_shape[-1] // self.divisor
        self.cache = self.add_weight(
            shape=(self.streams, *input_shape[1:-1], self.fold),
            initializer="zeros",
            trainable=False,
            name="cache",
        )

    def call(self, inputs: Any) -> Any:
        """Return the inputs with a part of their channels those of the call before."""
        before = ops.cast(self.cache, inputs.dtype)
        shifted = ops.concatenate([before, inputs[..., self.fold :]], axis=-1)
        # Only now: `before` may be the cache itself, not a copy.
        self.cache.assign(ops.cast(inputs[..., : self.fold], self.cache.dtype))
        return shifted

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input's shape."""
        return input_shape

    def reset(self) -> None:
        """Forget the stream."""
        self.cache.assign(ops.zeros(self.cache.shape))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "streams": self.streams, "divisor": self.divisor}


@keras.saving.register_keras_serializable("keras_tracknet")
class FrameDifference(keras.layers.Layer):  # type: ignore[misc]
    """By how much each frame of a clip differs from the one before.

    One of the inputs of Wang et al. 2016 ("RGB difference"). What stands still is 0, as is the
    first frame.

    Input shape:
        `(batch, frames, height, width, channels)`.

    Output shape:
        Same as the input.
    """

    def call(self, inputs: Any) -> Any:
        """Return the differences."""
        zero = ops.zeros_like(inputs[:, :1])
        return ops.concatenate([zero, inputs[:, 1:] - inputs[:, :-1]], axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input's shape."""
        return input_shape


@keras.saving.register_keras_serializable("keras_tracknet")
class CachedDifference(keras.layers.Layer):  # type: ignore[misc]
    """The `FrameDifference` of a stream that comes one frame a call; `reset` begins another.

    Args:
        streams: streams that are fed side by side.

    Input shape:
        `(streams, 1, height, width, channels)`, one frame of each stream.

    Output shape:
        Same as the input.
    """

    def __init__(self, streams: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.streams = streams

    def build(self, input_shape: Any) -> None:
        """Make room for a frame."""
        shape = (self.streams, *input_shape[1:])
        fresh = {"initializer": "zeros", "trainable": False}
        self.cache = self.add_weight(shape=shape, name="cache", **fresh)
        self.begun = self.add_weight(shape=(), name="begun", **fresh)

    def call(self, inputs: Any) -> Any:
        """Return the difference to the call before."""
        difference = ops.cast(self.begun, inputs.dtype) * (
            inputs - ops.cast(self.cache, inputs.dtype)
        )
        self.cache.assign(ops.cast(inputs, self.cache.dtype))
        self.begun.assign(ops.ones(()))
        return difference

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input's shape."""
        return input_shape

    def reset(self) -> None:
        """Forget the stream."""
        self.begun.assign(ops.zeros(()))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "streams": self.streams}


@keras.saving.register_keras_serializable("keras_tracknet")
class KnownPositions(keras.layers.Layer):  # type: ignore[misc]
    """Says which positions are known: those that are not 0 in both coordinates.

    Input shape:
        `(batch, window, 2)`, (x, y) as fractions of picture width and height, 0 where unknown.

    Output shape:
        `(batch, window, 1)`, 1 where known, else 0.
    """

    def call(self, inputs: Any) -> Any:
        """Return what is known."""
        return ops.cast(ops.max(ops.abs(inputs), axis=-1, keepdims=True) > 0, inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return one value for each position."""
        return (*input_shape[:-1], 1)


@keras.saving.register_keras_serializable("keras_tracknet")
class Consensus(keras.layers.Layer):  # type: ignore[misc]
    """The mean of what is said of a clip's frames (Wang et al. 2016, equation 1).

    Args:
        frames: frames of a clip.

    Input shape:
        `(batch x frames, values)`, a clip's frames next to each other.

    Output shape:
        `(batch, values)`.
    """

    def __init__(self, frames: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frames = frames

    def call(self, inputs: Any) -> Any:
        """Return the mean over each clip's frames."""
        return ops.mean(ops.reshape(inputs, (-1, self.frames, inputs.shape[-1])), axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return one row a clip."""
        batch = input_shape[0]
        return (None if batch is None else batch // self.frames, *input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "frames": self.frames}
