"""Strokes: who hits, from which zone, and what kind of shot it is, read off its flight in space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from keras_tracknet.analysis.court.zones import FAR, NEAR, find_side
from keras_tracknet.analysis.events import EventList
from keras_tracknet.analysis.flight.space import SpaceFlight
from keras_tracknet.analysis.rallies import Rally
from keras_tracknet.sports import Sport
from keras_tracknet.tracks.event_table import BOUNCE, HIT, Event

SERVE, CLEAR, DROP, SMASH, DRIVE, NET, LOB = [
    "serve",
    "clear",
    "drop",
    "smash",
    "drive",
    "net",
    "lob",
]
GROUNDSTROKE, VOLLEY = "groundstroke", "volley"
ATTACK, PASS = "attack", "pass"
KINDS = {
    "badminton": (SERVE, CLEAR, DROP, SMASH, DRIVE, NET, LOB),
    "tennis": (SERVE, GROUNDSTROKE, VOLLEY, LOB),
    "padel": (SERVE, GROUNDSTROKE, VOLLEY, LOB),
    "volleyball": (SERVE, ATTACK, PASS),
}

OVERHEAD = 1.75  # metres: a shuttlecock that is hit higher up is hit from above the shoulder
FAST = 30.0  # m/s, of a smash
STEEP_SMASH = -1.0  # degrees above the floor at which a smash leaves at most
FLAT = 13.0  # degrees: a clear leaves steeper, a drop flatter
DROP_SPEED = 24.5  # m/s, of a drop at most
RISING = 32.0  # degrees: a lob from below leaves steeper, a drive flatter
SOFT = 12.5  # m/s, of a net shot at most
HIGHEST_SERVE = 1.4  # metres, of a badminton serve: the law says 1.15
LOB_HEIGHT = 4.0  # metres, that a lob rises to at least in tennis
ATTACK_SPEED = 8.0  # m/s, of an attack in volleyball at least
LEAST_WAY = 1.0  # metres towards or away from the camera that tell who hit


class Launch(NamedTuple):
    """How a flight begins: metres above the floor, m/s, degrees above the horizon.

    `top` is the height in metres that it rises to, `crosses` whether it goes over the net.
    """

    height: float
    speed: float
    angle: float
    top: float
    crosses: bool


# (flight, whether it begins the rally, whether the ball bounced before) -> kind
Rule = Callable[[Launch, bool, bool], str]


def name_shot(
    flight: SpaceFlight, sport: Sport, *, first: bool = False, bounced: bool = False
) -> str:
    """Return the kind of a shot, one of `KINDS`; empty where its speed leaves that open.

    Args:
        flight: of the ball after the hit.
        sport: what is played.
        first: whether the hit begins its rally.
        bounced: whether the ball bounced before it was hit.
    """
    rule = RULES.get(sport.name)
    if rule is None:
        return ""
    launch, error = describe_launch(flight), flight.speed_error / 3.6
    kinds = {
        rule(launch._replace(speed=launch.speed + shift), first, bounced)
        for shift in (-error, 0.0, error)
    }
    return kinds.pop() if len(kinds) == 1 else ""


def describe_launch(flight: SpaceFlight) -> Launch:
    """Return how a flight begins, and how high it rises until it ends."""
    start, velocity = flight.state[:3], flight.state[3:6]
    places = flight.locate(np.linspace(flight.start, flight.end, 60))
    rise = np.arctan2(velocity[2], np.linalg.norm(velocity[:2]))
    return Launch(
        float(start[2]),
        float(np.linalg.norm(velocity)),
        float(np.degrees(rise)),
        float(places[:, 2].max()),
        bool((places[:, 1] * start[1]).min() < 0),
    )


def find_players(
    rally: Rally, flights: dict[Event, SpaceFlight], found: EventList, sport: Sport
) -> list[str]:
    """Return who makes each hit of a rally: `near`, `far`, or empty where unknown.

    Args:
        rally: whose hits are meant.
        flights: in space, of the hits that have one.
        found: for flights in the picture where there is none in space.
        sport: whose players may have to hit in turns.
    """
    hits = [event for event in rally.events if event.kind == HIT]
    sides = []
    for event in hits:
        if event in flights:
            sides.append(find_side(flights[event].state))
        else:
            sides.append(_guess_side(event, found) if sport.name != "volleyball" else "")
    return sides


def _guess_side(event: Event, found: EventList) -> str:
    """Who hits by where the ball goes, away from the camera or towards it."""
    after = [s for s in found.segments if s.flight is not None and s.end > event.time]
    if not after or after[0].start - event.time > 0.2:
        return ""
    segment = after[0]
    assert segment.flight is not None
    ends = segment.flight.trace(np.array([segment.start, segment.end]))
    way = float(ends[1, 2] - ends[0, 2])
    if abs(way) < LEAST_WAY:
        return ""
    return NEAR if way > 0 else FAR


def find_bounced(events: Sequence[Event]) -> set[Event]:
    """Return the hits of balls that bounced just before."""
    return {b for a, b in pairwise(events) if a.kind == BOUNCE and b.kind == HIT}


def _name_badminton(launch: Launch, first: bool, bounced: bool) -> str:
    if first:
        return SERVE if launch.height < HIGHEST_SERVE and launch.angle > 0 else ""
    if launch.height >= OVERHEAD:
        if launch.angle < STEEP_SMASH and launch.speed >= FAST:
            return SMASH
        if launch.angle > FLAT and launch.speed >= DROP_SPEED:
            return CLEAR
        return DROP if launch.speed < DROP_SPEED else DRIVE
    if launch.speed < SOFT:
        return NET
    return LOB if launch.angle > RISING else DRIVE


def _name_tennis(launch: Launch, first: bool, bounced: bool) -> str:
    if first:
        return SERVE
    if launch.top > LOB_HEIGHT and launch.angle > 0:
        return LOB
    return GROUNDSTROKE if bounced else VOLLEY


def _name_volleyball(launch: Launch, first: bool, bounced: bool) -> str:
    if first:
        return SERVE
    return ATTACK if launch.crosses and launch.speed > ATTACK_SPEED else PASS


RULES: dict[str, Rule] = {
    "badminton": _name_badminton,
    "tennis": _name_tennis,
    "padel": _name_tennis,
    "volleyball": _name_volleyball,
}
