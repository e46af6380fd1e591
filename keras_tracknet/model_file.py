"""Model files: a `.keras` archive that also says how the network is to be fed and read."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_tracknet.data.frames import DIFFERENCES, FITS
from keras_tracknet.errors import InputError
from keras_tracknet.files import replace_file

if TYPE_CHECKING:  # Keras is loaded with a network, not to read what a file says of it
    import keras

SPEC_NAME = "tracknet.json"
WEIGHTS_NAME = "model.weights.h5"
VERSIONS = ("v1", "v2", "v3", "rectifier", "tsm")
FLOAT32_LAYERS = ("heatmaps", "consensus", "probabilities")  # whatever the rest is


@dataclass(frozen=True)
class ModelSpec:
    """What a network expects and what its output means.

    Attributes:
        version: one of `VERSIONS`.
        frames: frames in a window; for TSM those that it sees of a window.
        heatmaps: maps out, for the last frames of the window; 0 for the rectifier and TSM.
        background: background mode, as for `build_v3`.
        input_size: (height, width) that frames are brought to, pixels; (0, 0) for the
            rectifier.
        threshold: probability that a pixel must exceed to be the ball's.
        hidden: what the rectifier sees where a position is hidden: `zero` (published), or
            `interpolated` between the positions beside it.
        fit: how frames are made to fit the input, see `keras_tracknet.data.frames.picture_box`.
        differences: how those to the background are kept in eight bits, see
            `keras_tracknet.data.frames.subtract_background`.
        stabilized: whether the frames of a window are moved so that the court stands still in them,
            see `keras_tracknet.data.camera`.
        classes: what TSM tells apart.
        span: seconds that a window of TSM lasts.
        trained_on: the footage in a few words, for people.
        notes: whatever else is worth keeping: recipe, figures.
    """

    version: str
    frames: int
    heatmaps: int
    background: str
    input_size: tuple[int, int]
    threshold: float = 0.5
    hidden: str = "zero"
    fit: str = "stretch"
    differences: str = "saturated"
    stabilized: bool = False
    classes: tuple[str, ...] = ()
    span: float = 0.0
    trained_on: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.version not in VERSIONS:
            raise ValueError(
                f"version must be one of {', '.join(VERSIONS)}. Received: {self.version!r}"
            )
        if self.fit not in FITS:
            raise ValueError(f"fit must be one of {', '.join(FITS)}. Received: {self.fit!r}")
        if self.differences not in DIFFERENCES:
            raise ValueError(
                f"differences must be one of {', '.join(DIFFERENCES)}."
                f" Received: {self.differences!r}"
            )
        for name in ("input_size", "classes"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


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
        InputError: the place cannot be written.
    """
    with replace_file(Path(path)) as partial:
        with _not_synchronised(model):
            model.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            content = {"spec": asdict(spec), "training": training or {}}
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

    # Registers the losses and metrics that a model file may name.
    import keras_tracknet.losses
    import keras_tracknet.metrics  # noqa: F401

    path = Path(path)
    content = _read_content(path)
    try:
        model = keras.saving.load_model(path, compile=compile)
    except Exception as error:  # whatever is wrong with the file, keras raises its own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise InputError(f"{path}: cannot be loaded as a Keras model ({reason}).") from error
    spec = ModelSpec(**known_fields(content["spec"])) if content else infer_spec(model, path)
    return ModelFile(model, spec, path, hash_file(path), content.get("training", {}))


def read_spec(path: Path) -> ModelSpec | None:
    """Return what a model file says of its network, without loading that or Keras.

    Args:
        path: a `.keras` file, or a folder that Keras saved a model in.

    Returns:
        The specification; None where Keras alone wrote the file.

    Raises:
        InputError: the file is missing or no Keras file.
    """
    content = _read_content(Path(path))
    return ModelSpec(**known_fields(content["spec"])) if content else None


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
            version = "v2" if model.get_layer("encoder1_conv1").use_bias else "v3"
            size = (height or 288, width or 512)
            return ModelSpec(version, frames, outputs, background, size)
        if any(layer.name == "head_bn" for layer in model.layers):
            return ModelSpec("v1", channels // 3, 1, "none", (height or 360, width or 640))
    raise InputError(
        f"{path}: a Keras model, but not of the TrackNet family; build it with keras_tracknet."
    )


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
        if layer.name not in FLOAT32_LAYERS:
            layer.dtype_policy = keras.dtype_policies.get(policy)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a model file, or of the weights in a folder."""
    file = path / WEIGHTS_NAME if path.is_dir() else path
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _read_content(path: Path) -> dict[str, Any]:
    """Return what a model file or folder says beside the network: nothing if Keras's own."""
    foreign = InputError(f"{path}: not a Keras model; give a .keras file that tracknet fit wrote.")
    if path.is_dir():
        if not all((path / name).is_file() for name in (WEIGHTS_NAME, "config.json")):
            raise foreign
        spec = path / SPEC_NAME
        return json.loads(spec.read_text()) if spec.is_file() else {}
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a model that tracknet fit wrote.")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise foreign
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if WEIGHTS_NAME not in names or "config.json" not in names:
            raise foreign
        return json.loads(archive.read(SPEC_NAME)) if SPEC_NAME in names else {}


def known_fields(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a specification as read, without what a newer version of this package has added."""
    names = {f.name for f in fields(ModelSpec)}
    return {name: value for name, value in spec.items() if name in names}


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
