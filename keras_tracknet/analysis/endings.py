"""Endings: how a rally is over, where that is clear: landing, net, or out of the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from keras_tracknet.analysis.court.calibration import Court
from keras_tracknet.analysis.court.marks import CUSTOM
from keras_tracknet.analysis.flight.segments import Segment
from keras_tracknet.analysis.rallies import CUT_OFF, Rally
from keras_tracknet.sports import find_sport
from keras_tracknet.tracks.event_table import HIT, LANDING, Event
from keras_tracknet.tracks.track import Track

NET, OUT_OF_PICTURE, UNKNOWN = "net", "out of picture", "unknown"
ENDINGS = (LANDING, NET, OUT_OF_PICTURE, UNKNOWN)
SIDES = {"near": -1, "far": 1}
NEAR_NET = 1.2  # metres; a ball that was caught by the net drops no farther from it
BESIDE_POST = 0.5  # metres, that a net reaches beyond the side line
RISE = 0.15  # metres above the place it was hit at, that a ball which only falls does not reach
SOON = 0.3  # seconds in which a ball that is lost would have left the picture


def name_ending(
    rally: Rally,
    track: Track,
    size: tuple[int, int],
    segments: Sequence[Segment],
    players: Mapping[Event, str],
    *,
    court: Court | None,
    ends: Sequence[float] | np.ndarray = (),
) -> str:
    """Return how a rally ends, one of `ENDINGS`.

    - `net`: with a marked court, the ball comes down near the net, on the side of who hit it.
    - `landing`: it comes down otherwise.
    - `out of picture`: it is last seen on its way out.
    - `unknown`: everything else, such as a video that ends before the rally.

    Args:
        rally: with its events.
        track: with times, pixels of the video.
        size: (height, width) of the video, pixels.
        segments: flights and rests of the track.
        players: `near` or `far` for the hits of which that is certain.
        court: None if it is not marked.
        ends: moments in seconds at which the video ends, or changes to another camera.
    """
    if rally.finished:
        return NET if court is not None and _is_in_net(rally, track, players, court) else LANDING
    if any(rally.end <= moment <= rally.end + CUT_OFF for moment in ends):
        return UNKNOWN
    flights = [s for s in segments if s.flight is not None and s.start < rally.end]
    if not flights:
        return UNKNOWN
    last = max(flights, key=lambda segment: segment.end)
    ahead = last.locate(last.end + np.linspace(0.0, SOON, 10))
    outside = (ahead < 0) | (ahead > np.array([size[1] - 1, size[0] - 1]))
    return OUT_OF_PICTURE if outside.any() else UNKNOWN


def _is_in_net(rally: Rally, track: Track, players: Mapping[Event, str], court: Court) -> bool:
    if court.sport == CUSTOM:
        return False
    down = rally.events[-1]
    place = court.to_floor(np.array([down.x, down.y]))
    hits = [event for event in rally.events if event.kind == HIT]
    # What the net does to the ball looks like a hit.
    if len(hits) > 1 and _is_caught(hits[-1], down, track, court):
        del hits[-1]
    side = SIDES.get(players.get(hits[-1], ""), 0)
    if not side and len(hits) > 1 and court.sport != "volleyball":  # they hit in turns
        side = -SIDES.get(players.get(hits[-2], ""), 0)
    return bool(abs(place[1]) <= NEAR_NET and place[1] * side > 0)


def _is_caught(hit: Event, down: Event, track: Track, court: Court) -> bool:
    """Return whether a ball is touched where the net is in the picture, and only falls then."""
    matrix = court.camera_matrix()
    if matrix is None:
        return False
    sport = find_sport(court.sport)
    half = sport.width / 2 + BESIDE_POST
    corners = np.array([[x, 0.0, z, 1.0] for x in (-half, half) for z in (0.0, sport.net_height)])
    seen = corners @ matrix.T
    pixels = seen[:, :2] / seen[:, 2:]
    left, right = sorted((pixels[:2, 0].mean(), pixels[2:, 0].mean()))
    foot, tape = (np.interp(hit.x, *_ascend(pixels[[k, k + 2]])) for k in (0, 1))
    rise = RISE / sport.net_height * (foot - tape)
    if not (left <= hit.x <= right and tape - rise <= hit.y <= foot):
        return False
    later = (track.time > hit.time) & (track.time < down.time) & track.visibility
    return bool((track.y[later] > hit.y - rise).all())


def _ascend(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the x and y of points in the order of x."""
    order = points[:, 0].argsort()
    return points[order, 0], points[order, 1]
