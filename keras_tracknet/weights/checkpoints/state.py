"""A checkpoint's arrays by name, and how they get into Keras layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.models.blocks import UNET_CONVS, UNET_STAGES

COUNTER = ".num_batches_tracked"  # PyTorch counts; Keras has no use for it


@dataclass
class StateDict:
    """The arrays of a network in PyTorch's names, and which of them have been used.

    Attributes:
        arrays: by name.
        path: where they come from, for messages.
        settings: what the checkpoint says beside them, such as `param_dict`.
        used: names that a layer has taken.
        layers: names of the layers that took them.
    """

    arrays: Mapping[str, np.ndarray]
    path: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    layers: set[str] = field(default_factory=set)

    @property
    def unused(self) -> list[str]:
        """Names that no layer has taken, without PyTorch's counters."""
        return sorted(
            name for name in self.arrays if name not in self.used and not name.endswith(COUNTER)
        )

    def shape(self, name: str) -> tuple[int, ...]:
        """Return an array's shape; `InputError` when there is none of that name."""
        return self._find(name).shape

    def take(self, name: str) -> np.ndarray:
        """Return an array as float32, and note that it is used."""
        self.used.add(name)
        return np.asarray(self._find(name), np.float32)

    def _find(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            raise InputError(f"{self.path}: {name} is missing; download the checkpoint again.")
        return self.arrays[name]


def fill_conv(
    model: keras.Model,
    layer: str,
    state: StateDict,
    stem: str,
    *,
    order: np.ndarray | None = None,
    scale: float = 1.0,
) -> None:
    """Put a convolution's weights into a layer.

    Args:
        model: the network.
        layer: name of the layer.
        state: the checkpoint.
        stem: name of the weights without `.weight` and `.bias`; a bias is taken where the
            layer has one.
        order: for each input channel of the layer, the one of the checkpoint's.
        scale: factor on the kernel, for inputs in another unit.
    """
    kernel = state.take(f"{stem}.weight")  # (out, in, height, width), or (out, in, length)
    if order is not None:
        kernel = kernel[:, order]
    values = [np.moveaxis(kernel, (0, 1), (-1, -2)) * np.float32(scale)]
    target = model.get_layer(layer)
    if target.bias is not None:
        values.append(state.take(f"{stem}.bias"))
    _fill(target, values, state, stem)


def fill_norm(model: keras.Model, layer: str, state: StateDict, stem: str) -> None:
    """Put a batch normalisation's weights into a layer; arguments as for `fill_conv`."""
    names = ("weight", "bias", "running_mean", "running_var")
    values = [state.take(f"{stem}.{name}") for name in names]
    _fill(model.get_layer(layer), values, state, stem)


def fill_blocks(
    model: keras.Model,
    state: StateDict,
    blocks: Iterable[tuple[str, str, str]],
    *,
    orders: Mapping[str, np.ndarray] | None = None,
    scales: Mapping[str, float] | None = None,
) -> None:
    """Fill convolution blocks.

    Args:
        model: the network.
        state: the checkpoint.
        blocks: (layer, stem of its convolution, stem of its normalisation).
        orders, scales: of some layers, as for `fill_conv`.
    """
    orders, scales = orders or {}, scales or {}
    for layer, conv, norm in blocks:
        order, scale = orders.get(layer), scales.get(layer, 1.0)
        fill_conv(model, layer, state, conv, order=order, scale=scale)
        fill_norm(model, f"{layer}_bn", state, norm)


def unet_layers(convs: Iterable[int] = UNET_CONVS) -> list[tuple[str, int, int]]:
    """Return (layer, number of its stage from 0, its own number in there from 1)."""
    return [
        (f"{stage}_conv{k}", number, k)
        for number, (stage, count) in enumerate(zip(UNET_STAGES, convs, strict=True))
        for k in range(1, count + 1)
    ]


def reorder_frames(
    frames: int, *, newest_first: bool = False, bgr: bool = False, background_last: bool = False
) -> np.ndarray:
    """Return where a checkpoint has the channels that this package feeds a network.

    Args:
        frames: pictures in its input, the background among them.
        newest_first: whether its frames go backwards.
        bgr: whether its colours go backwards.
        background_last: whether its background stands behind the frames, not before them.

    Returns:
        `(3 x frames,)` int: for each channel of the package's, that of the checkpoint's.
    """
    pictures = np.arange(3 * frames).reshape(frames, 3)
    if background_last:
        pictures = np.roll(pictures, 1, axis=0)
    if newest_first:
        pictures = pictures[::-1]
    if bgr:
        pictures = pictures[:, ::-1]
    return pictures.ravel()


def swap_skips(up: int, skip: int) -> np.ndarray:
    """Return the order for `fill_conv` that turns [skip, up] channels into [up, skip]."""
    return np.concatenate([skip + np.arange(up), np.arange(skip)])


def _fill(layer: Any, values: list[np.ndarray], state: StateDict, stem: str) -> None:
    expected = [tuple(weight.shape) for weight in layer.weights]
    found = [value.shape for value in values]
    if expected != found:
        raise InputError(
            f"{state.path}: {stem} has shapes {found}, expected {expected}; the network was"
            " modified and is not supported."
        )
    layer.set_weights(values)
    state.layers.add(layer.name)
