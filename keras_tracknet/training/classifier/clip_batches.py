"""Batches of windows with their classes, for training a classifier of clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_tracknet.frames.stacking import aligned_empty, scale_window
from keras_tracknet.frames.windows import sample_segments, window_starts
from keras_tracknet.training.batches.augment import Augmentation, augment_window
from keras_tracknet.training.batches.window_batches import even_chances
from keras_tracknet.training.classifier.clip_classes import (
    CLASSES,
    NO_CLASS,
    PlayLabels,
    classify_windows,
)


@dataclass(frozen=True)
class ClassifiedFrames:
    """A clip ready to be cut into windows.

    Attributes:
        frames: `(frames, height, width, 3)` uint8 at the model's size; may be a memory map.
        play: what happens in it.
        length: frames of the clip in a window.
    """

    frames: np.ndarray
    play: PlayLabels
    length: int


class ClipBatches:
    """Batches of windows, each of which is one of `CLASSES`.

    Of each window, the network sees one frame of each of equal segments: a random one in
    training, else the middle one.

    Args:
        clips: where the windows come from.
        segments: frames that the network sees of a window.
        batch_size: windows in a batch.
        training: `True` for windows drawn at random such that every class is as frequent, and
            whole batches; `False` for windows a quarter of their length apart, in order.
        augmentation: how to vary the windows; none when omitted.
        seed: start of every random choice.
        windows: windows in an epoch, drawn anew each time; as many as there are when omitted.

    Raises:
        ValueError: no window has a class.
    """

    def __init__(
        self,
        clips: Sequence[ClassifiedFrames],
        segments: int,
        *,
        batch_size: int,
        training: bool = True,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        windows: int | None = None,
    ) -> None:
        self.clips, self.segments = clips, segments
        self.training, self.augmentation, self.seed = training, augmentation, seed
        self._windows = [
            (number, start, happened)
            for number, clip in enumerate(clips)
            for start, happened in _classified_starts(clip, training)
        ]
        if not self._windows:
            raise ValueError("no window has a class; label at least one rally")
        self._chances = even_chances(self.classes.tolist())
        everything = len(self._windows)
        self.windows = everything if windows is None else min(windows, everything)
        self.batch_size = min(batch_size, self.windows)

    def __len__(self) -> int:
        whole, rest = divmod(self.windows, self.batch_size)
        return whole if self.training or not rest else whole + 1

    @property
    def classes(self) -> np.ndarray:
        """`(windows,)` int: the class of every window there is, clip by clip."""
        return np.array([happened for _, _, happened in self._windows])

    def describe(self) -> str:
        """Return how many windows there are of each class."""
        counts = np.bincount(self.classes, minlength=len(CLASSES)).tolist()
        return ", ".join(f"{n:,} {name}" for name, n in zip(CLASSES, counts, strict=True))

    def batch(self, epoch: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `number` of an epoch.

        Returns:
            Inputs `(batch, segments, height, width, 3)` float32, 0 to 1, and targets
            `(batch, classes)` float32, 1 for the class and else 0.
        """
        order = np.arange(self.windows)
        if self.training:
            rng = np.random.default_rng([self.seed, epoch])
            order = rng.choice(len(self._windows), self.windows, p=self._chances)
        first = number * self.batch_size
        chosen = order[first : first + self.batch_size].tolist()
        size = self.clips[0].frames.shape[1:]
        inputs = aligned_empty((len(chosen), self.segments, *size))
        targets = np.zeros((len(chosen), len(CLASSES)), np.float32)
        for place, index in enumerate(chosen):
            clip, start, happened = self._windows[index]
            rng = np.random.default_rng([self.seed, epoch, first + place])
            scale_window(self._take_frames(self.clips[clip], start, rng), out=inputs[place])
            targets[place, happened] = 1
        return inputs, targets

    def _take_frames(
        self, clip: ClassifiedFrames, start: int, rng: np.random.Generator
    ) -> np.ndarray:
        offsets = rng.uniform(0, 1, self.segments) if self.training else 0.5
        length = min(clip.length, len(clip.frames))
        frames: np.ndarray = clip.frames[start + sample_segments(length, self.segments, offsets)]
        if self.augmentation is None:
            return frames
        nowhere = np.full((len(frames), 2), np.nan)
        return augment_window(frames, None, nowhere, self.augmentation, rng)[0]


def _classified_starts(clip: ClassifiedFrames, training: bool) -> list[tuple[int, int]]:
    """Return the first frame of each window that has a class, with the class."""
    step = 1 if training else max(1, clip.length // 4)
    starts = window_starts(len(clip.frames), clip.length, step)
    classes = classify_windows(clip.play, np.array(starts, int), clip.length)
    return [(s, int(c)) for s, c in zip(starts, classes, strict=True) if c != NO_CLASS]
