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
        raise InputError(f"{path}: cannot be read as JSON ({error}); export it anew.") from error


@lru_cache(maxsize=4)
def _load(path: Path, _changed: int) -> Any:
    return json.loads(path.read_text(encoding="utf-8-sig"))
