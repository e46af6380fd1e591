"""Rallies: events in groups, from a first hit to the moment that the ball is down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_tracknet.analysis.flight.segments import Segment
from keras_tracknet.sports import Sport
from keras_tracknet.tracks.event_table import BOUNCE, HIT, LANDING, Event

PAUSE = 0.8  # seconds without a flight after which a hit begins a new rally
SHORTEST = 1.0  # seconds; what is over sooner is no rally,
CUT_OFF = 0.5  # unless the picture ends so many seconds after it, or sooner


@dataclass(frozen=True)
class Rally:
    """A rally: from its first hit to the moment that the ball is down or out of sight.

    Attributes:
        number: from 1.
        start, end: seconds.
        events: what happens in it.
        finished: whether the ball was seen coming down.
        ending: how it ends (see `endings.name_ending`); empty before that is looked at.
    """

    number: int
    start: float
    end: float
    events: tuple[Event, ...]
    finished: bool
    ending: str = ""

    @property
    def strokes(self) -> int:
        """How often the ball was hit."""
        return sum(event.kind == HIT for event in self.events)


def group_rallies(
    events: Sequence[Event],
    segments: Sequence[Segment],
    sport: Sport,
    *,
    ends: Sequence[float] | np.ndarray = (),
) -> tuple[list[Event], list[Rally]]:
    """Group events into rallies.

    A rally begins with a hit. It is over when the ball is down for good, when it has bounced more
    often than the sport allows, or when nothing flies for `PAUSE`. What lasts less than `SHORTEST`
    is no rally, unless the picture ends before the ball is down.

    Args:
        events: in the order of time.
        segments: flights and rests that the events lie between.
        sport: what is played.
        ends: moments in seconds at which the video ends, or changes to another camera.

    Returns:
        The events with the numbers of their rallies, and the rallies.
    """
    numbered: list[Event] = []
    groups: list[list[Event]] = []
    over: list[bool] = []
    bounces = 0
    for index, event in enumerate(events):
        if event.kind == BOUNCE and sport.bounces == 0:
            event = event._replace(kind=_name_bounce(events[index + 1 :], segments))
        paused = _measure_pause(event.time, segments) > PAUSE
        if event.kind == HIT:
            if not groups or over[-1] or paused:
                groups.append([])
                over.append(False)
            bounces = 0
        elif not groups or over[-1] or paused:
            numbered.append(event)
            continue
        else:
            bounces += 1
        event = event._replace(rally=len(groups))
        groups[-1].append(event)
        numbered.append(event)
        over[-1] = event.kind == LANDING or bounces > sport.bounces
    rallies: list[Rally] = []
    numbers = {0: 0}
    for k, (group, finished) in enumerate(zip(groups, over, strict=True)):
        start, end = group[0].time, group[-1].time
        if not finished:
            limit = groups[k + 1][0].time if k + 1 < len(groups) else float("inf")
            end = max([end, *(s.end for s in segments if s.flight and s.end < limit)])
        cut_off = not finished and any(end <= moment <= end + CUT_OFF for moment in ends)
        if end - start < SHORTEST and not cut_off:
            numbers[k + 1] = 0
            continue
        number = numbers[k + 1] = len(rallies) + 1
        own = tuple(event._replace(rally=number) for event in group)
        rallies.append(Rally(number, start, end, own, finished))
    return [event._replace(rally=numbers[event.rally]) for event in numbered], rallies


def _name_bounce(later: Sequence[Event], segments: Sequence[Segment]) -> str:
    """Say what a bounce is where the ball may not: a landing, unless play goes on after it."""
    if later and later[0].kind == HIT and _measure_pause(later[0].time, segments) <= PAUSE:
        return HIT
    return LANDING


def _measure_pause(time: float, segments: Sequence[Segment]) -> float:
    """Seconds before a moment that nothing flies."""
    ends = [min(s.end, time) for s in segments if s.flight is not None and s.start < time]
    return time - max(ends) if ends else float("inf")
