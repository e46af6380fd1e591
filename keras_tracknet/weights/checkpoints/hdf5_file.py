"""Keras's weights in HDF5, read with nothing outside the file followed and no size believed.

An HDF5 file may lead into other files, by links or by data kept elsewhere, and may declare more
than any memory holds. None of that is in a file that Keras wrote.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from keras_tracknet.errors import InputError

MOST_BYTES = 2**30  # of all weights; those of the largest network here are 45 MB
MOST_NAMES = 2**20  # bytes of an attribute that lists names
DEFLATE = 1032  # times that compressed data can grow


def read_layers(path: Path) -> list[list[np.ndarray]]:
    """Read the weights of a Keras model, or of `save_weights`, layer by layer.

    Raises:
        InputError: not such a file, a damaged one, or one that leads outside of itself.
    """
    try:
        with h5py.File(path) as file:
            check_hdf5(file, path)
            return _read_layers(file, path)
    except InputError:
        raise
    except Exception as error:  # HDF5 fails in any way it likes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: damaged ({reason}); download it again.") from error


def check_hdf5(file: h5py.File, path: Path) -> None:
    """Raise `InputError` for links, for data in other files, and for more than can be there."""
    left = MOST_BYTES

    def find_link(name: bytes, link: Any) -> str | None:
        return None if link.type == h5py.h5l.TYPE_HARD else name.decode(errors="replace")

    def check_data(name: str, item: Any) -> None:
        nonlocal left
        if not isinstance(item, h5py.Dataset):
            return
        if item.is_virtual or item.external:
            raise InputError(
                f"{path}: {name} is stored in another file, which is not read; save everything in"
                " one file."
            )
        left -= item.nbytes
        if left < 0 or item.nbytes > DEFLATE * item.id.get_storage_size():
            raise InputError(
                f"{path}: {name} has shape {'x'.join(map(str, item.shape))}, which no supported"
                " network has; download the file again."
            )

    link = file.id.links.visit(find_link, info=True)
    if link is not None:
        raise InputError(
            f"{path}: {link} is a link, and links are not followed; download the file again."
        )
    file.visititems(check_data)


def _read_layers(file: h5py.File, path: Path) -> list[list[np.ndarray]]:
    group = file.get("model_weights", file)
    if not isinstance(group, h5py.Group) or "layer_names" not in group.attrs:
        alone = "layers" in file or "_layer_checkpoint_dependencies" in file
        raise InputError(
            f"{path}: contains weights without the network (a Keras 3 .weights.h5 file); save the"
            " whole model as .keras."
            if alone
            else (
                f"{path}: HDF5 file without a list of layers (layer_names), so not a Keras weights"
                " file; use a checkpoint."
            )
        )
    seen: set[h5py.Dataset] = set()
    layers = []
    for name in _read_names(group, "layer_names", "the file", path):
        layer = _find(group, name, h5py.Group, path)
        weights = [
            _find(layer, weight, h5py.Dataset, path)
            for weight in _read_names(layer, "weight_names", name, path)
        ]
        for weight in weights:
            if weight in seen or weight.dtype.kind != "f":
                what = "listed twice" if weight in seen else f"of type {weight.dtype}"
                raise InputError(
                    f"{path}: {weight.name} is {what}, unlike any network weights; download the"
                    " file again."
                )
            seen.add(weight)
        layers.append([weight[()] for weight in weights])
    return layers


def _read_names(group: h5py.Group, attribute: str, where: str, path: Path) -> list[str]:
    if attribute not in group.attrs:
        raise InputError(
            f"{path}: {where} has no {attribute}, so weights cannot be assigned; save the model"
            " again with Keras."
        )
    declared = group.attrs.get_id(attribute)
    if int(np.prod(declared.shape, dtype=object)) * declared.dtype.itemsize <= MOST_NAMES:
        values = np.ravel(group.attrs[attribute]).tolist()
        if all(isinstance(value, str | bytes) for value in values):
            return [v.decode() if isinstance(v, bytes) else v for v in values]
    raise InputError(
        f"{path}: {attribute} of {where} is not a list of names; save the model again with Keras."
    )


def _find(group: h5py.Group, name: str, kind: type, path: Path) -> Any:
    item = group.get(name)
    if not isinstance(item, kind):
        what = "missing" if item is None else f"not a {kind.__name__.lower()}"
        raise InputError(f"{path}: {name} is {what}; download the file again.")
    return item
