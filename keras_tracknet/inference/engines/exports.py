"""Exported files in their places: what they consist of, and what may be replaced by another."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from keras_tracknet.errors import InputError
from keras_tracknet.files import check_free
from keras_tracknet.inference.engines.network import DESCRIPTION
from keras_tracknet.inference.engines.saved_model import GRAPH

MARK = b"colour_order"  # in every description, whatever the format
SAVED_MODEL = {GRAPH, DESCRIPTION, "fingerprint.pb", "variables", "assets"}
VARIABLES = ("variables.index", "variables.data-")


def check_place(output: Path, *, overwrite: bool) -> None:
    """Refuse a place where something is that an export may not replace.

    Args:
        output: file or folder to write.
        overwrite: whether an earlier export may be replaced.

    Raises:
        InputError: something is there already; with `overwrite` only if it is no export.
    """
    parts = _list_parts(output)
    check_free(parts, overwrite=overwrite)
    for part in parts:
        if os.path.lexists(part) and not is_export(output):
            raise InputError(
                f"{part}: was not written by tracknet export and is not overwritten; choose"
                " another path."
            )


def is_export(path: Path) -> bool:
    """Return whether what is at a path was written by `tracknet export`, and nothing else.

    Args:
        path: a file with a description in it, for OpenVINO the `.xml`; or a SavedModel folder.
    """
    if path.is_dir():
        return _is_saved_model(path)
    if not path.is_file() or not path.stat().st_size:
        return False
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(MARK) >= 0


def put_in_place(made: Path, place: Path) -> None:
    """Move all that a folder has to another one, where it takes the place of earlier exports.

    What was there is gone afterwards; where something fails, all of it is there as before.

    Args:
        made: folder on the same disk.
        place: folder to move to.

    Raises:
        InputError: a folder there is no export.
    """
    names = sorted(os.listdir(made))  # of OpenVINO the weights before the file that names them
    for name in names:
        if (place / name).is_dir():
            check_place(place / name, overwrite=True)
    with TemporaryDirectory(dir=place, prefix=".replaced") as folder:
        aside = Path(folder)
        try:
            for name in names:
                if (place / name).exists():
                    os.replace(place / name, aside / name)
                os.replace(made / name, place / name)
        except BaseException:
            for name in names:
                if not (made / name).exists():
                    os.replace(place / name, made / name)
                if (aside / name).exists():
                    os.replace(aside / name, place / name)
            raise


def _list_parts(output: Path) -> list[Path]:
    return [output, output.with_suffix(".bin")] if output.suffix == ".xml" else [output]


def _is_saved_model(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    if not {GRAPH, DESCRIPTION} <= names <= SAVED_MODEL:
        return False
    inside = [path for part in ("variables", "assets") for path in (folder / part).glob("*")]
    return MARK in (folder / DESCRIPTION).read_bytes() and all(
        path.parent.name == "variables" and path.name.startswith(VARIABLES) for path in inside
    )
