"""Messages that name arguments: of Python in the library, of the command line in a command."""

import ast
import re
import warnings
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from keras_tracknet_cli import main
from keras_tracknet_cli.arguments import name_options

import keras_tracknet
from keras_tracknet.errors import InputError

ROOT = Path(keras_tracknet.__file__).parent
FLAG = re.compile(r"(?<![\w-])--[a-z]")
# The beginning of a command to type, in which options belong.
COMMAND = re.compile(r"(tracknet \w+|pip install)[^;:,`]*$")


def find_command(*path):
    group = main.cli
    for name in path:
        group = group.get_command(click.Context(group), name)
    return group


@pytest.mark.parametrize(
    ("path", "message", "shown"),
    [
        (["predict"], "`threshold` must be 0 to 1", "--threshold must be 0 to 1"),
        (["predict"], "set `max_gap`", "set --max-gap"),
        (["predict"], "use `overwrite=True` or `resume=True`", "use --overwrite or --resume"),
        (["predict"], "use `stabilize=False`", "use --no-stabilize"),
        (["predict"], 'needs `decode="published"`', "needs --decode published"),
        (["predict"], "`fps=240`", "`fps=240`"),  # an option of another command
        (["predict"], "a folder as `output`", "a folder as -o"),
        (["predict"], "`format` must be csv", "--format must be csv"),  # called formats inside
        (["predict"], "without `strict` the rest is read", "without --strict the rest is read"),
        (["predict"], "`x` is no name", "`x` is no name"),
        (["analyze"], "set `fps=29.97`", "set --fps 29.97"),
        (["analyze"], "give the `video`", "give the --video"),
        (["evaluate"], "`unit` must be one of", "--tolerance-unit must be one of"),
        (["export"], "`end_to_end=False`", "--heatmaps"),
        (["fit"], "`validation` cannot change", "--val cannot change"),
        (["fit"], 'from `init="runs/a b.keras"`.', "from --init runs/a b.keras."),
        (
            ["fit"],
            "`heatmaps` is wrong. Received: version='v1', heatmaps=2, x=3",
            "--heatmaps is wrong. Received: --version v1, --heatmaps 2, x=3",
        ),
        (["fit"], "Received: crop=(50, 50)", "Received: --crop 50x50"),
        (["fit"], "a=1: `seed` first", "a=1: --seed first"),
        (["data", "split"], '`by="clip"`', "--by clip"),
    ],
)
def test_arguments_are_shown_as_options_of_the_command(path, message, shown):
    assert name_options(message, find_command(*path)) == shown
    assert name_options(message, None) == message


def run_with(monkeypatch, path, work):
    """Run a command of the group that does something else."""
    monkeypatch.setattr(find_command(*path), "callback", lambda **_options: work())
    return CliRunner().invoke(main.cli, [*path, "x"], prog_name="tracknet")


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("a: use `overwrite=True`."), 1, "tracknet: a: use --overwrite."),
        (click.UsageError("`schema` is wrong."), 2, "Error: --schema is wrong."),
    ],
)
def test_errors_of_a_command_name_its_options(monkeypatch, error, code, line):
    result = run_with(monkeypatch, ["predict"], lambda: fail(error))
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (code, line)


def test_a_command_in_a_group_is_the_one_at_hand(monkeypatch):
    error = InputError("x: `visible` is wrong.")
    result = run_with(monkeypatch, ["data", "check"], lambda: fail(error))
    assert result.stderr == "tracknet: x: --visible is wrong.\n"


def test_notes_and_warnings_of_a_command_name_its_options(monkeypatch):
    def work():
        from keras_tracknet_cli.console import ConsoleReporter

        reporter = ConsoleReporter()
        reporter.note("a: use `resume=True`")
        reporter.warn("b: use `resume=True`")
        warnings.warn("c: without `strict`", stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("always")  # pytest makes them errors
        result = run_with(monkeypatch, ["predict"], work)
    assert result.stderr.splitlines() == [
        "a: use --resume",
        "tracknet: warning: b: use --resume",
        "tracknet: warning: c: without --strict",
    ]


def find_texts(code):
    """Yield the strings of a module; what an f-string fills in is an x."""
    tree = ast.parse(code)
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inside = {id(part) for node in formatted for part in node.values}
    for node in formatted:
        yield "".join(p.value if isinstance(p, ast.Constant) else "x" for p in node.values)
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and id(node) not in inside:
            yield value


def find_flags(code):
    """Return the texts of a module that name an option outside of a command to type."""
    return [
        text
        for text in find_texts(code)
        if any(not COMMAND.search(text[: flag.start()]) for flag in FLAG.finditer(text))
    ]


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.name))
def test_the_library_speaks_of_arguments_not_of_options(path):
    assert find_flags(path.read_text(encoding="utf-8")) == []


def test_an_option_in_a_message_is_found():
    code = 'x = f"{y}: use --overwrite"; z = f"run tracknet fit --resume -o {y}"; "a -- b"'
    assert find_flags(code) == ["x: use --overwrite"]
