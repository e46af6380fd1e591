"""The court as the camera sees it: floor, mat, lines and words, and the net."""

from __future__ import annotations

import cv2
import numpy as np

from keras_tracknet.sports import Sport
from keras_tracknet.synthetic.camera import Camera
from keras_tracknet.synthetic.paint import (
    Colour,
    dim_colour,
    fill_quad,
    paste_patch,
    pick_colour,
    write_word,
)

MAT_HUES = (0.38, 0.42, 0.46, 0.58, 0.62, 0.98, 0.78)  # greens, blues, red, violet


def draw_floor(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, wall: float, sport: Sport
) -> None:
    """The hall's floor, the mat, words on both, and the lines of the court."""
    x, y = sport.width / 2, sport.length / 2
    far, near, edge = wall, -y - 5, max(25.0, 6 * x)
    floor = np.array([[-edge, far, 0], [edge, far, 0], [edge, near, 0], [-edge, near, 0]], float)
    ground = pick_colour(rng, rng.choice(MAT_HUES), rng.uniform(0.1, 0.7), rng.uniform(0.1, 0.4))
    fill_quad(image, camera.project(floor), ground)
    mat = pick_colour(rng, rng.choice(MAT_HUES), rng.uniform(0.45, 0.8), rng.uniform(0.3, 0.62))
    side, end = rng.uniform(0.6, 1.4), rng.uniform(0.9, 1.8)
    _fill_floor(image, camera, (-x - side, x + side), (-y - end, y + end), mat)

    white = dim_colour(np.full(3, 255), rng.uniform(0.85, 1.0))
    words = [(0.0, -y - 0.5, 0.5), (0.0, y + 0.5, -0.5), (0.0, -1.0, 0.9)]
    for across, along, tall in words:
        if rng.random() < 0.75:
            patch = write_word(rng, mat, white, (64, 360))
            _paste_floor(image, camera, patch, across, along, tall)
    for across in (-x - side - 1.8, x + side + 1.8):
        if rng.random() < 0.6:
            patch = write_word(rng, ground, (190, 190, 195), (80, 240))
            _paste_floor(image, camera, patch, across, rng.uniform(-4, -1), 1.0)

    for left, right, low, high in sport.lines:
        _fill_floor(image, camera, (left, right), (low, high), white)


def hang_net(
    rng: np.random.Generator, camera: Camera, size: tuple[int, int], light: float, sport: Sport
) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Colour, cover and place in the picture of the net, its tape and its posts."""
    half, top = sport.width / 2, sport.net_height
    colour = np.zeros((*size, 3), np.uint8)
    cover = np.zeros(size, np.uint8)

    def panel(
        left: float, right: float, low: float, high: float, tint: Colour, share: float
    ) -> None:
        world = [[left, 0, high], [right, 0, high], [right, 0, low], [left, 0, low]]
        corners = camera.project(np.array(world))
        fill_quad(cover, corners, (int(share * 255), 0, 0))
        # The colour reaches a little further, so that soft edges blend with nothing else.
        middle = corners.mean(axis=0)
        grown = corners + np.sign(corners - middle) * 2
        fill_quad(colour, grown, tint)

    mesh, tape = dim_colour(np.full(3, 60), light), dim_colour(np.full(3, 235), light)
    post = dim_colour(np.array(pick_colour(rng, rng.random(), 0.7, 0.4)), light)
    panel(-half, half, top - sport.net_depth, top - 0.04, mesh, rng.uniform(0.12, 0.3))
    for left in (-half - 0.05, half):
        panel(left, left + 0.05, 0.0, top, post, 0.95)
    panel(-half, half, top - 0.05, top + 0.02, tape, 0.75)
    x, y, columns, rows = cv2.boundingRect(cover)
    part = (slice(y, y + rows), slice(x, x + columns))
    return colour[part], (cover[part] / np.float32(255))[..., None], (y, x)


def _fill_floor(
    image: np.ndarray,
    camera: Camera,
    across: tuple[float, float],
    along: tuple[float, float],
    colour: Colour,
) -> None:
    (left, right), (near, far) = across, along
    corners = [[left, far, 0], [right, far, 0], [right, near, 0], [left, near, 0]]
    fill_quad(image, camera.project(np.array(corners)), colour)


def _paste_floor(
    image: np.ndarray, camera: Camera, patch: np.ndarray, across: float, along: float, tall: float
) -> None:
    """Lay a patch on the floor; a negative height turns it to the other end."""
    wide = abs(tall) * patch.shape[1] / patch.shape[0]
    half = np.sign(tall) * wide / 2
    corners = [
        [across - half, along + tall / 2, 0],
        [across + half, along + tall / 2, 0],
        [across + half, along - tall / 2, 0],
        [across - half, along - tall / 2, 0],
    ]
    paste_patch(image, patch, camera.project(np.array(corners)))
