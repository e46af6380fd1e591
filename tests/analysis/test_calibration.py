import json
from dataclasses import replace

import numpy as np
import pytest

from keras_tracknet.analysis.court.calibration import calibrate_court, read_court, write_court
from keras_tracknet.analysis.court.drawing import draw_court
from keras_tracknet.analysis.court.marks import CUSTOM, Mark, parse_marks
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


@pytest.mark.parametrize("sport", SPORTS)
def test_the_camera_matrix_sees_what_is_above_the_floor(sport):
    camera, court = make_court(sport)
    places = np.random.default_rng(1).uniform([-3, -6, 0], [3, 6, 4], (50, 3))
    seen = np.column_stack([places, np.ones(50)]) @ court.camera_matrix().T
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], camera.project(places), atol=0.05)


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
        (
            "middle=1,2",
            "badminton",
            "middle: unknown point of a badminton court; use one of net_left",
        ),
        ("near_left=1,2", CUSTOM, "near_left: not a position in metres"),
        ("near_left=1,2", "curling", "curling: unknown sport"),
    ],
)
def test_a_wrong_mark_is_told_in_a_line(text, sport, message):
    with pytest.raises(InputError, match=message):
        parse_marks(text, sport)


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ("0,0=0,0 1,0=9,0 1,1=9,9", "3 were given"),
        ("0,0=0,0 1,0=9,0 2,0=20,0 3,0=28,0", "on one line on the court"),
        ("0,0=0,0 1,0=90,0 2,0=200,0 0,1=5,90", "all but one, are on one line on the court"),
        ("0,0=0,0 1,0=90,0 1,1=200,0 0,1=5,90", "all but one, are on one line on the picture"),
        ("0,0=0,0 1,0=9,0 1,1=9,9 0,1=nan,9", "0,1: nan,9 is outside the picture of 1280x720"),
        ("0,0=0,0 1,0=9,0 1,1=9,9 0,1=0,-inf", "0,1: 0,-inf is outside the picture"),
        ("0,0=0,0 1,0=9,0 1,1=9,9 0,1=1e308,9", r"0,1: 1e\+308,9 is outside the picture"),
        ("0,0=0,0 1,0=9,0 1,1=9,9 0,nan=0,9", "0,nan: invalid position"),
        ("0,0=0,0 1,0=9,0 1,1=9,9 inf,1=0,9", "inf,1: invalid position"),
        ("0,0=0,0 1,0=9,0 1,1=9,9 0,1e308=0,9", "0,1e308: invalid position"),
        ("0,0=0,0 1,0=9,0 1,1=9,9 0,0=0,9", "0,0 and 0,0 are at the same position on the court"),
        ("0,0=0,0 1,0=9,0 1,1=9,9 0,1=9,9", "1,1 and 0,1 are at the same position on the picture"),
        ("0,0=100,0 1,0=0,100 1,1=100,100 0,1=0,0", "check their names"),
    ],
)
def test_marks_that_make_no_court_are_told_in_a_line(marks, message):
    with pytest.raises(InputError, match=message):
        calibrate_court(parse_marks(marks, CUSTOM), SIZE, CUSTOM)


def change_court(**changes):
    """What a court file holds, with some of it changed; None takes it out."""
    _, court = make_court(names=CORNERS)
    content = {"sport": "badminton", "width": 1280, "height": 720}
    content["marks"] = [mark._asdict() for mark in court.marks]
    return {key: value for key, value in (content | changes).items() if value is not None}


def change_mark(**changes):
    marks = change_court()["marks"]
    return change_court(marks=[marks[0] | changes, *marks[1:]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a court file; write one with tracknet court"),
        (b"\xff\xfe{", "not a court"),
        ("[" * 60_000, "not a court"),
        ([1, 2], "not a court"),
        ({}, "not a court"),
        (change_court(marks=1), "not a court"),
        (change_court(marks=[7, 8, 9, 10]), "not a court"),
        (change_court(marks=[]), "0 were given"),
        (change_court(marks=change_court()["marks"][:3]), "3 were given"),
        (change_court(width=None), "not a court"),
        (change_court(width="1280"), "not a court"),
        (change_court(width=1280.5), "not a court"),
        (change_court(width=0), "not a court"),
        (change_court(height=float("nan")), "not a court"),
        (change_court(height=float("inf")), "not a court"),
        (change_court(height=1e308), "not a court"),
        (change_court(height=10**400), "not a court"),
        (change_court(height=True), "not a court"),
        (change_court(sport="curling"), "curling: unknown sport"),
        (change_court(sport="tennis"), "near_left of a tennis court is at .* metres, not at"),
        (change_court(sport=None), "not a court"),
        (change_mark(x=float("nan")), "near_left: nan,.* is outside the picture"),
        (change_mark(y=float("inf")), "is outside the picture"),
        (change_mark(x=1e308), "is outside the picture"),
        (change_mark(x="17"), "not a court"),
        (
            change_mark(across=float("nan")),
            "near_left of a badminton court is at -3.05,-6.7 metres",
        ),
        (change_mark(name="middle"), "middle: unknown point of a badminton court"),
        (change_mark(name="far_left"), "far_left of a badminton court is at -3.05,6.7 metres"),
    ],
)
def test_a_file_that_is_no_court_is_told_in_a_line(tmp_path, content, message):
    path = tmp_path / "court.json"
    raw = isinstance(content, str | bytes)
    text = content if raw else json.dumps(content)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=rf"court\.json: .*{message}"):
        read_court(path)


def test_five_marks_on_two_lines_make_a_court():
    """Points on the sidelines only fix the court, as two lines do."""
    names = ("near_left", "net_left", "far_left", "near_right", "far_right")
    camera, court = make_court(names=names)
    np.testing.assert_allclose(court.to_floor(camera.project(np.zeros((1, 3)))), 0, atol=1e-4)


def test_the_overlay_is_drawn_where_the_lines_are():
    camera, court = make_court()
    image = np.zeros((*SIZE, 3), np.uint8)
    drawn = draw_court(image, court)
    x, y = camera.project(np.array([0.0, 4.0, 0.0])).round().astype(int)
    assert drawn[y - 1 : y + 2, x - 1 : x + 2].any()
    assert not drawn[:5].any()
    assert not image.any()
