import numpy as np
import pytest

from keras_tracknet.training.batches.augment import (
    Augmentation,
    Region,
    augment_window,
    choose_region,
    pan_region,
)
from keras_tracknet.training.batches.heatmaps import render_disc
from keras_tracknet.training.batches.mixup import mix_batch, mix_frames

SIZE = (64, 96)  # (height, width)
NONE = (np.nan, np.nan)
DARK = 20


def positions(*points):
    return np.array(points, dtype=np.float64)


def known(frames):
    return np.ones(len(frames), bool)


def draw_window(points, size=SIZE):
    """Dark frames with a soft white dot of a few pixels at each position."""
    columns, rows = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    frames = np.full((len(points), *size, 3), DARK, np.uint8)
    for frame, (x, y) in zip(frames, points, strict=True):
        if np.isfinite(x):
            bell = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.0**2))
            frame[:] = (DARK + (250 - DARK) * bell)[..., None].round()
    return frames


def find_dot(frame):
    """Return (x, y) of the bright spot of a dark frame."""
    light = frame.astype(float).mean(-1) - float(frame.min())
    light[light < 0.2 * light.max()] = 0
    columns, rows = np.meshgrid(np.arange(frame.shape[1]), np.arange(frame.shape[0]))
    return np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()


def draw_noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def seeded(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        # Each on its own, then all together.
        ({"flip": 1.0}, SIZE),
        ({"crop": (40, 48)}, (40, 48)),
        ({"zoom": (1.6, 1.6)}, SIZE),
        ({"crop": (32, 48), "zoom": (0.7, 1.5)}, (32, 48)),
        ({"crop": (40, 48), "pan": 6.0}, (40, 48)),
        # The picture is stretched where the cut-out would be larger than it is.
        ({"crop": (96, 96)}, (96, 96)),
        ({"crop": (40, 48), "zoom": (0.8, 1.4), "flip": 0.5, "brightness": 0.1, "contrast": 0.2},
         (40, 48)),
    ],
)  # fmt: skip
def test_dot_is_found_where_its_position_says(settings, size):
    points = positions((48, 32), (40.5, 30.25), (55, 20), NONE)
    frames = draw_window(points)
    checked = 0
    for seed in range(12):
        varied, _, moved = augment_window(
            frames, None, points, Augmentation(**settings), seeded(seed)
        )
        assert varied.shape == (4, *size, 3)
        assert varied.dtype == np.uint8
        assert np.isnan(moved[3]).all()
        for frame, point in zip(varied[:3], moved[:3], strict=True):
            inside = np.clip(point, 8, np.array(size[::-1]) - 9)
            if (inside == point).all():  # no part of the dot is cut off
                np.testing.assert_allclose(find_dot(frame), point, atol=0.4)
                checked += 1
    assert checked >= 8


def test_no_augmentation_changes_nothing():
    points = positions((10, 20), NONE)
    frames, background = draw_noise(2, *SIZE, 3), draw_noise(*SIZE, 3, seed=1)
    got = augment_window(frames, background, points, Augmentation(), seeded())
    for after, before in zip(got, (frames, background, points), strict=True):
        np.testing.assert_array_equal(after, before)


def test_flip_mirrors_pixel_for_pixel():
    points = positions((0, 20), (SIZE[1] - 1, 3), (10.25, 7))
    frames, background = draw_noise(3, *SIZE, 3), draw_noise(*SIZE, 3, seed=1)
    varied, behind, moved = augment_window(
        frames, background, points, Augmentation(flip=1.0), seeded()
    )
    np.testing.assert_array_equal(varied, frames[:, :, ::-1])
    np.testing.assert_array_equal(behind, background[:, ::-1])
    np.testing.assert_allclose(moved, [(SIZE[1] - 1, 20), (0, 3), (SIZE[1] - 11.25, 7)])


