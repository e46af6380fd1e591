"""A comparison for people: lines of text, a page of HTML, and accuracy drawn over speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from keras_tracknet.evaluation.comparison import COUNTS, SCORES, Comparison, Entry
from keras_tracknet.files import write_text

WIDTH, HEIGHT = 720, 420  # pixels of the drawing
LEFT, RIGHT, TOP, BOTTOM = 60, 150, 40, 50  # and of its margins
HEADS = (
    "Weights", "Network", "Parameters", "GFLOP/frame", "Frames/s", "Accuracy", "95 %", "Precision",
    "Recall", "F1", "95 %", "TP", "TN", "FP1", "FP2", "FN", "RMSE", "Median error",
)  # fmt: skip
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Comparison of trackers</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:100rem}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ccc;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
div{overflow-x:auto}
</style></head><body>
<h1>Comparison of trackers</h1>
<p>{{ protocol }}</p>
{% for title, heads, rows in tables %}
<h2>{{ title }}</h2>
<div><table><tr>{% for head in heads %}<th>{{ head }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table></div>
{% endfor %}
<h2>Accuracy over speed</h2>
{{ drawing }}
<h2>Differences</h2>
<ul>{% for line in differences %}<li>{{ line }}</li>{% endfor %}</ul>
</body></html>
"""
PAGES = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def write_page(comparison: Comparison, folder: Path) -> None:
    """Write `comparison.html` and `accuracy_over_speed.svg`."""
    drawing = draw_speeds(comparison)
    tables = [
        ("Total", HEADS, list_totals(comparison)),
        ("By tolerance", *list_tolerances(comparison)),
        ("By clip", *list_clips(comparison)),
    ]
    page = PAGES.from_string(PAGE).render(
        protocol=describe_protocol(comparison),
        tables=tables,
        drawing=drawing,
        differences=describe_differences(comparison),
    )
    write_text(str(drawing), folder / "accuracy_over_speed.svg")
    write_text(page, folder / "comparison.html")


def describe_protocol(comparison: Comparison) -> str:
    """Return how the trackers were compared, in a sentence or two."""
    clips = comparison.entries[0].clips
    frames = comparison.entries[0].total(comparison.main).frames
    return (
        f"{len(clips)} clip{'' if len(clips) == 1 else 's'}, {frames:,} labelled frames; tolerance"
        f" {comparison.tolerances[comparison.main].name}, errors in pixels at 512x288; no"
        " rectifier. Intervals are 95 % when clips are resampled."
    )


def list_totals(comparison: Comparison) -> list[list[str]]:
    """Return the main table's rows, under `HEADS`."""
    rows = []
    for entry in comparison.entries:
        counts, ends = entry.total(comparison.main), comparison.intervals(entry, comparison.main)
        scores = {name: _show(getattr(counts, name)) for name in SCORES}
        rows.append([
            entry.name,
            entry.version,
            "-" if entry.parameters is None else f"{entry.parameters:,}",
            "-" if entry.gflop is None else f"{entry.gflop:.2f}",
            f"{entry.frames_per_second:.1f}",
            scores["accuracy"],
            _span(ends.get("accuracy")),
            scores["precision"],
            scores["recall"],
            scores["f1"],
            _span(ends.get("f1")),
            *(f"{getattr(counts, name):,}" for name in COUNTS),
            _show(counts.rmse, 2),
            _show(entry.median_error, 2),
        ])  # fmt: skip
    return rows


