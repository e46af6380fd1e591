"""Shots: the strokes of a rally as people speak of them, numbered and put into words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from keras_tracknet.analysis.analysis import Analysis, FloorContact, Stroke
from keras_tracknet.analysis.court.marks import CUSTOM
from keras_tracknet.sports import find_sport
from keras_tracknet.tracks.event_table import HIT

SURE = 0.75  # score from which a hit counts as certain
LOOSE = 0.25  # standard deviation of a speed, share of it, above which it is no record
UNKNOWN = "\N{EN DASH}"


@dataclass(frozen=True)
class Shot:
    """A stroke with its number, and where it went.

    Attributes:
        number: in its rally, from 1.
        stroke: the hit and its flight.
        until: seconds; the next event, or the end of the rally.
        contact: where the ball then touched the floor; None if it did not, or without a court.
    """

    number: int
    stroke: Stroke
    until: float
    contact: FloorContact | None

    @property
    def time(self) -> float:
        """Of the hit, seconds."""
        return self.stroke.event.time

    @property
    def sure(self) -> bool:
        """Whether it certainly is one."""
        return self.stroke.event.score >= SURE

    @property
    def origin(self) -> np.ndarray | None:
        """`(2,)` metres of the court where the ball was hit; None where unknown."""
        return self._locate(self.time)

    @property
    def target(self) -> np.ndarray | None:
        """`(2,)` metres of the court where the ball next touched anything; None where unknown."""
        return self.contact.place if self.contact is not None else self._locate(self.until)

    def _locate(self, time: float) -> np.ndarray | None:
        flight = self.stroke.flight
        return None if flight is None else flight.locate(np.array([time]))[0, :2]


def list_shots(analysis: Analysis) -> dict[int, list[Shot]]:
    """Return the shots of each rally, by its number."""
    contacts = {contact.event: contact for contact in analysis.contacts}
    ends = {rally.number: rally.end for rally in analysis.rallies}
    shots: dict[int, list[Shot]] = {number: [] for number in ends}
    for stroke in analysis.strokes:
        own = shots[stroke.event.rally]
        until = stroke.end.time if stroke.end is not None else ends[stroke.event.rally]
        contact = contacts.get(stroke.end) if stroke.end is not None else None
        own.append(Shot(len(own) + 1, stroke, until, contact))
    return shots


def name_court(analysis: Analysis) -> str:
    """Return the sport of the court, which may be custom; without a court, what is played."""
    return analysis.sport.name if analysis.court is None else analysis.court.sport


def measure_speed(shot: Shot) -> float | None:
    """Return the speed of a shot at the racket, km/h; None if it is unknown or uncertain."""
    flight = shot.stroke.flight
    if flight is None or flight.speed_error > LOOSE * flight.speed_kmh:
        return None
    return flight.speed_kmh


def describe_value(value: float, error: float, digits: int = 0) -> str:
    """Show a value with its standard deviation, such as `312 ± 9`."""
    if math.isnan(value):
        return UNKNOWN
    shown = f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return shown if math.isnan(error) else f"{shown} ± {error:.{digits}f}"


def describe_call(contact: FloorContact, sport: str) -> str:
    """Say whether a ball was `in`, `out`, or too close to the line to tell; empty if custom."""
    if sport == CUSTOM:
        return ""
    court = find_sport(sport)
    beyond = float(np.max(np.abs(contact.place) - np.array([court.width, court.length]) / 2))
    if abs(beyond) < contact.error:
        return "too close to call"
    return "out" if beyond > 0 else "in"


def describe_end(shot: Shot, sport: str) -> str:
    """Say what came after a shot: `hit`, `landing, out`, or that the ball was lost."""
    end = shot.stroke.end
    if end is None:
        return "out of sight"
    if end.kind == HIT or shot.contact is None:
        return end.kind
    call = describe_call(shot.contact, sport)
    return f"{end.kind}, {call}" if call else end.kind


def describe_clock(seconds: float) -> str:
    """Show a moment of a video: `1:02.5`."""
    minutes, rest = divmod(max(round(seconds, 1), 0.0), 60)
    return f"{int(minutes)}:{rest:04.1f}"
