"""The one error that users of this package are meant to read."""

from keras_tracknet.addresses import mask_addresses


class InputError(ValueError):
    """Something that was given cannot be used.

    The message is one line: it names the file or argument, says what is wrong with it
    and what to do next. The command line prints it without a traceback and exits with 1.
    Passwords in addresses are masked.
    """

    def __init__(self, message: str) -> None:
        super().__init__(mask_addresses(message))
