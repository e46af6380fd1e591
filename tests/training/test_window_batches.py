from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_tracknet.training.batches.augment import Augmentation
from keras_tracknet.training.batches.feed import as_py_dataset, as_tf_dataset
from keras_tracknet.training.batches.heatmaps import (
    UNLABELLED,
    render_classes,
    render_disc,
    render_gaussian,
)
from keras_tracknet.training.batches.window_batches import (
    LabelledFrames,
    WindowBatches,
    WindowConfig,
)

SIZE = (8, 16)  # (height, width)
THREE = WindowConfig(frames=3, heatmaps=3)
LAST_OF_THREE = WindowConfig(frames=3, heatmaps=1)
EVERYTHING = {
    "augmentation": Augmentation(flip=0.5, brightness=0.2, contrast=0.2, zoom=(0.9, 1.2)),
    "mixup": 0.5,
    "seed": 7,
}


def make_clip(number, frames):
    """A clip whose frame `f` is painted with the shade 40 x number + f, so that it is known."""
    shades = 40 * number + np.arange(frames, dtype=np.uint8)
    return LabelledFrames(
        frames=np.broadcast_to(shades[:, None, None, None], (frames, *SIZE, 3)).copy(),
        background=np.full((*SIZE, 3), 200 + number, np.uint8),
        positions=np.stack([np.arange(frames) % 16, np.full(frames, number + 1)], -1).astype(float),
        labelled=np.ones(frames, bool),
    )


def read_frames(inputs):
    """Return (clip, frame) of every frame of every window, from the shades."""
    shades = (inputs[:, 0, 0, ::3] * 255).round().astype(int)
    return [tuple(divmod(shade, 40) for shade in window) for window in shades.tolist()]


def read_epoch(batches, epoch=0):
    return [w for n in range(len(batches)) for w in read_frames(batches.batch(epoch, n)[0])]


def windows_of(number, *windows):
    return [tuple((number, frame) for frame in window) for window in windows]


def assert_same_batch(one, other):
    for array, twin in zip(one, other, strict=True):
        np.testing.assert_array_equal(array, twin)


def test_batch_is_a_function_of_seed_epoch_and_number():
    clips = [make_clip(0, 9), make_clip(1, 7)]
    first, second = (WindowBatches(clips, THREE, batch_size=3, **EVERYTHING) for _ in range(2))
    asked = [(0, 0), (0, 1), (1, 0), (1, 3), (5, 2)]
    made = {key: first.batch(*key) for key in asked}
    for key in reversed(asked):
        assert_same_batch(second.batch(*key), made[key])


def test_epochs_and_seeds_differ():
    clips = [make_clip(0, 20)]
    batches = WindowBatches(clips, THREE, batch_size=6)
    other = WindowBatches(clips, THREE, batch_size=6, seed=1)
    orders = [read_epoch(batches, 0), read_epoch(batches, 1), read_epoch(other, 0)]
    assert len({tuple(order) for order in orders}) == 3
    assert len({tuple(sorted(order)) for order in orders}) == 1


def test_augmentation_differs_between_epochs_and_windows():
    clips = [make_clip(3, 3)]  # a single window
    batches = WindowBatches(
        clips, THREE, batch_size=1, augmentation=Augmentation(brightness=0.3), seed=1
    )
    shades = {float(batches.batch(epoch, 0)[0][0, 0, 0, 0]) for epoch in range(10)}
    assert len(shades) > 5


@pytest.mark.parametrize("batch_size", [1, 3, 4, 12])
def test_every_window_comes_once_an_epoch(batch_size):
    clips = [make_clip(0, 9), make_clip(1, 7)]  # 7 + 5 windows
    batches = WindowBatches(clips, THREE, batch_size=batch_size)
    expected = [
        *windows_of(0, *[(f, f + 1, f + 2) for f in range(7)]),
        *windows_of(1, *[(f, f + 1, f + 2) for f in range(5)]),
    ]
    assert sorted(read_epoch(batches)) == expected


