"""The one error that users of this package are meant to read."""


class InputError(ValueError):
    """Something that was given cannot be used.

    The message is one line: it names the file or argument, says what is wrong with it
    and what to do next. The command line prints it without a traceback and exits with 1.
    """
