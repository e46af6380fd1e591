"""The scene of a video: its median picture, which drawings stand on."""

from __future__ import annotations

import contextlib
from pathlib import Path

import cv2
import numpy as np

from keras_tracknet.video.damage import Damage
from keras_tracknet.video.reader import read_frames

WIDTH = 960  # pixels, of the picture
SAMPLES = 9  # frames


def watch_scene(video: Path, frames: int, size: tuple[int, int]) -> np.ndarray:
    """Return the median of a few frames of a video.

    Args:
        video: a video, or a folder of images.
        frames: how many it has about.
        size: (height, width) of its pictures, pixels.

    Returns:
        `(height, width, 3)` uint8 RGB, no wider than `WIDTH`.
    """
    height, width = choose_size(size)
    wanted = {int((k + 0.5) * max(frames, 1) / SAMPLES) for k in range(SAMPLES)}
    sample: list[np.ndarray] = []
    with contextlib.closing(read_frames(video, Damage())) as pictures:
        for frame in pictures:
            if frame.index in wanted or not sample:
                sample.append(
                    cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA)
                )
            if frame.index >= max(wanted):
                break
    scene: np.ndarray = np.median(sample, axis=0).astype(np.uint8)
    return scene


def choose_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) of the picture for a video of a size, pixels."""
    scale = min(1.0, WIDTH / size[1])
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)