def test_windows_never_cross_clips():
    clips = [make_clip(number, 5) for number in range(4)]
    for config in (THREE, LAST_OF_THREE):
        for training in (True, False):
            epoch = read_epoch(WindowBatches(clips, config, batch_size=2, training=training))
            for window in epoch:
                assert len({clip for clip, _ in window}) == 1
                frames = [frame for _, frame in window]
                assert set(np.diff(frames)) <= {0, 1}
            assert {clip for window in epoch for clip, _ in window} == {0, 1, 2, 3}


def test_training_leaves_out_the_rest_and_validation_does_not():
    clips = [make_clip(0, 9)]  # 7 windows to train on, 3 to validate on
    training = WindowBatches(clips, THREE, batch_size=2)
    assert [len(training.batch(0, n)[0]) for n in range(len(training))] == [2, 2, 2]
    validation = WindowBatches(clips, THREE, batch_size=2, training=False)
    assert [len(validation.batch(0, n)[0]) for n in range(len(validation))] == [2, 1]


def test_batch_is_no_larger_than_the_data():
    batches = WindowBatches([make_clip(0, 4)], THREE, batch_size=100)
    assert len(batches) == 1
    assert len(batches.batch(0, 0)[0]) == 2


@pytest.mark.parametrize(
    ("frames", "config", "expected"),
    [
        # Whole windows.
        (6, THREE, [(0, 1, 2), (3, 4, 5)]),
        # The last one ends with the clip.
        (7, THREE, [(0, 1, 2), (3, 4, 5), (4, 5, 6)]),
        (8, THREE, [(0, 1, 2), (3, 4, 5), (5, 6, 7)]),
        # A short clip repeats its last frame.
        (2, THREE, [(0, 1, 1)]),
        (1, THREE, [(0, 0, 0)]),
        # One map for three frames: the clip's first frame repeats in front of it.
        (4, LAST_OF_THREE, [(0, 0, 0), (0, 0, 1), (0, 1, 2), (1, 2, 3)]),
        (1, LAST_OF_THREE, [(0, 0, 0)]),
        # Two maps for four frames.
        (5, WindowConfig(4, 2), [(0, 0, 0, 1), (0, 1, 2, 3), (1, 2, 3, 4)]),
        (1, WindowConfig(4, 2), [(0, 0, 0, 0)]),
    ],
)
def test_validation_covers_every_frame_in_order(frames, config, expected):
    batches = WindowBatches([make_clip(0, frames)], config, batch_size=2, training=False)
    for epoch in (0, 3):
        assert read_epoch(batches, epoch) == windows_of(0, *expected)
    answered = {window[-m] for window in expected for m in range(1, config.heatmaps + 1)}
    assert answered == set(range(frames))


@pytest.mark.parametrize(
    ("frames", "config", "expected"),
    [
        (2, THREE, [(0, 1, 1)]),
        (3, LAST_OF_THREE, [(0, 0, 0), (0, 0, 1), (0, 1, 2)]),
        (4, WindowConfig(3, 2), [(0, 0, 1), (0, 1, 2), (1, 2, 3)]),
    ],
)
def test_training_windows_repeat_the_clips_edges(frames, config, expected):
    batches = WindowBatches([make_clip(0, frames)], config, batch_size=1)
    assert sorted(read_epoch(batches)) == windows_of(0, *expected)


@pytest.mark.parametrize(
    ("frames", "config", "expected"),
    [
        # Every second or third frame, no later than the clip's last.
        (7, THREE, [(0, 2, 4), (0, 3, 6), (1, 3, 5), (2, 4, 6)]),
        # A window that begins before the clip shows neighbours, and so does one that is too long.
        (5, LAST_OF_THREE, [(0, 0, 0), (0, 0, 1), (0, 1, 2), (0, 2, 4), (1, 2, 3), (2, 3, 4)]),
        (4, THREE, [(0, 1, 2), (1, 2, 3)]),
    ],
)
def test_skipping_shows_every_second_or_third_frame(frames, config, expected):
    skipping = Augmentation(skip=1.0)
    batches = WindowBatches([make_clip(0, frames)], config, batch_size=1, augmentation=skipping)
    seen = {tuple(window) for epoch in range(40) for window in read_epoch(batches, epoch)}
    assert sorted(seen) == [tuple(window) for window in windows_of(0, *expected)]


