"""Plots: of a track, where the ball flew and was most; of a training run, how it went."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from keras_tracknet.files import replace_file
from keras_tracknet.tracks.figures import (
    ABSENT_COLOUR,
    DETECTED_COLOUR,
    REPAIRED_COLOUR,
    check_matplotlib,
    choose_moments,
    draw_flight,
    draw_picture,
    make_figure,
)
from keras_tracknet.tracks.tables import ABSENT, REJECTED, REPAIRED
from keras_tracknet.tracks.track import Track

PLOTS = ("trajectory", "heat_map", "positions", "confidence")
CELL = 1 / 40  # heat map: standard deviation of the blur, share of the picture's height


def name_plots(folder: Path, prefix: str = "") -> tuple[Path, ...]:
    """Return where the pictures that `plot_track` draws go in a folder, by `PLOTS`."""
    return tuple(folder / f"{prefix}{name}.png" for name in PLOTS)


def plot_track(
    track: Track,
    background: np.ndarray,
    paths: Sequence[Path],
    *,
    threshold: float | None = None,
) -> None:
    """Draw a track: its trajectory, heat map, positions and confidence over time.

    Args:
        track: pixels of the source video.
        background: `(height, width, 3)` uint8 RGB, source pixels, such as the median of a few
            of the video's frames.
        paths: a file for each picture, as `name_plots` gives them; folders are created.
        threshold: drawn into the confidence plot.

    Raises:
        InputError: matplotlib is not installed, or a file cannot be written.
    """
    check_matplotlib()
    figures = (
        draw_trajectory(track, background),
        draw_heat_map(track, background),
        draw_positions(track, background.shape[:2]),
        draw_confidence(track, threshold),
    )
    for figure, path in zip(figures, paths, strict=True):
        with replace_file(path) as partial:
            figure.savefig(partial, dpi=110)


def draw_trajectory(track: Track, background: np.ndarray) -> Any:
    """Return a figure of the flight over the background, see `draw_flight`."""
    return draw_flight(track.positions, track.time, track.status == REPAIRED, background)


def draw_heat_map(track: Track, background: np.ndarray) -> Any:
    """Return a figure of how long the ball was where, over the background."""
    figure, axes = draw_picture(background, "Ball positions")
    height, width = background.shape[:2]
    seen = track.positions[track.visibility]
    counts, _, _ = np.histogram2d(
        seen[:, 1],
        seen[:, 0],
        bins=(max(1, height // 4), max(1, width // 4)),
        range=((0, height), (0, width)),
    )
    spread = cv2.GaussianBlur(counts, (0, 0), sigmaX=max(1.0, CELL * height / 4))
    highest = spread.max()
    if highest > 0:
        share = spread / highest
        heat = axes.imshow(
            share,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            cmap="inferno",
            alpha=np.clip(3 * share, 0, 0.85),
            vmin=0,
            vmax=1,
        )
        figure.colorbar(heat, ax=axes, label="density relative to the maximum", fraction=0.03)
    return figure


def draw_positions(track: Track, size: tuple[int, int]) -> Any:
    """Return a figure of x and y over time; repaired and absent frames are marked.

    Args:
        track: pixels of the source video.
        size: (height, width) of the video, pixels.
    """
    upper, lower = make_figure().subplots(2, 1, sharex=True)
    moments, label = choose_moments(track.time)
    for axes, values, name, end in ((upper, track.x, "x", size[1]), (lower, track.y, "y", size[0])):
        _mark_absent(axes, track, moments)
        detected = np.where(track.status == REPAIRED, np.nan, values)
        axes.plot(moments, detected, ".-", color=DETECTED_COLOUR, ms=3, lw=0.7, label="detected")
        repaired = track.status == REPAIRED
        if repaired.any():
            axes.plot(
                moments[repaired], values[repaired], ".", color=REPAIRED_COLOUR, label="repaired"
            )
        axes.set(ylabel=f"{name} (pixels)", ylim=(0, end))
        axes.grid(alpha=0.3)
    lower.invert_yaxis()  # as in the picture
    lower.set_xlabel(label)
    upper.set_title("Position")
    upper.legend(loc="upper right")
    return upper.figure


def draw_confidence(track: Track, threshold: float | None = None) -> Any:
    """Return a figure of the heatmap's peak over time."""
    axes = make_figure().subplots()
    moments, label = choose_moments(track.time)
    _mark_absent(axes, track, moments)
    axes.plot(moments, track.confidence, color=DETECTED_COLOUR, lw=0.8)
    if threshold is not None:
        axes.axhline(threshold, color="black", ls="--", lw=0.8, label=f"threshold {threshold:g}")
    axes.set(title="Confidence", xlabel=label, ylabel="heatmap peak, 0 to 1", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right")
    return axes.figure


def draw_confusion(confusion: np.ndarray, classes: Sequence[str]) -> Any:
    """Return a figure of a confusion matrix: numbers, and shares of each row as shades.

    Args:
        confusion: `(classes, classes)` int, a row for each true class, a column for each
            predicted one.
        classes: their names.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 4.8), layout="constrained")
    axes = figure.subplots()
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    shades = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(confusion):
        colour = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour)
    ticks = range(len(classes))
    axes.set(xticks=ticks, yticks=ticks, xlabel="predicted", ylabel="labelled")
    axes.set_xticklabels(classes)
    axes.set_yticklabels(classes)
    axes.set_title("Windows")
    figure.colorbar(shades, ax=axes, label="share of labelled windows", fraction=0.045)
    return figure


def draw_curves(history: Sequence[dict[str, Any]], title: str) -> Any:
    """Return a figure of a training run: loss and scores over epochs.

    Args:
        history: a row for each epoch.
        title: of the scores.
    """
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    loss, score = figure.subplots(1, 2)
    for name, label in (("loss", "training"), ("val_loss", "validation")):
        loss.plot(epochs, [row.get(name, math.nan) for row in history], label=label, marker=".")
    loss.set(title="Loss", xlabel="epoch", yscale="log")
    for name in ("val_accuracy", "val_f1"):
        if name in history[-1]:
            values = [row.get(name, math.nan) for row in history]
            score.plot(epochs, values, label=name.removeprefix("val_"), marker=".")
    score.set(title=title, xlabel="epoch", ylim=(0, 1))
    for axes in (loss, score):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    return figure


def _mark_absent(axes: Any, track: Track, moments: np.ndarray) -> None:
    """Shade the frames without a ball."""
    absent = np.isin(track.status, (ABSENT, REJECTED)).astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], absent, [0]])))
    step = float(np.median(np.diff(moments))) if len(moments) > 1 else 1.0
    ends = np.append(moments, moments[-1:] + step)
    for first, stop in edges.reshape(-1, 2):
        axes.axvspan(
            ends[first],
            ends[stop],
            color=ABSENT_COLOUR,
            alpha=0.4,
            lw=0,
            label="absent" if first == edges[0] else None,
        )
