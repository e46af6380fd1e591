import numpy as np
import pytest

from keras_tracknet.frames.windows import (
    MODES,
    WindowMerger,
    sample_segments,
    stream_windows,
    triangular_weights,
    window_frames,
    window_starts,
    window_step,
)

LENGTHS = (1, 2, 3, 5, 8)


def clip_lengths(window):
    """Lengths around every multiple at which a tail may be lost or doubled."""
    return sorted({1, max(1, window - 1), window, window + 1, 3 * window, 3 * window + 1})


CASES = [(window, clip) for window in LENGTHS for clip in clip_lengths(window)]


def merge(predictions, starts, window, step, *, published=False):
    """Merge `(height, width)` maps, predictions[start] being a window's, as a clip is."""
    merger, merged = WindowMerger(window, step, published=published), []
    for start in starts:
        merged.extend(merger.add(start, predictions[start]))
    return [*merged, *merger.finish()]


def draw_predictions(starts, window, clip):
    rng = np.random.default_rng(0)
    return {s: rng.uniform(0, 1, (min(window, clip - s), 2, 3)).astype("f4") for s in starts}


@pytest.mark.parametrize(
    ("mode", "frames", "expected"),
    [
        ("fast", 8, 8),
        ("balanced", 8, 4),
        ("accurate", 8, 1),
        # Half of an odd window is rounded up: its middle is seen once, by itself.
        ("balanced", 3, 2),
        ("balanced", 5, 3),
        ("balanced", 1, 1),
    ],
)
def test_mode_sets_the_step(mode, frames, expected):
    assert window_step(mode, frames) == expected


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match=r"fast, balanced, accurate. Received: mode='slow'"):
        window_step("slow", 8)


@pytest.mark.parametrize(
    ("clip", "window", "step", "expected"),
    [
        # No frames, no windows.
        (0, 8, 8, []),
        # Shorter than a window.
        (1, 8, 8, [0]),
        (7, 8, 1, [0]),
        (8, 8, 8, [0]),
        # The last window ends with the clip.
        (9, 8, 8, [0, 1]),
        (25, 8, 8, [0, 8, 16, 17]),
        (24, 8, 8, [0, 8, 16]),
        (14, 8, 4, [0, 4, 6]),
        (10, 8, 1, [0, 1, 2]),
        (3, 1, 1, [0, 1, 2]),
    ],
)
def test_windows_start_a_step_apart_and_reach_the_end(clip, window, step, expected):
    assert window_starts(clip, window, step) == expected


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("window", "clip"), CASES)
def test_every_frame_is_in_a_window(window, clip, mode):
    starts = window_starts(clip, window, window_step(mode, window))
    assert starts == sorted(set(starts))
    covered = {f for s in starts for f in window_frames(s, window, clip).tolist()}
    assert covered == set(range(clip))
    assert all(start + window <= max(clip, window) for start in starts)


@pytest.mark.parametrize(
    ("start", "frames", "clip", "expected"),
    [
        (2, 3, 10, [2, 3, 4]),
        # The clip's edges repeat.
        (-2, 3, 10, [0, 0, 0]),
        (-1, 3, 10, [0, 0, 1]),
        (0, 4, 2, [0, 1, 1, 1]),
        (8, 4, 10, [8, 9, 9, 9]),
    ],
)
def test_window_repeats_the_clips_edges(start, frames, clip, expected):
    assert window_frames(start, frames, clip).tolist() == expected


@pytest.mark.parametrize(
    ("frames", "weights", "total"),
    [
        (1, [1], 1),
        (3, [1, 2, 1], 4),
        (7, [1, 2, 3, 4, 3, 2, 1], 16),
        (8, [1, 2, 3, 4, 4, 3, 2, 1], 20),
        (16, [1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1], 72),
    ],
)
def test_triangular_weights_are_the_published_ones(frames, weights, total):
    np.testing.assert_allclose(triangular_weights(frames), np.array(weights) / total)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("window", "clip"), CASES)
def test_merging_gives_exactly_one_map_a_frame_in_order(window, clip, mode):
    step = window_step(mode, window)
    starts = window_starts(clip, window, step)
    numbered = {
        s: np.arange(s, min(s + window, clip), dtype="f4")[:, None, None] * np.ones((1, 2, 3), "f4")
        for s in starts
    }
    merged = merge(numbered, starts, window, step)
    assert len(merged) == clip
    for frame, heatmap in enumerate(merged):
        np.testing.assert_allclose(heatmap, np.full((2, 3), frame), rtol=1e-6)


@pytest.mark.parametrize(("window", "clip"), CASES)
def test_fast_mode_takes_every_map_as_it_is(window, clip):
    starts = window_starts(clip, window, window)
    predictions = draw_predictions(starts, window, clip)
    merged = merge(predictions, starts, window, window)
    for frame, heatmap in enumerate(merged):
        start = next(s for s in starts if s <= frame < s + window)
        np.testing.assert_array_equal(heatmap, predictions[start][frame - start])


