"""The part of the report for one rally: its path, its shots on the court, their speeds, a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from keras_tracknet.analysis.analysis import Analysis
from keras_tracknet.analysis.court.drawing import list_strokes
from keras_tracknet.analysis.endings import NET, OUT_OF_PICTURE
from keras_tracknet.analysis.endings import UNKNOWN as UNKNOWN_END
from keras_tracknet.analysis.rallies import Rally
from keras_tracknet.analysis.report import charts
from keras_tracknet.analysis.report.floor import Floor
from keras_tracknet.analysis.shots import (
    UNKNOWN,
    Shot,
    describe_call,
    describe_clock,
    describe_end,
    describe_value,
    measure_speed,
    name_court,
)
from keras_tracknet.tracks.event_table import LANDING

# How a rally ends, in words.
WORDS = {
    LANDING: "landing",
    NET: "in the net",
    OUT_OF_PICTURE: "ball left the picture",
    UNKNOWN_END: "end not seen",
}


@dataclass(frozen=True)
class Moments:
    """From the times of an analysis to those that the video shows its pictures at.

    They differ where `fps` says how fast the camera really was.

    Attributes:
        times: `(frames,)` seconds of the analysis.
        shown: `(frames,)` seconds of the video; None if they are the same.
    """

    times: np.ndarray
    shown: np.ndarray | None = None

    def find(self, time: float) -> float:
        """Return the moment of the video, seconds."""
        if self.shown is None or not len(self.shown):
            return time
        common = min(len(self.times), len(self.shown))
        return float(np.interp(time, self.times[:common], self.shown[:common]))

    def link(self, time: float) -> dict[str, str]:
        """Return what a link to a moment needs: its address and its text."""
        moment = self.find(time)
        return {"address": f"#t={moment:.2f}", "text": describe_clock(moment)}


def list_rally(rally: Rally, shots: Sequence[Shot], sport: str, moments: Moments) -> dict[str, Any]:
    """Return the row of a rally in the table of all rallies."""
    speeds = [speed for shot in shots if (speed := measure_speed(shot)) is not None]
    ended = WORDS[rally.ending]
    if rally.ending == LANDING and shots:
        ended = describe_end(shots[-1], sport)
    return {
        "number": rally.number,
        "start": moments.link(rally.start),
        "seconds": f"{rally.end - rally.start:.1f}",
        "shots": rally.strokes,
        "fastest": f"{max(speeds):.0f}" if speeds else UNKNOWN,
        "ended": ended,
    }


def draw_rally(
    analysis: Analysis, rally: Rally, shots: Sequence[Shot], moments: Moments, *, scene: bool
) -> dict[str, Any]:
    """Return the drawings of a rally and the rows of its shots."""
    sport = name_court(analysis)
    return {
        "row": list_rally(rally, shots, sport, moments),
        "path": _draw_path(analysis, rally, shots, scene),
        "floor": _draw_floor(analysis, shots),
        "speeds": _draw_speeds(shots),
        "picture_speed": None if _has_speeds(shots) else _draw_picture_speed(analysis, rally),
        "shots": [_list_shot(shot, sport, moments) for shot in shots],
    }


def _name(shot: Shot) -> str:
    """Say what a shot is when it is pointed at."""
    stroke = shot.stroke
    words = [stroke.kind or "shot", f"by the {stroke.player} player" if stroke.player else ""]
    speed = f", {stroke.flight.speed_kmh:.0f} km/h" if stroke.flight else ""
    return f"{shot.number}: {' '.join(filter(None, words))} at {shot.time:.2f} s{speed}"


def _colour(shot: Shot) -> str:
    return charts.PLAYER_COLOURS[shot.stroke.player]


def _draw_path(analysis: Analysis, rally: Rally, shots: Sequence[Shot], scene: bool) -> Markup:
    """Draw the ball's path in the picture, in the colours of who hit it."""
    times, inside = analysis.velocity.time, []
    width = max(2.0, analysis.size[0] / 300)
    if analysis.court is not None and not scene:
        lines = (analysis.court.to_picture(stroke) for stroke in list_strokes(analysis.court))
        inside = [charts.draw_path(line, charts.INK, width=width / 2) for line in lines]
    for shot in shots:
        own = (times >= shot.time - 1e-9) & (times <= shot.until + 1e-9)
        inside.append(charts.draw_path(analysis.track.positions[own], _colour(shot), width=width))
    if not shots:
        own = (times >= rally.start) & (times <= rally.end)
        inside.append(
            charts.draw_path(analysis.track.positions[own], charts.PLAYER_COLOURS[""], width=width)
        )
    labels = [
        charts.Label(
            np.array([shot.stroke.event.x, shot.stroke.event.y]),
            str(shot.number),
            _colour(shot),
            _name(shot),
        )
        for shot in shots
    ]
    radius = charts.LABEL_RADIUS * analysis.size[0] / 720
    inside.append(charts.draw_labels(labels, radius, analysis.size))
    return charts.frame_picture(analysis.size, inside, scene=scene)


