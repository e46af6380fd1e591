"""Coordinates as the published TrackNetV3 code gives them, so that its tables can be repeated.

It truncates where this package keeps fractions, and repairs gaps by other rules. Read from its
`predict.py` and `test.py` (github.com/qaz812345/TrackNetV3).
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.frames.windows import triangular_weights
from keras_tracknet.inference.rectification import TOP_SHARE, Rectify
from keras_tracknet.tracks.tables import ABSENT, DETECTED, REPAIRED
from keras_tracknet.tracks.track import Track
from keras_tracknet.weights.spec import ModelSpec

SIZE = (288, 512)  # (height, width) that it works at
CORNER = 50 / math.hypot(*SIZE)  # both fractions below this mean no ball


def check_published(spec: ModelSpec, path: Path, mode: str, decode: str, sampling: str) -> None:
    """Raise `InputError` where there is no published code to follow."""
    if decode == "published" and spec.fit != "stretch":
        raise InputError(
            f'{path}: not a network of the published V3 code; use `decode="centroid"`.'
        )
    if sampling == "published" and (spec.heatmaps != spec.frames or decode != "published"):
        raise InputError(
            '`sampling="published"` requires `decode="published"` and a network with one heatmap'
            " per frame."
        )
    if sampling == "published" and mode == "balanced":
        raise InputError(
            'the published code has no mode balanced; use `mode="fast"` (its nonoverlap) or'
            ' `mode="accurate"` (its weight).'
        )


def truncate_position(
    x: float, y: float, model_size: tuple[int, int], size: tuple[int, int]
) -> tuple[float, float]:
    """Convert a position to pixels of the source, rounded towards the top left corner.

    Args:
        x, y: pixels at the model's size; NaN where there is no ball.
        model_size, size: (height, width) of the model's input and of the source, pixels.

    Returns:
        Whole x and y; NaN where there is no ball, or where both come out as 0.
    """
    if math.isnan(x):
        return x, y
    left, top = int(x * (size[1] / model_size[1])), int(y * (size[0] / model_size[0]))
    return (float(left), float(top)) if left or top else (math.nan, math.nan)


def mask_gaps(visible: np.ndarray, y: np.ndarray, top: float) -> np.ndarray:
    """Return which frames of a track the published code fills in.

    A gap of any length between frames below the line `top`; one at the clip's start when the
    frame after it is below; never one at the end, nor one that begins with the second frame.

    Args:
        visible: `(frames,)` bool.
        y: `(frames,)`, pixels; read where visible only.
        top: distance of the line from the picture's top edge, pixels.

    Returns:
        `(frames,)` bool.
    """
    mask = np.zeros(len(visible), bool)
    seen = np.flatnonzero(visible)
    for before, after in zip([-1, *seen], seen, strict=False):
        leading = before < 0
        if y[after] > top and (leading or (before > 0 and y[before] > top)):
            mask[before + 1 : after] = True
    return mask


def rectify_published(
    track: Track, rectify: Rectify, size: tuple[int, int], *, window: int, step: int
) -> Track:
    """Fill in a track's gaps, and truncate and drop positions, as the published code does.

    What is near the top left corner is dropped, also where it was detected; whole pixels may
    become less by one on the way through fractions.

    Args:
        track: a predicted track, whole pixels of the source video.
        rectify: the network, see `build_rectifier`.
        size: (height, width) of the source video, pixels.
        window: frames in the network's window.
        step: 1 for windows that overlap and are merged, `window` for windows in a row.

    Returns:
        The track; as it was where it is shorter than a window and windows overlap.
    """
    frames = len(track)
    starts = np.arange(frames - window + 1) if step == 1 else np.arange(0, frames, step)
    if not len(starts):
        return track
    height, width = size
    mask = mask_gaps(track.visibility, track.y, TOP_SHARE * height)
    known = np.where(track.visibility[:, None], track.positions, 0)
    places = np.minimum(starts[:, None] + np.arange(window), frames - 1)
    inputs = (known / (width, height))[places].astype(np.float32)
    hidden = mask[places][..., None].astype(np.float32)
    filled = rectify(inputs, hidden) * hidden + inputs * (1 - hidden)
    filled = _drop_corner(filled)
    merged = _drop_corner(_merge(filled, frames)) if step == 1 else filled.reshape(-1, 2)[:frames]
    # In two steps, for the rounding of the first decides about whole pixels.
    x, y = np.trunc(merged.astype(np.float64) * SIZE[::-1] * (width / SIZE[1], height / SIZE[0])).T
    absent = (x == 0) & (y == 0)
    status = np.where(absent, ABSENT, np.where(mask, REPAIRED, DETECTED))
    x[absent] = y[absent] = np.nan
    return replace(track, x=x, y=y, status=status.astype(track.status.dtype))


def _drop_corner(positions: np.ndarray) -> np.ndarray:
    return np.where((positions < CORNER).all(axis=-1, keepdims=True), 0, positions)


def _merge(windows: np.ndarray, frames: int) -> np.ndarray:
    """Merge the positions of all windows, one starting at each frame."""
    count, length = windows.shape[:2]
    weights = triangular_weights(length).astype(np.float32)
    merged = np.zeros((frames, 2), np.float32)
    for frame in range(frames):
        starts = np.arange(max(0, frame - length + 1), min(frame, count - 1) + 1)
        votes, places = windows[starts, frame - starts], frame - starts
        if frame >= count:  # it divides by the windows that a long clip would have here
            merged[frame] = votes.sum(axis=0) / (frames - frame)
        elif frame < length - 1:
            merged[frame] = votes.sum(axis=0) / (frame + 1)
        else:
            merged[frame] = (votes * weights[places, None]).sum(axis=0)
    return merged
