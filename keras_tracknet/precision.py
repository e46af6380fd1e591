"""Which numeric precision a network runs in."""

from __future__ import annotations

from pathlib import Path

from keras_tracknet.backends import list_devices

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86, x86, 64-bit Arm
CPU_FACTS = Path("/proc/cpuinfo")


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
