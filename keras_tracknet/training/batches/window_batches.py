"""Batches of windows for training: clips -> windows -> augmentation -> targets -> mixup.

Every batch is a function of (seed, epoch, number) alone, so a resumed run sees what an
uninterrupted one would have seen, and tf.data and `keras.utils.PyDataset` give the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_tracknet.frames.stabilization import stack_frames
from keras_tracknet.frames.stacking import aligned_empty, scale_window, stack_window
from keras_tracknet.frames.windows import window_frames, window_starts
from keras_tracknet.training.batches.augment import Augmentation, augment_window
from keras_tracknet.training.batches.cut_outs import CutOuts, cut_out_balls, find_flights
from keras_tracknet.training.batches.heatmaps import (
    UNLABELLED,
    render_classes,
    render_disc,
    render_gaussian,
)
from keras_tracknet.training.batches.mixup import mix_batch, mix_frames
from keras_tracknet.training.batches.paste import FlightPaster
from keras_tracknet.training.batches.skipping import skip_frames

TARGETS = ("disc", "gaussian", "classes")


@dataclass(frozen=True)
class LabelledFrames:
    """A clip ready to be cut into windows.

    Attributes:
        frames: `(frames, height, width, 3)` uint8 at the model's size; may be a memory map.
        background: `(height, width, 3)` uint8.
        positions: `(frames, 2)`, (x, y) in pixels at the model's size; NaN for no ball.
        labelled: `(frames,)` bool. An unlabelled frame is shown to the network, but has no
            target; windows without any target are left out.
    """

    frames: np.ndarray
    background: np.ndarray
    positions: np.ndarray
    labelled: np.ndarray


@dataclass(frozen=True)
class WindowConfig:
    """What a window holds and what its target is.

    Attributes:
        frames: frames in a window.
        heatmaps: targets, for the last frames of the window.
        background: background mode, as for `build_v3`.
        target: `disc`, `gaussian`, or `classes` (V1).
        stabilized: whether frames are moved so that the court stands still in a window.
    """

    frames: int
    heatmaps: int
    background: str = "none"
    target: str = "disc"
    stabilized: bool = False

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise ValueError(
                f"`target` must be one of {', '.join(TARGETS)}. Received: target={self.target!r}"
            )
        if not 1 <= self.heatmaps <= self.frames:
            raise ValueError(
                f"`heatmaps` must be between 1 and `frames`. Received: heatmaps={self.heatmaps},"
                f" frames={self.frames}"
            )


class WindowBatches:
    """Batches of windows cut from labelled clips.

    Args:
        clips: where the windows come from; none crosses from one clip to the next.
        config: what a window holds.
        batch_size: windows in a batch.
        training: `True` for every window of every clip in random order and whole batches;
            `False` for windows that follow each other, in order, and a shorter last batch.
        augmentation: how to vary the windows; none when omitted.
        mixup: parameter of mixup's Beta distribution between samples, 0 for none.
        frame_mixup: the same between neighbouring frames (discs only), 0 for none.
        seed: start of every random choice.
        windows: windows in an epoch, drawn anew each time; all of them when omitted.
        groups: the group of each clip; every group is then drawn from equally often, so that
            a small one has its windows drawn several times, and what is pasted is of the same
            group where that has any flight to cut out. All windows alike when omitted.

    Raises:
        ValueError: no window has a labelled frame, `mixup` is asked for with classes,
            `frame_mixup` with another target than one disc a frame or together with `paste`, or
            `paste` or `decoys` where no clip has a flight to cut out.
    """

    def __init__(
        self,
        clips: Sequence[LabelledFrames],
        config: WindowConfig,
        *,
        batch_size: int,
        training: bool = True,
        augmentation: Augmentation | None = None,
        mixup: float = 0.0,
        frame_mixup: float = 0.0,
        seed: int = 0,
        windows: int | None = None,
        groups: Sequence[str] | None = None,
    ) -> None:
        if mixup and config.target == "classes":
            raise ValueError(
                "`mixup` requires probabilities as targets. Received: target='classes'"
            )
        if frame_mixup and (config.target != "disc" or config.heatmaps != config.frames):
            raise ValueError(
                '`frame_mixup` requires one disc per frame; use `target="disc"` and one heatmap'
                " per frame"
            )
        self.paste = augmentation.paste if augmentation is not None else 0.0
        self.decoys = augmentation.decoys if augmentation is not None else 0.0
        self.skip = augmentation.skip if augmentation is not None else 0.0
        if frame_mixup and self.paste:
            raise ValueError(f"`frame_mixup` requires a single ball. Received: paste={self.paste}")
        self.clips, self.config, self.batch_size = clips, config, batch_size
        self.training, self.augmentation, self.seed = training, augmentation, seed
        self.mixup, self.frame_mixup = mixup, frame_mixup
        self._windows = [
            (number, start)
            for number, clip in enumerate(clips)
            for start in _starts(clip, config, training)
        ]
        if not self._windows:
            raise ValueError("no window has a labelled frame; use clips with labels")
        self._groups = groups if groups is not None else [""] * len(clips)
        self.cut_outs: list[CutOuts] = []  # of each clip; none where nothing is pasted
        self._pasters: dict[str, FlightPaster] = {}
        if self.paste or self.decoys:
            self._pasters = self._make_pasters()
        self._chances = None
        if groups is not None:
            self._chances = even_chances([groups[number] for number, _ in self._windows])
        everything = len(self._windows)
        self.windows = everything if windows is None else min(windows, everything)
        if training:
            self.batch_size = min(batch_size, self.windows)
        self._order: tuple[int, np.ndarray] | None = None

    def __len__(self) -> int:
        whole, rest = divmod(self.windows, self.batch_size)
        return whole if self.training or not rest else whole + 1

    def batch(self, epoch: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `number` of an epoch.

        Returns:
            Inputs `(batch, height, width, channels)` float32 and targets
            `(batch, height, width, heatmaps)` float32, `UNLABELLED` in the maps of such frames;
            or for V1 `(batch, height, width)` uint8.
        """
        stacked, targets = [], []
        for clip, start, rng in self.draw_windows(epoch, number):
            window, target = self._sample(clip, start, rng)
            stacked.append(window)
            targets.append(target)
        if self.mixup:
            return mix_batch(stacked, targets, self.mixup, self.mixing_rng(epoch, number))
        inputs = aligned_empty((len(stacked), *stacked[0].shape))
        for window, out in zip(stacked, inputs, strict=True):
            scale_window(window, out=out)
        return inputs, np.stack(targets)

    def draw_windows(
        self, epoch: int, number: int
    ) -> Iterator[tuple[int, int, np.random.Generator]]:
        """Yield the windows of batch `number` of an epoch: clip, first frame, source of chance."""
        first = number * self.batch_size
        chosen = self._epoch_order(epoch)[first : first + self.batch_size]
        for place, index in enumerate(chosen):
            yield *self._windows[index], np.random.default_rng([self.seed, epoch, first + place])

    def mixing_rng(self, epoch: int, number: int) -> np.random.Generator:
        """Return the source of chance that batch `number` of an epoch is mixed by."""
        return np.random.default_rng([self.seed, epoch, number, 1])

    def choose_frames(self, clip_number: int, start: int, rng: np.random.Generator) -> np.ndarray:
        """Return the frames of its clip that a window shows: neighbours, or some are skipped."""
        length, labelled = self.config.frames, self.clips[clip_number].labelled
        if self.skip and rng.uniform() < self.skip:
            apart = skip_frames(start, length, labelled, rng, targets=self.config.heatmaps)
            if apart is not None:
                return apart
        return window_frames(start, length, len(labelled))

    def find_paster(self, clip_number: int) -> FlightPaster | None:
        """Return what pastes balls into windows of a clip, None where nothing does."""
        return self._pasters.get(self._groups[clip_number])

    def _sample(
        self, clip_number: int, start: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        clip = self.clips[clip_number]
        indices = self.choose_frames(clip_number, start, rng)
        if indices[-1] - indices[0] == len(indices) - 1:
            frames = clip.frames[indices[0] : indices[-1] + 1]  # a view, not a copy
        else:
            frames = clip.frames[indices]
        positions, labelled = clip.positions[indices], clip.labelled[indices]
        if self.config.stabilized:
            still = np.empty_like(frames)
            positions = positions + stack_frames(frames, stabilized=True, out=still)
            frames = still
        behind = clip.background
        paster = self.find_paster(clip_number)
        if paster is not None:
            if self.decoys and rng.uniform() < self.decoys:
                frames, behind = paster.paste_decoys(frames, behind, rng)
            if self.paste and rng.uniform() < self.paste:
                frames, flight = paster.paste(frames, behind, rng)
                positions = np.stack([positions, flight], axis=1)  # (frames, balls, 2)
        background = None if self.config.background == "none" else behind
        if self.augmentation is not None:
            frames, background, positions = augment_window(
                frames, background, positions, self.augmentation, rng
            )
        if self.frame_mixup:
            frames, target = mix_frames(frames, positions, labelled, self.frame_mixup, rng)
        else:
            last = slice(-self.config.heatmaps, None)
            target = self._target(positions[last], frames.shape[1:3])
            if self.config.target != "classes":  # V1 has one target, which is labelled
                target[..., ~labelled[last]] = UNLABELLED
        return stack_window(frames, background, self.config.background), target

    def _make_pasters(self) -> dict[str, FlightPaster]:
        """Return what pastes into windows of each group: balls of its own, or of all."""
        length = self.config.frames
        self.cut_outs = balls = [
            cut_out_balls(clip.frames, clip.background, clip.positions) for clip in self.clips
        ]
        pasters = dict.fromkeys(self._groups, FlightPaster(balls, length))
        for group in pasters:
            own = [b for b, of_group in zip(balls, self._groups, strict=True) if of_group == group]
            if any(find_flights(cut_outs, length) for cut_outs in own):
                pasters[group] = FlightPaster(own, length)
        return pasters

    def _target(self, positions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        if positions.ndim == 3:  # several balls
            balls = [self._target(ball, size) for ball in positions.swapaxes(0, 1)]
            both: np.ndarray = np.maximum.reduce(balls)
            return both
        if self.config.target == "classes":
            return render_classes(positions, size)[..., -1]
        render = render_disc if self.config.target == "disc" else render_gaussian
        return render(positions, size)

    def _epoch_order(self, epoch: int) -> np.ndarray:
        if not self.training:
            return np.arange(self.windows)
        order = self._order  # read once: batches of two epochs may be in the making
        if order is None or order[0] != epoch:
            rng = np.random.default_rng([self.seed, epoch])
            if self._chances is None:
                drawn = rng.permutation(len(self._windows))[: self.windows]
            else:
                drawn = rng.choice(len(self._windows), self.windows, p=self._chances)
            order = self._order = (epoch, drawn)
        return order[1]


def even_chances(groups: Sequence[Any]) -> np.ndarray:
    """Return a chance for each item, such that every group has the same in all."""
    _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return 1 / (len(counts) * counts[group])


def _starts(clip: LabelledFrames, config: WindowConfig, training: bool) -> list[int]:
    count = len(clip.frames)
    before = config.frames - config.heatmaps  # frames that only give context
    starts = window_starts(count, config.heatmaps, 1 if training else config.heatmaps)
    return [
        start - before
        for start in starts
        if clip.labelled[window_frames(start, config.heatmaps, count)].any()
    ]