def test_targets_are_those_of_the_frames_shown():
    clip = make_clip(0, 9)
    clip.labelled[1::2] = False
    batches = WindowBatches([clip], THREE, batch_size=1, augmentation=Augmentation(skip=0.5))
    for inputs, targets in (batches.batch(epoch, 0) for epoch in range(20)):
        frames = [frame for _, frame in read_frames(inputs)[0]]
        expected = render_disc(clip.positions[frames], SIZE)
        expected[..., ~clip.labelled[frames]] = UNLABELLED
        np.testing.assert_array_equal(targets[0], expected)


@pytest.mark.parametrize(
    ("config", "training", "expected"),
    [
        # Only windows with a labelled target train; what they show need not be labelled.
        (THREE, True, [(2, 3, 4), (3, 4, 5), (4, 5, 6), (5, 6, 7)]),
        (THREE, False, [(3, 4, 5), (5, 6, 7)]),
        (LAST_OF_THREE, True, [(2, 3, 4), (4, 5, 6)]),
    ],
)
def test_windows_without_a_labelled_target_are_left_out(config, training, expected):
    clip = make_clip(0, 8)
    clip.labelled[:] = False
    clip.labelled[[4, 6]] = True
    batches = WindowBatches([clip], config, batch_size=1, training=training)
    assert sorted(read_epoch(batches)) == windows_of(0, *expected)


@pytest.mark.parametrize("config", [THREE, replace(THREE, target="gaussian")])
def test_unlabelled_frames_are_shown_and_have_no_target(config):
    whole, clip = make_clip(0, 3), make_clip(0, 3)
    clip.labelled[1] = False
    inputs, targets = WindowBatches([clip], config, batch_size=1).batch(0, 0)
    expected, known = WindowBatches([whole], config, batch_size=1).batch(0, 0)
    np.testing.assert_array_equal(inputs, expected)
    np.testing.assert_array_equal(targets[..., [0, 2]], known[..., [0, 2]])
    assert (targets[..., 1] == UNLABELLED).all()


@pytest.mark.parametrize("settings", [{"mixup": 0.5}, {"frame_mixup": 0.5}])
def test_blends_with_unlabelled_frames_are_unlabelled(settings):
    shades = replace(make_clip(0, 6), labelled=np.arange(6) % 3 != 1)
    batches = WindowBatches([shades], THREE, batch_size=4, **settings)
    for epoch in range(5):
        _, targets = batches.batch(epoch, 0)
        maps = targets.transpose(0, 3, 1, 2).reshape(-1, SIZE[0] * SIZE[1])
        unknown = (maps == UNLABELLED).all(axis=1)
        assert unknown.any()
        assert not unknown.all()
        assert (maps[~unknown] >= 0).all()


def test_clips_without_a_labelled_frame_are_refused():
    clip = make_clip(0, 6)
    clip.labelled[:] = False
    with pytest.raises(ValueError, match="no window has a labelled frame"):
        WindowBatches([clip], THREE, batch_size=1)


def test_smaller_epochs_draw_other_windows_each_time():
    clips = [make_clip(0, 32)]  # 30 windows
    batches = WindowBatches(clips, THREE, batch_size=5, windows=10)
    assert len(batches) == 2
    epochs = [read_epoch(batches, epoch) for epoch in range(12)]
    assert all(len(set(epoch)) == 10 for epoch in epochs)
    assert len({window for epoch in epochs for window in epoch}) > 25


@pytest.mark.parametrize("training", [True, False])
def test_smaller_epoch_has_no_more_windows_than_asked_for(training):
    batches = WindowBatches([make_clip(0, 36)], THREE, batch_size=4, windows=6, training=training)
    assert len(read_epoch(batches)) == (4 if training else 6)


def test_windows_beyond_all_are_all():
    batches = WindowBatches([make_clip(0, 6)], THREE, batch_size=1, windows=100)
    assert len(batches) == 4


def test_groups_are_drawn_from_equally_often_however_small():
    clips = [make_clip(0, 60), make_clip(1, 60), make_clip(2, 6)]
    batches = WindowBatches(clips, THREE, batch_size=100, groups=["a", "a", "b"])
    drawn = [
        batches._windows[index][0] for epoch in range(6) for index in batches._epoch_order(epoch)
    ]
    shares = np.bincount(drawn, minlength=3) / len(drawn)
    np.testing.assert_allclose(shares, [0.25, 0.25, 0.5], atol=0.06)
    assert (batches._epoch_order(0) == batches._epoch_order(0)).all()
    assert (batches._epoch_order(0) != batches._epoch_order(1)).any()


