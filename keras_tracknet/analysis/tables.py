"""Tables of an analysis: events, strokes, rallies and speed, one CSV file each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_tracknet.analysis.analysis import Analysis, Stroke
from keras_tracknet.files import write_table
from keras_tracknet.tracks.event_table import EVENT_COLUMNS
from keras_tracknet.tracks.velocity import VELOCITY_COLUMNS

COURT_COLUMNS = ("CourtX", "CourtY", "CourtError", "In")
STROKE_COLUMNS = (
    *("PeakSpeed", "PeakSpeedError", "Shot", "Player", "Zone"),
    *("RacketKmh", "RacketKmhError", "NetHeight", "NetHeightError"),
)
RALLY_COLUMNS = ("Rally", "Start", "End", "StartFrame", "EndFrame", "Strokes", "Ended", "Clip")


def write_tables(analysis: Analysis, folder: Path, *, clips: Sequence[Path] = ()) -> None:
    """Write `events.csv`, `rallies.csv` and `speed.csv`.

    Raises:
        InputError: the folder cannot be written.
    """
    write_table(*tabulate_events(analysis), folder / "events.csv")
    times = analysis.velocity.time
    rows = []
    for rally in analysis.rallies:
        clip = clips[rally.number - 1].name if clips else ""
        frames = [int(np.abs(times - t).argmin()) for t in (rally.start, rally.end)]
        span = [f"{rally.start:.3f}", f"{rally.end:.3f}"]
        rows.append([rally.number, *span, *frames, rally.strokes, rally.ending, clip])
    write_table(RALLY_COLUMNS, rows, folder / "rallies.csv")
    columns, table = tabulate_speed(analysis)
    write_table(columns, table, folder / "speed.csv")


def tabulate_events(analysis: Analysis) -> tuple[tuple[str, ...], list[list[object]]]:
    """Return the columns and rows of `events.csv`."""
    places = {contact.event: contact for contact in analysis.contacts}
    strokes = {stroke.event: stroke for stroke in analysis.strokes}
    rows: list[list[object]] = []
    for event in analysis.found.events:
        row: list[object] = [f"{event.time:.4f}", event.frame, event.kind]
        row += [_show(event.x, 2), _show(event.y, 2), _show(event.score, 3), event.rally or ""]
        stroke = strokes.get(event)
        row += _tabulate_stroke(stroke) if stroke else [""] * len(STROKE_COLUMNS)
        contact = places.get(event)
        if contact is None:
            row += [""] * len(COURT_COLUMNS)
        else:
            inside = "" if contact.inside is None else int(contact.inside)
            row += [*(_show(v, 2) for v in contact.place), _show(contact.error, 2), inside]
        rows.append(row)
    return (*EVENT_COLUMNS, *STROKE_COLUMNS, *COURT_COLUMNS), rows


def _tabulate_stroke(stroke: Stroke) -> list[str]:
    """Return the cells of a stroke; those of its flight are empty where there is none."""
    flight = stroke.flight
    cells = [_show(stroke.peak, 0), _show(stroke.peak_error, 0)]
    cells += [stroke.kind, stroke.player, stroke.zone]
    if flight is None:
        return [*cells, "", "", "", ""]
    cells += [_show(flight.speed_kmh, 0), _show(flight.speed_error, 0)]
    return [*cells, _show(flight.net_height, 2), _show(flight.net_height_error, 2)]


def tabulate_speed(analysis: Analysis) -> tuple[tuple[str, ...], list[list[object]]]:
    """Return the columns and rows of `speed.csv`; the last column says what its km/h are."""
    v = analysis.velocity
    values = np.stack([v.x, v.y, v.speed, v.error, analysis.floor_speed()], axis=1)
    rows: list[list[object]] = [
        [frame, f"{time:.6f}", *(_show(value, 2) for value in row)]
        for frame, (time, row) in enumerate(zip(v.time, values, strict=True))
    ]
    return (*VELOCITY_COLUMNS, "FloorProjectionKmh"), rows


def _show(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"
