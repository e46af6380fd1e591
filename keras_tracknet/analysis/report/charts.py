"""Charts as SVG: paths over the picture, values over time, and bars with their spread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from markupsafe import Markup, escape

# By player; the third is for shots whose player is unknown.
PLAYER_COLOURS = {"near": "#0072b2", "far": "#d55e00", "": "#8a6fb0"}
INK = "#888888"
WIDTH, LEFT, RIGHT = 640, 44, 8  # pixels of a chart and of its margins
LABEL_RADIUS = 18.0  # pixels at a height of 720


class Label(NamedTuple):
    """A number on a drawing: where it belongs `(2,)`, its text, colour and what it is in words."""

    place: np.ndarray
    text: str
    colour: str
    title: str


def draw_path(points: np.ndarray, colour: str, *, width: float = 2.0) -> Markup:
    """Lines through `(points, 2)`, broken where one is NaN."""
    parts = []
    for run in split_runs(np.isfinite(points).all(axis=1)):
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points[run])
        parts.append(
            f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="{width}"'
            ' stroke-linejoin="round"/>'
        )
    return Markup("".join(parts))


def split_runs(good: np.ndarray) -> list[slice]:
    """The stretches of a `(values,)` bool that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(int), [0]])))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def draw_labels(labels: Sequence[Label], radius: float, size: tuple[float, float]) -> Markup:
    """Numbers in discs, moved aside where they would cover each other, with a line to their place.

    Args:
        labels: in the pixels of the drawing.
        radius: of a disc, pixels of the drawing.
        size: (height, width) of the drawing, which the discs stay inside.
    """
    labels = [label for label in labels if np.isfinite(label.place).all()]
    places = np.array([label.place for label in labels]).reshape(-1, 2)
    edge = np.array([size[1], size[0]]) - radius
    spots = spread_labels(np.clip(places, radius, edge), radius)
    lines, discs = [], []
    for label, (x, y) in zip(labels, spots, strict=True):
        (x0, y0), scale = label.place, radius / LABEL_RADIUS
        lines.append(
            f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x:.1f}" y2="{y:.1f}" stroke="{label.colour}"'
            f' stroke-width="{2 * scale:.2f}"/>'
        )
        discs.append(
            f'<g class="label" transform="translate({x:.1f} {y:.1f}) scale({scale:.3f})">'
            f"<title>{escape(label.title)}</title>"
            f'<circle r="{LABEL_RADIUS:g}" fill="{label.colour}"/>'
            f"<text>{escape(label.text)}</text></g>"
        )
    return Markup("".join(lines + discs))


def spread_labels(places: np.ndarray, radius: float) -> np.ndarray:
    """Move `(labels, 2)` places to the nearest spots where discs of a radius do not overlap."""
    turns = np.arange(0, 2 * np.pi, np.pi / 6)
    ring = np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    steps = [np.zeros((1, 2)), *(ring * radius * k for k in np.arange(1, 12, 0.5))]
    offsets = np.concatenate(steps)
    placed = np.zeros((0, 2))
    for place in places:
        tries = place + offsets
        gaps = np.linalg.norm(tries[:, None] - placed, axis=-1).min(axis=1, initial=np.inf)
        free = gaps >= 2 * radius - 1e-6
        placed = np.append(placed, tries[[int(free.argmax())]], axis=0)
    return placed


def frame_picture(size: tuple[int, int], inside: Iterable[Markup], *, scene: bool) -> Markup:
    """A drawing in the pixels of the video, over the scene of the page if there is one."""
    height, width = size
    below = f'<rect width="{width}" height="{height}" class="blank"/>'
    if scene:
        below = '<use href="#scene"/>'
    drawn = "".join([below, *inside])
    return Markup(f'<svg viewBox="0 0 {width} {height}" class="wide" role="img">{drawn}</svg>')


