"""The authors' own Keras weights of V1, V2 and V4, in HDF5 or a `.keras` archive.

Their networks are channels-first while their batch normalisation is left at the last axis,
which is the picture's width: such weights are right at the width that they were trained at only.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.models.blocks import as_probability, heatmap_head, heatmap_logits, unet
from keras_tracknet.models.motion import MotionFusion, MotionPrompt
from keras_tracknet.weights.archive import WEIGHTS_NAME
from keras_tracknet.weights.checkpoints import v1
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.hdf5_file import MOST_BYTES, check_hdf5, read_layers
from keras_tracknet.weights.checkpoints.motion_prompts import fill_prompt
from keras_tracknet.weights.checkpoints.state import StateDict, fill_blocks, fill_conv, unet_layers
from keras_tracknet.weights.spec import ModelSpec

NORM = {"epsilon": 1e-3, "momentum": 0.99}  # Keras's defaults, which the authors left alone
MOST_CONFIG = 2**24  # bytes of an archive's description of its network
SCALE = 255.0  # V1 was fed with bytes as they are
# (stem of a convolution, of its normalisation); V2's last convolution has none
STEMS = [(f"keras.conv{number}", f"keras.norm{number}") for number in range(1, 19)]


def read_keras_file(path: Path) -> StateDict:
    """Read the convolutions and normalisations of a Keras model in their order.

    Args:
        path: HDF5, whatever its suffix, or a `.keras` archive.

    Returns:
        Arrays by names such as `keras.conv1.weight`, in PyTorch's order of axes; for V4 with
        `fusion` among the settings.

    Raises:
        InputError: an archive that Keras cannot load, or what `read_layers` refuses.
    """
    settings: dict[str, str] = {}
    if zipfile.is_zipfile(path):
        weights, settings = _read_archive(path)
    else:
        weights = read_layers(path)
    arrays: dict[str, np.ndarray] = {}
    convs = norms = others = 0
    for values in weights:
        shapes = [np.ndim(value) for value in values]
        if shapes in ([4], [4, 1]):
            convs += 1
            arrays[f"keras.conv{convs}.weight"] = np.transpose(values[0], (3, 2, 0, 1))
            if len(values) == 2:
                arrays[f"keras.conv{convs}.bias"] = values[1]
        elif shapes == [0, 0]:
            arrays |= {"keras.motion.a": values[0], "keras.motion.b": values[1]}
        elif shapes == [1, 1, 1, 1]:
            norms += 1
            names = ("weight", "bias", "running_mean", "running_var")
            for name, value in zip(names, values, strict=True):
                arrays[f"keras.norm{norms}.{name}"] = value
        elif values:  # no layer of these networks: a checkpoint with one has been altered
            others += 1
            arrays |= {f"keras.other{others}.{k}": value for k, value in enumerate(values)}
    return StateDict(arrays, path, settings)


def build_v1(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build V1; its BGR frames of 0 to 255, newest first, become RGB of 0 to 1, oldest first."""
    size, norm = _choose_size(state, size)
    return v1.build_v1(
        state,
        size,
        STEMS,
        name="tracknet_v1_original",
        newest_first_bgr=True,
        scale=SCALE,
        norm_first=False,
        use_bias=True,
        norm=norm,
    )


