"""Plans: what chance decides of each window of a batch, as small arrays for the device.

Chance is the host pipeline's own: the same draws from the same seed, so that a batch drawn on the
device is the host's but for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from keras_tracknet.frames.stabilization import follow_camera
from keras_tracknet.training.batches.augment import Augmentation, Variation, draw_variation
from keras_tracknet.training.batches.cut_outs import REACH, nearest_pixels
from keras_tracknet.training.batches.mixup import draw_partners
from keras_tracknet.training.batches.paste import MOST_DECOYS, PastedBall
from keras_tracknet.training.batches.window_batches import WindowBatches

SIDE = 2 * REACH + 1  # pixels of a cut-out

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class WindowPlan:
    """What chance decides of a window.

    Attributes:
        clip: its number.
        indices: `(frames,)` int, frames of the clip.
        pasted: balls to be drawn into it, in this order.
        variation: cut-out, mirror image and colours.
        positions: `(frames, balls, 2)`, (x, y) in pixels of the varied window; NaN for no ball.
    """

    clip: int
    indices: np.ndarray
    pasted: list[PastedBall]
    variation: Variation
    positions: np.ndarray


@dataclass
class Planner:
    """Plans batches.

    Args:
        batches: of the host pipeline, whose draws these are.
    """

    batches: WindowBatches
    _cameras: dict[tuple[int, int, int], np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = [len(clip.frames) for clip in self.batches.clips]
        self._firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        cut_outs = zip(self.batches.cut_outs, self._firsts, strict=False)
        self._of_cut_outs = {id(balls): int(first) for balls, first in cut_outs}

    def plan(self, epoch: int, number: int) -> Arrays:
        """Return all that tells batch `number` of an epoch from others.

        The names and shapes are those that `operations.render_batch` takes.
        """
        windows = [self._plan_window(*w) for w in self.batches.draw_windows(epoch, number)]
        arrays = self._locate(windows) | self._describe(windows)
        if self.batches.cut_outs:
            arrays |= self._place_balls(windows)
        if self.batches.mixup:
            rng = self.batches.mixing_rng(epoch, number)
            share, partner = draw_partners(len(windows), self.batches.mixup, rng)
            arrays |= {"share": share.astype(np.float32), "partner": partner.astype(np.int32)}
        return arrays

    def _plan_window(self, clip_number: int, start: int, rng: np.random.Generator) -> WindowPlan:
        """Draw in the order of the host pipeline."""
        batches, clip = self.batches, self.batches.clips[clip_number]
        indices = batches.choose_frames(clip_number, start, rng)
        positions = clip.positions[indices]
        size = clip.background.shape[:2]
        pasted: list[PastedBall] = []
        paster = batches.find_paster(clip_number)
        if paster is not None:
            if batches.decoys and rng.uniform() < batches.decoys:
                pasted = paster.draw_decoys(size, self._follow_camera(clip_number, indices), rng)
            if batches.paste and rng.uniform() < batches.paste:
                behind = clip.background.copy()
                for decoy in pasted:
                    decoy.draw_behind(behind)
                seen = PaintedFrames(clip.frames, indices, pasted)
                flight = paster.draw_flight(seen, behind, rng)
                positions = np.stack([positions, flight.find_seen(size)], axis=1)
                pasted = [*pasted, flight]
        augmentation = batches.augmentation or Augmentation()
        variation = draw_variation(positions, size, augmentation, rng)
        moved = variation.move(positions).reshape(len(indices), -1, 2)
        return WindowPlan(clip_number, indices, pasted, variation, moved)

    def _follow_camera(self, clip_number: int, indices: np.ndarray) -> np.ndarray:
        """Return what `follow_camera` does for a window; each window is looked at once a run."""
        key = clip_number, int(indices[0]), int(indices[-1])
        if key not in self._cameras:
            frames = self.batches.clips[clip_number].frames
            self._cameras[key] = follow_camera([frames[index] for index in indices])
        return self._cameras[key]

    def _locate(self, windows: list[WindowPlan]) -> Arrays:
        """Return which frames each window shows, and whose background."""
        frames = [self._firsts[window.clip] + window.indices for window in windows]
        return {
            "frames": np.stack(frames).astype(np.int32),
            "clip": np.array([window.clip for window in windows], np.int32),
        }

    def _describe(self, windows: list[WindowPlan]) -> Arrays:
        """Return how each window is varied, and where its targets are."""
        config, before = self.batches.config, self._pictures_before
        last = slice(-config.heatmaps, None)
        shape = (len(windows), config.heatmaps, 2 if self.batches.paste else 1, 2)
        centres = np.full(shape, np.nan, np.float32)
        labelled = np.zeros(shape[:2], bool)
        for number, window in enumerate(windows):
            balls = window.positions[last]
            if config.target != "gaussian":
                balls = nearest_pixels(balls)
            centres[number, :, : balls.shape[1]] = balls
            labelled[number] = self.batches.clips[window.clip].labelled[window.indices][last]
        varied = [window.variation for window in windows]
        corners = [[(part.left, part.top) for part in v.regions] for v in varied]
        extents = [(v.regions[0].height, v.regions[0].width) for v in varied]
        gains = [np.ones(3) if v.gains is None else v.gains for v in varied]
        order = [np.arange(3) if v.order is None else v.order for v in varied]
        return {
            "corners": np.array([c[:1] * before + c for c in corners], np.float32),
            "extents": np.array(extents, np.float32),
            "mirrored": np.array([v.mirrored for v in varied]),
            "gains": np.array(gains, np.float32),
            "shifts": np.array([v.shift for v in varied], np.float32),
            "order": np.array(order, np.int32),
            "centres": centres,
            "labelled": labelled,
        }

    def _place_balls(self, windows: list[WindowPlan]) -> Arrays:
        """Return what is pasted where; what is absent lies off the picture."""
        slots = (MOST_DECOYS if self.batches.decoys else 0) + bool(self.batches.paste)
        before = self._pictures_before
        shape = (len(windows), slots, before + self.batches.config.frames)
        height, width = self.batches.clips[0].background.shape[:2]
        cut_out = np.zeros(shape, np.int32)
        places = np.full((*shape, 2), np.nan)
        beyond = np.zeros((*shape, 2), np.float32)
        colours = np.zeros((*shape[:2], 3), np.float32)
        for number, window in enumerate(windows):
            for slot, ball in enumerate(window.pasted):
                here = (number, slot, slice(before, None))
                first = self._of_cut_outs[id(ball.balls)] + ball.flight.start
                cut_out[here] = first + np.arange(len(ball.path))
                places[here], beyond[here] = ball.path, np.nan_to_num(ball.beyond)
                colours[number, slot] = ball.colour
                if before and ball.still is not None:
                    cut_out[number, slot, 0] = first + ball.still
                    places[number, slot, 0] = ball.path[0]
                    beyond[number, slot, 0] = ball.beyond[0]
        corners = np.nan_to_num(nearest_pixels(places) - REACH, nan=-SIDE)
        return {
            "cut_outs": cut_out,
            "places": np.clip(corners, -SIDE, [width, height]).astype(np.int32),
            "beyond": beyond,
            "colours": colours,
        }

    @property
    def _pictures_before(self) -> int:
        """Pictures before a window's frames: its background, where there is one."""
        return int(self.batches.config.background != "none")


@dataclass(frozen=True)
class PaintedFrames(Sequence[np.ndarray]):
    """The frames of a window with balls in them, drawn when a frame is asked for.

    Attributes:
        frames: `(frames, height, width, 3)` uint8 of a clip.
        indices: which of them the window shows.
        pasted: what is drawn.
    """

    frames: np.ndarray
    indices: np.ndarray
    pasted: list[PastedBall]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, number):  # type: ignore[no-untyped-def]
        """Return a frame, `(height, width, 3)` uint8."""
        picture = self.frames[self.indices[number]].copy()
        for ball in self.pasted:
            ball.draw_on(picture, number)
        return picture
