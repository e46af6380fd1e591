"""Model files: a `.keras` archive that also says how the network is to be fed and read."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.files import replace_file
from keras_tracknet.weights.archive import SPEC_NAME, WEIGHTS_NAME, check_classes, read_content
from keras_tracknet.weights.spec import (
    CANDIDATES,
    FORMAT,
    TRACK_VERSIONS,
    ModelSpec,
    Shape,
    check_shapes,
    damaged,
)

if TYPE_CHECKING:  # Keras is loaded with a network, not to read what a file says of it
    import keras

# Layers that compute in float32, whatever the rest does; all of V5's refiner does, too.
FLOAT32_LAYERS = ("heatmaps", "consensus", "probabilities", "motion", "motion_fusion")
FLOAT32_PREFIX = "refiner_"


@dataclass(frozen=True)
class ModelFile:
    """A network with its specification.

    Attributes:
        model: the Keras model.
        spec: how it is fed and read.
        path: where it was read from.
        sha256: of the file.
        training: what `fit` needs to continue, or an empty dictionary.
    """

    model: keras.Model
    spec: ModelSpec
    path: Path
    sha256: str
    training: dict[str, Any]


def save_model(
    model: keras.Model,
    spec: ModelSpec,
    path: Path,
    *,
    training: dict[str, Any] | None = None,
) -> None:
    """Save a network with its specification as a `.keras` file that any Keras 3 loads.

    The file appears complete or not at all.

    Args:
        model: the network; its optimizer's state is saved with it when it is compiled.
        spec: how it is fed and read.
        path: file to write, ending in `.keras`.
        training: what `fit` needs to continue.

    Raises:
        InputError: the place cannot be written, or the specification is not the network's.
    """
    _check_network(spec, model, Path(path))
    with replace_file(Path(path)) as partial:
        with _not_synchronised(model):
            model.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            content = {"format": FORMAT, "spec": asdict(spec), "training": training or {}}
            archive.writestr(SPEC_NAME, json.dumps(content, indent=1))


@contextmanager
def _not_synchronised(model: keras.Model) -> Iterator[None]:
    """Let batch normalisation forget in the `with` block that it spans devices.

    It does so to train on several with TensorFlow, and no other backend loads it like that.
    """
    layers = [layer for layer in model.layers if getattr(layer, "synchronized", False)]
    for layer in layers:
        layer.synchronized = False
    try:
        yield
    finally:
        for layer in layers:
            layer.synchronized = True


def load_model(path: Path, *, compile: bool = False) -> ModelFile:
    """Load a model file written by this package, or by `model.save` on one of its networks.

    Args:
        path: a `.keras` file, or a folder that Keras saved a model in.
        compile: whether to restore the optimizer, too.

    Returns:
        The network, its specification and where it came from.

    Raises:
        InputError: the file is missing, no Keras file, or not of the TrackNet family.
    """
    import keras

    # Registers the layers, losses and metrics that a model file may name.
    import keras_tracknet.layers
    import keras_tracknet.losses
    import keras_tracknet.metrics  # noqa: F401
    from keras_tracknet.models.blocks import keras_defaults

    path = Path(path)
    content = read_content(path)
    check_classes(path)
    try:
        with keras_defaults():
            model = keras.saving.load_model(path, compile=compile, safe_mode=True)
    except Exception as error:  # whatever is wrong with the file, keras raises its own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise InputError(
            f"{path}: cannot be loaded as a Keras model ({reason[:200]}); use another file."
        ) from error
    if not all(np.isfinite(values).all() for values in model.get_weights()):
        raise InputError(
            f"{path}: contains NaN or infinite weights; train it again or download the file again."
        )
    if content is None:
        return ModelFile(model, infer_spec(model, path), path, hash_file(path), {})
    spec, training = content
    _check_network(spec, model, path)
    return ModelFile(model, spec, path, hash_file(path), training)


def read_spec(path: Path) -> ModelSpec | None:
    """Return what a model file says of its network, without loading that or Keras.

    Args:
        path: a `.keras` file, or a folder that Keras saved a model in.

    Returns:
        The specification; None where Keras alone wrote the file.

    Raises:
        InputError: the file is missing, no Keras file, or what it says cannot be.
    """
    content = read_content(Path(path))
    return content[0] if content else None


def pack_model(source: Path, target: Path, **changes: Any) -> None:
    """Write a model file for shipping: half-precision weights, no optimizer.

    Keras reads it like any other; its weights are float32 again in memory.

    Args:
        source: a model file.
        target: file to write, ending in `.keras`.
        changes: fields of the specification to replace, such as `trained_on`.

    Raises:
        InputError: as for `load_model` and `save_model`.
    """
    file = load_model(source)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "model.keras"
        save_model(file.model, replace(file.spec, notes={}, **changes), whole)
        with zipfile.ZipFile(whole) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    members[WEIGHTS_NAME] = _halve(members[WEIGHTS_NAME])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with replace_file(Path(target)) as partial:
        partial.write_bytes(buffer.getvalue())


def change_spec(path: Path, **changes: Any) -> None:
    """Change what a model file says of its network; everything else in it stays as it is.

    Args:
        path: a `.keras` file written by `save_model`.
        changes: fields of the specification to replace.

    Raises:
        InputError: the file is not one of this package, or cannot be written.
    """
    content = read_content(path)
    if content is None or path.is_dir():
        raise InputError(f"{path}: has no tracknet specification; save it with save_model first.")
    spec, training = content
    record = {"format": FORMAT, "spec": asdict(replace(spec, **changes)), "training": training}
    with (
        replace_file(path) as partial,
        zipfile.ZipFile(path) as source,
        zipfile.ZipFile(partial, "w") as target,
    ):
        for member in source.infolist():
            whole = source.read(member)
            if member.filename == SPEC_NAME:
                whole = json.dumps(record, indent=1).encode()
            target.writestr(member, whole)


def infer_spec(model: keras.Model, path: Path = Path("model")) -> ModelSpec:
    """Return the specification of one of this package's networks, from its shapes and names.

    Raises:
        InputError: the network is not of the TrackNet family.
    """
    from keras_tracknet.models.v3 import INPUT_NAMES

    inputs = getattr(model, "inputs", None) or []  # a foreign model may not know them
    names = [tensor.name.split(":")[0] for tensor in inputs]
    if names == ["coordinates", "mask"]:
        window = model.inputs[0].shape[1] or 16
        return ModelSpec("rectifier", window, 0, "none", (0, 0))
    if names == ["candidates"]:
        return ModelSpec("linker", model.inputs[0].shape[1], 0, "none", (0, 0))
    if names == ["clip"]:
        frames, height, width = model.input_shape[1:4]
        classes = tuple(f"class {number}" for number in range(model.output_shape[-1]))
        return ModelSpec("tsm", frames, 0, "none", (height, width), classes=classes)
    backgrounds = {name: mode for mode, name in INPUT_NAMES.items()}
    if len(names) == 1 and names[0] in backgrounds and len(model.output_shape) == 4:
        background, channels = backgrounds[names[0]], model.input_shape[-1]
        height, width, outputs = model.output_shape[1:]
        if any(layer.name == "heatmaps" for layer in model.layers):
            frames = channels // 3 if background == "none" else outputs
            version = _infer_version(model)
            size = (height or 288, width or 512)
            return ModelSpec(version, frames, outputs, background, size)
        if any(layer.name == "head_bn" for layer in model.layers):
            return ModelSpec("v1", channels // 3, 1, "none", (height or 360, width or 640))
    raise InputError(f"{path}: is a Keras model, but not a TrackNet; build it with keras_tracknet.")


def _infer_version(model: keras.Model) -> str:
    """Return which of the networks that return heatmaps a model is, from its layers' names."""
    names = {layer.name for layer in model.layers}
    known = {"refiner_add": "v5", "motion_fusion": "v4", "stage4_0_fuse_layers_0_add": "wasb"}
    for name, version in known.items():
        if name in names:
            return version
    return "v2" if model.get_layer("encoder1_conv1").use_bias else "v3"


