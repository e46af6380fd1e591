import numpy as np
import pytest

from keras_tracknet.tracks.hidden import fill_hidden
from keras_tracknet.training.batches.trajectory_batches import Trajectory, TrajectoryBatches

NAN = np.nan


@pytest.mark.parametrize(
    ("hidden", "x", "expected"),
    [
        ("zero", [NAN, 0.2, NAN, NAN, 0.8, NAN], [0, 0.2, 0, 0, 0.8, 0]),
        ("interpolated", [NAN, 0.2, NAN, NAN, 0.8, NAN], [0.2, 0.2, 0.4, 0.6, 0.8, 0.8]),
        # Known once, never, always.
        ("interpolated", [NAN, NAN, 0.5], [0.5, 0.5, 0.5]),
        ("interpolated", [NAN, NAN, NAN], [0, 0, 0]),
        ("interpolated", [0.1, 0.2, 0.4], [0.1, 0.2, 0.4]),
    ],
)
def test_hidden_positions_are_filled(hidden, x, expected):
    coordinates = np.stack([x, 1 - np.array(x)], axis=-1)[None]
    known = np.isfinite(coordinates[..., 0])
    filled = fill_hidden(coordinates, known, hidden)
    assert filled.dtype == np.float32
    np.testing.assert_allclose(filled[0, :, 0], expected, atol=1e-6)
    there = known[0] if hidden == "zero" else np.full(len(x), known.any())
    np.testing.assert_allclose(filled[0, there, 1], 1 - np.array(expected)[there], atol=1e-6)


def make_line(frames=40):
    along = np.linspace(0.1, 0.9, frames)
    return np.stack([along, 1 - along], axis=-1)


def test_interpolated_windows_of_a_straight_flight_show_the_truth():
    line = make_line()
    batches = TrajectoryBatches(
        [Trajectory(line, line)], window=16, batch_size=8, hidden="interpolated", training=False
    )
    (coordinates, mask), targets = batches.batch(0, 0)
    inner = np.zeros_like(mask[..., 0], bool)
    for window, inside in zip(mask[..., 0], inner, strict=True):
        seen = np.flatnonzero(window == 0)
        inside[seen[0] : seen[-1]] = True
    assert (mask[..., 0][inner] == 1).any()
    np.testing.assert_allclose(coordinates[inner], targets[..., :2][inner], atol=1e-6)


def test_network_never_sees_the_truth_of_a_hidden_position():
    line = make_line()
    zero = TrajectoryBatches([Trajectory(line, line)], window=16, batch_size=8, training=False)
    (coordinates, mask), targets = zero.batch(0, 0)
    hidden = mask[..., 0] == 1
    assert hidden.any()
    assert (coordinates[hidden] == 0).all()
    np.testing.assert_array_equal(targets[..., 2] == 1, hidden)


def test_predicted_positions_go_in_and_labelled_ones_are_the_target():
    line = make_line()
    predicted = line + 0.01
    predicted[3] = NAN
    batches = TrajectoryBatches(
        [Trajectory(predicted, line)], window=16, batch_size=8, training=False
    )
    (coordinates, mask), targets = batches.batch(0, 0)
    shown = mask[0, :, 0] == 0
    shown[3] = False
    np.testing.assert_allclose(coordinates[0, shown], predicted[:16][shown], atol=1e-6)
    assert (coordinates[0, 3] == 0).all()
    np.testing.assert_allclose(targets[0, :, :2], line[:16], atol=1e-6)
