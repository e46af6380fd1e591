"""Cut-outs: balls of labelled clips, each solved for how much of the background it covers."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

REACH = 12  # pixels at the model's size from a cut-out's centre to its edge
RING = 10  # pixels from its centre beyond which nothing may move: no player is taken along
STILL = 10.0  # levels that a still picture differs from its background by, on average
FAINTEST = 0.25  # opacity that a ball has at its most opaque pixel
NOISE = 0.08  # opacity that comes of compression
CONTRAST = 40.0  # levels between ball and background below which opacity cannot be told
CLEAN = 0.75  # share of a window's frames that a flight must be cut out of
MIDDLE = np.s_[:, REACH - 2 : REACH + 3, REACH - 2 : REACH + 3]  # the ball itself, of each cut-out


@dataclass(frozen=True)
class CutOuts:
    """The balls of a clip, each cut out of its frame.

    Attributes:
        opacity: `(frames, 2 REACH + 1, 2 REACH + 1)` float32, 0 to 1, about the pixel nearest
            to the ball; all 0 where it cannot be cut out.
        positions: `(frames, 2)`, (x, y) in pixels; NaN where it cannot be cut out.
        colour: `(3,)` float32, the ball's own colour where no background shines through.
    """

    opacity: np.ndarray
    positions: np.ndarray
    colour: np.ndarray


def cut_out_balls(frames: np.ndarray, background: np.ndarray, positions: np.ndarray) -> CutOuts:
    """Cut the ball out of each frame where it flies before a still background.

    A blurred ball is a share `a` of its own colour over `1 - a` of the background, which is
    solved for `a` at each pixel.

    Args:
        frames: `(frames, height, width, 3)` uint8.
        background: `(height, width, 3)` uint8.
        positions: `(frames, 2)`, (x, y) in pixels; NaN where there is no ball.
    """
    side = 2 * REACH + 1
    height, width = background.shape[:2]
    opacity = np.zeros((len(frames), side, side), np.float32)
    kept = np.full((len(frames), 2), np.nan)
    x, y = nearest_pixels(positions).T
    inside = (x >= REACH) & (x < width - REACH) & (y >= REACH) & (y < height - REACH)
    places = np.flatnonzero(inside)  # NaN is not inside
    if not len(places):
        return CutOuts(opacity, kept, np.zeros(3, np.float32))
    corners = np.stack([y, x], axis=-1)[places].astype(int) - REACH
    spans = [(slice(top, top + side), slice(left, left + side)) for top, left in corners]
    seen = np.stack([frames[place][span] for place, span in zip(places, spans, strict=True)])
    behind = np.stack([background[span] for span in spans])
    colour = np.percentile(seen[MIDDLE].max(axis=(1, 2)), 90, axis=0).astype(np.float32)
    solved = _solve_opacity(seen, behind, colour)
    around = np.hypot(*np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]) > RING
    movement = cv2.absdiff(seen, behind)[:, around].mean(axis=(1, 2))
    clean = (
        (movement <= STILL)
        & ~solved[:, around].any(axis=-1)
        & (solved[MIDDLE].max(axis=(1, 2)) >= FAINTEST)
    )
    opacity[places[clean]] = solved[clean]
    kept[places[clean]] = positions[places[clean]]
    return CutOuts(opacity, kept, colour)


def find_flights(balls: CutOuts, length: int) -> list[int]:
    """Return the first frames of stretches of `length` frames that can be cut out, nearly all."""
    if len(balls.positions) < length:
        return []
    clean = np.isfinite(balls.positions[:, 0])
    counts = np.convolve(clean, np.ones(length, int), "valid")
    return np.flatnonzero(counts >= CLEAN * length).tolist()


def nearest_pixels(positions: np.ndarray) -> np.ndarray:
    """Return the pixel nearest to each position `(..., 2)`, (x, y), NaN where that is NaN."""
    return np.floor(positions + 0.5)


def _solve_opacity(seen: np.ndarray, behind: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return `(balls, side, side)` float32: which share of `colour` lies over the background.

    Args:
        seen, behind: `(balls, side, side, 3)` uint8, the cut-outs with and without the ball.
        colour: `(3,)` of the ball.
    """
    full = colour - behind
    change = seen.astype(np.float32) - behind
    share = (change * full).sum(axis=-1) / np.maximum((full**2).sum(axis=-1), CONTRAST**2)
    share = np.clip((share - NOISE) / (1 - NOISE), 0, 1)
    return np.stack([_keep_middle(opacity) for opacity in share])


def _keep_middle(opacity: np.ndarray) -> np.ndarray:
    """Return an opacity map without what does not hang together with its middle."""
    _, parts = cv2.connectedComponents((opacity > 0).astype(np.uint8), connectivity=8)
    ball = np.unique(parts[REACH - 1 : REACH + 2, REACH - 1 : REACH + 2])
    return np.where(np.isin(parts, ball[ball > 0]), opacity, np.float32(0))