def test_share_of_flipped_windows_is_the_one_asked_for():
    points = positions((10, 20))
    frames = np.zeros((1, *SIZE, 3), np.uint8)
    flips = [
        augment_window(frames, None, points, Augmentation(flip=0.3), seeded(seed))[2][0, 0] != 10
        for seed in range(300)
    ]
    assert 0.2 < np.mean(flips) < 0.4


@pytest.mark.parametrize(
    "settings",
    [
        {"brightness": 0.3},
        {"contrast": 0.5},
        {"crop": (32, 48), "zoom": (0.8, 1.4), "flip": 0.5, "brightness": 0.3, "contrast": 0.5},
    ],
)
def test_frames_and_background_are_changed_alike(settings):
    background = draw_noise(*SIZE, 3)
    frames = np.stack([background] * 3)
    for seed in range(5):
        varied, behind, _ = augment_window(
            frames, background, positions(*[(40, 30)] * 3), Augmentation(**settings), seeded(seed)
        )
        for frame in varied:
            np.testing.assert_array_equal(frame, behind)
        assert behind.shape != background.shape or (behind != background).any()


def test_recolouring_moves_channels_and_nothing_else():
    frames = np.random.default_rng(0).integers(0, 256, (3, 16, 24, 3), np.uint8)
    background, dots = frames[0], np.full((3, 2), 4.0)
    orders = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        seen, behind, where = augment_window(
            frames, background, dots, Augmentation(recolour=1.0), rng
        )
        order = [
            next(k for k in range(3) if (frames[..., k] == seen[..., channel]).all())
            for channel in range(3)
        ]
        assert sorted(order) == [0, 1, 2]
        assert (background[..., order] == behind).all()
        assert (where == dots).all()
        orders.add(tuple(order))
    assert len(orders) == 6


def test_compression_blurs_frames_a_little_and_leaves_the_background():
    dots = positions((20.0, 30.0), (50.0, 10.0))
    frames, background = draw_window(dots), draw_noise(*SIZE, 3)
    varied, same, moved = augment_window(
        frames, background, dots, Augmentation(compression=1.0), seeded()
    )
    change = np.abs(varied.astype(int) - frames)
    assert change.max() > 0
    assert change.mean() < 3
    np.testing.assert_array_equal(same, background)
    np.testing.assert_array_equal(moved, dots)
    for frame, dot in zip(varied, dots, strict=True):
        np.testing.assert_allclose(find_dot(frame), dot, atol=0.3)


def test_brightness_shifts_every_level_alike_without_wrapping():
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None], (1, 8, 256, 3)).copy()
    shifts = set()
    for seed in range(20):
        varied, _, _ = augment_window(
            ramp, None, positions(NONE), Augmentation(brightness=0.2), seeded(seed)
        )
        levels = varied[0, 0].astype(int)
        shift = int(levels[128, 0]) - 128
        np.testing.assert_array_equal(levels[:, 0], np.clip(np.arange(256) + shift, 0, 255))
        assert abs(shift) <= 51
        shifts.add(shift)
    assert min(shifts) < 0 < max(shifts)


def test_contrast_stretches_about_the_middle_and_keeps_the_order_of_levels():
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None], (1, 8, 256, 3)).copy()
    spans = []
    for seed in range(20):
        varied, _, _ = augment_window(
            ramp, None, positions(NONE), Augmentation(contrast=0.4), seeded(seed)
        )
        levels = varied[0, 0].astype(int)
        assert (levels[128] == 128).all()
        assert (np.diff(levels, axis=0) >= 0).all()
        spans.append(levels[178] - levels[78])
    gains = np.array(spans) / 100
    assert gains.min() >= 0.6 * 0.9 - 0.01
    assert gains.max() <= 1.4 * 1.1 + 0.01
    assert gains.min() < 0.9 < 1.1 < gains.max()
    assert (np.ptp(gains, axis=1) > 0).any()  # the colours differ