def list_tolerances(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of accuracy and F1 at every tolerance."""
    heads = ["Weights"]
    for tolerance in comparison.tolerances:
        heads += [f"Accuracy, {tolerance.name}", f"F1, {tolerance.name}"]
    rows = []
    for entry in comparison.entries:
        totals = [entry.total(number) for number in range(len(comparison.tolerances))]
        rows.append([entry.name, *(_show(s) for t in totals for s in (t.accuracy, t.f1))])
    return heads, rows


def list_clips(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of every clip's accuracy and F1 at the main tolerance."""
    heads = ["Clip"]
    for entry in comparison.entries:
        heads += [f"Accuracy, {entry.name}", f"F1, {entry.name}"]
    rows = []
    for outcomes in zip(*(entry.clips for entry in comparison.entries), strict=True):
        counts = [outcome.counts[comparison.main] for outcome in outcomes]
        rows.append([outcomes[0].name, *(_show(s) for c in counts for s in (c.accuracy, c.f1))])
    return heads, rows


def describe_differences(comparison: Comparison) -> list[str]:
    """Return a line on the F1 of every pair: which is better, by how much, or that it is noise."""
    lines = []
    for difference in comparison.differences:
        if difference.score != "f1" or math.isnan(difference.value):
            continue
        better, worse = difference.first, difference.second
        value, ends = difference.value, (difference.low, difference.high)
        if value < 0:
            better, worse, value = worse, better, -value
            ends = tuple(None if end is None else -end for end in ends[::-1])  # type: ignore[assignment]
        text = f"{better} and {worse}: F1 differs by {value:.3f}"
        if difference.is_noise is None:
            lines.append(f"{text}; two clips or more are needed to tell whether that is noise")
        elif difference.is_noise:
            lines.append(f"{text} ({_span(ends)}), which is within noise")
        else:
            lines.append(f"{better} is better than {worse}: F1 by {value:.3f} ({_span(ends)})")
    return lines


def format_text(comparison: Comparison) -> str:
    """Return the tables and the differences as lines of text."""
    parts = [_align(HEADS, list_totals(comparison)), describe_protocol(comparison), ""]
    parts += [_align(*list_tolerances(comparison)), "", _align(*list_clips(comparison))]
    differences = describe_differences(comparison)
    return "\n".join([*parts, *([""] if differences else []), *differences])


def draw_speeds(comparison: Comparison) -> Markup:
    """Draw accuracy over frames per second, with the intervals, as SVG."""
    points = [_place(comparison, entry) for entry in comparison.entries]
    fastest = max(x for x, *_ in points) * 1.05
    lows = [low for _, _, low, _ in points]
    least = math.floor(10 * min(lows)) / 10
    most = min(1.0, math.ceil(10 * max(high for *_, high in points)) / 10)
    most = most if most > least else least + 0.1

    def across(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * x / fastest

    def down(y: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (most - y) / (most - least)

    parts = []
    for step in range(6):
        y = least + (most - least) * step / 5
        x = fastest * step / 5
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(y):.1f}" y2="{down(y):.1f}"'
            f' stroke="#ddd"/><text x="{LEFT - 8}" y="{down(y) + 4:.1f}" text-anchor="end">{y:.2f}'
            f'</text><text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
            f"{x:.0f}</text>"
        )
    for entry, (x, y, low, high) in zip(comparison.entries, points, strict=True):
        px = across(x)
        parts.append(
            f'<line x1="{px:.1f}" x2="{px:.1f}" y1="{down(low):.1f}" y2="{down(high):.1f}"'
            f' stroke="#0072b2"/><circle cx="{px:.1f}" cy="{down(y):.1f}" r="5" fill="#0072b2"/>'
            f'<text x="{px + 9:.1f}" y="{down(y) + 4:.1f}">{escape(entry.name)}</text>'
        )
    parts.append(
        f'<text x="{(WIDTH - RIGHT + LEFT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">frames per'
        f' second, end to end</text><text x="{LEFT}" y="{TOP - 20}" text-anchor="middle">accuracy'
        "</text>"
    )
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' height="{HEIGHT}" font-family="sans-serif" font-size="13">{"".join(parts)}</svg>'
    )


def _place(comparison: Comparison, entry: Entry) -> tuple[float, float, float, float]:
    """Return frames per second, accuracy and the ends of its interval."""
    accuracy = entry.total(comparison.main).accuracy
    accuracy = 0.0 if math.isnan(accuracy) else accuracy
    ends = comparison.intervals(entry, comparison.main).get("accuracy", (accuracy, accuracy))
    return entry.frames_per_second, accuracy, *ends


def _show(value: float, digits: int = 3) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _span(ends: Sequence[float | None] | None) -> str:
    return "-" if ends is None or None in ends else f"{ends[0]:.3f} to {ends[1]:.3f}"


def _align(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column is aligned left and whose others are aligned right."""
    lines = [heads, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = []
    for first, *others in lines:
        cells = [cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True)]
        texts.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(texts)
