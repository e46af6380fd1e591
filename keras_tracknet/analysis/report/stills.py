"""Stills of a video for its report: moments with the track on them, and the scene behind."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from keras_tracknet.analysis.analysis import Analysis
from keras_tracknet.analysis.rallies import Rally
from keras_tracknet.tracks.overlay import draw_overlay
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.reader import Frame, read_frames

THUMBNAILS = 6
THUMBNAIL_HEIGHT = 180
BASE_WIDTH = 960  # pixels, of the background picture
BACKGROUND_FRAMES = 9


def look_at_video(
    analysis: Analysis, video: Path
) -> tuple[list[tuple[float, np.ndarray]], np.ndarray]:
    """Read the video once: thumbnails with the track on them, and its median picture."""
    total = max(len(analysis.track), 1)
    wanted = set(_choose_moments(analysis.rallies, analysis.velocity.time))
    sampled = {int((k + 0.5) * total / BACKGROUND_FRAMES) for k in range(BACKGROUND_FRAMES)}
    thumbnails: list[tuple[float, np.ndarray]] = []
    sample: list[np.ndarray] = []
    height, width = choose_size(analysis.size)

    def look(frame: Frame) -> None:
        if frame.index in sampled or not sample:
            sample.append(cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA))
        if frame.index in wanted:
            drawn = draw_overlay(frame.image, analysis.track, frame.index, trail=12)
            small = (round(drawn.shape[1] * THUMBNAIL_HEIGHT / drawn.shape[0]), THUMBNAIL_HEIGHT)
            image = cv2.resize(drawn, small, interpolation=cv2.INTER_AREA)
            thumbnails.append((frame.time, image))

    with contextlib.closing(read_frames(video, Damage())) as frames:
        for frame in frames:
            look(frame)
            if frame.index >= max([*wanted, *sampled]):
                break
    return thumbnails, np.median(sample, axis=0).astype(np.uint8)


def _choose_moments(rallies: Sequence[Rally], times: np.ndarray) -> list[int]:
    """Frames in the middle of flights, spread over the rallies."""
    moments: list[float] = []
    for rally in rallies:
        ends = [event.time for event in rally.events] + [rally.end]
        moments += [(a + b) / 2 for a, b in pairwise(ends)]
    moments = moments or times.tolist()
    if not moments:
        return []
    picked = np.linspace(0, len(moments) - 1, THUMBNAILS).astype(int)
    return sorted({int(np.abs(times - moments[k]).argmin()) for k in picked})


def choose_size(size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the background picture for a video of a size, pixels."""
    scale = min(1.0, BASE_WIDTH / size[1])
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)
