"""The converters, one function a format; they run in a process of their own, see `Conversion`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.inference.engines import litert, onnx, openvino
from keras_tracknet.inference.engines.channels_first import turn_channels_first
from keras_tracknet.inference.engines.conversion import FAILED, Conversion
from keras_tracknet.inference.engines.enlargement import enlarge_at_once
from keras_tracknet.inference.engines.exports import put_in_place
from keras_tracknet.inference.engines.network import DESCRIPTION, Description
from keras_tracknet.inference.engines.serving import build_serving
from keras_tracknet.models.blocks import keras_defaults
from keras_tracknet.version import __version__
from keras_tracknet.weights.model_file import ModelFile, is_trained, load_model, set_precision
from keras_tracknet.weights.spec import TRACK_VERSIONS

DECODING = "detections"  # name of the layer that turns maps into positions


def main() -> None:
    """Do the conversion that the command line has as JSON."""
    try:
        convert(Conversion.from_json(sys.argv[1]))
    except InputError as error:
        sys.exit(f"{FAILED}{error}")


@keras_defaults()
def convert(wanted: Conversion) -> None:
    """Convert a tracker, or for OpenVINO a rectifier or linker; one window at a time goes in.

    Raises:
        InputError: the weights cannot be read, or were never trained.
    """
    file = load_model(Path(wanted.weights))
    if not is_trained(file.model):
        raise InputError(f"{wanted.weights}: weights are untrained; train them with tracknet fit.")
    set_precision(file.model, "float32")
    if file.spec.version in TRACK_VERSIONS:
        model = _fix_batch(file.model)
        described = openvino.describe_track_network(file.spec)
    else:
        model, described = _fix_tracker(file, wanted)
    with TemporaryDirectory(dir=wanted.folder, prefix=".export") as folder:
        made = Path(folder) / Path(wanted.target).name
        WRITERS[wanted.format](model, made, described, wanted)
        put_in_place(Path(folder), wanted.folder)


def _fix_tracker(file: ModelFile, wanted: Conversion) -> tuple[keras.Model, Description]:
    """Return the network with uint8 frames going in, one window, and what it says of itself."""
    spec, core = replace(file.spec, notes={}), file.model
    input_size, size = wanted.find_sizes(spec)
    if input_size != spec.input_size:
        inputs = keras.Input((*input_size, core.input_shape[-1]), name=core.inputs[0].name)
        core = keras.models.clone_model(core, input_tensors=inputs)
        core.set_weights(file.model.get_weights())
        spec = replace(spec, input_size=input_size)
    data_format = "channels_first" if wanted.format == openvino.NAME else "channels_last"
    if data_format == "channels_first":
        core = turn_channels_first(core, spec.input_size)
    else:
        core = enlarge_at_once(core, spec.input_size)
    model = build_serving(
        core, spec, output=wanted.output, batch_size=1, frame_size=size, data_format=data_format
    )
    provenance = {
        "weights": Path(wanted.weights).name,
        "sha256": file.sha256,
        "keras_tracknet": __version__,
        "keras": keras.version(),
    }
    return model, Description(spec, wanted.output, size, wanted.precision, provenance)


def _fix_batch(model: keras.Model) -> keras.Model:
    """Return a network that sees tracks, with one window going in."""
    inputs = [keras.Input(i.shape[1:], batch_size=1, name=i.name) for i in model.inputs]
    return keras.Model(inputs, model(inputs if len(inputs) > 1 else inputs[0]))


def _write_saved_model(
    model: keras.Model, path: Path, described: Description, wanted: Conversion
) -> None:
    model.export(str(path), format="tf_saved_model", verbose=False)
    (path / DESCRIPTION).write_text(described.as_json())


def _write_tflite(
    model: keras.Model, path: Path, described: Description, wanted: Conversion
) -> None:
    import tensorflow as tf

    if wanted.precision == "int8":
        with TemporaryDirectory() as folder:
            model.export(folder, format="tf_saved_model", verbose=False)
            path.write_bytes(litert.quantize(folder, _read_calibration(wanted)))
    else:
        settings: dict[str, Any] = {
            "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
        }
        if wanted.precision == "fp16":
            settings["optimizations"] = [tf.lite.Optimize.DEFAULT]
            settings["target_spec"]["supported_types"] = [tf.float16]
        model.export(str(path), format="litert", verbose=False, **settings)
    litert.write_description(path, described)


def _write_onnx(model: keras.Model, path: Path, described: Description, wanted: Conversion) -> None:
    import onnx as library

    model([np.zeros(i.shape, i.dtype) for i in model.inputs])  # export asks for a used model
    model.export(str(path), format="onnx", verbose=False)
    if wanted.precision == "int8":
        onnx.quantize(path, _read_calibration(wanted))
    content = library.load(path)
    onnx.repeat_pixels(content)
    if wanted.precision == "fp16":
        content = onnx.halve(content, keep=DECODING)
    entry = content.metadata_props.add()
    entry.key, entry.value = onnx.KEY, described.as_json()
    library.save(content, path)


def _write_openvino(
    model: keras.Model, path: Path, described: Description, wanted: Conversion
) -> None:
    import openvino as library

    # By name: of a list Keras would take the second for another argument of the model.
    signature = [{i.name: keras.InputSpec(i.dtype, i.shape, name=i.name) for i in model.inputs}]
    with TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.xml"
        model.export(str(plain), format="openvino", verbose=False, input_signature=signature)
        network = library.Core().read_model(plain)
        if wanted.precision == "int8":
            network = openvino.quantize(network, _read_calibration(wanted))
        openvino.write_network(network, path, described, half=wanted.precision == "fp16")


def _read_calibration(wanted: Conversion) -> Callable[[], Iterator[dict[str, np.ndarray]]]:
    """Return a function that yields windows, batches of one by the name of the input."""
    assert wanted.calibration is not None
    with np.load(wanted.calibration) as content:
        arrays = {name: content[name] for name in content.files}

    def windows() -> Iterator[dict[str, np.ndarray]]:
        for place in range(len(arrays["frames"])):
            yield {name: array[place : place + 1] for name, array in arrays.items()}

    return windows


WRITERS = {
    "saved-model": _write_saved_model,
    "tflite": _write_tflite,
    "onnx": _write_onnx,
    "openvino": _write_openvino,
}
