"""Operations: windows and targets drawn from frames on the device, in `keras.ops`.

Levels are 0 to 255 in float32, whole numbers wherever the host pipeline has bytes. `pictures` of a
window are its background, where the network sees one, and its frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from keras import ops

from keras_tracknet.training.batches.heatmaps import (
    CLASS_VARIANCE,
    DISC_RADIUS,
    GAUSSIAN_SIGMA,
    UNLABELLED,
)

PADDING = 25  # pixels about a picture for what is pasted across its edge: a whole cut-out

Tensors = dict[str, Any]


@dataclass(frozen=True)
class Rendering:
    """What is the same for every batch of a run.

    Attributes:
        size: (height, width) of the network's input, pixels.
        background: background mode, as for `build_v3`.
        target: `disc`, `gaussian` or `classes`.
    """

    size: tuple[int, int]
    background: str
    target: str


def render_batch(store: Tensors, plan: Tensors, rendering: Rendering) -> tuple[Any, Any]:
    """Draw a batch.

    Args:
        store: `frames` `(all frames, height, width, 3)` uint8, `backgrounds`
            `(clips, height, width, 3)` uint8 and, where balls are pasted, `opacities`
            `(all frames, side, side)` float32.
        plan: what chance decides; for the shapes see the operations below.
        rendering: size, background mode and kind of target.

    Returns:
        Inputs `(batch, height, width, channels)` float32, 0 to 1, and targets as
        `render_targets` returns them.
    """
    behind = store["backgrounds"] if rendering.background != "none" else None
    pictures = take_pictures(store["frames"], behind, plan["frames"], plan["clip"])
    if "cut_outs" in plan:
        pictures = paste_balls(pictures, store["opacities"], plan)
    pictures = cut_regions(
        pictures, plan["corners"], plan["extents"], plan["mirrored"], rendering.size
    )
    pictures = change_colours(pictures, plan["gains"], plan["shifts"], plan["order"])
    inputs = stack_pictures(pictures, rendering.background) / 255.0
    targets = render_targets(plan["centres"], plan["labelled"], rendering.size, rendering.target)
    if "share" in plan:
        return mix_samples(inputs, targets, plan["share"], plan["partner"])
    return inputs, targets


def take_pictures(frames: Any, backgrounds: Any, indices: Any, clip: Any) -> Any:
    """Return the pictures of each window, `(batch, pictures, height, width, 3)` uint8.

    Args:
        frames: `(all frames, height, width, 3)` uint8.
        backgrounds: `(clips, height, width, 3)` uint8; None to leave them out.
        indices: `(batch, frames)` int32.
        clip: `(batch,)` int32.
    """
    window = ops.take(frames, indices, axis=0)
    if backgrounds is None:
        return window
    return ops.concatenate([ops.take(backgrounds, clip, axis=0)[:, None], window], axis=1)


def paste_balls(pictures: Any, opacities: Any, plan: Tensors) -> Any:
    """Draw balls on pictures, one above the other.

    Args:
        pictures: `(batch, pictures, height, width, 3)` uint8.
        opacities: `(all frames, side, side)` float32, 0 to 1.
        plan: `cut_outs` `(batch, balls, pictures)` int32, which opacity each ball has;
            `places` `(batch, balls, pictures, 2)` int32, its upper left corner (x, y), pixels;
            `beyond`, same shape, float32, parts of a pixel that it is moved by; `colours`
            `(batch, balls, 3)`.

    Returns:
        `(batch, pictures, height, width, 3)` uint8.
    """
    batch, count, height, width, _ = pictures.shape
    edge = (PADDING, PADDING)
    padded = ops.pad(pictures, ((0, 0), (0, 0), edge, edge, (0, 0)))
    rows, columns = height + 2 * PADDING, width + 2 * PADDING
    first = ops.reshape(ops.arange(batch * count, dtype="int32"), (batch, count, 1, 1))
    offsets = ops.arange(opacities.shape[-1], dtype="int32")

    def draw(number: Any, pixels: Any) -> Any:
        cut_out, place, beyond, colour = (
            ops.take(plan[name], number, axis=1)
            for name in ("cut_outs", "places", "beyond", "colours")
        )
        opacity = shift_opacities(ops.take(opacities, cut_out, axis=0), beyond)[..., None]
        y = place[..., 1, None, None] + PADDING + offsets[:, None]
        x = place[..., 0, None, None] + PADDING + offsets
        index = ops.reshape((first * rows + y) * columns + x, (-1,))
        below = ops.reshape(ops.take(pixels, index, axis=0), (*opacity.shape[:-1], 3))
        below = ops.cast(below, "float32")
        drawn = ops.round(below + opacity * (colour[:, None, None, None] - below))
        drawn = ops.reshape(ops.cast(drawn, "uint8"), (-1, 3))
        return ops.scatter_update(pixels, index[:, None], drawn)

    pixels = ops.reshape(padded, (-1, 3))
    pixels = ops.fori_loop(0, plan["cut_outs"].shape[1], draw, pixels)
    padded = ops.reshape(pixels, padded.shape)
    return padded[:, :, PADDING:-PADDING, PADDING:-PADDING]


def shift_opacities(opacities: Any, shifts: Any) -> Any:
    """Return cut-outs `(..., side, side)` moved by parts of a pixel `(..., 2)`, (x, y)."""
    place = ops.arange(opacities.shape[-1], dtype="float32")
    apart = place[:, None] - place  # target - source
    across = ops.maximum(1 - ops.abs(apart - shifts[..., 0, None, None]), 0.0)
    down = ops.maximum(1 - ops.abs(apart - shifts[..., 1, None, None]), 0.0)
    return ops.matmul(ops.matmul(down, opacities), ops.swapaxes(across, -1, -2))


def cut_regions(
    pictures: Any, corners: Any, extents: Any, mirrored: Any, size: tuple[int, int]
) -> Any:
    """Cut a region out of every picture, stretch it to one size, mirror it where asked.

    Args:
        pictures: `(batch, pictures, height, width, 3)` uint8.
        corners: `(batch, pictures, 2)` float32, first column and row (x, y), pixels.
        extents: `(batch, 2)` float32, (height, width) of the region, pixels.
        mirrored: `(batch,)` bool.
        size: (height, width) of the result, pixels.

    Returns:
        `(batch, pictures, *size, 3)` float32, whole levels, interpolated linearly.
    """
    height, width = size
    rows = ops.arange(height, dtype="float32")[None]
    columns = ops.arange(width, dtype="float32")[None]
    columns = ops.where(mirrored[:, None], width - 1 - columns, columns)
    upper, lower, down = find_neighbours(rows, extents[:, :1], corners[..., 1:])
    left, right, across = find_neighbours(columns, extents[:, 1:], corners[..., :1])
    # Whole rows are taken out of one long list of them, which is faster than pixel by pixel.
    batch, count, tall, wide, _ = pictures.shape
    every = ops.reshape(pictures, (batch * count * tall, wide * 3))
    first = ops.reshape(ops.arange(batch * count, dtype="int32") * tall, (batch, count, 1))

    def take_rows(index: Any) -> Any:
        taken = ops.take(every, ops.reshape(first + index, (-1,)), axis=0)
        return ops.cast(ops.reshape(taken, (batch, count, height, wide, 3)), "float32")

    def take_columns(index: Any) -> Any:
        return ops.take_along_axis(cut, index[:, :, None, :, None], axis=3)

    down, across = down[:, None, :, None, None], across[:, None, None, :, None]
    cut = take_rows(upper) * (1 - down) + take_rows(lower) * down
    return ops.round(take_columns(left) * (1 - across) + take_columns(right) * across)


def find_neighbours(places: Any, extent: Any, corners: Any) -> tuple[Any, Any, Any]:
    """Return between which rows, or columns, of a region those of its stretched picture lie.

    Args:
        places: `(batch or 1, places)` float32, all rows or columns of the stretched picture.
        extent: `(batch, 1)` float32, how many the region has.
        corners: `(batch, pictures, 1)` float32, its first one in each picture.

    Returns:
        The one before and the one after, `(batch, pictures, places)` int32, and the share of the
        latter, `(batch, places)` float32.
    """
    inside = (places + 0.5) * (extent / places.shape[-1]) - 0.5
    inside = ops.clip(inside, 0.0, extent - 1)
    before = ops.floor(inside)
    after = ops.minimum(before + 1, extent - 1)
    first, second = (ops.cast(edge[:, None] + corners, "int32") for edge in (before, after))
    return first, second, inside - before


def change_colours(pictures: Any, gains: Any, shifts: Any, order: Any) -> Any:
    """Change contrast and brightness, then the order of the channels.

    Args:
        pictures: `(batch, pictures, height, width, 3)` float32, levels.
        gains: `(batch, 3)`, about the level 128.
        shifts: `(batch,)`, levels to add.
        order: `(batch, 3)` int32, which channel each one is taken from.

    Returns:
        `(batch, pictures, height, width, 3)` float32, whole levels 0 to 255.
    """
    gains = gains[:, None, None, None]
    changed = (pictures - 128) * gains + 128 + shifts[:, None, None, None, None]
    changed = ops.clip(ops.round(changed), 0.0, 255.0)
    return ops.take_along_axis(changed, order[:, None, None, None], axis=-1)


def stack_pictures(pictures: Any, background: str) -> Any:
    """Put the pictures of each window into channels, as `stack_window` does.

    Args:
        pictures: `(batch, pictures, height, width, 3)` float32, levels; the first is the
            background unless the mode is `none`.
        background: background mode, as for `build_v3`.

    Returns:
        `(batch, height, width, channels)` float32, levels.
    """
    if background.startswith("subtract"):
        frames, behind = pictures[:, 1:], pictures[:, :1]
        beside = ops.sum(ops.abs(frames - behind), axis=-1, keepdims=True)
        beside = ops.minimum(beside, 255.0)
        both = background == "subtract_concat"
        pictures = ops.concatenate([frames, beside], axis=-1) if both else beside
    batch, _, height, width, _ = pictures.shape
    return ops.reshape(ops.transpose(pictures, (0, 2, 3, 1, 4)), (batch, height, width, -1))


def render_targets(centres: Any, labelled: Any, size: tuple[int, int], target: str) -> Any:
    """Draw the targets of each window, as `render_disc`, `render_gaussian` or `render_classes`.

    Args:
        centres: `(batch, heatmaps, balls, 2)` float32, (x, y) in pixels, for discs and classes
            the nearest pixel; NaN where there is no ball.
        labelled: `(batch, heatmaps)` bool.
        size: (height, width) in pixels.
        target: `disc`, `gaussian` or `classes`.

    Returns:
        `(batch, height, width, heatmaps)` float32, `UNLABELLED` in the maps of unlabelled frames;
        for classes `(batch, height, width)` uint8.
    """
    height, width = size
    x, y = centres[:, None, None, ..., 0], centres[:, None, None, ..., 1]
    columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width, 1, 1))
    rows = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1, 1, 1))
    squares = (columns - x) ** 2 + (rows - y) ** 2  # (batch, height, width, heatmaps, balls)
    if target == "disc":
        values = ops.cast(squares <= DISC_RADIUS**2, "float32")  # NaN is nowhere
    else:
        reach, spread = (
            (11, CLASS_VARIANCE)
            if target == "classes"
            else (math.ceil(4 * GAUSSIAN_SIGMA), GAUSSIAN_SIGMA**2)
        )
        near = ops.maximum(
            ops.abs(columns - ops.floor(x + 0.5)), ops.abs(rows - ops.floor(y + 0.5))
        )
        values = ops.where(near <= reach, ops.exp(-squares / (2 * spread)), 0.0)
    if target == "classes":
        return ops.cast(ops.floor(255 * ops.max(values, axis=-1))[..., -1], "uint8")
    return ops.where(labelled[:, None, None], ops.max(values, axis=-1), UNLABELLED)


def mix_samples(inputs: Any, targets: Any, share: Any, partner: Any) -> tuple[Any, Any]:
    """Blend each sample with another one, as `mix_batch` does.

    Args:
        inputs: `(batch, height, width, channels)` float32.
        targets: `(batch, height, width, heatmaps)` float32, below 0 where unlabelled.
        share: `(batch,)` float32, what a sample keeps of itself.
        partner: `(batch,)` int32.
    """
    share = share[:, None, None, None]
    others = ops.take(targets, partner, axis=0)
    unlabelled = ops.logical_or(targets < 0, others < 0)
    mixed = share * inputs + (1 - share) * ops.take(inputs, partner, axis=0)
    blend = share * targets + (1 - share) * others
    return mixed, ops.where(unlabelled, UNLABELLED, blend)
