"""AnInsomniacy's rectifier, which also sees which positions are known."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from keras_tracknet.layers import KnownPositions
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.state import StateDict, fill_conv
from keras_tracknet.weights.spec import ModelSpec

WINDOW = 16  # the published length; pooled twice by two
STAGES = ("enc1", "enc2", "enc3", "dec2", "dec1")


def build(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build the rectifier: a one-dimensional U-Net with pooling."""
    filters = state.shape("enc1.0.weight")[0]
    coordinates = keras.Input((WINDOW, 2), name="coordinates")
    mask = keras.Input((WINDOW, 1), name="mask")
    known = KnownPositions(name="known")(coordinates)
    x = layers.Concatenate(name="input_concat")([coordinates, known, mask])
    skip1 = _stage(x, filters, "enc1")
    skip2 = _stage(layers.MaxPooling1D(2, name="enc1_pool")(skip1), 2 * filters, "enc2")
    x = _stage(layers.MaxPooling1D(2, name="enc2_pool")(skip2), 4 * filters, "enc3")
    x = layers.Concatenate(name="dec2_concat")([_enlarge(x, "dec2"), skip2])
    x = _stage(x, 2 * filters, "dec2")
    x = layers.Concatenate(name="dec1_concat")([_enlarge(x, "dec1"), skip1])
    x = _stage(x, filters, "dec1")
    outputs = layers.Conv1D(2, 1, activation="sigmoid", name="head")(x)
    model = keras.Model([coordinates, mask], outputs, name="rectifier_aninsomniacy")
    for stage in STAGES:
        for k in (1, 2):
            fill_conv(model, f"{stage}_conv{k}", state, f"{stage}.{2 * k - 2}")
    fill_conv(model, "head", state, "out")
    return model, ModelSpec("rectifier", WINDOW, 0, "none", (0, 0))


def _stage(x: Any, filters: int, name: str) -> Any:
    for k in (1, 2):
        x = layers.Conv1D(filters, 3, padding="same", name=f"{name}_conv{k}")(x)
        x = layers.LeakyReLU(negative_slope=0.1, name=f"{name}_conv{k}_relu")(x)
    return x


def _enlarge(x: Any, name: str) -> Any:
    """Double the length by linear interpolation; Keras has that for pictures only."""
    length, channels = x.shape[1:]
    x = layers.Reshape((length, 1, channels), name=f"{name}_picture")(x)
    x = layers.UpSampling2D((2, 1), interpolation="bilinear", name=f"{name}_up")(x)
    return layers.Reshape((2 * length, channels), name=f"{name}_line")(x)


FAMILY = Family(
    "aninsomniacy-rectifier",
    "TrackNetV3's rectifier (AnInsomniacy)",
    lambda state: {"dec2.0.weight", "out.weight"} <= set(state.arrays),
    build,
)
