"""Figures: a picture with axes, and the way of the ball drawn on it."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from keras_tracknet.errors import InputError

DETECTED_COLOUR, REPAIRED_COLOUR, ABSENT_COLOUR = "#0072b2", "#d55e00", "#bbbbbb"
DIMMED = 0.55  # brightness of the background behind a plot
# From one frame to the next the ball flies less than this part of the picture height. A
# longer step is a jump to something else: drawing it would show a flight that never was.
JUMP = 0.25


def check_matplotlib() -> None:
    """Raise `InputError` where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("plots require matplotlib; run: pip install 'keras_tracknet[plots]'")


def make_figure() -> Any:
    """Return an empty figure."""
    from matplotlib.figure import Figure

    return Figure(figsize=(11, 6), layout="constrained")


def draw_picture(background: np.ndarray, title: str) -> tuple[Any, Any]:
    """Return a figure with a dimmed picture, and its axes in pixels."""
    figure = make_figure()
    axes = figure.subplots()
    axes.imshow((background * DIMMED).astype(np.uint8))
    axes.set(title=title, xlabel="x (pixels)", ylabel="y (pixels)")
    axes.set_xlim(-0.5, background.shape[1] - 0.5)
    axes.set_ylim(background.shape[0] - 0.5, -0.5)
    return figure, axes


def choose_moments(time: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the moment of each frame, and how to call it."""
    if np.isfinite(time).all():
        return time, "time (seconds)"
    return np.arange(len(time), dtype=float), "frame"


def draw_flight(
    positions: np.ndarray, time: np.ndarray, repaired: np.ndarray, background: np.ndarray
) -> Any:
    """Return a figure of the flight over the background, coloured by time.

    The line is broken where the ball is absent, and where it jumps further than it can fly.
    Repaired positions are marked.

    Args:
        positions: `(frames, 2)` pixels, NaN for no ball.
        time: `(frames,)` seconds.
        repaired: `(frames,)` bool.
        background: `(height, width, 3)` uint8 RGB.
    """
    from matplotlib.collections import LineCollection

    figure, axes = draw_picture(background, "Trajectory")
    moments, label = choose_moments(time)
    steps = np.stack([positions[:-1], positions[1:]], axis=1)
    far = JUMP * background.shape[0]
    flown = np.linalg.norm(steps[:, 1] - steps[:, 0], axis=-1) < far  # not where one is NaN
    lines = LineCollection(list(steps[flown]), cmap="viridis", linewidths=1.5)
    lines.set_array(moments[1:][flown])
    axes.add_collection(lines)
    if flown.any():
        figure.colorbar(lines, ax=axes, label=label, fraction=0.03)
    if repaired.any():
        axes.plot(*positions[repaired].T, ".", color=REPAIRED_COLOUR, ms=4, label="repaired")
        axes.legend(loc="upper right")
    return figure
