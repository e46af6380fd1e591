import numpy as np
import pytest

from keras_tracknet.training.batches.heatmaps import render_classes, render_disc, render_gaussian

SIZE = (24, 40)  # (height, width)
RENDERERS = [render_disc, render_gaussian, render_classes]
NONE = (np.nan, np.nan)


def positions(*points):
    return np.array(points, dtype=np.float64)


def draw(render, point, **settings):
    return render(positions(point), SIZE, **settings)[..., 0]


def find_pixels(heatmap):
    """Return {(x, y)} of the pixels that are drawn."""
    rows, columns = np.nonzero(heatmap)
    return set(zip(columns.tolist(), rows.tolist(), strict=True))


@pytest.mark.parametrize(
    ("render", "dtype"), [(render_disc, "f4"), (render_gaussian, "f4"), (render_classes, "u1")]
)
def test_one_map_a_frame_of_the_models_size(render, dtype):
    heatmaps = render(positions((5, 5), NONE, (30, 12)), SIZE)
    assert (heatmaps.shape, heatmaps.dtype) == ((*SIZE, 3), np.dtype(dtype))
    assert [bool(heatmaps[..., frame].any()) for frame in range(3)] == [True, False, True]


@pytest.mark.parametrize("render", RENDERERS)
def test_no_frames_give_no_maps(render):
    assert render(np.empty((0, 2)), SIZE).shape == (*SIZE, 0)


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize(
    "point",
    [
        NONE,
        # Half a position is none.
        (5, np.nan),
        (np.nan, 5),
        (np.inf, 5),
        # So far off that nothing reaches the picture.
        (-20, 5),
        (60, 5),
        (5, -20),
        (5, 44),
    ],
)
def test_no_ball_on_the_picture_gives_an_empty_map(render, point):
    assert not draw(render, point).any()


@pytest.mark.parametrize("render", RENDERERS)
def test_corner_of_the_picture_is_a_place(render):
    heatmap = draw(render, (0, 0))
    assert heatmap[0, 0] == heatmap.max() > 0


def test_disc_is_the_published_21_pixels():
    heatmap = draw(render_disc, (20, 10))
    assert set(np.unique(heatmap)) == {0, 1}
    expected = {
        (20 + x, 10 + y)
        for x in range(-3, 4)
        for y in range(-3, 4)
        if x * x + y * y <= 2.5**2
    }  # fmt: skip
    assert len(expected) == 21
    assert find_pixels(heatmap) == expected


@pytest.mark.parametrize(
    ("radius", "pixels"),
    [
        (0.5, 1),
        # A 5 x 5 box with only the tips of it.
        (2.0, 13),
        (2.5, 21),
        # Seven pixels across.
        (3.0, 29),
    ],
)
def test_disc_radius_sets_its_pixels(radius, pixels):
    assert draw(render_disc, (20, 10), radius=radius).sum() == pixels


@pytest.mark.parametrize(
    ("point", "centre"),
    [
        ((20.49, 10.49), (20, 10)),
        # Half a pixel goes to the right and down.
        ((20.5, 10.5), (21, 11)),
        ((20.51, 9.51), (21, 10)),
        # Left of the first pixel's centre, but on the picture.
        ((-0.49, -0.49), (0, 0)),
    ],
)
def test_disc_is_about_the_nearest_pixel(point, centre):
    np.testing.assert_array_equal(draw(render_disc, point), draw(render_disc, centre))


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize(
    "point",
    [
        # Corners and borders.
        (0, 0), (39, 23), (0, 12), (39, 12), (20, 0), (20, 23), (1, 22),
        # Centre off the picture, part of the drawing on it.
        (-2, 12), (41, 12), (20, -1), (20, 24), (-1.3, -1.7),
    ],
)  # fmt: skip
def test_drawing_is_cut_at_the_border(render, point):
    margin = 16
    wide = render(positions(point) + margin, (SIZE[0] + 2 * margin, SIZE[1] + 2 * margin))
    expected = wide[margin:-margin, margin:-margin]
    assert expected.any()
    np.testing.assert_allclose(render(positions(point), SIZE), expected, atol=1e-6)


def test_gaussian_is_the_formula_to_the_fraction_of_a_pixel():
    columns, rows = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    for x, y in [(20, 10), (20.3, 10.8), (20.5, 10.5), (0.2, 22.9)]:
        squares = (columns - x) ** 2 + (rows - y) ** 2
        expected = np.exp(-squares / (2 * 1.5**2))
        heatmap = draw(render_gaussian, (x, y))
        assert heatmap.max() == pytest.approx(expected.max(), abs=1e-6)
        # What is left out beyond 4 sigma is below exp(-8).
        np.testing.assert_allclose(heatmap, expected, atol=5e-4)


def test_gaussian_is_1_on_a_pixels_centre():
    assert draw(render_gaussian, (20, 10))[10, 20] == 1


def test_gaussian_width_is_sigma():
    wide = draw(render_gaussian, (20, 10), sigma=3.0)
    assert wide[10, 23] == pytest.approx(np.exp(-0.5), abs=1e-6)


def test_classes_are_those_of_the_paper():
    classes = draw(render_classes, (20, 12))
    assert classes[12, 20] == classes.max() == 255
    assert len(np.unique(classes)) == 37
    assert (classes >= 128).sum() == 45
    # floor(255 exp(-d^2 / 20)) at 1, 3 and 10 pixels.
    assert [classes[12, 21], classes[15, 20], classes[12, 30]] == [242, 162, 1]


def test_classes_reach_no_farther_than_the_formula():
    classes = render_classes(positions((30, 30)), (61, 61))[..., 0]
    columns, rows = np.meshgrid(np.arange(61) - 30, np.arange(61) - 30)
    expected = np.floor(255 * np.exp(-(columns**2 + rows**2) / 20))
    np.testing.assert_array_equal(classes, expected)
    assert (classes > 0).sum() == 349


@pytest.mark.parametrize("render", [render_disc, render_gaussian])
def test_given_array_is_drawn_on(render):
    out = np.zeros((*SIZE, 2), np.float32)
    points = positions((5, 5), (30, 12))
    assert render(points, SIZE, out=out) is out
    np.testing.assert_array_equal(out, render(points, SIZE))
