"""Charts as SVG: of a picture, of a court from above, and of values over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from markupsafe import Markup, escape

from keras_tracknet.analysis.court.calibration import Court
from keras_tracknet.analysis.court.drawing import list_strokes
from keras_tracknet.tracks.event_table import HIT, LANDING

RALLY_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#b8860b")
EVENT_COLOURS = {HIT: "#d62728", LANDING: "#111111"}
BOUNCE_COLOUR = "#9467bd"
GRID, INK = "#dddddd", "#333333"
PIXELS_PER_METRE = 26
MARGIN = 1.5  # metres around a court


def colour_event(kind: str) -> str:
    """The colour that an event of a kind is drawn in."""
    return EVENT_COLOURS.get(kind, BOUNCE_COLOUR)


def colour_rally(number: int) -> str:
    """The colour of a rally, the same for one in six."""
    return RALLY_COLOURS[(number - 1) % len(RALLY_COLOURS)]


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


def draw_dot(place: Sequence[float], colour: str, title: str, *, radius: float = 5) -> Markup:
    """A dot that says what it is when pointed at."""
    x, y = place
    return Markup(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}" stroke="white"'
        f' stroke-width="{radius / 4:.2f}"><title>{escape(title)}</title></circle>'
    )


def frame_picture(
    size: tuple[int, int], inside: Iterable[Markup], *, background: str | None
) -> Markup:
    """A drawing in the pixels of the video, over a picture of it where there is one."""
    height, width = size
    below = f'<rect width="{width}" height="{height}" fill="#e8e8e8"/>'
    if background is not None:
        below = f'<image href="{background}" width="{width}" height="{height}"/>'
    return Markup(
        f'<svg viewBox="0 0 {width} {height}" class="wide">{below}{"".join(inside)}</svg>'
    )


def draw_floor(court: Court, inside: Iterable[tuple[np.ndarray, float, str, str]]) -> Markup:
    """A court from above, the far end up, with dots on it.

    Args:
        court: gives the lines.
        inside: place `(2,)` and error in metres, colour and title of each dot.
    """
    strokes = list_strokes(court)
    corners = np.concatenate(strokes)
    low, high = corners.min(axis=0) - MARGIN, corners.max(axis=0) + MARGIN

    def see(place: np.ndarray) -> np.ndarray:
        x, y = (place - low) * PIXELS_PER_METRE
        return np.array([x, (high[1] - low[1]) * PIXELS_PER_METRE - y])

    width, height = (high - low) * PIXELS_PER_METRE
    parts = [f'<rect width="{width:.0f}" height="{height:.0f}" fill="#3f7f5f"/>']
    for stroke in strokes:
        (x0, y0), (x1, y1) = see(stroke[0]), see(stroke[1])
        parts.append(
            f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="white"'
            ' stroke-width="2"/>'
        )
    left, right = see(np.array([low[0] + MARGIN / 2, 0])), see(np.array([high[0] - MARGIN / 2, 0]))
    parts.append(
        f'<line x1="{left[0]:.1f}" y1="{left[1]:.1f}" x2="{right[0]:.1f}" y2="{right[1]:.1f}"'
        ' stroke="white" stroke-width="2" stroke-dasharray="6 4"/>'
    )
    for place, error, colour, title in inside:
        spot = np.clip(see(place), 0, [width, height])
        x, y = spot
        radius = min(error, 2 * MARGIN) * PIXELS_PER_METRE
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}" opacity="0.35"/>'
        )
        parts.append(draw_dot((x, y), colour, title))
    return Markup(
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" class="court"'
        f' style="max-width:{width:.0f}px">{"".join(parts)}</svg>'
    )


def draw_chart(
    times: np.ndarray,
    values: np.ndarray,
    span: tuple[float, float],
    *,
    label: str,
    top: float,
    spread: np.ndarray | None = None,
    marks: Iterable[tuple[float, str, str]] = (),
    colour: str = RALLY_COLOURS[0],
    height: int = 170,
) -> Markup:
    """Values over time, with a band around them and marks at moments.

    Args:
        times: `(values,)` seconds.
        values: what is drawn; NaN breaks the line.
        span: first and last second of the chart.
        label: of the values, with their unit.
        top: greatest value of the chart; the least is 0.
        spread: half the height of the band.
        marks: time, colour and title of each.
        colour: of the line.
        height: of the drawing.
    """
    width, left, low = 960, 62, height - 26
    scale = (width - left - 8) / max(span[1] - span[0], 1e-6)

    def see(moments: np.ndarray, heights: np.ndarray) -> np.ndarray:
        y = low - np.clip(heights, 0, top) / top * (low - 8)
        return np.stack([left + (moments - span[0]) * scale, y], axis=-1)

    parts = []
    for value in choose_ticks(0, top, 4):
        y = see(np.array(0.0), np.array(value))[1]
        parts.append(f'<line x1="{left}" x2="{width - 8}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" class="end">{value:g}</text>')
    for value in choose_ticks(*span, 10):
        x = see(np.array(value), np.array(0.0))[0]
        parts.append(f'<text x="{x:.1f}" y="{low + 18}" class="middle">{value:g}</text>')
    parts.append(f'<text x="{width - 8}" y="{low + 18}" class="end">s</text>')
    parts.append(
        f'<text x="12" y="{low / 2:.0f}" class="middle" transform="rotate(-90 12 {low / 2:.0f})">'
        f"{escape(label)}</text>"
    )
    for moment, tint, title in marks:
        x = see(np.array(moment), np.array(0.0))[0]
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="8" y2="{low}" stroke="{tint}"'
            f' stroke-dasharray="3 3"><title>{escape(title)}</title></line>'
        )
    if spread is not None:
        for run in split_runs(np.isfinite(values)):
            upper = see(times[run], values[run] + spread[run])
            lower = see(times[run], values[run] - spread[run])[::-1]
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in np.concatenate([upper, lower]))
            parts.append(f'<polygon points="{corners}" fill="{colour}" opacity="0.2"/>')
    parts.append(draw_path(see(times, values), colour, width=1.6))
    return Markup(f'<svg viewBox="0 0 {width} {height}" class="wide">{"".join(parts)}</svg>')


def choose_ticks(low: float, high: float, count: int) -> list[float]:
    """Round values between two, about `count` of them."""
    if high <= low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= raw)
    first = int(np.ceil(low / step))
    return [round(k * step, 9) for k in range(first, int(np.floor(high / step)) + 1)]


def draw_heat_map(positions: np.ndarray, size: tuple[int, int], base: np.ndarray) -> np.ndarray:
    """Blend where positions lie dense into a picture.

    Args:
        positions: `(positions, 2)` pixels of the source video.
        size: (height, width) of the video, pixels.
        base: `(height / k, width / k, 3)` uint8 RGB; it is not changed.
    """
    height, width = base.shape[:2]
    x, y = (positions * [width / size[1], height / size[0]]).T
    counts, _, _ = np.histogram2d(y, x, bins=(height, width), range=((0, height), (0, width)))
    heat = cv2.GaussianBlur(counts, (0, 0), sigmaX=height / 40)
    share = heat / max(float(heat.max()), 1e-12)
    tint = cv2.cvtColor(
        cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB
    )
    cover = np.clip(3 * share, 0, 0.85)[..., None]
    blended: np.ndarray = (base * (1 - cover) + tint * cover).astype(np.uint8)
    return blended