def test_augmentation_leaves_its_arguments_alone():
    points = positions((40, 30), NONE)
    frames, background = draw_window(points), draw_noise(*SIZE, 3)
    before = frames.copy(), background.copy(), points.copy()
    everything = Augmentation(
        flip=1.0, brightness=0.3, contrast=0.3, crop=(32, 48), zoom=(0.8, 1.2)
    )
    varied, behind, _ = augment_window(frames, background, points, everything, seeded())
    varied[:], behind[:] = 0, 0
    for now, then in zip((frames, background, points), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_augmentation_is_a_function_of_its_source_of_chance():
    points = positions((40, 30), (41, 30))
    everything = Augmentation(
        flip=0.5, brightness=0.3, contrast=0.3, crop=(32, 48), zoom=(0.8, 1.2)
    )
    one, same, other = (
        augment_window(draw_window(points), None, points, everything, seeded(seed))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one[0], same[0])
    np.testing.assert_array_equal(one[2], same[2])
    assert not np.array_equal(one[2], other[2])


@pytest.mark.parametrize("point", [(48, 32), (0, 0), (95, 63), (1, 60)])
def test_cut_out_on_the_ball_holds_it(point):
    augmentation = Augmentation(crop=(16, 24), zoom=(0.7, 1.4), on_ball=1.0)
    for seed in range(30):
        region = choose_region(positions(NONE, point), SIZE, augmentation, seeded(seed))
        x, y = region.move(positions(point))[0]
        assert -0.5 <= x <= 23.5
        assert -0.5 <= y <= 15.5


def test_cut_outs_lie_on_the_picture_and_all_over_it():
    augmentation = Augmentation(crop=(16, 24), zoom=(0.7, 1.4), on_ball=0.0)
    regions = [choose_region(positions(NONE), SIZE, augmentation, seeded(s)) for s in range(200)]
    for region in regions:
        assert 0 <= region.left <= SIZE[1] - region.width
        assert 0 <= region.top <= SIZE[0] - region.height
        assert region.size == (16, 24)
    assert min(r.left for r in regions) < 10 < 55 < max(r.left for r in regions)
    assert min(r.top for r in regions) < 6 < 36 < max(r.top for r in regions)


def test_window_without_a_ball_is_cut_anywhere():
    augmentation = Augmentation(crop=(16, 24), on_ball=1.0)
    corners = {
        choose_region(positions(NONE), SIZE, augmentation, seeded(s)).left for s in range(20)
    }
    assert len(corners) > 5


def test_pan_moves_half_of_the_cut_outs_evenly_and_no_faster_than_asked_for():
    region, moved = Region(100, 100, 40, 48, (40, 48)), []
    for seed in range(200):
        regions = pan_region(region, 4, (240, 248), 5.0, seeded(seed))
        steps = np.diff([(part.left, part.top) for part in regions], axis=0)
        assert regions[0] == region
        assert np.abs(steps).max() <= 5
        assert np.ptp(steps, axis=0).max() <= 1  # rounding to whole pixels
        moved.append(steps.any())
    assert 80 < sum(moved) < 120


def test_pan_ends_at_the_edge_of_the_picture():
    corner = Region(200, 0, 40, 48, (40, 48))
    for seed in range(50):
        for part in pan_region(corner, 8, (240, 248), 9.0, seeded(seed)):
            assert 0 <= part.left <= 200
            assert 0 <= part.top <= 200


@pytest.mark.parametrize(("zoom", "side"), [((2.0, 2.0), 12), ((0.5, 0.5), 48), ((1.0, 1.0), 24)])
def test_zoom_enlarges_what_is_in_the_cut_out(zoom, side):
    region = choose_region(
        positions((48, 32)), SIZE, Augmentation(crop=(16, 24), zoom=zoom), seeded()
    )
    assert region.width == side


def test_region_moves_positions_by_pixel_corners():
    # A rectangle of 10 x 20 pixels drawn at twice the size.
    region = Region(left=30, top=5, height=10, width=20, size=(20, 40))
    moved = region.move(positions((29.5, 4.5), (49.5, 14.5), (30, 5), NONE))
    np.testing.assert_allclose(moved, [(-0.5, -0.5), (39.5, 19.5), (0.5, 0.5), NONE])
    cut = region.cut(draw_noise(*SIZE, 3))
    assert cut.shape == (20, 40, 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"flip": 1.1}, "`flip` must be 0 to 1. Received: flip=1.1"),
        ({"brightness": -0.1}, "`brightness` must be 0 to 1. Received: brightness=-0.1"),
        ({"contrast": 2}, "`contrast` must be 0 to 1"),
        ({"on_ball": -1}, "`on_ball` must be 0 to 1"),
        ({"zoom": (0.0, 1.0)}, r"`zoom` must be .* Received: zoom=\(0.0, 1.0\)"),
        ({"zoom": (1.2, 0.8)}, r"`zoom` must be .* Received: zoom=\(1.2, 0.8\)"),
        ({"pan": -1}, "`pan` must be at least 0. Received: pan=-1"),
        (
            {"crop": (30, 48)},
            r"`crop` must be .* in multiples of 8. Received: crop=\(30, 48\)",
        ),
        ({"crop": (0, 48)}, "`crop` must be .* in multiples of 8"),
    ],
)
def test_impossible_augmentation_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**settings)


