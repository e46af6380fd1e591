import math
import tracemalloc

import cv2
import numpy as np
import pytest

from keras_tracknet.frames.background import (
    estimate_background,
    sample_indices,
    subtract_background,
)
from keras_tracknet.frames.sizes import (
    fit_frame,
    picture_box,
    resize_frame,
    scale_positions,
    unfit_positions,
)
from keras_tracknet.frames.stacking import (
    BACKGROUND_MODES,
    aligned_empty,
    scale_window,
    stack_window,
)
from keras_tracknet.inference.detections import decode_centroid

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
MODEL_SIZE = (288, 512)
SOURCES = [
    # 16:9, larger and smaller than the model's size.
    (720, 1280), (1080, 1920), (144, 256),
    # 4:3 and portrait: one factor for both axes would be wrong.
    (480, 640), (1280, 720), (288, 300),
]  # fmt: skip


def paint(colour, size=(4, 6)):
    return np.full((*size, 3), colour, np.uint8)


def draw_noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("source", SOURCES)
def test_red_stays_red_at_every_size(source):
    resized = resize_frame(paint(RED, source), MODEL_SIZE)
    np.testing.assert_array_equal(resized, paint(RED, MODEL_SIZE))


def test_frame_of_the_models_size_is_passed_on_untouched():
    frame = draw_noise(*MODEL_SIZE, 3)
    assert resize_frame(frame, MODEL_SIZE) is frame


def test_shrinking_averages_over_area():
    frame = draw_noise(12, 18, 3)
    blocks = frame.reshape(4, 3, 6, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize_frame(frame, (4, 6)), blocks, atol=0.5)


