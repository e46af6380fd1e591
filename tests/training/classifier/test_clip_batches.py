import numpy as np
import pytest

from keras_tracknet.training.batches.augment import Augmentation
from keras_tracknet.training.classifier.clip_batches import ClassifiedFrames, ClipBatches
from keras_tracknet.training.classifier.clip_classes import CLASSES, PlayLabels

SIZE = (8, 16)  # (height, width)
LENGTH = 8


def number_frames(count, first=0):
    """Frames whose every pixel is their number."""
    numbers = np.arange(first, first + count, dtype=np.uint8)
    return np.broadcast_to(numbers[:, None, None, None], (count, *SIZE, 3))


def make_clip(count=40, first=0, hits=(21,), near=(True,), begins=21):
    """A clip without play until a hit, with it from there on."""
    playing = np.arange(count) >= begins
    labels = PlayLabels(np.array(hits, int), np.array(near, bool), playing, np.ones(count, bool))
    return ClassifiedFrames(number_frames(count, first), labels, LENGTH)


def read_numbers(inputs):
    """Return the number of each frame of each window."""
    return (inputs[..., 0, 0, 0] * 255).round().astype(int)


def test_validation_windows_follow_each_other_with_their_class():
    batches = ClipBatches([make_clip()], 4, batch_size=100, training=False)
    inputs, targets = batches.batch(0, 0)
    assert inputs.shape == (batches.windows, 4, *SIZE, 3)
    assert inputs.dtype == targets.dtype == np.float32
    starts = read_numbers(inputs)[:, 0] - 1  # the second of the two frames of each segment
    # Two frames apart, but for those with the hit of frame 21 at their edge.
    assert starts.tolist() == [*range(0, 13, 2), 16, 18, *range(22, 33, 2)]
    named = [CLASSES[index] for index in targets.argmax(axis=1)]
    assert named == ["no_play"] * 7 + ["near_hit"] * 2 + ["flight"] * 6
    assert (targets.sum(axis=1) == 1).all()
    assert batches.classes.tolist() == targets.argmax(axis=1).tolist()


def test_frames_are_the_middle_ones_of_equal_segments():
    inputs, _ = ClipBatches([make_clip()], 4, batch_size=1, training=False).batch(0, 0)
    assert read_numbers(inputs).tolist() == [[1, 3, 5, 7]]


def test_training_draws_one_frame_of_each_segment_at_random():
    batches = ClipBatches([make_clip()], 4, batch_size=8, seed=3)
    inputs, _ = batches.batch(0, 0)
    numbers = read_numbers(inputs)
    steps = np.diff(numbers, axis=1)
    assert steps.min() >= 1
    assert steps.max() <= 3
    assert len(np.unique(steps)) > 1


def test_training_draws_every_class_equally_often_in_another_order_each_epoch():
    batches = ClipBatches([make_clip(count=200)], 4, batch_size=50)
    drawn = [np.concatenate([batches.batch(e, n)[1] for n in range(len(batches))]) for e in (0, 1)]
    assert (drawn[0] != drawn[1]).any()
    there = np.bincount(batches.classes) / len(batches.classes)
    assert there[CLASSES.index("flight")] > 0.8
    share = np.concatenate(drawn).mean(axis=0)
    present = [CLASSES.index(name) for name in ("near_hit", "flight", "no_play")]
    np.testing.assert_allclose(share[present], 1 / 3, atol=0.1)


def test_batch_depends_on_seed_epoch_and_number_alone():
    settings = {"batch_size": 4, "augmentation": Augmentation(flip=0.5, brightness=0.2)}
    first, again = (ClipBatches([make_clip()], 4, seed=5, **settings) for _ in range(2))
    first.batch(0, 0)
    for ours, theirs in zip(first.batch(2, 1), again.batch(2, 1), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_no_window_crosses_from_one_clip_to_the_next():
    clips = [make_clip(), make_clip(first=100)]
    batches = ClipBatches(clips, 4, batch_size=1)
    for number in range(len(batches)):
        numbers = read_numbers(batches.batch(0, number)[0])
        assert len(np.unique(numbers // 100)) == 1


def test_clip_shorter_than_a_window_is_one():
    clip = make_clip(count=3, hits=(), near=(), begins=0)
    inputs, targets = ClipBatches([clip], 4, batch_size=4, training=False).batch(0, 0)
    assert read_numbers(inputs).tolist() == [[0, 1, 1, 2]]
    assert CLASSES[targets.argmax()] == "flight"


def test_fewer_windows_are_drawn_anew_each_epoch():
    batches = ClipBatches([make_clip()], 4, batch_size=2, windows=6)
    assert (batches.windows, len(batches)) == (6, 3)


def test_clips_without_a_class_are_refused():
    clip = make_clip()
    clip.play.labelled[:] = False
    with pytest.raises(ValueError, match="no window has a class"):
        ClipBatches([clip], 4, batch_size=1)
