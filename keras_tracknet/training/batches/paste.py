"""Pasted flights: real shuttlecocks, cut out of one rally and let fly through another.

Copy-paste augmentation (Ghiasi et al. 2021) for windows: what is cut out keeps its own blur and
its own flight, and gets a place, a court and players that it was never filmed with. Decoys have
the shape of a ball and stand where they are: lamps and faces, of which there are few where
labelled footage is short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from keras_tracknet.frames.stabilization import follow_camera, shift_picture

REACH = 12  # pixels at the model's size from a cut-out's centre to its edge
RING = 10  # pixels from its centre beyond which nothing may move: no player is taken along
STILL = 10.0  # levels that a still picture differs from its background by, on average
FAINTEST = 0.25  # opacity that a ball has at its most opaque pixel
NOISE = 0.08  # opacity that comes of compression
CONTRAST = 40.0  # levels between ball and background below which opacity cannot be told
MOVING = 40  # levels between a frame and its background that only something moving makes
CLEAN = 0.75  # share of a window's frames that a flight must be cut out of
ON_MOVEMENT = 0.5  # share of flights that pass over something moving
MOST_DECOYS = 24  # in a whole picture; a cut-out to train on shows one or two
SPEEDS = (0.4, 2.5)  # times its own speed that a flight is pasted with
OTHER_COLOUR = 0.5  # share of decoys that are not of a ball's own colour
DARKEST = 60.0  # least level of a decoy's red, green and blue
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
    x, y = _nearest_pixels(positions).T
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


def find_flights(balls: CutOuts, length: int) -> list[int]:
    """Return the first frames of stretches of `length` frames that can be cut out, nearly all."""
    if len(balls.positions) < length:
        return []
    clean = np.isfinite(balls.positions[:, 0])
    counts = np.convolve(clean, np.ones(length, int), "valid")
    return np.flatnonzero(counts >= CLEAN * length).tolist()


class FlightPaster:
    """Pastes flights of some clips into windows of any.

    Args:
        cut_outs: the balls of each clip.
        length: frames in a window.

    Raises:
        ValueError: no clip has a flight that can be cut out.
    """

    def __init__(self, cut_outs: Sequence[CutOuts], length: int) -> None:
        self.cut_outs, self.length = cut_outs, length
        self._flights = [
            (number, start)
            for number, balls in enumerate(cut_outs)
            for start in find_flights(balls, length)
        ]
        if not self._flights:
            raise ValueError(
                "`paste` and `decoys` need balls in front of a still background, as a fixed camera"
                f" films them. Received: {len(cut_outs)} clips without any"
            )

    def paste(
        self, frames: np.ndarray, background: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Let a flight of another place, or of another clip, pass through a window.

        It goes slower or faster than it was filmed, with the blur that it was filmed with.

        Args:
            frames: `(length, height, width, 3)` uint8.
            background: `(height, width, 3)` uint8, to know what moves.
            rng: source of chance.

        Returns:
            A copy of the frames with the flight in it, and its positions `(length, 2)`, (x, y)
            in pixels; NaN where the pasted ball is not seen.
        """
        balls, flight = self._draw_flight(rng)
        positions = balls.positions[flight]
        frame = _draw_seen(positions, rng)
        target = _choose_target(frames[frame], background, rng)
        height, width = background.shape[:2]
        speed = np.exp(rng.uniform(*np.log(SPEEDS)))
        path = target + speed * (positions - positions[frame])
        moved = positions + np.round(path - positions)  # by whole pixels, as balls are drawn
        pasted = frames.copy()
        for picture, opacity, ball in zip(pasted, balls.opacity[flight], moved, strict=True):
            _draw_ball(picture, opacity, balls.colour, ball)
        off = (moved < 0).any(axis=-1) | (moved > [width - 1, height - 1]).any(axis=-1)
        moved[off] = np.nan
        return pasted, moved

    def paste_decoys(
        self, frames: np.ndarray, background: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Put balls into a window that hover over the court, half of them of any colour.

        They look as balls do that fly, from frame to frame, but only move with the camera.

        Args:
            frames: `(length, height, width, 3)` uint8.
            background: `(height, width, 3)` uint8.
            rng: source of chance.

        Returns:
            Copies of frames and background with the decoys in them.
        """
        height, width = background.shape[:2]
        camera = follow_camera(frames)
        pasted, behind = frames.copy(), background.copy()
        for _ in range(rng.integers(1, MOST_DECOYS + 1)):
            balls, flight = self._draw_flight(rng)
            opacities = balls.opacity[flight]
            colour = balls.colour
            if rng.uniform() < OTHER_COLOUR:
                colour = rng.uniform(DARKEST, 255, 3).astype(np.float32)
            path = rng.uniform(0, 1, 2) * [width, height] + camera
            seen = opacities[_draw_seen(balls.positions[flight], rng)]
            beyond = path - _nearest_pixels(path)  # whole pixels, at which a ball is drawn
            _draw_ball(behind, shift_picture(seen, beyond[0]), colour, path[0])
            shifted = [shift_picture(*pair) for pair in zip(opacities, beyond, strict=True)]
            for picture, opacity, place in zip(pasted, shifted, path, strict=True):
                _draw_ball(picture, opacity, colour, place)
        return pasted, behind

    def _draw_flight(self, rng: np.random.Generator) -> tuple[CutOuts, slice]:
        number, start = self._flights[rng.integers(len(self._flights))]
        return self.cut_outs[number], slice(start, start + self.length)


def _keep_middle(opacity: np.ndarray) -> np.ndarray:
    """Return an opacity map without what does not hang together with its middle."""
    _, parts = cv2.connectedComponents((opacity > 0).astype(np.uint8), connectivity=8)
    ball = np.unique(parts[REACH - 1 : REACH + 2, REACH - 1 : REACH + 2])
    return np.where(np.isin(parts, ball[ball > 0]), opacity, np.float32(0))


def _draw_seen(positions: np.ndarray, rng: np.random.Generator) -> int:
    return int(rng.choice(np.flatnonzero(np.isfinite(positions[:, 0]))))


def _nearest_pixels(positions: np.ndarray) -> np.ndarray:
    return np.floor(positions + 0.5)


def _choose_target(
    frame: np.ndarray, background: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return (x, y) in pixels of a place in the picture: anywhere, or where something moves."""
    if rng.uniform() < ON_MOVEMENT:
        difference = cv2.absdiff(frame, background).max(axis=-1)
        moving = np.argwhere(difference > MOVING)
        if len(moving):
            return moving[rng.integers(len(moving)), ::-1].astype(np.float64)
    height, width = background.shape[:2]
    return rng.uniform(0, 1, 2) * [width, height]


def _draw_ball(
    picture: np.ndarray, opacity: np.ndarray, colour: np.ndarray, ball: np.ndarray
) -> None:
    """Draw a cut-out about a position on `(height, width, 3)` uint8, in place."""
    if not np.isfinite(ball).all():
        return
    left, top = (_nearest_pixels(ball) - REACH).astype(int)
    rows = slice(max(top, 0), max(top + len(opacity), 0))
    columns = slice(max(left, 0), max(left + len(opacity), 0))
    part = picture[rows, columns]
    below = rows.start - top
    beside = columns.start - left
    share = opacity[below : below + part.shape[0], beside : beside + part.shape[1], None]
    part[:] = np.round(part + share * (colour - part))
