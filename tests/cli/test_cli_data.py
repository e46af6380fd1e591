import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from helpers_clips import write_match, write_pair, write_run, write_video
from helpers_labels import tennis
from keras_tracknet_cli.data import data

from keras_tracknet.datasets.splits import read_split
from keras_tracknet.errors import InputError


@pytest.fixture(autouse=True)
def folder(tmp_path_factory, monkeypatch):
    """Run in a folder of its own: the contact sheet goes there."""
    folder = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(folder)
    return folder


def call(*arguments):
    return CliRunner().invoke(data, list(map(str, arguments)))


def run(*arguments):
    return call("check", *arguments)


def test_check_prints_a_row_a_clip_and_the_totals(tmp_path):
    write_pair(tmp_path, "first")
    write_run(tmp_path / "run-1")
    result = run(tmp_path)
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["first", "6", "3", "2", "67%", "64x36", "25"] in rows
    assert ["run-1", "6", "3", "2", "67%", "64x36", "-"] in rows
    assert ["2", "clips", "12", "6", "4", "67%"] in rows
    assert "Please check" not in result.stdout


def test_check_prints_warnings_after_the_table(tmp_path):
    write_pair(tmp_path, "first")
    write_video(tmp_path / "second.mp4")
    result = run(tmp_path)
    assert result.exit_code == 0
    assert "- second: skipped: no labels found" in result.stdout.partition("Please check:")[2]


def test_long_and_bracketed_names_are_printed_whole(tmp_path):
    name = "[bold]" + "a-very-long-clip-name-" * 5
    write_pair(tmp_path, name)
    assert name in run(tmp_path).stdout


def test_check_json_is_one_object_on_stdout(tmp_path):
    write_pair(tmp_path, "first")
    report = json.loads(run(tmp_path, "--json").stdout)
    assert report["totals"] == {"clips": 1, "frames": 6, "labelled": 3, "visible": 2}
    assert report["clips"][0]["size"] == [36, 64]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_nothing_usable_exits_with_1(tmp_path, options):
    write_video(tmp_path / "unlabelled.mp4")
    result = run(tmp_path, *options)
    assert result.exit_code == 1
    assert "no usable clip found" in result.stderr
    assert "unlabelled: skipped: no labels found" in result.stdout


def test_missing_folder_is_an_input_error(tmp_path):
    assert isinstance(run(tmp_path / "missing").exception, InputError)


def test_help_answers_without_the_library():
    code = (
        "import sys\n"
        "from keras_tracknet_cli.data import data\n"
        "data(['check', '--help'], standalone_mode=False)\n"
        "assert not {'numpy', 'av', 'keras', 'rich'} & set(sys.modules), sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Exits with code 1" in done.stdout


def test_check_draws_a_sheet_and_prints_its_place_last(tmp_path, folder):
    write_pair(tmp_path, "first")
    place = folder / "runs" / "data" / "check" / f"{tmp_path.name}.png"
    assert run(tmp_path).stdout.splitlines()[-1] == str(place)
    assert place.read_bytes().startswith(b"\x89PNG")
    assert json.loads(run(tmp_path, "--json").stdout)["sheet"] == str(place)


def test_check_draws_no_sheet_when_told(tmp_path, folder):
    write_pair(tmp_path, "first")
    assert run(tmp_path, "--no-sheet").exit_code == 0
    assert list(folder.iterdir()) == []


def test_check_draws_the_sheet_where_it_is_told(tmp_path):
    write_pair(tmp_path / "data", "first")
    run(tmp_path / "data", "--sheet", tmp_path / "look.png", "--quiet")
    assert (tmp_path / "look.png").is_file()


def test_check_takes_what_counts_as_visible(tmp_path):
    tennis(tmp_path)
    labels = tmp_path / "game1" / "Clip1" / "Label.csv"
    labels.write_text(labels.read_text().replace("0000.jpg,1", "0000.jpg,3"))
    seen = [
        json.loads(run(tmp_path, "--json", "--visible", v).stdout)["totals"]["visible"]
        for v in ("easy", "hidden")
    ]
    assert seen == [3, 4]


def test_split_is_written_for_fit(tmp_path, folder):
    for match in ("match1", "match2"):
        write_match(tmp_path / match, ["a", "b"])
    result = call("split", tmp_path, "--by", "match")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(folder / "split.json")]
    split = read_split(folder / "split.json")
    assert len(split.train) == len(split.validation) == 2
    assert split.data == str(tmp_path)
    assert "2 training, 2 validation, 0 test" in result.stderr


def test_split_of_a_single_clip_warns(tmp_path):
    write_match(tmp_path / "match1", ["a"])
    result = call("split", tmp_path)
    assert (result.exit_code, "warning: only one clip" in result.stderr) == (0, True)


def test_split_replaces_nothing_unless_told(tmp_path):
    write_match(tmp_path / "match1", ["a", "b"])
    assert call("split", tmp_path, "--val", "match1/a").exit_code == 0
    assert call("split", tmp_path).exit_code == 1
    assert call("split", tmp_path, "--overwrite", "--val", "match1/b").exit_code == 0


def test_convert_prints_where_it_has_written(tmp_path, folder):
    write_pair(tmp_path, "first")
    result = call("convert", tmp_path, "out", "--to", "cvat")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(folder / "out")]
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["first.mp4", "first.xml"]


def test_convert_needs_a_target(tmp_path):
    assert call("convert", tmp_path, "out").exit_code == 2
