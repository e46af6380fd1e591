import re

import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.sports import SPORTS
from keras_tracknet.studio.corners import find_corner
from keras_tracknet.studio.court import Scene, describe_court, fit_court, sketch_court
from keras_tracknet.synthetic.camera import place_camera
from keras_tracknet.synthetic.scene import build_scene

SIZE = (720, 1280)
MARKS = [["near_left", [212, 655]], ["near_right", [1070, 655]], ["far_left", [450, 310]],
         ["far_right", [830, 310]]]  # fmt: skip


def paint_corner(x, y):
    """A white line that comes from the right and goes down; its outer corner is at x, y."""
    image = np.full((*SIZE, 3), 60, np.uint8)
    image[y : y + 6, x:] = 240
    image[y:, x : x + 6] = 240
    return image


def test_a_click_snaps_to_the_corner_of_the_lines():
    # The corner is between the pixels 399 and 400, and 299 and 300.
    assert find_corner(paint_corner(400, 300), (396.0, 303.0)) == pytest.approx(
        (399.5, 299.5), abs=0.5
    )


@pytest.mark.parametrize("point", [(900.0, 600.0), (400.0, 700.0), (0.0, 0.0), (1279.0, 719.0)])
def test_a_click_far_from_corners_stays(point):
    assert find_corner(paint_corner(400, 300), point) == point


def test_a_click_outside_the_picture_stays():
    assert find_corner(paint_corner(400, 300), (-50.0, 2000.0)) == (-50.0, 2000.0)


def describe(marks, sport="badminton", image=None):
    image = np.full((*SIZE, 3), 90, np.uint8) if image is None else image
    return describe_court(Scene(image, sport, keep=None), fit_court(marks, sport, SIZE))


def test_a_court_is_described_with_its_lines_and_errors():
    four = describe(MARKS)
    assert four["errors"] == {name: 0 for name, _ in MARKS}
    near = min(four["lines"], key=lambda line: -line[0][1] - line[1][1])
    # The middle of a line is 2 cm inside its corners: here 1.4 pixels, of 141 a metre.
    assert [point[0] for point in near] == pytest.approx([212.7, 1069.3], abs=0.5)
    assert "fits by construction" in four["message"]
    five = describe([*MARKS, ["net_left", [340, 420]]])
    assert five["message"].startswith("5 points, calibration error")
    assert max(five["errors"].values()) > 1
    assert not five["warning"]


def test_lines_of_another_sport_are_a_warning():
    rng = np.random.default_rng(1)
    camera = place_camera(rng, SIZE, SPORTS["tennis"])
    image = build_scene(rng, camera, SIZE, SPORTS["tennis"]).background
    corners = {name: SPORTS["tennis"].landmarks[name] for name, _ in MARKS}
    seen = {name: camera.project(np.array([*place, 0.0])) for name, place in corners.items()}
    marks = [[name, [float(x), float(y)]] for name, (x, y) in seen.items()]
    assert not describe(marks, "tennis", image)["warning"]
    wrong = describe(marks, "badminton", image)
    assert wrong["message"].startswith("These look like the lines of a tennis court")
    assert wrong["warning"]


def swap(one, other):
    names = {one: other, other: one}
    return [["_".join(names.get(p, p) for p in name.split("_")), at] for name, at in MARKS]


def move_first(x):
    return [["near_left", [x, 655]], *MARKS[1:]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (MARKS[:3], "3 were given"),
        ([["middle", [1, 2]]], "unknown point of a badminton court"),
        ("text", "contains no points"),
        ([1, 2, 3], "1: not a point"),
        (None, "contains no points"),
        ([["near_left", "12"], *MARKS[1:]], "not a point"),  # not 1 and 2
        ([[7, [1, 2]]], "not a point"),
        (move_first(float("nan")), "near_left: nan,655 is outside the picture"),
        (move_first(1e308), "near_left: 1e+308,655 is outside the picture"),
        (move_first(10**400), "near_left: inf,655 is outside the picture"),
        ([*MARKS, MARKS[0]], "near_left and near_left are at the same position"),
        ([[name, [x, 3 * x]] for name, (x, _) in MARKS], "on one line on the picture"),
        (swap("left", "right"), "left and right are swapped"),
        (swap("near", "far"), "near and far are swapped"),
    ],
)
def test_what_makes_no_court_is_refused(wrong, message):
    with pytest.raises(InputError, match=re.escape(message)):
        fit_court(wrong, "badminton", SIZE)


def test_places_of_a_custom_court_are_metres():
    marks = [[f"{x},{y}", [10 + 20 * x + 3 * y, 60 - 9 * y]] for x in (0, 4) for y in (0, 3)]
    assert fit_court(marks, "custom", (72, 128)).marks[-1][3:] == (4, 3)
    assert sketch_court("custom") == {"places": {}, "lines": []}


@pytest.mark.parametrize("sport", SPORTS)
def test_a_sketch_has_corners_first_and_the_net_last(sport):
    sketch = sketch_court(sport)
    assert next(iter(sketch["places"])) == "near_left"
    assert [*sketch["places"]][-1].startswith("net")
    assert sketch["places"] == SPORTS[sport].landmarks
    assert len(sketch["lines"]) == len(SPORTS[sport].lines)
