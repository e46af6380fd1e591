"""Batches drawn on the device are the host pipeline's, but for rounding."""

import cv2
import keras
import numpy as np
import pytest

from keras_tracknet.frames.stabilization import shift_picture
from keras_tracknet.frames.stacking import stack_window
from keras_tracknet.training.batches.augment import Augmentation, Region
from keras_tracknet.training.batches.cut_outs import REACH, CutOuts
from keras_tracknet.training.batches.heatmaps import (
    UNLABELLED,
    render_classes,
    render_disc,
    render_gaussian,
)
from keras_tracknet.training.batches.mixup import mix_batch
from keras_tracknet.training.batches.paste import MOST_DECOYS, PastedBall
from keras_tracknet.training.batches.window_batches import (
    LabelledFrames,
    WindowBatches,
    WindowConfig,
)
from keras_tracknet.training.device import operations
from keras_tracknet.training.device.batches import DeviceBatches, count_bytes
from keras_tracknet.training.device.plans import Planner

SIZE = (56, 72)  # (height, width)
COLOURS = {"flip": 0.5, "brightness": 0.1, "contrast": 0.2, "recolour": 0.3}
CUT = {"crop": (32, 48), "zoom": (0.7, 1.3)}


def to_tensors(**arrays):
    return {name: keras.ops.convert_to_tensor(array) for name, array in arrays.items()}


def to_arrays(tensors):
    return [keras.ops.convert_to_numpy(tensor) for tensor in tensors]


def draw_noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def film(frames, step, seed):
    """A clip of a white ball that flies before a dim court, and of a player who moves."""
    background = draw_noise(*SIZE, 3, seed=seed) // 8 + 20
    positions = np.array([16.0, 15.25]) + np.arange(frames)[:, None] * step
    columns, rows = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    pictures = np.repeat(background[None], frames, axis=0)
    for picture, (x, y) in zip(pictures, positions, strict=True):
        ball = 0.9 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 4)[..., None]
        picture[:] = (picture + ball * (250.0 - picture)).round()
    pictures[:, 40:46, 50:56] = draw_noise(frames, 6, 6, 3, seed=seed)
    labelled = np.arange(frames) != 5
    return LabelledFrames(pictures, background, positions, labelled)


@pytest.fixture(scope="module")
def clips():
    return [film(12, (1.5, 1.0), seed=1), film(9, (3.0, 0.5), seed=2)]


def make_batches(clips, config, *, seed=3, mixup=0.0, batch_size=4, **augmentation):
    augmentation = Augmentation(**augmentation)
    return WindowBatches(
        clips, config, batch_size=batch_size, augmentation=augmentation, mixup=mixup, seed=seed
    )


# --- whole batches


@pytest.mark.parametrize(
    ("mode", "target", "settings"),
    [
        ("concat", "disc", {}),
        ("concat", "gaussian", COLOURS | CUT | {"paste": 0.7, "decoys": 0.5, "mixup": 0.5}),
        ("none", "disc", CUT | {"pan": 3.0, "paste": 0.5}),
        ("subtract", "disc", COLOURS | {"decoys": 0.5, "skip": 0.5}),
        ("none", "classes", COLOURS | {"paste": 0.5}),
    ],
    ids=["plain", "everything", "panning", "decoys and skipped frames", "v1"],
)
def test_batch_is_that_of_the_host(clips, mode, target, settings):
    config = WindowConfig(3, 1 if target == "classes" else 3, mode, target)
    host = make_batches(clips, config, **settings)
    device = DeviceBatches(host)
    assert (len(device), device.windows, device.batch_size) == (len(host), host.windows, 4)
    for number in range(len(host)):
        inputs, targets = host.batch(1, number)
        drawn, shown = to_arrays(device.batch(1, number))
        assert (drawn.shape, drawn.dtype) == (inputs.shape, inputs.dtype)
        assert (shown.shape, shown.dtype) == (targets.shape, targets.dtype)
        np.testing.assert_allclose(shown, targets, atol=1e-5)
        levels = np.abs(drawn - inputs) * 255
        # OpenCV stretches pictures with weights of 8 bits: by one level, in some of the pixels.
        assert levels.max() < 2.1
        assert levels.mean() < (0.2 if "zoom" in settings else 1e-3)


