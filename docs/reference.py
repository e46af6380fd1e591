"""Generates the reference pages from the commands, public names and model cards.

MkDocs calls `on_config`, `on_files` and `on_page_markdown` while it builds the site; see `hooks` in
mkdocs.yml. The pages are never committed, so they cannot be out of date.
"""

from __future__ import annotations

import ast
import html
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from keras_tracknet_cli.main import cli
from keras_tracknet_cli.options import ExperimentalOption

import keras_tracknet
from keras_tracknet.presets import list_presets

PACKAGE = Path(keras_tracknet.__file__).parent

# Public names by theme: the page, its title, and what is on it.
THEMES = {
    "tracking": (
        "Tracking",
        ("Tracker", "choose_weights", "Track", "read_track", "write_track", "raw_track",
         "predict_video", "Part", "OutputPaths", "InputError"),
    ),
    "analysis": (
        "Analysis",
        ("analyze_track", "find_events", "compute_velocity", "find_sport", "read_court"),
    ),
    "corrections": ("Corrections", ("find_doubtful_frames", "merge_labels")),
    "drawing": ("Drawing", ("write_overlay", "plot_track", "name_plots")),
    "frames": (
        "Videos and frames",
        ("probe_video", "read_frames", "sample_frames", "estimate_background", "sample_indices",
         "scale_positions", "stack_window", "scale_window"),
    ),
    "clips": (
        "Labelled clips",
        ("find_dataset", "find_clips", "read_labels", "split_dataset", "FrameCache"),
    ),
    "rallies": (
        "Rendered rallies",
        ("RallyConfig", "simulate_rally", "write_rally", "render_rallies"),
    ),
    "training": (
        "Training and evaluation",
        ("fit", "FitConfig", "describe_network", "render_disc", "render_gaussian",
         "render_classes", "evaluate", "compare"),
    ),
    "networks": (
        "Networks",
        ("build_v1", "build_v2", "build_v3", "build_v4", "build_v5", "build_wasb",
         "build_linker", "build_rectifier"),
    ),
    "files": (
        "Model files", ("load_model", "save_model", "ModelFile", "ModelSpec", "export")
    ),
    "layers": ("Layers", ("layers",)),
    "losses": ("Losses", ("losses",)),
    "metrics": ("Metrics", ("metrics",)),
    "presets": ("Presets", ("presets",)),
    "checkpoints": ("Checkpoints from other projects", ("checkpoints",)),
    "classifier": (
        "Clip classifier (experimental)",
        ("build_tsm", "build_tsm_online", "reset_stream", "load_classified", "classify_windows",
         "sample_segments", "evaluate_classes"),
    ),
}  # fmt: skip

# Pages of the site for links that lead into the repository.
PLACES = {
    "../cli": "reference/cli.md",
    "../keras_tracknet": "reference/python/index.md",
    "../keras_tracknet/__init__.py": "reference/python/index.md",
    "../keras_tracknet/weights/bundled": "reference/weights.md",
}
CODE_LINK = re.compile(r"\[(`?)([^\]`]+)\1\]\((\.\./[^)#]+)\)")


def on_config(config: Any) -> Any:
    """List the pages of the reference in the navigation."""
    (reference,) = (entry["Reference"] for entry in config.nav if "Reference" in entry)
    for entry in reference:
        if "Python" in entry:
            entry["Python"] = [entry["Python"], *list_themes()]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the reference pages to the site's files."""
    from mkdocs.structure.files import File

    for path, lines in write_pages():
        files.append(File.generated(config, path, content="\n".join(lines)))
    return files


def on_page_markdown(markdown: str, **_page: Any) -> str:
    """Redirect links to the code, which work in the repository, to pages of the site."""
    return CODE_LINK.sub(_lead_here, markdown)


def write_pages() -> Iterator[tuple[str, Iterator[str]]]:
    """Yield the path of each page below docs, and its lines."""
    yield "reference/cli.md", write_commands()
    yield "reference/python/index.md", write_themes()
    for theme in THEMES:
        yield f"reference/python/{theme}.md", write_theme(theme)
    yield "reference/weights.md", write_cards()


def list_themes() -> list[dict[str, str]]:
    """Return the pages of the public names for the navigation."""
    return [{title: f"reference/python/{theme}.md"} for theme, (title, _) in THEMES.items()]


def find_object(name: str) -> str:
    """Return where a public name lives below the package, such as `events.find_events`."""
    home = keras_tracknet._HOMES[name]
    return home if home.split(".")[-1] == name else f"{home}.{name}"


