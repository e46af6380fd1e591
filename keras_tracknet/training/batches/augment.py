"""Augmentation: frames, background and positions move and change together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from keras_tracknet.frames.stacking import aligned_empty
from keras_tracknet.training.batches.heatmaps import UNLABELLED, render_disc

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

    def __post_init__(self) -> None:
        colours = ("brightness", "contrast", "recolour", "compression")
        for name in ("flip", *colours, "on_ball", "paste", "decoys"):
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
    picture = frames.shape[1:3]
    region = choose_region(positions, picture, augmentation, rng)
    regions = pan_region(region, len(frames), picture, augmentation.pan, rng)
    pictures = [part.cut(frame) for part, frame in zip(regions, frames, strict=True)]
    if background is not None:
        pictures.append(region.cut(background))
    positions = np.concatenate(
        [part.move(position[None]) for part, position in zip(regions, positions, strict=True)]
    )
    if rng.uniform() < augmentation.flip:
        pictures = [picture[:, ::-1] for picture in pictures]
        positions = [region.size[1] - 1, 0] + positions * [-1, 1]
    if augmentation.brightness or augmentation.contrast:
        table = _brightness_table(augmentation, rng)
        pictures = [cv2.LUT(np.ascontiguousarray(picture), table) for picture in pictures]
    if augmentation.recolour and rng.uniform() < augmentation.recolour:
        order = rng.permutation(3)
        pictures = [np.ascontiguousarray(picture[..., order]) for picture in pictures]
    if rng.uniform() < augmentation.compression:
        quality = int(rng.integers(*QUALITY))
        pictures[: len(frames)] = [_compress(p, quality) for p in pictures[: len(frames)]]
    stacked = np.stack(pictures)
    if background is None:
        return stacked, None, positions
    return stacked[:-1], stacked[-1], positions


def _compress(picture: np.ndarray, quality: int) -> np.ndarray:
    _, encoded = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))
    # Channels come back in the order that they went in.
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _brightness_table(augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    gain = 1 + rng.uniform(-1, 1) * augmentation.contrast
    gains = gain * (1 + rng.uniform(-1, 1, 3) * augmentation.contrast / 4)
    shift = 255 * rng.uniform(-1, 1) * augmentation.brightness
    levels = np.arange(256)[:, None]
    table = (levels - 128) * gains + 128 + shift
    return np.clip(table.round(), 0, 255).astype(np.uint8).reshape(1, 256, 3)


def mix_batch(
    stacked: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    alpha: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Blend each sample of a batch with another one, inputs and targets alike (mixup).

    Each sample keeps the share max(l, 1-l) of itself, l drawn from Beta(alpha, alpha) for
    each sample; partners are a random permutation of the batch (Zhang et al. 2018, as V3's
    published code applies it to background, frames and heatmaps).

    Args:
        stacked: the batch's windows as stacked, `(height, width, channels)` uint8 each.
        targets: their targets, `(height, width, frames)` float32 each, below 0 in the whole map
            of an unlabelled frame. A blend with one is unlabelled.
        alpha: parameter of the Beta distribution, above 0; published: 0.5.
        rng: source of chance.

    Returns:
        Inputs `(batch, height, width, channels)` float32, 0 to 1, and targets
        `(batch, height, width, frames)` float32.
    """
    share = rng.beta(alpha, alpha, len(stacked))
    share = np.maximum(share, 1 - share)
    partners = rng.permutation(len(stacked))
    inputs = aligned_empty((len(stacked), *stacked[0].shape))
    mixed = aligned_empty((len(targets), *targets[0].shape))
    for sample, (keep, partner) in enumerate(zip(share.tolist(), partners, strict=True)):
        for source, scale, out in ((stacked, 1 / 255, inputs), (targets, 1.0, mixed)):
            cv2.addWeighted(
                source[sample].reshape(-1),
                scale * keep,
                source[partner].reshape(-1),
                scale * (1 - keep),
                0,
                dst=out[sample].reshape(-1),
                dtype=cv2.CV_32F,
            )
        for target in (targets[sample], targets[partner]):
            mixed[sample][..., target[0, 0] < 0] = UNLABELLED
    return inputs, mixed


def mix_frames(
    frames: np.ndarray,
    positions: np.ndarray,
    labelled: np.ndarray,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Insert blends of neighbouring frames, then draw a window from the longer sequence.

    V3's alternative to mixup between samples (Chen and Wang 2023, section 3.4): one share l
    from Beta(alpha, alpha) a window; of the 2 x frames - 1 frames as many as before are drawn
    and kept in order. The target of an inserted frame is the blend of its neighbours' discs;
    where one of them is invisible or they are closer than 10 pixels, one disc alone as in the
    published code.

    Args:
        frames: `(frames, height, width, 3)` uint8.
        positions: `(frames, 2)`, (x, y) in pixels; NaN where there is no ball.
        labelled: `(frames,)` bool; a blend with an unlabelled frame is unlabelled, too.
        alpha: parameter of the Beta distribution, above 0.
        rng: source of chance.

    Returns:
        Frames as they came in shape and type, and their heatmaps
        `(height, width, frames)` float32.
    """
    count, size = len(frames), frames.shape[1:3]
    share = rng.beta(alpha, alpha)
    drawn = np.sort(rng.permutation(2 * count - 1)[:count])
    discs = render_disc(positions, size)
    discs[..., ~labelled] = UNLABELLED
    mixed, heatmaps = np.empty_like(frames), np.empty_like(discs)
    for place, index in enumerate(drawn):
        current = (index + 1) // 2
        if index % 2 == 0:
            mixed[place], heatmaps[..., place] = frames[current], discs[..., current]
            continue
        previous = current - 1
        mixed[place] = cv2.addWeighted(frames[previous], share, frames[current], 1 - share, 0)
        before, after = discs[..., previous], discs[..., current]
        if not labelled[previous : current + 1].all():
            heatmaps[..., place] = UNLABELLED
        elif not np.isfinite(positions[current]).all():
            heatmaps[..., place] = before
        elif (
            not np.isfinite(positions[previous]).all()
            or np.linalg.norm(positions[current] - positions[previous]) < 10
        ):
            heatmaps[..., place] = after
        else:
            heatmaps[..., place] = share * before + (1 - share) * after
    return mixed, heatmaps