def is_trained(model: keras.Model) -> bool:
    """Return whether a network has ever been trained.

    A fresh network's batch statistics, or without any its biases, are still what they were
    initialised to.
    """
    norms = [layer for layer in model.layers if hasattr(layer, "moving_mean")]
    if norms:
        return any(np.any(np.asarray(norm.moving_mean)) for norm in norms)
    biases = [layer.bias for layer in model.layers if getattr(layer, "bias", None) is not None]
    return any(np.any(np.asarray(bias)) for bias in biases)


def set_precision(model: keras.Model, policy: str) -> None:
    """Make a network compute in another precision; its weights stay as they are.

    Args:
        model: any of this package's networks.
        policy: a Keras dtype policy such as `float32` or `mixed_bfloat16`.
    """
    import keras

    for layer in model.layers:
        if layer.name not in FLOAT32_LAYERS and not layer.name.startswith(FLOAT32_PREFIX):
            layer.dtype_policy = keras.dtype_policies.get(policy)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a model file, or of the weights in a folder."""
    with (path / WEIGHTS_NAME if path.is_dir() else path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_network(spec: ModelSpec, model: keras.Model, path: Path) -> None:
    """Raise `InputError` for a specification that is not the network's."""
    from keras_tracknet.models.v3 import INPUT_NAMES, input_channels

    inputs = getattr(model, "inputs", None) or []  # a subclassed model does not know them
    if not inputs:
        return
    found = [tuple(tensor.shape[1:]) for tensor in (*inputs, *model.outputs)]
    size, frames = spec.input_size, spec.frames
    channels = input_channels(spec.background, frames)
    networks: dict[str, list[Shape]] = {
        "rectifier": [(frames, 2), (frames, 1), (frames, 2)],
        "linker": [(frames, CANDIDATES, 3), (frames, CANDIDATES + 1)],
        "tsm": [(frames, *size, 3), (len(spec.classes),)],
        "v1": [(*size, channels), (*size, None)],
    }
    expected = networks.get(spec.version, [(*size, channels), (*size, spec.heatmaps)])
    check_shapes(path, spec, expected, found)
    if spec.version in (*TRACK_VERSIONS, "tsm"):
        return
    name = inputs[0].name.split(":")[0]
    if name in INPUT_NAMES.values() and name != INPUT_NAMES[spec.background]:
        raise damaged(path, f"background {spec.background}, but the network takes {name}")
    if spec.version == "v1" and any(layer.name == "heatmaps" for layer in model.layers):
        raise damaged(path, "v1, but the network gives heatmaps")
    if None in found[0] and any(side % 8 for side in size):
        raise damaged(path, f"{size[0]}x{size[1]} pixels, which are not multiples of 8")


def _halve(weights: bytes) -> bytes:
    """Return an HDF5 file of weights with its float32 arrays in float16."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as source, h5py.File(buffer, "w") as target:

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                kind = "float16" if item.dtype == np.float32 else item.dtype
                copied = target.create_dataset(name, data=item[()], dtype=kind)
            else:
                copied = target.require_group(name)
            copied.attrs.update(item.attrs)

        source.visititems(copy)
        target.attrs.update(source.attrs)
    return buffer.getvalue()
