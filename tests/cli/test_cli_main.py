import errno
import os
import signal
import subprocess
import sys
import warnings
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from helpers_clips import write_pair
from keras_tracknet_cli import main, quiet
from keras_tracknet_cli.console import ConsoleReporter
from keras_tracknet_cli.failures import describe_error

from keras_tracknet.backends import find_backends
from keras_tracknet.errors import InputError
from keras_tracknet.presets import list_presets


@pytest.fixture
def run(monkeypatch):
    """Return a function that runs a command which does what the function it is given does."""
    # What the group sets for its own process is not for the tests after this one.
    monkeypatch.setattr(main, "silence_frameworks", lambda: None)
    monkeypatch.delenv("TRACKNET_DEBUG", raising=False)

    def run(action):
        command = click.Command("broken", callback=action)
        name = "keras_tracknet_cli.broken"
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(broken=command))
        monkeypatch.setitem(main.COMMANDS, "broken", "Do what a test wants.")
        return CliRunner().invoke(main.cli, ["broken"])

    return run


def fail_with(error):
    def fail():
        raise error

    return fail


class ResourceExhaustedError(Exception):
    """Of TensorFlow's name."""


FULL_HDF5 = (
    "[Errno 28] Unable to synchronously flush file (file write failed: time = Mon,"
    " errno = 28, error message = 'No space left on device', buf = 0x55)"
)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            InputError("a.mp4: no such file; check the path."),
            "a.mp4: no such file; check the path.",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a.csv"),
            "a.csv: no such file or directory; check the path.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "out"),
            "out: permission denied; check its permissions or choose another path.",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "no space left on device; free some disk space or choose another path.",
        ),
        (
            OSError(FULL_HDF5),
            "no space left on device; free some disk space or choose another path.",
        ),
        (OSError("odd\nthing"), "odd thing; set TRACKNET_DEBUG=1 to see where."),
        (MemoryError(), "out of memory; close other programs or use a smaller batch."),
        (
            ResourceExhaustedError("OOM when allocating"),
            "out of memory; close other programs or use a smaller batch.",
        ),
        (
            RuntimeError("RESOURCE_EXHAUSTED: failed to allocate"),
            "out of memory; close other programs or use a smaller batch.",
        ),
        (
            ImportError("libtensorflow_cc.so.2: failed to map segment from shared object"),
            "out of memory; close other programs or use a smaller batch.",
        ),
        (
            InputError("bad_alloc.mp4: no such file; check the path."),
            "bad_alloc.mp4: no such file; check the path.",
        ),
    ],
)
def test_a_users_mistake_is_one_line(run, error, line):
    result = run(fail_with(error))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"tracknet: {line}\n"


def test_an_interruption_is_one_line_and_130(run):
    result = run(fail_with(KeyboardInterrupt()))
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


BUNDLED_PATH = list_presets()["badminton-v3"].tracker


@pytest.mark.parametrize(
    "error",
    [
        InputError(f"{BUNDLED_PATH}: cannot be used."),
        PermissionError(errno.EACCES, "Permission denied", str(BUNDLED_PATH)),
    ],
)
def test_bundled_weights_are_called_by_their_name(run, error):
    result = run(fail_with(error))
    assert result.output.startswith("tracknet: badminton-v3 (bundled): ")
    assert str(BUNDLED_PATH.parent) not in result.output


def test_bundled_weights_are_called_by_their_name_in_notes_and_warnings(capsys):
    reporter = ConsoleReporter()
    reporter.note(f"weights: {BUNDLED_PATH}")
    reporter.warn(f"{BUNDLED_PATH.with_name('badminton-v3-rectifier.keras')}: old")
    assert capsys.readouterr().err.splitlines() == [
        "weights: badminton-v3 (bundled)",
        "tracknet: warning: badminton-v3-rectifier (bundled): old",
    ]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_other_signals_that_end_a_command_act_as_ctrl_c_does(run, name):
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)
    kept = []

    def stop():
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)  # a terminal that closes sends it twice
            kept.append("rows")

    result = run(stop)
    assert (result.exit_code, result.stderr) == (128 + number, f"interrupted by {name}\n")
    assert kept == ["rows"]
    assert signal.signal(number, before) is signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_so(run):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    result = run(lambda: signal.raise_signal(signal.SIGHUP))
    signal.signal(signal.SIGHUP, before)
    assert result.exit_code == 0


