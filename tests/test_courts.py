from dataclasses import replace

import numpy as np
import pytest

from keras_tracknet.court_drawing import draw_court
from keras_tracknet.courts import (
    CUSTOM,
    Mark,
    calibrate_court,
    parse_marks,
    read_court,
    write_court,
)
from keras_tracknet.errors import InputError
from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic.camera import place_camera

SIZE = (720, 1280)


def make_marks(sport, camera, names=None, noise=0.0):
    rng = np.random.default_rng(0)
    marks = []
    for name, place in SPORTS[sport].landmarks.items():
        if names is None or name in names:
            x, y = camera.project(np.array([*place, 0.0])) + rng.normal(0, noise, 2)
            marks.append(Mark(name, x, y, *place))
    return marks


def make_court(sport="badminton", seed=0, **settings):
    camera = place_camera(np.random.default_rng(seed), SIZE, SPORTS[sport])
    return camera, calibrate_court(make_marks(sport, camera, **settings), SIZE, sport)


CORNERS = ("near_left", "near_right", "far_left", "far_right")


@pytest.mark.parametrize("sport", SPORTS)
def test_places_on_the_floor_come_back_from_the_picture(sport):
    camera, court = make_court(sport, names=CORNERS)
    places = np.array([[0.0, 0.0], [1.5, -4.0], [-2.0, 3.3]])
    pixels = camera.project(np.column_stack([places, np.zeros(3)]))
    np.testing.assert_allclose(court.to_floor(pixels), places, atol=1e-5)
    np.testing.assert_allclose(court.to_picture(places), pixels, atol=1e-3)
    assert court.errors().max() < 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_the_camera_is_recovered_from_the_floor(seed):
    camera, court = make_court(seed=seed)
    position, axes = court.camera()
    assert court.focal() == pytest.approx(camera.focal, rel=1e-3)
    np.testing.assert_allclose(position, camera.position, rtol=2e-3, atol=0.02)
    np.testing.assert_allclose(axes, camera.axes, atol=1e-3)
    view = court.view()
    assert view.pitch == pytest.approx(np.arcsin(-camera.axes[2, 2]), abs=1e-3)


def test_errors_of_the_marks_are_of_the_size_of_the_slips():
    _, court = make_court(noise=2.0)
    assert 0.3 < np.sqrt((court.errors() ** 2).mean()) < 4.0


def test_a_pixel_is_more_metres_at_the_far_end():
    camera, court = make_court()
    near, far = camera.project(np.array([[0, -6.0, 0], [0, 6.0, 0]]))
    assert court.floor_error(far, 1.0) > 1.5 * court.floor_error(near, 1.0)
    assert court.floor_error(near, 2.0) == pytest.approx(2 * court.floor_error(near, 1.0))


def test_least_distance_is_never_more_than_the_distance():
    camera, court = make_court()
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(50):
        hit = rng.uniform([-3, -6.7, 0.2], [3, -1, 3.0])
        landing = rng.uniform([-3, 1, 0], [3, 6.7, 0])
        pixels = camera.project(np.stack([hit, landing]))
        least = court.least_distance(pixels, (False, True))
        real = np.linalg.norm(hit - landing)
        assert least <= real + 1e-3
        shares.append(least / real)
    assert np.median(shares) > 0.3  # a bound that says something
    floor = camera.project(np.array([[0, -3.0, 0], [1, 4.0, 0]]))
    assert court.least_distance(floor, (True, True)) == pytest.approx(np.hypot(1, 7), rel=1e-3)


def test_a_place_outside_the_lines_is_out():
    _, court = make_court()
    assert court.contains(np.array([3.0, 6.6]))
    assert not court.contains(np.array([3.2, 0.0]))
    assert replace(court, sport=CUSTOM).contains(np.zeros(2)) is None


def test_a_written_court_is_read_back(tmp_path):
    _, court = make_court()
    write_court(court, tmp_path / "court.json")
    again = read_court(tmp_path / "court.json")
    assert (again.sport, again.size, again.marks) == (court.sport, court.size, court.marks)
    np.testing.assert_allclose(again.homography, court.homography, atol=1e-9)


def test_marks_are_read_by_name_and_by_metres():
    (mark,) = parse_marks("near_left=212.5,655", "badminton")
    assert mark == Mark("near_left", 212.5, 655, -3.05, -6.7)
    marks = parse_marks("0,0=10,20; 6.1,0=30,40", CUSTOM)
    assert [m[1:] for m in marks] == [(10, 20, 0, 0), (30, 40, 6.1, 0)]


@pytest.mark.parametrize(
    ("text", "sport", "message"),
    [
        ("near_left", "badminton", "near_left: not a point"),
        ("middle=1,2", "badminton", "middle: not a place of a badminton court; known: net_left"),
        ("near_left=1,2", CUSTOM, "near_left: not a place in metres"),
        ("near_left=1,2", "curling", "curling: not a sport"),
    ],
)
def test_a_wrong_mark_is_told_in_a_line(text, sport, message):
    with pytest.raises(InputError, match=message):
        parse_marks(text, sport)


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ("0,0=0,0 1,0=9,0 1,1=9,9", "3 were given"),
        ("0,0=0,0 1,0=9,0 2,0=20,0 3,0=28,0", "in a line"),
        ("0,0=100,0 1,0=0,100 1,1=100,100 0,1=0,0", "check which is which"),
    ],
)
def test_marks_that_make_no_court_are_told_in_a_line(marks, message):
    with pytest.raises(InputError, match=message):
        calibrate_court(parse_marks(marks, CUSTOM), SIZE, CUSTOM)


@pytest.mark.parametrize("content", ["", "{}", '{"marks": 1}'])
def test_a_file_that_is_no_court_is_told_in_a_line(tmp_path, content):
    (tmp_path / "court.json").write_text(content)
    with pytest.raises(InputError, match="not a court; make one with tracknet court"):
        read_court(tmp_path / "court.json")


def test_the_overlay_is_drawn_where_the_lines_are():
    camera, court = make_court()
    image = np.zeros((*SIZE, 3), np.uint8)
    drawn = draw_court(image, court)
    x, y = camera.project(np.array([0.0, 4.0, 0.0])).round().astype(int)
    assert drawn[y - 1 : y + 2, x - 1 : x + 2].any()
    assert not drawn[:5].any()
    assert not image.any()
