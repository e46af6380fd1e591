"""Batches of candidates for training the linker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_tracknet.training.batches.skipping import FEWER
from keras_tracknet.training.batches.track_windows import TrackWindows

TOLERANCE = 4 / 288  # of the picture's height: the candidate of a ball is no farther from its label

# How training windows are varied. Heat is varied as log-odds: other networks, and other footage,
# are more or less certain.
ZOOM = 0.25  # of positions, about the centre, up or down
SHIFT = 0.15  # of all positions, heights
SCATTER = 0.0015  # of each position, heights
CERTAINTY = 0.25  # by which log-odds grow or shrink
WARMTH, FLICKER = 0.4, 0.2  # by which they move: all of a window, and each
LOST = (0.0, 0.05, 0.1)  # share of candidates that are left out, one of these for each window
HIDDEN = 0.3  # share of windows in which the ball is hidden for a while,
LONGEST = 7  # frames at most:
DIM = (0.3, 0.8)  # half of the times its heat is multiplied by this, otherwise it is gone


@dataclass(frozen=True)
class LinkedClip:
    """A clip's candidates, and which of them is the ball.

    Attributes:
        candidates: `(frames, candidates, 3)`, as `build_linker` takes them.
        ball: `(frames,)` int, which candidate is the ball; the number of candidates if none is.
        labelled: `(frames,)` bool.
        spacing: frames from one that was filmed to the next, see `space_out`.
    """

    candidates: np.ndarray
    ball: np.ndarray
    labelled: np.ndarray
    spacing: int = 1

    @classmethod
    def from_labels(
        cls, candidates: np.ndarray, places: np.ndarray, labelled: np.ndarray
    ) -> LinkedClip:
        """Return a clip with labels.

        Args:
            candidates: as above.
            places: `(frames, 2)`, where the ball is, in the unit of the candidates; NaN where it is
                invisible.
            labelled: as above.
        """
        away = np.linalg.norm(candidates[..., :2] - places[:, None], axis=-1)
        away = np.where((candidates[..., 2] > 0) & np.isfinite(away), away, np.inf)
        near = away.min(axis=1) <= TOLERANCE
        return cls(candidates, np.where(near, away.argmin(axis=1), away.shape[1]), labelled)

    def space_out(self, spacing: int) -> LinkedClip:
        """Return the clip with frames between its own that were not filmed: they show nothing.

        Args:
            spacing: frames from one of its own to the next, see `find_spacing`.
        """
        count = len(self.ball) * spacing
        candidates = np.zeros((count, *self.candidates.shape[1:]))
        ball, labelled = np.full(count, self.candidates.shape[1]), np.zeros(count, bool)
        own = slice(None, None, spacing)
        candidates[own], ball[own], labelled[own] = self.candidates, self.ball, self.labelled
        return LinkedClip(candidates, ball, labelled, spacing)


class CandidateBatches(TrackWindows[tuple[LinkedClip, int]]):
    """Batches of windows of candidates.

    Training windows are mirrored, reversed in time, zoomed, moved and scattered; their heat is
    varied; candidates are left out, and the ball is hidden for a while.

    Args:
        clips: where windows come from.
        window: frames in a window.
        batch_size: windows in a batch.
        training: `True` for every window in random order, varied; `False` for windows that follow
            each other, as they are.
        skip: share of training windows in which only every second or third frame shows anything;
            clips of a low frame rate stay as they are.
        seed: start of every random choice.

    Raises:
        ValueError: no clip is as long as a window.
    """

    def __init__(
        self,
        clips: Sequence[LinkedClip],
        *,
        window: int,
        batch_size: int,
        training: bool = True,
        skip: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.window, self.skip = window, skip
        found = [
            (clip, start)
            for clip in clips
            for start in range(0, len(clip.ball) - window + 1, 1 if training else window)
            if clip.labelled[start : start + window].any()
        ]
        if not found:
            raise ValueError(f"no clip has {window} frames in a row; use longer clips")
        super().__init__(found, batch_size=batch_size, training=training, seed=seed)

    def batch(self, epoch: int, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return batch `number` of an epoch.

        Returns:
            `(batch, window, candidates, 3)` candidates, `(batch, window)` which of them is the
            ball, and `(batch, window)` 1 where the frame is labelled, else 0.
        """
        chosen, rng = self.draw(epoch, number)
        windows = [self._cut(clip, start, rng) for clip, start in chosen]
        candidates, ball, labelled = (np.stack(parts) for parts in zip(*windows, strict=True))
        return candidates, ball, labelled

    def _cut(
        self, clip: LinkedClip, start: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        part = slice(start, start + self.window)
        candidates, ball = clip.candidates[part], clip.ball[part]
        labelled = clip.labelled[part].astype(np.float32)
        if self.training:
            if rng.uniform() < 0.5:
                candidates, ball, labelled = candidates[::-1], ball[::-1], labelled[::-1]
            candidates, ball = _vary(candidates, ball, rng)
            if self.skip and clip.spacing == 1 and rng.uniform() < self.skip:
                every = int(rng.choice(FEWER))
                lost = np.arange(self.window) % every != rng.integers(every)
                candidates[lost], labelled[lost] = 0.0, 0.0
        return candidates.astype(np.float32), ball.astype(np.int32), labelled


def _vary(
    candidates: np.ndarray, ball: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return candidates as another network might have found them, and which are the ball now."""
    places, heat = candidates[..., :2].copy(), candidates[..., 2].copy()
    there, count = heat > 0, heat.shape[1]
    places[..., 0] *= rng.choice([-1, 1])
    places *= 1 + rng.uniform(-ZOOM, ZOOM)
    places += rng.uniform(-SHIFT, SHIFT, 2) + rng.normal(0, SCATTER, places.shape)

    heat = heat.clip(1e-3, 1 - 1e-3)
    odds = np.log(heat / (1 - heat)) * (1 + rng.uniform(-CERTAINTY, CERTAINTY))
    odds += rng.normal(0, WARMTH) + rng.normal(0, FLICKER, heat.shape)
    heat = 1 / (1 + np.exp(-odds))

    there &= rng.uniform(size=heat.shape) >= rng.choice(LOST)
    if rng.uniform() < HIDDEN:
        start, length = int(rng.integers(len(ball))), int(rng.integers(1, LONGEST + 1))
        for frame in range(start, min(start + length, len(ball))):
            if ball[frame] == count:
                continue
            if rng.uniform() < 0.5:
                heat[frame, ball[frame]] *= rng.uniform(*DIM)
            else:
                there[frame, ball[frame]] = False
    gone = ball < count
    gone &= ~there[np.arange(len(ball)), np.minimum(ball, count - 1)]
    varied = np.concatenate([places, heat[..., None]], axis=-1) * there[..., None]
    return varied, np.where(gone, count, ball)
