"""Networks small enough to run in a test, and what to feed them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_tracknet.models.linker import build_linker
from keras_tracknet.models.rectifier import build_rectifier
from keras_tracknet.models.tsm import build_tsm
from keras_tracknet.models.v1 import build_v1
from keras_tracknet.models.v2 import build_v2
from keras_tracknet.models.v3 import build_v3
from keras_tracknet.models.v4 import build_v4
from keras_tracknet.models.v5 import build_v5
from keras_tracknet.models.wasb import build_wasb

SIZE = (32, 64)  # (height, width)
BUILDERS = {
    "v1": build_v1,
    "v2": build_v2,
    "v3": build_v3,
    "v4": build_v4,
    "v5": build_v5,
    "wasb": build_wasb,
    "rectifier": build_rectifier,
    "linker": build_linker,
    "tsm": build_tsm,
}
KINDS = tuple(BUILDERS)
TRACKERS = ("v1", "v2", "v3")
TINY: dict[str, dict[str, Any]] = {
    "v1": {"input_size": SIZE, "width_multiplier": 0.05},
    "v2": {"input_size": SIZE, "width_multiplier": 0.05},
    "v3": {"input_size": SIZE, "width_multiplier": 0.05, "frames": 4},
    "v4": {"input_size": SIZE, "width_multiplier": 0.05},
    "v5": {"input_size": SIZE, "width_multiplier": 0.05},
    "wasb": {"input_size": SIZE, "width_multiplier": 0.1},
    "rectifier": {"width_multiplier": 0.1},
    "linker": {"window": 8, "width_multiplier": 0.2},
    "tsm": {"input_size": SIZE, "width_multiplier": 0.1, "frames": 4},
}


def build_tiny(kind: str, **settings: Any) -> keras.Model:
    return BUILDERS[kind](**{**TINY[kind], **settings})


def randomize_weights(model: keras.Model, seed: int = 0) -> keras.Model:
    """Set every weight so that the output depends on all of them and on the input."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name.endswith("kernel"):
            reach = weight.shape[:2] if "depthwise" in weight.path else weight.shape[:-1]
            values = rng.normal(0, np.sqrt(2 / np.prod(reach)), weight.shape)
        elif weight.name in ("gamma", "moving_variance"):
            values = rng.uniform(0.5, 1.5, weight.shape)
        else:
            values = rng.normal(0, 0.1, weight.shape)
        weight.assign(values.astype(np.float32))
    return model


def draw_inputs(model: keras.Model, batch: int = 2, seed: int = 0) -> Any:
    """Return one random array for a tracker, [coordinates, mask] for a rectifier."""
    rng = np.random.default_rng(seed)
    arrays = [rng.uniform(0, 1, (batch, *i.shape[1:])).astype(np.float32) for i in model.inputs]
    return arrays[0] if len(arrays) == 1 else arrays


def run(model: keras.Model, inputs: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(inputs, training=False)))
