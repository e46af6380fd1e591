"""Flights in space compared with the truth of rendered rallies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from helpers_rallies import FRAMES, SIZE, spoil_track

from keras_tracknet.analysis.analysis import Stroke, analyze_track
from keras_tracknet.analysis.court.calibration import Court, calibrate_court
from keras_tracknet.analysis.court.marks import Mark
from keras_tracknet.sports import SPORTS, Sport
from keras_tracknet.synthetic import Rally, RallyConfig, simulate_rally
from keras_tracknet.synthetic.camera import Camera
from keras_tracknet.synthetic.play import Hit, Play
from keras_tracknet.synthetic.rally import GAMES

STROKES = 4  # per rally, so that a clip shows how rallies end, too
WITHIN = 2 / 30  # seconds from a hit to the one it is taken for
# What balls and floors differ by: the logarithm of the drag, and shares of bounce and grip.
DRAG_SPREAD, BOUNCE_SPREAD = 0.06, 0.12


@dataclass(frozen=True)
class Comparison:
    """A hit of a rendered rally and the stroke that was found for it.

    Attributes:
        hit: the truth.
        stroke: what was found.
        speed: km/h at the racket, the truth.
        net_height: metres over the net, the truth; NaN if the flight does not cross it.
        landing: `(2,)` metres, the truth; None if the ball does not come down before the next hit.
    """

    hit: Hit
    stroke: Stroke
    speed: float
    net_height: float
    landing: np.ndarray | None


def mark_court(camera: Camera, name: str, noise: float = 0.0, seed: int = 0) -> Court:
    """The court with every landmark, each off by some pixels."""
    sport, rng, marks = SPORTS[name], np.random.default_rng(seed), []
    for mark, place in sport.landmarks.items():
        pixel = camera.project(np.array([*place, 0.0])) + rng.normal(0, noise, 2)
        marks.append(Mark(mark, *pixel.tolist(), *place))
    return calibrate_court(marks, SIZE, sport.name)


def play_again(rally: Rally) -> Play:
    """The play of a rally: the same seed gives the same play."""
    config = rally.config
    rng = np.random.default_rng([config.seed, 1])
    return GAMES[config.sport](rng, config.frames, float(config.fps), config.strokes)


def vary_sport(sport: Sport, seed: int) -> Sport:
    """A sport whose ball and floor are a little different, as no two are alike."""
    rng = np.random.default_rng([seed, 7])
    drag, bounce, grip = rng.normal(0, [DRAG_SPREAD, BOUNCE_SPREAD, BOUNCE_SPREAD]).tolist()
    return replace(
        sport,
        drag=sport.drag * np.exp(drag),
        restitution=sport.restitution * (1 + bounce),
        grip=sport.grip * (1 + grip),
    )


def compare_flights(
    sport: str, seed: int, *, noise: float = 1.0, mark_noise: float = 0.0, frames: int = FRAMES
) -> list[Comparison]:
    """Analyse a rendered rally, and compare its strokes with the truth."""
    config = RallyConfig(frames=frames, size=SIZE, seed=seed, sport=sport, strokes=STROKES)
    rally = simulate_rally(config)
    track = spoil_track(rally.track, noise=noise, missing=0.0, seed=seed)
    court = mark_court(rally.camera, sport, mark_noise, seed)
    analysis = analyze_track(track, SIZE, vary_sport(SPORTS[sport], seed), court=court)
    play, found = play_again(rally), []
    paths = {start: (end, points) for start, end, points in play.flights}
    for stroke in analysis.strokes:
        hit = min(play.hits, key=lambda hit: abs(hit.time - stroke.event.time))
        if abs(hit.time - stroke.event.time) <= WITHIN and hit.time in paths:
            end, points = paths[hit.time]
            landed = [c.point[:2] for c in play.contacts if hit.time < c.time <= end + 1e-6]
            landing = landed[0] if landed else None
            truth = (_measure_speed(points), _measure_net(points, SPORTS[sport]), landing)
            found.append(Comparison(hit, stroke, *truth))
    return found


def _measure_speed(points: np.ndarray) -> float:
    """km/h at the start of points that are 1/200 s apart."""
    return float(np.linalg.norm(-3 * points[0] + 4 * points[1] - points[2]) * 100 * 3.6)


def _measure_net(points: np.ndarray, sport: Sport) -> float:
    crossed = np.flatnonzero(points[:-1, 1] * points[1:, 1] < 0)
    if not len(crossed):
        return float("nan")
    return float(np.interp(0.5, [0, 1], points[crossed[0] : crossed[0] + 2, 2])) - sport.net_height


@dataclass(frozen=True)
class Summary:
    """How well a value is measured.

    Attributes:
        number: of values.
        error: median of the absolute error.
        coverage: share of the values within one standard deviation.
    """

    number: int
    error: float
    coverage: float


def summarise(comparisons: Sequence[Comparison]) -> dict[str, Summary]:
    """Errors of speed (as a share), landing and height over the net (metres)."""
    known = [(c, c.stroke.flight) for c in comparisons if c.stroke.flight is not None]
    speed = [
        ((f.speed_kmh - c.speed) / c.speed, abs(f.speed_kmh - c.speed) <= f.speed_error)
        for c, f in known
    ]
    net = [
        (f.net_height - c.net_height, abs(f.net_height - c.net_height) <= f.net_height_error)
        for c, f in known
        if np.isfinite([f.net_height, c.net_height]).all()
    ]
    landing = [
        (np.linalg.norm(f.landing - c.landing), np.abs(f.landing - c.landing) <= f.landing_error)
        for c, f in known
        if f.landing is not None and c.landing is not None
    ]
    found = {"speed": speed, "landing": landing, "net height": net}
    return {
        name: Summary(
            len(pairs),
            float(np.median(np.abs([error for error, _ in pairs]))),
            float(np.mean([inside for _, inside in pairs])),
        )
        for name, pairs in found.items()
        if pairs
    }
