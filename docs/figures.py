"""Draws the figures of the documentation with the package's functions and rendered rallies.

    python docs/figures.py

Writes docs/images/*.svg and *.png. Needs matplotlib.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import keras
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from rooms import draw_rooms

import keras_tracknet as kt
from keras_tracknet.frames.background import estimate_background, subtract_background
from keras_tracknet.frames.windows import MODES, window_starts, window_step
from keras_tracknet.inference.rectification import TOP_SHARE, repair_mask
from keras_tracknet.layers import temporal_shift
from keras_tracknet.synthetic import RallyConfig, simulate_rally
from keras_tracknet.training.batches.heatmaps import render_classes, render_disc, render_gaussian

IMAGES = Path(__file__).parent / "images"
INK, PALE, BLUE, ORANGE, GREEN = "#333333", "#dddddd", "#0072b2", "#d55e00", "#009e73"
RALLY = RallyConfig(frames=64, size=(288, 512), seed=10, noise=0.0)
LOBS = RallyConfig(frames=120, size=(288, 512), seed=38, occlusion=False)
HOLES = ((12, 3), (24, 9), (70, 2), (95, 1))  # (first frame, length)
STYLE = {
    "font.size": 9,
    "svg.hashsalt": "keras_tracknet",  # the same picture is the same file
}


def main(folder: Path) -> None:
    """Draw every figure."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures, positions = render_rally()
    figures = {
        "networks.svg": draw_networks(),
        "input.png": draw_input(pictures, positions),
        "targets.png": draw_targets(pictures, positions),
        "windows.svg": draw_windows(),
        "rectifier.svg": draw_rectifier(),
        "shift.svg": draw_shift(),
        "rooms.svg": draw_rooms(),
    }
    for name, figure in figures.items():
        kind = {"metadata": {"Date": None}} if name.endswith(".svg") else {"dpi": 100}
        figure.savefig(folder / name, bbox_inches="tight", **kind)


def render_rally() -> tuple[np.ndarray, np.ndarray]:
    """Return a rendered rally's frames and the shuttlecock's positions in them, pixels."""
    rally = simulate_rally(RALLY)
    return np.stack(list(rally.frames())), rally.track.positions


def draw_networks() -> Figure:
    """Draw V1 and V3: each stage as tall as its feature map, labelled with its channels."""
    figure = Figure(figsize=(8, 4.4))
    networks = {
        "V1: no skip connections, 256 classes of brightness for one frame": kt.build_v1(),
        "V3: skip connections, background and 8 frames in, 8 heatmaps out": kt.build_v3(),
    }
    for axes, (title, model) in zip(figure.subplots(2, 1), networks.items(), strict=True):
        _draw_network(axes, model)
        axes.set_title(title, loc="left")
    figure.tight_layout()
    return figure


def _draw_network(axes: Any, model: keras.Model) -> None:
    stages = find_stages(model)
    deepest = min(height for _, height, _ in stages)
    places = {}
    for place, (name, height, channels) in enumerate(stages):
        side = 0.35 + 0.35 * np.log2(height / deepest)
        ends = place in (0, len(stages) - 1)
        colour = GREEN if ends else BLUE if "encoder" in name else ORANGE
        box = Rectangle((place - 0.3, -side / 2), 0.6, side, color=colour, alpha=0.8, lw=0)
        axes.add_patch(box)
        places[name] = (place, side / 2)
        axes.text(place, 0, str(channels), ha="center", va="center", color="white")
        axes.text(place, -0.92, f"{name}\nheight {height}", ha="center", va="top", fontsize=7)
    if any(layer.name.endswith("_concat") for layer in model.layers):
        for number in (1, 2, 3):
            (start, top), (stop, _) = places[f"encoder{number}"], places[f"decoder{4 - number}"]
            level = 0.85 + 0.16 * (3 - number)
            axes.plot([start, start, stop, stop], [top, level, level, top], color=INK, lw=1)
    for place in range(len(stages) - 1):
        axes.annotate(
            "", (place + 0.7, 0), (place + 0.3, 0), arrowprops={"arrowstyle": "->", "color": INK}
        )
    axes.set(xlim=(-0.5, len(stages) - 0.5), ylim=(-1.5, 1.3))
    axes.axis("off")


