"""Where training batches are made: by the host, or on the device."""

from __future__ import annotations

import keras

from keras_tracknet.backends import list_devices
from keras_tracknet.errors import InputError
from keras_tracknet.progress import Reporter
from keras_tracknet.training.batches.feed import Batches
from keras_tracknet.training.batches.window_batches import WindowBatches
from keras_tracknet.training.config import FitConfig
from keras_tracknet.training.device.batches import DeviceBatches, count_bytes
from keras_tracknet.weights.spec import TRACK_VERSIONS

ROOM = 0.5  # share of the free memory that frames may take; the rest is for training


def check_pipeline(config: FitConfig, devices: int) -> None:
    """Refuse a run that asks for the device and for what cannot be made there.

    Args:
        config: of the run.
        devices: number of those that share a batch.

    Raises:
        InputError: `pipeline` is `device`, and something stands in its way.
    """
    obstacle = find_obstacle(config, devices)
    if config.pipeline == "device" and obstacle:
        raise InputError(f'`pipeline="device"` {obstacle}; use `pipeline="host"`.')


def place_batches(config: FitConfig, batches: Batches, devices: int, reporter: Reporter) -> Batches:
    """Return the training batches of a run, made where its configuration says.

    With `auto` that is the device where it is a GPU with room for the frames and everything asked
    for can be made there.

    Args:
        config: of the run.
        batches: of the host pipeline.
        devices: number of those that share a batch.
        reporter: is told where a GPU is there and the host makes the batches.

    Raises:
        InputError: `pipeline` is `device`, and the frames do not fit.
    """
    if config.pipeline == "host" or (config.pipeline == "auto" and not has_gpu()):
        return batches
    reason = find_obstacle(config, devices)
    if reason is None and isinstance(batches, WindowBatches):
        reason = _find_shortage(batches, config.pipeline)
        if reason is None:
            return DeviceBatches(batches)
    if config.pipeline == "device":
        raise InputError(f'`pipeline="device"` {reason}; use `pipeline="host"`.')
    reporter.note(f"pipeline: host, since the device pipeline {reason}")
    return batches


def find_obstacle(config: FitConfig, devices: int) -> str | None:
    """Return why a run's batches cannot be made on the device, None where they can.

    Args:
        config: of the run.
        devices: number of those that share a batch.
    """
    backend = keras.backend.backend()
    if backend not in ("jax", "torch"):
        return f"requires JAX or PyTorch, but Keras uses {backend}"
    if config.version in (*TRACK_VERSIONS, "tsm"):
        return f"does not support `version={config.version!r}`"
    for name in ("compression", "stabilize", "frame_mixup"):
        if getattr(config, name):
            return f"does not support `{name}`"
    if devices > 1:
        return f"supports a single device, but this run uses {devices}"
    return None


def has_gpu() -> bool:
    """Return whether the backend trains on a GPU."""
    return list_devices()[0].startswith("gpu")


def find_free_memory() -> int | None:
    """Return how many bytes of the GPU's memory are free; None where that is unknown."""
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None
    import jax

    facts = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" not in facts:
        return None
    return int(facts["bytes_limit"]) - int(facts.get("bytes_in_use", 0))


def _find_shortage(batches: WindowBatches, pipeline: str) -> str | None:
    """Return what is wrong with the memory of a device, None where the frames fit."""
    if not has_gpu():
        return None  # frames on a CPU, which has been asked for
    needed, free = count_bytes(batches), find_free_memory()
    if free is None:
        return "does not know how much GPU memory is free" if pipeline == "auto" else None
    if needed > ROOM * free:
        return (
            f"needs {needed / 1e9:.1f} GB for the frames and as much to train in, but only"
            f" {free / 1e9:.1f} GB of GPU memory are free"
        )
    return None
