"""The report: one page of HTML that needs nothing but itself."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from keras_tracknet.analysis.analysis import Analysis, Shot
from keras_tracknet.analysis.report import charts
from keras_tracknet.analysis.report.stills import choose_size, look_at_video
from keras_tracknet.files import write_text
from keras_tracknet.tracks.event_table import HIT, KINDS
from keras_tracknet.tracks.tables import ABSENT, REPAIRED

LONGEST_LIST = 400  # rows of a table in the page; the CSV files have all of them

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2em auto;
  padding: 0 1em }
h1 { margin-bottom: 0 } h2 { margin: 1.8em 0 .4em } .note { color: #555; max-width: 60em }
.facts { display: flex; flex-wrap: wrap; gap: .6em; padding: 0 }
.facts li { list-style: none; background: #f3f4f6; border-radius: 8px; padding: .5em .9em }
.facts b { display: block; font-size: 1.35em }
.strip { display: flex; gap: 6px; overflow-x: auto } .strip figure { margin: 0 }
.strip img { height: 150px; border-radius: 4px; display: block } figcaption { color: #555 }
svg.wide, img.wide { width: 100%; height: auto; display: block }
svg.court { width: 100%; height: auto }
svg text { font: 12px system-ui, sans-serif; fill: #444 }
svg .end { text-anchor: end } svg .middle { text-anchor: middle } svg .grid { stroke: #ddd }
table { border-collapse: collapse; margin: .6em 0 }
th, td { padding: .25em .8em; text-align: right }
th { border-bottom: 2px solid #bbb } td { border-bottom: 1px solid #e5e5e5 }
.scroll { max-height: 30em; overflow-y: auto }
.dot { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin: 0 .3em 0 .9em }
"""


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
        background = charts.embed_image(base)
    sections = [
        f"<h1>{html.escape(title)}</h1>",
        _write_facts(analysis),
        f'<p class="note">Times: {html.escape(time_base)}.</p>' if time_base else "",
        _write_strip(thumbnails),
        _write_trajectory(analysis, background),
        _write_court(analysis),
        _write_speed(analysis),
        _write_rallies(analysis),
        _write_shots(analysis),
        _write_heat_map(analysis, base),
        _write_confidence(analysis),
    ]
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<body>{''.join(sections)}</body></html>\n"
    )
    write_text(page, path)


def _write_facts(analysis: Analysis) -> str:
    track, found = analysis.track, analysis.found
    kinds = {kind: sum(event.kind == kind for event in found.events) for kind in KINDS}
    rallies = len(analysis.rallies)
    facts = {
        "rally" if rallies == 1 else "rallies": rallies,
        **{
            kind if count == 1 else f"{kind}s": count
            for kind, count in kinds.items()
            if count or kind == HIT
        },
        "frames": f"{len(track):,}",
        "with a ball": f"{track.visibility.mean():.0%}" if len(track) else "-",
        "repaired": f"{(track.status == REPAIRED).mean():.1%}" if len(track) else "-",
    }
    items = "".join(f"<li><b>{value}</b>{name}</li>" for name, value in facts.items())
    return f'<ul class="facts">{items}</ul>'


def _write_strip(thumbnails: Sequence[tuple[float, np.ndarray]]) -> str:
    figures = "".join(
        f'<figure><img src="{charts.embed_image(image)}" alt="">'
        f"<figcaption>{_clock(time)}</figcaption></figure>"
        for time, image in thumbnails
    )
    return f'<div class="strip">{figures}</div>' if figures else ""


def _write_trajectory(analysis: Analysis, background: str | None) -> str:
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
    picture = charts.frame_picture(analysis.size, inside, background=background)
    return f"<h2>Trajectory</h2>{_write_key()}{picture}"


def _write_key() -> str:
    dots = "".join(
        f'<span class="dot" style="background:{charts.colour_event(kind)}"></span>{kind}'
        for kind in KINDS
    )
    return f'<p class="note">One colour a rally.{dots}</p>'


