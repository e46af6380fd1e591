"""Events: hits, bounces, landings and rallies, read off a track by the laws of flight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from keras_tracknet.analysis.court.calibration import Court
from keras_tracknet.analysis.flight.bounces import WORTH, Touch, fit_bounces
from keras_tracknet.analysis.flight.camera import View
from keras_tracknet.analysis.flight.camera_estimate import find_view
from keras_tracknet.analysis.flight.flights import Stretch
from keras_tracknet.analysis.flight.meetings import find_meetings
from keras_tracknet.analysis.flight.segments import (
    FLIGHT_PARAMETERS,
    LONGEST_GAP,
    Segment,
    Segmenter,
)
from keras_tracknet.analysis.hits import (
    LEAST_CHANGE,
    drop_doubles,
    is_in_picture,
    is_in_reach,
    measure_change,
)
from keras_tracknet.analysis.rallies import Rally, group_rallies
from keras_tracknet.progress import Reporter
from keras_tracknet.sports import Sport
from keras_tracknet.tracks.event_table import BOUNCE, HIT, LANDING, Event
from keras_tracknet.tracks.outliers import find_outliers
from keras_tracknet.tracks.repeats import undo_repeats
from keras_tracknet.tracks.tables import REPAIRED
from keras_tracknet.tracks.track import Track

LEAST_ERROR = 1.5 / 720  # of a position, share of the picture's height
# Of a hit of a shuttlecock: it has to explain three times what its parameters cost, for what turns
# over and slows down as that does flies less as computed than a ball.
LEAST_SCORE = 0.75
LEAST_DOWN = 0.5  # seconds that a ball lies there before it is hit again
UNSEEN_SCORE = 0.5  # of a hit that is known from what comes after it only


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
    court: Court | None = None,
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
        fps: frames per second, for a track without times, which needs it.
        view: the camera; estimated from the flights of each shot when omitted.
        court: whose players must be able to reach the hits.
        cuts: moments in seconds at which the picture changes to another camera, ascending.
        progress: is told of every few positions that are done how many they are.
    """
    times = track.seconds(fps)
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
        camera = view or find_view(plays, error, size, sport, step)
        views.append(camera)
        for play in plays:
            segmenter = Segmenter(play.times, play.positions, error, sport, camera)
            found = segmenter.segment()
            events += _Reader(segmenter, found, times, step, size).read()
            segments += found
            progress(len(play.times))
    if court is not None:
        events = [e for e in events if e.kind != HIT or is_in_reach((e.x, e.y), court)]
    ends = [*cuts, *times[-1:]]
    events, rallies = group_rallies(drop_doubles(events, sport), segments, sport, ends=ends)
    return EventList(tuple(events), tuple(rallies), tuple(segments), tuple(views), error)


def split_at(whole: Stretch, moments: Sequence[float] | np.ndarray) -> list[Stretch]:
    """Split positions before each of some moments in seconds, ascending."""
    bounds = np.searchsorted(whole.times, moments)
    parts = zip(np.split(whole.times, bounds), np.split(whole.positions, bounds), strict=True)
    return [Stretch(*part) for part in parts]


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


class _Reader:
    """Reads the events between segments."""

    def __init__(
        self,
        segmenter: Segmenter,
        segments: list[Segment],
        times: np.ndarray,
        step: float,
        size: tuple[int, int],
    ) -> None:
        self.segmenter, self.segments, self.times, self.step = segmenter, segments, times, step
        self.size = size
        self.meetings = find_meetings(segments, step, size[0])

    def read(self) -> list[Event]:
        """Return the events in the order of time."""
        events = []
        if self.segments and self.segments[0].flight is not None:
            events.append(self._begin(self.segments[0]))
        for meeting, score, bounce in zip(
            self.meetings, self._score(), self._find_bounces(), strict=True
        ):
            before, after = meeting.before, meeting.after
            if before.flight is None and after.flight is None:
                continue
            if not meeting.close:
                if after.flight is not None:
                    events.append(self._begin(after))
                continue
            kind = LANDING if after.flight is None else BOUNCE if bounce else HIT
            if kind == LANDING and self._flies_on(after):
                kind = HIT
            if kind == HIT and not self.segmenter.sport.restitution and score < LEAST_SCORE:
                continue
            if kind == HIT and not is_in_picture(meeting.place, self.size):
                continue
            if kind != BOUNCE and measure_change(meeting, self.segmenter.view) < LEAST_CHANGE:
                continue
            events.append(self._event(meeting.time, kind, meeting.place, score))
        return events

    def _flies_on(self, rest: Segment) -> bool:
        """Whether a rest is too short for a ball that is down: a slow shot looks like one."""
        later = [meeting for meeting in self.meetings if meeting.before is rest]
        return bool(later) and later[0].close and rest.end - rest.start < LEAST_DOWN

    def _begin(self, segment: Segment) -> Event:
        """The hit that a flight without a past must come from."""
        time = max(segment.start - self.step / 2, float(self.times[0]))
        return self._event(time, HIT, segment.locate(np.array([time]))[0], UNSEEN_SCORE)

    def _event(self, time: float, kind: str, place: np.ndarray, score: float) -> Event:
        frame = int(np.abs(self.times - time).argmin())
        return Event(time, frame, kind, float(place[0]), float(place[1]), score)

    def _score(self) -> list[float]:
        """How much worse the positions are explained without the event, 0 to 1."""
        cost = self.segmenter.cost * FLIGHT_PARAMETERS
        pairs = [(meeting.before, meeting.after) for meeting in self.meetings]
        wholes = self.segmenter.explain([(a.first, b.last + 1) for a, b in pairs])
        scores = []
        for (before, after), whole in zip(pairs, wholes, strict=True):
            gain = np.inf
            if whole is not None:
                gain = max(whole.misfit - before.misfit - after.misfit, 0.0)
            scores.append(float(1 - cost / (gain + cost)))
        return scores

    def _find_bounces(self) -> list[bool]:
        """Which of the meetings are bounces."""
        play = self.segmenter
        whole = Stretch(play.times, play.positions)
        cases = [k for k, m in enumerate(self.meetings) if m.in_flight]
        touches = [Touch.between(whole, self.meetings[k]) for k in cases]
        excess = fit_bounces(touches, play.error, play.sport, play.view).excess
        found = dict(zip(cases, (excess < WORTH).tolist(), strict=True))
        return [found.get(k, False) for k in range(len(self.meetings))]
