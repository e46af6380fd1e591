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


def cache_folder(kind: str = "") -> Path:
    """Return the folder in the cache for things of one kind; it need not exist yet.

    The cache is where `TRACKNET_CACHE` says, else `keras_tracknet` where the system keeps the
    user's caches: `~/.cache` on Linux, unless `XDG_CACHE_HOME` says otherwise.

    Args:
        kind: what is kept there, such as `frames`; the whole cache when omitted.

    Raises:
        InputError: `TRACKNET_CACHE` begins with a home that there is not.
    """
    chosen = os.environ.get("TRACKNET_CACHE")
    if not chosen:
        from platformdirs import user_cache_dir

        return Path(user_cache_dir("keras_tracknet", appauthor=False)) / kind
    expanded = os.path.expanduser(chosen)
    if expanded.startswith("~"):
        raise InputError(f"TRACKNET_CACHE={chosen}: no such home folder; set an absolute path.")
    return Path(expanded) / kind
