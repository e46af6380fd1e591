"""Drawing the track on the picture, and on the whole video."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.tracks.overlay import (
    DETECTED_COLOUR,
    REPAIRED_COLOUR,
    draw_overlay,
    write_overlay,
)
from keras_tracknet.tracks.tables import REPAIRED
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.reader import probe_video, read_frames
from keras_tracknet.video.writer import VideoWriter

SIZE = (360, 640)
GREY = np.full((*SIZE, 3), 90, np.uint8)


def make_track(positions: list[tuple[float, float] | None]) -> Track:
    points = [(math.nan, math.nan) if p is None else p for p in positions]
    return Track.from_positions(
        [p[0] for p in points], [p[1] for p in points], [p is not None for p in positions]
    )


def changed(picture: np.ndarray, image: np.ndarray = GREY) -> np.ndarray:
    """`(height, width)` bool: where a picture differs from what it was drawn on."""
    return (picture != image).any(axis=-1)


def has_colour(part: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(part.astype(int) - colour).max(axis=-1) < 12).any())


def distance_to(points: list[tuple[float, float]]) -> np.ndarray:
    """`(height, width)`: pixels to the nearest of some points."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.min([np.hypot(x - px, y - py) for px, py in points], axis=0)


FLIGHT = [(100.0 + 12 * k, 200.0 - 8 * k) for k in range(12)]


def test_the_ring_stands_around_the_ball() -> None:
    picture = draw_overlay(GREY, make_track([(300.0, 150.0)]), 0)
    y, x = np.nonzero(changed(picture))
    assert (x.mean(), y.mean()) == pytest.approx((300, 150), abs=0.05)
    assert not changed(picture)[148:153, 298:303].any()  # the ball itself stays in sight
    assert has_colour(picture[140:160, 290:310], DETECTED_COLOUR)
    assert not has_colour(picture[140:160, 290:310], REPAIRED_COLOUR)


def test_a_quarter_of_a_pixel_moves_the_ring() -> None:
    here = draw_overlay(GREY, make_track([(300.0, 150.0)]), 0)
    there = draw_overlay(GREY, make_track([(300.25, 150.0)]), 0)
    assert changed(here, there).any()


def test_the_source_picture_is_not_changed() -> None:
    image = GREY.copy()
    assert draw_overlay(image, make_track(FLIGHT), 11) is not image
    np.testing.assert_array_equal(image, GREY)


def test_nothing_is_drawn_on_an_absent_track() -> None:
    track = make_track([None] * 12)
    for frame in range(12):
        np.testing.assert_array_equal(draw_overlay(GREY, track, frame), GREY)


def test_nothing_is_drawn_beyond_the_end_of_the_track() -> None:
    np.testing.assert_array_equal(draw_overlay(GREY, make_track(FLIGHT), 40), GREY)


def test_the_picture_changes_only_near_the_trail() -> None:
    where = changed(draw_overlay(GREY, make_track(FLIGHT), 11))
    dense = [
        (a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]))
        for a, b in itertools.pairwise(FLIGHT)
        for t in np.linspace(0, 1, 12)
    ]
    assert where.any()
    assert distance_to(dense)[where].max() < 12


def test_the_trail_fades_and_ends_after_its_length() -> None:
    picture = draw_overlay(GREY, make_track(FLIGHT), 11, trail=4).astype(int)
    strength = [
        np.abs(picture[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4] - 90).max()
        for x, y in ((a[0] + 6, a[1] - 4) for a in FLIGHT[:-1])
    ]
    assert strength[:7] == [0] * 7
    assert 0 < strength[7] < strength[8] < strength[9]


def test_a_trail_of_0_is_a_ring_alone() -> None:
    picture = draw_overlay(GREY, make_track(FLIGHT), 11, trail=0)
    assert distance_to([FLIGHT[11]])[changed(picture)].max() < 12


@pytest.mark.parametrize(
    "positions",
    [
        [(100.0, 100.0), None, (140.0, 100.0)],  # absent between
        [(100.0, 100.0), (300.0, 100.0)],  # a jump of more than a quarter of the height
    ],
)
def test_no_trail_across_a_gap_or_a_jump(positions: list) -> None:
    picture = draw_overlay(GREY, make_track(positions), len(positions) - 1)
    assert distance_to([positions[-1]])[changed(picture)].max() < 12


def test_the_trail_lingers_while_the_ball_is_absent() -> None:
    picture = draw_overlay(GREY, make_track([*FLIGHT, None]), 12)
    assert changed(picture).any()


def test_repaired_positions_have_their_own_colour() -> None:
    track = make_track(FLIGHT)
    status = track.status.copy()
    status[11] = REPAIRED
    x, y = (round(v) for v in FLIGHT[11])
    picture = draw_overlay(GREY, replace(track, status=status), 11)
    assert has_colour(picture[y - 10 : y + 10, x - 10 : x + 10], REPAIRED_COLOUR)


@pytest.mark.parametrize("where", [(0.0, 0.0), (639.0, 359.0), (-40.0, 20.0), (900.0, 900.0)])
def test_a_ball_at_the_border_or_off_the_picture_is_fine(where: tuple[float, float]) -> None:
    near = (where[0] + 5, where[1] + 5)
    assert draw_overlay(GREY, make_track([near, where]), 1).shape == GREY.shape


def test_drawings_grow_with_the_picture() -> None:
    small = changed(draw_overlay(GREY, make_track([(100.0, 100.0)]), 0)).sum()
    tall = np.full((1080, 1920, 3), 90, np.uint8)
    large = changed(draw_overlay(tall, make_track([(100.0, 100.0)]), 0), tall).sum()
    assert 4 < large / small < 12


def test_a_negative_trail_is_refused() -> None:
    with pytest.raises(ValueError, match="trail=-1"):
        draw_overlay(GREY, make_track(FLIGHT), 0, trail=-1)


NTSC = Fraction(30000, 1001)


def make_source(path: Path, times: list[float]) -> Path:
    with VideoWriter(path, size=SIZE, fps=NTSC) as writer:
        for time in times:
            writer.write(GREY, time)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source.mp4", [float(k / NTSC) for k in range(12)])


def test_the_overlay_keeps_the_times_of_a_variable_rate(tmp_path: Path) -> None:
    times = [k / 20 if k < 6 else k / 10 for k in range(12)]
    source, path = make_source(tmp_path / "vfr.mp4", times), tmp_path / "overlay.mp4"
    write_overlay(source, make_track(FLIGHT), path)
    np.testing.assert_allclose([f.time for f in read_frames(path)], times, atol=1.1e-3)


def test_the_overlay_keeps_frames_times_and_rate(tmp_path: Path, source: Path) -> None:
    written: list[int] = []
    path = tmp_path / "out" / "overlay.mp4"
    write_overlay(source, make_track(FLIGHT), path, progress=written.append)
    assert written == list(range(1, 13))
    before, after = list(read_frames(source)), list(read_frames(path))
    assert [f.time for f in after] == [f.time for f in before]
    assert probe_video(path).fps == NTSC
    for frame in after:
        x, y = (round(v) for v in FLIGHT[frame.index])
        assert np.abs(frame.image[y, x + 4 : x + 9].astype(int) - 90).max() > 40


def test_the_overlay_refuses_to_replace_its_source(source: Path) -> None:
    with pytest.raises(InputError, match=r"source\.mp4: is the source video itself"):
        write_overlay(source, make_track(FLIGHT), source)


def test_a_missing_source_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        write_overlay(tmp_path / "none.mp4", make_track(FLIGHT), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []
