"""What a family of checkpoints is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from keras_tracknet.weights.checkpoints.state import StateDict
from keras_tracknet.weights.spec import ModelSpec

Size = tuple[int, int]  # (height, width), pixels


@dataclass(frozen=True)
class Family:
    """Checkpoints of one code base and network.

    Attributes:
        name: as in `tracknet convert --family NAME`.
        title: for people.
        recognises: whether a checkpoint is one of these.
        build: the network with the checkpoint's weights, and its specification, at an input
            size of (height, width) pixels or, for None, that which it was published for.
        ignores: parts of names of weights that the published network has and does not use.
    """

    name: str
    title: str
    recognises: Callable[[StateDict], bool]
    build: Callable[[StateDict, Size | None], tuple[keras.Model, ModelSpec]]
    ignores: tuple[str, ...] = ()
