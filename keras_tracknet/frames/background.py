"""The background of a stream, which has no end to take a median of."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from keras_tracknet.frames.sizes import estimate_background

SAMPLE = 51  # frames that the running background is the median of
SAMPLE_EVERY = 10  # frames between two of them


class RunningBackground:
    """The median of a sample of the latest frames, renewed as they come.

    It is computed in a thread, so that frames do not wait for it; until it is ready the one
    before serves. Use it in a `with` block.
    """

    def __init__(self) -> None:
        self._sample: deque[np.ndarray] = deque(maxlen=SAMPLE)
        self._count = 0
        self._changed = False
        self._work: Future[np.ndarray] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="background")
        self.picture: np.ndarray | None = None

    def __enter__(self) -> RunningBackground:
        return self

    def __exit__(self, *_: Any) -> None:
        self._thread.shutdown(cancel_futures=True)

    def add(self, picture: np.ndarray) -> None:
        """Take a frame, `(height, width, 3)` uint8 at the network's size."""
        if self._count % SAMPLE_EVERY == 0 or self._count < SAMPLE_EVERY:
            self._sample.append(picture)
            self._changed = True
        if self.picture is None:
            self.picture = picture  # the median of one
        self._count += 1
        self._renew()

    def restart(self) -> None:
        """Begin anew, as after a cut."""
        self._work, self._count, self._changed, self.picture = None, 0, False, None
        self._sample.clear()

    def settle(self) -> None:
        """Wait until the picture is that of all frames so far."""
        while self._work is not None or self._changed:
            if self._work is not None:
                self._work.result()
            self._renew()

    def _renew(self) -> None:
        """Take over the median that is ready, and have the next one computed."""
        if self._work is not None and self._work.done():
            self.picture, self._work = self._work.result(), None
        if self._work is None and self._changed:
            self._work = self._thread.submit(estimate_background, list(self._sample))
            self._changed = False
