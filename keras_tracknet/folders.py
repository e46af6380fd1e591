"""Folders that belong to the user, on machines that may know nothing of the user."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from keras_tracknet.errors import InputError


def ensure_home() -> None:
    """Give a user without a home, as containers have them, a folder among the temporary files.

    There are libraries that cannot be imported without one; they read it from `HOME`.
    """
    if os.path.isabs(os.path.expanduser("~")):
        return
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = os.path.join(tempfile.gettempdir(), f"keras_tracknet-{user}")
    with contextlib.suppress(OSError):
        os.mkdir(folder, 0o700)
    if os.path.islink(folder) or not os.path.isdir(folder) or os.stat(folder).st_uid != user:
        folder = tempfile.mkdtemp(prefix="keras_tracknet-")  # somebody else has laid the other
    os.environ["HOME"] = folder


def own_folder() -> Path:
    """Return the folder of the weights that were taught on this machine; it need not exist yet.

    It is where `TRACKNET_WEIGHTS` says, else `keras_tracknet/weights` where the system keeps the
    user's data: `~/.local/share` on Linux.

    Raises:
        InputError: `TRACKNET_WEIGHTS` begins with a home that there is not.
    """
    chosen = _read_folder("TRACKNET_WEIGHTS")
    if chosen is None:
        from platformdirs import user_data_dir

        return Path(user_data_dir("keras_tracknet", appauthor=False)) / "weights"
    return chosen


def cache_folder(kind: str = "") -> Path:
    """Return the folder in the cache for things of one kind; it need not exist yet.

    The cache is where `TRACKNET_CACHE` says, else `keras_tracknet` where the system keeps the
    user's caches: `~/.cache` on Linux, unless `XDG_CACHE_HOME` says otherwise.

    Args:
        kind: what is kept there, such as `frames`; the whole cache when omitted.

    Raises:
        InputError: `TRACKNET_CACHE` begins with a home that there is not.
    """
    chosen = _read_folder("TRACKNET_CACHE")
    if chosen is None:
        from platformdirs import user_cache_dir

        return Path(user_cache_dir("keras_tracknet", appauthor=False)) / kind
    return chosen / kind


def _read_folder(variable: str) -> Path | None:
    """Return the folder that an environment variable names, None where it names none."""
    chosen = os.environ.get(variable)
    if not chosen:
        return None
    expanded = os.path.expanduser(chosen)
    if expanded.startswith("~"):
        raise InputError(f"{variable}={chosen}: no such home folder; set an absolute path.")
    return Path(expanded)