@pytest.mark.parametrize(
    ("target", "render"), [("disc", render_disc), ("gaussian", render_gaussian)]
)
@pytest.mark.parametrize("heatmaps", [1, 2, 3])
def test_targets_are_drawn_for_the_last_frames_of_the_window(heatmaps, target, render):
    clip = make_clip(0, 6)
    clip.positions[4] = np.nan
    config = WindowConfig(frames=3, heatmaps=heatmaps, target=target)
    batches = WindowBatches([clip], config, batch_size=3, training=False)
    inputs, targets = batches.batch(0, 0)
    assert (inputs.dtype, targets.dtype) == (np.float32, np.float32)
    assert targets.shape == (len(inputs), *SIZE, heatmaps)
    for window, drawn in zip(read_frames(inputs), targets, strict=True):
        frames = [frame for _, frame in window][-heatmaps:]
        np.testing.assert_array_equal(drawn, render(clip.positions[frames], SIZE))


def test_v1_targets_are_the_last_frames_classes():
    clip = make_clip(0, 5)
    config = WindowConfig(frames=3, heatmaps=1, target="classes")
    inputs, targets = WindowBatches([clip], config, batch_size=5, training=False).batch(0, 0)
    assert inputs.shape == (5, *SIZE, 9)
    assert (targets.shape, targets.dtype) == ((5, *SIZE), np.uint8)
    np.testing.assert_array_equal(np.moveaxis(targets, 0, -1), render_classes(clip.positions, SIZE))


@pytest.mark.parametrize(
    ("background", "shades"),
    [
        ("none", [0, 0, 0, 1, 1, 1, 2, 2, 2]),
        # The clip's own background in front.
        ("concat", [200, 200, 200, 0, 0, 0, 1, 1, 1, 2, 2, 2]),
        # Far from the background in all three colours: saturated.
        ("subtract", [255, 255, 255]),
        ("subtract_concat", [0, 0, 0, 255, 1, 1, 1, 255, 2, 2, 2, 255]),
    ],
)
def test_inputs_are_stacked_as_the_background_mode_says(background, shades):
    config = replace(THREE, background=background)
    inputs, _ = WindowBatches([make_clip(0, 3)], config, batch_size=1).batch(0, 0)
    np.testing.assert_allclose(inputs[0, 5, 9] * 255, shades, atol=1e-4)


def test_crop_sets_the_size_of_inputs_and_targets():
    batches = WindowBatches(
        [make_clip(0, 6)],
        replace(THREE, background="concat"),
        batch_size=2,
        augmentation=Augmentation(crop=(8, 8)),
    )
    inputs, targets = batches.batch(0, 0)
    assert (inputs.shape, targets.shape) == ((2, 8, 8, 12), (2, 8, 8, 3))


def test_mixup_blends_windows_of_a_batch_and_their_targets():
    clips = [make_clip(0, 9), make_clip(5, 9)]
    plain = WindowBatches(clips, THREE, batch_size=7, seed=3)
    mixed = WindowBatches(clips, THREE, batch_size=7, seed=3, mixup=0.5)
    rng = np.random.default_rng([3, 0, 1, 1])
    share = rng.beta(0.5, 0.5, 7)
    share = np.maximum(share, 1 - share)[:, None, None, None]
    partners = rng.permutation(7)
    for got, alone in zip(mixed.batch(0, 1), plain.batch(0, 1), strict=True):
        blend = share * alone + (1 - share) * alone[partners]
        np.testing.assert_allclose(got, blend, atol=1e-6)


