"""Rectification: gaps of a track that the rectifier fills in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from keras_tracknet.frames.windows import triangular_weights
from keras_tracknet.tracks.hidden import fill_hidden
from keras_tracknet.tracks.tables import REPAIRED
from keras_tracknet.tracks.track import Track

TOP_SHARE = 0.05  # of the picture's height: a ball lost above this line has left the picture
MAX_GAP = 1  # frames; longer ones cost more right frames than they win (see the model card)
RECTIFIER_WINDOW = 16  # frames

# (coordinates, mask) -> coordinates: (windows, window, 2), (windows, window, 1) in 0..1
Rectify = Callable[[np.ndarray, np.ndarray], np.ndarray]


def repair_mask(
    visible: np.ndarray,
    y: np.ndarray,
    *,
    top: float,
    max_gap: int = MAX_GAP,
) -> np.ndarray:
    """Return which frames of a track are to be filled in (Chen and Wang 2023, equation 2).

    A gap is filled when the ball was seen on both sides of it and below the line `top` there;
    near the top edge it is taken to have left the picture. Unlike the published rule this one
    never fills a gap at the clip's start, nor one longer than `max_gap`, for want of evidence.

    Args:
        visible: `(frames,)` bool.
        y: `(frames,)`, pixels; read where visible only.
        top: distance of the line from the picture's top edge, pixels.
        max_gap: longest gap to fill, frames.

    Returns:
        `(frames,)` bool.
    """
    mask = np.zeros(len(visible), bool)
    seen = np.flatnonzero(visible)
    for before, after in pairwise(seen):
        gap = after - before - 1
        if 0 < gap <= max_gap and y[before] > top and y[after] > top:
            mask[before + 1 : after] = True
    return mask


def rectify_track(
    track: Track,
    rectify: Rectify,
    size: tuple[int, int],
    *,
    window: int = RECTIFIER_WINDOW,
    max_gap: int = MAX_GAP,
    hidden: str = "zero",
) -> Track:
    """Fill in a track's gaps; detected positions stay as they are.

    Every window that holds a gap and a real position on both sides of it has a say, weighted
    as overlapping windows of heatmaps are (Chen and Wang 2023, section 3.3). A track shorter
    than the window stays as it is.

    Args:
        track: a predicted track, pixels of the source video.
        rectify: the network, see `build_rectifier`.
        size: (height, width) of the source video, pixels.
        window: frames in the network's window.
        max_gap: longest gap to fill, frames.
        hidden: what the network sees where there is no position, see `fill_hidden`.

    Returns:
        The track with status `repaired` where a position was filled in.
    """
    mask = repair_mask(track.visibility, track.y, top=TOP_SHARE * size[0], max_gap=max_gap)
    scale = np.array([size[1], size[0]], dtype=np.float64)
    starts = [s for s in range(len(track) - window + 1) if mask[s : s + window].any()]
    if not starts:
        return track
    places = np.array(starts)[:, None] + np.arange(window)
    inputs = fill_hidden((track.positions / scale)[places], track.visibility[places], hidden)
    filled = rectify(inputs, mask[places][..., None].astype(np.float32))
    total, weight = np.zeros((len(track), 2)), np.zeros(len(track))
    for where, prediction in zip(places, filled, strict=True):
        seen = np.flatnonzero(track.visibility[where])
        if len(seen) < 2:
            continue
        inside = np.zeros(window, bool)
        inside[seen[0] : seen[-1]] = True
        say = triangular_weights(window) * (inside & mask[where])
        total[where] += say[:, None] * prediction
        weight[where] += say
    repaired = weight > 0
    position = total[repaired] / weight[repaired, None] * scale
    x, y, status = track.x.copy(), track.y.copy(), track.status.copy()
    x[repaired], y[repaired] = position.T
    status[repaired] = REPAIRED
    return replace(track, x=x, y=y, status=status)
