import json
import os
import re
import subprocess
import sys

import pytest

from keras_tracknet import backends
from keras_tracknet.backends import BACKENDS, choose_backend, find_backends, list_devices
from keras_tracknet.errors import InputError


@pytest.fixture
def choice(tmp_path, monkeypatch):
    """Return a function that sets what there is, and asks for the choice."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def choose(installed, environment=None, configured=None):
        monkeypatch.setattr(backends, "find_backends", lambda: installed)
        if environment is None:
            # What the choice leaves in the environment goes again with the test.
            monkeypatch.setenv("KERAS_BACKEND", "")
            monkeypatch.delenv("KERAS_BACKEND")
        else:
            monkeypatch.setenv("KERAS_BACKEND", environment)
        if configured is not None:
            (tmp_path / "keras.json").write_text(json.dumps({"backend": configured}))
        return choose_backend(), os.environ.get("KERAS_BACKEND")

    return choose


@pytest.mark.parametrize(
    ("installed", "environment", "configured", "expected", "left"),
    [
        (["tensorflow", "jax"], None, None, "tensorflow", None),
        (["tensorflow", "jax"], None, "jax", "jax", None),
        (["tensorflow", "jax"], "jax", "tensorflow", "jax", "jax"),
        (["jax", "torch"], None, None, "jax", "jax"),  # steps in
        (["torch"], None, "tensorflow", "torch", "torch"),  # Keras wrote that line by itself
        (["torch"], "", None, "torch", "torch"),  # empty counts as unset, as for Keras
        (["jax", "torch"], None, "torch", "torch", None),
        ([], "openvino", None, "openvino", "openvino"),
        ([], "numpy", None, "numpy", "numpy"),
    ],
)
def test_the_users_choice_is_kept_and_else_what_is_installed_is_taken(
    choice, installed, environment, configured, expected, left
):
    assert choice(installed, environment, configured) == (expected, left)


@pytest.mark.parametrize(
    ("installed", "environment", "configured", "message"),
    [
        ([], None, None, r"no Keras backend is installed; run: pip install tensorflow \(or jax"),
        (["jax"], "torch", None, r"KERAS_BACKEND sets torch, .*; run pip install torch"),
        (["jax"], "tensorflow", None, r"KERAS_BACKEND sets tensorflow, which is not"),
        (["tensorflow"], None, "jax", r"keras\.json sets jax, which is not installed"),
        (
            ["tensorflow"],
            "theano",
            None,
            r"KERAS_BACKEND sets the unknown backend theano; use one of tensor",
        ),
    ],
)
def test_a_choice_that_cannot_be_met_is_one_line(
    choice, installed, environment, configured, message
):
    with pytest.raises(InputError, match=message):
        choice(installed, environment, configured)


def test_a_damaged_configuration_asks_for_nothing(choice, tmp_path):
    (tmp_path / "keras.json").write_text("{")
    assert choice(["jax"]) == ("jax", "jax")


# Hides every framework, as if none were installed.
HIDING = """
import sys

class Hiding:
    def find_spec(self, name, path=None, target=None):
        if name in ("tensorflow", "jax", "torch"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hiding())
"""


def run_fresh(code, folder, **environment):
    """Run code in a fresh Python for which nobody has chosen a backend."""
    kept = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**kept, "KERAS_HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


IMPORTS = [
    "from keras_tracknet.models.v2 import build_v2",
    "import keras_tracknet.losses",
    "import keras_tracknet; keras_tracknet.build_v3()",
    "import keras_tracknet; import keras",
]


@pytest.mark.parametrize("line", IMPORTS)
def test_nothing_to_compute_with_is_one_error_wherever_keras_is_loaded(tmp_path, line):
    hidden = run_fresh(f"{HIDING}\n{line}", tmp_path)
    assert "InputError: no Keras backend is installed; run: pip install" in hidden.stderr
    unknown = run_fresh(line, tmp_path, KERAS_BACKEND="nonsense")
    assert (
        "InputError: KERAS_BACKEND sets the unknown backend nonsense; use one of" in unknown.stderr
    )
    for result in (hidden, unknown):
        assert result.stderr.count("Traceback") == 1


def test_backend_is_chosen_by_whichever_module_loads_keras(tmp_path):
    code = (
        "import os\n"
        "import keras_tracknet.backends as backends\n"
        "backends.find_backends = lambda: ['jax']\n"
        "try:\n"
        "    from keras_tracknet.models.v2 import build_v2\n"
        "except ModuleNotFoundError as error:\n"  # hidden all the same
        "    print(error.name, os.environ['KERAS_BACKEND'])"
    )
    result = run_fresh(HIDING + code, tmp_path)
    assert (result.stdout.split(), result.stderr) == (["jax", "jax"], "")


# Resolves every public name as if it were the first, and prints which did not say `expected`.
RESOLVING = """
import os, sys
import keras_tracknet
for name in keras_tracknet.__all__:
    os.environ.pop("KERAS_BACKEND", None)
    for module in [m for m in sys.modules if m.partition(".")[0] in ("keras", "keras_tracknet")]:
        if module not in ("keras_tracknet", "keras_tracknet.backends", "keras_tracknet.errors"):
            del sys.modules[module]
    try:
        getattr(keras_tracknet, name)
    except Exception as error:
        if EXPECTED not in f"{type(error).__name__}: {error} {os.environ.get('KERAS_BACKEND')}":
            print(name, repr(error))
"""


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ([], "InputError: no Keras backend is installed"),
        (["jax"], "ModuleNotFoundError: No module named 'jax' jax"),  # hidden all the same
    ],
)
def test_every_public_name_chooses_the_backend(tmp_path, installed, expected):
    code = f"from keras_tracknet import backends\nbackends.find_backends = lambda: {installed}"
    result = run_fresh(f"{HIDING}\n{code}\nEXPECTED = {expected!r}\n{RESOLVING}", tmp_path)
    assert (result.stdout, result.stderr) == ("", "")


def test_a_command_says_which_backend_is_unknown_in_a_line(tmp_path):
    code = "from keras_tracknet_cli.main import cli; cli(['demo', '-o', 'out'])"
    result = run_fresh(code, tmp_path, KERAS_BACKEND="nonsense")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("tracknet: KERAS_BACKEND sets the unknown backend nonsense")
    assert not (tmp_path / "out").exists()


def test_once_keras_is_loaded_the_choice_is_made(monkeypatch):
    import keras

    monkeypatch.setenv("KERAS_BACKEND", "none at all")
    assert choose_backend() == keras.backend.backend()


def test_devices_have_a_kind_and_a_number():
    devices = list_devices()
    assert devices
    assert all(re.fullmatch(r"[a-z]+:\d+", device) for device in devices)


@pytest.mark.backends
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_says_what_it_computes_on(backend):
    if backend not in find_backends():
        pytest.skip(f"{backend} is not installed")
    code = (
        "from keras_tracknet.backends import choose_precision, list_devices\n"
        "print(list_devices()[0], choose_precision())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"\w+:\d+ (mixed_bfloat16|float32)\n", result.stdout)
