from dataclasses import replace

import numpy as np
import pytest
from helpers_flights import compare_flights, mark_court, summarise
from helpers_rallies import SIZE, simulate

from keras_tracknet.analysis.analysis import analyze_track
from keras_tracknet.analysis.court.marks import CUSTOM
from keras_tracknet.analysis.flight.chain import Chain, Joint
from keras_tracknet.analysis.flight.chain_start import guess_chain
from keras_tracknet.analysis.flight.flights import Stretch
from keras_tracknet.analysis.rallies import Rally
from keras_tracknet.analysis.space_fit import FASTEST, fit_rally
from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic.camera import place_camera
from keras_tracknet.synthetic.flight import STEP, fly_balls
from keras_tracknet.tracks.event_table import BOUNCE, HIT, LANDING, Event

BADMINTON = SPORTS["badminton"]
FPS = 30.0


def fly(start, velocity, seconds, sport="badminton"):
    velocity = np.array([velocity], float)
    return fly_balls(np.array(start), velocity, seconds, SPORTS[sport].drag)[:, 0]


@pytest.fixture(scope="module")
def court(camera):
    return mark_court(camera, "badminton")


@pytest.fixture(scope="module")
def camera():
    return place_camera(np.random.default_rng(1), SIZE, BADMINTON)


def film(camera, flights, *, noise, seed=0, first=0.51):
    """Times, pixels and events of flights that follow each other, each `(points, 3)` metres."""
    times, places, events, begun = [], [], [], first
    for points in flights:
        end = begun + (len(points) - 1) * STEP
        shown = np.arange(np.ceil(begun * FPS), np.floor(end * FPS) + 1) / FPS
        ticks = begun + np.arange(len(points)) * STEP
        places.append(np.stack([np.interp(shown, ticks, axis) for axis in points.T], axis=-1))
        times.append(shown)
        events.append((begun, HIT, points[0]))
        begun = end
    events.append((begun, LANDING, flights[-1][-1]))
    pixels = camera.project(np.concatenate(places))
    pixels = pixels + np.random.default_rng(seed).normal(0, noise, pixels.shape)
    shown = [Event(t, round(t * FPS), kind, *camera.project(p).tolist()) for t, kind, p in events]
    return np.concatenate(times), pixels, Rally(1, first, begun, tuple(shown), True)


def cut_at_floor(points):
    return points[: int((points[:, 2] < BADMINTON.ball_radius).argmax()) + 1]


@pytest.fixture(scope="module")
def exchange():
    """A serve, a smash and its return to the floor: `(points, 3)` metres each."""
    serve = fly([0.3, -2.5, 1.0], [0.5, 17.0, 22.0], 1.7)
    smash = fly(serve[-1], [1.0, -60.0, -4.0], 0.35)
    lob = cut_at_floor(fly(smash[-1], [-1.0, 14.0, 16.0], 3.0))
    return [serve, smash, lob]


def test_exact_positions_give_the_flight(camera, court, exchange):
    times, pixels, rally = film(camera, exchange, noise=0.0)
    matrix = court.camera_matrix()
    found = fit_rally(rally, times, pixels, 0.2, 1 / FPS, BADMINTON, matrix)
    assert sorted(found) == [0, 1, 2]
    smash = found[1]
    real = np.linalg.norm([1.0, 60.0, 4.0]) * 3.6
    assert smash.speed_kmh == pytest.approx(real, rel=0.02)
    moments = smash.start + np.arange(len(exchange[1])) * STEP
    np.testing.assert_allclose(smash.locate(moments), exchange[1], atol=0.1)
    assert smash.landing is None
    np.testing.assert_allclose(found[2].landing, exchange[2][-1, :2], atol=0.03)
    for flight, points in zip(found.values(), exchange, strict=True):
        over = points[(points[:, 1] * points[0, 1] < 0).argmax(), 2] - BADMINTON.net_height
        assert flight.net_height == pytest.approx(over, abs=0.06)


def test_more_noise_makes_the_error_larger(camera, court, exchange):
    errors = []
    for noise in (0.5, 2.0):
        times, pixels, rally = film(camera, exchange, noise=noise)
        found = fit_rally(rally, times, pixels, 1.5, 1 / FPS, BADMINTON, court.camera_matrix())
        errors.append(found[2].speed_error)
    assert errors[1] > 1.5 * errors[0]


def test_what_no_ball_flew_has_no_flight(camera, court, exchange):
    times, pixels, rally = film(camera, exchange, noise=1.0)
    own = (times > rally.events[1].time) & (times < rally.events[2].time)
    pixels[own] = np.random.default_rng(1).uniform([300, 100], [900, 600], (own.sum(), 2))
    found = fit_rally(rally, times, pixels, 1.5, 1 / FPS, BADMINTON, court.camera_matrix())
    assert 1 not in found  # the others stand alone
    assert 2 in found
    np.testing.assert_allclose(found[2].landing, exchange[2][-1, :2], atol=0.3)


