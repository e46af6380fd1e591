"""Weights that come with the package."""

from __future__ import annotations

from pathlib import Path

from keras_tracknet.errors import InputError

FOLDER = Path(__file__).parent / "weights"
DEFAULT = "badminton-v3"
DEMO = "rendered-v3"


def preset_names() -> list[str]:
    """Return the names of the bundled trackers."""
    return sorted(path.stem for path in FOLDER.glob("*.keras"))


def find_weights(name: str | Path) -> Path:
    """Return the model file that a user means.

    Args:
        name: a bundled tracker's name, or the path of a `.keras` file.

    Raises:
        InputError: neither.
    """
    if str(name) in preset_names():
        return FOLDER / f"{name}.keras"
    path = Path(name)
    if path.is_dir() and (path / "best.keras").is_file():  # a run folder
        return path / "best.keras"
    if path.is_file():
        return path
    raise InputError(
        f"{name}: no such weights; give a .keras file, a run folder of tracknet fit, or one of"
        f" {', '.join(preset_names()) or '(none bundled)'}."
    )
