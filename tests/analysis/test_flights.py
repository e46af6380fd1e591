import numpy as np
import pytest
from scipy.optimize import least_squares

from keras_tracknet.analysis.flight.camera import View
from keras_tracknet.analysis.flight.flights import Flight, Stretch, fit_flights, fly_states
from keras_tracknet.analysis.flight.solver import solve_many
from keras_tracknet.sports import GRAVITY, SPORTS
from keras_tracknet.synthetic.flight import STEP, fly_balls

LEVEL = View(2000.0, (639.5, 359.5), 0.0, 25.0)  # gravity is straight down in its picture
TILTED = View.of_broadcast((720, 1280), SPORTS["badminton"])


@pytest.mark.parametrize("sport", SPORTS)
def test_a_flight_is_that_of_the_renderer(sport):
    # The renderer's axes are x, away, up; the camera's are x, down, away.
    start, velocity = np.array([0.0, 0.0, 2.0]), np.array([4.0, 30.0, 6.0])
    path = fly_balls(start, velocity[None], 1.0, SPORTS[sport].drag)[:, 0]
    state = np.array([0.0, -2.0, 10.0, 4.0, -6.0, 30.0, 0.0])[None, None]
    seconds = np.arange(len(path)) * STEP
    flown = fly_states(state, seconds[None], SPORTS[sport], LEVEL.gravity)[0, :, 0, :3]
    expected = np.stack([path[:, 0], -path[:, 2], 10 + path[:, 1]], axis=1)
    np.testing.assert_allclose(flown, expected, atol=0.02)


def test_gravity_points_down_by_the_pitch():
    assert np.linalg.norm(TILTED.gravity) == pytest.approx(GRAVITY)
    assert TILTED.gravity[1] > TILTED.gravity[2] > 0


def make_flight(state, sport="badminton", seconds=1.0):
    return Flight(0.0, seconds, np.array([*state, 0.0]), 0.0, SPORTS[sport], TILTED)


@pytest.mark.parametrize(
    ("state", "sport"),
    [
        ((1.0, 2.0, 20.0, 3.0, -12.0, 10.0), "badminton"),  # a lift away from the camera
        ((-1.0, -1.0, 30.0, 5.0, 8.0, -40.0), "badminton"),  # a smash towards it
        ((0.0, 1.0, 30.0, -8.0, -6.0, -20.0), "tennis"),
        ((2.0, 1.0, 25.0, -1.0, -8.0, 0.5), "volleyball"),
    ],
)
def test_a_fit_finds_the_flight_again(state, sport):
    real = make_flight(state, sport)
    times = np.arange(24) / 30
    positions = real.locate(times)
    (fitted,) = fit_flights([Stretch(times, positions)], 1.0, SPORTS[sport], TILTED)
    assert np.abs(fitted.locate(times) - positions).max() < 1.0
    assert fitted.misfit < 5


def test_an_outlier_hardly_moves_a_fit():
    real = make_flight((1.0, 2.0, 20.0, 3.0, -12.0, 10.0))
    times = np.arange(24) / 30
    positions = real.locate(times)
    wrong = positions.copy()
    wrong[10] += 80
    (fitted,) = fit_flights([Stretch(times, wrong)], 1.0, SPORTS["badminton"], TILTED)
    assert np.abs(np.delete(fitted.locate(times) - positions, 10, axis=0)).max() < 4


def test_many_fits_are_what_single_ones_are():
    rng = np.random.default_rng(0)
    parts = []
    for count in (6, 15, 30):
        state = [*rng.normal([0, 0, 25], [2, 1, 3]), *rng.normal(0, 8, 3)]
        times = np.arange(count) / 30
        parts.append(Stretch(times, make_flight(state).locate(times)))
    together = fit_flights(parts, 1.0, SPORTS["badminton"], TILTED)
    for part, flight in zip(parts, together, strict=True):
        (alone,) = fit_flights([part], 1.0, SPORTS["badminton"], TILTED)
        assert flight.misfit == pytest.approx(alone.misfit, abs=0.2)
    assert fit_flights([], 1.0, SPORTS["badminton"], TILTED) == []


def test_a_flight_is_followed_back_in_time():
    real = make_flight((1.0, 2.0, 20.0, 3.0, -12.0, 10.0))
    later = Flight(0.3, 1.0, real.trace(np.array([0.3]))[0], 0.0, real.sport, real.view)
    np.testing.assert_allclose(later.locate(np.array([0.0, 0.3])), real.locate([0.0, 0.3]), atol=1)


def test_the_solver_agrees_with_scipy():
    rng = np.random.default_rng(1)
    t = np.linspace(0, 2, 30)
    real = np.array([[2.0, 0.5], [1.0, 1.5], [3.0, 0.1]])
    data = real[:, :1] * np.exp(-real[:, 1:] * t) + rng.normal(0, 0.05, (3, 30))
    data[1, 7] += 5

    def miss(which, parameters):
        curve = parameters[..., :1] * np.exp(-parameters[..., 1:] * t)
        away = (curve - data[which, None]) / 0.05
        return np.concatenate([away, parameters[..., :1] / 100], axis=-1)

    found = solve_many(miss, np.ones((3, 2)), outlier=2.0, firm=1)
    for k in range(3):
        alone = least_squares(
            lambda p, k=k: miss(np.array([k]), p[None, None])[0, 0],
            np.ones(2),
            loss="soft_l1",
            f_scale=2.0,
        )
        np.testing.assert_allclose(found.parameters[k], alone.x, rtol=1e-2)
        assert found.misfit[k] == pytest.approx(2 * alone.cost, rel=1e-3)
