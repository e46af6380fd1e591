"""The background: the median of a clip's frames, or of the latest of a stream."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import cv2
import numpy as np

from keras_tracknet.video.shots import show_one_view

BACKGROUND_FRAMES = 101  # frames that a background is estimated from, at most
DIFFERENCES = ("saturated", "wrapped")
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


def sample_indices(frames: int, count: int = BACKGROUND_FRAMES) -> np.ndarray:
    """Return at most `count` frame indices spread evenly over a clip of `frames` frames."""
    if frames <= count:
        return np.arange(frames)
    return np.linspace(0, frames - 1, count).round().astype(int)


def estimate_background(frames: Iterable[np.ndarray]) -> np.ndarray:
    """Return the median picture of a sample of frames (Chen and Wang 2023, section 3.1).

    Args:
        frames: frames at the model's size, `(height, width, 3)` uint8; the caller bounds
            their number, see `sample_indices`.

    Returns:
        `(height, width, 3)` uint8; of an even number of frames the lower median.

    Raises:
        ValueError: there is no frame.
    """
    pictures = frames if isinstance(frames, np.ndarray) else list(frames)
    if not len(pictures):
        raise ValueError("a background needs at least one frame. Received: none")
    stack = np.asarray(pictures)
    middle = (len(stack) - 1) // 2
    count = np.min_scalar_type(len(stack))
    background = np.zeros(stack.shape[1:], np.uint8)
    for row in range(0, stack.shape[1], 8):  # a strip at a time, so that it stays in the cache
        strip, median = np.ascontiguousarray(stack[:, row : row + 8]), background[row : row + 8]
        # The largest level that no more than half of the frames are below, bit by bit.
        for bit in (128, 64, 32, 16, 8, 4, 2, 1):
            trial = median + np.uint8(bit)
            below = (strip < trial).view(np.uint8).sum(axis=0, dtype=count)
            np.copyto(median, trial, where=below <= middle)
    return background


def subtract_background(
    frames: np.ndarray, background: np.ndarray, differences: str = "saturated"
) -> np.ndarray:
    """Return how much each frame differs from the background, summed over RGB.

    Args:
        frames: `(frames, height, width, 3)` uint8.
        background: `(height, width, 3)` uint8.
        differences: `saturated` at 255, or `wrapped` around there as the published code does.

    Returns:
        `(frames, height, width)` uint8.
    """
    if differences == "wrapped":
        return np.stack([cv2.absdiff(f, background).sum(axis=2, dtype=np.uint8) for f in frames])
    planes = np.empty(frames.shape[:3], np.uint8)
    ones = np.ones((1, 3), np.float32)
    for frame, out in zip(frames, planes, strict=True):
        cv2.transform(cv2.absdiff(frame, background), ones, dst=out)
    return planes
