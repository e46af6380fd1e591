"""The error that reports invalid input to users."""

import re
from pathlib import Path

from keras_tracknet.addresses import mask_addresses

WEIGHTS = Path(__file__).parent / "weights" / "bundled"
BUNDLED = re.compile(re.escape(str(WEIGHTS)) + r"[/\\]([\w-]+)\.keras")


class InputError(ValueError):
    """Invalid input: a file, an argument or the environment cannot be used.

    The message is one line: it names the file or argument, says what is wrong with it
    and what to do next. The command line prints it without a traceback and exits with 1.
    Passwords in addresses are masked, and weights of the package are called by their names.
    """

    def __init__(self, message: str) -> None:
        super().__init__(name_bundled(mask_addresses(message)))


def name_bundled(text: str) -> str:
    """Return a text with paths of bundled weights replaced by their names."""
    return BUNDLED.sub(r"\1 (bundled)", text)
