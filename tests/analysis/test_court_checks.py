import numpy as np
import pytest

from keras_tracknet.analysis.court.calibration import calibrate_court, describe_fit
from keras_tracknet.analysis.court.checks import check_orientation, measure_paint, recognise_sport
from keras_tracknet.analysis.court.drawing import draw_court
from keras_tracknet.analysis.court.marks import CUSTOM, Mark
from keras_tracknet.errors import InputError
from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic.camera import place_camera

SIZE = (720, 1280)
CORNERS = ("near_left", "near_right", "far_left", "far_right")


def mark(sport="badminton", seed=0, rename=str, names=CORNERS, of=None):
    """Mark a court of a sport where a camera sees it, as one of another sport if `of` says so."""
    camera = place_camera(np.random.default_rng(seed), SIZE, SPORTS[sport])
    marks = []
    for name in names:
        x, y = camera.project(np.array([*SPORTS[sport].landmarks[name], 0.0]))
        called = rename(name)
        marks.append(Mark(called, x, y, *SPORTS[of or sport].landmarks[called]))
    return marks


def swap(*pairs):
    table = {name: other for pair in pairs for name, other in (pair, pair[::-1])}
    return lambda name: "_".join(table.get(part, part) for part in name.split("_"))


@pytest.mark.parametrize("sport", SPORTS)
@pytest.mark.parametrize("seed", range(3))
def test_a_court_marked_as_it_is_seen_passes(sport, seed):
    check_orientation(calibrate_court(mark(sport, seed), SIZE, sport))


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        (swap(("left", "right")), "left and right are swapped"),
        (swap(("near", "far")), "near and far are swapped"),
        (swap(("left", "right"), ("near", "far")), "marked upside down"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_swapped_points_are_refused_by_what_is_swapped(rename, message, seed):
    court = calibrate_court(mark(rename=rename, seed=seed), SIZE, "badminton")
    with pytest.raises(InputError, match=message):
        check_orientation(court)


def test_a_picture_that_is_upside_down_is_refused():
    turned = [m._replace(x=1279 - m.x, y=719 - m.y) for m in mark()]
    with pytest.raises(InputError, match="the picture is upside down"):
        check_orientation(calibrate_court(turned, SIZE, "badminton"))


def test_a_custom_court_with_mirrored_axes_is_refused():
    marks = mark()
    custom = calibrate_court(marks, SIZE, CUSTOM)
    check_orientation(custom)
    mirrored = [m._replace(across=-m.across) for m in marks]
    with pytest.raises(InputError, match="mirror image"):
        check_orientation(calibrate_court(mirrored, SIZE, CUSTOM))


def paint(sport):
    """A floor with the lines of a sport painted on it."""
    court = calibrate_court(mark(sport), SIZE, sport)
    return draw_court(np.full((*SIZE, 3), 60, np.uint8), court)


@pytest.mark.parametrize("painted", SPORTS)
@pytest.mark.parametrize("marked", SPORTS)
def test_the_sport_is_recognised_by_the_lines_on_the_floor(painted, marked):
    court = calibrate_court(mark(painted, of=marked), SIZE, marked)
    found = recognise_sport(paint(painted), court)
    assert found == (None if painted == marked else painted)


def test_an_empty_floor_is_no_sport():
    floor = np.full((*SIZE, 3), 60, np.uint8)
    court = calibrate_court(mark(), SIZE, "badminton")
    assert measure_paint(floor, court) == 0
    assert recognise_sport(floor, court) is None


def test_four_points_and_found_ones_fit_by_construction_and_a_fifth_shows_the_error():
    four = calibrate_court(mark(), SIZE, "badminton")
    assert describe_fit(four).startswith("4 points: fits by construction")
    marks = mark(names=(*CORNERS, "service_near_left", "service_far_right"))
    computed = [m._replace(x=round(m.x, 2), y=round(m.y, 2)) for m in marks]
    exact = calibrate_court(computed, SIZE, "badminton")
    assert describe_fit(exact).startswith("6 points: fits by construction; check that the lines")
    moved = [marks[0]._replace(x=marks[0].x + 9), *marks[1:]]
    clicked = describe_fit(calibrate_court(moved, SIZE, "badminton"))
    assert clicked.startswith("6 points, calibration error")
    assert "0.00" not in clicked
