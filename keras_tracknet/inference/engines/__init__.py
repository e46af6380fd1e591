"""Engines: the runtimes that can execute a network, behind one interface."""

from __future__ import annotations

import platform
from pathlib import Path

from keras_tracknet.backends import DEVICES, find_device
from keras_tracknet.errors import InputError
from keras_tracknet.inference.engines import litert, onnx, openvino, saved_model
from keras_tracknet.inference.engines.network import Network
from keras_tracknet.weights.model_file import (
    ModelFile,
    hash_file,
    is_trained,
    load_model,
    read_spec,
)
from keras_tracknet.weights.spec import TRACK_VERSIONS, ModelSpec

KERAS = "keras"
ENGINES = (KERAS, openvino.NAME, litert.NAME, onnx.NAME, saved_model.NAME)
# The formats of engines that run exported files only, and which engine runs a file of which kind.
FORMATS = {litert.NAME: "tflite", onnx.NAME: "onnx", saved_model.NAME: "saved-model"}
EXPORTED = {".xml": openvino.NAME, ".tflite": litert.NAME, ".onnx": onnx.NAME}


def open_network(
    weights: ModelFile | Path | str,
    *,
    engine: str = "auto",
    precision: str = "auto",
    batch_size: int = 2,
    device: str = "auto",
) -> Network:
    """Make a network ready to run.

    Args:
        weights: a model file, loaded or by its path; or what `tracknet export` wrote.
        engine: one of `ENGINES`; `auto` takes OpenVINO on x86 CPUs where it is installed and
            Keras elsewhere, and what fits for an exported file.
        precision: `auto`, a Keras dtype policy, or `int8` for OpenVINO's network beside the
            weights, see `openvino.find_int8`; exported files for other engines than OpenVINO
            have their own.
        batch_size: windows that are run at once, where the file leaves that open.
        device: `auto`, `cpu` or `gpu`; a GPU is for Keras.

    Raises:
        InputError: the weights cannot be read, the engine cannot run them, or it is not
            installed.
        ValueError: an unknown engine or device.
    """
    if device not in DEVICES:
        raise ValueError(f"`device` must be one of {', '.join(DEVICES)}. Received: {device!r}")
    if engine not in ("auto", *ENGINES):
        known = ", ".join(("auto", *ENGINES))
        raise ValueError(f"`engine` must be one of {known}. Received: engine={engine!r}")
    if isinstance(weights, ModelFile):
        _check_version(weights.spec, weights.path)
        return _open_keras(weights, engine, precision, batch_size, device)
    path = Path(weights)
    made_for = find_engine(path)
    if device == "gpu" and (made_for != KERAS or engine not in ("auto", KERAS)):
        used = made_for if made_for != KERAS else engine
        raise InputError(
            f'engine {used} does not run on a GPU; use `engine="keras"` with .keras weights.'
        )
    if engine not in ("auto", made_for) and made_for != KERAS:
        raise InputError(
            f"{path}: file was exported for engine {made_for}, not {engine}; use"
            f' `engine="{made_for}"`.'
        )
    if made_for == KERAS and engine in FORMATS:
        raise _needs_export(path, engine)
    if precision == openvino.INT8 and engine not in ("auto", openvino.NAME):
        raise InputError(
            f'`precision="int8"` requires `engine="openvino"`. Received: engine={engine!r}'
        )
    if made_for == openvino.NAME:
        return openvino.OpenVINONetwork(path, precision=precision, batch_size=batch_size)
    if made_for == litert.NAME:
        return litert.LiteRTNetwork(path)
    if made_for == onnx.NAME:
        return onnx.OnnxNetwork(path)
    if made_for == saved_model.NAME:
        return saved_model.SavedModelNetwork(path, batch_size=batch_size)
    spec = read_spec(path)
    _check_version(spec, path)
    if precision == openvino.INT8:
        engine = openvino.NAME
    if engine == "auto":
        engine = choose_engine(spec is not None, device)
    if engine == openvino.NAME:
        sha256 = hash_file(path)
        if precision == openvino.INT8 and spec is not None and spec.version not in TRACK_VERSIONS:
            made = openvino.find_int8(path, sha256)
        else:
            made = openvino.convert_weights(path, sha256)
        return openvino.OpenVINONetwork(
            made, precision=precision, batch_size=batch_size, source=(path, sha256)
        )
    if device == "auto":
        return _open_keras(load_model(path), engine, precision, batch_size, device)
    import keras

    with keras.device(find_device(device)):
        return _open_keras(load_model(path), engine, precision, batch_size, device)


def find_engine(path: Path) -> str:
    """Return which engine a file is for: `keras` for everything that was not exported."""
    if path.is_dir() and (path / saved_model.GRAPH).is_file():
        return saved_model.NAME
    return EXPORTED.get(path.suffix.lower(), KERAS)


def choose_engine(described: bool = True, device: str = "auto") -> str:
    """Return what `auto` means for a Keras file on this machine.

    Args:
        described: whether the file says how its network is fed; else only Keras can tell.
        device: `auto`, `cpu` or `gpu`.
    """
    if described and device != "gpu" and openvino_fits(device) and openvino.is_installed():
        return openvino.NAME
    return KERAS


def openvino_fits(device: str = "auto") -> bool:
    """Return whether OpenVINO would be the fastest: on an x86 CPU without a GPU to be used."""
    import shutil

    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return x86 and (device == "cpu" or shutil.which("nvidia-smi") is None)


def _check_version(spec: ModelSpec | None, path: Path) -> None:
    if spec is not None and spec.version == "tsm":
        raise InputError(
            f"{path}: is a clip classifier, not a tracker; use it with tracknet evaluate."
        )


def _needs_export(path: Path, engine: str) -> InputError:
    return InputError(
        f"{path}: engine {engine} runs exported files only; write one with tracknet export"
        f" --format {FORMATS.get(engine, engine)} and use it as `weights`."
    )


def _open_keras(
    file: ModelFile, engine: str, precision: str, batch_size: int, device: str
) -> Network:
    if engine not in ("auto", KERAS):
        raise _needs_export(file.path, engine)
    if not is_trained(file.model):
        raise InputError(f"{file.path}: weights are untrained; train them with tracknet fit.")
    from keras_tracknet.inference.engines.keras import KerasNetwork

    return KerasNetwork(file, precision=precision, batch_size=batch_size, device=device)
