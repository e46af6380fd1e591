"""What a camera and a broadcast do to a picture: shake, noise, compression, cuts."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

NOISE_FIELDS = 3
NOISE_MARGIN = 64  # pixels by which a noise field is larger than a frame
SWAY = 0.15  # seconds over which a shaking camera keeps its direction
CUT_MARGIN = 0.25  # seconds that a cut keeps away from a rally
SHORTEST_CUT = 0.3  # seconds
CLOSE = (0.2, 0.35)  # side of a close picture as a share of the whole
DRIFT = 0.004  # of the whole that a close picture moves by from frame to frame


def make_noise(
    rng: np.random.Generator, size: tuple[int, int], deviation: float
) -> list[np.ndarray]:
    """A few fields of noise around 128, larger than a frame, to be cut at random offsets."""
    if deviation == 0:
        return []
    shape = (size[0] + NOISE_MARGIN, size[1] + NOISE_MARGIN, 3)
    fields = []
    for _ in range(NOISE_FIELDS):
        grain = rng.standard_normal(shape, dtype=np.float32)
        grain[..., 1:] = 0.6 * grain[..., 1:] + 0.8 * grain[..., :1]  # mostly of brightness
        fields.append(np.rint(grain * deviation + 128).clip(0, 255).astype(np.uint8))
    return fields


def add_noise(
    rng: np.random.Generator, image: np.ndarray, fields: Sequence[np.ndarray]
) -> np.ndarray:
    """Add one of the fields, cut at random."""
    height, width = image.shape[:2]
    row, column = rng.integers(0, NOISE_MARGIN, 2)
    field = fields[int(rng.integers(len(fields)))]
    part = field[row : row + height, column : column + width]
    return cv2.addWeighted(image, 1.0, part, 1.0, -128.0)


def shake_camera(rng: np.random.Generator, frames: int, fps: float, deviation: float) -> np.ndarray:
    """How far the picture is moved in each frame: `(frames, 2)` pixels to the right and down."""
    if deviation == 0:
        return np.zeros((frames, 2))
    reach = max(SWAY * fps, 0.5)
    ticks = np.arange(-int(3 * reach), int(3 * reach) + 1)
    kernel = np.exp(-((ticks / reach) ** 2) / 2)
    kernel /= np.linalg.norm(kernel)
    steps = rng.standard_normal((frames + len(kernel) - 1, 2)) * deviation
    return np.stack([np.convolve(axis, kernel, "valid") for axis in steps.T], axis=1)


def move_picture(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Move a picture by (x, y) pixels; its border is repeated."""
    warp = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, warp, size, borderMode=cv2.BORDER_REPLICATE)


def compress_picture(image: np.ndarray, quality: int) -> np.ndarray:
    """Put a picture through a JPEG of a quality, 1 to 100."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def place_cuts(
    rallies: Sequence[tuple[float, float]], frames: int, fps: float
) -> tuple[tuple[int, int], ...]:
    """Frames (first, one after the last) between rallies that show something else."""
    cuts = []
    starts = [start for start, _ in rallies[1:]] + [frames / fps + CUT_MARGIN]
    for (_, end), start in zip(rallies, starts, strict=True):
        first, stop = end + CUT_MARGIN, start - CUT_MARGIN
        if stop - first >= SHORTEST_CUT:
            cuts.append((int(np.ceil(first * fps)), min(int(stop * fps), frames)))
    return tuple(cut for cut in cuts if cut[1] > cut[0])


def look_closer(rng: np.random.Generator, image: np.ndarray, frames: int) -> list[np.ndarray]:
    """A cut's pictures: a part of a picture, large, that the camera moves along.

    Returns:
        `frames` arrays of the shape of `image`.
    """
    height, width = image.shape[:2]
    share = rng.uniform(*CLOSE)
    side = np.array([width, height]) * share
    start = rng.uniform(0, 1 - share, 2) * [width, height]
    pace = rng.uniform(-DRIFT, DRIFT, 2) * [width, height]
    pictures = []
    for index in range(frames):
        corner = np.clip(start + index * pace, 0, [width, height] - side)
        warp = np.array([[1 / share, 0, -corner[0] / share], [0, 1 / share, -corner[1] / share]])
        pictures.append(cv2.warpAffine(image, warp, (width, height), flags=cv2.INTER_CUBIC))
    return pictures
