"""The hall around the court: crowd, boards, officials, lamps, and the light on all of it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from keras_tracknet.sports import Sport
from keras_tracknet.synthetic.camera import Camera
from keras_tracknet.synthetic.paint import (
    dim_colour,
    draw_capsule,
    fill_quad,
    paste_patch,
    pick_colour,
    write_word,
)


def draw_crowd(rng: np.random.Generator, image: np.ndarray, camera: Camera, wall: float) -> None:
    """Rows of heads and shoulders, dim, with bright faces, masks and phones among them."""
    height, width = image.shape[:2]
    image[:] = pick_colour(rng, rng.random(), 0.3, 0.07)
    unit = float(camera.scale(np.array([0.0, wall + 12, 3.0]))) * 0.55
    horizon = float(camera.project(np.array([0.0, wall, 0.0]))[1])
    seats = max(int(width / unit / 0.75), 1)
    dim = rng.uniform(0.12, 0.4)
    row = -unit
    while row < horizon:
        xs = np.arange(seats) * width / seats + rng.normal(0, unit * 0.2, seats)
        for x, taken in zip(xs, rng.random(seats) < 0.8, strict=True):
            if not taken:
                continue
            y = row + rng.normal(0, unit * 0.12)
            shirt = rng.integers(10, 200, 3) * 0.4 + rng.uniform(5, 150)
            face = np.array([225, 180, 150]) * rng.uniform(0.4, 1.0)
            body = np.array([[x, y + unit * 0.75], [x, y + unit * 1.2]])
            draw_capsule(image, body, unit * 0.3, dim_colour(shirt, dim))
            draw_capsule(
                image, np.array([[x, y + unit * 0.25]] * 2), unit * 0.17, dim_colour(face, dim)
            )
            if rng.random() < 0.06:  # a phone, a clapper, a white cap
                spot = np.array([x, y]) + rng.normal(0, unit * 0.3, 2)
                tip = spot + rng.normal(0, unit * 0.2, 2)
                draw_capsule(
                    image, np.stack([spot, tip]), unit * 0.08, dim_colour(np.full(3, 255), 0.8)
                )
        row += unit * 0.8
    shades = rng.uniform(0.35, 1.3, (height // max(int(unit), 1) + 2, seats)).astype(np.float32)
    mottle = cv2.resize(shades, (width, height), interpolation=cv2.INTER_LINEAR)
    image[:] = cv2.multiply(cv2.blur(image, (3, 3)), cv2.merge([mottle] * 3), dtype=cv2.CV_8U)
    if rng.random() < 0.6:  # the railing in front of the upper seats
        top = int(horizon * rng.uniform(0.25, 0.6))
        deep = max(int(unit * rng.uniform(1, 3)), 2)
        image[top : top + deep] = pick_colour(rng, 0.6, 0.2, 0.12)
        for line in (top, top + deep):
            cv2.line(
                image, (0, line), (width, line), (95, 95, 98), max(1, height // 500), cv2.LINE_AA
            )


def draw_banners(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, wall: float, sport: Sport
) -> None:
    """One or two rows of boards behind the court, and one along each side."""
    papers = [pick_colour(rng, rng.random(), 0.75, rng.uniform(0.15, 0.7)) for _ in range(4)]

    def board(start: Sequence[float], end: Sequence[float], tall: float) -> None:
        paper = papers[int(rng.integers(len(papers)))]
        ink = (245, 245, 245) if rng.random() < 0.75 else pick_colour(rng, rng.random(), 0.8, 0.9)
        up = np.array([0, 0, tall])
        corners = np.array([start + up, end + up, end, start], float)
        paste_patch(image, write_word(rng, paper, ink, (60, 180)), camera.project(corners))

    reach = 6.0 * sport.length / 13.4
    for row in range(int(rng.integers(1, 3)), 0, -1):
        place, base = wall + 1.2 * (row - 1), 0.9 * (row - 1)
        for left in np.arange(-reach, reach, 2.4):
            if rng.random() < 0.9:
                board([left, place, base], [left + 2.36, place, base], 0.9)
    edge = sport.width / 2 + rng.uniform(3.2, 4.5)
    for sign in (-1, 1):
        for along in np.arange(wall - 1, -1.5 * reach, -2.4):
            near, far = [sign * edge, along - 2.36, 0.0], [sign * edge, along, 0.0]
            board(*((near, far) if sign < 0 else (far, near)), 0.8)


def draw_officials(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, wall: float, sport: Sport
) -> None:
    """Line judges on chairs and an umpire on the high one, mostly with bright shoes."""
    side = sport.width / 2 + 1.35
    seats = [(across, wall - 0.5, 0.4) for across in (-2.3, 0.0, 2.3)]
    seats += [(-side, rng.uniform(-1, 1), 0.4), (side, 0.0, 1.6)]
    shirt = pick_colour(rng, rng.random(), 0.6, 0.5)
    for across, along, up in seats:
        if rng.random() < 0.15:
            continue
        unit = float(camera.scale(np.array([across, along, up])))
        heights = np.array([[0, up - 0.4], [0, up], [0, up + 0.2], [0, up + 0.5], [0, up + 0.85]])
        spots = camera.project(np.array([[across + dx, along, dz] for dx, dz in heights]))
        fill_quad(
            image,
            spots[0] + np.array([[-0.3, -up], [0.3, -up], [0.3, 0.1], [-0.3, 0.1]]) * unit,
            pick_colour(rng, 0.6, 0.6, 0.3),
        )
        for sign in (-1, 1):
            leg = spots[:2] + np.array([sign * 0.12 * unit, 0])
            draw_capsule(image, leg, 0.07 * unit, (30, 30, 34))
            draw_capsule(image, leg[[0, 0]], 0.06 * unit, (215, 215, 215))
        draw_capsule(image, spots[[2, 3]], 0.19 * unit, shirt)
        draw_capsule(image, spots[[4, 4]], 0.11 * unit, (190, 150, 120))


def light_hall(
    rng: np.random.Generator, image: np.ndarray, camera: Camera, light: float
) -> np.ndarray:
    """Light the court and let the hall around it fall off into the dark."""
    height, width = image.shape[:2]
    x, y = camera.project(np.zeros(3))
    rows = (np.arange(height, dtype=np.float32)[:, None] - np.float32(y)) / (0.62 * height)
    columns = (np.arange(width, dtype=np.float32)[None] - np.float32(x)) / (0.55 * width)
    patches = rng.uniform(0.9, 1.08, (6, 10)).astype(np.float32)  # under lamps it is brighter
    cloud = cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)
    fall = rng.uniform(0.1, 0.6)
    gain = light * cloud * (1 - np.float32(fall) * np.clip(rows**2 + columns**2, 0, 1) ** 1.5)
    return cv2.multiply(image, cv2.merge([gain.astype(np.float32)] * 3), dtype=cv2.CV_8U)


def draw_lamps(rng: np.random.Generator, image: np.ndarray) -> None:
    """Small bright spots in the upper part of the picture: lamps, screens, reflections."""
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(3, 14))):
        spot = np.array([rng.uniform(0, width), rng.uniform(0, 0.4 * height)])
        radius = height / 720 * rng.uniform(1.0, 4.0)
        tip = spot + rng.normal(0, radius, 2)
        draw_capsule(
            image, np.stack([spot, tip]), radius, dim_colour(np.full(3, 255), rng.uniform(0.7, 1))
        )
