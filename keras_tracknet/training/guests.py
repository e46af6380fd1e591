"""Guests: a user's callbacks in a run, which trains epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras


class Guests(keras.callbacks.Callback):  # type: ignore[misc]
    """Passes on what happens in a run, as in a single call of Keras' `fit`.

    A run calls `fit` once per epoch. What an `EarlyStopping` remembers of the epochs before would
    be lost with each call, so training begins and ends for it only once.

    Args:
        callbacks: the user's.
        params: what Keras tells callbacks of the whole run.
    """

    def __init__(
        self, callbacks: Sequence[keras.callbacks.Callback], params: dict[str, Any]
    ) -> None:
        super().__init__()
        self._callbacks, self._run = list(callbacks), params

    @contextmanager
    def training(self, model: keras.Model) -> Iterator[None]:
        """Begin training for the callbacks, and end it with the `with` block."""
        for callback in self._callbacks:
            callback.set_params(self._run)
            callback.set_model(model)
            callback.on_train_begin()
        yield
        for callback in self._callbacks:
            callback.on_train_end()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_epoch_end(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_train_batch_end(batch, logs)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_test_begin(logs)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Pass it on."""
        for callback in self._callbacks:
            callback.on_test_end(logs)