def test_our_bugs_pass_with_their_traceback(run):
    result = run(fail_with(ZeroDivisionError("ours")))
    assert result.exit_code == 1
    assert isinstance(result.exception, ZeroDivisionError)


def test_a_commands_own_exit_code_is_kept(run):
    assert run(fail_with(SystemExit(3))).exit_code == 3
    assert run(fail_with(click.UsageError("wrong"))).exit_code == 2


@pytest.mark.parametrize("error", [InputError("one line"), KeyboardInterrupt()])
def test_debugging_shows_the_traceback_too(run, monkeypatch, error):
    monkeypatch.setenv("TRACKNET_DEBUG", "1")
    stderr = run(fail_with(error)).stderr
    assert "Traceback (most recent call last)" in stderr
    assert "in fail" in stderr


def test_a_warning_is_one_line(run):
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # pytest makes them errors
        result = run(lambda: warnings.warn("a.mp4: cut\nshort", stacklevel=1))
    assert result.stderr == "tracknet: warning: a.mp4: cut short\n"


def test_a_missing_framework_names_the_pip_command(monkeypatch):
    missing = ModuleNotFoundError("No module named 'torch'", name="torch")
    line = describe_error(missing)
    assert line == "torch is required but not installed; run: pip install torch"
    assert describe_error(ModuleNotFoundError("No module named 'x'", name="x")) is None


def test_a_closed_pipe_is_quiet(tmp_path):
    write_pair(tmp_path, "clip")
    command = [sys.executable, "-m", "keras_tracknet_cli", "data", "check", "--no-sheet"]
    command.append(str(tmp_path))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_help_loads_no_library():
    code = (
        "import sys\n"
        "from keras_tracknet_cli.main import cli\n"
        "cli(['--help'], standalone_mode=False)\n"
        "heavy = {'av', 'cv2', 'jax', 'keras', 'numpy', 'rich', 'tensorflow', 'torch'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.endswith("loaded: []\n"), result.stderr


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "keras_tracknet_cli", "--version"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout.startswith("tracknet ")


@pytest.mark.skipif("tensorflow" not in find_backends(), reason="needs TensorFlow")
def test_tensorflow_prints_nothing_while_it_loads():
    code = (
        "from keras_tracknet_cli.quiet import silence_frameworks\n"
        "silence_frameworks()\n"
        "import tensorflow as tf\n"
        "tf.config.list_logical_devices()"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "TRACKNET_"))}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True
    )
    assert (result.returncode, result.stderr) == (0, b"")


def test_the_users_log_level_is_kept(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    finders = list(sys.meta_path)
    quiet.silence_frameworks()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
    assert sys.meta_path == finders


def test_only_log_lines_are_held_back(capfd):
    log = (
        b"WARNING: All log messages before absl::InitializeLog() is called are written\n"
        b"I0000 00:00:1784.9 12 port.cc:153] oneDNN custom operations are on.\n"
        b"2025-09-17 14:44:05.157831: I cudart_stub.cc:32] Could not find cuda drivers\n"
        b"Illegal instruction\n"
        b"E0000 00:00:1784.9 12 cuda_platform.cc:52] failed call to cuInit\n"
    )
    with quiet._filtered_stderr():
        os.write(2, log)
    assert capfd.readouterr().err == "Illegal instruction\n"


@pytest.mark.parametrize(
    "command",
    [["fit"], ["predict"], ["convert"], ["export"], ["bench"], ["data", "check"]],
    ids=lambda command: command[-1],
)
def test_help_keeps_the_lines_of_lists_and_examples(command):
    text = CliRunner().invoke(main.cli, [*command, "--help"]).output
    assert "\\b" not in text
    assert any(line.startswith(("  tracknet ", "  - ")) for line in text.splitlines())


def test_experimental_options_stand_last_in_the_help():
    text = CliRunner().invoke(main.cli, ["fit", "--help"]).output
    usual, _, experimental = text.partition("\nExperimental:\n")
    assert "--epochs" in usual
    assert all(name in experimental for name in ("--backbone", "--modality", "--span", "--online"))
    assert "--help" not in experimental
