"""Drawing with sub-pixel places: quads, capsules, words, and colours out of a generator."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

Colour = tuple[int, int, int]
LETTERS = "ABCDEFGHIKLMNOPRSTUVXYZ"


def pick_colour(rng: np.random.Generator, hue: float, saturation: float, value: float) -> Colour:
    """An RGB colour near the given hue, saturation and value, each 0 to 1."""
    jitter = rng.normal(0, [0.02, 0.08, 0.06])
    h, s, v = np.array([hue, saturation, value]) + jitter
    r, g, b = colorsys.hsv_to_rgb(h % 1, float(np.clip(s, 0, 1)), float(np.clip(v, 0.03, 1)))
    return int(r * 255), int(g * 255), int(b * 255)


def dim_colour(colour: np.ndarray, gain: float) -> Colour:
    """An RGB colour times a gain, within 0 to 255."""
    r, g, b = (np.asarray(colour) * gain).clip(0, 255).astype(int).tolist()
    return r, g, b


def fix_point(point: np.ndarray) -> tuple[int, int]:
    """(x, y) in sixteenths of a pixel, as OpenCV draws with shift=4."""
    x, y = np.clip(np.round(point * 16), -(2**20), 2**20)
    return int(x), int(y)


def draw_capsule(image: np.ndarray, ends: np.ndarray, radius: float, colour: Colour) -> None:
    """Draw a line with round ends, `ends` (2, 2) in pixels, onto an RGB image."""
    width = max(1, round(2 * radius))
    cv2.line(image, fix_point(ends[0]), fix_point(ends[1]), colour, width, cv2.LINE_AA, 4)


def fill_quad(image: np.ndarray, corners: np.ndarray, colour: Colour) -> None:
    """Fill a convex polygon, `(corners, 2)` pixels, on an RGB image."""
    pixels = np.clip(np.round(corners * 16), -(2**20), 2**20).astype(np.int32)
    cv2.fillConvexPoly(image, pixels, colour, cv2.LINE_AA, 4)


def paste_patch(image: np.ndarray, patch: np.ndarray, corners: np.ndarray) -> None:
    """Warp a patch onto four corners: top left, top right, bottom right, bottom left."""
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, 0, None)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, image.shape[1::-1])
    if (high <= low).any():
        return
    rows, columns = patch.shape[:2]
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    warp = cv2.getPerspectiveTransform(source, (corners - low).astype(np.float32))
    room = (int(high[0] - low[0]), int(high[1] - low[1]))
    shrunk = cv2.warpPerspective(patch, warp, room, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpPerspective(np.full((rows, columns), 255, np.uint8), warp, room)
    part = image[low[1] : high[1], low[0] : high[0]]
    part[mask > 127] = shrunk[mask > 127]


def write_word(
    rng: np.random.Generator, paper: Colour, ink: Colour, shape: tuple[int, int]
) -> np.ndarray:
    """A patch of `shape` (rows, columns) with a made-up word in the middle."""
    patch = np.full((*shape, 3), paper, np.uint8)
    word = "".join(rng.choice(list(LETTERS), rng.integers(4, 9)))
    (width, height), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_DUPLEX, 1.0, 2)
    size = min(shape[1] * 0.75 / width, shape[0] * 0.5 / height)
    left, bottom = int((shape[1] - width * size) / 2), int((shape[0] + height * size) / 2)
    thick = max(1, round(2.5 * size))
    cv2.putText(patch, word, (left, bottom), cv2.FONT_HERSHEY_DUPLEX, size, ink, thick, cv2.LINE_AA)
    return patch
