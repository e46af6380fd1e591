"""Augmentation: frames, background and positions move and change together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

QUALITY = (25, 75)  # JPEG's, least and greatest


@dataclass(frozen=True)
class Augmentation:
    """How training windows are varied.

    Attributes:
        flip: share of windows mirrored left to right.
        brightness: greatest change of brightness, as a share of full scale.
        contrast: greatest relative change of contrast; each colour gets its own besides, of a
            quarter of that.
        recolour: share of windows whose red, green and blue change places: courts of other
            colours, while a white shuttlecock stays white.
        compression: share of windows whose frames are compressed once more, as JPEG of a quality
            out of `QUALITY`; the background, a median of many frames, hardly suffers from it.
        crop: (height, width) of a random cut-out to train on instead of the whole picture,
            pixels at the model's size; a fully convolutional network learns from it what it
            needs at a fraction of the cost.
        zoom: (least, greatest) enlargement of the picture before the cut; below 1 the ball
            gets smaller.
        on_ball: share of cut-outs placed so that they contain the ball of some frame.
        pan: greatest movement of the camera from one frame to the next, pixels; half of the
            windows are moved so. For models without a background, which a moving camera has not.
        paste: share of windows through which a second ball flies, cut out of another window
            (see `FlightPaster`); the targets show both.
        decoys: share of windows with balls in them that hover over the court, such as lamps in
            the audience seem to be; the targets do not show them.
        skip: share of windows that show every second or third frame of their clip, as a video of
            a lower frame rate does.
    """

    flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    recolour: float = 0.0
    compression: float = 0.0
    crop: tuple[int, int] | None = None
    zoom: tuple[float, float] = (1.0, 1.0)
    on_ball: float = 0.7
    pan: float = 0.0
    paste: float = 0.0
    decoys: float = 0.0
    skip: float = 0.0

    def __post_init__(self) -> None:
        colours = ("brightness", "contrast", "recolour", "compression")
        for name in ("flip", *colours, "on_ball", "paste", "decoys", "skip"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"`{name}` must be 0 to 1. Received: {name}={value}")
        if self.pan < 0:
            raise ValueError(f"`pan` must be at least 0. Received: pan={self.pan}")
        if not 0 < self.zoom[0] <= self.zoom[1]:
            raise ValueError(
                f"`zoom` must be (smallest, largest), above 0. Received: zoom={self.zoom}"
            )
        if self.crop is not None and (min(self.crop) < 8 or any(side % 8 for side in self.crop)):
            raise ValueError(
                f"`crop` must be (height, width) in multiples of 8. Received: crop={self.crop}"
            )


@dataclass(frozen=True)
class Region:
    """A rectangle of the picture and the size that it is drawn at.

    Attributes:
        left, top: first column and row, pixels.
        height, width: size of the rectangle, pixels.
        size: (height, width) that it is stretched to, pixels.
    """

    left: int
    top: int
    height: int
    width: int
    size: tuple[int, int]

    def cut(self, image: np.ndarray) -> np.ndarray:
        """Return the rectangle of `(height, width, 3)`, stretched to `(*size, 3)`."""
        part = image[self.top : self.top + self.height, self.left : self.left + self.width]
        if (self.height, self.width) == self.size:
            return part
        return cv2.resize(part, (self.size[1], self.size[0]), interpolation=cv2.INTER_LINEAR)

    def move(self, positions: np.ndarray) -> np.ndarray:
        """Return positions `(..., 2)` (x, y) in pixels of the stretched rectangle."""
        scale = np.array([self.size[1] / self.width, self.size[0] / self.height])
        moved: np.ndarray = (positions - [self.left, self.top] + 0.5) * scale - 0.5
        return moved


def choose_region(
    positions: np.ndarray,
    picture: tuple[int, int],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Region:
    """Choose the part of the picture that a window is trained on.

    Args:
        positions: `(..., 2)`, (x, y) in pixels; NaN where there is no ball.
        picture: (height, width) in pixels.
        augmentation: gives size, zoom and the share of cut-outs on the ball.
        rng: source of chance.
    """
    size = augmentation.crop or picture
    zoom = rng.uniform(*augmentation.zoom)
    height = min(picture[0], round(size[0] / zoom))
    width = min(picture[1], round(size[1] / zoom))
    room = np.array([picture[1] - width, picture[0] - height])
    corner = rng.uniform(0, 1, 2) * room
    seen = positions[np.isfinite(positions).all(axis=-1)]
    if rng.uniform() < augmentation.on_ball and len(seen):
        ball = seen[rng.integers(len(seen))]
        corner = ball - rng.uniform(0.1, 0.9, 2) * [width, height]
    left, top = np.clip(np.round(corner), 0, room).astype(int)
    return Region(int(left), int(top), height, width, size)


def pan_region(
    region: Region,
    frames: int,
    picture: tuple[int, int],
    pan: float,
    rng: np.random.Generator,
) -> list[Region]:
    """Move a cut-out evenly over a window, as a panning camera does; half of the time, not at all.

    Args:
        region: the cut-out of the window's first frame.
        frames: number of frames.
        picture: (height, width) in pixels; at its edge the movement ends.
        pan: greatest movement from frame to frame, across and down, pixels.
        rng: source of chance.
    """
    if not pan or rng.uniform() < 0.5:
        return [region] * frames
    room = [picture[1] - region.width, picture[0] - region.height]
    path = [region.left, region.top] + np.arange(frames)[:, None] * rng.uniform(-pan, pan, 2)
    corners = np.clip(np.round(path), 0, room).astype(int).tolist()
    return [replace(region, left=left, top=top) for left, top in corners]


@dataclass(frozen=True)
class Variation:
    """How one window is varied.

    Attributes:
        regions: the cut-out of each frame; that of the first is the background's too.
        mirrored: whether left and right are swapped.
        gains: `(3,)`, contrast of red, green and blue; None where levels stay as they are.
        shift: levels that are added to all colours.
        order: `(3,)`, the channels in their new order; None where they keep theirs.
        quality: of JPEG compression; None for none.
    """

    regions: list[Region]
    mirrored: bool
    gains: np.ndarray | None
    shift: float
    order: np.ndarray | None
    quality: int | None

    def move(self, positions: np.ndarray) -> np.ndarray:
        """Return positions `(frames, ..., 2)`, (x, y), in pixels of the varied window."""
        pairs = zip(self.regions, positions, strict=True)
        moved = np.concatenate([part.move(position[None]) for part, position in pairs])
        if self.mirrored:
            moved = [self.regions[0].size[1] - 1, 0] + moved * [-1, 1]
        return moved


def draw_variation(
    positions: np.ndarray,
    picture: tuple[int, int],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Variation:
    """Draw how a window is varied.

    Args:
        positions: `(frames, ..., 2)`, (x, y) in pixels; NaN where there is no ball.
        picture: (height, width) in pixels.
        augmentation: what to vary, and by how much.
        rng: source of chance.
    """
    region = choose_region(positions, picture, augmentation, rng)
    regions = pan_region(region, len(positions), picture, augmentation.pan, rng)
    mirrored = bool(rng.uniform() < augmentation.flip)
    gains, shift, order, quality = None, 0.0, None, None
    if augmentation.brightness or augmentation.contrast:
        gain = 1 + rng.uniform(-1, 1) * augmentation.contrast
        gains = gain * (1 + rng.uniform(-1, 1, 3) * augmentation.contrast / 4)
        shift = 255 * rng.uniform(-1, 1) * augmentation.brightness
    if augmentation.recolour and rng.uniform() < augmentation.recolour:
        order = rng.permutation(3)
    if rng.uniform() < augmentation.compression:
        quality = int(rng.integers(*QUALITY))
    return Variation(regions, mirrored, gains, shift, order, quality)


def augment_window(
    frames: np.ndarray,
    background: np.ndarray | None,
    positions: np.ndarray,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Vary a window: cut-out, zoom and pan, mirror image, colours, compression.

    Args:
        frames: `(frames, height, width, 3)` uint8.
        background: `(height, width, 3)` uint8 or None; it is changed as the frames are.
        positions: `(frames, 2)` or, with several balls, `(frames, balls, 2)`, (x, y) in pixels;
            NaN where there is no ball.
        augmentation: what to vary, and by how much.
        rng: source of chance.

    Returns:
        Frames, background and positions of the varied window. Positions may lie off the
        picture; what is off it is invisible to the targets.
    """
    variation = draw_variation(positions, frames.shape[1:3], augmentation, rng)
    regions = variation.regions
    pictures = [part.cut(frame) for part, frame in zip(regions, frames, strict=True)]
    if background is not None:
        pictures.append(regions[0].cut(background))
    if variation.mirrored:
        pictures = [picture[:, ::-1] for picture in pictures]
    if variation.gains is not None:
        table = _brightness_table(variation.gains, variation.shift)
        pictures = [cv2.LUT(np.ascontiguousarray(picture), table) for picture in pictures]
    if variation.order is not None:
        pictures = [np.ascontiguousarray(picture[..., variation.order]) for picture in pictures]
    if variation.quality is not None:
        quality = variation.quality
        pictures[: len(frames)] = [_compress(p, quality) for p in pictures[: len(frames)]]
    positions = variation.move(positions)
    stacked = np.stack(pictures)
    if background is None:
        return stacked, None, positions
    return stacked[:-1], stacked[-1], positions


def _compress(picture: np.ndarray, quality: int) -> np.ndarray:
    _, encoded = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))
    # Channels come back in the order that they went in.
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _brightness_table(gains: np.ndarray, shift: float) -> np.ndarray:
    levels = np.arange(256)[:, None]
    table = np.clip(((levels - 128) * gains + 128 + shift).round(), 0, 255)
    return np.asarray(table, np.uint8).reshape(1, 256, 3)
