"""Summaries: what a result was made from, and whether another run would make the same."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from keras_tracknet.backends import backend_in_use
from keras_tracknet.errors import InputError
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.tracks.files import read_rows
from keras_tracknet.tracks.track import TrackRow
from keras_tracknet.version import __version__
from keras_tracknet.video.images import list_images
from keras_tracknet.video.info import VideoInfo

ENDS = 2**20  # bytes at a file's start and at its end that are hashed: a match has gigabytes
# What decides a row, and its name in messages.
DECIDING = {
    "source_digest": "the video",
    "weights_sha256": "`weights`",
    "rectifier_sha256": "`rectifier`",
    "mode": "`mode`",
    "threshold": "`threshold`",
    "decode": "`decode`",
    "sampling": "`sampling`",
    "stabilized": "`stabilize`",
    "max_gap": "`max_gap`",
    "schema": "`schema`",
}
# What also decides the last digits.
COMPUTING = {"version": "the version", "engine": "`engine`", "precision": "`precision`"}


def describe_run(tracker: Tracker, source: Path, info: VideoInfo, schema: str) -> dict[str, Any]:
    """Return the part of a summary that is known before the first frame is.

    Args:
        tracker: the tracker.
        source: the video, or folder of images.
        info: of the source.
        schema: columns of the track files.
    """
    return {
        "command": "predict",
        "version": __version__,
        "source": str(Path(source).resolve()),
        "source_digest": hash_source(source),
        "width": info.width,
        "height": info.height,
        "fps": str(info.fps),
        "capture_fps": info.capture_fps,
        "frames_promised": info.frames,
        "schema": schema,
        **describe_tracker(tracker),
    }


def describe_tracker(tracker: Tracker) -> dict[str, Any]:
    """Return the part of a summary that is of the tracker: weights, settings, what computes."""
    rectifier = tracker.rectifier
    return {
        "weights": str(tracker.network.path),
        "weights_sha256": tracker.network.sha256,
        "trained_on": tracker.spec.trained_on,
        "rectifier": str(rectifier.path) if rectifier else None,
        "rectifier_sha256": rectifier.sha256 if rectifier else None,
        "network": tracker.spec.version,
        "mode": tracker.mode,
        "decode": tracker.decode,
        "sampling": tracker.sampling,
        "stabilized": tracker.stabilize,
        "threshold": tracker.threshold,
        "max_gap": tracker.max_gap,
        "engine": tracker.network.engine,
        "backend": backend_in_use(),
        "device": tracker.network.device,
        "precision": tracker.network.precision,
    }


def hash_source(source: Path) -> str:
    """Return what tells a source from others: a hash of its size, its beginning and its end.

    Of a folder of images it is a hash of their names and sizes, and of the first and the last.
    """
    folder = source.is_dir()
    files = [file for file in (list_images(source) if folder else [source]) if file.exists()]
    sizes = [f"{file.name if folder else ''} {file.stat().st_size}" for file in files]
    digest = hashlib.sha256(os.fsencode("\n".join(sizes)))
    for path in dict.fromkeys(files[:1] + files[-1:]):
        with open(path, "rb") as file:
            digest.update(file.read(ENDS))
            file.seek(max(file.tell(), path.stat().st_size - ENDS))
            digest.update(file.read(ENDS))
    return digest.hexdigest()


def check_same(before: dict[str, Any], now: dict[str, Any], path: Path, *, exact: bool) -> None:
    """Raise `InputError` where an earlier result was not made from the same.

    Args:
        before: its summary.
        now: of `describe_run`.
        path: of the summary.
        exact: whether the last digits count.
    """
    names = DECIDING | (COMPUTING if exact else {})
    different = [
        f"{label} was {_show(before, name)}, is now {_show(now, name)}"
        for name, label in names.items()
        if before.get(name, ...) != now[name]
    ]
    if different:
        raise InputError(
            f"{path.parent}: tracked with other settings: {', '.join(different)}; use the same"
            " settings, `overwrite=True` or another path."
        )


def restore_rows(path: Path) -> list[TrackRow]:
    """Return the rows of a track file that grew until it was interrupted.

    What is behind the last whole line is cut off: a number of it may have lost its end. That is
    what a full disk or a kill leaves, and, after a loss of power, zeros.
    """
    if not path.exists():
        return []
    with open(path, "r+b") as file:
        content = file.read()
        whole = content.partition(b"\0")[0]
        whole = whole[: whole.rfind(b"\n") + 1]
        if whole != content:
            file.truncate(len(whole))
    return read_rows(path)


def _show(record: dict[str, Any], name: str) -> str:
    value = record.get(name, "not recorded")
    thing, _, kind = name.rpartition("_")
    if kind in ("sha256", "digest") and isinstance(value, str):
        file = Path(str(record.get(thing))).name
        return f"{file} ({'SHA-256 ' if kind == 'sha256' else ''}{value[:8]})"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)
