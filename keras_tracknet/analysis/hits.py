"""Hits that can be: fast enough, one at a time, in the picture and in reach of a player."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_tracknet.analysis.court.calibration import Court
from keras_tracknet.analysis.court.marks import CUSTOM
from keras_tracknet.analysis.flight.camera import View
from keras_tracknet.analysis.flight.meetings import Meeting
from keras_tracknet.sports import Sport, find_sport
from keras_tracknet.tracks.event_table import HIT, Event

LEAST_CHANGE = 1.2  # m/s across the line of sight, that a hit or a landing changes the velocity by
MARGIN = 0.02  # of the picture's height: how far outside of it a hit may seem to be
HIGHEST_REACH = 3.6  # metres above the floor, of a player who jumps
HEIGHTS = 19  # that a line of sight is looked at


def measure_change(meeting: Meeting, view: View) -> float:
    """Return how much the velocity changes where two segments meet, m/s across the line of sight.

    Metres are those of the middle of the play.
    """
    moments = np.array([meeting.time, meeting.time + 1e-3])
    before, after = (
        np.diff(segment.locate(moments), axis=0)[0] / 1e-3
        for segment in (meeting.before, meeting.after)
    )
    return float(np.linalg.norm(after - before)) * view.distance / view.focal


def is_in_picture(place: Sequence[float] | np.ndarray, size: tuple[int, int]) -> bool:
    """Return whether a place in pixels is in the picture, or just beside it."""
    edge = MARGIN * size[0]
    return bool(-edge <= place[0] < size[1] + edge and -edge <= place[1] < size[0] + edge)


def is_in_reach(place: Sequence[float] | np.ndarray, court: Court) -> bool:
    """Return whether a player on or around the court can reach what is seen in a place.

    Some point of the line of sight must be low enough, and over the court or near it. True where
    the court does not tell.

    Args:
        place: (x, y) in pixels.
        court: as marked.
    """
    matrix = court.camera_matrix()
    if matrix is None or court.sport == CUSTOM:
        return True
    sport = find_sport(court.sport)
    for height in np.linspace(0.0, HIGHEST_REACH, HEIGHTS):
        ground = np.column_stack([matrix[:, :2], matrix[:, 2] * height + matrix[:, 3]])
        x, y, scale = np.linalg.solve(ground, np.array([*place, 1.0]))
        near = abs(x) <= (sport.width / 2 + sport.around) * abs(scale)
        if near and abs(y) <= (sport.length / 2 + sport.around) * abs(scale):
            return True
    return False


def drop_doubles(events: Sequence[Event], sport: Sport) -> list[Event]:
    """Return events with one hit only where several are closer in time than players can hit.

    The clearest stays, of equally clear ones the first.

    Args:
        events: in the order of time.
        sport: says how close hits may be.
    """
    kept: list[Event] = []
    for event in events:
        if event.kind == HIT:
            last = next((k for k in range(len(kept) - 1, -1, -1) if kept[k].kind == HIT), None)
            if last is not None and event.time - kept[last].time < sport.between_hits:
                if event.score <= kept[last].score:
                    continue
                del kept[last]
        kept.append(event)
    return kept
