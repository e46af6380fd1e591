"""Checks that must pass before a change goes in, each in a fresh environment.

    nox                              all of them, less than 20 minutes on two cores
    nox -s suite docs                some of them
    nox -s lowest -- tests/frames    one of them on some tests: lowest, backends, without_tensorflow
    nox -l                           what each of them does

`.ci/run` installs nox and runs the same sessions.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = [
    "suite", "lowest", "docs", "wheel", "backends", "without_tensorflow",
]  # fmt: skip
nox.options.stop_on_first_error = True
nox.options.default_venv_backend = "virtualenv"

ROOT = Path(__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
TORCH = "torch==2.13.0"
TEST_COMMAND = re.compile(r"pip install -e '\.\[test\]' && python -m pytest[^`\n]*")
PYTEST = ("python", "-m", "pytest", "-q", "-n", "auto", "--dist", "loadfile")  # a file to a process

# What computes: tested on every backend.
BACKEND_TESTS = (
    "tests/models", "tests/test_layers.py", "tests/test_losses.py", "tests/test_metrics.py",
    "tests/training/runs", "tests/training/test_device_batches.py",
    "tests/training/test_device_training.py",
)  # fmt: skip
# What reads PyTorch's files, and compares with what PyTorch computes from them.
CHECKPOINT_TESTS = (
    "tests/weights/test_checkpoints.py", "tests/weights/test_torch_file.py",
    "tests/cli/test_cli_convert.py",
)  # fmt: skip
# What users meet first: tested without TensorFlow.
CORE_TESTS = (
    *(path for path in BACKEND_TESTS if path != "tests/models"), "tests/models/test_models.py",
    "tests/models/test_family.py", "tests/frames", "tests/tracks",
    "tests/test_backend_choice.py", "tests/test_files.py", "tests/test_folders.py",
    "tests/test_keras_settings.py", "tests/test_precision.py", "tests/test_shortage.py",
    "tests/weights/test_hdf5_file.py", "tests/weights/test_model_file.py",
    "tests/weights/test_spec.py",
    "tests/inference/test_detections.py", "tests/inference/test_rectification.py",
    "tests/inference/test_tracker.py",
    "tests/training/classifier/test_clip_batches.py",
    "tests/training/classifier/test_clip_classes.py",
    "tests/training/test_heatmaps.py", "tests/training/test_window_batches.py",
    "tests/analysis/test_analysis.py", "tests/analysis/test_footage.py",
    "tests/evaluation/test_doctor.py", "tests/evaluation/test_trackers.py",
    "tests/cli/test_cli_analysis.py", "tests/cli/test_cli_main.py", "tests/cli/test_cli_numbers.py",
    "tests/house/test_packaging.py",
)  # fmt: skip
# What calls libraries whose interfaces have changed: tested on their lowest versions.
LOWEST_TESTS = (
    "tests/frames/test_sizes.py", "tests/frames/test_windows.py", "tests/video/test_reader.py",
    "tests/test_folders.py", "tests/test_layers.py", "tests/test_losses.py",
    "tests/test_presets.py", "tests/weights/test_hdf5_file.py", "tests/weights/test_torch_file.py",
    "tests/datasets/test_label_formats.py",
    "tests/inference/test_detections.py", "tests/inference/test_outputs.py",
    "tests/inference/test_rectification.py", "tests/inference/test_tracker.py",
    "tests/training/test_cache.py", "tests/training/test_heatmaps.py",
    "tests/evaluation/test_doctor.py", "tests/evaluation/test_exporting.py",
    "tests/cli/test_cli_main.py", "tests/cli/test_cli_studio.py",
    "tests/studio/test_access.py", "tests/studio/test_frames.py", "tests/studio/test_jobs.py",
    "tests/studio/test_pages.py", "tests/studio/test_views.py",
)  # fmt: skip
# What LiteRT takes over from TensorFlow: tested again with it, beside what is skipped without.
EXTRAS_TESTS = tuple(
    f"tests/inference/test_engines.py::{test}" for test in (
        "test_every_engine_gives_the_heatmaps_of_keras[tflite]",
        "test_every_engine_gives_the_same_detections[tflite]",
        "test_int8_finds_balls_where_they_are[tflite]",
        "test_exported_tracker_gives_the_track_of_its_weights[tflite-heatmaps]",
    )
)  # fmt: skip

# Of the training that tf.data feeds, what differs on JAX.
JAX_TESTS = ("tests/training/runs", "-k", "find_a_dot or resumed")

# What a browser may be called; `.ci/run` installs the first where none is there.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = "there is no Chromium here; to install it, run: apt-get install chromium"

# The settings of whoever runs this do not count.
for setting in ("KERAS_BACKEND", "PYTHONPATH", "TRACKNET_DEBUG"):
    os.environ.pop(setting, None)
# Most of what is installed is never imported; the rest is compiled when it is.
os.environ.update(PIP_NO_COMPILE="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
os.environ.update(PIP_NO_INPUT="1", PIP_QUIET="1")


@nox.session
def suite(session: nox.Session) -> None:
    """Tests by README's command, linters, types, tests of optional libraries and in a browser."""
    report = prepare(session) / "without_extras.xml"
    for command in find_test_command(session).split("&&"):
        session.run(
            *shlex.split(command), env={"PYTEST_ADDOPTS": f"--junitxml='{report.as_posix()}'"}
        )
    session.install("-e", ".[dev,browser]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    skipped = list(find_skipped(report))
    if not skipped:
        session.error("no test was skipped without the optional libraries")
    session.run(*PYTEST, "-m", "not browser", *EXTRAS_TESTS, *skipped)
    if any(map(shutil.which, BROWSERS)):
        test_in_browser(session)
    else:
        session.warn(f"the pages are not tested: {NO_BROWSER}")


@nox.session
def lowest(session: nox.Session) -> None:
    """Tests of what calls other libraries, on the lowest versions that pyproject.toml names."""
    prepare(session)
    needed = [*PROJECT["dependencies"], *EXTRAS["test"]]
    session.install(*(requirement.replace(">=", "==") for requirement in needed))
    session.install("--no-deps", "-e", ".")
    session.run(*PYTEST, *(session.posargs or LOWEST_TESTS))


@nox.session
def docs(session: nox.Session) -> None:
    """Figures and pages of the documentation; warnings are errors."""
    folder = prepare(session)
    session.install("-e", ".[docs,test,pandas,notebook]")
    for notebook in sorted((ROOT / "examples").glob("*.ipynb")):
        with session.chdir(folder):
            session.run("jupyter", "execute", str(notebook))
    session.run("python", "docs/figures.py", str(folder / "figures"))
    drawn = {path.name for path in (folder / "figures").iterdir()}
    missing = drawn - {path.name for path in (ROOT / "docs" / "images").iterdir()}
    if missing:
        session.error(f"docs/images lacks {missing}; run python docs/figures.py")
    session.run(
        *("mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder / "site")),
        env={"NO_MKDOCS_2_WARNING": "1"},  # Material speaks of its successor otherwise.
    )


@nox.session(default=False)
def walkthrough(session: nox.Session) -> None:
    """Commands of README and tutorial on the demo, with their numbers; the suite has short ones."""
    prepare(session)
    session.install("-e", ".[test,pandas]")
    walk = "tests/house/test_walkthrough.py"
    session.run("python", "-m", "pytest", "-q", walk, env={"TRACKNET_DOCS": "1"})


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """The wheel, built from the source distribution; wheel and without_tensorflow install it."""
    session.install("build")
    shutil.rmtree(find_dist(session), ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(find_dist(session)), ".", silent=True)


@nox.session(requires=["build"])
def wheel(session: nox.Session) -> None:
    """The wheel in a folder of its own: what it installs, help, doctor, and the demo."""
    folder = prepare(session)
    session.install(find_wheel(session))
    session.chdir(folder)
    session.run("python", "-c", CHECK_NAMES)
    session.run("tracknet", "--help")
    session.run("tracknet", "doctor")
    session.run("tracknet", "demo")


@nox.session
def backends(session: nox.Session) -> None:
    """Training on JAX, tests on PyTorch, and comparisons across the backends."""
    prepare(session)
    session.install("-e", ".[test,jax]", TORCH)
    # The other tests run on JAX where TensorFlow is absent; this one is fed by tf.data.
    session.run(
        *(*PYTEST, "-m", "not backends", *(session.posargs or JAX_TESTS)),
        env={"KERAS_BACKEND": "jax"},
    )
    session.run(
        *(*PYTEST, "-m", "not backends"),
        *(session.posargs or (*BACKEND_TESTS, *CHECKPOINT_TESTS)),
        env={"KERAS_BACKEND": "torch"},
    )
    session.run(*PYTEST, "-m", "backends", *find_marked("backends"))


@nox.session(requires=["build"])
def without_tensorflow(session: nox.Session) -> None:
    """The wheel on JAX where TensorFlow is not installed: doctor, and what users meet first."""
    folder = prepare(session)
    needed = [*PROJECT["dependencies"], *EXTRAS["jax"], *EXTRAS["test"]]
    session.install(*(package for package in needed if not package.startswith("tensorflow")))
    session.install("--no-deps", find_wheel(session))
    # From another folder, so that the wheel is tested and not the checkout.
    session.chdir(folder)
    session.run("python", "-c", "import importlib.util as u; assert not u.find_spec('tensorflow')")
    session.run("tracknet", "doctor")
    session.run(
        *(*PYTEST, "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)),
        *("-p", "no:cacheprovider", "-m", "not backends"),
        *(str(ROOT / path) for path in session.posargs or CORE_TESTS),
    )


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """The part of suite that opens the studio, its court view and the report in Chromium."""
    if not any(map(shutil.which, BROWSERS)):
        session.skip(NO_BROWSER)
    prepare(session)
    session.install("-e", ".[test,browser]")
    test_in_browser(session)


CHECK_NAMES = """
from importlib import metadata, util

names = metadata.distribution("keras_tracknet").read_text("top_level.txt").split()
assert sorted(names) == ["keras_tracknet", "keras_tracknet_cli"], names
assert util.find_spec("cli") is None, "a module called cli is installed"
"""


def prepare(session: nox.Session) -> Path:
    """Return a session's temporary folder, with caches of its own in it."""
    folder = Path(session.create_tmp()).absolute()
    session.env.update(KERAS_HOME=str(folder / "keras"), TRACKNET_CACHE=str(folder / "cache"))
    return folder


def test_in_browser(session: nox.Session) -> None:
    """Test the pages, one after the other: the log says how long a step and a jump take."""
    session.run("python", "-m", "pytest", "-q", "-m", "browser", *find_marked("browser"))


def find_test_command(session: nox.Session) -> str:
    """Return the command by which README says to run the tests."""
    found = TEST_COMMAND.search((ROOT / "README.md").read_text(encoding="utf-8"))
    if found is None:
        session.error("README.md does not say how to run the tests")
    return found[0]


def find_skipped(report: Path) -> Iterator[str]:
    """Yield the tests that a report says were skipped."""
    for case in ElementTree.parse(report).iter("testcase"):
        module, name = case.get("classname") or "", case.get("name") or ""
        # A file that was skipped as a whole stands where a test's name is.
        file = f"{(module or name).replace('.', '/')}.py"
        if case.find("skipped") is not None:
            yield f"{file}::{name}" if module else file


def find_marked(mark: str) -> Iterator[str]:
    """Yield the files with tests of a mark, so that the others are not read."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if f"mark.{mark}" in path.read_text(encoding="utf-8"):
            yield path.relative_to(ROOT).as_posix()


def find_dist(session: nox.Session) -> Path:
    """Return the folder of the wheel, which sessions share."""
    return session.cache_dir.absolute() / "dist"


def find_wheel(session: nox.Session) -> str:
    """Return the wheel that the session build made."""
    (path,) = find_dist(session).glob("*.whl")
    return str(path)
