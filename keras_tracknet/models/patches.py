"""Layers of V5: maps cut into tokens, tokens joined into maps, and maps made larger.

A token stands for one patch of one map. Tokens are in the order of the maps, and in each map row by
row.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_tracknet")
class SplitPatches(keras.layers.Layer):  # type: ignore[misc]
    """Cuts every map into square patches.

    Args:
        patch: side of a patch, pixels.
        data_format: of the input, `channels_last` or `channels_first`.

    Input shape:
        `(batch, height, width, maps)`, height and width multiples of `patch`.

    Output shape:
        `(batch, maps x patches, patch x patch)`.
    """

    def __init__(self, patch: int = 16, data_format: str = "channels_last", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patch, self.data_format = patch, data_format

    def call(self, inputs: Any) -> Any:
        """Return the patches."""
        side, (_, height, width, maps) = self.patch, self._sort(inputs.shape)
        rows, columns = height // side, width // side
        if self.data_format == "channels_first":
            cut = ops.reshape(inputs, (-1, maps, rows, side, columns, side))
            cut = ops.transpose(cut, (0, 1, 2, 4, 3, 5))
        else:
            cut = ops.reshape(inputs, (-1, rows, side, columns, side, maps))
            cut = ops.transpose(cut, (0, 5, 1, 3, 2, 4))
        return ops.reshape(cut, (-1, maps * rows * columns, side * side))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the tokens."""
        batch, height, width, maps = self._sort(input_shape)
        patches = (height // self.patch) * (width // self.patch)
        return (batch, maps * patches, self.patch**2)

    def _sort(self, shape: Any) -> tuple[Any, ...]:
        """Return (batch, height, width, maps)."""
        if self.data_format == "channels_first":
            return shape[0], shape[2], shape[3], shape[1]
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "patch": self.patch, "data_format": self.data_format}


@keras.saving.register_keras_serializable("keras_tracknet")
class JoinPatches(keras.layers.Layer):  # type: ignore[misc]
    """Puts patches together again: undoes `SplitPatches`.

    Args:
        height, width: of the maps, pixels.
        patch: side of a patch, pixels.
        data_format: of the output, `channels_last` or `channels_first`.

    Input shape:
        `(batch, maps x patches, patch x patch)`.

    Output shape:
        `(batch, height, width, maps)`.
    """

    def __init__(
        self,
        height: int,
        width: int,
        patch: int = 16,
        data_format: str = "channels_last",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.height, self.width, self.patch = height, width, patch
        self.data_format = data_format

    def call(self, inputs: Any) -> Any:
        """Return the maps."""
        side, rows, columns = self.patch, self.height // self.patch, self.width // self.patch
        maps = inputs.shape[1] // (rows * columns)
        cut = ops.reshape(inputs, (-1, maps, rows, columns, side, side))
        if self.data_format == "channels_first":
            joined = ops.transpose(cut, (0, 1, 2, 4, 3, 5))
            return ops.reshape(joined, (-1, maps, self.height, self.width))
        joined = ops.transpose(cut, (0, 2, 4, 3, 5, 1))
        return ops.reshape(joined, (-1, self.height, self.width, maps))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the maps."""
        patches = (self.height // self.patch) * (self.width // self.patch)
        maps = input_shape[1] // patches
        if self.data_format == "channels_first":
            return (input_shape[0], maps, self.height, self.width)
        return (input_shape[0], self.height, self.width, maps)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        names = ("height", "width", "patch", "data_format")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("keras_tracknet")
class TokenPositions(keras.layers.Layer):  # type: ignore[misc]
    """Adds to each token what is learned about its place in the picture, and about its map.

    Args:
        maps: maps that the tokens are of.

    Input shape:
        `(batch, maps x patches, values)`.

    Output shape:
        Same as the input.
    """

    def __init__(self, maps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.maps = maps

    def build(self, input_shape: Any) -> None:
        """Make the embeddings; both start as normal noise."""
        patches, values = input_shape[1] // self.maps, input_shape[2]
        noise = keras.initializers.RandomNormal
        self.space = self.add_weight(
            shape=(1, patches, values), initializer=noise(stddev=1.0), name="space"
        )
        self.time = self.add_weight(
            shape=(1, self.maps, values), initializer=noise(stddev=1.0), name="time"
        )

    def call(self, inputs: Any) -> Any:
        """Return the tokens with their places."""
        _, tokens, values = inputs.shape
        places = ops.expand_dims(self.space, 1) + ops.expand_dims(self.time, 2)
        return inputs + ops.cast(ops.reshape(places, (1, tokens, values)), inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "maps": self.maps}


@keras.saving.register_keras_serializable("keras_tracknet")
class AlignedUpSampling(keras.layers.Layer):  # type: ignore[misc]
    """Doubles the size of maps by linear interpolation with aligned corners.

    The first and the last pixel stay where they are, as in PyTorch with `align_corners=True`;
    Keras's `UpSampling2D` aligns the outer edges of the pixels.

    Args:
        data_format: `channels_last` or `channels_first`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, 2 x height, 2 x width, channels)`.
    """

    def __init__(self, data_format: str = "channels_last", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format

    def call(self, inputs: Any) -> Any:
        """Return the maps enlarged."""
        first = self.data_format == "channels_first"
        height, width = inputs.shape[2:] if first else inputs.shape[1:3]
        down, across = (interpolate_aligned(side) for side in (height, width))
        across = across.T if first else across
        down, across = (ops.convert_to_tensor(m, dtype=inputs.dtype) for m in (down, across))
        if first:
            return ops.matmul(down, ops.matmul(inputs, across))
        channels = inputs.shape[-1]
        rows = ops.reshape(inputs, (-1, height, width * channels))
        rows = ops.reshape(ops.matmul(down, rows), (-1, 2 * height, width, channels))
        return ops.matmul(across, rows)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the enlarged maps."""
        sides = slice(2, 4) if self.data_format == "channels_first" else slice(1, 3)
        shape = list(input_shape)
        shape[sides] = [None if side is None else 2 * side for side in shape[sides]]
        return tuple(shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "data_format": self.data_format}


def interpolate_aligned(length: int) -> np.ndarray:
    """Return the matrix that doubles a line of pixels, its ends aligned.

    Args:
        length: pixels in the line.

    Returns:
        `(2 x length, length)` float32.
    """
    places = np.arange(2 * length) * (length - 1) / (2 * length - 1)
    shares: np.ndarray = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(length)))
    return shares.astype(np.float32)
