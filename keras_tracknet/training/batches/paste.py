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
from keras_tracknet.training.batches.cut_outs import (
    REACH,
    CutOuts,
    find_flights,
    nearest_pixels,
)

MOVING = 40  # levels between a frame and its background that only something moving makes
ON_MOVEMENT = 0.5  # share of flights that pass over something moving
MOST_DECOYS = 24  # in a whole picture; a cut-out to train on shows one or two
SPEEDS = (0.4, 2.5)  # times its own speed that a flight is pasted with
OTHER_COLOUR = 0.5  # share of decoys that are not of a ball's own colour
DARKEST = 60.0  # least level of a decoy's red, green and blue


@dataclass(frozen=True)
class PastedBall:
    """A ball to be drawn into a window.

    Attributes:
        balls: the cut-outs of a clip.
        flight: those of it that are drawn, one for each frame.
        colour: `(3,)` float32, what it is drawn in.
        path: `(length, 2)`, (x, y) in pixels; NaN where there is none.
        still: the cut-out of the flight that a decoy shows in the background; None for a ball
            that flies, which the background does not show.
    """

    balls: CutOuts
    flight: slice
    colour: np.ndarray
    path: np.ndarray
    still: int | None = None

    @property
    def beyond(self) -> np.ndarray:
        """Parts of a pixel `(length, 2)` that cut-outs are moved by: decoys follow the camera."""
        beyond: np.ndarray = self.path - nearest_pixels(self.path)
        return beyond if self.still is not None else np.zeros(self.path.shape)

    def draw_on(self, picture: np.ndarray, number: int) -> None:
        """Draw the ball on frame `number` of its window, `(height, width, 3)` uint8, in place."""
        self._draw(picture, number, number)

    def draw_behind(self, background: np.ndarray) -> None:
        """Draw a decoy on the background, `(height, width, 3)` uint8, in place."""
        if self.still is not None:
            self._draw(background, self.still, 0)

    def find_seen(self, size: tuple[int, int]) -> np.ndarray:
        """Return the path `(length, 2)`, NaN also where it is off a (height, width) picture."""
        height, width = size
        off = (self.path < 0).any(axis=-1) | (self.path > [width - 1, height - 1]).any(axis=-1)
        return np.where(np.atleast_1d(off)[:, None], np.nan, self.path)

    def _draw(self, picture: np.ndarray, cut_out: int, place: int) -> None:
        opacity = shift_picture(self.balls.opacity[self.flight][cut_out], self.beyond[place])
        _draw_ball(picture, opacity, self.colour, self.path[place])


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

        Args:
            frames: `(length, height, width, 3)` uint8.
            background: `(height, width, 3)` uint8, to know what moves.
            rng: source of chance.

        Returns:
            A copy of the frames with the flight in it, and its positions `(length, 2)`, (x, y)
            in pixels; NaN where the pasted ball is not seen.
        """
        ball = self.draw_flight(frames, background, rng)
        pasted = frames.copy()
        for number, picture in enumerate(pasted):
            ball.draw_on(picture, number)
        return pasted, ball.find_seen(background.shape[:2])

    def draw_flight(
        self,
        frames: Sequence[np.ndarray] | np.ndarray,
        background: np.ndarray,
        rng: np.random.Generator,
    ) -> PastedBall:
        """Draw a flight and where it passes: slower or faster, with its own blur.

        Args:
            frames: `(height, width, 3)` uint8 each; one of them is looked at.
            background: `(height, width, 3)` uint8, to know what moves.
            rng: source of chance.
        """
        balls, flight = self._choose_flight(rng)
        positions = balls.positions[flight]
        frame = _draw_seen(positions, rng)
        target = _choose_target(frames[frame], background, rng)
        speed = np.exp(rng.uniform(*np.log(SPEEDS)))
        path = target + speed * (positions - positions[frame])
        moved = positions + np.round(path - positions)  # by whole pixels, as balls are drawn
        return PastedBall(balls, flight, balls.colour, moved)

    def paste_decoys(
        self, frames: np.ndarray, background: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Put balls into a window that hover over the court, half of them of any colour.

        Args:
            frames: `(length, height, width, 3)` uint8.
            background: `(height, width, 3)` uint8.
            rng: source of chance.

        Returns:
            Copies of frames and background with the decoys in them.
        """
        decoys = self.draw_decoys(background.shape[:2], follow_camera(frames), rng)
        pasted, behind = frames.copy(), background.copy()
        for decoy in decoys:
            decoy.draw_behind(behind)
            for number, picture in enumerate(pasted):
                decoy.draw_on(picture, number)
        return pasted, behind

    def draw_decoys(
        self, size: tuple[int, int], camera: np.ndarray, rng: np.random.Generator
    ) -> list[PastedBall]:
        """Draw the balls that hover over a window's court.

        They look as balls do that fly, from frame to frame, but only move with the camera.

        Args:
            size: (height, width) of the picture in pixels.
            camera: `(length, 2)`, how far the court has moved, see `follow_camera`.
            rng: source of chance.
        """
        height, width = size
        decoys = []
        for _ in range(rng.integers(1, MOST_DECOYS + 1)):
            balls, flight = self._choose_flight(rng)
            colour = balls.colour
            if rng.uniform() < OTHER_COLOUR:
                colour = rng.uniform(DARKEST, 255, 3).astype(np.float32)
            path = rng.uniform(0, 1, 2) * [width, height] + camera
            still = _draw_seen(balls.positions[flight], rng)
            decoys.append(PastedBall(balls, flight, colour, path, still))
        return decoys

    def _choose_flight(self, rng: np.random.Generator) -> tuple[CutOuts, slice]:
        number, start = self._flights[rng.integers(len(self._flights))]
        return self.cut_outs[number], slice(start, start + self.length)


def _draw_seen(positions: np.ndarray, rng: np.random.Generator) -> int:
    return int(rng.choice(np.flatnonzero(np.isfinite(positions[:, 0]))))


def _choose_target(
    frame: np.ndarray, background: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return (x, y) in pixels of a place in the picture: anywhere, or where something moves."""
    if rng.uniform() < ON_MOVEMENT:
        red, green, blue = cv2.split(cv2.absdiff(frame, background))
        moving = np.flatnonzero(cv2.max(cv2.max(red, green), blue) > MOVING)
        if len(moving):
            y, x = divmod(moving[rng.integers(len(moving))], frame.shape[1])
            return np.array([x, y], np.float64)
    height, width = background.shape[:2]
    return rng.uniform(0, 1, 2) * [width, height]


def _draw_ball(
    picture: np.ndarray, opacity: np.ndarray, colour: np.ndarray, ball: np.ndarray
) -> None:
    """Draw a cut-out about a position on `(height, width, 3)` uint8, in place."""
    if not np.isfinite(ball).all():
        return
    left, top = (nearest_pixels(ball) - REACH).astype(int)
    rows = slice(max(top, 0), max(top + len(opacity), 0))
    columns = slice(max(left, 0), max(left + len(opacity), 0))
    part = picture[rows, columns]
    below = rows.start - top
    beside = columns.start - left
    share = opacity[below : below + part.shape[0], beside : beside + part.shape[1], None]
    part[:] = np.round(part + share * (colour - part))
