"""What the documentation says: commands, options and names that there are, Python that runs."""

import html
import importlib.util
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from keras_tracknet_cli.main import cli

import keras_tracknet
from keras_tracknet.synthetic import RallyConfig, write_rally

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MENTION = re.compile(r"`(tracknet [^`]*)`")


def split_words(line):
    """Split a command's line; of alternatives, such as v1|v2, give every one."""
    lines = [[]]
    for word in shlex.split(line, comments=True):
        choices = word.split("|")
        lines = [[*words, choice] for words in lines for choice in choices]
    return [words[1:] for words in lines]


def find_commands(text):
    """Yield the words of each `tracknet ...` in a page, and whether it stands in a block."""
    for language, block in BLOCK.findall(text):
        if language == "sh":
            for line in re.split(r"\n|&&", block.replace("\\\n", " ")):
                if line.strip().startswith("tracknet"):
                    yield from ((words, True) for words in split_words(line))
    for mention in MENTION.findall(BLOCK.sub("", text)):
        line = mention.replace("\\|", "|").replace("\n", " ")
        yield from ((words, False) for words in split_words(line))


def parse(words):
    """Parse a command as the command line does, and do not run it."""
    command, name = cli, "tracknet"
    context = click.Context(cli, info_name=name)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        command = command.get_command(context, name)
        assert command is not None, f"no command called {name}"
    return command.make_context(name, list(words), parent=context)


def is_sketched(words, error):
    """Return whether a command in running text leaves something out, or to the reader."""
    if isinstance(error, click.MissingParameter):
        return True
    placeholders = [word for word in words if word.isupper()]
    return isinstance(error, click.BadParameter) and any(
        f"'{word}'" in error.message for word in placeholders
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_are_those_of_the_command_line(page):
    wrong = []
    for words, in_block in find_commands(page.read_text(encoding="utf-8")):
        try:
            parse(words)
        except click.exceptions.Exit:  # --help and --version
            pass
        except (click.UsageError, AssertionError) as error:
            if in_block or not is_sketched(words, error):
                wrong.append((shlex.join(words), str(error)))
    assert wrong == []


def test_a_wrong_option_is_found():
    text = "```sh\ntracknet predict a.mp4 --nonsense\n```\n`tracknet fit --version v1\\|v9`"
    commands = [words for words, _ in find_commands(text)]
    assert commands[1:] == [["fit", "--version", "v1"], ["fit", "--version", "v9"]]
    for words in (commands[0], commands[2]):
        with pytest.raises(click.UsageError, match=r"nonsense|v9"):
            parse(words)


def test_reference_has_every_command_and_option():
    reference = runpy.run_path(str(ROOT / "docs" / "reference.py"))
    text = html.unescape("\n".join(reference["write_commands"]()))
    for path, command in reference["find_commands"](cli):
        if not isinstance(command, click.Group):
            section = text.partition(f"## tracknet {' '.join(path)}\n")[2].partition("\n## ")[0]
            for option in (p for p in command.params if isinstance(p, click.Option)):
                assert option.help in section, (path, option.name)
                assert all(name in section for name in option.opts), (path, option.name)
    assert "\\b" not in text  # click's mark for lines to keep; in a raw string it is none


def test_reference_has_every_public_name():
    reference = runpy.run_path(str(ROOT / "docs" / "reference.py"))
    text = "\n".join(reference["write_names"]())
    for name in set(keras_tracknet.__all__) - {"__version__"}:
        assert f"heading: {name}\n" in text
    for name in reference["MODULES"]:
        assert importlib.util.find_spec(f"keras_tracknet.{name}") is not None


@pytest.fixture
def footage(tmp_path):
    """What the pages speak of: match.mp4, its track, and a folder of labelled clips."""
    config = RallyConfig(frames=9, size=(64, 114))
    write_rally(config, tmp_path / "clips")
    video = write_rally(config, tmp_path).rename(tmp_path / "match.mp4")
    predicted = tmp_path / "runs" / "predict" / video.stem
    predicted.mkdir(parents=True)
    (track,) = tmp_path.glob("*.csv")
    track.rename(predicted / "track.csv")
    return tmp_path


def find_python(page):
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [block for language, block in blocks if language == "python"]


@pytest.mark.parametrize(
    "page", [p for p in PAGES[1:] if find_python(p)], ids=lambda page: page.stem
)
def test_python_of_a_page_runs(page, footage):
    code = "\n".join(find_python(page))
    if "pandas" in code:
        pytest.importorskip("pandas")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=footage,
        env={**os.environ, "TRACKNET_CACHE": str(footage / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
