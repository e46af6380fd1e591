"""What this machine has for tracking balls, and what is missing."""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import keras_tracknet
from keras_tracknet.backends import (
    CPU_FACTS,
    choose_backend,
    choose_precision,
    cpu_has_bf16,
    find_backends,
    list_devices,
)
from keras_tracknet.errors import InputError
from keras_tracknet.folders import cache_folder
from keras_tracknet.presets import list_presets
from keras_tracknet.shortage import OUT_OF_MEMORY, is_out_of_memory

# What is shown, and the names of the packages that bring it.
LIBRARIES = {
    "keras": ("keras",),
    "numpy": ("numpy",),
    "opencv": (
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python-headless",
        "opencv-contrib-python",
    ),
    "av": ("av",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tf-nightly"),
    "jax": ("jax",),
    "torch": ("torch",),
    "openvino": ("openvino",),
    "onnx": ("onnx",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "litert": ("ai-edge-litert",),
    "pyarrow": ("pyarrow",),
    "matplotlib": ("matplotlib",),
}
DECODERS = ("h264", "hevc", "vp9", "av1")
ENCODERS = ("libx264", "aac")
MEMORY_FACTS = Path("/proc/meminfo")
LEAST_FREE = 2 * 10**9  # bytes: some 4,500 cached frames


def examine() -> dict[str, Any]:
    """Look at the machine and the installation; loads Keras.

    Returns:
        A dictionary that `json.dumps` takes: `versions` (None where not installed), `backend`,
        `backends`, `devices`, `precision` that `auto` means, `cpu`, `memory` and `cache` in
        bytes, `codecs`, `weights`, `problems` and `ok`. Each problem says `what` is wrong,
        what to do `next`, and whether it is `fatal`. `ok` is False when one is.
    """
    problems: list[dict[str, Any]] = []
    backend, devices, precision = _examine_backend(problems)
    report = {
        "versions": list_versions(),
        "backend": backend,
        "backends": find_backends(),
        "devices": devices,
        "precision": precision,
        "cpu": {
            "model": _read_fact(CPU_FACTS, "model name") or platform.processor() or None,
            "cores": _count_cores(),
            "bf16": cpu_has_bf16(),
        },
        "memory": {
            "total": _read_kilobytes("MemTotal"),
            "available": _read_kilobytes("MemAvailable"),
        },
        "codecs": _examine_codecs(problems),
        "cache": _examine_cache(problems),
        "weights": _examine_weights(problems),
        "problems": problems,
    }
    return report | {"ok": not any(problem["fatal"] for problem in problems)}


def list_versions() -> dict[str, str | None]:
    """Return the version of Python, of this package and of each library, loading none."""
    versions: dict[str, str | None] = {
        "python": platform.python_version(),
        "keras_tracknet": keras_tracknet.__version__,
    }
    for library, packages in LIBRARIES.items():
        found = (_find_version(package) for package in packages)
        versions[library] = next((version for version in found if version), None)
    return versions


def _find_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _examine_backend(
    problems: list[dict[str, Any]],
) -> tuple[str | None, list[str], str | None]:
    """Return the backend, its devices and the precision for them."""
    try:
        backend = choose_backend()
    except InputError as error:
        what, _, step = str(error).partition("; ")
        _add(problems, what, step.rstrip("."), fatal=True)
        return None, [], None
    try:
        return backend, list_devices(), choose_precision()
    except Exception as error:  # whatever a broken installation raises
        if is_out_of_memory(error):
            what, _, step = OUT_OF_MEMORY.rstrip(".").partition("; ")
            _add(problems, f"Keras cannot be loaded with {backend} ({what})", step, fatal=True)
            return backend, [], None
        reason = " ".join(str(error).split())
        _add(
            problems,
            f"Keras cannot be loaded with {backend} ({type(error).__name__}: {reason})",
            f"reinstall it: pip install --force-reinstall keras {backend}",
            fatal=True,
        )
        return backend, [], None


def _examine_codecs(problems: list[dict[str, Any]]) -> dict[str, bool]:
    """Return which video codecs can be decoded, and which encoders there are."""
    try:
        import av
        import cv2  # noqa: F401  # reads images and resizes frames
    except ImportError as error:
        package = "opencv-python-headless" if error.name == "cv2" else "av"
        step = f"reinstall it: pip install --force-reinstall {package}"
        _add(problems, f"videos cannot be read ({error})", step, fatal=True)
        return {}

    def has(name: str, mode: Any) -> bool:
        try:
            av.codec.Codec(name, mode)
        except (ValueError, av.FFmpegError):
            return False
        return True

    codecs = {f"decode {name}": has(name, "r") for name in DECODERS}
    codecs |= {f"encode {name}": has(name, "w") for name in ENCODERS}
    losses = {
        "decode h264": "most videos cannot be read",
        "encode libx264": "overlays cannot be written",
        "encode aac": "overlays lose sound that is not AAC",
    }
    for name, loss in losses.items():
        if not codecs[name]:
            step = "reinstall PyAV from PyPI: pip install --force-reinstall --only-binary av av"
            _add(problems, f"this FFmpeg cannot {name}, so {loss}", step)
    return codecs


def _examine_cache(problems: list[dict[str, Any]]) -> dict[str, Any]:
    """Return where decoded frames and converted networks are kept, and the room there."""
    try:
        folder = cache_folder()
    except InputError as error:
        what, _, step = str(error).rstrip(".").partition("; ")
        _add(problems, what, step)
        return {"folder": None, "free": None, "writable": False}
    existing = next(p for p in (folder, *folder.absolute().parents) if os.path.exists(p))
    free = shutil.disk_usage(existing).free
    writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    if not writable:
        _add(problems, f"{folder}: nothing can be cached there", "set TRACKNET_CACHE")
    elif free < LEAST_FREE:
        step = "free some disk space or set TRACKNET_CACHE to a folder on another disk"
        _add(problems, f"{folder}: only {free / 1e9:.1f} GB are free for the cache", step)
    return {"folder": str(folder), "free": free, "writable": writable}


def _examine_weights(problems: list[dict[str, Any]]) -> list[str]:
    """Return the names of the trackers that came with the package."""
    presets = list_presets()
    if not presets:
        _add(
            problems,
            "the bundled weights are missing",
            "reinstall the package, or use your own weights",
        )
    for preset in presets.values():
        try:
            preset.check()
        except InputError as error:
            what, _, step = str(error).rstrip(".").partition("; ")
            _add(problems, what, step)
    return sorted(presets)


def _add(problems: list[dict[str, Any]], what: str, step: str, *, fatal: bool = False) -> None:
    problems.append({"what": what, "next": step, "fatal": fatal})


def _count_cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_kilobytes(name: str) -> int | None:
    fact = _read_fact(MEMORY_FACTS, name)
    return int(fact.split()[0]) * 1024 if fact else None


def _read_fact(path: Path, name: str) -> str | None:
    """Return the first value of a name in a file of `name: value` lines."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() == name), None)
