import errno
import subprocess
from types import SimpleNamespace

import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.evaluation import benchmark, doctor
from keras_tracknet.inference.engines.conversion import FAILED, Conversion
from keras_tracknet.shortage import explain_exit, is_out_of_memory


class ResourceExhaustedError(Exception):
    """As TensorFlow's is called."""


def chain(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("cpu_memory.cpp:257:\nFailed to allocate 56623104 bytes of memory"), True),
        (RuntimeError("can't start new thread"), True),
        (ImportError("_qhull.so: failed to map segment from shared object"), True),
        (ResourceExhaustedError("OOM when allocating tensor"), True),
        (Exception("OpenCV: (-4:Insufficient memory) Failed to allocate 2764800 bytes"), True),
        (chain(InputError("a.keras: cannot be loaded (no reason)."), MemoryError()), True),
        (chain(InputError("a.keras: cannot be loaded."), ValueError("no")), False),
        # Names of files say nothing.
        (InputError("bad_alloc.mp4: no such file."), False),
        (OSError(errno.ENOENT, "No such file", "MemoryError.csv"), False),
        (ImportError("No module named 'tensorflow'"), False),
    ],
)
def test_memory_that_is_short_is_known_by_any_name(error, expected):
    assert is_out_of_memory(error) is expected


@pytest.mark.parametrize(
    ("code", "printed", "expected"),
    [
        (1, "Traceback\nMemoryError\n", "out of memory; close other programs"),
        (-6, "terminate called after ... std::bad_alloc", "out of memory; close other programs"),
        (-6, "", "killed by SIGABRT, probably out of memory; close other programs"),
        (-9, "loading\n", "killed by SIGKILL, probably out of memory; close other programs"),
        (1, "Traceback\nValueError: 3\n", "ValueError: 3"),
        (3, "", "no reason given"),
    ],
)
def test_failed_process_is_explained(code, printed, expected):
    assert explain_exit(code, printed) == expected


@pytest.fixture
def failing(monkeypatch):
    """Return a function that lets every process fail in a way."""

    def let_fail(code, printed):
        done = SimpleNamespace(returncode=code, stderr=printed, stdout="")
        monkeypatch.setattr(subprocess, "run", lambda *_args, **_more: done)
        monkeypatch.setattr(Conversion, "check", lambda self: None)

    return let_fail


@pytest.mark.parametrize(
    ("code", "printed", "message"),
    [
        (-6, "", r"^a\.keras: export to onnx failed .killed by SIGABRT, probably out of memory"),
        (
            1,
            "ImportError: x.so: failed to map segment",
            r"^a\.keras: export to onnx failed .out of memory;",
        ),
        (1, f"noise\n{FAILED}a.keras: never trained.\n", r"^a\.keras: never trained\.$"),
    ],
)
def test_conversion_that_memory_ends_says_so(failing, code, printed, message):
    failing(code, printed)
    with pytest.raises(InputError, match=message):
        Conversion("a.keras", "a.onnx", "onnx").run()


def test_engine_that_memory_ends_says_so(failing, tmp_path):
    failing(-9, "")
    told = []
    reporter = benchmark.Reporter()
    reporter.warn = told.append
    with pytest.raises(InputError, match="no engine can run it"):
        benchmark.measure_engines(tmp_path, tmp_path, ["keras"], reporter=reporter)
    assert told == ["keras: killed by SIGKILL, probably out of memory; close other programs"]


def test_doctor_does_not_ask_to_install_what_memory_is_too_short_for(monkeypatch):
    def fail():
        raise ImportError("libtensorflow_cc.so.2: failed to map segment from shared object")

    monkeypatch.setattr(doctor, "list_devices", fail)
    monkeypatch.setattr(doctor, "choose_backend", lambda: "tensorflow")
    problems = []
    doctor._examine_backend(problems)
    assert problems == [
        {
            "what": "Keras cannot be loaded with tensorflow (out of memory)",
            "next": "close other programs or use a smaller batch",
            "fatal": True,
        }
    ]
