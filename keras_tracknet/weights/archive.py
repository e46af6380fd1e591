"""What lies in a `.keras` file or folder, looked at before Keras is let loose on it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.weights.spec import (
    DAMAGED_ARCHIVE,
    LARGEST_TEXT,
    ModelSpec,
    damaged,
    parse_specification,
    read_beside,
    read_member,
)

SPEC_NAME = "tracknet.json"
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.weights.h5"
LARGEST_FILE = 1 << 30  # bytes, unpacked; V1 and its optimizer are a fifth
# Layers of Keras that run code or read files which whoever made the file chose.
UNSAFE_LAYERS = ("FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper")


def read_content(path: Path) -> tuple[ModelSpec, dict[str, Any]] | None:
    """Return what a model file or folder says of its network and of its training.

    Args:
        path: a `.keras` file, or a folder that Keras saved a model in.

    Returns:
        Both; None where Keras alone wrote the file.

    Raises:
        InputError: the file is missing, no Keras file, or what it says cannot be.
    """
    text = _read_text(path, SPEC_NAME)
    if text is None:
        return None
    spec, content = parse_specification(text, path)
    training = content.get("training", {})
    if not isinstance(training, dict):
        raise damaged(path, "its training record is not a dictionary")
    return spec, training


def check_classes(path: Path) -> None:
    """Refuse a network with layers that are unsafe, or that nobody has registered here.

    What it was compiled with is not looked at.

    Raises:
        InputError: there is such a layer, or the configuration is damaged.
    """
    import keras

    text = _read_text(path, CONFIG_NAME) or b""
    try:
        waiting: list[Any] = [json.loads(text)["config"]]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not a Keras model: its {CONFIG_NAME} is damaged; use another file."
        ) from error
    while waiting:
        place = waiting.pop()
        if isinstance(place, list):
            waiting += place
        if not isinstance(place, dict):
            continue
        waiting += place.values()
        name, module = str(place.get("class_name", "")), str(place.get("module") or "keras")
        known = module.partition(".")[0] in ("keras", "builtins") or (
            keras.saving.get_registered_object(str(place.get("registered_name"))) is not None
        )
        if not known or name in UNSAFE_LAYERS:
            raise InputError(
                f"{path}: has a layer of class {name[:80]}, module {module[:80]}, which is not"
                " loaded for safety; use a model with layers of Keras and keras_tracknet only."
            )


def _read_text(path: Path, name: str) -> bytes | None:
    """Return the text of that name in a model file or folder; None where there is none."""
    if path.is_dir():
        _check_names(path, [file.name for file in path.iterdir() if file.is_file()])
        file = path / name
        return read_beside(file, path) if file.is_file() else None
    with _open_archive(path) as archive:
        known = name in archive.namelist()
        return read_member(archive, name, path, LARGEST_TEXT) if known else None


@contextmanager
def _open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a model file after a look at what it would unpack to."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; use a model written by tracknet fit.")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise _foreign(path)
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGED_ARCHIVE as error:
        raise _foreign(path) from error
    with archive:
        _check_names(path, archive.namelist())
        size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST_FILE:
            raise InputError(
                f"{path}: would unpack to {size:,} bytes, more than any model of this package; use"
                " a .keras file written by tracknet fit."
            )
        yield archive


def _check_names(path: Path, names: Collection[str]) -> None:
    if WEIGHTS_NAME not in names or CONFIG_NAME not in names:
        raise _foreign(path)


def _foreign(path: Path) -> InputError:
    return InputError(f"{path}: not a Keras model; use a .keras file written by tracknet fit.")
