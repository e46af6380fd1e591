import numpy as np
import pytest

from keras_tracknet.analysis.court.zones import find_side, name_zone
from keras_tracknet.sports import SPORTS

# place in metres of a badminton court, zone
PLACES = [
    ((0.0, -1.0), "front centre"),
    ((-2.5, -6.0), "back left"),
    ((2.5, -6.0), "back right"),
    ((2.5, 6.0), "back left"),  # the far player looks the other way
    ((-2.5, 3.3), "middle right"),
    ((9.0, -20.0), "back right"),
]


@pytest.mark.parametrize(("place", "zone"), PLACES)
def test_a_zone_is_what_the_player_there_sees(place, zone):
    assert name_zone(np.array(place), SPORTS["badminton"]) == zone


def test_the_near_half_is_on_the_cameras_side():
    assert find_side(np.array([0.0, -3.0, 1.0])) == "near"
    assert find_side(np.array([0.0, 3.0, 1.0])) == "far"
