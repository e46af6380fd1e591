import json
import platform
from importlib import metadata

import pytest
from click.testing import CliRunner
from keras_tracknet_cli.main import cli

import keras_tracknet
from keras_tracknet.backends import find_backends
from keras_tracknet.errors import InputError
from keras_tracknet.evaluation import doctor as module
from keras_tracknet.evaluation.doctor import examine, list_versions


class StoredPreset:
    """A bundled tracker, damaged or not."""

    def __init__(self, fault=None):
        self.fault = fault

    def check(self):
        if self.fault:
            raise InputError(self.fault)


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """An installation without a problem, whatever this one lacks."""
    monkeypatch.setattr(module, "list_presets", lambda: {"v3": StoredPreset()})
    monkeypatch.setattr(module, "LEAST_FREE", 0)
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path / "cache"))


def problems(report):
    return [(problem["what"], problem["fatal"]) for problem in report["problems"]]


def test_a_whole_installation_has_no_problems(whole, tmp_path):
    report = examine()
    assert (report["ok"], report["problems"]) == (True, [])
    assert report["backend"] in report["backends"] == find_backends()
    assert report["precision"] in ("float32", "mixed_bfloat16")
    assert report["cpu"]["cores"] >= 1
    assert all(report["codecs"].values())
    assert report["weights"] == ["v3"]
    assert report["cache"]["folder"] == str(tmp_path / "cache")
    assert report["cache"]["free"] > 0
    assert not (tmp_path / "cache").exists()  # looking creates nothing
    assert json.loads(json.dumps(report)) == report


def test_versions_are_those_installed():
    versions = list_versions()
    assert versions["python"] == platform.python_version()
    assert versions["keras_tracknet"] == keras_tracknet.__version__
    for name in ("keras", "numpy", "av"):
        assert versions[name] == metadata.version(name)
    assert versions["opencv"] is not None


def test_what_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(module, "LIBRARIES", {"something": ("no-such-package-at-all",)})
    assert list_versions()["something"] is None


def test_no_backend_is_fatal(whole, monkeypatch):
    def choose():
        raise InputError("no Keras backend is installed; run: pip install tensorflow.")

    monkeypatch.setattr(module, "choose_backend", choose)
    report = examine()
    assert not report["ok"]
    assert (report["backend"], report["devices"], report["precision"]) == (None, [], None)
    assert report["problems"] == [
        {
            "what": "no Keras backend is installed",
            "next": "run: pip install tensorflow",
            "fatal": True,
        }
    ]


def test_a_backend_that_cannot_be_loaded_is_fatal(whole, monkeypatch):
    def fail():
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(module, "list_devices", fail)
    (problem,) = examine()["problems"]
    assert problem["fatal"]
    assert "(RuntimeError: two lines)" in problem["what"]
    assert "pip install --force-reinstall keras" in problem["next"]


def test_a_missing_encoder_is_a_problem_for_overlays_only(whole, monkeypatch):
    import av

    real = av.codec.Codec

    def codec(name, mode):
        if name == "libx264":
            raise ValueError(name)
        return real(name, mode)

    monkeypatch.setattr(av.codec, "Codec", codec)
    report = examine()
    assert not report["codecs"]["encode libx264"]
    expected = "this FFmpeg cannot encode libx264, so overlays cannot be written"
    assert problems(report) == [(expected, False)]


def test_a_cache_that_cannot_be_written_is_a_problem(whole, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path / "file"))
    report = examine()
    assert report["cache"]["writable"] is False
    assert problems(report) == [
        (f"{tmp_path}/file: nothing can be cached there", False),
    ]


def test_a_cache_in_a_home_that_there_is_not_is_a_problem(whole, monkeypatch):
    monkeypatch.setenv("TRACKNET_CACHE", "~nobody-of-that-name/cache")
    report = examine()
    assert report["cache"] == {"folder": None, "free": None, "writable": False}
    ((what, _),) = problems(report)
    assert what.endswith("no such home folder")


def test_a_full_disk_is_a_problem(whole, monkeypatch):
    monkeypatch.setattr(module, "LEAST_FREE", 10**18)
    ((what, fatal),) = problems(examine())
    assert "GB are free for the cache" in what
    assert not fatal


def test_damaged_weights_are_a_problem(whole, monkeypatch):
    damaged = {"v3": StoredPreset("v3.keras: damaged; reinstall the package.")}
    monkeypatch.setattr(module, "list_presets", lambda: damaged)
    (problem,) = examine()["problems"]
    expected = {"what": "v3.keras: damaged", "next": "reinstall the package", "fatal": False}
    assert problem == expected


def test_missing_weights_are_a_problem(whole, monkeypatch):
    monkeypatch.setattr(module, "list_presets", dict)
    report = examine()
    assert report["ok"]
    assert problems(report) == [("the bundled weights are missing", False)]


def test_the_command_prints_a_row_a_fact(whole):
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 0
    rows = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if line)
    assert rows["keras_tracknet"] == keras_tracknet.__version__
    assert rows["weights"] == "v3"
    assert result.stdout.endswith("\nReady to track.\n")
    assert "Please check" not in result.stdout


def test_the_command_prints_one_json_object(whole):
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    assert json.loads(result.stdout)["ok"]


def test_the_command_fails_where_nothing_can_be_tracked(whole, monkeypatch):
    def choose():
        raise InputError("no Keras backend is installed; run: pip install tensorflow.")

    monkeypatch.setattr(module, "choose_backend", choose)
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 1
    assert "- no Keras backend is installed; run: pip install tensorflow." in result.stdout
    assert result.stdout.endswith("\nNot ready: see above.\n")