@pytest.mark.parametrize(("window", "clip"), CASES)
def test_a_frame_gets_the_mean_and_a_share_of_what_the_greatest_map_has_above_it(window, clip):
    starts = window_starts(clip, window, 1)
    predictions = draw_predictions(starts, window, clip)
    for frame, heatmap in enumerate(merge(predictions, starts, window, 1)):
        maps = [p[frame - s] for s, p in predictions.items() if 0 <= frame - s < len(p)]
        expected = 0.6 * np.mean(maps, axis=0) + 0.4 * np.max(maps, axis=0)
        np.testing.assert_allclose(heatmap, expected, atol=1e-6)


def merge_by_the_published_rule(predictions, window, clip):
    """Merge windows that start at every frame.

    Inside, each map counts by its place in its window; in the first and last window - 1
    frames, which fewer windows cover, the maps count alike.
    """
    weights = triangular_weights(window)
    merged = []
    for frame in range(clip):
        votes = [
            (frame - s, p[frame - s]) for s, p in predictions.items() if 0 <= frame - s < len(p)
        ]
        if window - 1 <= frame <= clip - window:
            merged.append(sum(weights[place] * heatmap for place, heatmap in votes))
        else:
            merged.append(sum(heatmap for _, heatmap in votes) / len(votes))
    return merged


@pytest.mark.parametrize(
    ("window", "clip"), [(window, clip) for window, clip in CASES if clip >= 2 * window - 1]
)
def test_merging_as_published_is_the_published_rule(window, clip):
    starts = window_starts(clip, window, 1)
    predictions = draw_predictions(starts, window, clip)
    merged = merge(predictions, starts, window, 1, published=True)
    expected = merge_by_the_published_rule(predictions, window, clip)
    np.testing.assert_allclose(merged, expected, atol=1e-6)


def test_half_overlapping_windows_share_a_frame():
    starts = window_starts(12, 8, 4)
    predictions = draw_predictions(starts, 8, 12)
    merged = merge(predictions, starts, 8, 4)
    # Frame 5 is in place 5 of the first window and place 1 of the second.
    low, high = np.sort([predictions[0][5], predictions[4][1]], axis=0)
    np.testing.assert_allclose(merged[5], 0.3 * low + 0.7 * high, atol=1e-6)
    # Frames 0 to 3 and 8 to 11 are in one window each.
    np.testing.assert_array_equal(merged[2], predictions[0][2])
    np.testing.assert_array_equal(merged[9], predictions[4][5])


@pytest.mark.parametrize("mode", MODES)
def test_a_map_comes_out_as_soon_as_no_window_can_add_to_it(mode):
    window, clip = 8, 40
    step = window_step(mode, window)
    merger, count = WindowMerger(window, step), 0
    for start in window_starts(clip, window, step):
        count += len(list(merger.add(start, np.zeros((window, 1, 1), "f4"))))
        assert count == start + step
    assert count + len(list(merger.finish())) == clip


def test_merging_leaves_the_predictions_alone():
    predictions = draw_predictions(range(3), 8, 10)
    before = {start: maps.copy() for start, maps in predictions.items()}
    merge(predictions, range(3), 8, 1)
    for start, maps in predictions.items():
        np.testing.assert_array_equal(maps, before[start])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("window", "clip"), [*CASES, (3, 0)])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.0])
def test_streamed_windows_are_those_of_the_whole_clip(window, clip, mode, share):
    heatmaps = max(1, round(share * window))  # the last frames of the window have one
    step = window_step(mode, heatmaps)
    before = window - heatmaps
    expected = [
        (start, window_frames(start - before, window, clip).tolist())
        for start in window_starts(clip, heatmaps, step)
    ]
    streamed = list(stream_windows(iter(range(clip)), window, heatmaps, step))
    assert [(w.start, list(w.frames)) for w in streamed] == expected


def test_stream_takes_no_frame_before_it_is_asked():
    taken = []

    def frames():
        for frame in range(100):
            taken.append(frame)
            yield frame

    windows = stream_windows(frames(), 8, 8, 8)
    assert taken == []
    next(windows)
    assert taken == list(range(8))


# --- segments


@pytest.mark.parametrize(
    ("frames", "segments", "offsets", "expected"),
    [
        (16, 4, 0.5, [2, 6, 10, 14]),  # the middle of each four
        (16, 4, 0.0, [0, 4, 8, 12]),
        (16, 4, [0.0, 0.99, 0.25, 0.75], [0, 7, 9, 15]),
        (15, 8, 0.5, [0, 2, 4, 6, 8, 10, 12, 14]),  # segments need no whole number of frames
        (4, 4, 0.9, [0, 1, 2, 3]),
        (2, 4, 0.5, [0, 0, 1, 1]),  # fewer frames than segments
        (1, 3, 0.5, [0, 0, 0]),
    ],
)
def test_each_segment_gives_one_frame(frames, segments, offsets, expected):
    found = sample_segments(frames, segments, np.asarray(offsets))
    assert found.tolist() == expected


@pytest.mark.parametrize(("frames", "segments"), [(16, 8), (15, 8), (3, 8), (100, 7)])
def test_random_segments_stay_in_the_clip_in_order(frames, segments):
    rng = np.random.default_rng(0)
    for _ in range(50):
        found = sample_segments(frames, segments, rng.uniform(0, 1, segments))
        assert (np.diff(found) >= 0).all()
        assert found[0] >= 0
        assert found[-1] < frames
