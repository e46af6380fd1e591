import ast
import graphlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import keras_tracknet

ROOT = Path(keras_tracknet.__file__).parent
FRAMEWORKS = ("keras", "tensorflow", "jax", "torch")
HEAVY = (*FRAMEWORKS, "cv2", "av")

# The package from the ground up: a module imports from its own room and from those before it.
ROOMS = [
    ("errors", "addresses", "shortage", "files", "locks", "folders", "progress", "backends",
     "version", "sports"),
    ("video",),
    ("frames",),
    ("layers", "losses", "metrics", "models"),
    ("weights", "presets"),
    ("tracks",),
    ("datasets",),
    ("synthetic",),
    ("inference",),
    ("training",),
    ("analysis",),
    ("evaluation",),
    ("studio",),
]  # fmt: skip
FOLDERS = 13

# tf.data, its strategies, TensorBoard's log, and formats that only TensorFlow writes and runs.
MAY_IMPORT_TENSORFLOW = (
    "inference.engines.", "training.batches.", "training.run_folder.", "training.devices.",
    "training.hosts.",
)  # fmt: skip


def name_module(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_module(path): path for path in sorted(ROOT.rglob("*.py"))}


def find_imports(path, *, top_level=False):
    """Return the full names of the modules that a file imports, in functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            ours = {f"keras_tracknet.{name}" for name in MODULES}
            found.update(names & ours or {node.module})
    return found


def find_own_imports(name):
    """Return the modules of this package that a module imports, without the package's name."""
    prefix = "keras_tracknet."
    imported = find_imports(MODULES[name])
    return {module.removeprefix(prefix) for module in imported if module.startswith(prefix)}


def find_packages(path, **settings):
    return {module.partition(".")[0] for module in find_imports(path, **settings)}


def find_room(name):
    """Return the number of a module's room, from the ground up."""
    return next((i for i, room in enumerate(ROOMS) if name.partition(".")[0] in room), None)


def run_python(code, folder):
    """Run code in a fresh Python, away from the checkout; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


LOADED = f"import sys; print(*(name for name in {HEAVY} if name in sys.modules))"


def test_importing_the_package_loads_no_framework(tmp_path):
    assert run_python(f"import keras_tracknet; {LOADED}", tmp_path) == []


def test_reading_a_track_loads_no_framework(tmp_path):
    assert run_python(f"import keras_tracknet; keras_tracknet.read_track; {LOADED}", tmp_path) == []


def test_no_command_loads_a_framework_before_it_is_called(tmp_path):
    code = (
        "from importlib import import_module\n"
        "from keras_tracknet_cli.main import COMMANDS\n"
        "for name in COMMANDS: import_module(f'keras_tracknet_cli.{name}')\n"
    )
    assert run_python(code + LOADED, tmp_path) == []


@pytest.mark.parametrize("name", keras_tracknet.__all__)
def test_public_name_resolves(name):
    assert getattr(keras_tracknet, name) is not None
    assert name in dir(keras_tracknet)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'build_v9'"):
        _ = keras_tracknet.build_v9


def test_type_checkers_see_the_public_names():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name for node in block.body for alias in node.names}
    assert sorted([*seen, "__version__"]) == sorted(keras_tracknet.__all__)


def test_version_is_that_of_the_installed_package():
    assert keras_tracknet.__version__ == importlib.metadata.version("keras_tracknet")


def test_every_module_has_a_room():
    assert [name for name in MODULES if name and find_room(name) is None] == []
    assert len([path for path in ROOT.iterdir() if any(path.glob("*.py"))]) <= FOLDERS


@pytest.mark.parametrize("name", [name for name in MODULES if name])
def test_module_imports_from_its_room_and_those_before(name):
    rooms = {other: find_room(other) for other in find_own_imports(name)}
    assert [other for other, room in rooms.items() if room is None or room > find_room(name)] == []


def test_modules_do_not_import_in_circles():
    graph = {name: find_own_imports(name) for name in MODULES if name}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in MODULES
        if name.partition(".")[0] in ("layers", "models", "losses", "metrics")
    ],
)
def test_networks_losses_and_metrics_stand_alone(name):
    shared = ("blocks", "linker", "motion", "patches", "resnet10", "v3")
    assert find_own_imports(name) <= {"layers", *(f"models.{module}" for module in shared)}


@pytest.mark.parametrize(
    "name", [n for n in MODULES if n.startswith(("errors", "video", "tracks", "datasets"))]
)
def test_input_and_output_need_no_framework(name):
    assert find_packages(MODULES[name]).isdisjoint(FRAMEWORKS)


@pytest.mark.parametrize(
    "name", [n for n in MODULES if n.startswith(("frames", "training.batches"))]
)
def test_data_needs_no_framework_until_it_is_fed_to_one(name):
    assert find_packages(MODULES[name], top_level=True).isdisjoint(FRAMEWORKS)


@pytest.mark.parametrize("name", MODULES)
def test_tensorflow_is_imported_where_nothing_else_will_do(name):
    assert "tensorflow" not in find_packages(MODULES[name], top_level=True)
    if not f"{name}.".startswith(MAY_IMPORT_TENSORFLOW):
        assert "tensorflow" not in find_packages(MODULES[name])


@pytest.mark.parametrize("name", MODULES)
def test_library_does_not_import_the_command_line(name):
    assert find_packages(MODULES[name]).isdisjoint({"cli", "keras_tracknet_cli", "click", "rich"})


def test_nothing_called_cli_is_installed():
    top_level = importlib.metadata.distribution("keras_tracknet").read_text("top_level.txt")
    assert (top_level or "").split() == ["keras_tracknet", "keras_tracknet_cli"]
