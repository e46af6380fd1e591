"""Feed: batches of any kind as a tf.data dataset or a Keras PyDataset, made ahead."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

AHEAD = 4  # batches of a PyDataset that are made before they are asked for


class Batches(Protocol):
    """Anything that can make batch `number` of an epoch, and knows how many there are."""

    windows: int
    batch_size: int

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def batch(self, epoch: int, number: int) -> tuple[Any, ...]:
        """Return inputs, targets and, where they differ, weights of a batch."""


def as_tf_dataset(batches: Batches, first: int, stop: int) -> Any:
    """Return batches as a `tf.data.Dataset`, made in parallel, in order, ahead of the network.

    Args:
        batches: what to take them from.
        first, stop: first batch and the one after the last, counted over all epochs: batch 2
            of epoch 3 is number 3 x len(batches) + 2.
    """
    import tensorflow as tf

    example = _batch_at(batches, first)

    def load(position: Any) -> tuple[Any, ...]:
        made = tf.numpy_function(
            lambda p: _batch_at(batches, int(p)), [position], [part.dtype for part in example]
        )
        for tensor, part in zip(made, example, strict=True):
            tensor.set_shape((None, *part.shape[1:]))
        return tuple(made)

    positions = tf.data.Dataset.range(first, stop)
    return positions.map(load, num_parallel_calls=2, deterministic=True).prefetch(2)


def as_py_dataset(batches: Batches, first: int, stop: int) -> Any:
    """Return batches as a `keras.utils.PyDataset`, which needs no TensorFlow.

    Made in threads, ahead of the network, as those of `as_tf_dataset` are.

    Args:
        batches, first, stop: as for `as_tf_dataset`.
    """
    import keras

    class BatchSequence(keras.utils.PyDataset):  # type: ignore[misc]
        # Keras's own workers go on with batches of before where it starts a second pass.
        def __init__(self) -> None:
            super().__init__(workers=1)
            self._pool = ThreadPoolExecutor(2)
            self._ahead: dict[int, Future[Any]] = {}

        def __len__(self) -> int:
            return stop - first

        def __getitem__(self, number: int) -> tuple[Any, ...]:
            for wanted in range(number, min(number + AHEAD, len(self))):
                if wanted not in self._ahead:
                    self._ahead[wanted] = self._pool.submit(_batch_at, batches, first + wanted)
            batch: tuple[Any, ...] = self._ahead.pop(number).result()
            return batch

    return BatchSequence()


def _batch_at(batches: Batches, position: int) -> tuple[Any, ...]:
    return batches.batch(*divmod(position, len(batches)))
