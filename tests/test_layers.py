import keras
import numpy as np
import pytest

from keras_tracknet.layers import (
    CachedShift,
    Consensus,
    KnownPositions,
    TemporalShift,
    temporal_shift,
)

# Three frames of eight channels: frame 1 is 11 to 18, frame 2 is 21 to 28, frame 3 is 31 to 38.
CLIP = np.array([[10 * frame + channel for channel in range(1, 9)] for frame in (1, 2, 3)])


def compute(values):
    return np.asarray(keras.ops.convert_to_numpy(values))


def draw_clips(clips=2, frames=3, channels=8, seed=0):
    """Return `(clips, frames, 2, 2, channels)`."""
    return (
        np.random.default_rng(seed).normal(size=(clips, frames, 2, 2, channels)).astype("float32")
    )


def as_batch(clips):
    return clips.reshape(-1, *clips.shape[2:])


@pytest.mark.parametrize(
    ("divisor", "bidirectional", "expected"),
    [
        # One channel from the next frame, one from the frame before.
        (8, True, [[21, 0, 13, 14, 15, 16, 17, 18],
                   [31, 12, 23, 24, 25, 26, 27, 28],
                   [0, 22, 33, 34, 35, 36, 37, 38]]),
        # Two of each.
        (4, True, [[21, 22, 0, 0, 15, 16, 17, 18],
                   [31, 32, 13, 14, 25, 26, 27, 28],
                   [0, 0, 23, 24, 35, 36, 37, 38]]),
        # The first channel from the frame before, nothing from the next.
        (8, False, [[0, 12, 13, 14, 15, 16, 17, 18],
                    [11, 22, 23, 24, 25, 26, 27, 28],
                    [21, 32, 33, 34, 35, 36, 37, 38]]),
        # Eight by three is two: the rest of two stays.
        (3, True, [[21, 22, 0, 0, 15, 16, 17, 18],
                   [31, 32, 13, 14, 25, 26, 27, 28],
                   [0, 0, 23, 24, 35, 36, 37, 38]]),
        # Fewer channels than the divisor: nothing moves.
        (9, True, CLIP.tolist()),
    ],
)  # fmt: skip
def test_shift_is_the_one_done_by_hand(divisor, bidirectional, expected):
    shifted = temporal_shift(CLIP[None].astype("float32"), divisor, bidirectional=bidirectional)
    assert compute(shifted)[0].tolist() == expected


@pytest.mark.parametrize("bidirectional", [True, False])
def test_layer_shifts_each_clip_of_a_batch_by_itself(bidirectional):
    clips = draw_clips()
    layer = TemporalShift(3, 4, bidirectional)
    expected = as_batch(compute(temporal_shift(clips, 4, bidirectional=bidirectional)))
    np.testing.assert_array_equal(compute(layer(as_batch(clips))), expected)
    assert layer.weights == []


def test_cached_shift_gives_a_stream_what_the_shift_gives_the_clip():
    clips = draw_clips(clips=2, frames=5)
    expected = compute(temporal_shift(clips, 4, bidirectional=False))
    layer = CachedShift(streams=2, divisor=4)
    for _ in range(2):  # the second time after a reset
        stream = [compute(layer(clips[:, frame])) for frame in range(5)]
        np.testing.assert_array_equal(np.stack(stream, axis=1), expected)
        layer.reset()


def test_consensus_is_the_mean_over_the_frames_of_a_clip():
    scores = np.array([[1, 2], [3, 4], [10, 20], [30, 60]], "float32")
    assert compute(Consensus(2)(scores)).tolist() == [[2, 3], [20, 40]]


@pytest.mark.parametrize(
    "layer", [TemporalShift(3, 4, False, name="a"), CachedShift(2, 4), Consensus(3)]
)
def test_layer_comes_back_from_its_config(layer):
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 0}, "`frames` must be at least 1. Received: frames=0"),
        ({"frames": 3, "divisor": 1}, "`divisor` must be at least 2. Received: divisor=1"),
        ({"frames": 3, "divisor": 0, "bidirectional": False}, "`divisor` must be at least 1"),
    ],
)
def test_impossible_shift_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        TemporalShift(**settings)


def test_positions_at_the_corner_are_unknown_and_others_known():
    positions = np.array([[[0, 0], [0, 0.2], [0.3, 0], [0.4, 0.5]]], np.float32)
    layer = KnownPositions()
    found = keras.ops.convert_to_numpy(layer(positions))
    assert found.ravel().tolist() == [0, 1, 1, 1]
    assert layer.compute_output_shape(positions.shape) == found.shape
