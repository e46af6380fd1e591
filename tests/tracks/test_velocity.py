import csv

import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.tracks.tables import REPAIRED
from keras_tracknet.tracks.track import Track
from keras_tracknet.tracks.velocity import VELOCITY_COLUMNS, compute_velocity, write_velocity

SIZE = (720, 1280)


def make_track(x, y, time, seen=None):
    seen = np.ones(len(time), bool) if seen is None else np.asarray(seen)
    return Track.from_positions(x, y, seen, time=time)


def test_a_parabola_at_uneven_times_is_followed_exactly():
    rng = np.random.default_rng(0)
    time = np.cumsum(rng.uniform(0.02, 0.05, 40))
    track = make_track(300 * time, 20 + 100 * time + 450 * time**2, time)
    velocity = compute_velocity(track, SIZE)
    np.testing.assert_allclose(velocity.x, 300, atol=1e-6)
    # The ends of a piece with three positions are fitted by a line; the middle is exact.
    np.testing.assert_allclose(velocity.y[3:-3], (100 + 900 * time)[3:-3], atol=1e-6)
    np.testing.assert_allclose(velocity.speed, np.hypot(velocity.x, velocity.y))


def test_no_velocity_is_computed_across_a_break():
    time = np.arange(40) / 50
    x = np.where(time < 0.395, 1000 * time, 395 - 1000 * (time - 0.395))
    velocity = compute_velocity(make_track(x, 0 * time, time), SIZE, breaks=[0.395])
    np.testing.assert_allclose(velocity.x, np.where(time < 0.395, 1000, -1000), atol=1e-6)
    across = compute_velocity(make_track(x, 0 * time, time), SIZE)
    assert abs(across.x[20]) < 500


def test_no_velocity_is_computed_across_a_long_gap():
    time = np.arange(40) / 50
    seen = (time < 0.2) | (time > 0.5)
    x = np.where(time < 0.3, 100 * time, 500 - 100 * time)
    velocity = compute_velocity(make_track(x, 0 * time, time, seen), SIZE)
    np.testing.assert_allclose(velocity.x[seen], np.where(time < 0.3, 100, -100)[seen], atol=1e-6)
    assert np.isnan(velocity.x[~seen]).all()
    assert np.isnan(velocity.error[~seen]).all()


def test_no_velocity_is_computed_across_a_jump():
    time = np.arange(40) / 30
    x = 100 + 60 * time + np.where(time > 0.65, 500, 0)
    velocity = compute_velocity(make_track(x, 0 * time, time), SIZE)
    np.testing.assert_allclose(velocity.x, 60, atol=1e-6)


def test_a_hit_is_no_jump():
    time = np.arange(40) / 30
    x = 100 + 60 * time + np.where(time > 0.65, 1800 * (time - 0.65), 0)
    velocity = compute_velocity(make_track(x, 0 * time, time), SIZE)
    assert velocity.x[25] == pytest.approx(1860, abs=1)
    assert velocity.x[20] > 500  # across the hit, as nobody said that there is one


def test_a_position_alone_has_no_velocity():
    seen = np.arange(30) == 12
    time = np.arange(30) / 30
    assert np.isnan(compute_velocity(make_track(time, time, time, seen), SIZE).x).all()


def test_the_error_is_what_noise_makes_of_the_slope():
    rng = np.random.default_rng(1)
    time = np.arange(2000) / 30
    noise = rng.normal(0, 2.0, (2, len(time)))
    track = make_track(400 * time + noise[0], noise[1], time)
    velocity = compute_velocity(track, SIZE, position_error=2.0)
    off = np.concatenate([velocity.x - 400, velocity.y])
    assert np.std(off) == pytest.approx(np.sqrt(np.mean(velocity.error**2)), rel=0.2)
    worse = compute_velocity(track, SIZE, position_error=4.0)
    assert np.median(worse.error) > 1.3 * np.median(velocity.error)


def test_the_error_grows_beside_a_gap_and_with_repaired_positions():
    time = np.arange(30) / 30
    whole = compute_velocity(make_track(time, time, time), SIZE).error
    gap = compute_velocity(
        make_track(time, time, time, ~np.isin(np.arange(30), [11, 12, 13, 14])), SIZE
    )
    assert gap.error[15] > 1.2 * whole[15]
    track = make_track(time, time, time)
    track.status[10:20] = REPAIRED
    assert compute_velocity(track, SIZE).error[15] > 2 * whole[15]


def test_frames_stand_in_for_unknown_times():
    track = Track.from_positions(10.0 * np.arange(9), np.zeros(9), np.ones(9))
    np.testing.assert_allclose(compute_velocity(track, SIZE, fps=25.0).x, 250)


@pytest.mark.parametrize("time", [np.zeros(20), np.arange(20)[::-1] / 30])
def test_times_that_do_not_ascend_tell_nothing(time):
    track = make_track(10.0 * np.arange(20), np.zeros(20), time)
    np.testing.assert_allclose(compute_velocity(track, SIZE, fps=25.0).x, 250)


def test_the_file_has_a_row_a_frame_and_is_empty_where_nothing_is_known(tmp_path):
    time = np.arange(5) / 25
    velocity = compute_velocity(make_track(100 * time, time, time, [1, 1, 1, 0, 0]), SIZE)
    write_velocity(velocity, tmp_path / "speed.csv")
    rows = list(csv.DictReader((tmp_path / "speed.csv").read_text().splitlines()))
    assert tuple(rows[0]) == VELOCITY_COLUMNS
    assert [row["Frame"] for row in rows] == list("01234")
    assert float(rows[1]["VX"]) == pytest.approx(100)
    assert rows[1]["Time"] == "0.04"
    assert rows[4]["Speed"] == rows[4]["SpeedError"] == ""


def test_an_unwritable_place_is_told_in_a_line(tmp_path):
    (tmp_path / "file").touch()
    velocity = compute_velocity(make_track(*[np.arange(3.0)] * 3), SIZE)
    with pytest.raises(InputError, match=r"cannot be written.*choose another path"):
        write_velocity(velocity, tmp_path / "file" / "speed.csv")