@pytest.mark.parametrize("source", SOURCES)
def test_dot_is_found_where_its_position_is_scaled_to(source):
    position = np.array([source[1] * 0.7, source[0] * 0.3]).round()
    frame = np.zeros((*source, 3), np.uint8)
    cv2.circle(frame, position.astype(int).tolist(), max(source) // 60, (255, 255, 255), -1)
    resized = resize_frame(frame, MODEL_SIZE)[..., 0].astype(np.float32) / 255
    x, y, _ = decode_centroid(resized, 0.25)
    assert math.dist((x, y), scale_positions(position, source, MODEL_SIZE)) < 0.35


@pytest.mark.parametrize("source", SOURCES)
def test_position_survives_the_way_to_the_model_and_back(source):
    positions = np.random.default_rng(0).uniform(0, source[::-1], (50, 2))
    model = scale_positions(positions, source, MODEL_SIZE)
    np.testing.assert_allclose(scale_positions(model, MODEL_SIZE, source), positions, atol=1e-9)


@pytest.mark.parametrize(
    ("source", "position", "expected"),
    [
        # Pixel centres are on whole numbers, so the picture's edges are at -0.5.
        ((720, 1280), (-0.5, -0.5), (-0.5, -0.5)),
        ((720, 1280), (1279.5, 719.5), (511.5, 287.5)),
        ((576, 1024), (0, 0), (-0.25, -0.25)),
        # Each axis by its own factor.
        ((480, 640), (319.5, 239.5), (255.5, 143.5)),
        ((288, 1024), (101.5, 17), (50.5, 17)),
        ((1152, 512), (17, 9.5), (17, 2)),
        # No ball, and half of a position.
        ((720, 1280), (np.nan, np.nan), (np.nan, np.nan)),
        ((288, 512), (np.nan, 7), (np.nan, 7)),
    ],
)
def test_positions_scale_about_the_pictures_corner(source, position, expected):
    np.testing.assert_allclose(scale_positions(np.array(position), source, MODEL_SIZE), expected)


def test_positions_of_any_shape_are_scaled_alike():
    positions = np.random.default_rng(0).uniform(0, 100, (2, 3, 2))
    scaled = scale_positions(positions, (100, 100), (50, 200))
    assert scaled.shape == (2, 3, 2)
    np.testing.assert_array_equal(
        scaled[1, 2], scale_positions(positions[1, 2], (100, 100), (50, 200))
    )


@pytest.mark.parametrize(
    ("frames", "count", "expected"),
    [
        # Every frame of a short clip.
        (3, 101, [0, 1, 2]),
        (0, 101, []),
        (5, 5, [0, 1, 2, 3, 4]),
        # First and last included.
        (9, 3, [0, 4, 8]),
        (100, 4, [0, 33, 66, 99]),
    ],
)
def test_sample_is_spread_over_the_clip(frames, count, expected):
    assert sample_indices(frames, count).tolist() == expected


def test_sample_of_a_long_clip_has_no_frame_twice():
    for frames in (102, 150, 201, 5000):
        sample = sample_indices(frames)
        assert len(set(sample.tolist())) == 101
        assert (sample[0], sample[-1]) == (0, frames - 1)


@pytest.mark.parametrize("count", [1, 3, 7])
@pytest.mark.parametrize("height", [1, 16, 37])
def test_background_of_an_odd_number_of_frames_is_the_median(count, height):
    frames = draw_noise(count, height, 5, 3)
    np.testing.assert_array_equal(estimate_background(frames), np.median(frames, axis=0))


def test_background_of_an_even_number_of_frames_is_the_lower_median():
    frames = draw_noise(4, 20, 5, 3)
    np.testing.assert_array_equal(estimate_background(frames), np.sort(frames, axis=0)[1])


def test_background_of_a_list_is_that_of_its_stack():
    frames = draw_noise(5, 20, 5, 3)
    background = estimate_background(list(frames))
    assert background.dtype == np.uint8
    np.testing.assert_array_equal(background, estimate_background(frames))
    np.testing.assert_array_equal(background, estimate_background(iter(frames)))


def test_background_forgets_a_ball_that_moves():
    frames = np.repeat(draw_noise(1, 20, 30, 3), 9, axis=0)
    empty = frames[0].copy()
    for index, frame in enumerate(frames):
        frame[5:8, 3 * index : 3 * index + 3] = 255
    np.testing.assert_array_equal(estimate_background(frames), empty)


@pytest.mark.parametrize("frames", [[], np.empty((0, 4, 6, 3), np.uint8)])
def test_background_of_no_frames_is_refused(frames):
    with pytest.raises(ValueError, match=r"at least one frame. Received: none"):
        estimate_background(frames)


def test_background_is_estimated_a_strip_at_a_time():
    frames = draw_noise(9, 256, 512, 3)
    tracemalloc.start()
    estimate_background(frames)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < frames[0].nbytes + frames.nbytes // 8


def test_background_of_more_frames_than_a_byte_counts_is_the_median():
    frames = draw_noise(601, 9, 5, 3)
    np.testing.assert_array_equal(estimate_background(frames), np.median(frames, axis=0))


def test_background_leaves_the_frames_alone():
    frames = draw_noise(5, 20, 5, 3)
    before = frames.copy()
    estimate_background(frames)
    np.testing.assert_array_equal(frames, before)


@pytest.mark.parametrize(
    ("frame", "background", "expected"),
    [
        ((10, 20, 30), (10, 20, 30), 0),
        # Darker and brighter count alike.
        ((10, 20, 30), (15, 18, 30), 7),
        ((0, 0, 0), (85, 85, 85), 255),
        # 256 and 765 stay at the top, where eight bits would wrap to 0 and 253.
        ((0, 0, 0), (86, 85, 85), 255),
        ((255, 255, 255), (0, 0, 0), 255),
        ((255, 0, 255), (0, 255, 0), 255),
    ],
)
def test_difference_to_the_background_saturates(frame, background, expected):
    differences = subtract_background(paint(frame)[None], paint(background))
    np.testing.assert_array_equal(differences, np.full((1, 4, 6), expected))
    assert differences.dtype == np.uint8


def test_differences_are_summed_over_rgb_for_each_frame():
    frames, background = draw_noise(3, 4, 6, 3), draw_noise(4, 6, 3, seed=1)
    expected = np.abs(frames.astype(int) - background).sum(-1).clip(0, 255)
    np.testing.assert_array_equal(subtract_background(frames, background), expected)


@pytest.mark.parametrize("count", [1, 2, 5, 130])  # the last is more than OpenCV merges
@pytest.mark.parametrize("mode", BACKGROUND_MODES)
def test_window_is_stacked_in_the_networks_order(mode, count):
    frames, background = draw_noise(count, 4, 6, 3), draw_noise(4, 6, 3, seed=1)
    differences = subtract_background(frames, background)
    planes = {
        # R0 G0 B0 R1 ...
        "none": [f[..., c] for f in frames for c in range(3)],
        # D0 D1 ...
        "subtract": list(differences),
        # R0 G0 B0 D0 R1 ...
        "subtract_concat": [
            plane
            for f, d in zip(frames, differences, strict=True)
            for plane in (f[..., 0], f[..., 1], f[..., 2], d)
        ],
        # Rb Gb Bb R0 ...
        "concat": [f[..., c] for f in (background, *frames) for c in range(3)],
    }[mode]
    stacked = stack_window(frames, background, mode)
    assert stacked.dtype == np.uint8
    np.testing.assert_array_equal(stacked, np.stack(planes, axis=-1))


def test_red_frame_lights_the_first_channel_of_its_three():
    stacked = stack_window(np.stack([paint(RED), paint(BLUE)]), paint(GREEN), "concat")
    assert stacked[0, 0].tolist() == [0, 255, 0, 255, 0, 0, 0, 0, 255]


def test_window_is_stacked_from_frames_that_are_not_contiguous():
    frames = draw_noise(6, 4, 12, 3)[::2, :, ::-2]
    expected = stack_window(np.ascontiguousarray(frames), None, "none")
    np.testing.assert_array_equal(stack_window(frames, None, "none"), expected)


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("blur", "`mode` must be one of none.* Received: mode='blur'"),
        ("concat", "`mode='concat'` requires a background. Received: background=None"),
        ("subtract", "`mode='subtract'` requires a background"),
        ("subtract_concat", "`mode='subtract_concat'` requires a background"),
    ],
)
def test_window_without_what_its_mode_needs_is_refused(mode, message):
    with pytest.raises(ValueError, match=message):
        stack_window(draw_noise(2, 4, 6, 3), None, mode)


