"""Analysis: what a track says about the play, as tables and a report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from keras_tracknet.analysis.court.calibration import Court
from keras_tracknet.analysis.court.marks import CUSTOM
from keras_tracknet.analysis.court.zones import name_zone
from keras_tracknet.analysis.endings import name_ending
from keras_tracknet.analysis.events import EventList, find_events
from keras_tracknet.analysis.flight.segments import LONGEST_GAP
from keras_tracknet.analysis.flight.space import SpaceFlight
from keras_tracknet.analysis.peaks import is_possible, measure_peak
from keras_tracknet.analysis.rallies import Rally
from keras_tracknet.analysis.space_fit import fit_space_flights
from keras_tracknet.analysis.strokes import find_bounced, find_players, name_shot
from keras_tracknet.errors import InputError
from keras_tracknet.progress import Reporter
from keras_tracknet.sports import Sport
from keras_tracknet.tracks.event_table import HIT, Event
from keras_tracknet.tracks.outliers import FAR
from keras_tracknet.tracks.play import reject_strays
from keras_tracknet.tracks.track import Track
from keras_tracknet.tracks.velocity import Velocity, compute_velocity

KMH = 3.6


@dataclass(frozen=True)
class Stroke:
    """A hit and the flight that follows.

    Attributes:
        event: the hit.
        end: the next event of the rally; None if the ball is lost.
        peak: highest speed in the picture until then, pixels per second, over 0.2 seconds (see
            `measure_peak`); NaN if unknown.
        peak_error: standard deviation of `peak`.
        flight: how the ball flew in space; None without a calibrated court, and where the
            positions do not tell.
        kind: of the stroke, such as `smash` (see `strokes.KINDS`); empty where uncertain.
        player: `near` or `far`; empty where unknown.
        zone: of the court that the ball was hit in, such as `back left`, as the player who hits
            sees it (see `name_zone`); empty without `flight`.
    """

    event: Event
    end: Event | None
    peak: float
    peak_error: float
    flight: SpaceFlight | None = None
    kind: str = ""
    player: str = ""
    zone: str = ""


@dataclass(frozen=True)
class FloorContact:
    """A bounce or landing on a calibrated court.

    Attributes:
        event: what it is.
        place: `(2,)` metres (see `sports`).
        error: metres, standard deviation.
        inside: whether it is in the court; None if the court is custom.
    """

    event: Event
    place: np.ndarray
    error: float
    inside: bool | None


@dataclass(frozen=True)
class Analysis:
    """The results of analysing a track.

    Attributes:
        track: pixels of the source video.
        size: (height, width) of the video, pixels.
        sport: what is played.
        found: events, rallies and flights.
        velocity: pixels per second.
        strokes: in order of time.
        court: None if it is not calibrated.
        contacts: bounces and landings in metres; empty without a court.
    """

    track: Track
    size: tuple[int, int]
    sport: Sport
    found: EventList
    velocity: Velocity
    strokes: tuple[Stroke, ...]
    court: Court | None
    contacts: tuple[FloorContact, ...]

    @property
    def rallies(self) -> tuple[Rally, ...]:
        """In the order of time."""
        return self.found.rallies

    def floor_speed(self) -> np.ndarray:
        """`(frames,)` km/h of the place on the floor that the ball covers in the picture.

        The ball is above the floor, between that place and the camera, so this is not its speed.
        NaN without a court, and above the horizon.
        """
        if self.court is None:
            return np.full(len(self.track), np.nan)
        positions = self.track.positions
        ahead = positions + np.stack([self.velocity.x, self.velocity.y], axis=-1) * 1e-3
        with np.errstate(invalid="ignore", divide="ignore"):
            way = self.court.to_floor(ahead) - self.court.to_floor(positions)
            speed = np.linalg.norm(way, axis=-1) / 1e-3 * KMH
            on_floor = np.append(positions, np.ones((len(positions), 1)), axis=1)
            side = on_floor @ np.linalg.inv(self.court.homography)[2]
        middle = self.court.to_picture(np.zeros(2))
        below = side * (np.append(middle, 1) @ np.linalg.inv(self.court.homography)[2]) > 0
        return np.where(below, speed, np.nan)


def analyze_track(
    track: Track,
    size: tuple[int, int],
    sport: Sport,
    *,
    court: Court | None = None,
    fps: float | None = None,
    cuts: Sequence[float] | np.ndarray = (),
    progress: Callable[[int], object] = Reporter.ignore,
) -> Analysis:
    """Find events and rallies, and how fast the ball was.

    Args:
        track: labels or predictions, pixels of the source video.
        size: (height, width) of the video, pixels.
        sport: what is played.
        court: for places in metres.
        fps: frames per second, for a track without times, which needs it.
        cuts: moments in seconds at which the picture changes to another camera (see `video.shots`).
        progress: see `find_events`.

    Raises:
        InputError: the court belongs to a picture of another size, or to another sport.
    """
    if court is not None and court.sport not in (CUSTOM, sport.name):
        raise InputError(
            f"the court is a {court.sport} court, but the sport is {sport.name}; use"
            f' `sport="{court.sport}"` or mark the court again with tracknet court.'
        )
    if court is not None and court.size != size:
        raise InputError(
            f"the court was marked at {court.size[1]}x{court.size[0]} pixels, but the video has"
            f" {size[1]}x{size[0]}; mark it again with tracknet court."
        )
    view = court.view() if court is not None else None
    cuts = np.sort(cuts)
    track = reject_strays(_cut_track(track, cuts, fps), size[0], fps=fps)
    found = find_events(
        track, size, sport, fps=fps, view=view, court=court, cuts=cuts, progress=progress
    )
    breaks = np.sort(np.append(found.breaks(), cuts))
    steady = drop_strays(track, found, size[0], fps=fps)
    velocity = compute_velocity(steady, size, breaks=breaks, fps=fps, position_error=found.error)
    contacts = []
    if court is not None:
        for event in found.events:
            if event.kind != HIT and event.rally:
                pixel = np.array([event.x, event.y])
                place = court.to_floor(pixel)
                error = court.floor_error(pixel, found.error)
                contacts.append(FloorContact(event, place, error, court.contains(place)))
    flights = {}
    if court is not None and court.sport != CUSTOM:
        flights = fit_space_flights(found, steady, sport, court.camera_matrix(), fps=fps)
    steady = replace(steady, time=velocity.time)
    strokes = _list_strokes(found, steady, flights, sport)
    players = {stroke.event: stroke.player for stroke in strokes if stroke.flight is not None}
    ends = [*cuts, *velocity.time[-1:]]
    found = replace(
        found,
        rallies=tuple(
            replace(
                rally,
                ending=name_ending(
                    rally, steady, size, found.segments, players, court=court, ends=ends
                ),
            )
            for rally in found.rallies
        ),
    )
    return Analysis(track, size, sport, found, velocity, strokes, court, tuple(contacts))


def _cut_track(track: Track, cuts: np.ndarray, fps: float | None) -> Track:
    """Return a track that knows its shots, where it does not and the cuts tell."""
    if track.shots or not len(cuts):
        return track
    firsts = np.searchsorted(track.seconds(fps), cuts)
    return replace(track, shots=(0, *(k for k in np.unique(firsts).tolist() if k < len(track))))


def drop_strays(track: Track, found: EventList, height: int, *, fps: float | None = None) -> Track:
    """Return the track without positions far from the flights around them: false detections.

    A picture may be shown a frame early or late, so the flight is looked at a frame around, too.
    What is more than `LONGEST_GAP` away from all flights in time belongs to none.

    Args:
        track: pixels of the source video.
        found: what was found in it.
        height: of the video, pixels.
        fps: frames per second, for a track without times, which needs it.
    """
    if not found.segments:
        return track
    times, away = track.seconds(fps), np.full(len(track), np.inf)
    step = float(np.median(np.diff(times)))
    starts = [*(segment.start for segment in found.segments[1:]), np.inf]
    ends = [-np.inf, *(segment.end for segment in found.segments[:-1])]
    for segment, low, high in zip(found.segments, ends, starts, strict=True):
        low, high = max(low, segment.start - LONGEST_GAP), min(high, segment.end + LONGEST_GAP)
        own = np.flatnonzero(track.visibility & (times >= low) & (times <= high))
        places = [segment.locate(times[own] + k * step) for k in (-1, 0, 1)]
        apart = np.linalg.norm(np.stack(places) - track.positions[own], axis=-1)
        away[own] = np.minimum(away[own], apart.min(axis=0))
    stray = away > FAR * height
    return replace(track, x=np.where(stray, np.nan, track.x), y=np.where(stray, np.nan, track.y))


def _list_strokes(
    found: EventList, steady: Track, flights: dict[Event, SpaceFlight], sport: Sport
) -> tuple[Stroke, ...]:
    strokes = []
    for rally in found.rallies:
        players = iter(find_players(rally, flights, found, sport))
        bounced = find_bounced(rally.events)
        for index, event in enumerate(rally.events):
            if event.kind != HIT:
                continue
            end = rally.events[index + 1] if index + 1 < len(rally.events) else None
            peak, peak_error = _measure_peak(steady, event, end, found, sport)
            flight, kind, zone = flights.get(event), "", ""
            if flight is not None:
                kind = name_shot(flight, sport, first=index == 0, bounced=event in bounced)
                zone = name_zone(flight.state, sport)
            strokes.append(Stroke(event, end, peak, peak_error, flight, kind, next(players), zone))
    return tuple(strokes)


def _measure_peak(
    steady: Track, event: Event, end: Event | None, found: EventList, sport: Sport
) -> tuple[float, float]:
    """The top speed of a stroke and its error; NaN twice where no ball can be so fast."""
    times, seen = steady.seconds(), np.flatnonzero(steady.visibility)
    step = float(np.median(np.diff(times)))
    places = steady.positions[seen]
    peak, error = measure_peak(times[seen], places, event, end, found.error, step)
    views = [s.flight.view for s in found.segments if s.flight is not None and s.end > event.time]
    if math.isnan(peak) or not views or is_possible(peak, sport, views[0]):
        return peak, error
    return math.nan, math.nan