def find_stages(model: keras.Model) -> list[tuple[str, int, int]]:
    """Return (name, height, channels) of a network's input, stages and output."""
    found = {"input": tuple(model.input_shape)}
    for layer in model.layers:
        name = layer.name.partition("_")[0]
        if name.startswith(("encoder", "bottleneck", "decoder")) and "_conv" in layer.name:
            found[name] = tuple(layer.output.shape)
    found["output"] = tuple(model.output_shape)
    return [(name, shape[1], shape[3]) for name, shape in found.items()]


def draw_input(pictures: np.ndarray, positions: np.ndarray) -> Figure:
    """Draw a window as V3 sees it: background, frames and differences, cropped."""
    start, (height, width) = choose_frame(pictures, positions), (100, 160)
    x, y = positions[start].astype(int)
    left = int(np.clip(x - width // 2, 0, pictures.shape[2] - width))
    top = int(np.clip(y - height // 2, 0, pictures.shape[1] - height))
    cut = np.s_[..., top : top + height, left : left + width, :]
    window, background = pictures[start : start + 8], estimate_background(pictures)
    differences = subtract_background(window[cut], background[cut])
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    grid = figure.subplots(2, 5)
    places = (0, 2, 4, 6)
    shown = [("background", background), *((f"frame {k}", window[k]) for k in places)]
    for axes, (title, picture) in zip(grid[0], shown, strict=True):
        axes.imshow(picture[cut], interpolation="nearest")
        axes.set_title(title, fontsize=8)
    for above, below, k in zip(grid[0, 1:], grid[1, 1:], places, strict=True):
        below.imshow(255 - differences[k], cmap="gray", vmin=0, vmax=255)
        ball = positions[start + k] - (left, top)
        for axes in (above, below):
            axes.plot(*ball, "o", mfc="none", mec=ORANGE, ms=11, mew=1)
    grid[1, 0].text(1, 0.5, "difference", ha="right", transform=grid[1, 0].transAxes, fontsize=8)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
    grid[1, 0].axis("off")
    return figure


def choose_frame(pictures: np.ndarray, positions: np.ndarray, margin: int = 20) -> int:
    """Return the first frame of the window in which the shuttlecock stands out most.

    Nothing else may move around it: beside a player, a shuttlecock is hard to see.
    """
    differences = subtract_background(pictures, estimate_background(pictures)).astype(float)
    height, width = pictures.shape[1:3]
    contrast = np.full(len(pictures), -np.inf)
    for frame, (x, y) in enumerate(positions):
        if margin < x < width - margin and margin < y < height - margin:
            row, column = int(y + 0.5), int(x + 0.5)
            rows = slice(row - margin, row + margin + 1)
            around = differences[frame, rows, column - margin : column + margin + 1]
            contrast[frame] = differences[frame, row, column] - 10 * around.mean()
    return int(np.lib.stride_tricks.sliding_window_view(contrast, 8).min(axis=1).argmax())


def draw_targets(pictures: np.ndarray, positions: np.ndarray) -> Figure:
    """Draw the frame around the shuttlecock and its three targets, pixel by pixel."""
    size, reach = pictures.shape[1:3], 12
    frame = choose_frame(pictures, positions)
    x, y = positions[frame]
    left, top = int(x) - reach, int(y) - reach
    cut = (slice(top, top + 2 * reach + 1), slice(left, left + 2 * reach + 1))
    here = positions[frame : frame + 1]
    shown = {
        "frame": pictures[frame],
        "disc (V2, V3)": render_disc(here, size)[..., 0],
        "Gaussian (--target gaussian)": render_gaussian(here, size)[..., 0],
        "256 classes (V1)": render_classes(here, size)[..., 0],
    }
    figure = Figure(figsize=(8, 2.3), layout="constrained")
    for axes, (title, picture) in zip(figure.subplots(1, 4), shown.items(), strict=True):
        drawn = axes.imshow(picture[cut], cmap="viridis", interpolation="nearest")
        axes.plot(x - left, y - top, "+", color=ORANGE, ms=10)
        axes.set_title(title, fontsize=9)
        axes.axis("off")
        if picture.ndim == 2:
            figure.colorbar(drawn, ax=axes, fraction=0.046)
    return figure


def draw_windows(clip: int = 21, frames: int = 8) -> Figure:
    """Draw the windows of each mode and how often each frame is seen."""
    figure = Figure(figsize=(8, 5))
    counts = [len(window_starts(clip, frames, window_step(mode, frames))) for mode in MODES]
    rows = figure.subplots(3, 1, sharex=True, height_ratios=[count + 2 for count in counts])
    for axes, mode in zip(rows, MODES, strict=True):
        starts = window_starts(clip, frames, window_step(mode, frames))
        seen = np.zeros(clip, int)
        for row, start in enumerate(starts):
            seen[start : start + frames] += 1
            for frame in range(start, start + frames):
                box = Rectangle((frame - 0.45, -row - 0.4), 0.9, 0.8, color=BLUE, lw=0)
                axes.add_patch(box)
        for frame, times in enumerate(seen):
            axes.text(frame, 1, f"{times}x", ha="center", va="center", fontsize=7)
        axes.set(ylim=(-len(starts) + 0.4, 1.6), yticks=[], xlim=(-0.6, clip - 0.4))
        step = window_step(mode, frames)
        axes.set_title(f"{mode}: a window every {step} frame{'s' * (step > 1)}", loc="left")
        axes.spines[["left", "top", "right"]].set_visible(False)
    axes.set(xticks=range(0, clip, 2), xlabel="frame of the clip")
    figure.tight_layout()
    return figure


def draw_rectifier() -> Figure:
    """Draw the height over a rally with gaps, and which gaps the rectifier may fill."""
    y = simulate_rally(LOBS).track.y
    y, top = y[np.isfinite(y).argmax() :], TOP_SHARE * 288
    visible = np.isfinite(y) & (y > 0)
    for start, length in HOLES:
        visible[start : start + length] = False
    filled = repair_mask(visible, y, top=top, max_gap=3)
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    axes = figure.subplots()
    frames = np.arange(len(y))
    axes.plot(frames[visible], y[visible], ".", color=BLUE, ms=4, label="detected")
    axes.plot(frames[filled], y[filled], "o", mfc="none", color=ORANGE, label="filled")
    left = ~visible & ~filled & np.isfinite(y)
    axes.plot(frames[left], y[left], "x", color=INK, ms=4, label="left alone")
    axes.axhline(top, color=PALE, zorder=0)
    above = np.flatnonzero(~np.isfinite(y)).mean()  # out of the picture, so there is room
    axes.text(above, top - 3, "near the top edge", ha="center", fontsize=7, color=INK)
    axes.set(xlabel="frame", ylabel="y, pixels", ylim=(288, min(-10.0, np.nanmin(y) - 5)))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", ncols=3, frameon=False, fontsize=8)
    return figure


def draw_shift(frames: int = 6, channels: int = 16) -> Figure:
    """Draw how TrackNet and TSM see motion: stacked frames and shifted channels."""
    figure = Figure(figsize=(8, 2.8))
    stacked, shifted = figure.subplots(1, 2, width_ratios=[1, 1.3])
    for frame in range(frames):
        for colour in range(3):
            where = (3 * frame + colour - 0.45, -0.4)
            stacked.add_patch(Rectangle(where, 0.9, 0.8, color=_shade(frame, frames), lw=0))
    stacked.text(8.5, -1, "one convolution sees all frames", ha="center", fontsize=8)
    stacked.set(xlim=(-1, 3 * frames), ylim=(-3, 1))
    stacked.set_title("TrackNet: frames stacked in channels", fontsize=9)
    numbers = np.broadcast_to(np.arange(1.0, frames + 1)[:, None], (frames, channels))
    moved = keras.ops.convert_to_numpy(temporal_shift(keras.ops.array(numbers[None])))[0]
    for frame in range(frames):
        for channel in range(channels):
            source = int(moved[frame, channel]) - 1  # 0 came from beyond the clip
            colour = _shade(source, frames) if source >= 0 else "white"
            box = Rectangle((channel - 0.45, -frame - 0.4), 0.9, 0.8, facecolor=colour)
            box.set(edgecolor=PALE, linewidth=0.5)
            shifted.add_patch(box)
        shifted.text(-0.8, -frame, f"frame {frame}", ha="right", va="center", fontsize=7)
    shifted.set(xlim=(-3, channels), ylim=(-frames + 0.2, 1))
    shifted.set_title("TSM: a few channels come from neighbouring frames", fontsize=9)
    for axes in (stacked, shifted):
        axes.axis("off")
    figure.tight_layout()
    return figure


def _shade(frame: int, frames: int) -> Any:
    return mpl.colormaps["viridis"](frame / (frames - 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=IMAGES)
    with mpl.rc_context(STYLE):
        main(**vars(parser.parse_args()))
