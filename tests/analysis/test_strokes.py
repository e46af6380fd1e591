import math

import numpy as np
import pytest

from keras_tracknet.analysis.flight.space import SpaceFlight
from keras_tracknet.analysis.strokes import KINDS, RULES, name_shot
from keras_tracknet.sports import SPORTS


def launch(sport, height, speed, angle, *, error=0.5, seconds=1.0, y=-4.0):
    rise = math.radians(angle)
    velocity = speed * np.array([0.0, math.cos(rise), math.sin(rise)])
    state = np.array([0.0, y, height, *velocity, 0.0, 0.0])
    nothing = (math.nan, math.nan, None, None)
    return SpaceFlight(0.0, seconds, speed * 3.6, error * 3.6, *nothing, state, SPORTS[sport])


# sport, height in m, speed in m/s, angle in degrees, first of the rally, bounced before, kind
SHOTS = [
    ("badminton", 1.0, 10.0, 25.0, True, False, "serve"),
    ("badminton", 2.4, 30.0, 25.0, True, False, ""),  # no serve is hit so high
    ("badminton", 2.4, 70.0, -8.0, False, False, "smash"),
    ("badminton", 2.4, 35.0, 25.0, False, False, "clear"),
    ("badminton", 2.4, 18.0, 5.0, False, False, "drop"),
    ("badminton", 1.2, 25.0, 10.0, False, False, "drive"),
    ("badminton", 0.6, 7.0, 50.0, False, False, "net"),
    ("badminton", 0.6, 28.0, 50.0, False, False, "lob"),
    ("badminton", 2.4, 24.4, 20.0, False, False, ""),  # a drop or a clear
    ("tennis", 2.7, 48.0, -5.0, True, False, "serve"),
    ("tennis", 1.0, 28.0, 6.0, False, True, "groundstroke"),
    ("tennis", 1.4, 22.0, 3.0, False, False, "volley"),
    ("tennis", 1.0, 18.0, 50.0, False, True, "lob"),
    ("padel", 1.0, 20.0, 5.0, False, True, "groundstroke"),
    ("volleyball", 2.9, 25.0, -5.0, False, False, "attack"),
    ("volleyball", 0.8, 5.0, 80.0, False, False, "pass"),
]


@pytest.mark.parametrize(("sport", "height", "speed", "angle", "first", "bounced", "kind"), SHOTS)
def test_a_shot_is_named_by_how_it_leaves(sport, height, speed, angle, first, bounced, kind):
    flight = launch(sport, height, speed, angle)
    assert name_shot(flight, SPORTS[sport], first=first, bounced=bounced) == kind


def test_a_speed_that_leaves_the_kind_open_gives_none():
    sure, unsure = (launch("badminton", 2.4, 33.0, -5.0, error=error) for error in (1.0, 10.0))
    assert name_shot(sure, SPORTS["badminton"]) == "smash"
    assert name_shot(unsure, SPORTS["badminton"]) == ""


def test_every_sport_has_its_kinds():
    assert set(KINDS) == set(RULES) == set(SPORTS)
