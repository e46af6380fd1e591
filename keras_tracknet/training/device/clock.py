"""The pace of training on a GPU, which runs behind the steps that the host hands to it."""

from __future__ import annotations

import time

LOOK_EVERY = 1.0  # seconds between two looks at the figures, for each of which the host waits


class DeviceClock:
    """Measures windows per second on the device without waiting for it at every step.

    The host hands steps to a GPU without waiting for their results. Reading a figure waits for
    all steps before it. So figures are read after the first step of an epoch, which includes
    compiling, then about every `LOOK_EVERY` seconds, and after the last step; windows count from
    the end of the first step.

    Args:
        batch_size: windows in a step.
    """

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Start to measure anew."""
        self._steps = 0
        self._began = self._looked = 0.0
        self.rate: float | None = None  # windows per second, as of the last look

    def step(self, last: bool) -> bool:
        """Count a step; return whether to read its figures, and to call `look` after that.

        Args:
            last: whether the epoch ends with it.
        """
        self._steps += 1
        return last or self._steps == 1 or time.monotonic() - self._looked >= LOOK_EVERY

    def look(self) -> None:
        """Take the time: the device has done all steps so far."""
        self._looked = time.monotonic()
        if self._steps == 1:
            self._began = self._looked
        elif self._looked > self._began:
            self.rate = (self._steps - 1) * self._batch_size / (self._looked - self._began)
