"""Batches whose frames stay on the device, where windows and targets are drawn from them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

import keras
import numpy as np

from keras_tracknet.training.batches.window_batches import WindowBatches
from keras_tracknet.training.device.operations import Rendering, Tensors, render_batch
from keras_tracknet.training.device.plans import Planner


class DeviceBatches:
    """Batches of windows as arrays on the device, the same as `WindowBatches` but for rounding.

    All frames are copied to the device with the first batch. From then on only what chance
    decides comes from the host, some kilobytes a batch. JAX compiles the drawing; PyTorch runs it
    operation by operation.

    Args:
        batches: for training; with compression, stabilized frames and `frame_mixup` left alone.
    """

    def __init__(self, batches: WindowBatches) -> None:
        self.host = batches
        self.windows, self.batch_size = batches.windows, batches.batch_size
        self._planner = Planner(batches)
        size = batches.clips[0].background.shape[:2]
        crop = batches.augmentation.crop if batches.augmentation else None
        config = batches.config
        rendering = Rendering(crop or size, config.background, config.target)
        self._render = _compile(partial(render_batch, rendering=rendering))
        self._store: Tensors | None = None
        self._filling = Lock()  # batches are made in several threads

    def __len__(self) -> int:
        return len(self.host)

    def batch(self, epoch: int, number: int) -> tuple[Any, Any]:
        """Return batch `number` of an epoch, as `WindowBatches.batch` does, on the device."""
        with self._filling:
            if self._store is None:
                self._store = self._fill_store()
        arrays = self._planner.plan(epoch, number).items()
        plan = {name: keras.ops.convert_to_tensor(part) for name, part in arrays}
        inputs, targets = self._render(self._store, plan)
        return inputs, targets

    def _fill_store(self) -> Tensors:
        clips = self.host.clips
        store = {
            "frames": keras.ops.convert_to_tensor(np.concatenate([clip.frames for clip in clips])),
            "backgrounds": keras.ops.convert_to_tensor(np.stack([c.background for c in clips])),
        }
        if self.host.cut_outs:
            opacities = np.concatenate([balls.opacity for balls in self.host.cut_outs])
            store["opacities"] = keras.ops.convert_to_tensor(opacities)
        return store


def count_bytes(batches: WindowBatches) -> int:
    """Return how much memory the frames and all that is kept beside them take on the device."""
    clips = sum(clip.frames.nbytes + clip.background.nbytes for clip in batches.clips)
    return clips + sum(balls.opacity.nbytes for balls in batches.cut_outs)


def _compile(render: Callable[..., Any]) -> Callable[..., Any]:
    if keras.backend.backend() != "jax":
        return render
    import jax

    compiled: Callable[..., Any] = jax.jit(render)
    return compiled
