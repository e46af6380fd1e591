"""The report: one page of HTML that needs nothing but itself, and plays the video beside it."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from markupsafe import Markup

from keras_tracknet.analysis.analysis import Analysis
from keras_tracknet.analysis.court.calibration import describe_fit
from keras_tracknet.analysis.rallies import Rally
from keras_tracknet.analysis.report import charts
from keras_tracknet.analysis.report.players import list_players
from keras_tracknet.analysis.report.rally_card import Moments, draw_rally, list_rally
from keras_tracknet.analysis.report.scene import watch_scene
from keras_tracknet.analysis.shots import (
    Shot,
    describe_value,
    list_shots,
    measure_speed,
    name_court,
)
from keras_tracknet.analysis.templates import fill_template
from keras_tracknet.files import write_text
from keras_tracknet.tracks.tables import REPAIRED
from keras_tracknet.video.images import embed_image

MOST_RALLIES = 100  # that have a part of their own; the CSV files have all of them


@dataclass(frozen=True)
class Heading:
    """What the page says of itself.

    Attributes:
        title: heading of the page.
        weights: that the track is from, or what else it is from; empty if unknown.
        time_base: where the times are from, in words; empty if unknown.
        date: of the analysis; today when omitted.
    """

    title: str
    weights: str = ""
    time_base: str = ""
    date: datetime.date | None = None


def write_report(
    analysis: Analysis,
    path: Path,
    heading: Heading,
    *,
    video: Path | None = None,
    shown: np.ndarray | None = None,
) -> None:
    """Write an analysis as one self-contained page of HTML.

    Args:
        analysis: what to show.
        path: file to create.
        heading: what the page says of itself.
        video: to play beside the page and for the background; drawings stand on grey without it.
        shown: `(frames,)` seconds at which the video shows its pictures; those of the track when
            omitted.

    Raises:
        InputError: the video cannot be read or the page cannot be written.
    """
    moments = Moments(analysis.velocity.time, shown)
    shots = list_shots(analysis)
    scene = None if video is None else watch_scene(video, len(analysis.track), analysis.size)
    rallies = analysis.rallies
    page = fill_template(
        "report/page.html.j2",
        title=_clean(heading.title),
        facts=_list_facts(heading, analysis),
        video=None if video is None or video.is_dir() else link_file(video, path.parent),
        scene=None if scene is None else embed_image(scene),
        size=analysis.size,
        counts=_count(analysis, shots),
        overview=[
            list_rally(rally, shots[rally.number], name_court(analysis), moments)
            for rally in rallies
        ],
        rallies=[
            draw_rally(analysis, rally, shots[rally.number], moments, scene=scene is not None)
            for rally in rallies[:MOST_RALLIES]
        ],
        in_space=any(stroke.flight for stroke in analysis.strokes),
        by_player=any(stroke.player for stroke in analysis.strokes),
        players=list_players(analysis, shots, scene),
        court=None if analysis.court is None else describe_fit(analysis.court),
        confidence=_draw_confidence(analysis),
        track=_describe_track(analysis),
    )
    write_text(page, path)


def link_file(file: Path, folder: Path) -> str | None:
    """Return the relative address of a file for a page in a folder; None on another drive."""
    try:
        way = os.path.relpath(file.resolve(), folder.resolve())
    except ValueError:
        return None
    return quote(os.fsencode(Path(way).as_posix()))


def _clean(name: str) -> str:
    return name.encode("utf-8", "replace").decode()  # a file's name may be no text


def _list_facts(heading: Heading, analysis: Analysis) -> list[str]:
    date = heading.date or datetime.date.today()
    facts = [analysis.sport.name.capitalize(), f"analysed on {date.day} {date:%B %Y}"]
    if heading.weights:
        facts.append(f"ball tracked with {_clean(heading.weights)}")
    if heading.time_base:
        facts.append(f"times: {_clean(heading.time_base)}")
    return facts


def _count(analysis: Analysis, shots: dict[int, list[Shot]]) -> list[tuple[str, str]]:
    """Return what the page says first: a value and its name each."""
    track, rallies = analysis.track, analysis.rallies
    number = len(analysis.strokes)
    counts = [
        (str(len(rallies)), "rally" if len(rallies) == 1 else "rallies"),
        (str(number), "shot" if number == 1 else "shots"),
    ]
    longest: Rally | None = max(rallies, key=lambda rally: rally.end - rally.start, default=None)
    if longest is not None:
        seconds = f"{longest.end - longest.start:.1f} s"
        counts.append((seconds, f"longest rally, {longest.strokes} shots (rally {longest.number})"))
    fastest = find_fastest([shot for own in shots.values() for shot in own])
    if fastest is not None:
        flight, stroke = fastest.stroke.flight, fastest.stroke
        assert flight is not None
        speed = describe_value(flight.speed_kmh, flight.speed_error)
        what = stroke.kind or "shot"
        counts.append((f"{speed} km/h", f"fastest {what} (rally {stroke.event.rally})"))
    if len(track):
        counts.append(
            (f"{track.visibility.mean():.0%}".replace("%", " %"), "of frames show the ball")
        )
    return counts


def find_fastest(shots: Sequence[Shot]) -> Shot | None:
    """Return the shot with the highest speed at the racket; None if no speed is certain."""
    known = [(speed, k) for k, s in enumerate(shots) if (speed := measure_speed(s)) is not None]
    return shots[max(known)[1]] if known else None


def _draw_confidence(analysis: Analysis) -> Markup | None:
    """Draw the confidence over time; None if there is none, as with labels."""
    track, times = analysis.track, analysis.velocity.time
    if (track.confidence[track.visibility] == 1).all():
        return None
    return charts.draw_chart(
        times,
        np.where(track.visibility, track.confidence, np.nan),
        (float(times[0]), float(times[-1])),
        top=1.0,
        height=110,
    )


def _describe_track(analysis: Analysis) -> dict[str, Any]:
    track = analysis.track
    if not len(track):
        return {"visible": 0, "repaired": 0, "frames": 0}
    return {
        "visible": f"{100 * track.visibility.mean():.0f}",
        "repaired": f"{100 * (track.status == REPAIRED).mean():.1f}",
        "frames": f"{len(track):,}",
    }