def test_unlabelled_frames_and_what_is_blended_with_them_have_no_target(clips):
    host = make_batches(clips, WindowConfig(3, 3), batch_size=8, mixup=0.5)
    targets = host.batch(0, 0)[1]
    _, shown = to_arrays(DeviceBatches(host).batch(0, 0))
    unlabelled = (targets == UNLABELLED).all(axis=(1, 2))
    assert unlabelled.any()
    np.testing.assert_array_equal((shown == UNLABELLED).all(axis=(1, 2)), unlabelled)


def test_seed_epoch_and_number_decide_a_batch(clips):
    config = WindowConfig(3, 3)
    one, same, other = (
        DeviceBatches(make_batches(clips, config, seed=seed, **COLOURS)) for seed in (1, 1, 2)
    )
    first = to_arrays(one.batch(2, 1))
    for array, twin in zip(first, to_arrays(same.batch(2, 1)), strict=True):
        np.testing.assert_array_equal(array, twin)
    for inputs, _ in (other.batch(2, 1), one.batch(3, 1), one.batch(2, 2)):
        assert np.abs(keras.ops.convert_to_numpy(inputs) - first[0]).max() > 0.01


def test_memory_is_that_of_frames_backgrounds_and_cut_outs(clips):
    plain = make_batches(clips, WindowConfig(3, 3))
    assert count_bytes(plain) == (12 + 9 + 2) * SIZE[0] * SIZE[1] * 3
    pasting = make_batches(clips, WindowConfig(3, 3), paste=0.5)
    assert count_bytes(pasting) - count_bytes(plain) == (12 + 9) * (2 * REACH + 1) ** 2 * 4


# --- what chance decides


def test_plans_are_drawn_from_the_distribution_of_the_settings(clips):
    settings = COLOURS | {"crop": (24, 32), "zoom": (0.8, 1.25), "paste": 0.4, "decoys": 0.3}
    host = make_batches(clips, WindowConfig(3, 3, "concat"), mixup=0.5, **settings)
    planner = Planner(host)
    plans = [planner.plan(epoch, n) for epoch in range(60) for n in range(len(host))]
    every = {name: np.concatenate([plan[name] for plan in plans]) for name in plans[0]}
    count = len(every["clip"])
    assert count == 60 * 16
    near = 3 * 0.5 / np.sqrt(count)  # three standard deviations of a share of a half
    assert every["mirrored"].mean() == pytest.approx(0.5, abs=near)
    shuffled = (every["order"] != np.arange(3)).any(axis=-1).mean()
    assert shuffled == pytest.approx(0.3 * 5 / 6, abs=near)  # one order in six is the old one
    assert every["shifts"].mean() == pytest.approx(0, abs=1.5)
    assert np.abs(every["shifts"]).max() == pytest.approx(25.5, rel=0.02)
    assert every["shifts"].std() == pytest.approx(25.5 / np.sqrt(3), rel=0.1)
    assert every["gains"].mean() == pytest.approx(1, abs=0.02)
    assert every["gains"].std() == pytest.approx(np.hypot(0.2, 0.05) / np.sqrt(3), rel=0.1)
    heights = every["extents"][:, 0]
    assert [heights.min(), heights.max()] == [19, 30]  # 24 over 1.25 and 0.8
    on_picture = (every["places"] > -25).all(axis=-1)  # (windows, balls, pictures)
    flying = on_picture[..., 1:].any(axis=-1) & ~on_picture[..., 0]  # not in the background
    assert flying.sum(axis=-1).max() == 1
    assert flying.sum(axis=-1).mean() == pytest.approx(0.4, abs=near)
    decoys = on_picture[..., 0].sum(axis=-1)
    assert (decoys > 0).mean() == pytest.approx(0.3, abs=near)
    assert decoys[decoys > 0].mean() == pytest.approx((1 + MOST_DECOYS) / 2, rel=0.1)
    assert every["share"].min() >= 0.5
    assert every["share"].mean() == pytest.approx(0.5 + 1 / np.pi, abs=0.02)  # of Beta(0.5, 0.5)
    # The clip's ball is in the cut-out of some frame, as `on_ball` says, or happens to be.
    x, y = np.moveaxis(every["centres"][:, :, 0], -1, 0)
    seen = ((x >= 0) & (x < 32) & (y >= 0) & (y < 24)).any(axis=-1).mean()
    assert seen > 0.6


