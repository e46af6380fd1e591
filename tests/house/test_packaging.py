import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from keras_tracknet_cli.main import COMMANDS, cli

import keras_tracknet

ROOT = Path(__file__).parents[2]


def walk(command, path):
    """Yield (path, command) for a command and all below it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), (*path, name))


def find_commands(name):
    return list(walk(cli.get_command(click.Context(cli), name), (name,)))


def test_no_module_called_cli_is_installed():
    names = metadata.distribution("keras_tracknet").read_text("top_level.txt")
    assert names is not None
    assert set(names.split()) == {"keras_tracknet", "keras_tracknet_cli"}


def test_the_version_is_said_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == keras_tracknet.__version__
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {keras_tracknet.__version__}\n" in citation
    result = CliRunner().invoke(cli, ["--version"])
    assert result.stdout == f"tracknet {keras_tracknet.__version__}\n"


def test_the_image_is_built_by_the_first_command_of_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = re.search(r"```sh\n(.*)\n```", readme)
    assert f"RUN {command[1]}" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def find_hints():
    """Yield (file, extra, package or None) of each hint to install an extra of this package."""
    pattern = re.compile(r"(?:keras_tracknet|pip install (?:-e )?'\.)\[([a-z0-9,]+)\]")
    files = [
        path
        for place in ("keras_tracknet/**/*.py", "cli/*.py", "docs/**/*.md", "*.md")
        for path in ROOT.glob(place)
    ]
    for path in files:
        text = path.read_text(encoding="utf-8")
        for found in pattern.finditer(text):
            yield from ((path.name, extra, None) for extra in found[1].split(","))
        for node in ast.walk(ast.parse(text)) if path.suffix == ".py" else ():
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "hint_missing":
                package, *extra = (ast.literal_eval(value) for value in node.args[1:])
                yield path.name, extra[0] if extra else None, package


def test_hints_name_extras_that_there_are_and_that_have_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {None: project["dependencies"], **project["optional-dependencies"]}
    hints = list(find_hints())
    assert {"onnx", "openvino", "litert", "plots", "parquet"} <= {extra for _, extra, _ in hints}
    assert [hint for hint in hints if hint[1] not in extras] == []
    for file, extra, package in hints:
        names = [re.split(r"[<>=\[]", line)[0] for line in extras[extra]]
        assert package is None or package in names, (file, extra, package)


# Libraries that are installed under another name than they are imported by.
DISTRIBUTIONS = {"cv2": "opencv-python-headless", "yaml": "pyyaml"}


def find_libraries(path):
    """Return what is imported in a file, in functions too, beside Python's own and this package."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module and not n.level]
    packages = {name.partition(".")[0] for name in names}
    return packages - {"__future__", "keras_tracknet"} - sys.stdlib_module_names


def normalize(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_library_that_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {line for lines in project["optional-dependencies"].values() for line in lines}
    lines = {*project["dependencies"], *extras}
    declared = {normalize(re.split(r"[<>=;\[ ]", line)[0]) for line in lines}
    imported = {
        name: path.relative_to(ROOT)
        for folder in ("keras_tracknet", "cli")
        for path in (ROOT / folder).rglob("*.py")
        for name in find_libraries(path)
    }
    assert {"numpy", "click", "h5py", "huggingface_hub"} <= set(imported)
    for name, path in imported.items():
        assert normalize(DISTRIBUTIONS.get(name, name)) in declared, f"{path} imports {name}"


def test_every_file_that_is_no_module_is_package_data():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packaged = {
        path
        for package, patterns in settings["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    present = {
        path
        for path in (ROOT / "keras_tracknet").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert {path.name for path in present} >= {"py.typed", "manifest.json", "page.html.j2"}
    assert present - packaged == set()


def test_the_tests_that_sessions_name_exist():
    text = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    paths = re.findall(r'"(tests/[^":]+)', text)
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []
    names = re.findall(r'"(test_\w+)', text)
    engines = (ROOT / "tests/inference/test_engines.py").read_text(encoding="utf-8")
    assert names
    assert [name for name in names if f"def {name}(" not in engines] == []


def test_test_files_have_names_of_their_own():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names)) > 50


def test_help_lists_every_command():
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    for name, line in COMMANDS.items():
        assert f"  {name} " in result.stdout
        assert line in result.stdout


def test_every_command_is_listed():
    modules = {path.stem for path in (ROOT / "cli").glob("*.py")}
    assert set(COMMANDS) <= modules


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name):
    for path, command in find_commands(name):
        result = CliRunner().invoke(cli, [*path, "--help"])
        assert result.exit_code == 0, (path, result.output)
        assert command.help, path
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, (path, option.name)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["data", "nonsense"], ["doctor", "--nonsense"], ["doctor", "more"]]
)
def test_wrong_usage_exits_with_2(arguments):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
