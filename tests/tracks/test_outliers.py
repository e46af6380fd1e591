import numpy as np
import pytest

from keras_tracknet.tracks.outliers import LONGEST, find_outliers


@pytest.mark.parametrize("count", range(1, LONGEST + 1))
def test_positions_far_off_are_outliers(count):
    positions = np.stack([10.0 * np.arange(15), np.full(15, 300.0)], axis=1)
    away = np.arange(6, 6 + count)
    positions[away] = [900, 40] + 2.0 * away[:, None]
    np.testing.assert_array_equal(np.flatnonzero(find_outliers(positions, 720)), away)


@pytest.mark.parametrize(
    "away",
    [
        slice(6, 7 + LONGEST),  # too many to be sure that they are wrong
        slice(0, 3),  # nothing before them
        slice(12, 15),  # nothing after them
    ],
)
def test_what_does_not_come_back_is_kept(away):
    positions = np.stack([10.0 * np.arange(15), np.full(15, 300.0)], axis=1)
    positions[away] += [600, 100]
    assert not find_outliers(positions, 720).any()


def test_a_ball_sent_back_is_none():
    x = np.concatenate([60.0 * np.arange(8), 60.0 * np.arange(6, 0, -1)])
    assert not find_outliers(np.stack([x, 0 * x], axis=1), 720).any()


def test_a_small_slip_is_none():
    positions = np.zeros((9, 2))
    positions[4] = 20, 0
    assert not find_outliers(positions, 720).any()


@pytest.mark.parametrize("count", range(5))
def test_few_positions_have_none(count):
    assert find_outliers(np.zeros((count, 2)), 720).tolist() == [False] * count
