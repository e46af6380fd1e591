"""Runs of successive frames from all over a video, for a first look at it."""

from __future__ import annotations

import contextlib
import itertools
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from keras_tracknet.video.container import decode_stream, open_video
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.display import Display
from keras_tracknet.video.media import estimate_frames
from keras_tracknet.video.reader import probe_video, read_frames

SHORT = 2  # times the frames wanted, up to where a video is read from end to end


def sample_runs(
    path: Path, count: int, length: int, prepare: Callable[[np.ndarray], np.ndarray]
) -> Iterator[list[np.ndarray]]:
    """Yield runs of successive frames spread evenly over a video, at little cost.

    A run begins at the keyframe before its place, unless an earlier run has come that far.

    Args:
        path: as for `read_frames`.
        count: runs wanted; a short video, or a folder of images, gives one run.
        length: frames in a run; a run at the end of the video may have fewer.
        prepare: makes of a picture, `(height, width, 3)` uint8 RGB, what is kept of it.

    Raises:
        InputError: as for `read_frames`.
    """
    path, wanted = Path(path), count * length
    info = probe_video(path)
    total = estimate_frames(info)
    if total <= SHORT * wanted or os.path.isdir(path):
        yield _read_middle(path, total, wanted, prepare)
        return
    with open_video(path) as (container, stream):
        display, seconds = Display(stream), total / float(info.fps)
        origin, ended = float((stream.start_time or 0) * stream.time_base), -1.0
        for place in ((k + 0.5) / count * seconds for k in range(count)):
            run: list[np.ndarray] = []
            begin = None
            for picture in _decode_from(container, stream, origin + place):
                time = float(picture.time or 0.0) - origin
                if begin is None:
                    begin = time if time > ended else place
                if time >= begin:
                    run.append(prepare(display.show(picture)))
                if len(run) == length:
                    break
            if run:
                ended = time
                yield run


def _read_middle(
    path: Path, total: int, wanted: int, prepare: Callable[[np.ndarray], np.ndarray]
) -> list[np.ndarray]:
    """Return the frames in the middle of a video; the first ones if it ends before that."""
    for first in (max(0, (total - wanted) // 2), 0):
        with (
            warnings.catch_warnings(action="ignore"),  # whoever reads it all is told
            contextlib.closing(read_frames(path, Damage())) as frames,
        ):
            part = itertools.islice(frames, first, first + wanted)
            run = [prepare(frame.image) for frame in part]
        if run:
            break
    return run


def _decode_from(container: Any, stream: Any, moment: float) -> Iterator[Any]:
    """Decode from the last keyframe before a moment on."""
    with contextlib.suppress(av.FFmpegError, OSError):
        container.seek(int(moment / stream.time_base), stream=stream)
        yield from decode_stream(container, stream, Damage())