def _write_court(analysis: Analysis) -> str:
    if analysis.court is None:
        return (
            "<h2>On the court</h2><p class=note>The court is not calibrated, so there are no"
            " metres. Mark it with <code>tracknet court</code> and give it with"
            " <code>--court</code>.</p>"
        )
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
    errors = analysis.court.errors()
    return (
        "<h2>On the court</h2>"
        '<p class="note">Bounces and landings from above, the far end up; the halo is the standard'
        " deviation. The calibration misses its marks by"
        f" {np.sqrt((errors**2).mean()):.1f} pixels RMS.</p>"
        f"{charts.draw_floor(analysis.court, dots)}"
    )


def _write_speed(analysis: Analysis) -> str:
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
        parts.append(f"<h3>Rally {rally.number}</h3>{chart}")
    return (
        '<h2>Speed</h2><p class="note">In the picture, pixels of the source video a second, with'
        " one standard deviation; dashed lines are events. How fast the ball is in the air cannot"
        f" be read off one picture.</p>{''.join(parts)}"
    )


def _write_rallies(analysis: Analysis) -> str:
    rows = [
        (
            str(rally.number),
            _clock(rally.start),
            f"{rally.end - rally.start:.1f}",
            str(rally.shots),
            rally.events[-1].kind if rally.finished else "lost from sight",
        )
        for rally in analysis.rallies
    ]
    names = ("Rally", "Start", "Seconds", "Shots", "Ends with")
    return f"<h2>Rallies</h2>{_write_table(names, rows)}"


def _write_shots(analysis: Analysis) -> str:
    names = ["Rally", "Time", "To", "Seconds", "Peak (pixels/s)", "Score"]
    note = ""
    if analysis.court is not None:
        names.append("Mean at least (km/h)")
        note = (
            '<p class="note">"Mean at least" is the shortest way between the lines of sight to'
            " both ends of the shot, over its time: the shot was that fast on average, or"
            " faster.</p>"
        )
    rows = [_write_shot(shot, analysis.court is not None) for shot in analysis.shots]
    return f"<h2>Shots</h2>{note}{_write_table(names, rows)}"


def _write_shot(shot: Shot, bounded: bool) -> tuple[str, ...]:
    end = shot.end
    peak = "-" if math.isnan(shot.peak) else f"{shot.peak:,.0f} ± {shot.peak_error:,.0f}"
    cells = (
        str(shot.event.rally),
        f"{shot.event.time:.2f}",
        end.kind if end else "-",
        f"{end.time - shot.event.time:.2f}" if end else "-",
        peak,
        f"{shot.event.score:.2f}",
    )
    if not bounded:
        return cells
    return (*cells, "-" if math.isnan(shot.least_kmh) else f"{shot.least_kmh:.0f}")


def _write_heat_map(analysis: Analysis, base: np.ndarray) -> str:
    positions = analysis.track.positions[analysis.track.visibility]
    heat = charts.embed_image(charts.draw_heat_map(positions, analysis.size, base))
    return f'<h2>Where the ball was</h2><img class="wide" src="{heat}" alt="heat map">'


def _write_confidence(analysis: Analysis) -> str:
    track, times = analysis.track, analysis.velocity.time
    shares = {
        "detected": track.visibility & (track.status != REPAIRED),
        "repaired": track.status == REPAIRED,
        "absent": track.status == ABSENT,
    }
    rows = [
        (name, f"{frames.sum():,}", f"{frames.mean():.1%}" if len(track) else "-")
        for name, frames in shares.items()
    ]
    chart = charts.draw_chart(
        times,
        np.where(track.visibility, track.confidence, np.nan),
        (float(times[0]), float(times[-1])) if len(track) else (0.0, 1.0),
        label="confidence",
        top=1.0,
        colour=charts.INK,
        height=130,
    )
    table = _write_table(("Frames", "Number", "Share"), rows)
    return f"<h2>Confidence</h2>{chart}{table}"


def _write_table(names: Sequence[str], rows: Sequence[Iterable[str]]) -> str:
    if not rows:
        return '<p class="note">None.</p>'
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
        for row in rows[:LONGEST_LIST]
    )
    more = len(rows) - LONGEST_LIST
    rest = f'<p class="note">and {more:,} more in the CSV files.</p>' if more > 0 else ""
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        f"</div>{rest}"
    )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(seconds, 0.0), 60)
    return f"{int(minutes)}:{rest:04.1f}"
