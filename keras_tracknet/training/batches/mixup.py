"""Mixup: blends of two windows of a batch, or of neighbouring frames of a window."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from keras_tracknet.frames.stacking import aligned_empty
from keras_tracknet.training.batches.heatmaps import UNLABELLED, render_disc


def draw_partners(
    count: int, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw what each sample of a batch is blended with, and how much of itself it keeps.

    A sample keeps the share max(l, 1-l) of itself, l drawn from Beta(alpha, alpha) for each
    sample; partners are a random permutation of the batch.

    Args:
        count: samples in the batch.
        alpha: parameter of the Beta distribution, above 0.
        rng: source of chance.

    Returns:
        Shares `(count,)`, 0.5 to 1, and partners `(count,)`, numbers of samples.
    """
    share = rng.beta(alpha, alpha, count)
    return np.maximum(share, 1 - share), rng.permutation(count)


def mix_batch(
    stacked: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    alpha: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Blend each sample of a batch with another one, inputs and targets alike (mixup).

    See `draw_partners` (Zhang et al. 2018, as V3's published code applies it to background,
    frames and heatmaps).

    Args:
        stacked: the batch's windows as stacked, `(height, width, channels)` uint8 each.
        targets: their targets, `(height, width, frames)` float32 each, below 0 in the whole map
            of an unlabelled frame. A blend with one is unlabelled.
        alpha: parameter of the Beta distribution, above 0; published: 0.5.
        rng: source of chance.

    Returns:
        Inputs `(batch, height, width, channels)` float32, 0 to 1, and targets
        `(batch, height, width, frames)` float32.
    """
    share, partners = draw_partners(len(stacked), alpha, rng)
    inputs = aligned_empty((len(stacked), *stacked[0].shape))
    mixed = aligned_empty((len(targets), *targets[0].shape))
    for sample, (keep, partner) in enumerate(zip(share.tolist(), partners, strict=True)):
        for source, scale, out in ((stacked, 1 / 255, inputs), (targets, 1.0, mixed)):
            cv2.addWeighted(
                source[sample].reshape(-1),
                scale * keep,
                source[partner].reshape(-1),
                scale * (1 - keep),
                0,
                dst=out[sample].reshape(-1),
                dtype=cv2.CV_32F,
            )
        for target in (targets[sample], targets[partner]):
            mixed[sample][..., target[0, 0] < 0] = UNLABELLED
    return inputs, mixed


def mix_frames(
    frames: np.ndarray,
    positions: np.ndarray,
    labelled: np.ndarray,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Insert blends of neighbouring frames, then draw a window from the longer sequence.

    V3's alternative to mixup between samples (Chen and Wang 2023, section 3.4): one share l
    from Beta(alpha, alpha) a window; of the 2 x frames - 1 frames as many as before are drawn
    and kept in order. The target of an inserted frame is the blend of its neighbours' discs;
    where one of them is invisible or they are closer than 10 pixels, one disc alone as in the
    published code.

    Args:
        frames: `(frames, height, width, 3)` uint8.
        positions: `(frames, 2)`, (x, y) in pixels; NaN where there is no ball.
        labelled: `(frames,)` bool; a blend with an unlabelled frame is unlabelled, too.
        alpha: parameter of the Beta distribution, above 0.
        rng: source of chance.

    Returns:
        Frames as they came in shape and type, and their heatmaps
        `(height, width, frames)` float32.
    """
    count, size = len(frames), frames.shape[1:3]
    share = rng.beta(alpha, alpha)
    drawn = np.sort(rng.permutation(2 * count - 1)[:count])
    discs = render_disc(positions, size)
    discs[..., ~labelled] = UNLABELLED
    mixed, heatmaps = np.empty_like(frames), np.empty_like(discs)
    for place, index in enumerate(drawn):
        current = (index + 1) // 2
        if index % 2 == 0:
            mixed[place], heatmaps[..., place] = frames[current], discs[..., current]
            continue
        previous = current - 1
        mixed[place] = cv2.addWeighted(frames[previous], share, frames[current], 1 - share, 0)
        before, after = discs[..., previous], discs[..., current]
        if not labelled[previous : current + 1].all():
            heatmaps[..., place] = UNLABELLED
        elif not np.isfinite(positions[current]).all():
            heatmaps[..., place] = before
        elif (
            not np.isfinite(positions[previous]).all()
            or np.linalg.norm(positions[current] - positions[previous]) < 10
        ):
            heatmaps[..., place] = after
        else:
            heatmaps[..., place] = share * before + (1 - share) * after
    return mixed, heatmaps
