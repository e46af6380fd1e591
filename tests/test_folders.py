import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from keras_tracknet.backends import _find_keras_home
from keras_tracknet.errors import InputError
from keras_tracknet.folders import cache_folder, ensure_home
from keras_tracknet.inference.engines import openvino
from keras_tracknet.training.batches.cache import FrameCache


@pytest.fixture
def environment(monkeypatch):
    """Return a function that sets the variables that count, and no others."""

    def set_only(**variables):
        for name in ("TRACKNET_CACHE", "XDG_CACHE_HOME", "HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_only


@pytest.fixture
def nobody(environment, monkeypatch, tmp_path):
    """A user without HOME whom the system does not know, as in a container."""
    import pwd

    def find(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    environment()
    monkeypatch.setattr(pwd, "getpwuid", find)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"keras_tracknet-{os.getuid()}"


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"TRACKNET_CACHE": "/big/disk", "XDG_CACHE_HOME": "/x"}, "/big/disk"),
        ({"TRACKNET_CACHE": "~/kept"}, "/home/me/kept"),
        ({"TRACKNET_CACHE": "here"}, "here"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/keras_tracknet"),
        ({"TRACKNET_CACHE": "", "XDG_CACHE_HOME": ""}, "/home/me/.cache/keras_tracknet"),
        ({}, "/home/me/.cache/keras_tracknet"),
    ],
)
def test_the_environment_says_where_the_cache_is(environment, variables, folder):
    environment(HOME="/home/me", **variables)
    assert cache_folder() == Path(folder)
    assert FrameCache().folder == Path(folder) / "frames"
    assert cache_folder("engines") == Path(folder) / "engines"


def test_networks_lie_beside_the_frames(environment, tmp_path):
    environment(HOME=str(tmp_path), TRACKNET_CACHE="~/kept")
    assert openvino._make_cache() == tmp_path / "kept" / "engines"
    assert (tmp_path / "kept" / "engines").is_dir()


def test_networks_that_cannot_be_kept_name_the_way_out(environment, tmp_path):
    (tmp_path / "file").touch()
    environment(TRACKNET_CACHE=str(tmp_path / "file"))
    with pytest.raises(InputError, match="set TRACKNET_CACHE to another folder"):
        openvino._make_cache()


def test_user_without_a_home_gets_a_folder_of_their_own(nobody):
    ensure_home()
    assert os.environ["HOME"] == str(Path.home()) == str(nobody)
    assert nobody.stat().st_mode & 0o777 == 0o700
    assert cache_folder("frames") == nobody / ".cache" / "keras_tracknet" / "frames"
    ensure_home()  # as every later run does
    assert Path.home() == nobody


@pytest.mark.parametrize("lay", [Path.touch, lambda path: path.symlink_to(path.parent)])
def test_folder_that_somebody_else_has_laid_is_not_used(nobody, lay):
    lay(nobody)
    ensure_home()
    assert Path.home() != nobody
    assert Path.home().stat().st_mode & 0o777 == 0o700


def test_folder_of_another_user_is_not_used(nobody, monkeypatch):
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    taken = nobody.with_name(f"keras_tracknet-{owner + 1}")
    taken.mkdir()
    ensure_home()
    assert Path.home() != taken


def test_home_that_there_is_stays(environment, tmp_path):
    environment(HOME=str(tmp_path))
    ensure_home()
    assert os.environ["HOME"] == str(tmp_path)


def test_home_of_nobody_is_told(environment):
    environment(TRACKNET_CACHE="~nobody-of-that-name/kept")
    with pytest.raises(InputError, match=r"TRACKNET_CACHE=~nobody.*/kept: no such home"):
        cache_folder("frames")


def test_package_gives_libraries_a_home(tmp_path):
    """In a process of its own, which the system does not know either."""
    code = (
        "import pwd\n"
        "def find(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = find\n"
        "import keras_tracknet, pathlib\n"
        "print(pathlib.Path.home())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"TMPDIR": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(tmp_path / f"keras_tracknet-{os.getuid()}")


def test_settings_of_keras_are_looked_for_where_keras_does(environment, monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    environment(HOME=str(tmp_path / "nowhere"))
    assert _find_keras_home() == Path("/tmp/.keras")
    environment(HOME=str(tmp_path))
    assert _find_keras_home() == tmp_path / ".keras"
    monkeypatch.setenv("KERAS_HOME", "~/k")  # which Keras does not take for a home
    assert _find_keras_home() == Path("~/k")
