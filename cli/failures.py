"""Errors as users see them: one line with the next step, or a traceback if the bug is ours."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import click

from keras_tracknet.addresses import mask_addresses
from keras_tracknet.backends import BACKENDS, choose_backend
from keras_tracknet.errors import InputError, name_bundled
from keras_tracknet.shortage import OUT_OF_MEMORY, is_out_of_memory

from .arguments import COMMAND, name_options

NEXT_STEPS = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "give a file, not a folder",
    errno.EACCES: "check its permissions or choose another path",
    errno.EPERM: "check its permissions or choose another path",
    errno.EROFS: "choose another path",
    errno.ENOSPC: "free some disk space or choose another path",
    errno.EDQUOT: "free some disk space or choose another path",
}
# Signals that stop a command like Ctrl-C: schedulers send TERM, a closing terminal sends HUP.
STOPPING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
REPEATED = 2.0  # seconds within which a repeated signal is ignored: HUP comes twice
COMMAND_LINE = "keras_tracknet_cli.command_line"  # key of the arguments in the context


class Failure(click.ClickException):
    """An error shown to the user as one line on stderr."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Print the line; the terminal may already be closed."""
        with contextlib.suppress(OSError):
            click.echo(self.message, file=file, err=True)


class Interruption(Failure):
    """A command was stopped by a signal.

    Args:
        number: of the signal; the exit code is 128 plus this number, as in shells.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        named = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
        super().__init__(f"interrupted{named}")
        self.exit_code = 128 + number  # type: ignore[misc]


@contextlib.contextmanager
def explain_failures(meta: Mapping[str, Any]) -> Iterator[None]:
    """Turn errors that users can fix into a `Failure`.

    Any other error is a bug of ours and keeps its traceback. With TRACKNET_DEBUG=1 the traceback is
    always printed.

    Args:
        meta: of the group's context, where the command at hand is noted.
    """
    with warnings.catch_warnings(), _stop_on_signals() as received:
        warnings.showwarning = _warn_once(meta)
        try:
            yield
        except KeyboardInterrupt as error:
            _show_traceback()
            raise Interruption(*received) from error
        except click.ClickException as error:
            error.message = mask_addresses(name_options(error.message, meta.get(COMMAND)))  # type: ignore[misc]
            raise
        except Exception as error:
            line = describe_error(error)
            if line is None:
                raise
            _show_traceback()
            line = name_bundled(mask_addresses(name_options(line, meta.get(COMMAND))))
            raise Failure(f"tracknet: {line}") from error


@contextlib.contextmanager
def _stop_on_signals() -> Iterator[list[int]]:
    """Let TERM and HUP interrupt the `with` block like Ctrl-C.

    Yields:
        A list that holds the signal once one has been received.
    """
    received: list[int] = []
    latest = -REPEATED

    def stop(number: int, _frame: Any) -> None:
        nonlocal latest
        repeated, latest = time.monotonic() - latest < REPEATED, time.monotonic()
        received[:] = [number]
        if not repeated:
            raise KeyboardInterrupt

    # Ignored signals stay ignored: nohup relies on it.
    ours = threading.current_thread() is threading.main_thread()
    handled = [n for n in STOPPING if ours and signal.getsignal(n) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, stop)
    try:
        yield received
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def describe_error(error: Exception) -> str | None:
    """Return the line that explains an error to the user; None if the user cannot fix it."""
    if is_out_of_memory(error):
        return OUT_OF_MEMORY
    if isinstance(error, InputError):
        return _one_line(error)
    if isinstance(error, ModuleNotFoundError) and error.name in BACKENDS:
        return _describe_missing(error.name)
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        return _describe_os_error(error)
    return None


def repeat_command(*more: str, leave_out: str = "") -> str:
    """Return the running command as typed, without passwords.

    Args:
        more: arguments to add if they are missing.
        leave_out: an argument to remove.
    """
    given = click.get_current_context().meta.get(COMMAND_LINE, [])
    kept = [argument for argument in given if argument != leave_out]
    kept = [mask_addresses(argument) for argument in kept]
    return shlex.join(["tracknet", *kept, *(word for word in more if word not in kept)])


def debugging() -> bool:
    """Whether TRACKNET_DEBUG asks for tracebacks and framework logs."""
    return os.environ.get("TRACKNET_DEBUG", "0") not in ("", "0")


def _show_traceback() -> None:
    if debugging():
        click.echo(mask_addresses(traceback.format_exc()), err=True, nl=False)


def _describe_missing(name: str) -> str:
    try:
        choose_backend()
    except InputError as error:
        return _one_line(error)
    return f"{name} is required but not installed; run: pip install {name}"


def _describe_os_error(error: OSError) -> str:
    number, reason = error.errno, error.strerror or _one_line(error) or type(error).__name__
    # HDF5 hides this in a long line and sets no errno.
    if os.strerror(errno.ENOSPC) in reason:
        number, reason = errno.ENOSPC, os.strerror(errno.ENOSPC)
    place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    step = NEXT_STEPS.get(number or 0, "set TRACKNET_DEBUG=1 to see where")
    return f"{place}{reason[0].lower()}{reason[1:]}; {step}."


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _warn_once(meta: Mapping[str, Any]) -> Any:
    """Return a function that shows every warning only once, since a video is read repeatedly."""
    shown = set()

    def show(message: Warning | str, *_where: Any) -> None:
        line = name_options(" ".join(str(message).split()), meta.get(COMMAND))
        line = name_bundled(mask_addresses(line))
        if line not in shown:
            shown.add(line)
            click.echo(f"tracknet: warning: {line}", err=True)

    return show
