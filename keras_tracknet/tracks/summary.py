"""The summary beside a track: what `tracknet predict` says of the video and of the run."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.files import read_json


def find_summary(track_file: Path) -> tuple[dict[str, Any], str]:
    """Return the summary that lies beside a track, and the name of its file.

    Args:
        track_file: `match.csv` has `match.summary.json`, or `summary.json` in a folder of its own.

    Returns:
        Whatever the file says, which need not be what this package writes; an empty dictionary and
        name where there is none that can be read.
    """
    for name in (f"{track_file.stem}.summary.json", "summary.json"):
        with contextlib.suppress(OSError, InputError):
            return read_json(track_file.with_name(name)), name
    return {}, ""


def read_summary(path: Path) -> dict[str, Any] | None:
    """Return the summary that an earlier run left; None where there is none.

    Raises:
        InputError: something else is there.
    """
    try:
        content = read_json(path)
    except FileNotFoundError:
        return None
    except InputError:
        content = {}
    if not isinstance(content.get("complete"), bool):
        raise InputError(
            f"{path}: not a summary of tracknet predict; move it away, use `overwrite=True` or"
            " choose another path."
        )
    return content


def is_interrupted(path: Path) -> bool:
    """Return whether there is a summary of a run that has not come to its end."""
    try:
        summary = read_summary(path)
    except InputError:
        return False
    return summary is not None and not summary["complete"]