def test_every_window_is_planned_once_an_epoch(clips):
    planner = Planner(make_batches(clips, WindowConfig(3, 3)))
    starts = [s for n in range(4) for s in planner.plan(0, n)["frames"][:, 0].tolist()]
    assert len(starts) == len(set(starts)) == 16
    assert {start for start in starts if start >= 12} <= set(range(12, 19))  # the second clip's


# --- single operations


@pytest.mark.parametrize(
    ("corner", "extent", "mirrored"),
    [
        ((5, 3), (32, 48), False),  # as it is
        ((5, 3), (32, 48), True),
        ((0, 0), (56, 72), False),  # smaller
        ((30, 20), (20, 31), True),  # larger
    ],
)
def test_regions_are_cut_as_opencv_does(corner, extent, mirrored):
    pictures, size = draw_noise(2, *SIZE, 3), (32, 48)
    region = Region(*corner, *extent, size)
    expected = np.stack([region.cut(picture) for picture in pictures]).astype(float)
    if mirrored:
        expected = expected[:, :, ::-1]
    (cut,) = to_arrays(
        [
            operations.cut_regions(
                *to_tensors(
                    pictures=pictures[None],
                    corners=np.array([[corner] * 2], np.float32),
                    extents=np.array([extent], np.float32),
                    mirrored=np.array([mirrored]),
                ).values(),
                size,
            )
        ]
    )
    np.testing.assert_allclose(cut[0], expected, atol=0 if extent == size else 1)


def test_each_frame_is_cut_where_its_camera_looks():
    pictures = draw_noise(1, 2, *SIZE, 3)
    corners = np.array([[(0, 0), (7, 4)]], np.float32)
    tensors = to_tensors(
        pictures=pictures,
        corners=corners,
        extents=np.array([(16, 24)], np.float32),
        mirrored=np.array([False]),
    )
    (cut,) = to_arrays([operations.cut_regions(*tensors.values(), (16, 24))])
    np.testing.assert_array_equal(cut[0, 0], pictures[0, 0, :16, :24])
    np.testing.assert_array_equal(cut[0, 1], pictures[0, 1, 4:20, 7:31])


def test_colours_change_as_by_the_table_of_the_host():
    levels = np.repeat(np.arange(256, dtype=np.float32)[:, None], 3, axis=1)
    gains, shift, order = np.array([1.25, 0.8, 1.0]), 20.5, np.array([2, 0, 1])
    table = np.clip(((levels - 128) * gains + 128 + shift).round(), 0, 255)
    tensors = to_tensors(
        pictures=levels[None, None, None],
        gains=gains[None].astype(np.float32),
        shifts=np.array([shift], np.float32),
        order=order[None].astype(np.int32),
    )
    (changed,) = to_arrays([operations.change_colours(*tensors.values())])
    np.testing.assert_allclose(changed[0, 0, 0], table[:, order], atol=0)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.3, -0.2), (-0.5, 0.45)])
def test_opacities_move_by_parts_of_a_pixel(shift):
    opacity = cv2.GaussianBlur(draw_noise(25, 25).astype(np.float32) / 255, (0, 0), 1.5)
    shift = np.array(shift, np.float32)
    tensors = to_tensors(opacities=opacity[None], shifts=shift[None])
    (moved,) = to_arrays([operations.shift_opacities(*tensors.values())])
    # OpenCV before 4.12 moves by whole 32nds of a pixel.
    np.testing.assert_allclose(moved[0], shift_picture(opacity, shift), atol=0.02)


