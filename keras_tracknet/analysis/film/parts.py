"""Parts of a video worth watching: the longest rallies and the fastest shots."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from keras_tracknet.analysis.analysis import Analysis
from keras_tracknet.analysis.rallies import Rally
from keras_tracknet.analysis.shots import list_shots, measure_speed

RALLIES, SHOTS = 3, 5  # how many are shown
RANKS = ("", "2nd ", "3rd ", *(f"{n}th " for n in range(4, 21)))
LEAD, TAIL = 1.0, 1.0  # seconds before and after


class Title(NamedTuple):
    """What there is to see, from a moment on: seconds of the analysis."""

    time: float
    text: str


class Part(NamedTuple):
    """A part of the video: seconds of the analysis, and titles in the order of time."""

    start: float
    end: float
    titles: tuple[Title, ...] = ()


def choose_parts(analysis: Analysis, *, rallies: int = RALLIES, shots: int = SHOTS) -> list[Part]:
    """Return the longest rallies and the fastest shots, in the order of time.

    Without speeds in km/h the shots that are fastest in the picture count. Parts that overlap are
    one.

    Args:
        analysis: of the video.
        rallies, shots: how many of each.
    """
    parts = []
    longest = sorted(analysis.rallies, key=_measure_rally, reverse=True)[:rallies]
    for rank, rally in zip(RANKS, longest, strict=False):
        text = f"{rank}longest rally: {rally.strokes} shots, {rally.end - rally.start:.1f} s"
        parts.append(_make_part(rally.start, rally.end, text))
    listed = [shot for own in list_shots(analysis).values() for shot in own]
    speeds = [(speed, shot) for shot in listed if (speed := measure_speed(shot)) is not None]
    unit, where = "km/h", ""
    if not speeds:
        unit, where = "pixels/s", " in the picture"
        speeds = [(s.stroke.peak, s) for s in listed if math.isfinite(s.stroke.peak)]
    fastest = sorted(speeds, key=lambda pair: pair[0], reverse=True)[:shots]
    for rank, (speed, shot) in zip(RANKS, fastest, strict=False):
        kind = f"{shot.stroke.kind}, " if shot.stroke.kind else ""
        text = f"{rank}fastest shot{where}: {kind}{speed:,.0f} {unit}"
        parts.append(_make_part(shot.time, shot.until, text))
    return merge_parts(parts)


def merge_parts(parts: Iterable[Part]) -> list[Part]:
    """Return parts in the order of time; those that overlap become one with all titles."""
    merged: list[Part] = []
    for part in sorted(parts):
        if merged and part.start <= merged[-1].end:
            last = merged[-1]
            titles = tuple(sorted(last.titles + part.titles))
            merged[-1] = Part(last.start, max(last.end, part.end), titles)
        else:
            merged.append(part)
    return merged


def find_longest(analysis: Analysis) -> Rally | None:
    """Return the rally with the most shots, the longer one of two; None if there is none."""
    return max(analysis.rallies, key=_measure_rally, default=None)


def _measure_rally(rally: Rally) -> tuple[int, float]:
    return rally.strokes, rally.end - rally.start


def _make_part(start: float, end: float, text: str) -> Part:
    text = text[0].upper() + text[1:]
    return Part(start - LEAD, end + TAIL, (Title(start - LEAD, text),))