def write_commands() -> Iterator[str]:
    """Yield the lines of the command line's reference."""
    yield "# Command line\n"
    yield from (
        "This page shows the `--help` text of each command. Results go to stdout, progress to",
        "stderr; see [exit codes](../tracking.md#in-scripts).\n",
    )
    commands = [(" ".join(("tracknet", *path)), command) for path, command in find_commands(cli)]
    commands = [case for case in commands if not isinstance(case[1], click.Group)]
    yield from write_table(
        (f"[{name}](#{name.replace(' ', '-')})", command.get_short_help_str(200))
        for name, command in commands
    )
    for name, command in commands:
        context = click.Context(command, info_name=name)
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"## {name}\n"
        yield f"```text\n{name} {usage}\n```\n"
        yield from write_help(command.help or "")
        yield "| Option | Description |\n|---|---|"
        for option in (p for p in command.get_params(context) if isinstance(p, click.Option)):
            record = option.get_help_record(context)
            if record is not None:
                names, text = (html.escape(cell).replace("|", "&#124;") for cell in record)
                mark = "Experimental: " if isinstance(option, ExperimentalOption) else ""
                yield f"| <code>{names}</code> | {mark}{text} |"
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


def write_themes() -> Iterator[str]:
    """Yield the lines of the page that lists `keras_tracknet`'s public names."""
    yield "# Python\n\n`import keras_tracknet as kt` gives these names. The import itself loads no"
    yield "framework; the first name that needs Keras loads it. Only these names are public: see"
    yield "[What may change before 1.0](../../stability.md).\n"
    for theme, (title, names) in THEMES.items():
        yield f"## {title}\n"
        yield from write_names(names, f"{theme}.md")


def write_theme(theme: str) -> Iterator[str]:
    """Yield the lines of the page of a theme."""
    title, names = THEMES[theme]
    if names == (theme,):
        yield show_object(find_object(theme), title, level=1)
        return
    yield f"# {title}\n"
    yield from write_names(names, "")
    yield from (show_object(find_object(name), name) for name in names)


def write_names(names: Iterable[str], page: str) -> Iterator[str]:
    """Yield a table of public names, each linked to where a page shows it."""
    yield from write_table(
        (f"[`{name}`]({page}#keras_tracknet.{find_object(name)})", summarize(find_object(name)))
        for name in names
    )


def write_table(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a table of names and what they are."""
    yield "| Name | Description |\n|---|---|"
    yield from (f"| {name} | {text} |".replace("\n", " ") for name, text in rows)
    yield ""


def summarize(path: str) -> str:
    """Return the first line of the docstring of a module, or of something in it.

    Args:
        path: below the package, such as `events.find_events`.
    """
    file, name = find_source(path)
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = [node for node in tree.body if getattr(node, "name", None) == name]
    text = ast.get_docstring(nodes[0] if name else tree) or ""  # type: ignore[arg-type]
    return " ".join(text.partition("\n\n")[0].split())


def find_source(path: str) -> tuple[Path, str]:
    """Return the file of a module, or of something in it, and the name of that, else none."""
    parts = path.split(".")
    for place in (
        PACKAGE.joinpath(*parts).with_suffix(".py"),
        PACKAGE.joinpath(*parts, "__init__.py"),
    ):
        if place.is_file():
            return place, ""
    return PACKAGE.joinpath(*parts[:-1]).with_suffix(".py"), parts[-1]


def show_object(path: str, title: str, *, level: int = 2) -> str:
    """Return what makes mkdocstrings show an object of the package under a heading."""
    options = f"      heading: {title}\n      toc_label: {title}\n      heading_level: {level}\n"
    return f"::: keras_tracknet.{path}\n    options:\n{options}"


def _lead_here(link: re.Match[str]) -> str:
    tick, text, target = link.groups()
    page = PLACES.get(target.rstrip("/"))
    if page is None and target.startswith("../keras_tracknet/"):
        module = target.removeprefix("../keras_tracknet/").removesuffix(".py").replace("/", ".")
        page = _find_page(module, text)
    return link[0] if page is None else f"[{tick}{text}{tick}]({page})"


def _find_page(module: str, name: str) -> str | None:
    """Return the page that shows something of a module, with its anchor."""
    anchor = f"#keras_tracknet.{module}.{name}"
    for theme, (_, names) in THEMES.items():
        if names == (theme,) and find_object(theme) == module:
            return f"reference/python/{theme}.md{anchor}"
        if name in names and keras_tracknet._HOMES[name] == module:
            return f"reference/python/{theme}.md{anchor}"
    return None


def write_cards() -> Iterator[str]:
    """Yield the cards of the bundled weights."""
    yield "# Bundled weights\n\n`tracknet presets` lists them with size, accuracy and speed.\n"
    for preset in list_presets().values():
        card = preset.card.read_text(encoding="utf-8").replace("](../../../docs/", "](../")
        yield re.sub(r"^#", "##", card, flags=re.MULTILINE)
