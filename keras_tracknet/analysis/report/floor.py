"""A court from above, drawn as SVG with the far end up: shots, places and heat maps on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup, escape

from keras_tracknet.analysis.court.calibration import Court
from keras_tracknet.analysis.court.drawing import list_strokes
from keras_tracknet.analysis.report.charts import LABEL_RADIUS, Label, draw_heat_map, draw_labels
from keras_tracknet.video.images import embed_image

HEIGHT = 430.0  # pixels of a drawing
MARGIN, BEYOND = 1.5, 1.0  # metres around a court, and around places outside it
FARTHEST = 8.0  # metres beyond a court that a drawing grows to; what is farther stands at its edge
GROUND = (63, 127, 95)  # RGB
BLUR = 0.6  # metres, standard deviation of the blur of a heat map


class Floor:
    """The frame of a drawing: a court, with room for all the places that are drawn on it.

    Args:
        court: gives the lines.
        places: `(places, 2)` metres.
    """

    def __init__(self, court: Court, places: np.ndarray) -> None:
        self.strokes = list_strokes(court)
        corners = np.concatenate(self.strokes)
        low, high = corners.min(axis=0), corners.max(axis=0)
        inside = np.clip(places.reshape(-1, 2), low - FARTHEST, high + FARTHEST)
        inside = np.concatenate([inside[np.isfinite(inside).all(axis=1)], [low, high]])
        self.low = np.minimum(low - MARGIN, inside.min(axis=0) - BEYOND)
        self.high = np.maximum(high + MARGIN, inside.max(axis=0) + BEYOND)
        self.scale = HEIGHT / float(self.high[1] - self.low[1])  # pixels per metre

    @property
    def size(self) -> tuple[float, float]:
        """(height, width), pixels."""
        width, height = (self.high - self.low) * self.scale
        return float(height), float(width)

    def see(self, places: np.ndarray) -> np.ndarray:
        """From `(..., 2)` metres to `(..., 2)` pixels of the drawing, held inside it."""
        pixels: np.ndarray = (np.clip(places, self.low, self.high) - self.low) * self.scale
        pixels[..., 1] = self.size[0] - pixels[..., 1]
        return pixels

    def draw(self, below: Iterable[Markup] = (), above: Iterable[Markup] = ()) -> Markup:
        """The court with what lies below its lines and above them."""
        height, width = self.size
        lines = []
        for stroke in self.strokes:
            (x0, y0), (x1, y1) = self.see(stroke)
            lines.append(
                f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" class="line"/>'
            )
        edges = [self.low[0] + MARGIN / 2, self.high[0] - MARGIN / 2]
        (left, y), (right, _) = self.see(np.array([[edge, 0.0] for edge in edges]))
        lines.append(
            f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}" class="line net"/>'
        )
        ground = "#{:02x}{:02x}{:02x}".format(*GROUND)
        inside = "".join([*below, *lines, *above])
        return Markup(
            f'<svg viewBox="0 0 {width:.0f} {height:.0f}" class="court" role="img"'
            f' style="max-width:{1.3 * width:.0f}px">'
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="{ground}"/>{inside}</svg>'
        )

    def draw_arrow(self, start: np.ndarray, end: np.ndarray, colour: str) -> Markup:
        """A line from where a shot was hit to where it went, with a head."""
        start, end = self.see(start), self.see(end)
        way = end - start
        length = float(np.linalg.norm(way))
        if length < 1:
            return Markup("")
        ahead, side = way / length, np.array([-way[1], way[0]]) / length
        head = [end, end - 9 * ahead + 4 * side, end - 9 * ahead - 4 * side]
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in head)
        (x0, y0), (x1, y1) = start, end - 6 * ahead
        return Markup(
            f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="white"'
            f' stroke-width="3.4" opacity="0.6"/>'
            f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}"'
            f' stroke-width="2"/><polygon points="{corners}" fill="{colour}"/>'
        )

    def draw_spot(self, place: np.ndarray, error: float, colour: str, title: str) -> Markup:
        """A dot where the ball touched the floor, in a halo of one standard deviation."""
        x, y = self.see(place)
        halo = min(error, 2 * MARGIN) * self.scale
        return Markup(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{halo:.1f}" fill="{colour}" opacity="0.4"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}" stroke="white"'
            f' class="spot"><title>{escape(title)}</title></circle>'
        )

    def draw_numbers(self, labels: Sequence[Label]) -> Markup:
        """Numbers at places in metres."""
        seen = [label._replace(place=self.see(label.place)) for label in labels]
        return draw_labels(seen, LABEL_RADIUS * 0.5, self.size)

    def draw_heat(self, places: np.ndarray) -> Markup:
        """The court with where places lie dense."""
        height, width = self.size
        base = np.full((round(height), round(width), 3), GROUND, np.uint8)
        pixels = self.see(places.reshape(-1, 2)) if len(places) else np.zeros((0, 2))
        picture = draw_heat_map(pixels, self.size, base, blur=BLUR * self.scale / height)
        image = f'<image href="{embed_image(picture)}" width="{width:.0f}" height="{height:.0f}"/>'
        return self.draw(below=[Markup(image)])
