"""Checkpoints that the published TrackNetV3 code loads (github.com/qaz812345/TrackNetV3)."""

from __future__ import annotations

import importlib.util
from collections import OrderedDict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.files import replace_file
from keras_tracknet.weights.checkpoints.qaz import BLOCKS, MODES, RECTIFIER
from keras_tracknet.weights.model_file import ModelFile

WIDTHS = {"tracker": 64, "rectifier": 32}  # filters of the first layer, fixed in that code


def write_qaz(file: ModelFile, path: Path) -> None:
    """Write a V3 tracker or rectifier as a checkpoint of the published code.

    It has the weights and what is needed to build the network, no optimizer: the published
    `predict.py` and `test.py` take it, resuming the training does not.

    Args:
        file: a network of the published size.
        path: file to write, ending in `.pt`.

    Raises:
        InputError: another network or size, PyTorch is missing, or the place cannot be
            written.
    """
    if importlib.util.find_spec("torch") is None:
        raise InputError(f"{path}: PyTorch is required; run: pip install 'keras_tracknet[torch]'")
    import torch

    content = describe_qaz(file)
    content["model"] = OrderedDict(
        (name, torch.from_numpy(array)) for name, array in content["model"].items()
    )
    with replace_file(Path(path)) as partial:
        try:
            torch.save(content, partial)
        except RuntimeError as error:  # what PyTorch makes of a full disk
            raise OSError(str(error)) from error


def describe_qaz(file: ModelFile) -> dict[str, Any]:
    """Return what `write_qaz` writes, with arrays instead of tensors.

    Raises:
        InputError: another network than V3's, or another size.
    """
    spec, rectifier = file.spec, file.spec.version == "rectifier"
    first = "down1" if rectifier else "encoder1_conv1"
    names = {layer.name for layer in file.model.layers}
    expected = {"down1", "head"} if rectifier else {"encoder1_conv1", "decoder1_conv3", "heatmaps"}
    if spec.version not in ("v3", "rectifier") or not expected <= names:
        raise InputError(
            f"{file.path}: is a {spec.version} network; the published code supports V3 only."
        )
    if spec.hidden != "zero" and rectifier:
        raise InputError(
            f"{file.path}: was trained on interpolated hidden positions; the published code uses"
            " zeros, train it with tracknet fit --hidden zero."
        )
    width = WIDTHS["rectifier" if rectifier else "tracker"]
    if file.model.get_layer(first).filters != width:
        raise InputError(
            f"{file.path}: has {file.model.get_layer(first).filters} filters in its first layer;"
            f" the published code supports {width} only."
        )
    modes = {ours: published for published, ours in MODES.items()}
    settings = {
        "model_name": "InpaintNet" if rectifier else "TrackNet",
        "seq_len": spec.frames,
        "bg_mode": modes[spec.background],
    }
    state = _rectifier_state(file.model) if rectifier else _tracker_state(file.model)
    return {"epoch": 0, "max_val_acc": 0.0, "model": state, "param_dict": settings}


def _tracker_state(model: keras.Model) -> OrderedDict[str, np.ndarray]:
    state: OrderedDict[str, np.ndarray] = OrderedDict()
    for layer, conv, norm in BLOCKS:
        _add_conv(state, model, layer, conv)
        gamma, beta, mean, variance = map(_array, model.get_layer(f"{layer}_bn").get_weights())
        state[f"{norm}.weight"], state[f"{norm}.bias"] = gamma, beta
        state[f"{norm}.running_mean"], state[f"{norm}.running_var"] = mean, variance
        state[f"{norm}.num_batches_tracked"] = np.array(0, np.int64)
    _add_conv(state, model, "head", "predictor")
    return state


def _rectifier_state(model: keras.Model) -> OrderedDict[str, np.ndarray]:
    state: OrderedDict[str, np.ndarray] = OrderedDict()
    for layer, stem in RECTIFIER:
        _add_conv(state, model, layer, stem)
    return state


def _add_conv(state: dict[str, np.ndarray], model: keras.Model, layer: str, stem: str) -> None:
    kernel, *bias = model.get_layer(layer).get_weights()
    state[f"{stem}.weight"] = _array(np.moveaxis(kernel, (-1, -2), (0, 1)))
    if bias:
        state[f"{stem}.bias"] = _array(bias[0])


def _array(values: np.ndarray) -> np.ndarray:
    return np.array(values, np.float32, order="C")
