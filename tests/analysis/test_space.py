import math

import numpy as np
import pytest

from keras_tracknet.analysis.flight.space import SpaceFlight
from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic.flight import STEP, fly_balls

# sport, velocity in m/s, topspin per metre
FLIGHTS = [
    ("badminton", (2.0, 60.0, -6.0), 0.0),
    ("tennis", (-4.0, -28.0, 5.0), 0.012),
    ("volleyball", (1.0, 18.0, 3.0), -0.004),
]


@pytest.mark.parametrize(("sport", "velocity", "spin"), FLIGHTS)
def test_a_flight_in_space_goes_where_the_renderer_lets_it_go(sport, velocity, spin):
    start, velocity = np.array([0.5, -5.0, 2.4]), np.array(velocity)
    way = velocity[:2] / np.linalg.norm(velocity[:2])
    turning = spin * np.array([[-way[1], way[0], 0.0]])
    real = fly_balls(start, velocity[None], 1.0, SPORTS[sport].drag, turning)[:, 0]
    state = np.array([*start, *velocity, 0.0, spin])
    nothing = (math.nan, math.nan, math.nan, math.nan, None, None)
    flight = SpaceFlight(3.0, 4.0, *nothing, state, SPORTS[sport])
    times = 3.0 + np.arange(len(real)) * STEP
    np.testing.assert_allclose(flight.locate(times), real, atol=0.02)
