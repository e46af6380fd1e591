"""Rendered rallies on disk: a video and a track of the same name, side by side."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from keras_tracknet.files import check_free, explain_writing
from keras_tracknet.synthetic.config import RENDERER, RallyConfig
from keras_tracknet.synthetic.rally import simulate_rally
from keras_tracknet.tracks.event_table import write_events
from keras_tracknet.tracks.files import write_track
from keras_tracknet.video.writer import VideoWriter

EVENTS_SUFFIX = ".events.csv"


def write_rally(config: RallyConfig, folder: Path, *, events: bool = False) -> Path:
    """Render a rally to `<name>.mp4` with its track in `<name>.csv`.

    The name holds the seed, and a digest of the whole config: another config is another file.
    The track is written last, so where it stands the video is complete.

    Args:
        config: what to render.
        folder: created where missing.
        events: whether to write what happens in it to `<name>.events.csv`.

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
    if events:
        write_events(rally.events, path.with_suffix(EVENTS_SUFFIX))
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

    A rally that is there already, video and track, is kept as it is. Several processes may write
    to one folder at once: each renders into a hidden folder of its own and moves what is complete.

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
    paths = []
    for number, config in enumerate(_list_configs(count, seed, frames, size), 1):
        path = Path(folder) / f"{name_rally(config)}.mp4"
        if not (path.is_file() and path.with_suffix(".csv").is_file()):
            _add_rally(config, path)
        paths.append(path)
        if progress is not None:
            progress(number, count)
    return paths


def _list_configs(count: int, seed: int, frames: int, size: tuple[int, int]) -> list[RallyConfig]:
    if count < 1:
        raise ValueError(f"`count` must be at least 1. Received: count={count}")
    return [RallyConfig(frames=frames, size=size, seed=seed + number) for number in range(count)]


def _add_rally(config: RallyConfig, path: Path) -> None:
    with explain_writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=".rendering-") as work:
            made = write_rally(config, Path(work))
            os.replace(made, path)
            os.replace(made.with_suffix(".csv"), path.with_suffix(".csv"))


def name_rallies(count: int, size: tuple[int, int], *, seed: int = 0, frames: int = 150) -> str:
    """The name of a folder that holds what `write_rallies` writes, and nothing else.

    Other settings, or a renderer that draws otherwise, give another name.

    Args:
        count, size, seed, frames: as for `write_rallies`.
    """
    names = [name_rally(config) for config in _list_configs(count, seed, frames, size)]
    return hashlib.sha256(f"{RENDERER} {names}".encode()).hexdigest()[:16]


def render_rallies(
    first: RallyConfig,
    folder: Path,
    count: int,
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Render `count` rallies that differ by their seeds, with their tracks and events.

    Args:
        first: the first of them; the others have the seeds after its own.
        folder: where the files go, created where missing.
        count: how many rallies.
        overwrite: whether to replace what is there.
        progress: called with (rallies done, count) after each.

    Returns:
        The paths of the videos.

    Raises:
        InputError: a rally is there already, or the folder cannot be written.
    """
    configs = [replace(first, seed=first.seed + number) for number in range(count)]
    videos = [Path(folder) / f"{name_rally(config)}.mp4" for config in configs]
    check_free(videos, overwrite=overwrite)
    paths = []
    for number, config in enumerate(configs, 1):
        paths.append(write_rally(config, folder, events=True))
        if progress is not None:
            progress(number, count)
    return paths


def name_rally(config: RallyConfig) -> str:
    """The file name of a rally without suffix: `rally-000007-1a2b3c4d`."""
    unusual = [
        f"{f.name}={getattr(config, f.name)!r}"
        for f in fields(config)
        if not f.repr and getattr(config, f.name) != f.default
    ]
    text = ", ".join([repr(config), *unusual])
    return f"rally-{config.seed:06d}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
