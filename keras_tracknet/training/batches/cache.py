"""Frame cache: every clip is decoded once, and read from then on as a memory-mapped file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.datasets.clip import Clip
from keras_tracknet.errors import InputError
from keras_tracknet.folders import cache_folder
from keras_tracknet.frames.background import estimate_background, sample_indices
from keras_tracknet.frames.sizes import resize_frame
from keras_tracknet.progress import Reporter
from keras_tracknet.video.container import check_regular
from keras_tracknet.video.images import list_images
from keras_tracknet.video.reader import probe_video, read_frames

FORMAT = 3  # part of every key: raise it when what is stored, or how it is resized, changes
PARTIAL = "partial-"
ABANDONED = 3600.0  # seconds without a write after which nobody works on a partial folder


@dataclass(frozen=True)
class CachedFrames:
    """The frames of one clip at the model's size, on disk.

    Attributes:
        folder: where they lie.
        frames: `(frames, height, width, 3)` uint8 RGB, read-only and memory-mapped.
        times: `(frames,)` float64, seconds from each frame's own timestamp.
        source_size: (height, width) of the source in pixels, as shown.
        fps: frames per second of the source.
        background: `(height, width, 3)` uint8, the median of frames spread over the clip.
    """

    folder: Path
    frames: np.ndarray
    times: np.ndarray
    source_size: tuple[int, int]
    fps: Fraction
    background: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process maps the file again; pickling the map would copy every frame.
        return _load, (self.folder,)


class FrameCache:
    """A folder of decoded and resized clips, shared by every run on the machine.

    A clip is found again by its content, not by its name, so a changed file is decoded anew
    and a moved one is not. A clip appears in the folder complete or not at all: several
    processes may fill it at once, and one that is killed leaves nothing that is mistaken
    for a clip. At 288 x 512, a thousand frames take 0.44 GB.

    Args:
        folder: where to keep the clips; else `frames` in the cache, see `cache_folder`.

    Example:
        >>> import keras_tracknet as kt
        >>> video = kt.write_rally(kt.RallyConfig(frames=8, size=(72, 128)), "runs/example")
        >>> kt.FrameCache("runs/frames").open(video, (36, 64)).frames.shape
        (8, 36, 64, 3)
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else cache_folder("frames")

    def open(
        self,
        source: Path,
        size: tuple[int, int],
        progress: Callable[[int], None] | None = None,
    ) -> CachedFrames:
        """Return the frames of a clip, decoding it unless that was done before.

        Args:
            source: video file or folder of images.
            size: (height, width) in pixels to resize to.
            progress: called after each decoded frame with the number of frames so far.

        Raises:
            InputError: the source cannot be read, or the cache cannot be written.
        """
        source = Path(source)
        height, width = size
        place = self.folder / f"{hash_source(source)[:32]}-{height}x{width}-{FORMAT}"
        cached = _try_load(place)
        if cached is not None:
            return cached
        try:
            return self._fill(place, source, size, progress)
        except OSError as error:
            raise InputError(
                f"{self.folder}: frames cannot be cached there ({error.strerror or error}); free"
                " some disk space or set TRACKNET_CACHE to another folder."
            ) from error

    def _fill(
        self,
        place: Path,
        source: Path,
        size: tuple[int, int],
        progress: Callable[[int], None] | None,
    ) -> CachedFrames:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        work = self.folder / f"{PARTIAL}{uuid.uuid4().hex}"
        work.mkdir()
        try:
            _decode(work, source, size, progress)
            if place.exists() and _try_load(place) is None:
                shutil.rmtree(place, ignore_errors=True)  # damaged, or it had been found
            try:
                work.rename(place)
            except OSError:
                cached = _try_load(place)  # another process was faster with the same frames
                if cached is None:
                    raise
                return cached
            return _load(place)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what killed processes left half-written."""
        for work in self.folder.glob(f"{PARTIAL}*"):
            try:
                written = max(path.stat().st_mtime for path in (work, *work.iterdir()))
            except OSError:
                continue  # it has just been finished
            if time.time() - written > ABANDONED:
                shutil.rmtree(work, ignore_errors=True)


def prepare_clips(
    clips: Sequence[Clip],
    size: tuple[int, int],
    cache: FrameCache,
    progress: Callable[[int, Clip, int], None] | None = None,
) -> list[CachedFrames]:
    """Open every clip through the cache, decoding those that are new.

    Args:
        clips: clips of a dataset.
        size: (height, width) in pixels to resize to.
        cache: where the frames are kept.
        progress: called as `progress(index, clip, frames)` after each decoded frame, and
            once a clip is ready; `index` counts the clips from 0.

    Returns:
        `CachedFrames`, one per clip, in their order.

    Raises:
        InputError: a source cannot be read, or the cache cannot be written.
    """
    prepared = []
    for index, clip in enumerate(clips):
        report = None if progress is None else partial(progress, index, clip)
        cached = cache.open(clip.source, size, report)
        if report is not None:
            report(len(cached))
        prepared.append(cached)
    return prepared


def read_clips(
    clips: Sequence[Clip], size: tuple[int, int], reporter: Reporter
) -> list[CachedFrames]:
    """Return the frames of clips at the model's size, decoding those that are new.

    Args:
        clips: of a dataset.
        size: (height, width) in pixels.
        reporter: where progress goes.

    Raises:
        InputError: a clip cannot be read, or the cache cannot be written.
    """
    with reporter.track("reading clips", total=len(clips), unit="clips") as advance:
        finished = 0

        def progress(index: int, _clip: Clip, _frames: int) -> None:
            nonlocal finished
            if index >= finished:
                advance(index + 1 - finished)
                finished = index + 1

        return prepare_clips(clips, size, FrameCache(), progress)


def hash_source(source: Path) -> str:
    """Return the SHA-256 of a file's content, or of a folder's image names and contents.

    Raises:
        InputError: the file or folder cannot be read, or the folder holds no images.
    """
    source = Path(source)
    try:
        if not source.is_dir():
            check_regular(source)
            return _hash_file(source)
        images = list_images(source)
        digest = hashlib.sha256()
        for image in images:
            digest.update(os.fsencode(image.name) + f"\0{_hash_file(image)}\0".encode())
    except OSError as error:
        raise InputError(
            f"{source}: cannot be read ({error.strerror}); use a video or a folder of images."
        ) from error
    return digest.hexdigest()


def _hash_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _decode(
    folder: Path,
    source: Path,
    size: tuple[int, int],
    progress: Callable[[int], None] | None,
) -> None:
    """Write what `_load` reads."""
    times: list[float] = []
    source_size: tuple[int, ...] = ()
    # Made small as tracking does, so that networks learn from the pixels that they will see.
    reading = closing(read_frames(source, shrink=lambda _size: size))
    with open(folder / "frames.raw", "wb") as file, reading as decoded:
        for frame in decoded:
            source_size = frame.size
            file.write(resize_frame(frame.image, size).tobytes())
            times.append(frame.time)
            if progress is not None:
                progress(len(times))
    frames = np.memmap(folder / "frames.raw", np.uint8, mode="r").reshape(len(times), *size, 3)
    np.save(folder / "background.npy", estimate_background(frames[sample_indices(len(times))]))
    np.save(folder / "times.npy", np.array(times))
    facts = {
        "shape": frames.shape,
        "source_size": source_size,
        "fps": str(probe_video(source).fps),
    }
    (folder / "clip.json").write_text(json.dumps(facts), encoding="utf-8")


def _load(folder: Path) -> CachedFrames:
    facts = json.loads((folder / "clip.json").read_text(encoding="utf-8"))
    shape = tuple(facts["shape"])
    if (folder / "frames.raw").stat().st_size != np.prod(shape):
        raise ValueError(f"frames.raw must have shape {shape}. Received: folder={folder}")
    height, width = facts["source_size"]
    times, background = np.load(folder / "times.npy"), np.load(folder / "background.npy")
    if (times.shape, background.shape) != (shape[:1], shape[1:]):
        raise ValueError(
            f"times and background must match shape {shape}. Received: folder={folder}"
        )
    return CachedFrames(
        folder=folder,
        frames=np.memmap(folder / "frames.raw", np.uint8, mode="r", shape=shape),
        times=times,
        source_size=(height, width),
        fps=Fraction(facts["fps"]),
        background=background,
    )


def _try_load(folder: Path) -> CachedFrames | None:
    """Load a clip, or return None where it is absent or damaged."""
    try:
        return _load(folder)
    except Exception:  # whatever the damage, the clip is decoded anew
        return None
