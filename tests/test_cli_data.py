import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from helpers_clips import write_pair, write_run, write_video
from keras_tracknet_cli.data import data

from keras_tracknet.errors import InputError


def run(*arguments):
    return CliRunner().invoke(data, ["check", *map(str, arguments)])


def test_check_prints_a_row_a_clip_and_the_totals(tmp_path):
    write_pair(tmp_path, "first")
    write_run(tmp_path / "run-1")
    result = run(tmp_path)
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["first", "6", "3", "2", "67%", "64x36", "25"] in rows
    assert ["run-1", "6", "3", "2", "67%", "64x36", "-"] in rows
    assert ["2", "clips", "12", "6", "4", "67%"] in rows
    assert "To look at" not in result.stdout


def test_check_prints_doubts_after_the_table(tmp_path):
    write_pair(tmp_path, "first")
    write_video(tmp_path / "second.mp4")
    result = run(tmp_path)
    assert result.exit_code == 0
    assert "- second: no labels for it" in result.stdout.partition("To look at:")[2]


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
    assert "no clip can be used" in result.stderr
    assert "unlabelled: no labels for it" in result.stdout


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
    assert "Exits with 1" in done.stdout
