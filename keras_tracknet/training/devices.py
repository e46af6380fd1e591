"""The devices that a run trains on: one, every one of a machine, or those of several hosts.

Each device takes an equal part of every batch. Loss, gradients and the statistics of batch
normalisation are those of the whole batch, so that a run gives what it gives on one device, but
for rounding: TensorFlow's shared variance, mean(x^2) - mean(x)^2, has fewer digits. JAX does this
by `keras.distribution.DataParallel`, TensorFlow by `MirroredStrategy` and
`MultiWorkerMirroredStrategy`. PyTorch trains on one device: `DistributedDataParallel` knows
nothing of Keras's batch normalisation.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_tracknet.backends import list_devices
from keras_tracknet.errors import InputError
from keras_tracknet.progress import Reporter
from keras_tracknet.training.batches.feed import Batches
from keras_tracknet.training.config import FitConfig
from keras_tracknet.training.hosts import ALONE, Hosts, join_hosts, mend_multi_worker_fit
from keras_tracknet.weights.spec import TRACK_VERSIONS


@dataclass(frozen=True)
class Devices:
    """What a run trains on.

    Attributes:
        count: devices, on all hosts together.
        hosts: where they are.
        strategy: `keras.distribution.DataParallel` or a `tf.distribute.Strategy`; None where
            there is one device.
    """

    count: int = 1
    hosts: Hosts = ALONE
    strategy: Any = None

    def describe(self) -> str:
        """Return what is to be added to the name of the backend."""
        if self.strategy is None:
            return ""
        return f", {self.count} devices" + (
            f" of {self.hosts.count} hosts" if self.hosts.count > 1 else ""
        )

    def scope(self) -> AbstractContextManager[Any]:
        """Return the context to build, load and train a model in."""
        return nullcontext() if self.strategy is None else self.strategy.scope()

    def share(self, batches: Batches) -> Batches:
        """Return batches as the devices of this host take them."""
        return batches if self.strategy is None else SharedBatches(batches, self)

    def feed(self, dataset: Any, batches: Batches) -> Any:
        """Return a dataset of shared batches as Keras hands it on to the devices.

        Args:
            dataset: a `tf.data.Dataset`, or any other with JAX.
            batches: what it was made from.
        """
        if self.strategy is None or keras.backend.backend() != "tensorflow":
            return dataset
        each = batches.batch_size // self.count
        return self.strategy.distribute_datasets_from_function(
            lambda _context: dataset.rebatch(each).prefetch(2 * self.count // self.hosts.count)
        )

    def prepare(self, model: keras.Model, batches: Batches) -> None:
        """Make a compiled model ready for `fit`.

        Args:
            model: built or loaded within `scope`.
            batches: what it is to be trained on.
        """
        if self.strategy is None or keras.backend.backend() != "tensorflow":
            return
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
        if self.hosts.count > 1:
            with self.scope():
                mend_multi_worker_fit(model, batches.batch(0, 0))

    @contextmanager
    def own_folder(self, folder: Path) -> Iterator[Path]:
        """Give the folder that this host writes: the run's, or one that is thrown away."""
        if self.hosts.index == 0:
            yield folder
        else:
            with tempfile.TemporaryDirectory() as elsewhere:
                yield Path(elsewhere)


class SharedBatches:
    """This host's part of each batch, of batches that divide evenly among the devices.

    Short ones are filled up with windows that they have already and that count for nothing:
    a third part beside inputs and targets then gives the weight of each window, such that the
    means over an epoch are those over its windows, each counted once.

    Args:
        batches: of all devices together.
        devices: that share them.
    """

    def __init__(self, batches: Batches, devices: Devices) -> None:
        self._batches, self._hosts, self.windows = batches, devices.hosts, batches.windows
        self.batch_size = -(-batches.batch_size // devices.count) * devices.count
        self._filled = max(0, len(batches) * self.batch_size - self.windows)

    def __len__(self) -> int:
        return len(self._batches)

    def batch(self, epoch: int, number: int) -> tuple[np.ndarray, ...]:
        """Return batch `number` of an epoch.

        Returns:
            Inputs, targets and, where any batch is filled up, weights `(batch,)`.
        """
        parts = self._batches.batch(epoch, number)
        there = len(parts[-1])
        if self._filled:
            weights = np.full(self.batch_size, 1 + self._filled / self.windows, np.float32)
            weights[there:] = 0
            parts = (*parts, weights)
        if there < self.batch_size:  # an array that is made longer begins anew
            parts = tuple(np.resize(part, (self.batch_size, *part.shape[1:])) for part in parts)
        size = self.batch_size // self._hosts.count
        start = self._hosts.index * size
        return tuple(part[start : start + size] for part in parts)


def choose_devices(config: FitConfig, reporter: Reporter) -> Devices:
    """Return the devices for a run: as many as divide its batches evenly.

    The rectifier and the linker, which are small, have one.

    Args:
        config: of the run.
        reporter: is told when devices are left out.

    Raises:
        InputError: there are several hosts, and they have nothing to share.
    """
    hosts, names = join_hosts(), list_devices()
    if config.version in TRACK_VERSIONS:
        if hosts.count > 1:
            raise InputError(
                f"the {config.version} trains on a single host; start it on one host only."
            )
        return Devices()
    available = len(names) if hosts.strategy is None else hosts.strategy.num_replicas_in_sync
    if keras.backend.backend() == "torch":
        if available > 1:
            reporter.warn(
                f"PyTorch trains on one of {available} devices; set KERAS_BACKEND=jax or"
                " KERAS_BACKEND=tensorflow to use all."
            )
        return Devices()
    count = max(n for n in range(1, available + 1) if config.batch_size % n == 0)
    if count < available:
        remedy = f"set `batch_size` to a multiple of {available} to use all"
        found = f"batches of {config.batch_size} use only {count} of {available} devices"
        if hosts.count > 1:
            raise InputError(f"{found}, but every host must take part; {remedy}.")
        reporter.warn(f"{found}; {remedy}.")
    if count == 1:
        return Devices()
    if hosts.strategy is not None:
        return Devices(count, hosts, hosts.strategy)
    names = names[:count]
    if keras.backend.backend() == "jax":
        # Each host makes its own part of a batch, so Keras must not divide it once more.
        parallel = keras.distribution.DataParallel(devices=names, auto_shard_dataset=False)
        return Devices(count, hosts, parallel)
    return Devices(count, hosts, _mirror(tuple(names)))


@cache
def _mirror(names: tuple[str, ...]) -> Any:
    """Return TensorFlow's strategy for some devices; one a process, for two share their keys."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(names)
