import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.sports import SPORTS
from keras_tracknet.studio.court import (
    find_corner,
    find_court_file,
    fit_court,
    list_places,
    read_saved_court,
)

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


def test_a_court_is_fitted_and_saved_beside_the_video(tmp_path):
    video = tmp_path / "match.mp4"
    assert read_saved_court(video) is None
    fitted = fit_court(MARKS, "badminton", SIZE)
    assert not find_court_file(video).exists()
    assert fitted["errors"] == {name: 0 for name, _ in MARKS}
    near = min(fitted["lines"], key=lambda line: -line[0][1] - line[1][1])
    # The middle of a line is 2 cm inside its corners: here 1.4 pixels, of 141 a metre.
    assert [point[0] for point in near] == pytest.approx([212.7, 1069.3], abs=0.5)
    assert fit_court(MARKS, "badminton", SIZE, find_court_file(video)) == fitted
    assert read_saved_court(video) == fitted


def test_marks_that_make_no_court_are_refused(tmp_path):
    path = tmp_path / "court.json"
    for marks in (MARKS[:3], [["nowhere", [1, 2]]], "text", [[1, 2]], None):
        with pytest.raises(InputError):
            fit_court(marks, "badminton", SIZE, path)
    assert not path.exists()


def test_every_sport_has_places_with_the_net_last():
    places = list_places()
    assert set(places) == {*SPORTS, "custom"}
    assert places["badminton"][0] == "near_left"
    assert places["badminton"][-1] == "net_right"