def build_v2(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build V2."""
    heatmaps = state.shape("keras.conv18.weight")[0]
    inputs, x, size = _apply_body(state, size)
    outputs = heatmap_head(x, heatmaps, output_bias=0.0)
    model = keras.Model(inputs, outputs, name="tracknet_v2_original")
    _fill_body(model, state)
    return model, ModelSpec("v2", inputs.shape[-1] // 3, heatmaps, "none", size)


def build_v4(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build V4: V2, whose maps are gated as the archive says."""
    frames = state.shape("keras.conv18.weight")[0]
    inputs, x, size = _apply_body(state, size)
    attention = MotionPrompt(frames, name="motion")(inputs)
    fusion = MotionFusion(state.settings["fusion"], name="motion_fusion")
    x = fusion([heatmap_logits(x, frames, output_bias=0.0), attention])
    model = keras.Model(inputs, as_probability(x), name="tracknet_v4_original")
    _fill_body(model, state)
    fill_prompt(model, state, *(state.take(f"keras.motion.{name}") for name in "ab"))
    return model, ModelSpec("v4", frames, frames, "none", size)


def _apply_body(state: StateDict, size: Size | None) -> tuple[Any, Any, Size]:
    """Return V2's input and features, and the input's size."""
    first, channels = state.shape("keras.conv1.weight")[:2]
    size, norm = _choose_size(state, size)
    inputs = keras.Input((*size, channels), name="frames")
    body: dict[str, Any] = {"norm_first": False, "use_bias": True, "norm": norm}
    return inputs, unet(inputs, width_multiplier=first / 64, **body), size


def _fill_body(model: keras.Model, state: StateDict) -> None:
    named = zip(unet_layers(), STEMS[:-1], strict=True)
    fill_blocks(model, state, [(layer, *stem) for (layer, _, _), stem in named])
    fill_conv(model, "head", state, "keras.conv18")


def _choose_size(state: StateDict, size: Size | None) -> tuple[Size, dict[str, Any]]:
    """Return the input size, and how the normalisation is to be made."""
    length = state.shape("keras.norm1.weight")[0]
    if length == state.shape("keras.conv1.weight")[0]:
        default = v1.SIZE if "keras.norm18.weight" in state.arrays else (288, 512)
        return size or default, NORM
    if size is not None and size[1] != length:
        raise InputError(
            f"{state.path}: batch normalization runs over the picture width, so these weights fit"
            f" a width of {length} only. Received: width {size[1]}"
        )
    return size or (length * 9 // 16, length), {**NORM, "axis": 2}


def _read_archive(path: Path) -> tuple[list[list[np.ndarray]], dict[str, str]]:
    """Return the weights of every layer, and for V4 how it fuses."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.dumps(json.loads(_read_member(archive, "config.json", MOST_CONFIG)))
            with h5py.File(io.BytesIO(_read_member(archive, WEIGHTS_NAME, MOST_BYTES))) as file:
                check_hdf5(file, path)
                if "MotionPromptLayer" in config:  # Keras knows none of its own layers
                    fusion = "b" if "FusionLayerTypeB" in config else "a"
                    return _read_plain_layers(file["layers"]), {"fusion": fusion}
        model = keras.saving.load_model(path, compile=False)
    except InputError:
        raise
    except Exception as error:  # whatever is wrong with the file, each library raises its own
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(
            f"{path}: cannot be loaded as a Keras model ({reason}); use another file."
        ) from error
    return [layer.get_weights() for layer in model.layers], {}


def _read_plain_layers(group: h5py.Group) -> list[list[np.ndarray]]:
    """Return the weights of layers in the order that Keras counts them in, kind by kind."""

    def place(name: str) -> tuple[str, int]:
        kind, _, number = name.rpartition("_")
        return (kind, int(number)) if number.isdigit() else (name, 0)

    found = []
    for name in sorted(group, key=place):
        weights = group[name].get("vars", {})
        found.append([weights[key][()] for key in sorted(weights, key=int)])
    return [values for values in found if values]


def _read_member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Read a member of at most so many bytes, whatever it unpacks to."""
    if archive.getinfo(name).file_size > most:
        raise ValueError(f"{name} is larger than any model's")
    return archive.read(name)


def _has(state: StateDict, convs: int, norms: int) -> bool:
    found = [
        sum(name.startswith(f"keras.{kind}") and name.endswith(".weight") for name in state.arrays)
        for kind in ("conv", "norm")
    ]
    return found == [convs, norms]


V1 = Family("keras-v1", "TrackNet (authors' Keras)", lambda s: _has(s, 18, 18), build_v1)
V2 = Family(
    "keras-v2",
    "TrackNetV2 (authors' Keras)",
    lambda s: _has(s, 18, 17) and "keras.motion.a" not in s.arrays,
    build_v2,
)
V4 = Family(
    "keras-v4",
    "TrackNetV4 (authors' Keras)",
    lambda s: _has(s, 18, 17) and "keras.motion.a" in s.arrays,
    build_v4,
)
