"""Events: hits, bounces, landings and rallies, read off a track by the laws of flight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from keras_tracknet.bounces import judge_bounces
from keras_tracknet.flights import Stretch, View, fit_flights
from keras_tracknet.io.events import BOUNCE, HIT, LANDING, Event
from keras_tracknet.io.tracks import REPAIRED, Track
from keras_tracknet.outliers import find_outliers
from keras_tracknet.rallies import Rally, group_rallies
from keras_tracknet.repeats import undo_repeats
from keras_tracknet.reporting import Reporter
from keras_tracknet.segments import FLIGHT_PARAMETERS, LONGEST_GAP, Segment, Segmenter
from keras_tracknet.sports import Sport

LEAST_ERROR = 1.5 / 720  # of a position, share of the picture's height
PITCHES = (0.08, 0.13, 0.18, 0.25, 0.35, 0.5)  # radians
ZOOMS = (1.1, 1.35, 1.6, 2.0, 2.6, 3.4)
VIEW_ROUNDS = 2  # better flights tell a better view, and the other way round
TELLING = 8  # positions of a flight that says something about the camera
WITNESSES = 12  # longest flights that the camera is estimated from
WITNESSED_PLAYS = 5  # longest stretches without a gap that they are looked for in
NEAR = 0.05  # of the picture's height: flights that pass each other by more do not meet
SHORTEST_REST = 0.15  # seconds; a ball that seems to stop for less is at a racket
UNSEEN_SCORE = 0.5  # of a hit that is known from what comes after it only
BREAK = 0.4  # seconds without a position in which a ball may be picked up and served


class _Meeting(NamedTuple):
    """Where one segment becomes the next: seconds, `(2,)` pixels, and whether they do meet."""

    time: float
    place: np.ndarray
    close: bool


@dataclass(frozen=True)
class EventList:
    """What happens in a track.

    Attributes:
        events: in the order of time.
        rallies: in the order of time.
        segments: flights and rests that the events lie between.
        views: the camera of each shot that the flights were fitted with.
        error: standard deviation of a position that was found, pixels.
    """

    events: tuple[Event, ...]
    rallies: tuple[Rally, ...]
    segments: tuple[Segment, ...] = field(repr=False)
    views: tuple[View, ...] = field(repr=False)
    error: float

    def breaks(self) -> np.ndarray:
        """Moments in seconds that no velocity may be computed across."""
        return np.array([event.time for event in self.events])


def find_events(
    track: Track,
    size: tuple[int, int],
    sport: Sport,
    *,
    fps: float | None = None,
    view: View | None = None,
    cuts: Sequence[float] | np.ndarray = (),
    progress: Callable[[int], object] = Reporter.ignore,
) -> EventList:
    """Find hits, bounces, landings and rallies.

    The track is cut into flights under gravity and drag, and rests (see `Segmenter`). Where two
    flights meet, the ball was hit, or bounced if one flight with a bounce explains both. Nothing
    flies on from one shot of the video into the next.

    Args:
        track: labels or predictions, pixels of the source video.
        size: (height, width) of the video, pixels.
        sport: what is played.
        fps: frames a second, for a track without times; 30 when unknown.
        view: the camera; estimated from the flights of each shot when omitted.
        cuts: moments in seconds at which the picture changes to another camera, ascending.
        progress: is told of every few positions that are done how many they are.
    """
    times = track.time
    if not np.isfinite(times).all():
        times = np.arange(len(track)) / (fps or 30.0)
    seen = np.flatnonzero(track.visibility & (track.status != REPAIRED))
    seen = seen[~find_outliers(track.positions[seen], size[0])]
    keep, moments = undo_repeats(seen, times[seen], track.positions[seen])
    moments, positions = moments[keep], track.positions[seen][keep]
    error = estimate_error(moments, positions, LEAST_ERROR * size[0])
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1 / 30
    events: list[Event] = []
    segments: list[Segment] = []
    views = []
    for shot in split_at(Stretch(moments, positions), cuts):
        plays = split_at(shot, shot.times[1:][np.diff(shot.times) > LONGEST_GAP])
        camera = view or _find_view(plays, error, size, sport)
        views.append(camera)
        for play in plays:
            segmenter = Segmenter(play.times, play.positions, error, sport, camera)
            found = segmenter.segment()
            events += _Reader(segmenter, found, times, step, size[0]).read()
            segments += found
            progress(len(play.times))
    events, rallies = group_rallies(events, segments, sport)
    return EventList(tuple(events), tuple(rallies), tuple(segments), tuple(views), error)


def split_at(whole: Stretch, moments: Sequence[float] | np.ndarray) -> list[Stretch]:
    """Split positions before each of some moments in seconds, ascending."""
    bounds = np.searchsorted(whole.times, moments)
    parts = zip(np.split(whole.times, bounds), np.split(whole.positions, bounds), strict=True)
    return [Stretch(*part) for part in parts]


def _find_view(plays: Sequence[Stretch], error: float, size: tuple[int, int], sport: Sport) -> View:
    """Estimate the camera of a shot, and the flights that tell it, in turns."""
    plays = sorted(plays, key=lambda play: -len(play.times))[:WITNESSED_PLAYS]
    view = View.of_broadcast(size, sport)
    for _ in range(VIEW_ROUNDS):
        before = view
        flights = [
            Stretch(play.times[s.first : s.last + 1], play.positions[s.first : s.last + 1])
            for play in plays
            for s in Segmenter(play.times, play.positions, error, sport, before).segment()
            if s.flight is not None
        ]
        view = estimate_view(flights, error, size, sport)
        if view == before:
            break
    return view


def estimate_error(times: np.ndarray, positions: np.ndarray, least: float) -> float:
    """Estimate the standard deviation of positions from how they scatter about smooth paths.

    Args:
        times: `(positions,)` seconds.
        positions: `(positions, 2)` pixels.
        least: returned where they scatter less, pixels.
    """
    if len(times) < 8:
        return least
    # Third differences of evenly timed positions: 20 times the variance, and no path to speak of.
    steps = np.diff(times)
    even = np.abs(steps - np.median(steps)) < 0.3 * np.median(steps)
    runs = even[:-2] & even[1:-1] & even[2:]
    rough = np.diff(positions, 3, axis=0)[runs]
    if not len(rough):
        return least
    return max(least, float(1.4826 * np.median(np.abs(rough)) / np.sqrt(20)))


def estimate_view(
    flights: Sequence[Stretch], error: float, size: tuple[int, int], sport: Sport
) -> View:
    """Estimate the camera's zoom and pitch: those that the longest flights fit best.

    Args:
        flights: positions that nothing touched the ball between.
        error: standard deviation of a position, pixels.
        size: (height, width) of the video, pixels.
        sport: gives the drag.
    """
    telling = [part for part in flights if len(part.times) > TELLING]
    parts = sorted(telling, key=lambda part: -len(part.times))[:WITNESSES]
    zoom, pitch = 1.6, 0.25
    known: dict[tuple[float, float], float] = {}

    def misfit(zoom: float, pitch: float) -> float:
        if (zoom, pitch) not in known:
            view = View.of_broadcast(size, sport, zoom=zoom, pitch=pitch)
            fitted = fit_flights(parts, error, sport, view)
            # One flight that was none must not decide.
            known[zoom, pitch] = sum(
                min(flight.misfit, 10.0 * len(part.times))
                for flight, part in zip(fitted, parts, strict=True)
            )
        return known[zoom, pitch]

    if parts:
        for _ in range(2):
            pitch = min(PITCHES, key=lambda p: misfit(zoom, p))
            zoom = min(ZOOMS, key=lambda z: misfit(z, pitch))
    return View.of_broadcast(size, sport, zoom=zoom, pitch=pitch)


class _Reader:
    """Reads the events between segments."""

    def __init__(
        self,
        segmenter: Segmenter,
        segments: list[Segment],
        times: np.ndarray,
        step: float,
        height: int,
    ) -> None:
        self.segmenter, self.segments, self.times = segmenter, segments, times
        self.step, self.height = step, height

    def read(self) -> list[Event]:
        """Return the events in the order of time."""
        pairs = list(pairwise(self._skip_short_rests()))
        meetings = [self._meet(before, after) for before, after in pairs]
        scores = self._score(pairs)
        bounced = self._find_bounces(pairs, meetings)
        events = []
        if self.segments and self.segments[0].flight is not None:
            events.append(self._begin(self.segments[0]))
        for (before, after), meeting, score, bounce in zip(
            pairs, meetings, scores, bounced, strict=True
        ):
            if before.flight is None and after.flight is None:
                continue
            if not meeting.close:
                if after.flight is not None:
                    events.append(self._begin(after))
                continue
            kind = LANDING if after.flight is None else BOUNCE if bounce else HIT
            events.append(self._event(meeting.time, kind, meeting.place, score))
        return events

    def _skip_short_rests(self) -> list[Segment]:
        """The segments without rests that are too short for a ball that has come down."""
        return [
            segment
            for k, segment in enumerate(self.segments)
            if segment.flight is not None
            or k in (0, len(self.segments) - 1)
            or segment.end - segment.start > SHORTEST_REST
        ]

    def _begin(self, segment: Segment) -> Event:
        """The hit that a flight without a past must come from."""
        time = max(segment.start - self.step / 2, float(self.times[0]))
        return self._event(time, HIT, segment.locate(np.array([time]))[0], UNSEEN_SCORE)

    def _event(self, time: float, kind: str, place: np.ndarray, score: float) -> Event:
        frame = int(np.abs(self.times - time).argmin())
        return Event(time, frame, kind, float(place[0]), float(place[1]), score)

    def _meet(self, before: Segment, after: Segment) -> _Meeting:
        """When two segments are closest to each other."""
        low, high = before.end - self.step, after.start + self.step
        moments = np.linspace(low, high, max(round((high - low) / self.step * 16), 2))
        places = np.stack([before.locate(moments), after.locate(moments)])
        apart = np.linalg.norm(places[0] - places[1], axis=1)
        best = int(apart.argmin())
        gap = after.start - before.end
        close = gap <= LONGEST_GAP and (gap <= BREAK or apart[best] <= NEAR * self.height)
        return _Meeting(float(moments[best]), places[:, best].mean(axis=0), close)

    def _score(self, pairs: Sequence[tuple[Segment, Segment]]) -> list[float]:
        """How much worse the positions are explained without the event, 0 to 1."""
        cost = self.segmenter.cost * FLIGHT_PARAMETERS
        wholes = self.segmenter.explain([(a.first, b.last + 1) for a, b in pairs])
        scores = []
        for (before, after), whole in zip(pairs, wholes, strict=True):
            gain = np.inf
            if whole is not None:
                gain = max(whole.misfit - before.misfit - after.misfit, 0.0)
            scores.append(float(1 - cost / (gain + cost)))
        return scores

    def _find_bounces(
        self, pairs: Sequence[tuple[Segment, Segment]], meetings: Sequence[_Meeting]
    ) -> list[bool]:
        """Which of the meetings are bounces."""
        cases = [
            k
            for k, (before, after) in enumerate(pairs)
            if before.flight is not None and after.flight is not None and meetings[k].close
        ]
        judged = judge_bounces(
            self.segmenter, [pairs[k] for k in cases], [meetings[k].time for k in cases]
        )
        found = dict(zip(cases, judged, strict=True))
        return [found.get(k, False) for k in range(len(pairs))]
