"""Labels for a classifier of clips: what happens in a badminton rally, by its labelled track.

This is a rule of its own, not the one by which `tracknet analyze` finds events. That one
(`keras_tracknet.analysis.events.find_events`) fits whole flights to a predicted track of any sport,
and tells hits from bounces. A label also has to say which player hits, when the shuttle is in play
and where nobody knows, and must not change with the solver: a trained classifier learned it.

The rule, for a camera behind the court:

- a **hit** is where the velocity turns: where the velocity after a moment is neither the one
  before it slowed down by the air, nor that with what gravity adds to it; or where the shuttle
  appears in flight, as after a serve out of the hand; but not at the upper edge of the picture,
  where it leaves and comes back;
- its **side** is near where the shuttle is low in the picture and far where it is high, with a
  price on two hits of one side in a row, because players take turns;
- **play** goes from a hit to the next one, or until the shuttle rests or is gone.

A window is called after the hit in its middle half. One without any hit is `flight` or
`no_play`; one with a hit at its edge, or with the end of play in it, has no class.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

CLASSES = ("near_hit", "far_hit", "flight", "no_play")
NO_CLASS = -1

# Times in seconds, lengths in heights of the picture.
LEG = 1 / 6  # time over which the velocity before and after a moment is measured
GAP = 0.3  # longest time that the shuttle may be hidden by the one who hits it
APART = 0.3  # least time between two hits
TURN = 0.2  # least change of the velocity, heights per second
TOP = 0.1  # part of the picture where nobody reaches, heights
GRAVITY = 1.5  # in the nearest part of the court, heights per second squared
SAME_SIDE = 0.2  # price of two hits of one side in a row, heights
BOUNDARY = 0.48  # between the heights of near and far hits, 0 at the top
BOUNDARY_HITS = 1  # that it is worth beside the mean of the clip's own
REST_TIME, REST_SPREAD = 0.4, 0.01  # it rests where it moves less than that for so long
LONGEST_FLIGHT = 3.2


@dataclass(frozen=True)
class PlayLabels:
    """Hits and play in a labelled clip.

    Attributes:
        hits: `(hits,)` int, the first frame after each hit.
        near: `(hits,)` bool, whether the player near the camera hits.
        playing: `(frames,)` bool, whether the shuttle is in play.
        labelled: `(frames,)` bool, whether that is known.
    """

    hits: np.ndarray
    near: np.ndarray
    playing: np.ndarray
    labelled: np.ndarray


def label_play(positions: np.ndarray, labelled: np.ndarray, fps: float) -> PlayLabels:
    """Label the hits and the play of a track.

    Args:
        positions: `(frames, 2)`, (x, y) in heights of the picture; NaN for no shuttle.
        labelled: `(frames,)` bool.
        fps: frames per second.
    """
    hits = label_hits(positions, fps)
    near = assign_sides(_height_at(positions, hits))
    return PlayLabels(hits, near, find_play(positions, hits, fps), np.asarray(labelled, bool))


def label_hits(positions: np.ndarray, fps: float) -> np.ndarray:
    """Return the first frame after each hit.

    Args:
        positions, fps: as for `label_play`.

    Returns:
        `(hits,)` int, ascending.
    """
    leg = max(2, round(LEG * fps))
    seen = np.flatnonzero(np.isfinite(positions[:, 0]))
    turns: dict[int, float] = {}
    for place, first in enumerate(seen.tolist()):
        last = int(seen[place - 1]) if place else -1
        before, after = seen[max(0, place - leg) : place], seen[place : place + leg]
        before, after = before[before > last - 2 * leg], after[after < first + 2 * leg]
        if len(after) < 2 or positions[first, 1] < TOP:
            continue
        if first - last - 1 > GAP * fps:
            turns[first] = float(np.hypot(*_fit_velocity(after / fps, positions[after])))
        elif len(before) > 1:
            turns[(last + first + 1) // 2] = _measure_turn(positions, before, after, fps)
    hits: list[int] = []
    for frame in sorted(turns, key=turns.__getitem__, reverse=True):
        if turns[frame] < TURN:
            break
        if all(abs(frame - other) >= APART * fps for other in hits):
            hits.append(frame)
    return np.array(sorted(hits), int)


def assign_sides(heights: np.ndarray) -> np.ndarray:
    """Return which hits are those of the near player.

    The sequence of sides in which the hits lie furthest on their side of the boundary in sum,
    less a price for each two neighbours on one side (Viterbi's algorithm).

    Args:
        heights: `(hits,)`, y of each hit in heights of the picture, 0 at the top.

    Returns:
        `(hits,)` bool.
    """
    count = len(heights)
    boundary = (heights.sum() + BOUNDARY_HITS * BOUNDARY) / (count + BOUNDARY_HITS)
    evidence = np.stack([boundary - heights, heights - boundary], axis=-1)  # far, near
    price = SAME_SIDE * np.eye(2)
    best, choices = np.zeros(2), []
    for gain in evidence:
        reached = best[:, None] - price  # from each side to each
        choices.append(reached.argmax(axis=0))
        best = reached.max(axis=0) + gain
    near = np.zeros(len(heights), bool)
    side = int(best.argmax())
    for hit in range(len(heights) - 1, -1, -1):
        near[hit] = bool(side)
        side = int(choices[hit][side])
    return near


def find_play(positions: np.ndarray, hits: np.ndarray, fps: float) -> np.ndarray:
    """Return in which frames the shuttle is in play.

    Args:
        positions, fps: as for `label_play`.
        hits: from `label_hits`.

    Returns:
        `(frames,)` bool.
    """
    playing = np.zeros(len(positions), bool)
    longest = round(LONGEST_FLIGHT * fps)
    for hit, following in pairwise([*hits, len(positions)]):
        end = min(following, hit + longest)
        rest = next((f for f in range(hit, end) if _rests(positions, f, fps)), None)
        if rest is not None:
            end = rest
        elif end < following or following == len(positions):  # nobody hits it any more
            seen = np.flatnonzero(np.isfinite(positions[hit:end, 0]))
            end = hit + seen[-1] + 1 if len(seen) else hit
        playing[hit:end] = True
    return playing


def classify_windows(play: PlayLabels, starts: np.ndarray, length: int) -> np.ndarray:
    """Return the class of each window of a clip.

    Args:
        play: of the clip.
        starts: `(windows,)` int, the first frame of each window.
        length: frames in a window.

    Returns:
        `(windows,)` int: a place in `CLASSES`, or `NO_CLASS`.
    """
    classes = np.full(len(starts), NO_CLASS)
    for window, start in enumerate(starts):
        frames = slice(start, start + length)
        distance = np.abs(play.hits - 0.5 - (start + (length - 1) / 2))
        if not play.labelled[frames].all():
            continue
        if (distance <= length / 4).any():
            classes[window] = 0 if play.near[distance.argmin()] else 1
        elif not ((play.hits > start) & (play.hits < start + length)).any():
            playing = play.playing[frames]
            if playing.all() or not playing.any():
                classes[window] = 2 if playing[0] else 3
    return classes


def _measure_turn(
    positions: np.ndarray, before: np.ndarray, after: np.ndarray, fps: float
) -> float:
    """Return how much of the change of velocity neither air nor gravity explains."""
    old, new = (_fit_velocity(frames / fps, positions[frames]) for frames in (before, after))
    speed = float(old @ old)
    slowed = np.clip(new @ old / speed, 0, 1) if speed else 0.0
    change = new - slowed * old
    seconds = (after.mean() - before.mean()) / fps
    change[1] -= np.clip(change[1], 0, GRAVITY * seconds)
    return float(np.hypot(*change))


def _fit_velocity(times: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the slope of a straight line through points `(points, 2)`, by least squares."""
    away = times - times.mean()
    slope: np.ndarray = away @ points / (away @ away)
    return slope


def _height_at(positions: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Return y at each hit, between the positions beside it."""
    seen = np.flatnonzero(np.isfinite(positions[:, 1]))
    return np.interp(hits - 0.5, seen, positions[seen, 1]) if len(seen) else np.zeros(0)


def _rests(positions: np.ndarray, frame: int, fps: float) -> bool:
    frames = max(2, round(REST_TIME * fps))
    points = positions[frame : frame + frames]
    points = points[np.isfinite(points[:, 0])]
    return len(points) > frames / 2 and bool((np.ptp(points, axis=0) < REST_SPREAD).all())
