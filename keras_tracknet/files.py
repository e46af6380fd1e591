"""Files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)
UNWRITABLE = "backslashreplace"  # bytes of file names that are not UTF-8


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Write a file that appears at `path` only when the `with` block succeeds.

    Until then it has a hidden name in the same folder, with the same suffix. An error in the block,
    or a kill, leaves `path` unchanged. Links are followed; special files such as /dev/stdout are
    written directly.

    Args:
        path: file to write; its folder is created if missing.

    Yields:
        Where to write it.

    Raises:
        InputError: it cannot be written. Any `OSError` in the block counts, so read the input
            before the block.

    Example:
        >>> with replace_file(Path("runs/notes.txt")) as partial:
        ...     _ = partial.write_text("complete")
        >>> Path("runs/notes.txt").read_text()
        'complete'
    """
    with explain_writing(path):
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.exists() and not target.is_file():
            yield target
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.stem}.partial{target.suffix}")
        try:
            yield partial
            os.replace(partial, target)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()


def write_text(text: str, path: Path) -> None:
    """Write a text file as UTF-8; see `replace_file`."""
    with replace_file(path) as partial:
        partial.write_text(text, encoding="utf-8", errors=UNWRITABLE)


def write_json(content: Any, path: Path) -> None:
    """Write JSON; see `replace_file`."""
    write_text(json.dumps(content, indent=1) + "\n", path)


def write_table(columns: Iterable[str], rows: Iterable[Iterable[object]], path: Path) -> None:
    """Write a CSV file; see `replace_file`."""
    with (
        replace_file(path) as partial,
        open(partial, "w", newline="", encoding="utf-8", errors=UNWRITABLE) as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_json(path: Path) -> dict[str, Any]:
    """Return the dictionary that a JSON file holds.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it cannot be read, or holds something else.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would wait for somebody to write into it
            raise OSError(errno.EINVAL, "not a file")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({' '.join(str(error).split())}).") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: contains no dictionary.")
    return content


def check_free(paths: Iterable[Path], *, overwrite: bool = False) -> None:
    """Raise `InputError` if a result already exists, unless it may be overwritten."""
    for path in paths:
        if path.exists() and not overwrite:
            raise InputError(
                f"{path}: already exists; use `overwrite=True` or choose another path."
            )


def prepare_place(path: Path, overwrite: bool) -> None:
    """Create the folder of a result and remove the result to be overwritten.

    Args:
        path: file that is written last, so that the folder is complete once it exists.
        overwrite: whether to overwrite it.

    Raises:
        InputError: it exists and may not be overwritten, or cannot be written.
    """
    check_free([path], overwrite=overwrite)
    with explain_writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # it would not match the new files


@contextmanager
def explain_writing(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the `with` block into an `InputError` that names `path`.

    Args:
        path: the file or folder that is being written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
        full = error.errno in FULL
        if os.strerror(errno.ENOSPC) in reason:  # HDF5 says so within a long line, without number
            full, reason = True, os.strerror(errno.ENOSPC)
        step = "free some disk space or choose another path" if full else "choose another path"
        raise InputError(f"{path}: cannot be written ({reason}); {step}.") from error
