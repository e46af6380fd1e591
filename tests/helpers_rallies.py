"""Rallies with exact truth, made worse in a known way, and how well events were found."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.optimize import linear_sum_assignment

from keras_tracknet.synthetic import Rally, RallyConfig, simulate_rally
from keras_tracknet.tracks.event_table import Event
from keras_tracknet.tracks.track import Track

SIZE = (720, 1280)
FRAMES = 240


@cache
def simulate(sport: str, seed: int) -> Rally:
    return simulate_rally(RallyConfig(frames=FRAMES, size=SIZE, seed=seed, sport=sport))


def spoil_track(track: Track, *, noise: float, missing: float, seed: int) -> Track:
    """Add noise in pixels, and leave out a share of the positions."""
    rng = np.random.default_rng(seed)
    seen = track.visibility & (rng.random(len(track)) >= missing)
    x, y = (track.positions + rng.normal(0, noise, (len(track), 2))).T
    return Track.from_positions(x, y, seen, time=track.time)


def count_matches(truth: Sequence[Event], found: Sequence[Event], within: float) -> int:
    """How many events have one of their kind within so many seconds, each taken once."""
    if not truth or not found:
        return 0
    apart = np.array([[abs(a.time - b.time) for b in found] for a in truth])
    same = np.array([[a.kind == b.kind for b in found] for a in truth])
    good = same & (apart <= within + 1e-6)
    rows, columns = linear_sum_assignment(np.where(good, apart, 1e3))
    return int(good[rows, columns].sum())