@pytest.mark.parametrize("place", [(30.4, 20.0), (0.0, 0.0), (71.0, 55.6), (-11.0, 60.0)])
def test_balls_are_pasted_as_the_host_does(place):
    """In the picture, across its corners, and nearly off it; a second one lies above."""
    picture = draw_noise(*SIZE, 3)
    opacity = draw_noise(1, 25, 25, seed=1).astype(np.float32) / 255
    colours = np.array([[250, 240, 230], [10, 20, 30]], np.float32)
    path = np.array([place])
    expected, corners = picture.copy(), []
    for number, colour in enumerate(colours):
        ball = PastedBall(CutOuts(opacity, path, colour), slice(0, 1), colour, path + number)
        ball.draw_on(expected, 0)
        corners.append(np.floor(path + number + 0.5) - REACH)
    plan = to_tensors(
        cut_outs=np.zeros((1, 2, 1), np.int32),
        places=np.array(corners, np.int32)[None],
        beyond=np.zeros((1, 2, 1, 2), np.float32),
        colours=colours[None],
    )
    store = to_tensors(pictures=picture[None, None], opacities=opacity)
    (pasted,) = to_arrays([operations.paste_balls(*store.values(), plan)])
    np.testing.assert_array_equal(pasted[0, 0], expected)


@pytest.mark.parametrize("mode", ["none", "concat", "subtract", "subtract_concat"])
def test_pictures_are_stacked_as_the_host_does(mode):
    background, frames = draw_noise(8, 12, 3), draw_noise(3, 8, 12, 3, seed=1)
    pictures = frames if mode == "none" else np.concatenate([background[None], frames])
    pictures = keras.ops.convert_to_tensor(pictures[None].astype(np.float32))
    (stacked,) = to_arrays([operations.stack_pictures(pictures, mode)])
    np.testing.assert_array_equal(stacked[0], stack_window(frames, background, mode))


@pytest.mark.parametrize("target", ["disc", "gaussian", "classes"])
@pytest.mark.parametrize(
    "point",
    [(10.0, 8.0), (0.0, 0.0), (10.5, 8.49), (23.6, 15.7), (-1.2, 5.0), (-40, 3), (np.nan, np.nan)],
)
def test_targets_are_drawn_as_the_host_does(target, point):
    size, points = (16, 24), np.array([(5.0, 5.0), point])
    render = {"disc": render_disc, "gaussian": render_gaussian, "classes": render_classes}[target]
    expected = render(points, size)
    centres = points if target == "gaussian" else np.floor(points + 0.5)
    tensors = to_tensors(
        centres=centres[None, :, None].astype(np.float32), labelled=np.ones((1, 2), bool)
    )
    (drawn,) = to_arrays([operations.render_targets(*tensors.values(), size, target)])
    if target == "classes":
        expected = expected[..., -1]
    np.testing.assert_allclose(drawn[0], expected, atol=1e-6)


def test_samples_are_blended_as_the_host_does():
    stacked, targets = draw_noise(4, 8, 8, 6), draw_noise(4, 8, 8, 2, seed=1).astype(np.float32)
    targets[1, ..., 0] = UNLABELLED
    expected = mix_batch(list(stacked), list(targets), 0.5, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    share = rng.beta(0.5, 0.5, 4)
    tensors = to_tensors(
        inputs=stacked.astype(np.float32) / 255,
        targets=targets,
        share=np.maximum(share, 1 - share).astype(np.float32),
        partner=rng.permutation(4).astype(np.int32),
    )
    for array, twin in zip(
        to_arrays(operations.mix_samples(*tensors.values())), expected, strict=True
    ):
        np.testing.assert_allclose(array, twin, rtol=1e-5, atol=1e-6)
