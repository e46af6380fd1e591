"""Batches of trajectories for training the rectifier (Chen and Wang 2023, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_tracknet.tracks.hidden import fill_hidden
from keras_tracknet.training.batches.track_windows import TrackWindows

MASK_RATIO = 0.3  # share of visible frames hidden from the network (published best)
RUNS = 0.5  # share of windows whose hidden frames are one run, as an occlusion's are


@dataclass(frozen=True)
class Trajectory:
    """A clip's positions as predicted and as labelled.

    Attributes:
        predicted: `(frames, 2)`, (x, y) as fractions of picture width and height; NaN where
            nothing was detected.
        labelled: `(frames, 2)`, likewise; NaN where the ball is invisible or unlabelled.
    """

    predicted: np.ndarray
    labelled: np.ndarray


class TrajectoryBatches(TrackWindows[tuple[Trajectory, int]]):
    """Batches of windows of positions, some of which are hidden from the network.

    Half of the windows hide each visible frame with a chance of `mask_ratio`, as published;
    the others one run of frames with visible ones on both sides, as an occlusion does.

    Args:
        trajectories: where windows come from.
        window: frames in a window.
        batch_size: windows in a batch.
        hidden: see `fill_hidden`.
        training: `True` for every window in random order, mirrored half of the time; `False`
            for windows that follow each other, with the same frames hidden every time.
        mask_ratio: share of visible frames to hide.
        seed: start of every random choice.

    Raises:
        ValueError: no trajectory has a window with three visible frames.
    """

    def __init__(
        self,
        trajectories: Sequence[Trajectory],
        *,
        window: int,
        batch_size: int,
        hidden: str = "zero",
        training: bool = True,
        mask_ratio: float = MASK_RATIO,
        seed: int = 0,
    ) -> None:
        self.window, self.mask_ratio, self.hidden = window, mask_ratio, hidden
        found = [
            (trajectory, start)
            for trajectory in trajectories
            for start in range(0, len(trajectory.labelled) - window + 1, 1 if training else window)
            if np.isfinite(trajectory.labelled[start : start + window, 0]).sum() >= 3
        ]
        if not found:
            raise ValueError(
                f"no window of {window} frames has three visible balls; use longer clips"
            )
        super().__init__(found, batch_size=batch_size, training=training, seed=seed)

    def batch(self, epoch: int, number: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        """Return batch `number` of an epoch.

        Returns:
            ((coordinates, mask), targets): `(batch, window, 2)` with hidden and undetected
            positions filled, `(batch, window, 1)`, and `(batch, window, 3)`: the true position
            with the mask as `masked_mse` takes it.
        """
        chosen, rng = self.draw(epoch, number)
        coordinates = np.full((len(chosen), self.window, 2), np.nan)
        mask = np.zeros((len(chosen), self.window, 1), np.float32)
        targets = np.zeros((len(chosen), self.window, 3), np.float32)
        for place, (trajectory, start) in enumerate(chosen):
            predicted = trajectory.predicted[start : start + self.window]
            labelled = trajectory.labelled[start : start + self.window]
            if self.training and rng.uniform() < 0.5:
                predicted = predicted * [-1, 1] + [1, 0]
                labelled = labelled * [-1, 1] + [1, 0]
            hidden = self._hide(np.isfinite(labelled[:, 0]), rng)
            coordinates[place] = np.where(hidden[:, None], np.nan, predicted)
            mask[place, :, 0] = hidden
            targets[place, :, :2] = np.nan_to_num(labelled)
            targets[place, :, 2] = hidden
        filled = fill_hidden(coordinates, np.isfinite(coordinates[..., 0]), self.hidden)
        return (filled, mask), targets

    def _hide(self, visible: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if rng.uniform() >= RUNS:
            return visible & (rng.uniform(size=len(visible)) < self.mask_ratio)
        seen = np.flatnonzero(visible)
        longest = max(1, round(2 * self.mask_ratio * len(visible)))
        length = int(rng.integers(1, longest + 1))
        start = int(rng.integers(seen[0] + 1, max(seen[0] + 2, seen[-1] - length + 1)))
        hidden = np.zeros(len(visible), bool)
        hidden[start : min(start + length, seen[-1])] = True
        return visible & hidden
