"""Summaries: what a result is made from: the video, the weights and the settings."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from keras_tracknet.backends import backend_in_use
from keras_tracknet.inference.engines.network import Network
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.version import __version__
from keras_tracknet.video.images import list_images
from keras_tracknet.video.info import VideoInfo
from keras_tracknet.video.part import WHOLE, Part

ENDS = 2**20  # bytes at a file's start and at its end that are hashed: a match has gigabytes


def describe_run(
    tracker: Tracker, source: Path, info: VideoInfo, schema: str, part: Part = WHOLE
) -> dict[str, Any]:
    """Return the part of a summary that is known before the first frame is.

    Args:
        tracker: the tracker.
        source: the video, or folder of images.
        info: of the source.
        schema: columns of the track files.
        part: which frames, and where in the picture.
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
        **{name: getattr(part, name) for name in ("start", "end", "every")},
        "roi": None if part.roi is None else list(part.roi),
        **describe_tracker(tracker, tracker.rectifier, tracker.linker),
    }


def describe_tracker(
    tracker: Tracker, rectifier: Network | None = None, linker: Network | None = None
) -> dict[str, Any]:
    """Return the part of a summary that is of the tracker: weights, settings, what computes.

    Args:
        tracker: the tracker.
        rectifier, linker: those that are used beside it.
    """
    return {
        "weights": str(tracker.network.path),
        "weights_sha256": tracker.network.sha256,
        "trained_on": tracker.spec.trained_on,
        "rectifier": str(rectifier.path) if rectifier else None,
        "rectifier_sha256": rectifier.sha256 if rectifier else None,
        "linker": str(linker.path) if linker else None,
        "linker_sha256": linker.sha256 if linker else None,
        "network": tracker.spec.version,
        "mode": tracker.mode,
        "decode": tracker.decode,
        "sampling": tracker.sampling,
        "stabilized": tracker.stabilize,
        "threshold": tracker.threshold,
        "least_confidence": round(tracker.find_least_confidence(linker), 4),
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
