"""Locks: one process at a time writes a result."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_tracknet.errors import InputError
from keras_tracknet.files import explain_writing

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)  # by another process


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold the right to write a result during the `with` block.

    The operating system releases the lock when the process ends, however it ends; where a file
    system knows no locks, there is none. Folders made for it that stay empty are removed.

    Args:
        path: a file of the result; another process locks the same one.

    Raises:
        InputError: another process holds the lock, or the folder cannot be written.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        with explain_writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        with _lock_file(path.with_name(f".{path.name}.lock"), path):
            yield
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextmanager
def _lock_file(lock: Path, path: Path) -> Iterator[None]:
    with explain_writing(path):
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            _acquire(descriptor)
        except OSError as error:
            if error.errno in HELD:
                raise _being_written(path) from error
        # The previous holder may have removed the file meanwhile, and another made it again.
        if not lock.exists() or not os.path.samestat(os.fstat(descriptor), lock.stat()):
            raise _being_written(path)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows does not remove open files
                lock.unlink()
    finally:
        os.close(descriptor)


def _acquire(descriptor: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _being_written(path: Path) -> InputError:
    return InputError(
        f"{path.parent}: another tracknet process is writing there; wait for it to finish or"
        " choose another path."
    )