# --- mixup between samples


def draw_batch(count=5, size=(8, 16), channels=9, frames=3):
    rng = np.random.default_rng(0)
    stacked = [rng.integers(0, 256, (*size, channels), dtype=np.uint8) for _ in range(count)]
    targets = [rng.integers(0, 2, (*size, frames)).astype(np.float32) for _ in range(count)]
    return stacked, targets


def test_mixup_is_the_blend_worked_out_with_numpy():
    stacked, targets = draw_batch()
    inputs, mixed = mix_batch(stacked, targets, 0.5, seeded(3))
    rng = seeded(3)
    share = rng.beta(0.5, 0.5, 5)
    share = np.maximum(share, 1 - share)[:, None, None, None]
    partners = rng.permutation(5)
    pictures, maps = np.stack(stacked) / 255, np.stack(targets)
    expected = share * pictures + (1 - share) * pictures[partners]
    np.testing.assert_allclose(inputs, expected, atol=1e-6)
    np.testing.assert_allclose(mixed, share * maps + (1 - share) * maps[partners], atol=1e-6)
    assert inputs.dtype == mixed.dtype == np.float32


def test_mixed_sample_keeps_the_larger_share_of_itself():
    # Sample k alone lights channel k, so that a channel reads as a share.
    count = 6
    stacked = [np.zeros((2, 2, count), np.uint8) for _ in range(count)]
    targets = [np.zeros((2, 2, count), np.float32) for _ in range(count)]
    for sample in range(count):
        stacked[sample][..., sample] = 255
        targets[sample][..., sample] = 1
    partners_seen = 0
    for seed in range(20):
        inputs, mixed = mix_batch(stacked, targets, 0.5, seeded(seed))
        np.testing.assert_allclose(inputs, mixed, atol=1e-6)  # one share for both
        shares = mixed[:, 0, 0, :]
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
        own = np.diagonal(shares)
        assert (own >= 0.5 - 1e-6).all()
        others = shares - np.diag(own)
        assert (np.count_nonzero(others > 1e-6, axis=1) <= 1).all()
        # Partners are a permutation: nobody gives twice.
        assert (np.count_nonzero(others > 1e-6, axis=0) <= 1).all()
        partners_seen += np.count_nonzero(others > 1e-6)
    assert partners_seen > 40


def test_mixup_of_one_sample_is_the_sample():
    stacked, targets = draw_batch(count=1)
    inputs, mixed = mix_batch(stacked, targets, 0.5, seeded())
    np.testing.assert_allclose(inputs[0], stacked[0] / 255, atol=1e-6)
    np.testing.assert_allclose(mixed[0], targets[0], atol=1e-6)


# --- mixup between frames


class Chance:
    """A source of chance that gives a known share and draws known frames."""

    def __init__(self, share, drawn, count):
        rest = [index for index in range(2 * count - 1) if index not in drawn]
        self.share, self.order = share, np.array([*drawn, *rest])

    def beta(self, _a, _b):
        return self.share

    def permutation(self, count):
        assert count == len(self.order)
        return self.order


