"""Rendered rallies on disk: a video and a track of the same name, side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from keras_tracknet.io.tracks import write_track
from keras_tracknet.io.video_writer import VideoWriter
from keras_tracknet.synthetic.rally import RallyConfig, simulate_rally


def write_rally(config: RallyConfig, folder: Path) -> Path:
    """Render a rally to `<name>.mp4` with its track in `<name>.csv`.

    The name holds the seed, and a digest of the whole config: another config is another file.
    The track is written last, so where it stands the video is complete.

    Args:
        config: what to render.
        folder: created where missing.

    Returns:
        The path of the video.

    Raises:
        InputError: the folder cannot be written.
    """
    path = Path(folder) / f"{name_rally(config)}.mp4"
    rally = simulate_rally(config)
    with VideoWriter(path, size=config.size, fps=config.fps) as writer:
        for image in rally.frames():
            writer.write(image)
    write_track(rally.track, path.with_suffix(".csv"))
    return path


def write_rallies(
    folder: Path,
    count: int,
    *,
    seed: int = 0,
    frames: int = 150,
    size: tuple[int, int] = (720, 1280),
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Render `count` rallies with the seeds `seed`, `seed + 1` and so on.

    A rally that is there already, video and track, is kept as it is.

    Args:
        folder: where the files go, created where missing.
        count: how many rallies.
        seed: of the first.
        frames: length of each.
        size: (height, width) in pixels.
        progress: called with (rallies done, count) after each.

    Returns:
        The paths of the videos.

    Raises:
        InputError: the folder cannot be written.
        ValueError: count is less than 1, or frames or size is out of range.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1. Received: count={count}")
    paths = []
    for number in range(count):
        config = RallyConfig(frames=frames, size=size, seed=seed + number)
        path = Path(folder) / f"{name_rally(config)}.mp4"
        if not (path.is_file() and path.with_suffix(".csv").is_file()):
            write_rally(config, folder)
        paths.append(path)
        if progress is not None:
            progress(number + 1, count)
    return paths


def name_rally(config: RallyConfig) -> str:
    """The file name of a rally without suffix: `rally-000007-1a2b3c4d`."""
    digest = hashlib.sha256(repr(config).encode()).hexdigest()[:8]
    return f"rally-{config.seed:06d}-{digest}"