def draw_chart(
    times: np.ndarray,
    values: np.ndarray,
    span: tuple[float, float],
    *,
    top: float,
    spread: np.ndarray | None = None,
    marks: Iterable[tuple[float, str]] = (),
    height: int = 130,
) -> Markup:
    """Values over time, with a band around them and marks at moments.

    Args:
        times: `(values,)` seconds.
        values: what is drawn; NaN breaks the line.
        span: first and last second of the chart.
        top: greatest value of the chart; the least is 0.
        spread: half the height of the band.
        marks: time and title of each.
        height: of the drawing.
    """
    low = height - 22
    scale = (WIDTH - LEFT - RIGHT) / max(span[1] - span[0], 1e-6)

    def see(moments: np.ndarray, heights: np.ndarray) -> np.ndarray:
        y = low - np.clip(heights, 0, top) / top * (low - 10)
        return np.stack([LEFT + (moments - span[0]) * scale, y], axis=-1)

    parts = _draw_grid(top, low)
    for value in choose_ticks(*span, 6):
        x = float(see(np.array(value), np.array(0.0))[0])
        # At the edges the text stands inside the drawing.
        anchor = "start" if x < LEFT + 12 else "end" if x > WIDTH - RIGHT - 12 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{low + 16}" class="{anchor}">{value:g} s</text>')
    for moment, title in marks:
        x = float(see(np.array(moment), np.array(0.0))[0])
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="10" y2="{low}" class="mark">'
            f"<title>{escape(title)}</title></line>"
        )
    if spread is not None:
        for run in split_runs(np.isfinite(values)):
            upper = see(times[run], values[run] + spread[run])
            lower = see(times[run], values[run] - spread[run])[::-1]
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in np.concatenate([upper, lower]))
            parts.append(f'<polygon points="{corners}" fill="{INK}" opacity="0.3"/>')
    parts.append(draw_path(see(times, values), INK, width=1.4))
    return Markup(f'<svg viewBox="0 0 {WIDTH} {height}" class="wide chart">{"".join(parts)}</svg>')


class Bar(NamedTuple):
    """A value with its standard deviation; NaN where there is none."""

    name: str
    value: float
    error: float
    colour: str
    title: str


def draw_bars(bars: Sequence[Bar], *, height: int = 150) -> Markup:
    """A bar for each value, with a whisker of one standard deviation and the value on top."""
    low = height - 22
    tops = [bar.value + np.nan_to_num(bar.error) for bar in bars if np.isfinite(bar.value)]
    top = max([*tops, 1.0]) * 1.12
    step = (WIDTH - LEFT - RIGHT) / max(len(bars), 1)
    wide = min(0.7 * step, 34.0)
    parts = _draw_grid(top, low)
    for index, bar in enumerate(bars):
        x = LEFT + (index + 0.5) * step
        every = int(np.ceil(18 / step))
        if index % every == 0:
            parts.append(
                f'<text x="{x:.1f}" y="{low + 16}" class="middle">{escape(bar.name)}</text>'
            )
        if not np.isfinite(bar.value):
            continue
        y, less, more = (
            low - max(v, 0.0) / top * (low - 10)
            for v in (bar.value, *(bar.value + k * np.nan_to_num(bar.error) for k in (-1, 1)))
        )
        parts.append(
            f'<rect x="{x - wide / 2:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{low - y:.1f}"'
            f' fill="{bar.colour}"><title>{escape(bar.title)}</title></rect>'
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{less:.1f}" y2="{more:.1f}" class="whisker"/>'
        )
        if step >= 24:
            parts.append(
                f'<text x="{x:.1f}" y="{more - 3:.1f}" class="middle value">{bar.value:.0f}</text>'
            )
    return Markup(f'<svg viewBox="0 0 {WIDTH} {height}" class="wide chart">{"".join(parts)}</svg>')


def _draw_grid(top: float, low: float) -> list[str]:
    """Lines from side to side at round values, with their numbers."""
    parts = []
    for value in choose_ticks(0, top, 3):
        y = low - value / top * (low - 10)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            f'<text x="{LEFT - 5}" y="{y + 3.5:.1f}" class="end">{value:,g}</text>'
        )
    return parts


def choose_ticks(low: float, high: float, count: int) -> list[float]:
    """Round values between two, about `count` of them."""
    if high <= low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= raw)
    first = int(np.ceil(low / step))
    return [round(k * step, 9) for k in range(first, int(np.floor(high / step)) + 1)]


def draw_heat_map(
    positions: np.ndarray, size: tuple[float, float], base: np.ndarray, *, blur: float = 1 / 40
) -> np.ndarray:
    """Blend where positions lie dense into a picture.

    Args:
        positions: `(positions, 2)` x and y, in the units of `size`.
        size: (height, width) that the picture shows.
        base: `(height, width, 3)` uint8 RGB; it is not changed.
        blur: standard deviation of the blur, share of the height.
    """
    height, width = base.shape[:2]
    x, y = (positions.reshape(-1, 2) * [width / size[1], height / size[0]]).T
    counts, _, _ = np.histogram2d(y, x, bins=(height, width), range=((0, height), (0, width)))
    heat = cv2.GaussianBlur(counts, (0, 0), sigmaX=height * blur)
    share = heat / max(float(heat.max()), 1e-12)
    tint = cv2.cvtColor(
        cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB
    )
    cover = np.clip(3 * share, 0, 0.85)[..., None]
    blended: np.ndarray = (base * (1 - cover) + tint * cover).astype(np.uint8)
    return blended
