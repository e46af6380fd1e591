"""The configuration of a run as a file: written, read, and changed for a run that goes on."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.files import explain_writing, read_json, write_json
from keras_tracknet.training.config import TYPES, FitConfig, all_are


def load_config(folder: Path) -> FitConfig:
    """Read the configuration of a run.

    Raises:
        InputError: the folder holds no run, or one of a newer version.
    """
    content = read_config(folder)
    unknown = content.keys() - {field.name for field in fields(FitConfig)}
    if unknown:
        raise InputError(
            f"{folder}: not a run of tracknet fit, or written by a newer version (unknown"
            f" settings: {', '.join(sorted(unknown))}); upgrade keras_tracknet."
        )
    try:
        # The folder may have been moved since.
        return FitConfig(**content | {"output": str(folder)})
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{folder}: not a run of tracknet fit ({error}); use another folder."
        ) from error


def change_config(config: FitConfig, settings: dict[str, Any]) -> FitConfig:
    """Return the configuration that a run goes on with: its own, with other epochs or patience.

    Args:
        config: of the run.
        settings: what is given anew.

    Raises:
        ValueError: a setting differs from the run's that cannot change any more.
    """
    for name, value in settings.items():
        kept = getattr(config, name)
        if name in ("data", "tracks") and value and kept:
            value, kept = Path(value).resolve(), Path(kept).resolve()
        if name not in ("epochs", "patience", "output") and value != kept:
            raise ValueError(
                f"`{name}` cannot change in a resumed run, which has {_show(kept)}; remove it or"
                f' start a new run with `init="{config.output}"`.'
            )
    changed = {name: settings[name] for name in ("epochs", "patience") if name in settings}
    return replace(config, **changed)


def _show(value: Any) -> str:
    """Return a setting as its option is written."""
    if isinstance(value, tuple):
        return ("x" if all_are(value, TYPES["float"]) else ",").join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the content of a run's `config.json`.

    Raises:
        InputError: the folder holds no run.
    """
    path = Path(folder) / "config.json"
    try:
        return read_json(path)
    except FileNotFoundError as error:
        raise InputError(f"{folder}: no run to resume; start one without `resume`.") from error
    except InputError as error:
        reason = str(error).removeprefix(f"{path}: ").rstrip(".")
        raise InputError(f"{path}: not the configuration of a run ({reason}).") from error


def write_config(config: dict[str, Any], folder: Path) -> None:
    """Write a run's `config.json`, creating the folder.

    Raises:
        InputError: the folder cannot be written.
    """
    with explain_writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(config, folder / "config.json")
