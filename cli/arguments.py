"""Arguments that library messages name, shown as options of the command at hand.

The library writes `` `threshold` `` or `` `overwrite=True` `` for Python users. On the command line
the same message reads `--threshold` or `--overwrite`.
"""

from __future__ import annotations

import re

import click

COMMAND = "keras_tracknet_cli.command"  # key of the command at hand in the context
ARGUMENT = re.compile(r"`(\w+)(?:=([^`]*))?`")
RECEIVED = re.compile(r"\b(\w+)=('[^']*'|\([^)]*\)|[^\s,]+)")


class CommandGroup(click.Group):
    """A group that notes in the context which command it runs."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and note it for `name_options`."""
        name, command, rest = super().resolve_command(ctx, args)
        ctx.meta[COMMAND] = command
        return name, command, rest


def name_options(message: str, command: click.Command | None) -> str:
    """Return a library message with arguments written as options of a command.

    Arguments in backticks are translated anywhere, `name=value` after "Received:" as well. Names
    that are no options of the command stay as they are.

    Args:
        message: one line from the library.
        command: the command that is running; None if unknown.
    """
    options = _list_options(command)

    def show_argument(match: re.Match[str]) -> str:
        name, value = match.groups()
        return _show_option(options[name], value) if name in options else match[0]

    def show_received(match: re.Match[str]) -> str:
        return _show_option(options[match[1]], match[2]) if match[1] in options else match[0]

    message, received, values = ARGUMENT.sub(show_argument, message).partition("Received: ")
    return message + received + RECEIVED.sub(show_received, values)


def _list_options(command: click.Command | None) -> dict[str, click.Option]:
    """Map names of arguments to options: the parameter's name and that of its long option."""
    found: dict[str, click.Option] = {}
    for option in command.params if command is not None else []:
        if isinstance(option, click.Option):
            long = [name[2:].replace("-", "_") for name in option.opts if name.startswith("--")]
            found |= dict.fromkeys([str(option.name), *long], option)
    return found


def _show_option(option: click.Option, value: str | None) -> str:
    """Write an option with its value, as one types it; a flag stands for itself."""
    if value == "False" and option.secondary_opts:
        return option.secondary_opts[0]
    if value is None or option.is_flag:
        return option.opts[0]
    typed = value.strip("()").replace(", ", "x") if value.startswith("(") else value.strip("'\"")
    return f"{option.opts[0]} {typed}"
