import pickle

import pytest
from click.testing import CliRunner
from keras_tracknet_cli.console import ConsoleReporter
from keras_tracknet_cli.main import cli

from keras_tracknet.addresses import mask_addresses
from keras_tracknet.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://user:secret@host/a.mp4", "http://user:***@host/a.mp4"),
        ("rtsp://user:secret@10.0.0.5:554/s", "rtsp://user:***@10.0.0.5:554/s"),
        ("RTSP://user:se@cret@host", "RTSP://user:***@host"),
        ("http://me@mail.org:secret@host/", "http://me@mail.org:***@host/"),
        ("http://secret@host/", "http://***@host/"),  # a token alone
        ("http://:secret@host/", "http://:***@host/"),
        ("http://user:@host/", "http://user:***@host/"),
        ("http://user:se/cr#et?@host/a", "http://user:***@host/a"),  # ought to be escaped
        ("http:/user:secret@host/a.mp4", "http:/user:***@host/a.mp4"),  # as a path has it
        ("http://h/a?token=secret&t=4", "http://h/a?token=***&t=4"),
        ("http://h/a?t=4&X-Amz-Signature=secret", "http://h/a?t=4&X-Amz-Signature=***"),
        ("http://h/a?user=u&pwd=secret", "http://h/a?user=u&pwd=***"),
        ("rtsp://h/user=u_password=secret_channel=1", "rtsp://h/user=u_password=***"),
        (
            "rtsp://u:secret@h/s: cannot be read ('http://v:secret@i'); see http://u:secret@j.",
            "rtsp://u:***@h/s: cannot be read ('http://v:***@i'); see http://u:***@j.",
        ),
        ("http://h/a?key=secret: refused", "http://h/a?key=***: refused"),
        # What is no secret stays as it is.
        ("http://127.0.0.1:8000/clip@60fps.mp4", "http://127.0.0.1:8000/clip@60fps.mp4"),
        ("http://host/a?t=1", "http://host/a?t=1"),
        ("hf://owner/name", "hf://owner/name"),
        ("match:final@home.mp4", "match:final@home.mp4"),
        ("C:/Users/a:b@c.mp4", "C:/Users/a:b@c.mp4"),
        ("frames/a@b.mp4: no such file", "frames/a@b.mp4: no such file"),
        ("", ""),
    ],
)
def test_passwords_in_addresses_are_masked(text, expected):
    assert mask_addresses(text) == expected
    assert mask_addresses(expected) == expected


def test_an_error_never_holds_a_password():
    error = InputError("http://user:secret@host: refused")
    assert error.args == ("http://user:***@host: refused",)
    assert pickle.loads(pickle.dumps(error)).args == error.args


ADDRESS = "http://user:hunter2@127.0.0.1:9/match.mp4"


@pytest.mark.parametrize(
    "arguments",
    [
        ["analyze", ADDRESS],
        ["analyze", "track.csv", "--video", ADDRESS],
        ["analyze", "track.csv", "--court", ADDRESS],
        ["court", ADDRESS, "--points", ADDRESS],
        ["data", "check", ADDRESS],
        ["evaluate", "--data", ADDRESS, "--weights", ADDRESS],
        ["export", "--weights", ADDRESS, "--format", "onnx", "-o", "out"],
        ["convert", ADDRESS, "-o", "out.keras"],
        ["fit", "--data", ADDRESS, "--version", ADDRESS],
        ["predict", "track.csv", "--weights", ADDRESS],
        ["predict", "track.csv", ADDRESS],
        ["predict", "track.csv", "--format", ADDRESS],
        ["bench", "--video", ADDRESS],
        [ADDRESS],
    ],
    ids=lambda arguments: " ".join(arguments).replace(ADDRESS, "ADDRESS"),
)
@pytest.mark.parametrize("debug", ["0", "1"])
def test_no_command_tells_the_password_of_an_address(tmp_path, monkeypatch, arguments, debug):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKNET_DEBUG", debug)
    (tmp_path / "track.csv").write_text("Frame,Visibility,X,Y\n0,1,1,1\n")
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code in (1, 2)
    assert not isinstance(result.exception, RuntimeError)
    assert "hunter2" not in result.output + result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["track.csv"]


def test_reports_on_the_terminal_hold_no_password(capsys):
    reporter = ConsoleReporter()
    reporter.note(ADDRESS)
    reporter.warn(ADDRESS)
    with reporter.track(f"tracking {ADDRESS}", 1) as advance:
        advance()
    shown = capsys.readouterr().err
    assert shown.count("user:***@127.0.0.1") == 4
    assert "hunter2" not in shown


def test_a_list_of_addresses_is_refused_and_told_without_passwords(tmp_path, monkeypatch):
    """Their results would be named by them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text(f"{ADDRESS}\nmatch.mp4\n")
    result = CliRunner().invoke(cli, ["predict", "list.txt"])
    assert result.exit_code == 1
    assert "list.txt: http://user:***@127.0.0.1:9/match.mp4 is an address" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["list.txt"]
