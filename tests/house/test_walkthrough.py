"""The commands of tutorial and README, run one after the other as a reader does.

Here they run on a short rally. `nox -s walkthrough` runs them on the demo's, and compares the
numbers.
"""

import os
import re
import shlex
import shutil
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from keras_tracknet_cli.main import cli
from test_docs import BLOCK, ROOT

from keras_tracknet.inference import choice
from keras_tracknet.synthetic import RallyConfig, write_rally

PAGES = (ROOT / "README.md", ROOT / "docs" / "tutorial.md")
ELSEWHERE = ("pip", "python")  # commands that other sessions run


def list_commands(page):
    """The words of every command in the blocks of a page, in order."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    lines = [
        line
        for language, block in blocks
        if language == "sh"
        for line in re.split(r"\n|&&", block.replace("\\\n", " "))
    ]
    return [shlex.split(line, comments=True) for line in lines if line.strip()]


def run(words):
    """Run a command in the current folder; return what it prints."""
    name, *arguments = words
    if name == "cp":
        (source,) = Path().glob(arguments[0])
        shutil.copyfile(source, arguments[1])
        return ""
    assert name == "tracknet", words
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, (words, result.stderr)
    return result.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_a_page_run_on_a_short_rally(page, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    # It is the same video for every command, and trying five networks on it takes seconds.
    monkeypatch.setattr(choice, "choose_weights", cache(choice.choose_weights))
    write_rally(RallyConfig(frames=9, size=(144, 256)), tmp_path).rename("match.mp4")
    commands = [words for words in list_commands(page) if words[0] not in ("cp", *ELSEWHERE)]
    assert ["tracknet", "predict", "match.mp4"] in commands
    for words in commands:
        if words != ["tracknet", "demo"]:  # tried by the session `wheel`
            run(words)
    for name in ("track.csv", "overlay.mp4", "summary.json"):
        assert (tmp_path / "runs" / "predict" / "match" / name).is_file()


def read_numbers(text):
    return [float(number) for number in re.findall(r"(?<![\w.-])\d+(?:\.\d+)?", text)]


@pytest.mark.skipif("TRACKNET_DOCS" not in os.environ, reason="run by nox -s walkthrough")
def test_the_tutorial_gives_the_numbers_that_it_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "tutorial.md"
    printed = "".join(run(words) for words in list_commands(page) if words[0] not in ELSEWHERE)
    shown = [block for kind, block in BLOCK.findall(page.read_text("utf-8")) if kind == "text"]
    found, table = shown[0].splitlines(), shown[1].splitlines()
    for line in found:  # other processors round differently
        pattern = re.sub(r"\d+(?:\.\d+)?", r"(\\d+(?:\\.\\d+)?)", line)
        match = re.search(pattern, printed)
        assert match, (line, printed)
        assert read_numbers(match[0]) == pytest.approx(read_numbers(line), rel=0.03, abs=2)
    rows = Path("runs/predict/match/track.csv").read_text().splitlines()
    assert rows[0] == table[0]
    for line in table[1:]:
        row = rows[1 + int(line.split(",")[0])]
        assert row.split(",")[5] == line.split(",")[5]
        assert read_numbers(row) == pytest.approx(read_numbers(line), abs=1.0)