def _draw_floor(analysis: Analysis, shots: Sequence[Shot]) -> Markup | None:
    """Draw the shots on the court from above; None without a court."""
    court = analysis.court
    if court is None:
        return None
    ways = [(shot, shot.origin, shot.target) for shot in shots]
    places = [place for _, *ends in ways for place in ends if place is not None]
    floor = Floor(court, np.array(places).reshape(-1, 2))
    above, labels = [], []
    for shot, origin, target in ways:
        if origin is not None and target is not None:
            above.append(floor.draw_arrow(origin, target, _colour(shot)))
        if origin is not None:
            labels.append(charts.Label(origin, str(shot.number), _colour(shot), _name(shot)))
        if shot.contact is not None:
            call = describe_call(shot.contact, court.sport)
            x, y = shot.contact.place
            title = (
                f"shot {shot.number}, {shot.contact.event.kind} {call} at {x:.2f}, {y:.2f} m"
                f" ± {shot.contact.error:.2f} m"
            )
            above.append(
                floor.draw_spot(shot.contact.place, shot.contact.error, _colour(shot), title)
            )
            if origin is None:
                labels.append(
                    charts.Label(shot.contact.place, str(shot.number), _colour(shot), title)
                )
    return floor.draw(above=[*above, floor.draw_numbers(labels)])


def _has_speeds(shots: Sequence[Shot]) -> bool:
    return any(shot.stroke.flight for shot in shots)


def _draw_speeds(shots: Sequence[Shot]) -> Markup | None:
    """Draw the speed of each shot at the racket; None if no speed is known."""
    if not _has_speeds(shots):
        return None
    bars = []
    for shot in shots:
        flight = shot.stroke.flight
        value, error = (flight.speed_kmh, flight.speed_error) if flight else (np.nan, np.nan)
        bars.append(charts.Bar(str(shot.number), value, error, _colour(shot), _name(shot)))
    return charts.draw_bars(bars)


def _draw_picture_speed(analysis: Analysis, rally: Rally) -> Markup | None:
    """Draw the speed in the picture over time; None if it is never known."""
    velocity = analysis.velocity
    span = (rally.start - 0.2, rally.end + 0.2)
    own = (velocity.time >= span[0]) & (velocity.time <= span[1])
    speed = velocity.speed[own]
    if not np.isfinite(speed).any():
        return None
    return charts.draw_chart(
        velocity.time[own],
        speed,
        span,
        top=max(1.1 * float(np.nanmax(speed)), 1.0),
        spread=velocity.error[own],
        marks=[(event.time, f"{event.kind} {event.time:.2f} s") for event in rally.events],
    )


def _list_shot(shot: Shot, sport: str, moments: Moments) -> dict[str, Any]:
    """Return the row of a shot in the table of its rally."""
    stroke, flight = shot.stroke, shot.stroke.flight
    return {
        "number": shot.number,
        "sure": shot.sure,
        "start": moments.link(shot.time),
        "player": stroke.player or UNKNOWN,
        "colour": _colour(shot),
        "kind": stroke.kind or UNKNOWN,
        "zone": stroke.zone,
        "speed": describe_value(flight.speed_kmh, flight.speed_error) if flight else UNKNOWN,
        "net": describe_value(flight.net_height, flight.net_height_error, 2) if flight else UNKNOWN,
        "peak": describe_value(stroke.peak, stroke.peak_error),
        "end": describe_end(shot, sport),
    }
