import numpy as np
import pytest

from keras_tracknet.outliers import find_outliers


def test_a_position_far_off_is_an_outlier():
    positions = np.stack([10.0 * np.arange(12), np.full(12, 300.0)], axis=1)
    positions[6] = 900, 40
    np.testing.assert_array_equal(np.flatnonzero(find_outliers(positions, 720)), [6])


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
