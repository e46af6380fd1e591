"""The background of a stream, which has no end to take a median of."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from keras_tracknet.frames.sizes import estimate_background, sample_indices
from keras_tracknet.video.shots import show_one_view

SHOT_FRAMES = 240  # frames at a shot's start that its own background is estimated from
SAMPLE = 51  # frames that the running background is the median of
SAMPLE_EVERY = 10  # frames between two of them


class Background:
    """One picture for a whole video, as in the published code.

    Attributes:
        picture: `(height, width, 3)` uint8 at the network's size.
    """

    picture: np.ndarray

    def __init__(self, picture: np.ndarray) -> None:
        self.picture = picture

    def enter(self, shot: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Begin a camera shot, and return all its pictures.

        `picture` is the background of a shot as soon as its first picture was taken.
        """
        return shot

    def close(self) -> None:
        """End all work on the background."""


class VideoBackground(Background):
    """The median of a whole video; a shot of another view has a median of its own.

    Args:
        picture: the median of the video.
    """

    def __init__(self, picture: np.ndarray) -> None:
        super().__init__(picture)
        self._whole = picture

    def enter(self, shot: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Begin a camera shot; of one of another view some frames are taken at once."""
        head, self.picture = list(itertools.islice(shot, 1)), self._whole
        if not show_one_view(head[0], self._whole):
            head += itertools.islice(shot, SHOT_FRAMES - 1)
            self.picture = estimate_background(head[n] for n in sample_indices(len(head)))
        return itertools.chain(head, shot)


class RunningBackground(Background):
    """The median of a sample of the latest frames of a shot, renewed as they come.

    It is computed in a thread, so that frames do not wait for it; until it is ready the one
    before serves. Close it at the end.
    """

    def __init__(self) -> None:
        self._sample: deque[np.ndarray] = deque(maxlen=SAMPLE)
        self._count = 0
        self._changed = False
        self._work: Future[np.ndarray] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="background")

    def enter(self, shot: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Begin anew with a camera shot, and add its pictures as they pass."""
        self.restart()
        for picture in shot:
            self.add(picture)
            yield picture

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(cancel_futures=True)

    def add(self, picture: np.ndarray) -> None:
        """Take a frame, `(height, width, 3)` uint8 at the network's size."""
        if self._count % SAMPLE_EVERY == 0 or self._count < SAMPLE_EVERY:
            self._sample.append(picture)
            self._changed = True
        if self._count == 0:
            self.picture = picture  # the median of one
        self._count += 1
        self._renew()

    def restart(self) -> None:
        """Begin anew, as after a cut."""
        self._work, self._count, self._changed = None, 0, False
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
