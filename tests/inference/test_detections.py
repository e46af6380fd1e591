import itertools
import math

import numpy as np
import pytest

from keras_tracknet.inference.detections import (
    DECODERS,
    decode_bounding_box,
    decode_centroid,
    decode_circle,
)
from keras_tracknet.training.batches.heatmaps import render_classes, render_disc, render_gaussian

SIZE = (36, 64)  # (height, width)
NONE = (np.nan, np.nan)


def draw(render, point):
    return render(np.array([point], dtype=np.float64), SIZE)[..., 0]


def draw_brightness(point):
    """V1's map: its class as a share of the highest."""
    return draw(render_classes, point).astype(np.float32) / 255


def fill(*boxes, value=0.9):
    """Return a map with boxes (left, top, width, height) filled in."""
    heatmap = np.zeros(SIZE, np.float32)
    for left, top, width, height in boxes:
        heatmap[top : top + height, left : left + width] = value
    return heatmap


def is_absent(detection):
    return math.isnan(detection.x) and math.isnan(detection.y)


INSIDE = [
    (20, 10), (30.2, 17.9), (31.5, 12.5), (2, 2), (61, 33), (12, 8.5),
]  # fmt: skip
BORDER = [
    # Corners and borders, where half of the drawing or more is off the picture.
    (0, 0), (63, 35), (0, 17), (63, 17), (30, 0), (30, 35), (1, 1),
]  # fmt: skip


@pytest.mark.parametrize("point", INSIDE)
@pytest.mark.parametrize("decode", [decode_centroid, decode_bounding_box])
def test_drawn_disc_gives_its_pixel_back(decode, point):
    x, y, confidence = decode(draw(render_disc, point))
    assert (x, y) == (math.floor(point[0] + 0.5), math.floor(point[1] + 0.5))
    assert confidence == 1


@pytest.mark.parametrize("point", INSIDE)
def test_drawn_gaussian_gives_its_point_back_to_a_fifth(point):
    x, y, _ = decode_centroid(draw(render_gaussian, point))
    assert math.dist((x, y), point) < 0.2


@pytest.mark.parametrize("point", BORDER)
@pytest.mark.parametrize("render", [render_disc, render_gaussian])
@pytest.mark.parametrize("decode", [decode_centroid, decode_bounding_box])
def test_ball_at_the_border_is_found_within_a_pixel(decode, render, point):
    x, y, _ = decode(draw(render, point))
    assert abs(x - point[0]) <= 1
    assert abs(y - point[1]) <= 1


# What each decoder is made for, and how far off a position may be, pixels: where the picture cuts a
# drawing off, what is left of it has its middle further in.
DRAWN_FOR = {
    "centroid": ((render_disc, render_gaussian), 1.5),
    "published": ((render_disc, render_gaussian), 1.5),
    "circle": ((draw_brightness,), 2.5),
}