HERE, NEAR, FAR = (20, 20), (26, 27), (26, 28)  # 9.2 and 10 pixels apart


@pytest.mark.parametrize(
    ("before", "after", "shares"),
    [
        # Ten pixels apart: both discs, by their shares.
        (HERE, FAR, (0.3, 0.7)),
        # Closer: the current one alone.
        (HERE, NEAR, (0, 1)),
        # Seen in one of the two.
        (HERE, NONE, (1, 0)),
        (NONE, HERE, (0, 1)),
        (NONE, NONE, (0, 0)),
    ],
)
def test_target_of_an_inserted_frame(before, after, shares):
    points = positions(before, after)
    frames = draw_window(points)
    mixed, heatmaps = mix_frames(frames, points, known(points), 0.5, Chance(0.3, [0, 1], count=2))
    discs = render_disc(points, SIZE)
    np.testing.assert_allclose(
        heatmaps[..., 1], shares[0] * discs[..., 0] + shares[1] * discs[..., 1], atol=1e-6
    )
    np.testing.assert_array_equal(mixed[0], frames[0])
    blend = 0.3 * frames[0].astype(float) + 0.7 * frames[1]
    np.testing.assert_allclose(mixed[1], blend, atol=0.51)
    assert (mixed.dtype, mixed.shape) == (frames.dtype, frames.shape)


def test_frames_that_were_there_keep_their_pictures_and_targets():
    points = positions((10, 10), (40, 20), NONE, (80, 40))
    frames = draw_window(points)
    mixed, heatmaps = mix_frames(
        frames, points, known(points), 0.5, Chance(0.3, [6, 0, 4, 2], count=4)
    )
    np.testing.assert_array_equal(mixed, frames)
    np.testing.assert_array_equal(heatmaps, render_disc(points, SIZE))


def test_drawn_frames_stay_in_order():
    # Frame k has the brightness 20 k: of the sequence 0 10 20 30 ... four are drawn.
    frames = np.stack([np.full((*SIZE, 3), 20 * k, np.uint8) for k in range(4)])
    orders = set()
    for seed in range(30):
        mixed, _ = mix_frames(frames, positions(*[NONE] * 4), known(frames), 0.5, seeded(seed))
        levels = mixed[:, 0, 0, 0].astype(int)
        assert (np.diff(levels) >= 0).all()
        orders.add(tuple(levels))
    assert len(orders) > 10


def test_one_share_serves_the_whole_window():
    frames = np.stack([np.full((*SIZE, 3), 100 * k, np.uint8) for k in range(3)])
    mixed, _ = mix_frames(
        frames, positions(*[NONE] * 3), known(frames), 0.5, Chance(0.25, [1, 3, 4], count=3)
    )
    assert mixed[:, 0, 0, 0].tolist() == [75, 175, 200]


def test_window_of_one_frame_stays_itself():
    points = positions((10, 10))
    frames = draw_window(points)
    mixed, heatmaps = mix_frames(frames, points, known(points), 0.5, seeded())
    np.testing.assert_array_equal(mixed, frames)
    np.testing.assert_array_equal(heatmaps, render_disc(points, SIZE))


def test_memory_mapped_frames_are_augmented_like_others(tmp_path):
    points = positions((40, 30), (50, 30), (60, 40))
    frames = draw_window(points)
    frames.tofile(tmp_path / "frames.raw")
    mapped = np.memmap(tmp_path / "frames.raw", np.uint8, mode="r", shape=frames.shape)
    settings = Augmentation(flip=1.0, brightness=0.2, crop=(32, 48))
    for step in (
        lambda pictures: augment_window(pictures, None, points, settings, seeded())[0],
        lambda pictures: mix_frames(pictures, points, known(points), 0.5, seeded())[0],
    ):
        np.testing.assert_array_equal(step(mapped), step(frames))
