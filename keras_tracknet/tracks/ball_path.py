"""The path of the ball: which detections of a track one ball can have passed through.

A detection may be of another object: a ball that lies there, a shoe, a lamp. The path that explains
the detections best is found by dynamic programming (Viterbi 1967) over pairs of detections. A
detection that is left out costs its confidence. A path costs something wherever the ball turns,
stops short or is lost for a while. Detections near the path are not left out.

Lengths are heights of the picture, so that one set of costs does for all videos.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from keras_tracknet.tracks.repeats import undo_repeats

REACH = 16  # detections that may be left out between two neighbours on the path
LONGEST_LINK = 0.6  # seconds between them; after more the path begins anew

# Costs, in detections that are left out.
TURN = 2.0  # a hit, a bounce, or a jump to another object
STOP = 4.0  # a stop right after a long step: most of these are jumps
TOO_FAST = 4.0
ANEW = 6.0  # the ball is lost, and a flight that lasts begins
ANEW_AT_TOP = 3.0  # a ball that leaves the picture at the top is lost, or comes back there
LOST = 6.0  # per second without a detection,
USUAL_GAP = 0.07  # beyond this many

# How far a ball may be from where it would be without gravity and air: a distance, plus a share of
# the way there, plus what gravity does.
LOOSE = 0.025
LOOSE_SHARE = 0.35
GRAVITY = 1.5  # heights / s^2
FASTEST = 6.0  # heights / s
LONG_STEP = 0.05
STOPPED, SLOWED = 0.3, 0.5  # speed after a long step over that in it: a stop, and none

# A resting object is worth less than one that flies: leaving it out costs less.
STILL = 0.012  # that positions of a resting object scatter by,
STILL_COUNT, STILL_TIME = 5, 0.4  # so many in as many seconds
REST_WORTH = 0.5  # of each of the first `REST_COUNT` detections at rest,
REST_COUNT = 10
LATE_REST_WORTH = 0.05  # and of later ones

NEAR = 0.05  # of the path: no harm is done there
DETOUR = 1.25  # times the fastest way between two positions that a detour through a third may be
SHORT_GAP = 0.4  # seconds between these two
NEXT = 0.1  # seconds from the end of a path that a next position may be
LEADING = 0.6  # seconds that a flight is followed to an object at rest,
LEADING_TIME = 1.5  # seconds before or after it
SAME_PLACE_TIME = 5.0  # seconds that a ball may lie in one place unseen


def find_path(
    frames: np.ndarray,
    times: np.ndarray,
    positions: np.ndarray,
    confidence: np.ndarray,
    height: int,
    *,
    shots: np.ndarray | None = None,
) -> np.ndarray:
    """Find the detections that one ball can have passed through.

    Args:
        frames: `(detections,)` their frames, ascending.
        times: `(detections,)` seconds.
        positions: `(detections, 2)` pixels.
        confidence: `(detections,)` 0 to 1.
        height: of the picture, pixels.
        shots: `(detections,)` number of the camera shot; all in one when omitted.

    Returns:
        `(detections,)` bool.
    """
    if len(frames) < 3:
        return np.ones(len(frames), bool)
    unique, corrected = undo_repeats(frames, times, positions)
    own = np.flatnonzero(unique)
    places, moments = positions[own] / height, corrected[own]
    shot = np.zeros(len(own), int) if shots is None else shots[own]
    worth = np.minimum(confidence[own] / max(float(np.median(confidence[own])), 1e-6), 1.0)
    worth = worth * _weigh_rests(places, moments)
    kept = _Search(places, moments, worth, shot).find()
    for _ in range(2):  # what is near the path may lead to more
        kept = _add_near(places, moments, shot, kept)
    found = np.zeros(len(frames), bool)
    found[own] = kept
    last = np.maximum.accumulate(np.where(unique, np.arange(len(frames)), 0))
    return found[last]  # a repeated picture goes with the one it repeats


def _weigh_rests(places: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """What each detection is worth: 1, and less at rest."""
    still = np.zeros(len(places), bool)
    for first in range(len(places) - STILL_COUNT + 1):
        group = slice(first, first + STILL_COUNT)
        if moments[group][-1] - moments[first] < STILL_TIME:
            apart = places[group] - places[group].mean(axis=0)
            still[group] |= np.linalg.norm(apart, axis=1).max() < STILL
    since = np.arange(len(places)) - np.maximum.accumulate(
        np.where(still, -1, np.arange(len(places)))
    )
    return np.where(still, np.where(since <= REST_COUNT, REST_WORTH, LATE_REST_WORTH), 1.0)


class _Search:
    """The search for the path that costs least.

    `cost[k, d]` is that of the cheapest path to detection k whose detection before is k - 1 - d; in
    the last column the path begins, or begins anew, at k. `came` says where from: the column of the
    detection before, and in the last column the detection that the path was lost at, or -1.
    """

    def __init__(
        self, places: np.ndarray, moments: np.ndarray, worth: np.ndarray, shot: np.ndarray
    ) -> None:
        self.places, self.moments, self.shot = places, moments, shot
        self.skipped = np.concatenate([[0.0], np.cumsum(worth)])
        self.cost = np.full((len(places), REACH + 1), np.inf)
        self.came = np.full((len(places), REACH + 1), -1)

    def find(self) -> np.ndarray:
        """Return `(detections,)` bool: what is on the path."""
        lost, lost_at = np.inf, -1  # the cheapest path that is lost so far, less what is skipped
        for k in range(len(self.places)):
            self.cost[k, REACH] = self.skipped[k] + min(lost, 0.0)
            self.came[k, REACH] = lost_at if lost < 0 else -1
            if k:
                self._link(k)
            price = self.cost[k].min() - self.skipped[k + 1]
            price += ANEW_AT_TOP if self._leaves_at_top(k) else ANEW
            if price < lost:
                lost, lost_at = price, k
        return self._trace(int((self.cost.min(axis=1) - self.skipped[1:]).argmin()))

    def _link(self, k: int) -> None:
        """Find the cheapest paths to a detection from those before it."""
        before = k - 1 - np.arange(min(REACH, k))
        earlier = before[:, None] - 1 - np.arange(REACH)
        known = earlier >= 0
        earlier = np.maximum(earlier, 0)
        gap = self.moments[k] - self.moments[before]
        way = self.places[k] - self.places[before]
        gap_before = np.where(known, self.moments[before][:, None] - self.moments[earlier], 1.0)
        way_before = self.places[before][:, None] - self.places[earlier]
        speed = np.linalg.norm(way, axis=1) / gap
        speed_before = np.linalg.norm(way_before, axis=2) / gap_before

        ahead = way_before * (gap[:, None] / gap_before)[..., None]
        off = np.linalg.norm(way[:, None] - ahead, axis=2)
        loose = LOOSE + LOOSE_SHARE * speed_before * gap[:, None]
        loose += GRAVITY / 2 * gap[:, None] * (gap_before + gap[:, None])
        turn = np.minimum((off / loose) ** 2, TURN)
        slowing = speed[:, None] / np.maximum(speed_before, 1e-9)
        stop = ((SLOWED - slowing) / (SLOWED - STOPPED)).clip(0, 1)
        stop[speed_before * gap_before < LONG_STEP] = 0.0

        costs = self.cost[before]
        costs[:, :REACH] += np.where(known, turn + STOP * stop, np.inf)
        coming = (way[:, 1] > 0) & (self.places[before, 1] - 0.1 * way[:, 1] / gap < 0)
        coming &= self.came[before, REACH] >= 0
        costs[:, REACH] -= np.where(coming, ANEW - ANEW_AT_TOP, 0.0)
        best = costs.argmin(axis=1)
        price = costs[np.arange(len(before)), best] + self.skipped[k] - self.skipped[before + 1]
        price += np.where(speed > FASTEST, TOO_FAST, 0.0) + LOST * np.maximum(gap - USUAL_GAP, 0)
        apart = (gap > LONGEST_LINK) | (self.shot[before] != self.shot[k])
        self.cost[k, : len(before)] = np.where(apart, np.inf, price)
        self.came[k, : len(before)] = best

    def _leaves_at_top(self, k: int) -> bool:
        column = int(self.cost[k].argmin())
        if column == REACH:
            return False
        before = k - 1 - column
        rise = self.places[k, 1] - self.places[before, 1]
        pace = rise / (self.moments[k] - self.moments[before])
        return bool(rise < 0 and self.places[k, 1] + 0.1 * pace < 0)

    def _trace(self, k: int) -> np.ndarray:
        on_path = np.zeros(len(self.places), bool)
        column = int(self.cost[k].argmin())
        while k >= 0:
            on_path[k] = True
            came = int(self.came[k, column])
            if column == REACH:
                k = came
                column = int(self.cost[k].argmin()) if k >= 0 else -1
            else:
                k, column = k - 1 - column, came
        return on_path


def _add_near(
    places: np.ndarray, moments: np.ndarray, shot: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """Add what is near the path, or rests where the path leads to."""
    path = np.flatnonzero(kept)
    found = kept.copy()
    if len(path) < 2:
        return found
    gaps = np.diff(moments[path])
    paces = np.diff(places[path], axis=0) / gaps[:, None]
    speeds = np.linalg.norm(paces, axis=1)
    steady = (gaps < NEXT * 2) & (np.diff(shot[path]) == 0)
    for number, (a, b) in enumerate(pairwise([-1, *path.tolist(), len(places)])):
        between = np.arange(a + 1, b)
        if not len(between):
            continue
        if 0 < number < len(path) and moments[b] - moments[a] < SHORT_GAP:
            fastest = speeds[max(0, number - 3) : number + 2].max() * (moments[b] - moments[a])
            way = np.linalg.norm(places[between] - places[a], axis=1)
            way += np.linalg.norm(places[between] - places[b], axis=1)
            near = _measure_away(places[between], places[a], places[b] - places[a]) < NEAR
            found[between] |= near | (way < DETOUR * fastest)
        if number > 0:
            pace = paces[number - 2] if number > 1 and steady[number - 2] else None
            found[between] |= _continues(places, moments, shot, a, pace, between)
        if number < len(path):
            pace = -paces[number] if number < len(path) - 1 and steady[number] else None
            found[between] |= _continues(places, moments, shot, b, pace, between)
    return found


def _continues(
    places: np.ndarray,
    moments: np.ndarray,
    shot: np.ndarray,
    end: int,
    pace: np.ndarray | None,
    others: np.ndarray,
) -> np.ndarray:
    """Which of other detections continue the path beyond an end of it: `(others,)` bool.

    Args:
        pace: `(2,)` heights per second away from the path; None where it is not known.
    """
    since = np.abs(moments[others] - moments[end])
    way = places[others] - places[end]
    near = np.linalg.norm(way, axis=1) < NEAR
    if pace is not None:
        off = np.linalg.norm(way - pace * since[:, None], axis=1)
        near |= (since < NEXT) & (off < NEAR + np.linalg.norm(pace) * since / 2)
        line = pace * np.minimum(since, LEADING)[:, None]
        near |= (since < LEADING_TIME) & (_measure_away(way, np.zeros(2), line) < NEAR)
    found: np.ndarray = near & (since < SAME_PLACE_TIME) & (shot[others] == shot[end])
    return found


def _measure_away(points: np.ndarray, start: np.ndarray, line: np.ndarray) -> np.ndarray:
    """How far points are from a line that begins at `start`: `(points,)`."""
    length = np.maximum((line * line).sum(axis=-1), 1e-12)
    share = (((points - start) * line).sum(axis=-1) / length).clip(0, 1)
    away: np.ndarray = np.linalg.norm(points - start - share[..., None] * line, axis=-1)
    return away
