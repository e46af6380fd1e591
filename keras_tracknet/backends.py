"""Which framework Keras computes with, chosen before Keras is loaded."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError

# In the order of preference. The first is what Keras takes when nobody says otherwise.
BACKENDS = ("tensorflow", "jax", "torch")
# Keras can predict with these, not train.
OTHER_BACKENDS = ("openvino", "numpy")
DEVICES = ("auto", "cpu", "gpu")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86, x86, 64-bit Arm
CPU_FACTS = Path("/proc/cpuinfo")


def find_backends() -> list[str]:
    """Return the frameworks that are installed, without loading any."""
    return [name for name in BACKENDS if _is_installed(name)]


class _Chooser(MetaPathFinder):
    """Finds no module, but chooses the backend when Keras is about to be loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "keras":
            choose_backend()


def choose_before_keras() -> None:
    """See to it that the backend is chosen before Keras is loaded, whoever loads it.

    Keras then fails with the `InputError` of `choose_backend` instead of its own traceback.
    """
    if not any(isinstance(finder, _Chooser) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Chooser())


def choose_backend() -> str:
    """Return the backend that Keras will use, and see to it that it is one that is installed.

    What `KERAS_BACKEND` and Keras' own `keras.json` say is kept. Only where that leads to
    TensorFlow, and TensorFlow is not installed, `KERAS_BACKEND` is set to what is there.

    Raises:
        InputError: no framework is installed, or the one that was asked for is not, or
            Keras does not know it.
    """
    chosen = backend_in_use()
    if chosen is not None:
        return chosen
    installed = find_backends()
    asked_by, configured = _read_choice()
    if configured in installed or configured in OTHER_BACKENDS:
        return configured
    if configured not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise InputError(f"{asked_by} sets the unknown backend {configured}; use one of {known}.")
    if asked_by:
        raise InputError(
            f"{asked_by} sets {configured}, which is not installed; run pip install {configured}"
            " or set another backend."
        )
    if not installed:
        raise InputError(
            "no Keras backend is installed; run: pip install tensorflow (or jax, or torch)"
        )
    os.environ["KERAS_BACKEND"] = installed[0]
    return installed[0]


def backend_in_use() -> str | None:
    """Return the framework that Keras computes with; None where Keras was not loaded."""
    if "keras" not in sys.modules:
        return None
    import keras

    return str(keras.backend.backend())


def list_devices() -> list[str]:
    """Return the devices that the backend computes on, such as `gpu:0`; loads Keras."""
    import keras

    backend = keras.backend.backend()
    if backend in ("tensorflow", "jax"):
        return list(keras.distribution.list_devices())
    if backend == "torch":
        import torch

        if torch.cuda.is_available():
            return [f"gpu:{index}" for index in range(torch.cuda.device_count())]
        if torch.backends.mps.is_available():
            return ["mps:0"]
    return ["cpu:0"]


def find_device(wanted: str) -> str:
    """Return the device that `auto`, `cpu` or `gpu` means for the backend; loads Keras.

    Raises:
        InputError: there is no such device.
        ValueError: an unknown kind of device.
    """
    if wanted not in DEVICES:
        raise ValueError(f"`device` must be one of {', '.join(DEVICES)}. Received: {wanted!r}")
    devices = list_devices()
    if wanted == "cpu":
        return "cpu:0"
    if wanted == "gpu" and devices[0].startswith("cpu"):
        raise InputError(
            'Keras finds no GPU for `device="gpu"`; run tracknet doctor to see the available'
            " devices."
        )
    return devices[0]


def cpu_has_bf16() -> bool:
    """Return whether the CPU multiplies bfloat16 in hardware; False where that is unknown."""
    try:
        text = CPU_FACTS.read_text(encoding="utf-8")
    except OSError:
        return False
    return not BF16_FLAGS.isdisjoint(text.split())


def choose_precision(requested: str = "auto") -> str:
    """Return the Keras dtype policy to compute in.

    Args:
        requested: one of `PRECISIONS`, or `auto`: bfloat16 on a GPU, and on a CPU that has it
            in hardware unless the backend is JAX, which gains nothing from it there.

    Raises:
        ValueError: the request is unknown.
    """
    if requested in PRECISIONS:
        return requested
    if requested != "auto":
        known = ", ".join(("auto", *PRECISIONS))
        raise ValueError(f"`precision` must be one of {known}. Received: precision={requested!r}")
    import keras

    if any(not device.startswith("cpu") for device in list_devices()):
        return "mixed_bfloat16"
    if cpu_has_bf16() and keras.backend.backend() in ("tensorflow", "torch"):
        return "mixed_bfloat16"
    return "float32"


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # a finder that forbids it
        return False


def _read_choice() -> tuple[str, str]:
    """Return who asked for a backend, and for which; nobody asks for the default."""
    if os.environ.get("KERAS_BACKEND"):
        return "KERAS_BACKEND", os.environ["KERAS_BACKEND"]
    path = _find_keras_home() / "keras.json"
    try:
        configured = str(json.loads(path.read_text(encoding="utf-8"))["backend"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", BACKENDS[0]
    # Keras writes the default into this file by itself, so that is nobody's wish.
    return ("" if configured == BACKENDS[0] else str(path)), configured


def _find_keras_home() -> Path:
    """Return where Keras looks for its settings, by its own rule."""
    if "KERAS_HOME" in os.environ:
        return Path(os.environ["KERAS_HOME"])
    home = os.path.expanduser("~")
    return Path(home if os.access(home, os.W_OK) else "/tmp") / ".keras"
