"""JSON files that label many clips: read once, asked for every clip."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError


def load_json(path: Path) -> Any:
    """Return what a JSON file holds; it is read again only when it has changed.

    Raises:
        InputError: the file cannot be read, or is not JSON.
    """
    try:
        return _load(path, path.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read as JSON ({why}); export it again.") from error


def parse_json(text: str) -> Any:
    """Return what a JSON text holds.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


@lru_cache(maxsize=4)
def _load(path: Path, _changed: int) -> Any:
    return parse_json(path.read_text(encoding="utf-8-sig"))
