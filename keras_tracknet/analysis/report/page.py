"""The report: one page of HTML that needs nothing but itself."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from markupsafe import Markup

from keras_tracknet.analysis.analysis import Analysis, Stroke
from keras_tracknet.analysis.rallies import Rally
from keras_tracknet.analysis.report import charts
from keras_tracknet.analysis.report.stills import choose_size, look_at_video
from keras_tracknet.analysis.templates import fill_template
from keras_tracknet.files import write_text
from keras_tracknet.tracks.event_table import HIT, KINDS
from keras_tracknet.tracks.tables import ABSENT, REPAIRED
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.images import embed_image

LONGEST_LIST = 400  # rows of a table in the page; the CSV files have all of them


def write_report(
    analysis: Analysis,
    path: Path,
    *,
    title: str,
    video: Path | None = None,
    time_base: str = "",
) -> None:
    """Write an analysis as one self-contained page of HTML.

    Args:
        analysis: what to show.
        path: file to create.
        title: heading of the page.
        video: for thumbnails and the background; drawings stand on grey without it.
        time_base: where the times are from, in words.

    Raises:
        InputError: the video cannot be read or the page cannot be written.
    """
    title = title.encode("utf-8", "replace").decode()  # a file's name may be no text
    thumbnails: list[tuple[float, np.ndarray]] = []
    base = np.full((*choose_size(analysis.size), 3), 232, np.uint8)
    background = None
    if video is not None:
        thumbnails, base = look_at_video(analysis, video)
        background = embed_image(base)
    page = fill_template(
        "report/page.html.j2",
        title=title,
        time_base=time_base,
        longest_list=LONGEST_LIST,
        facts=_count_facts(analysis),
        thumbnails=[(embed_image(image), _clock(time)) for time, image in thumbnails],
        kinds=[(kind, charts.colour_event(kind)) for kind in KINDS],
        trajectory=_draw_trajectory(analysis, background),
        floor=_draw_floor(analysis),
        court_error=_measure_court(analysis),
        speeds=_draw_speeds(analysis),
        rallies=[_list_rally(rally) for rally in analysis.rallies],
        strokes=[_list_stroke(stroke, analysis.court is not None) for stroke in analysis.strokes],
        heat_map=_draw_heat_map(analysis, base),
        confidence=_draw_confidence(analysis),
        shares=_count_shares(analysis.track),
    )
    write_text(page, path)


def _count_facts(analysis: Analysis) -> list[tuple[str, object]]:
    track, found = analysis.track, analysis.found
    kinds = {kind: sum(event.kind == kind for event in found.events) for kind in KINDS}
    rallies = len(analysis.rallies)
    return [
        ("rally" if rallies == 1 else "rallies", rallies),
        *(
            (kind if count == 1 else f"{kind}s", count)
            for kind, count in kinds.items()
            if count or kind == HIT
        ),
        ("frames", f"{len(track):,}"),
        ("with a ball", f"{track.visibility.mean():.0%}" if len(track) else "-"),
        ("repaired", f"{(track.status == REPAIRED).mean():.1%}" if len(track) else "-"),
    ]


def _draw_trajectory(analysis: Analysis, background: str | None) -> Markup:
    inside = []
    for rally in analysis.rallies:
        times = analysis.velocity.time
        own = (times >= rally.start) & (times <= rally.end + 1e-9)
        inside.append(
            charts.draw_path(analysis.track.positions[own], charts.colour_rally(rally.number))
        )
    for event in analysis.found.events:
        if event.rally:
            title = f"{event.kind} at {event.time:.2f} s, score {event.score:.2f}"
            inside.append(
                charts.draw_dot((event.x, event.y), charts.colour_event(event.kind), title)
            )
    return charts.frame_picture(analysis.size, inside, background=background)


def _draw_floor(analysis: Analysis) -> Markup | None:
    if analysis.court is None:
        return None
    dots = [
        (
            contact.place,
            contact.error,
            charts.colour_event(contact.event.kind),
            f"{contact.event.kind} at {contact.event.time:.2f} s: {contact.place[0]:.2f},"
            f" {contact.place[1]:.2f} m ± {contact.error:.2f} m",
        )
        for contact in analysis.contacts
    ]
    return charts.draw_floor(analysis.court, dots)


def _measure_court(analysis: Analysis) -> float:
    """Return the calibration error in pixels RMS; NaN without a court."""
    if analysis.court is None:
        return math.nan
    return float(np.sqrt((analysis.court.errors() ** 2).mean()))


def _draw_speeds(analysis: Analysis) -> list[tuple[int, Markup]]:
    """Return the number and the speed chart of each rally."""
    velocity, parts = analysis.velocity, []
    known = velocity.speed[np.isfinite(velocity.speed)]
    top = float(np.percentile(known, 99.5)) * 1.1 if len(known) else 1.0
    for rally in analysis.rallies:
        span = (rally.start - 0.2, rally.end + 0.2)
        own = (velocity.time >= span[0]) & (velocity.time <= span[1])
        marks = [
            (event.time, charts.colour_event(event.kind), f"{event.kind} {event.time:.2f} s")
            for event in rally.events
        ]
        chart = charts.draw_chart(
            velocity.time[own],
            velocity.speed[own],
            span,
            label="pixels / s",
            top=max(top, 1.0),
            spread=velocity.error[own],
            marks=marks,
            colour=charts.colour_rally(rally.number),
        )
        parts.append((rally.number, chart))
    return parts


def _list_rally(rally: Rally) -> tuple[str, ...]:
    return (
        str(rally.number),
        _clock(rally.start),
        f"{rally.end - rally.start:.1f}",
        str(rally.strokes),
        rally.events[-1].kind if rally.finished else "ball lost",
    )


def _list_stroke(stroke: Stroke, in_space: bool) -> tuple[str, ...]:
    end = stroke.end
    peak = "-" if math.isnan(stroke.peak) else f"{stroke.peak:,.0f} ± {stroke.peak_error:,.0f}"
    cells = (
        str(stroke.event.rally),
        f"{stroke.event.time:.2f}",
        end.kind if end else "-",
        f"{end.time - stroke.event.time:.2f}" if end else "-",
        peak,
        f"{stroke.event.score:.2f}",
    )
    if not in_space:
        return cells
    flight = stroke.flight
    return (*cells, f"{flight.speed_kmh:.0f} ± {flight.speed_error:.0f}" if flight else "-")


def _draw_heat_map(analysis: Analysis, base: np.ndarray) -> str:
    positions = analysis.track.positions[analysis.track.visibility]
    return embed_image(charts.draw_heat_map(positions, analysis.size, base))


def _draw_confidence(analysis: Analysis) -> Markup:
    track, times = analysis.track, analysis.velocity.time
    return charts.draw_chart(
        times,
        np.where(track.visibility, track.confidence, np.nan),
        (float(times[0]), float(times[-1])) if len(track) else (0.0, 1.0),
        label="confidence",
        top=1.0,
        colour=charts.INK,
        height=130,
    )


def _count_shares(track: Track) -> list[tuple[str, str, str]]:
    shares = {
        "detected": track.visibility & (track.status != REPAIRED),
        "repaired": track.status == REPAIRED,
        "absent": track.status == ABSENT,
    }
    return [
        (name, f"{frames.sum():,}", f"{frames.mean():.1%}" if len(track) else "-")
        for name, frames in shares.items()
    ]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(seconds, 0.0), 60)
    return f"{int(minutes)}:{rest:04.1f}"
