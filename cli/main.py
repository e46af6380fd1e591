"""The `tracknet` command: the group of sub-commands, each loaded when it is called."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from typing import Any

import click

from keras_tracknet.version import __version__

from .arguments import CommandGroup
from .failures import COMMAND_LINE, explain_failures
from .quiet import silence_frameworks

# Name and one line of help. Each command is the attribute of that name in the module of that name.
COMMANDS = {
    "predict": "Track the ball in a video or a folder of images.",
    "studio": "Look at tracks, correct them and teach weights, in a browser.",
    "review": "List the frames of a track that a person had best look at.",
    "court": "Mark the court in a video, for positions in metres.",
    "analyze": "Find hits, bounces, landings and rallies in a track.",
    "fit": "Train a model on labelled clips.",
    "evaluate": "Evaluate weights on labelled clips.",
    "compare": "Compare weights on the same labelled clips.",
    "export": "Export a tracker to LiteRT, ONNX, OpenVINO or TensorFlow.",
    "bench": "Measure tracking speed on this machine.",
    "convert": "Convert a public checkpoint to a Keras model, or back.",
    "presets": "List the trackers that come with the package.",
    "render": "Render synthetic rallies with exact labels and events.",
    "demo": "Render a rally and track it, to check the installation.",
    "data": "Check, split and convert datasets of labelled clips.",
    "doctor": "Show what is installed on this machine and what is missing.",
}


class LazyGroup(CommandGroup):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; return None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the command line for later hints; reject empty values of unset shell variables."""
        ctx.meta[COMMAND_LINE] = list(args)
        for before, argument in pairwise(["", *args]):
            option = argument[:-1] if argument.startswith("--") else before
            if not argument or (argument.startswith("--") and argument.endswith("=")):
                place = option if option.startswith("-") else "an argument"
                raise click.UsageError(f"{place} is empty; give a value or remove it.", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn errors into one line and an exit code."""
        with explain_failures(ctx.meta):
            return super().invoke(ctx)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tracknet", message="%(prog)s %(version)s")
def cli() -> None:
    """Track small, fast balls and shuttlecocks in sports video.

    Start with: tracknet demo
    """
    silence_frameworks()
