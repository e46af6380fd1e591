"""Windows of real frames, to calibrate and verify exported files on."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from keras_tracknet.datasets.dataset import find_dataset
from keras_tracknet.errors import InputError
from keras_tracknet.frames.background import BACKGROUND_FRAMES, estimate_background, sample_indices
from keras_tracknet.frames.sizes import fit_frame
from keras_tracknet.frames.windows import stream_windows
from keras_tracknet.progress import Reporter
from keras_tracknet.video.folder import list_videos
from keras_tracknet.video.reader import read_frames, sample_frames


def sample_windows(
    videos: list[Path],
    length: int,
    size: tuple[int, int],
    count: int,
    *,
    fit: str = "stretch",
    reporter: Reporter | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return windows spread evenly over videos, and over the length of each.

    Args:
        videos: where from, of each as many as of any other; when there are more videos than
            windows, one of each of `count` videos spread evenly over them.
        length: frames in a window.
        size: (height, width) of the frames, pixels.
        count: windows, at most.
        fit: how frames are brought to that size, see `picture_box`.
        reporter: where progress goes.

    Returns:
        Frames `(windows, length, *size, 3)` and backgrounds `(windows, *size, 3)`, uint8.
    """
    frames: list[np.ndarray] = []
    backgrounds: list[np.ndarray] = []
    chosen = [videos[k] for k in sample_indices(len(videos), count)]
    progress = (reporter or Reporter()).track("choosing windows", len(chosen), unit="videos")
    with progress as advance:
        for done, video in enumerate(chosen):
            share = -(-(count - len(frames)) // (len(chosen) - done))
            found = _spread_windows(video, length, size, share, fit)
            with closing(sample_frames(video, BACKGROUND_FRAMES)) as sample:
                background = estimate_background(fit_frame(f.image, size, fit) for f in sample)
            frames += found
            backgrounds += [background] * len(found)
            advance(1)
    return np.stack(frames), np.stack(backgrounds)


def _spread_windows(
    video: Path, length: int, size: tuple[int, int], count: int, fit: str
) -> list[np.ndarray]:
    """Return at most `count` windows spread evenly over a video, whatever its header says."""
    kept: list[np.ndarray] = []
    stride = 1  # windows from one that is kept to the next
    with closing(read_frames(video)) as decoded:
        pictures = (frame.image for frame in decoded)
        for number, window in enumerate(stream_windows(pictures, length, length, length)):
            if number % stride == 0:
                kept.append(np.stack([fit_frame(image, size, fit) for image in window.frames]))
            if len(kept) == 2 * count:
                kept, stride = kept[::2], 2 * stride
    return [kept[k] for k in sample_indices(len(kept), count)]


def find_videos(source: Path) -> list[Path]:
    """Return the videos that a path means.

    Raises:
        InputError: there is none.
    """
    if not source.exists():
        raise InputError(f"{source}: no such video or folder; check the path.")
    if not source.is_dir():
        return [source]
    clips = [clip.source for clip in find_dataset(source).clips]
    folders = sorted([source, *(path for path in source.rglob("*") if path.is_dir())])
    found = clips or [video for folder in folders for video in list_videos(folder)]
    if not found:
        raise InputError(f"{source}: contains no videos; use a folder of videos.")
    return found