@pytest.mark.parametrize("name", DECODERS)
def test_every_edge_corner_and_half_pixel_is_on_the_picture_and_right(name):
    near = (-0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3)
    xs, ys = ([*near, n // 2, *(n - 1 - d for d in near)] for n in SIZE[::-1])
    renders, tolerance = DRAWN_FOR[name]
    for render, *point in itertools.product(renders, xs, ys):
        heatmap = render(point) if render is draw_brightness else draw(render, point)
        x, y, _ = DECODERS[name](heatmap, 0.5)
        assert 0 <= x <= SIZE[1] - 1 and 0 <= y <= SIZE[0] - 1, (render, point)  # noqa: PT018
        assert max(abs(x - point[0]), abs(y - point[1])) <= tolerance, (render, point, (x, y))


@pytest.mark.parametrize("off", [-1.0, 0.0, 0.5, 1.0])
def test_v1_circle_off_the_picture_is_clipped_to_it(off, monkeypatch):
    circle = np.array([[[SIZE[1] - 1 + off, SIZE[0] - 1 + off, 3.0]]], np.float32)
    monkeypatch.setattr("cv2.HoughCircles", lambda *_args, **_more: circle)
    x, y, _ = decode_circle(draw_brightness((63, 35)))
    assert (x, y) == (min(62.5 + off + 1, 63), min(34.5 + off + 1, 35))


@pytest.mark.parametrize("point", [(-1, 17), (30, -1), (64, 17), (30, 36)])
@pytest.mark.parametrize("decode", [decode_centroid, decode_bounding_box])
def test_ball_just_off_the_picture_is_found_at_its_edge(decode, point):
    x, y, _ = decode(draw(render_disc, point))
    assert 0 <= x <= SIZE[1] - 1
    assert 0 <= y <= SIZE[0] - 1
    assert math.dist((x, y), point) <= 2


@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
@pytest.mark.parametrize("point", [NONE, (-10, 17), (30, 60)])
def test_no_ball_on_the_picture_is_none_in_the_track(decode, point):
    detection = decode(draw(render_disc, point))
    assert is_absent(detection)
    assert detection.confidence == 0


@pytest.mark.parametrize("point", [(20, 10), (31.4, 17.6), (30.5, 12.5), (9, 27), (55, 9)])
def test_v1_map_gives_its_circle_back_within_a_pixel(point):
    x, y, confidence = decode_circle(draw_brightness(point))
    assert math.dist((x, y), point) <= 1
    assert confidence == 1


def test_v1_circle_of_a_whole_pixel_position_is_exact():
    x, y, _ = decode_circle(draw_brightness((20, 10)))
    assert (x, y) == (20, 10)


@pytest.mark.parametrize("size", [1, 2, 3])  # pixels across: too small for a circle
def test_v1_ball_of_few_pixels_is_found_at_its_centre(size):
    brightness = np.zeros(SIZE, np.float32)
    brightness[14 : 14 + size, 40 : 40 + size] = 1
    x, y, _ = decode_circle(brightness)
    assert math.dist((x, y), (40 + (size - 1) / 2, 14 + (size - 1) / 2)) <= 1


@pytest.mark.parametrize("decode", [decode_centroid, decode_bounding_box])
def test_corner_of_the_picture_is_a_place(decode):
    assert decode(fill((0, 0, 1, 1)))[:2] == (0, 0)


@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
def test_threshold_must_be_exceeded(decode):
    heatmap = draw(render_disc, (20, 10)) * np.float32(0.5)
    assert is_absent(decode(heatmap))
    assert not is_absent(decode(heatmap, 0.49))


@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
def test_confidence_is_the_peak_also_below_the_threshold(decode):
    heatmap = fill((5, 5, 3, 3), value=0.25)
    heatmap[6, 6] = 0.375
    detection = decode(heatmap)
    assert is_absent(detection)
    assert detection.confidence == 0.375


@pytest.mark.parametrize("other", [(10, 5, 4, 2), (10, 5, 2, 4), (10, 5, 8, 1)])
@pytest.mark.parametrize("decode", [decode_centroid, decode_bounding_box])
def test_largest_blob_wins_over_the_brightest_the_widest_and_the_highest(decode, other):
    x, y, confidence = decode(fill((40, 20, 3, 3), value=0.6) + fill(other, value=0.99))
    assert (x, y) == pytest.approx((41, 21))
    assert confidence == pytest.approx(0.99)


def test_brighter_one_of_equally_large_blobs_wins_wherever_it_is():
    first, second = (10, 5, 3, 3), (40, 20, 3, 3)
    for bright, dim, expected in [(first, second, (11, 6)), (second, first, (41, 21))]:
        heatmap = fill(bright, value=0.9) + fill(dim, value=0.7)
        assert decode_centroid(heatmap)[:2] == pytest.approx(expected)


def test_pixels_that_touch_at_a_corner_are_one_blob():
    heatmap = fill((20, 10, 2, 2), (22, 12, 2, 2), (5, 5, 3, 2))
    assert decode_centroid(heatmap)[:2] == pytest.approx((21.5, 11.5))


def test_centroid_weighs_pixels_by_their_probability():
    heatmap = fill((20, 10, 1, 1), value=0.9) + fill((21, 10, 1, 1), value=0.6)
    x, y, _ = decode_centroid(heatmap)
    assert x == pytest.approx((20 * 0.9 + 21 * 0.6) / 1.5)
    assert y == 10


def test_centroid_leaves_other_blobs_in_its_box_alone():
    # A frame of pixels with another blob inside of it.
    heatmap = fill((20, 10, 9, 1), (20, 10, 1, 9), (20, 18, 9, 1), (28, 10, 1, 9), (25, 14, 1, 1))
    assert decode_centroid(heatmap)[:2] == pytest.approx((24, 14))


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        # One pixel, which has no area as a contour.
        ((20, 10, 1, 1), (20, 10)),
        ((20, 10, 5, 5), (22, 12)),
        # Of an even number of pixels the right and lower one of the middle two.
        ((20, 10, 4, 2), (22, 11)),
        ((20, 10, 2, 5), (21, 12)),
        # The picture's last pixel.
        ((60, 30, 4, 6), (62, 33)),
    ],
)
def test_published_rule_is_the_truncated_middle_of_the_box(box, expected):
    assert decode_bounding_box(fill(box))[:2] == expected


def test_published_rule_takes_the_largest_box_not_the_most_pixels():
    # An open corner of 9 pixels in a box of 25, and 16 pixels in a box of 16.
    heatmap = fill((40, 20, 1, 5), (40, 20, 5, 1), (10, 5, 4, 4))
    assert decode_bounding_box(heatmap)[:2] == (42, 22)
    assert decode_centroid(heatmap)[:2] == pytest.approx((11.5, 6.5))
