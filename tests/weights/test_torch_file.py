import collections
import copy
import importlib.util
import os
import pickle
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.weights.checkpoints.torch_file import read_torch_file

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="writes files of PyTorch"
)


class Evil:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def write_pickle(path, content, **members):
    """Write a checkpoint with a pickle of one's own."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for name, values in members.items():
            archive.writestr(f"archive/data/{name}", values)
    return path


def save(path, content, **settings):
    import torch

    torch.save(content, path, **settings)
    return path


@needs_torch
def test_tensors_and_plain_containers_come_back(tmp_path):
    import torch

    x = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    content = {
        "tensor": x,
        "transposed": x.T[1:],
        "every second": x[:, ::2],
        "half": x.half(),
        "bfloat16": x.bfloat16(),
        "long": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(x),
        "state": torch.nn.BatchNorm2d(2).state_dict(),
        "numbers": [1, 2.5, (True, None), np.float64(0.25)],
        "counter": collections.Counter("aab"),
    }
    found = read_torch_file(save(tmp_path / "a.pt", content))
    assert list(found) == list(content)
    for name in ("tensor", "transposed", "every second", "half", "long", "empty"):
        np.testing.assert_array_equal(found[name], content[name].numpy())
        assert found[name].dtype == content[name].numpy().dtype
    np.testing.assert_array_equal(found["bfloat16"], x.numpy())
    np.testing.assert_array_equal(found["parameter"], x.numpy())
    assert list(found["state"]) == list(content["state"])
    assert found["numbers"] == content["numbers"]
    assert found["counter"] == {"a": 2, "b": 1}


@needs_torch
def test_it_reads_where_pytorch_is_not_installed(tmp_path):
    import torch

    pytest.importorskip("tensorflow", reason="another framework is needed")
    path = save(tmp_path / "a.pt", {"model": {"a": torch.ones(3)}})
    code = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'torch':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "from pathlib import Path\n"
        "from keras_tracknet.weights.checkpoints.torch_file import read_torch_file\n"
        f"print(read_torch_file(Path({str(path)!r}))['model']['a'].sum())"
    )
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout.split() == ["3.0"], done.stderr


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch {}",), "posix.system"),
        (eval, ("open({!r}, 'w')",), "builtins.eval"),
        (exec, ("open({!r}, 'w')",), "builtins.exec"),
        (getattr, (os, "getcwd"), "builtins.getattr"),
        (open, ("{}", "w"), "io.open"),
    ],
)
def test_hostile_pickle_is_named_and_not_run(function, arguments, name, tmp_path):
    mark = tmp_path / "was-run"
    filled = [a.format(str(mark)) if isinstance(a, str) else "os" for a in arguments]
    content = pickle.dumps({"model": {}, "epoch": Evil(function, *filled)}, protocol=4)
    path = write_pickle(tmp_path / "evil.pt", content)
    with pytest.raises(InputError, match=f"contains {name}, not only tensors") as error:
        read_torch_file(path)
    assert not mark.exists()
    assert "\n" not in str(error.value)


def test_functions_that_are_let_through_cannot_be_changed(tmp_path):
    # GLOBAL _rebuild_parameter, then BUILD with a dictionary of attributes.
    content = b"\x80\x02ctorch._utils\n_rebuild_parameter\n}X\x04\x00\x00\x00nameK\x01sb."
    with pytest.raises(InputError, match="an attempt to change a function"):
        read_torch_file(write_pickle(tmp_path / "a.pt", content))


def test_attributes_of_dictionaries_are_left_out(tmp_path):
    content = b"\x80\x02ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsK\x01sb."
    found = read_torch_file(write_pickle(tmp_path / "a.pt", content))
    assert list(found.items()) == []


@needs_torch
def test_whole_modules_are_refused_by_name(tmp_path):
    import torch

    path = save(tmp_path / "a.pt", torch.nn.Linear(2, 2))
    with pytest.raises(InputError, match=r"contains torch\.nn\.modules\.linear\.Linear"):
        read_torch_file(path)


def nest(depth, doubled):
    """Opcodes of a list of lists, or a tuple of tuples, that is its own twin at every level."""
    out = b"(" + (b"]" if doubled == "list" else b")") + b"q\x00"
    for level in range(depth):
        twin = b"h%c" % level
        out += b"]" + twin + b"a" + twin + b"a" if doubled == "list" else twin + twin + b"\x86"
        out += b"q%c" % (level + 1)
    return out + b"1h%c" % depth


LISTS, TUPLES = nest(60, "list"), nest(60, "tuple")
STORAGE = b"X\x07\x00\x00\x00storage"
FLOATS = b"ctorch\nFloatStorage\n"
# Each would take for ever, or all memory, or end the process.
BOMBS = {
    "shown as a device": b"ctorch\ndevice\n(" + LISTS + b"tR",
    "shown as a kind": b"(" + LISTS + FLOATS + b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuI4\ntQ",
    "shown as a name": b"(" + STORAGE + FLOATS + LISTS + b"X\x03\x00\x00\x00cpuI4\ntQ",
    "shown as text": b"c_codecs\nencode\n(X\x01\x00\x00\x00a" + LISTS + b"tR",
    "made a number": FLOATS + b"(" + LISTS + b"tR",
    "made a number anew": FLOATS + b"(" + LISTS + b"t\x81",
    "made a type": b"cnumpy\ndtype\n(" + LISTS + b"tR",
    "made a size": b"ctorch._utils\n_rebuild_tensor_v2\n(("
    + STORAGE
    + FLOATS
    + b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuI1\ntQI0\n("
    + TUPLES
    + b"t(I1\ntI00\n}tR",
    "a key": b"}" + TUPLES + b"I1\ns",
    "keys": b"}(" + TUPLES + b"I1\nu",
    "a key of an old dictionary": b"(" + TUPLES + b"I1\nd",
    "a key of an ordered dictionary": b"ccollections\nOrderedDict\n((" + TUPLES + b"I1\ntl\x85R",
    "a counted key": b"ccollections\nCounter\n(]((" + TUPLES + b"I1\ntatR",
    "a deep key": b"})" + b"\x85" * 200_000 + b"I1\ns",
    "in a set": b"\x8f(" + TUPLES + b"\x90",
    "in a frozen set": b"(" + TUPLES + b"\x91",
    "a place far away": b"]r\xff\xff\xff\x7f0]q\x00ctorch\nSize\n(I5\ntR",
    "bytes that are not there": b"\x8e\xff\xff\xff\xff\xff\x00\x00\x00",
    "a number of many digits": b"I" + b"9" * 5000 + b"\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_few_bytes_stay_little_work(bomb, tmp_path):
    values = np.zeros(1, np.float32).tobytes()
    path = write_pickle(tmp_path / "a.pt", b"\x80\x04" + BOMBS[bomb] + b".", **{"0": values})
    began = time.monotonic()
    with pytest.raises(InputError, match=r"^.*a\.pt: (damaged|contains) [^\n]*$"):
        read_torch_file(path)
    assert time.monotonic() - began < 5


def test_one_tensor_shown_often_takes_no_memory_of_its_own(tmp_path):
    tensor = describe_tensor(0, (1000,), (1,), 1000)[2:-1]
    content = b"\x80\x02](" + tensor * 300 + b"e."
    values = np.arange(1000, dtype=np.float32)
    found = read_torch_file(write_pickle(tmp_path / "a.pt", content, **{"0": values.tobytes()}))
    assert len(found) == 300
    assert all(np.shares_memory(found[0], other) for other in found)
    np.testing.assert_array_equal(found[-1], values)


def test_bytes_in_the_archive_count_once(tmp_path):
    """Members that are all the same bytes of the file, each with a name of its own."""
    values = np.zeros(2000, np.float32).tobytes()
    names = [f"{k}" for k in range(9)]
    parts = [describe_tensor(0, (2000,), (1,), 2000, name)[2:-1] for name in names]
    path = write_pickle(tmp_path / "a.pt", b"\x80\x02](" + b"".join(parts) + b"e.", **{"0": values})
    with zipfile.ZipFile(path, "a") as archive:
        first = archive.getinfo("archive/data/0")
        for name in names[1:]:
            twin = copy.copy(first)
            twin.filename = f"archive/data/{name}"
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
        archive._didModify = True
    with pytest.raises(InputError, match="damaged"):
        read_torch_file(path)


def describe_tensor(offset, size, stride, count, name="0"):
    """A pickle of one float32 tensor."""

    def integers(values):
        return b"(" + b"".join(b"I%d\n" % value for value in values) + b"t"

    storage = (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00%cX\x03\x00\x00\x00cpu"
        % name.encode()
    )
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n("
        + (storage + b"I%d\ntQ" % count + b"I%d\n" % offset)
        + (integers(size) + integers(stride) + b"I00\n}tR.")
    )


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ((0, (2, 2), (2, 1), 4), None),
        ((1, (2, 2), (2, 1), 4), "exceeds its data"),
        ((0, (2, 3), (2, 1), 4), "exceeds its data"),
        ((0, (100, 100), (0, 0), 4), "exceeds its data"),  # much memory out of few bytes
        ((3, (2,), (-1,), 4), "exceeds its data"),
        ((-1, (2,), (1,), 4), "exceeds its data"),
        ((0, (2, 2), (2,), 4), "has an invalid description"),
        ((0, (2, 2), (2, 1), 5), "has another length than declared"),
    ],
)
def test_tensors_stay_within_their_bytes(description, expected, tmp_path):
    values = np.arange(4, dtype=np.float32)
    pickled = describe_tensor(*description)
    path = write_pickle(tmp_path / "a.pt", pickled, **{"0": values.tobytes()})
    if expected is None:
        np.testing.assert_array_equal(read_torch_file(path), values.reshape(2, 2))
    else:
        with pytest.raises(InputError, match=f"damaged .*{expected}"):
            read_torch_file(path)


def test_compressed_members_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
    with pytest.raises(InputError, match=r"damaged .archive/data\.pkl is compressed"):
        read_torch_file(tmp_path / "a.pt")


@needs_torch
def test_file_from_before_pytorch_1_6_says_what_to_do(tmp_path):
    path = save(tmp_path / "a.pt", {"a": 1}, _use_new_zipfile_serialization=False)
    with pytest.raises(InputError, match=r"before PyTorch 1\.6; save it again"):
        read_torch_file(path)


@pytest.mark.parametrize("content", [b"", b"\x80\x02}", b"not a pickle"])
def test_damaged_pickles_are_told(content, tmp_path):
    with pytest.raises(InputError, match="damaged"):
        read_torch_file(write_pickle(tmp_path / "a.pt", content))


def test_other_archives_are_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match="not a PyTorch checkpoint"):
        read_torch_file(tmp_path / "a.zip")
