"""Rallies with exact truth, made worse in a known way, and how well events were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from scipy.optimize import linear_sum_assignment

from keras_tracknet.analysis.analysis import Analysis, analyze_track
from keras_tracknet.analysis.court.calibration import Mark, calibrate_court
from keras_tracknet.analysis.court.zones import name_zone
from keras_tracknet.analysis.flight.space import SpaceFlight
from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic import Rally, RallyConfig, simulate_rally
from keras_tracknet.synthetic.games import play_tennis
from keras_tracknet.synthetic.play import Play
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


@cache
def analyze_truly(seed: int) -> Analysis:
    """A rendered tennis rally, analysed on its court, with the true flights."""
    rally, tennis = simulate("tennis", seed), SPORTS["tennis"]
    marks = []
    for name in ("near_left", "near_right", "far_left", "far_right"):
        place = tennis.landmarks[name]
        marks.append(Mark(name, *rally.camera.project(np.array([*place, 0.0])), *place))
    court, config = calibrate_court(marks, SIZE, "tennis"), rally.config
    rng = np.random.default_rng([config.seed, 1])
    play = play_tennis(rng, config.frames, float(config.fps), config.strokes)
    return fly_truly(analyze_track(rally.track, SIZE, tennis, court=court), play)


def fly_truly(analysis: Analysis, play: Play) -> Analysis:
    """Give each stroke of an analysis its true flight, kind and player, as if a fit were exact."""
    strokes = []
    for stroke in analysis.strokes:
        start, end = stroke.event.time, stroke.end.time if stroke.end else stroke.event.time + 0.5
        hit = min(play.hits, key=lambda hit: abs(hit.time - start))
        times = np.array([start + 0.02, start + 0.03])
        before, after = play.locate_ball(times)
        velocity = (after - before) / 0.01
        if abs(hit.time - start) > 0.1 or not np.isfinite(velocity).all():
            strokes.append(stroke)
            continue
        state = np.concatenate([before - 0.02 * velocity, velocity, [0.0, 0.0]])
        speed = 3.6 * float(np.linalg.norm(velocity))
        flight = SpaceFlight(
            start, end, speed, 0.03 * speed, 0.8, 0.05, None, None, state, analysis.sport
        )
        kind = "smash" if speed > 150 else "drive" if speed > 80 else "net"
        player = "near" if hit.side < 0 else "far"
        zone = name_zone(state[:2], analysis.sport)
        strokes.append(replace(stroke, flight=flight, kind=kind, player=player, zone=zone))
    return replace(analysis, strokes=tuple(strokes))
