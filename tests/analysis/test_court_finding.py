import numpy as np
import pytest

from keras_tracknet.analysis.court.finding import FINDABLE, find_court, find_lines, find_paint
from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic.camera import place_camera
from keras_tracknet.synthetic.scene import build_scene

SIZE = (720, 1280)
CORNERS = ("near_left", "near_right", "far_left", "far_right")


def render(sport, seed, size=SIZE):
    """An empty hall: the camera, and what it sees."""
    rng = np.random.default_rng(seed)
    camera = place_camera(rng, size, SPORTS[sport])
    scene = build_scene(rng, camera, size, SPORTS[sport])
    picture = scene.background.copy()
    scene.draw_net(picture)
    return camera, picture


# sport, seed of the hall; the pictures are 1280x720
HALLS = [(sport, seed) for sport in FINDABLE for seed in (1, 2)]


@pytest.mark.parametrize(("sport", "seed"), HALLS)
def test_the_court_of_a_rendered_hall_is_found(sport, seed):
    camera, picture = render(sport, seed)
    court = find_court(picture, sport)
    places = np.array([SPORTS[sport].landmarks[name] for name in CORNERS])
    real = camera.project(np.column_stack([places, np.zeros(4)]))
    assert np.linalg.norm(court.to_picture(places) - real, axis=1).max() < 3.0
    assert court.size == SIZE
    assert court.sport == sport
    assert len(court.marks) >= 4


def test_a_picture_of_another_size_is_found_in_its_own_pixels():
    camera, picture = render("badminton", 1, (1080, 1920))
    court = find_court(picture, "badminton")
    real = camera.project(np.array([[0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(court.to_picture(np.zeros((1, 2))), real, atol=3.0)


@pytest.mark.parametrize("picture", ["black", "noise", "stripes"])
def test_no_court_is_found_where_there_is_none(picture):
    image = np.zeros((360, 640, 3), np.uint8)
    if picture == "noise":
        image[:] = np.random.default_rng(0).integers(0, 255, image.shape)
    elif picture == "stripes":
        image[::40] = 255
        image[:, ::60] = 255
    assert find_court(image, "badminton") is None


def test_a_sport_without_lines_to_find_is_refused():
    with pytest.raises(ValueError, match="Received: sport='padel'"):
        find_court(np.zeros((72, 128, 3), np.uint8), "padel")


def test_lines_are_found_by_their_direction_and_in_order():
    image = np.full((720, 1280), 60, np.uint8)
    image[200:203, 300:900] = image[500:503, 200:1000] = 220
    for shift in range(300):
        image[200 + shift, 300 - shift // 3 : 303 - shift // 3] = 220
    across, along = find_lines(find_paint(image))
    assert len(across) == 2
    assert len(along) == 1
    down = -(across[:, 0] * 600 + across[:, 2]) / across[:, 1]
    np.testing.assert_allclose(down, [201, 501], atol=1.5)
