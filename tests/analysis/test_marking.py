import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from keras_tracknet_cli.main import cli

from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic.camera import place_camera
from keras_tracknet.synthetic.scene import build_scene

CORNERS = {
    "near_left": [10, 60],
    "near_right": [110, 62],
    "far_left": [40, 20],
    "far_right": [88, 21],
}


@pytest.fixture
def video(tmp_path):
    """A folder of one picture."""
    folder = tmp_path / "video"
    folder.mkdir()
    cv2.imwrite(str(folder / "0.png"), np.full((72, 128, 3), 90, np.uint8))
    return folder


def run_court(video, *arguments):
    return CliRunner().invoke(cli, ["court", str(video), *map(str, arguments)])


def write_points(path, **changes):
    path.write_text(json.dumps(CORNERS | changes))
    return path


def join_points(**changes):
    return " ".join(f"{name}={x},{y}" for name, (x, y) in (CORNERS | changes).items())


def test_points_given_as_text_and_as_a_file_make_the_same_court(video, tmp_path):
    files = []
    for points in (join_points(), write_points(tmp_path / "points.json")):
        files.append(tmp_path / f"{len(files)}" / "court.json")
        result = run_court(video, "--points", points, "-o", files[-1])
        assert result.exit_code == 0, result.output
        assert files[-1].with_suffix(".png").is_file()
    first, second = (json.loads(path.read_text()) for path in files)
    assert first == second
    assert (first["marks"][0]["x"], first["width"], first["sport"]) == (10, 128, "badminton")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"near_left": ["nan", 60]}, "near_left: nan,60 is outside the picture of 128x72 pixels"),
        ({"near_left": [10, "inf"]}, "near_left: 10,inf is outside the picture"),
        ({"near_left": ["1e308", 60]}, "near_left: 1e+308,60 is outside the picture"),
        ({"near_left": ["x", 60]}, "near_left=x,60: not a point"),
        ({"middle": [1, 2]}, "middle: unknown point of a badminton court"),
        ({"net_left": [10, 60]}, "near_left and net_left are at the same position on the picture"),
    ],
)
def test_points_that_are_none_are_refused_in_a_line(video, tmp_path, changes, message):
    result = run_court(video, "--points", join_points(**changes), "-o", tmp_path / "court.json")
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.glob("court*"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("near_left", "not JSON"),
        ("17", "contains no points"),
        ("[]", "0 were given"),
        ('{"near_left": 7}', "not a point; use the form near_left: [212, 655]"),
        ('{"near_left": "12"}', "not a point"),
        ('{"near_left": [1, 2, 3]}', "not a point"),
        ('{"near_left": [true, 2]}', "not a point"),
        (
            json.dumps(CORNERS | {"near_left": [float("nan"), 60]}),
            "near_left: nan,60 is outside the picture",
        ),
        (
            json.dumps(CORNERS | {"near_left": [float("inf"), 60]}),
            "near_left: inf,60 is outside the picture",
        ),
        (
            json.dumps(CORNERS | {"near_left": [1e308, 60]}),
            "near_left: 1e+308,60 is outside the picture",
        ),
        (
            json.dumps(CORNERS | {"near_left": [10**400, 60]}),
            "near_left: inf,60 is outside the picture",
        ),
        ("[" * 60_000, "not JSON"),
    ],
)
def test_a_file_of_points_that_are_none_is_refused_by_name(video, tmp_path, content, message):
    points = tmp_path / "points.json"
    points.write_text(content)
    result = run_court(video, "--points", points, "-o", tmp_path / "court.json")
    assert result.exit_code == 1
    assert f"{points}: " in result.stderr
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.glob("court*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--points", ""], "--points"),  # no page is opened
        (["--at", "nan", "--points", join_points()], "nan is out of range"),
        (["--points", join_points(), "-o", "court.png"], "courts are written as JSON"),
    ],
)
def test_what_cannot_be_done_is_refused(video, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run_court(video, *arguments)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["video"]


def test_a_court_is_saved_as_its_lines_show_it(tmp_path):
    rng = np.random.default_rng(1)
    camera = place_camera(rng, (720, 1280), SPORTS["tennis"])
    scene = build_scene(rng, camera, (720, 1280), SPORTS["tennis"])
    (tmp_path / "video").mkdir()
    cv2.imwrite(str(tmp_path / "video" / "0.png"), scene.background[:, :, ::-1])
    path = tmp_path / "court.json"
    result = run_court(tmp_path / "video", "--sport", "tennis", "--find", "-o", path)
    assert result.exit_code == 0, result.output
    found = {mark["name"]: (mark["x"], mark["y"]) for mark in json.loads(path.read_text())["marks"]}
    real = camera.project(np.array([*SPORTS["tennis"].landmarks["near_left"], 0.0]))
    np.testing.assert_allclose(found["near_left"], real, atol=3.0)
    assert path.with_suffix(".png").is_file()


def test_no_court_is_saved_where_none_is_found(video, tmp_path):
    result = run_court(video, "--find", "-o", tmp_path / "court.json")
    assert result.exit_code == 1
    assert "no badminton court is found at 0 s; try another" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.glob("court*"))


def test_a_court_is_found_or_given():
    result = run_court("video.mp4", "--find", "--points", join_points())
    assert result.exit_code == 2
    assert "--find and --points exclude each other" in result.stderr
