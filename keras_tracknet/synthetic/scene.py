"""What stands still in a rally, put together: hall, court, net and score box."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from keras_tracknet.sports import Sport
from keras_tracknet.synthetic.camera import Camera
from keras_tracknet.synthetic.court import draw_floor, hang_net
from keras_tracknet.synthetic.hall import (
    draw_banners,
    draw_crowd,
    draw_lamps,
    draw_officials,
    light_hall,
)
from keras_tracknet.synthetic.paint import draw_capsule, pick_colour, write_word


@dataclass(frozen=True)
class Scene:
    """The still parts of the picture, ready to be put together.

    Attributes:
        background: `(height, width, 3)` uint8 RGB, everything behind the players and net.
        net: `(rows, columns, 3)` uint8 RGB colour of the net's part of the picture.
        net_cover: `(rows, columns, 1)` float32, 0 to 1, how much the net covers there.
        net_corner: (row, column) of its top left pixel.
        score: `(rows, columns, 3)` uint8 RGB score box, which lies over everything.
        score_corner: (row, column) of its top left pixel.
        fans: `(fans, 5)` x, y, radius and swing in pixels, and turns per second, of what the
            crowd waves: small, bright and moving, but no shuttle.
        light: gain of the hall's light, around 1.
    """

    background: np.ndarray
    net: np.ndarray
    net_cover: np.ndarray
    net_corner: tuple[int, int]
    score: np.ndarray
    score_corner: tuple[int, int]
    fans: np.ndarray
    light: float

    def draw_fans(self, image: np.ndarray, time: float) -> None:
        """Draw what the crowd waves, `time` seconds into the clip."""
        for x, y, radius, swing, pace in self.fans:
            phase = 2 * np.pi * pace * time + x
            spot = np.array([x + swing * np.sin(phase), y + swing * 0.4 * np.cos(2 * phase)])
            tip = spot + np.array([np.sin(phase), -1.5]) * radius
            draw_capsule(image, np.stack([spot, tip]), radius, (200, 200, 200))

    def draw_net(self, image: np.ndarray) -> None:
        """Draw the net over what is on its far side."""
        (row, column), (rows, columns) = self.net_corner, self.net.shape[:2]
        part = image[row : row + rows, column : column + columns]
        part[:] = cv2.blendLinear(
            self.net, part, self.net_cover[..., 0], 1 - self.net_cover[..., 0]
        )

    def draw_score(self, image: np.ndarray) -> None:
        """Draw the score box over everything."""
        (row, column), (rows, columns) = self.score_corner, self.score.shape[:2]
        image[row : row + rows, column : column + columns] = self.score

    def hides(self, points: np.ndarray) -> np.ndarray:
        """Which of `(points, 2)` pixels lie under the score box: `(points,)` bool."""
        (row, column), (rows, columns) = self.score_corner, self.score.shape[:2]
        low, high = np.array([column, row]), np.array([column + columns - 1, row + rows - 1])
        inside: np.ndarray = np.all((points >= low) & (points <= high), axis=1)
        return inside


def build_scene(
    rng: np.random.Generator, camera: Camera, size: tuple[int, int], sport: Sport
) -> Scene:
    """Build a hall at random: every colour, banner, head and lamp of it.

    Args:
        rng: decides everything.
        camera: sees the hall.
        size: (height, width) of the picture in pixels.
        sport: whose court it is.
    """
    light = rng.uniform(0.8, 1.25)
    image = np.zeros((*size, 3), np.uint8)
    wall = sport.length / 2 + rng.uniform(2.0, 4.5) * (sport.length / 13.4) ** 1.5
    draw_crowd(rng, image, camera, wall)
    draw_floor(rng, image, camera, wall, sport)
    draw_banners(rng, image, camera, wall, sport)
    draw_officials(rng, image, camera, wall, sport)
    image = light_hall(rng, image, camera, light)
    draw_lamps(rng, image)
    fans = rng.uniform([0, 0, 1, 2, 0.3], [1, 1, 3, 10, 2.5], (int(rng.integers(0, 12)), 5))
    crowd_floor = max(camera.project(np.array([0.0, wall, 2.0]))[1], 1.0)
    fans[:, 0] *= size[1]
    fans[:, 1] *= crowd_floor
    fans[:, 2:4] *= size[0] / 720
    net, cover, corner = hang_net(rng, camera, size, light, sport)
    score, score_corner = _make_score(rng, size)
    return Scene(image, net, cover, corner, score, score_corner, fans, light)


def _make_score(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[np.ndarray, tuple[int, int]]:
    """The score box and the (row, column) of its top left pixel."""
    height, width = size
    unit = max(int(height * rng.uniform(0.026, 0.034)), 4)
    columns = min(unit * int(rng.integers(9, 13)), width // 2)
    paper, ink = (
        ((225, 225, 225), (20, 20, 25)) if rng.random() < 0.5 else ((25, 28, 45), (240,) * 3)
    )
    box = np.full((2 * unit, columns, 3), paper, np.uint8)
    for line in range(2):
        name = write_word(rng, paper, ink, (unit, columns - 2 * unit))
        box[line * unit : (line + 1) * unit, unit : columns - unit] = name
        points = np.full((unit, unit, 3), (230, 180, 40), np.uint8)
        text = str(int(rng.integers(0, 10)))
        place, scale = (unit // 4, unit * 3 // 4), unit / 36
        cv2.putText(
            points, text, place, cv2.FONT_HERSHEY_DUPLEX, scale, (10, 10, 10), 1, cv2.LINE_AA
        )
        box[line * unit : (line + 1) * unit, columns - unit :] = points
        box[line * unit : (line + 1) * unit, : unit - 1] = pick_colour(rng, rng.random(), 0.8, 0.8)
    left = width * 0.04 if rng.random() < 0.7 else width * 0.96 - columns
    return box, (int(height * rng.uniform(0.03, 0.07)), int(left))
