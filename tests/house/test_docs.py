"""What the documentation says: commands, options and names that there are, Python that runs."""

import ast
import html
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
from test_imports import ROOMS

import keras_tracknet
from keras_tracknet.presets import DEMO
from keras_tracknet.synthetic import RallyConfig, write_rally

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOXFILE = (ROOT / "noxfile.py").read_text(encoding="utf-8")
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


def test_reference_has_every_public_name_on_one_page():
    reference = runpy.run_path(str(ROOT / "docs" / "reference.py"))
    pages = {path: "\n".join(lines) for path, lines in reference["write_pages"]()}
    names = [name for _, names in reference["THEMES"].values() for name in names]
    assert sorted(names) == sorted(set(keras_tracknet.__all__) - {"__version__"})
    for theme, (_, names) in reference["THEMES"].items():
        page = pages[f"reference/python/{theme}.md"]
        for name in names:
            place = reference["find_object"](name)
            assert f"::: keras_tracknet.{place}\n" in page
            assert f"#keras_tracknet.{place})" in pages["reference/python/index.md"]
            assert len(reference["summarize"](place)) > 10


def test_the_architecture_page_is_that_of_the_code():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:ground|`(\w+)`) \| (.*?) \|", text, re.MULTILINE)
    assert [{folder, *re.findall(r"`(\w+)`", files)} - {""} for folder, files in rows] == [
        set(room) for room in ROOMS
    ]
    figure = runpy.run_path(str(ROOT / "docs" / "rooms.py"))
    assert figure["ROOMS"] == ("ground", *(folder for folder, _ in rows[1:]))
    for importer, imported in figure["count_imports"]():
        assert figure["ROOMS"].index(imported) < figure["ROOMS"].index(importer)
    steps = re.findall(r"\| `(\w+)` \| `([\w/]+\.py)` \|", text)
    assert len(steps) == 20
    for name, module in steps:
        code = (ROOT / "keras_tracknet" / module).read_text(encoding="utf-8")
        assert re.search(rf"^(?:def|class) {name}\b", code, re.MULTILINE), (name, module)


def test_contributing_names_files_that_exist_and_every_session():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`([\w./-]+\.(?:py|md|toml|yml))`", text))
    paths = {path for path in paths if "NAME" not in path}
    assert len(paths) > 25
    homes = (ROOT, ROOT / "keras_tracknet")
    assert [path for path in paths if not any((home / path).exists() for home in homes)] == []
    sessions = re.findall(r"^nox\.options\.sessions = (\[.*?\])", NOXFILE, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == [
        *ast.literal_eval(sessions[0]),
        "browser",
        "walkthrough",
    ]
    tests = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/*.py"))
    for name in re.findall(r"`(test_\w+|draw_\w+)`", text):
        assert f"def {name}(" in tests


LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
CARDS = sorted((ROOT / "keras_tracknet" / "weights" / "bundled").glob("*.md"))
OTHERS = sorted(ROOT.glob("*.md"))


def find_links(page):
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    links = ("".join(groups) for groups in LINK.findall(text))
    return [link for link in links if not re.match(r"\w+:", link)]


def list_anchors(page):
    """Headings as GitHub and MkDocs name them in an address."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "page", sorted({*PAGES, *CARDS, *OTHERS}), ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_lead_to_files_and_headings_of_the_repository(page):
    reference = runpy.run_path(str(ROOT / "docs" / "reference.py"))
    dead = []
    for link in find_links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        fine = target.exists() and target.is_relative_to(ROOT)
        if anchor:
            fine = fine and target.suffix == ".md" and anchor in list_anchors(target)
        if page.parent.name == "docs" and path.startswith("../"):  # what the site does not have
            found = reference["on_page_markdown"](page.read_text(encoding="utf-8"))
            fine = fine and f"]({link})" not in found
        if not fine:
            dead.append(link)
    assert dead == []


def test_links_to_code_lead_to_the_reference_on_the_site():
    lead = runpy.run_path(str(ROOT / "docs" / "reference.py"))["on_page_markdown"]
    page = "reference/python/analysis.md#keras_tracknet.analysis.events.find_events"
    link = "[`find_events`](../keras_tracknet/analysis/events.py) and [options](../cli)"
    assert lead(link) == f"[`find_events`]({page}) and [options](reference/cli.md)"
    assert lead("[`x`](../keras_tracknet/nothing.py)") == "[`x`](../keras_tracknet/nothing.py)"


@pytest.mark.parametrize("page", [*PAGES[1:], *CARDS], ids=lambda page: page.stem)
def test_lists_begin_after_an_empty_line(page):
    """MkDocs, unlike GitHub, takes what follows a paragraph at once for more of it."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    bullet = re.compile(r"(?:[-*]|\d+\.) ")
    wrong = [
        line
        for block in re.split(r"\n\s*\n", text)
        for first, *lines in [block.strip("\n").split("\n")]
        for line in lines
        if bullet.match(line) and not bullet.match(first)
    ]
    assert wrong == []


def test_animation_of_the_readme_can_be_drawn_again(tmp_path):
    image = pytest.importorskip("PIL.Image")
    animation = runpy.run_path(str(ROOT / "docs" / "animation.py"))
    animation["main"](tmp_path / "rally.webp", 9, DEMO)
    committed = animation["OUTPUT"]
    for path, frames in ((tmp_path / "rally.webp", 9), (committed, animation["FRAMES"])):
        with image.open(path) as picture:
            assert (picture.n_frames, picture.size) == (frames, animation["SIZE"])
    assert committed.stat().st_size < 2e6


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


# Besides `keras_tracknet` itself, the modules that code may import by their path.
PUBLIC_MODULES = ("layers", "losses", "metrics", "presets")


def find_private_names(code):
    """Return what a program takes from the package that `keras_tracknet` does not export."""
    private = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            private += [name for name in names if name.startswith("keras_tracknet.")]
        elif isinstance(node, ast.ImportFrom) and node.module == "keras_tracknet":
            names = [alias.name for alias in node.names]
            private += [name for name in names if name not in keras_tracknet.__all__]
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("keras_tracknet."):
            known = node.module.removeprefix("keras_tracknet.") in PUBLIC_MODULES
            private += [] if known else [node.module]
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in (
            "kt",
            "keras_tracknet",
        ):
            private += [] if node.attr in keras_tracknet.__all__ else [node.attr]
    return private


def find_code(path):
    """Return the Python of an example or of a page, also what is not meant to be run as it is."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text
    blocks = BLOCK.findall(text)
    return "\n".join(block for language, block in blocks if language in ("python", "py"))


@pytest.mark.parametrize(
    "path", [*PAGES, *sorted((ROOT / "examples").glob("*.py"))], ids=lambda path: path.stem
)
def test_guides_and_examples_use_public_names_only(path):
    assert find_private_names(find_code(path)) == []


@pytest.mark.parametrize(
    ("code", "private"),
    [
        ("import keras_tracknet as kt\nkt.fit", []),
        ("from keras_tracknet.losses import WeightedBCE", []),
        ("from keras_tracknet import fit, weights", ["weights"]),
        ("from keras_tracknet.training.loop import fit", ["keras_tracknet.training.loop"]),
        ("import keras_tracknet.weights.spec", ["keras_tracknet.weights.spec"]),
        ("import keras_tracknet as kt\nkt.weights.load_model", ["weights"]),
    ],
)
def test_a_private_name_is_found(code, private):
    assert find_private_names(code) == private


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