def test_input_is_a_byte_as_a_share_of_255():
    scaled = scale_window(np.arange(256, dtype=np.uint8))
    assert scaled.dtype == np.float32
    assert (scaled[0], scaled[255]) == (0, 1)
    np.testing.assert_allclose(scaled, np.arange(256) / 255, atol=1e-7)


def test_scaled_input_fills_the_given_array():
    stacked, out = draw_noise(4, 6, 9), np.empty((4, 6, 9), np.float32)
    assert scale_window(stacked, out=out) is out
    np.testing.assert_array_equal(out, scale_window(stacked))


@pytest.mark.parametrize("shape", [(1,), (3, 5, 7), (2, 4, 6, 9)])
def test_aligned_array_starts_on_a_64_byte_boundary(shape):
    array = aligned_empty(shape)
    assert (array.shape, array.dtype) == (shape, np.float32)
    assert array.ctypes.data % 64 == 0
    assert array.flags.c_contiguous
    array[:] = 1  # the memory is ours


# --- bringing frames to the model's size and positions back


@pytest.mark.parametrize(
    ("size", "fit", "box"),
    [
        ((720, 1280), "stretch", (0, 0, 512, 288)),
        ((720, 1280), "letterbox", (0, 0, 512, 288)),
        ((720, 1280), "longest", (0, 0, 512, 288)),
        ((480, 640), "stretch", (0, 0, 512, 288)),
        ((480, 640), "letterbox", (64, 0, 384, 288)),
        ((480, 640), "longest", (0, -48, 512, 384)),  # cut off at the top and the bottom
        ((300, 1200), "letterbox", (0, 80, 512, 128)),
        ((300, 1200), "longest", (0, 80, 512, 128)),
        ((1280, 720), "longest", (112, -112, 288, 512)),
    ],
)
def test_picture_lies_where_its_fit_says(size, fit, box):
    assert picture_box(size, (288, 512), fit) == box


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "longest"])
@pytest.mark.parametrize("size", [(60, 80), (45, 80), (30, 120), (120, 60)])
def test_what_is_seen_at_a_place_is_put_back_there(size, fit):
    image = np.zeros((*size, 3), np.uint8)
    y, x = size[0] // 2, size[1] // 3 if size[1] > size[0] else size[1] // 2
    image[y - 3 : y + 4, x - 3 : x + 4] = 255
    fitted = fit_frame(image, (36, 64), fit)
    assert fitted.shape == (36, 64, 3)
    rows, columns = np.nonzero(fitted[..., 0] > 127)
    found = unfit_positions(np.array([columns.mean(), rows.mean()]), size, (36, 64), fit)
    assert np.abs(found - (x, y)).max() < 2


def test_what_does_not_reach_is_black():
    fitted = fit_frame(np.full((40, 40, 3), 200, np.uint8), (36, 64), "letterbox")
    assert fitted[:, :14].max() == fitted[:, 50:].max() == 0
    assert fitted[:, 14:50].min() == 200


def test_differences_wrap_around_as_published():
    frame = np.array([[[255, 1, 0], [255, 45, 0], [255, 255, 255], [9, 0, 0]]], np.uint8)
    background = np.zeros((1, 4, 3), np.uint8)
    found = subtract_background(frame[None], background, "wrapped")
    assert found.ravel().tolist() == [0, 44, 253, 9]  # of 256, 300, 765, 9
    saturated = subtract_background(frame[None], background)
    assert saturated.ravel().tolist() == [255, 255, 255, 9]
