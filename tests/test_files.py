import errno
import json
import os
import signal
import subprocess
import sys

import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.files import (
    check_free,
    explain_writing,
    read_json,
    replace_file,
    write_json,
    write_table,
    write_text,
)


def write_halves(path, between):
    """Write a file, with something happening in the middle of it."""
    with replace_file(path) as partial, open(partial, "w") as file:
        file.write("first half")
        file.flush()
        between()
        file.write(", second half")


def fail(error):
    def raise_it():
        raise error

    return raise_it


def test_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "folder" / "notes.txt"
    write_halves(path, lambda: path.exists() and pytest.fail("it is there already"))
    assert path.read_text() == "first half, second half"
    assert os.listdir(path.parent) == ["notes.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("ours"), MemoryError()])
@pytest.mark.parametrize("before", [None, "earlier"])
def test_error_leaves_what_was_there(tmp_path, error, before):
    path = tmp_path / "notes.txt"
    if before is not None:
        path.write_text(before)
    with pytest.raises(type(error)):
        write_halves(path, fail(error))
    assert os.listdir(tmp_path) == ([] if before is None else ["notes.txt"])
    assert before is None or path.read_text() == before


@pytest.mark.parametrize(
    ("error", "reason", "step"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device", "free some"),
        (OSError(errno.EACCES, "Permission denied"), "Permission denied", "choose another path"),
        # As HDF5 says it.
        (
            OSError("Can't write data (file write failed: errno = 28, error message ="
                    " 'No space left on device', offset = 0)"),
            "No space left on device",
            "free some disk space",
        ),
        (OSError("some\nreason"), "some reason", "choose another path"),
    ],
)  # fmt: skip
def test_failure_names_the_file_and_not_its_partial(tmp_path, error, reason, step):
    path = tmp_path / "notes.txt"
    with pytest.raises(InputError) as caught:
        write_halves(path, fail(error))
    assert str(caught.value).startswith(f"{path}: cannot be written ({reason}); {step}")
    assert os.listdir(tmp_path) == []


def test_folder_in_the_way_is_said_before_anything_is_written(tmp_path):
    path = tmp_path / "x.csv"
    path.mkdir()
    with pytest.raises(InputError, match=r"x\.csv: cannot be written \(Is a directory\)"):
        write_halves(path, lambda: pytest.fail("written"))


def test_file_where_the_folder_should_be_is_refused(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(InputError, match=r"run/notes\.txt: cannot be written"):
        write_text("text", tmp_path / "run" / "notes.txt")
    assert (tmp_path / "run").read_text() == "a file"


def test_link_keeps_pointing_to_where_the_file_is(tmp_path):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "notes.txt"
    link.symlink_to(tmp_path / "disk" / "real.txt")
    write_text("text", link)
    assert link.is_symlink()
    assert (tmp_path / "disk" / "real.txt").read_text() == "text"


def test_what_is_no_ordinary_file_is_written_to(tmp_path):
    fifo = tmp_path / "pipe.txt"
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE)
    write_text("text", fifo)
    assert reader.communicate(timeout=10)[0] == b"text"
    assert fifo.is_fifo()


def test_kill_leaves_what_was_there(tmp_path):
    path = tmp_path / "notes.json"
    write_json({"state": "good"}, path)
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from keras_tracknet.files import replace_file\n"
        "with replace_file(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('{')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert json.loads(path.read_text()) == {"state": "good"}
    write_json({"state": "better"}, path)  # which clears away what the killed one left
    assert os.listdir(tmp_path) == ["notes.json"]


def test_writing_into_a_folder_is_explained_too(tmp_path):
    (tmp_path / "run").write_text("a file")
    with (
        pytest.raises(InputError, match=r"run: cannot be written \(File exists\)"),
        explain_writing(tmp_path / "run"),
    ):
        (tmp_path / "run").mkdir()


def test_names_that_are_no_utf_8_can_be_written(tmp_path):
    name = os.fsdecode(b"caf\xe9.mp4")
    write_text(f"<title>{name}</title>", tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "<title>caf\\udce9.mp4</title>"
    write_table(["video"], [[name]], tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text(encoding="utf-8") == "video\ncaf\\udce9.mp4\n"
    write_json({"video": name}, tmp_path / "summary.json")
    assert json.loads((tmp_path / "summary.json").read_text())["video"] == name


def test_what_is_there_is_replaced_only_when_told(tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    check_free([first, second])
    second.touch()
    with pytest.raises(InputError, match=r"b\.csv: already exists; use `overwrite=True`"):
        check_free([first, second])
    check_free([first, second], overwrite=True)


def test_json_comes_back(tmp_path):
    write_json({"clip": "Finale ä", "frames": [1, 2]}, tmp_path / "a.json")
    assert read_json(tmp_path / "a.json") == {"clip": "Finale ä", "frames": [1, 2]}
    (tmp_path / "b.json").write_text('{"a": 1}', encoding="utf-8-sig")  # as Windows' editors do
    assert read_json(tmp_path / "b.json") == {"a": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b'{"a": ', "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[" * 100_000, r"not JSON \(maximum recursion depth"),
        (b"[1, 2]", "contains no dictionary"),
        (b"null", "contains no dictionary"),
    ],
)
def test_json_that_is_damaged_is_told_in_a_line(tmp_path, content, said):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.json: {said}") as caught:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for path in (tmp_path, tmp_path / "pipe.json"):
        with pytest.raises(InputError, match=r"cannot be read \(not a file\)"):
            read_json(path)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "nothing.json")
