"""Writes the reference pages while the site is built, from the commands, names and cards there are.

MkDocs calls `on_files`; see `hooks` in mkdocs.yml. Nothing that this writes is kept in the
repository, so none of it can be out of date.
"""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator
from typing import Any

import click
from keras_tracknet_cli.main import cli

import keras_tracknet
from keras_tracknet.presets import list_presets

# Modules for those who build on parts of the package, in the order in which a video goes through.
MODULES = (
    "io.video", "io.video_writer", "io.datasets", "io.splits", "io.conversion",
    "data.frames", "data.shots", "data.windows", "data.heatmaps", "data.augment", "data.pipeline",
    "models.blocks", "detections", "tracking", "evaluation", "overlay", "plots",
    "engines", "synthetic",
)  # fmt: skip


def on_files(files: Any, config: Any) -> Any:
    """Add the reference pages to the site's files."""
    from mkdocs.structure.files import File

    pages = {
        "cli": write_commands,
        "python": write_names,
        "modules": write_modules,
        "weights": write_cards,
    }
    for name, write in pages.items():
        path = f"reference/{name}.md"
        files.append(File.generated(config, path, content="\n".join(write())))
    return files


def write_commands() -> Iterator[str]:
    """Yield the lines of the command line's reference."""
    yield "# Command line\n"
    yield from (
        "Results go to stdout, progress to stderr. Exit codes are 0 done, 1 failed, 2 wrong usage",
        "and 130 interrupted. What follows is what `--help` of each command says.\n",
    )
    for path, command in find_commands(cli):
        if isinstance(command, click.Group):
            continue
        context = click.Context(command, info_name=" ".join(("tracknet", *path)))
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"## tracknet {' '.join(path)}\n"
        yield f"```text\n{context.info_name} {usage}\n```\n"
        yield from write_help(command.help or "")
        yield "| option | what it does |\n|---|---|"
        for option in (p for p in command.get_params(context) if isinstance(p, click.Option)):
            record = option.get_help_record(context)
            if record is not None:
                names, text = (html.escape(cell).replace("|", "&#124;") for cell in record)
                yield f"| <code>{names}</code> | {text} |"
        yield ""


def find_commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below a group with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from find_commands(command, (*path, name))


def write_help(text: str) -> Iterator[str]:
    """Yield a command's help; paragraphs whose lines click keeps are shown as they are."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if not paragraph.startswith("\b\n"):
            yield paragraph + "\n"
        elif paragraph.startswith("\b\n- "):
            yield paragraph.removeprefix("\b\n") + "\n"
        else:
            yield f"```sh\n{paragraph.removeprefix(chr(8) + chr(10))}\n```\n"


def write_names() -> Iterator[str]:
    """Yield the lines of the page of `keras_tracknet`'s public names."""
    yield "# Python\n\n`import keras_tracknet as kt` gives these names; the import itself loads no"
    yield "framework, Keras comes with the first name that needs it.\n"
    homes = keras_tracknet._HOMES
    whole = [name for name, home in homes.items() if name == home]
    for name in (*(name for name in homes if name not in whole), *whole):
        yield _show(homes[name] if name in whole else f"{homes[name]}.{name}", name)


def write_modules() -> Iterator[str]:
    """Yield the lines of the page of the modules that make up the package."""
    yield "# Modules\n\nThe parts that trackers and training are made of, in the order in which"
    yield "a video goes through them.\n"
    for name in MODULES:
        yield _show(name, name)


def _show(path: str, title: str) -> str:
    """Return what makes mkdocstrings show an object of the package under a heading."""
    options = f"    options:\n      heading: {title}\n      toc_label: {title}\n"
    return f"::: keras_tracknet.{path}\n{options}"


def write_cards() -> Iterator[str]:
    """Yield the cards of the bundled weights."""
    yield "# Bundled weights\n\n`tracknet presets` lists them with size, accuracy and speed.\n"
    for preset in list_presets().values():
        yield re.sub(r"^#", "##", preset.card.read_text(encoding="utf-8"), flags=re.MULTILINE)
