"""Windows of tracks: which of them each batch of an epoch holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

W = TypeVar("W")


class TrackWindows(Generic[W]):
    """Deals windows out to the batches of an epoch.

    Args:
        found: all windows.
        batch_size: windows in a batch.
        training: `True` for every window in random order, in full batches only; `False` for all of
            them in order, the same in every epoch.
        seed: start of every random choice.

    Attributes:
        windows: number of windows.
    """

    def __init__(self, found: Sequence[W], *, batch_size: int, training: bool, seed: int) -> None:
        self._windows, self.training, self.seed = found, training, seed
        self.windows = len(found)
        self.batch_size = min(batch_size, self.windows)

    def __len__(self) -> int:
        whole, rest = divmod(self.windows, self.batch_size)
        return whole if self.training or not rest else whole + 1

    def draw(self, epoch: int, number: int) -> tuple[list[W], np.random.Generator]:
        """Return the windows of batch `number` of an epoch, and what varies them at random."""
        epoch = epoch if self.training else 0
        order = np.arange(self.windows)
        if self.training:
            order = np.random.default_rng([self.seed, epoch]).permutation(order)
        chosen = order[number * self.batch_size :][: self.batch_size].tolist()
        rng = np.random.default_rng([self.seed, epoch, number])
        return [self._windows[index] for index in chosen], rng
