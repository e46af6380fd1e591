"""Skipping: windows of every second or third frame, as a video of a lower frame rate has."""

from __future__ import annotations

import numpy as np

from keras_tracknet.frames.windows import window_frames

FEWER = (2, 3)  # every second or third frame


def skip_frames(
    start: int, frames: int, labelled: np.ndarray, rng: np.random.Generator, *, targets: int
) -> np.ndarray | None:
    """Draw the frames of a window that leaves frames of its clip out.

    Args:
        start: first frame; earlier if the window would not end within its clip.
        frames: frames in the window.
        labelled: `(clip frames,)` bool.
        rng: source of chance.
        targets: how many of the window's last frames have a target.

    Returns:
        `(frames,)` int, indices of the clip; None if it is too short, or no target is labelled.
    """
    every = int(rng.choice(FEWER))
    first = min(start, len(labelled) - 1 - every * (frames - 1))
    indices = window_frames(first, frames, len(labelled), every)
    return indices if first >= 0 and labelled[indices[-targets:]].any() else None
