import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.sports import SPORTS, find_sport


def test_padel_has_its_own_court_and_the_ball_of_tennis():
    padel, tennis = find_sport("padel"), find_sport("tennis")
    assert (padel.length, padel.width, padel.net_height) == (20.0, 10.0, 0.88)
    assert padel.landmarks["service_far_left"] == (-5.0, 6.95)
    assert padel.landmarks["near_right"] == (5.0, -10.0)
    for name in ("ball_radius", "drag", "restitution", "grip", "bounces"):
        assert getattr(padel, name) == getattr(tennis, name)


@pytest.mark.parametrize("sport", SPORTS)
def test_lines_lie_on_the_court(sport):
    court = SPORTS[sport]
    for left, right, near, far in court.lines:
        assert max(-left, right) <= court.width / 2 + 0.05
        assert max(-near, far) <= court.length / 2 + 0.05


def test_unknown_sport_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"curling: unknown sport; use one of badminton, .*padel"):
        find_sport("curling")
