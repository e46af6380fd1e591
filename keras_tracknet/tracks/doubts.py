"""Doubts: the moments of a track that a person had best look at, most useful first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_tracknet.tracks.tables import CORRECTED, REJECTED, REPAIRED
from keras_tracknet.tracks.track import Track

DISAGREEMENT, JUMP, GAP, LONE, FAINT, GLIMPSE, REJECTION, REPAIR, START, END = KINDS = (
    "disagreement", "jump", "gap", "lone", "faint", "glimpse", "rejected", "repaired", "start",
    "end",
)  # fmt: skip
APART = 6  # frames between two moments, at least
LONGEST_GAP = 12  # frames without a ball within a flight; after more, another flight begins
SHORTEST_FLIGHT = 4  # frames; a ball that is seen for fewer may be something else
FAR = 0.012  # of the picture's width, as the track's spread has it: two positions that differ
JUMP_FACTOR = 4.0  # times the usual step
LEAST_SCORE = 0.05


class DoubtfulMoment(NamedTuple):
    """A moment of a track that may be wrong.

    Attributes:
        frame: the one to look at.
        first, last: frames that the doubt is about.
        kind: one of `KINDS`.
        score: 0 to 1; the higher, the more useful it is to look there.
        reason: why, in words.
    """

    frame: int
    first: int
    last: int
    kind: str
    score: float
    reason: str


def find_doubtful_frames(
    track: Track,
    *,
    threshold: float = 0.5,
    other: Track | None = None,
    apart: int = APART,
    most: int | None = None,
) -> list[DoubtfulMoment]:
    """Return the moments of a track that a person had best look at, most useful first.

    A moment is doubtful where the ball leaves its path and comes back, vanishes for a few frames
    within a flight, is seen for a few frames only, or is found with little confidence; where
    something faint was not taken for the ball; where a frame was repaired or a detection rejected;
    and where a flight begins or ends. Frames that a person has corrected are no longer doubtful.

    Args:
        track: as tracked, or corrected in part.
        threshold: confidence that a detection needed; below it something was faint.
        other: track of the same video in another mode or by other weights. Where the two
            disagree is doubtful first of all.
        apart: frames between two moments, at least: neighbours look alike.
        most: moments to return; all when omitted.

    Returns:
        One entry per moment.

    Example:
        >>> x = [10.0, 14.0, 18.0, 90.0, 26.0, 30.0, 34.0, 38.0, 42.0]
        >>> track = Track.from_positions(x, [5.0] * 9, [1] * 9)
        >>> [(moment.frame, moment.kind) for moment in find_doubtful_frames(track)]
        [(3, 'jump')]
    """
    found = [
        *_find_disagreements(track, other),
        *_find_jumps(track),
        *_find_runs(track),
        *_find_faint(track, threshold),
        *_find_changed(track),
    ]
    settled = track.status == CORRECTED
    moments: list[DoubtfulMoment] = []
    taken = np.zeros(len(track), bool)
    for moment in sorted(found, key=lambda m: (-m.score, m.frame)):
        if most is not None and len(moments) >= most:
            break
        if moment.score >= LEAST_SCORE and not (taken[moment.frame] or settled[moment.frame]):
            moments.append(moment)
            taken[max(0, moment.frame - apart + 1) : moment.frame + apart] = True
    return moments


def _find_disagreements(track: Track, other: Track | None) -> Iterator[DoubtfulMoment]:
    if other is None:
        return
    other = other.resized(len(track))
    one, two = track.visibility, other.visibility
    away = np.linalg.norm(track.positions - other.positions, axis=1)
    far = _measure_far(track)
    with np.errstate(invalid="ignore"):
        wrong = other.labelled & ((one != two) | (one & two & (away > far)))
    for first, last in _list_runs(wrong):
        frame = (first + last) // 2
        if one[frame] and two[frame]:
            reason = f"two tracks place the ball {away[frame]:.0f} pixels apart"
        else:
            reason = "one of two tracks sees no ball"
        yield DoubtfulMoment(frame, first, last, DISAGREEMENT, 1.0, reason)


def _find_jumps(track: Track) -> Iterator[DoubtfulMoment]:
    """Yield the frames whose ball is off the way from the frame before to the one after."""
    if len(track) < 3:
        return
    places = track.positions
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    usual = float(np.nanmedian(steps)) if np.isfinite(steps).any() else 0.0
    middle = (places[:-2] + places[2:]) / 2
    off = np.linalg.norm(places[1:-1] - middle, axis=1)
    way = np.linalg.norm(places[2:] - places[:-2], axis=1) / 2
    scale = JUMP_FACTOR * np.maximum(way, max(usual, 2.0)) / 2
    for place in np.flatnonzero(off > scale).tolist():
        frame = place + 1
        score = float(min(1.0, 0.6 + 0.2 * off[place] / scale[place]))
        reason = f"the ball jumps {off[place]:.0f} pixels off its path and back"
        yield DoubtfulMoment(frame, frame, frame, JUMP, score, reason)


def _find_runs(track: Track) -> Iterator[DoubtfulMoment]:
    """Yield gaps within flights, balls seen for a few frames only, and where flights begin."""
    seen = track.visibility
    for first, last in _list_runs(~seen):
        length = last - first + 1
        if first > 0 and last < len(track) - 1 and length <= LONGEST_GAP:
            score = 0.9 - 0.02 * length
            shown = f"{length} frames" if length > 1 else "1 frame"
            reason = f"no ball for {shown} within a flight"
            yield DoubtfulMoment((first + last) // 2, first, last, GAP, score, reason)
    for first, last in _list_runs(seen):
        length = last - first + 1
        alone_before = first == 0 or not seen[max(0, first - LONGEST_GAP) : first].any()
        alone_after = last == len(track) - 1 or not seen[last + 1 : last + 1 + LONGEST_GAP].any()
        if length < SHORTEST_FLIGHT and (first > 0 or last < len(track) - 1):
            shown = f"{length} frames" if length > 1 else "1 frame"
            reason = f"the ball is seen for {shown} only"
            yield DoubtfulMoment((first + last) // 2, first, last, LONE, 0.8, reason)
            continue
        if first > 0 and alone_before:
            reason = "a flight begins: was the ball there before?"
            yield DoubtfulMoment(first - 1, first - 1, first, START, 0.5, reason)
        if last < len(track) - 1 and alone_after:
            reason = "a flight ends: is the ball still there?"
            yield DoubtfulMoment(last + 1, last, last + 1, END, 0.5, reason)


def _find_faint(track: Track, threshold: float) -> Iterator[DoubtfulMoment]:
    """Yield what was found with little confidence, and what was nearly taken for the ball."""
    seen, sure = track.visibility, track.confidence
    for frame in np.flatnonzero(seen & (sure < 1)).tolist():
        score = float(0.85 * (1 - sure[frame]))
        reason = f"the ball is found with confidence {sure[frame]:.2f} only"
        yield DoubtfulMoment(frame, frame, frame, FAINT, score, reason)
    for frame in np.flatnonzero(~seen & (sure > 0)).tolist():
        score = float(0.8 * min(1.0, sure[frame] / max(threshold, 1e-6)))
        reason = f"something with confidence {sure[frame]:.2f} was not taken for the ball"
        yield DoubtfulMoment(frame, frame, frame, GLIMPSE, score, reason)


def _find_changed(track: Track) -> Iterator[DoubtfulMoment]:
    """Yield what was changed after the network had its say."""
    for status, kind, reason in (
        (REPAIRED, REPAIR, "the ball was not seen; its place was filled in"),
        (REJECTED, REJECTION, "a detection was taken for something else than the ball"),
    ):
        for first, last in _list_runs(track.status == status):
            yield DoubtfulMoment((first + last) // 2, first, last, kind, 0.6, reason)


def _list_runs(there: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield the first and the last index of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], there.astype(np.int8), [0]])))
    for first, stop in edges.reshape(-1, 2).tolist():
        yield first, stop - 1


def _measure_far(track: Track) -> float:
    """Return the pixels from which two positions differ."""
    places = track.positions[track.visibility]
    spread = float(np.ptp(places, axis=0).max()) if len(places) else 0.0
    return max(4.0, FAR * spread)
