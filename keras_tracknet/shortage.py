"""Detection of out-of-memory errors, whichever library raises them."""

from __future__ import annotations

import errno
import signal

from keras_tracknet.errors import InputError

OUT_OF_MEMORY = "out of memory; close other programs or use a smaller batch."
SIGNS = (
    "MemoryError",
    "OutOfMemoryError",  # PyTorch and OpenCV
    "ResourceExhaustedError",  # TensorFlow
    "RESOURCE_EXHAUSTED",  # TensorFlow and JAX
    "bad_alloc",
    "Insufficient memory",  # OpenCV
    "Failed to allocate",  # OpenVINO
    "annot allocate memory",  # the system
    "failed to map segment",  # the system, while loading a library
    "can't start new thread",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or its cause, means that memory ran out."""
    cause: BaseException | None = error
    while cause is not None:
        number = getattr(cause, "errno", None)
        if isinstance(cause, MemoryError) or number == errno.ENOMEM:
            return True
        # Messages with file names may contain any words.
        plain = number is None and not isinstance(cause, InputError)
        if plain and says_out_of_memory(f"{type(cause).__name__}: {cause}"):
            return True
        cause = cause.__cause__
    return False


def says_out_of_memory(text: str) -> bool:
    """Return whether printed text means that memory ran out."""
    return any(sign in text for sign in SIGNS)


def explain_exit(code: int, printed: str) -> str:
    """Return a short reason why a process failed.

    Args:
        code: its exit code; negative for the signal that ended it.
        printed: what it wrote to stderr.
    """
    if says_out_of_memory(printed):
        return "out of memory; close other programs"
    if code < 0:
        name = signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"
        return f"killed by {name}, probably out of memory; close other programs"
    lines = printed.strip().splitlines()
    return lines[-1] if lines else "no reason given"