def test_frame_mixup_blends_neighbouring_frames_only():
    clip = make_clip(0, 12)
    clip = replace(clip, frames=clip.frames * 10)
    batches = WindowBatches([clip], THREE, batch_size=5, frame_mixup=0.5)
    inputs, targets = batches.batch(0, 0)
    shades = (inputs[:, 0, 0, ::3] * 255).round()
    assert (np.diff(shades, axis=1) >= 0).all()
    assert (shades % 10 != 0).any()
    assert targets.shape == (5, *SIZE, 3)
    assert ((targets >= 0) & (targets <= 1)).all()


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        # A blend of class 200 and class 0 is not class 100.
        (WindowConfig(3, 1, target="classes"), {"mixup": 0.5}, "`mixup` requires probabilities"),
        (
            WindowConfig(3, 3, target="gaussian"),
            {"frame_mixup": 0.5},
            "requires one disc per frame",
        ),
        (WindowConfig(3, 1), {"frame_mixup": 0.5}, "requires one disc per frame"),
    ],
)
def test_mixup_of_what_cannot_be_mixed_is_refused(config, settings, message):
    with pytest.raises(ValueError, match=message):
        WindowBatches([make_clip(0, 6)], config, batch_size=1, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "square"}, "`target` must be one of disc, gaussian, classes.*'square'"),
        (
            {"heatmaps": 0},
            "`heatmaps` must be between 1 and `frames`. Received: heatmaps=0, frames=3",
        ),
        (
            {"heatmaps": 4},
            "`heatmaps` must be between 1 and `frames`. Received: heatmaps=4, frames=3",
        ),
    ],
)
def test_impossible_window_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        replace(THREE, **settings)


def test_batches_leave_the_clips_alone():
    clip = make_clip(0, 6)
    before = clip.frames.copy(), clip.background.copy(), clip.positions.copy()
    config = replace(THREE, background="subtract_concat")
    inputs, targets = WindowBatches([clip], config, batch_size=2, **EVERYTHING).batch(0, 0)
    inputs[:], targets[:] = -1, -1
    for now, then in zip((clip.frames, clip.background, clip.positions), before, strict=True):
        np.testing.assert_array_equal(now, then)


# --- the same batches through tf.data and keras.utils.PyDataset

BATCH_SETTINGS = [
    ("disc", THREE, EVERYTHING),
    ("gaussian", WindowConfig(3, 1, background="concat", target="gaussian"), {"seed": 2}),
    ("classes", WindowConfig(3, 1, target="classes"), {"seed": 2}),
    # The last batch of an epoch is shorter than the others.
    ("validation", THREE, {"training": False}),
]


def make_batches(config, settings):
    return WindowBatches([make_clip(0, 9), make_clip(1, 8)], config, batch_size=3, **settings)


@pytest.mark.parametrize(
    ("config", "settings"), [s[1:] for s in BATCH_SETTINGS], ids=[s[0] for s in BATCH_SETTINGS]
)
@pytest.mark.parametrize("package", ["tensorflow", "keras"])
def test_dataset_gives_the_batches_between_two_positions_in_order(package, config, settings):
    batches = make_batches(config, settings)
    count = len(batches)
    first, stop = count - 1, 2 * count + 1  # the end of epoch 0 to the start of epoch 2
    if package == "tensorflow":
        pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
        got = list(as_tf_dataset(batches, first, stop).as_numpy_iterator())
    else:
        dataset = as_py_dataset(batches, first, stop)
        got = [dataset[number] for number in range(len(dataset))]
    twin = make_batches(config, settings)
    expected = [
        twin.batch(epoch, number)
        for epoch, number in [(0, count - 1), *((1, n) for n in range(count)), (2, 0)]
    ]
    assert len(got) == len(expected)
    for batch, twin_batch in zip(got, expected, strict=True):
        assert [array.dtype for array in batch] == [array.dtype for array in twin_batch]
        assert_same_batch(batch, twin_batch)


def test_tf_dataset_knows_its_shapes():
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    dataset = as_tf_dataset(make_batches(THREE, {}), 0, 2)
    inputs, targets = dataset.element_spec
    assert inputs.shape.as_list() == [None, *SIZE, 9]
    assert targets.shape.as_list() == [None, *SIZE, 3]
    assert int(dataset.cardinality()) == 2


def test_py_dataset_feeds_keras_in_order():
    batches = make_batches(THREE, {"seed": 4})
    inputs = keras.Input((*SIZE, 9))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    means = model.predict(as_py_dataset(batches, 0, len(batches)), verbose=0)
    expected = [batches.batch(0, number)[0].mean(axis=(1, 2)) for number in range(len(batches))]
    np.testing.assert_allclose(means, np.concatenate(expected), atol=1e-6)