def test_no_ball_is_faster_than_any_was(camera, court, exchange, monkeypatch):
    times, pixels, rally = film(camera, exchange, noise=0.0)
    monkeypatch.setitem(FASTEST, "badminton", 50.0)  # m/s; the smash leaves at 60
    found = fit_rally(rally, times, pixels, 0.2, 1 / FPS, BADMINTON, court.camera_matrix())
    assert sorted(found) == [0, 2]


def test_derivatives_are_those_of_the_misfit():
    tennis, rng = SPORTS["tennis"], np.random.default_rng(0)
    view = place_camera(rng, SIZE, tennis)
    joints = [
        Joint(0.0, HIT, view.project(np.array([0.0, -11.0, 1.0]))),
        Joint(0.8, BOUNCE, view.project(np.array([1.0, 6.0, 0.03]))),
        Joint(1.4, HIT, view.project(np.array([2.0, 12.0, 1.0]))),
    ]
    stretches = [
        Stretch(np.array([0.1, 0.3, 0.5]), rng.uniform(300, 600, (3, 2))),
        Stretch(np.array([0.9, 1.2]), rng.uniform(300, 600, (2, 2))),
    ]
    chain = Chain(
        joints, stretches, 5.0, 1 / FPS, tennis, mark_court(view, "tennis").camera_matrix()
    )
    start = guess_chain(chain)[0]
    gradient, curvature = chain.expand(start)
    steps = np.tile([1e-4] * 3 + [1e-6], 3).tolist() + [1e-4, 1e-4, 1e-4, 1e-4, 1e-6] * 2
    for index, step in enumerate(steps):
        nudge = np.eye(len(start))[index] * step
        change = (chain.measure(start + nudge) - chain.measure(start - nudge)) / (4 * step)
        assert gradient[index] == pytest.approx(
            change, rel=0.05, abs=0.05 * abs(gradient).max() / 50
        )
    np.testing.assert_allclose(curvature, curvature.T, rtol=1e-6, atol=1e-6)


def test_on_a_court_of_its_own_kind_only_the_player_is_known():
    rally = simulate("badminton", 3)
    track = rally.track.resized(90)
    court = replace(mark_court(rally.camera, "badminton"), sport=CUSTOM)
    found = analyze_track(track, SIZE, BADMINTON, court=court)
    assert found.strokes
    assert all(stroke.flight is None and not stroke.kind for stroke in found.strokes)
    assert {stroke.player for stroke in found.strokes} >= {"near", "far"}  # by the flight's way


@pytest.fixture(scope="module")
def comparisons():
    return [c for sport in ("badminton", "tennis") for c in compare_flights(sport, 400, frames=180)]


def test_flights_of_rendered_rallies_are_measured_in_metres(comparisons):
    """A small version of benchmarks/flights.py."""
    found = summarise(comparisons)
    assert found["speed"].number >= 0.7 * len(comparisons)
    assert found["speed"].error < 0.08
    assert found["landing"].number >= 3
    assert found["landing"].error < 0.3
    assert found["net height"].error < 0.2


def test_strokes_of_rendered_rallies_have_their_kind_and_player(comparisons):
    named = [c for c in comparisons if c.stroke.kind]
    assert len(named) >= 6
    right = sum(c.stroke.kind == c.hit.kind for c in named)
    assert right >= 0.8 * len(named)
    sides = [c.stroke.player == ("near" if c.hit.side < 0 else "far") for c in comparisons]
    assert np.mean(sides) > 0.85


def test_no_ball_flies_through_the_net(camera, court):
    # As fast as it is, it would have to pass 0.8 m below the net's top edge.
    low = fly([0.3, -3.0, 1.0], [0.0, 30.0, -1.0], 0.3)
    back = cut_at_floor(fly(low[-1], [0.0, -20.0, 12.0], 3.0))
    times, pixels, rally = film(camera, [low, back], noise=0.2)
    found = fit_rally(rally, times, pixels, 0.5, 1 / FPS, BADMINTON, court.camera_matrix())
    assert 0 not in found


def test_what_the_other_side_hits_next_went_over_the_net(camera, court):
    short = fly([0.3, -5.0, 1.0], [0.0, 5.0, 7.0], 1.0)
    assert short[-1, 1] < -1
    back = cut_at_floor(fly(short[-1], [0.0, 16.0, 10.0], 3.0))
    times, pixels, rally = film(camera, [short, back], noise=0.2)
    found = fit_rally(rally, times, pixels, 0.5, 1 / FPS, BADMINTON, court.camera_matrix())
    assert sorted(found) == [1]
    assert found[1].net_height > 0
