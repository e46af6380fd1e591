"""From a public checkpoint, recognised by what is in it, to a model of this package."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.models.blocks import check_input_size, keras_defaults
from keras_tracknet.weights.archive import SPEC_NAME
from keras_tracknet.weights.checkpoints import (
    alenzenx,
    aninsomniacy,
    hrnet,
    keras_file,
    mareksubocz,
    monotrack,
    motion_prompts,
    qaz,
    rectifiers,
    refiners,
    wasb,
    yastrebksv,
)
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.state import StateDict
from keras_tracknet.weights.checkpoints.torch_file import is_torch_file, read_torch_file
from keras_tracknet.weights.model_file import ModelFile

FAMILIES = {
    family.name: family
    for family in (
        qaz.TRACKER,
        qaz.INPAINTNET,
        wasb.TRACKNET_V2,
        monotrack.FAMILY,
        hrnet.FAMILY,
        yastrebksv.FAMILY,
        alenzenx.V3,
        alenzenx.V2,
        aninsomniacy.UNET,
        aninsomniacy.V1,
        rectifiers.FAMILY,
        motion_prompts.ASIGATCHOV,
        motion_prompts.CODELANCERA,
        motion_prompts.ANINSOMNIACY,
        refiners.CODELANCERA,
        refiners.ANINSOMNIACY,
        mareksubocz.FAMILY,
        keras_file.V1,
        keras_file.V2,
        keras_file.V4,
    )
}
WEIGHTS_KEYS = ("model", "model_state_dict", "state_dict")
TF_INDEX = bytes.fromhex("57fb808b247547db")  # last bytes of a TensorFlow checkpoint's index


@dataclass(frozen=True)
class Conversion:
    """A converted checkpoint.

    Attributes:
        file: the network with its specification.
        family: what it was recognised as.
        state: the checkpoint's weights, and which of them the network took.
    """

    file: ModelFile
    family: Family
    state: StateDict

    @property
    def layers(self) -> tuple[int, int]:
        """Layers that took weights of the checkpoint, and layers that have weights."""
        weighted = [layer for layer in self.file.model.layers if layer.weights]
        return len(self.state.layers), len(weighted)


def load(
    path: Path | str, *, family: str = "auto", size: Size | None = None, heads: int | None = None
) -> ModelFile:
    """Load a public checkpoint as a model of this package.

    Args:
        path: a PyTorch checkpoint, or Keras weights in HDF5 or a `.keras` archive.
        family: one of `FAMILIES`, to be refused where the file is of another; `auto` for any.
        size: (height, width) of the network's input, pixels; that which the network was
            published for when omitted.
        heads: attention heads of codelancera's TrackNetV5, which its weights do not tell; 2, as in
            its final configurations, when omitted.

    Returns:
        The network with a specification that `Tracker` needs no settings beside.

    Raises:
        InputError: not a checkpoint, or one that is not supported, damaged, or of another
            family.
        ValueError: a size that is no multiple of 8.
    """
    return convert(path, family=family, size=size, heads=heads).file


def convert(
    path: Path | str, *, family: str = "auto", size: Size | None = None, heads: int | None = None
) -> Conversion:
    """Convert a public checkpoint, and say what became of its weights.

    Args, Raises: as for `load`.
    """
    path = Path(path)
    if size is not None:
        check_input_size(size)
    state = read_state(path)
    chosen = recognise(state)
    if heads is not None:
        if chosen is not refiners.CODELANCERA:
            raise InputError(f"{path}: {chosen.title} has no `heads` to choose; remove `heads`.")
        state.settings = {**state.settings, "heads": heads}
    if family not in ("auto", chosen.name):
        raise InputError(
            f'{path}: is a checkpoint of {chosen.title}; use `family="{chosen.name}"`. Received:'
            f" family={family!r}"
        )
    try:
        with keras_defaults():
            model, spec = chosen.build(state, size)
    except InputError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            f"{path}: {chosen.title}, but weights have other shapes ({reason}); the network was"
            " modified and is not supported."
        ) from error
    strange = [name for name in state.unused if not any(part in name for part in chosen.ignores)]
    if strange:
        raise InputError(
            f"{path}: {chosen.title}, but with unknown weights, such as {strange[0]}; the"
            " network was modified and is not supported."
        )
    spec = replace(spec, notes={"converted_from": chosen.title})
    with path.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    return Conversion(ModelFile(model, spec, path, sha256, {}), chosen, state)


@keras_defaults()
def measure_parity(conversion: Conversion, *, seed: int = 0) -> float | None:
    """Return the greatest difference to the original computation on a random input.

    The original is computed by PyTorch from the checkpoint's own weights. Compared are
    probabilities; of V1, after the softmax over classes; of a rectifier, positions as fractions
    of the picture.

    Returns:
        The difference, or None where PyTorch is not installed.
    """
    try:
        from keras_tracknet.weights.checkpoints.originals import compute_original
    except ModuleNotFoundError:
        return None
    import keras

    model, rng = conversion.file.model, np.random.default_rng(seed)
    inputs = [rng.uniform(0, 1, (1, *i.shape[1:])).astype(np.float32) for i in model.inputs]
    state = conversion.state
    expected = compute_original(conversion.family.name, inputs, state.arrays, state.settings)
    found = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    if conversion.file.spec.version == "v1":
        found = keras.ops.softmax(found)
    return float(np.abs(np.asarray(keras.ops.convert_to_numpy(found)) - expected).max())


def read_state(path: Path) -> StateDict:
    """Read a checkpoint's weights, whatever the format.

    Raises:
        InputError: no checkpoint, or a damaged one.
    """
    if path.is_dir():
        kind = "a TensorFlow SavedModel" if (path / "saved_model.pb").is_file() else "a folder"
        raise InputError(f"{path}: is {kind}, which is not supported; use a checkpoint file.")
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path.")
    if h5py.is_hdf5(path):
        return keras_file.read_keras_file(path)
    if zipfile.is_zipfile(path):
        names = _list_members(path)
        if SPEC_NAME in names:
            raise InputError(f"{path}: is already a model of this package; use it as weights.")
        if "config.json" in names:
            return keras_file.read_keras_file(path)
    if is_torch_file(path):
        return find_state(read_torch_file(path), path)
    with path.open("rb") as file:
        file.seek(-min(len(TF_INDEX), path.stat().st_size), os.SEEK_END)
        ending = file.read()
    if ending == TF_INDEX:
        raise InputError(
            f"{path}: TensorFlow checkpoints, such as those of Chang-Chia-Chi's TrackNet, are not"
            " supported; use another checkpoint."
        )
    raise InputError(
        f"{path}: not a checkpoint; use a PyTorch file, or Keras weights in HDF5 or .keras."
    )


def _list_members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except Exception as error:  # an archive fails in any way it likes
        reason = str(error) or type(error).__name__
        raise InputError(f"{path}: damaged ({reason}); download it again.") from error


def find_state(content: Any, path: Path) -> StateDict:
    """Find the weights in what a PyTorch checkpoint holds.

    Raises:
        InputError: there are none.
    """
    settings: Mapping[str, Any] = {}
    arrays = content
    if isinstance(content, dict):
        found = [content[key] for key in WEIGHTS_KEYS if isinstance(content.get(key), dict)]
        if found:
            arrays, settings = found[0], _find_settings(content)
    if not isinstance(arrays, dict) or not arrays or not _all_arrays(arrays):
        raise InputError(
            f"{path}: contains no network weights; save the state_dict of the network."
        )
    named = {str(name).removeprefix("module."): array for name, array in arrays.items()}
    plain = {k: v for k, v in settings.items() if isinstance(v, str | int | float)}
    return StateDict(named, path, plain)


def _find_settings(content: dict[Any, Any]) -> Mapping[str, Any]:
    """Return what a checkpoint says of its network: `param_dict`, or `model` of its `config`."""
    config = content.get("config")
    places = content.get("param_dict"), config.get("model") if isinstance(config, dict) else None
    return next((place for place in places if isinstance(place, dict)), {})


def _all_arrays(arrays: dict[Any, Any]) -> bool:
    return all(isinstance(array, np.ndarray) for array in arrays.values())


def recognise(state: StateDict) -> Family:
    """Return the family that a checkpoint's weights are of.

    Raises:
        InputError: none, or one that is not supported.
    """
    matches = [f for f in FAMILIES.values() if f.recognises(state)]
    if len(matches) != 1:
        some = ", ".join(list(state.arrays)[:2]) or "none"
        raise InputError(
            f"{state.path}: unknown network ({len(state.arrays)} weights: {some} ...); see"
            " tracknet convert --help for supported checkpoints."
        )
    return matches[0]
