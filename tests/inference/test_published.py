import math

import numpy as np
import pytest

from keras_tracknet.frames.windows import WindowMerger, stream_windows
from keras_tracknet.inference.published import (
    CORNER,
    mask_gaps,
    rectify_published,
    truncate_position,
)
from keras_tracknet.tracks.tables import ABSENT, DETECTED, REPAIRED
from keras_tracknet.tracks.track import Track

SIZE = (720, 1280)  # (height, width), pixels of the source


def parse(line):
    return np.array([sign == "o" for sign in line])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("oo..oo", "..xx.."),
        # At the start it needs only what comes after.
        ("..oooo", "xx...."),
        # Begins with the second frame: never.
        ("o..ooo", "......"),
        ("o.oooo", "......"),
        # At the end: never.
        ("oooo..", "......"),
        ("ooooo.", "......"),
        # Up to the last frame but for that.
        ("ooo..o", "...xx."),
        # Never seen, always seen, no frames.
        ("......", "......"),
        ("oooooo", "......"),
        ("", ""),
        # However long.
        ("oo" + 40 * "." + "o", ".." + 40 * "x" + "."),
        # Each gap on its own, also after one that begins with the second frame.
        ("o.o.oo..o", "...x..xx."),
    ],
)
def test_gaps_are_masked_as_published(line, expected):
    mask = mask_gaps(parse(line), np.full(len(line), 100.0), 36)
    assert "".join("x" if hidden else "." for hidden in mask) == expected


@pytest.mark.parametrize(
    ("line", "y", "expected"),
    [
        ("oo..oo", [99, 99, 0, 0, 36, 99], "......"),  # on the line counts as above it
        ("oo..oo", [99, 36, 0, 0, 99, 99], "......"),
        ("oo..oo", [36, 37, 0, 0, 37, 36], "..xx.."),
        ("..oooo", [0, 0, 36, 99, 99, 99], "......"),
    ],
)
def test_gaps_at_the_top_are_not_masked(line, y, expected):
    mask = mask_gaps(parse(line), np.array(y, float), 36)
    assert "".join("x" if hidden else "." for hidden in mask) == expected


@pytest.mark.parametrize(
    ("position", "size", "expected"),
    [
        ((100, 50), (720, 1280), (250, 125)),
        ((101, 51), (720, 1280), (252, 127)),  # 252.5, 127.5
        ((511, 287), (1080, 1920), (1916, 1076)),
        ((0, 1), (288, 512), (0, 1)),
        ((0, 0), (288, 512), (math.nan, math.nan)),
        ((1, 1), (144, 256), (math.nan, math.nan)),
        ((math.nan, math.nan), (720, 1280), (math.nan, math.nan)),
    ],
)
def test_positions_are_truncated(position, size, expected):
    np.testing.assert_equal(truncate_position(*position, (288, 512), size), expected)


# --- windows and their merging


def number_windows(count, length, **settings):
    pictures = [np.array(frame) for frame in range(count)]
    windows = stream_windows(pictures, length, length, length, **settings)
    return [(window.start, [int(frame) for frame in window.frames]) for window in windows]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (2, [(0, [0, 1, 1, 1])]),
        (4, [(0, [0, 1, 2, 3])]),
        (5, [(0, [0, 1, 2, 3]), (4, [4, 4, 4, 4])]),
        (7, [(0, [0, 1, 2, 3]), (4, [4, 5, 6, 6])]),
        (8, [(0, [0, 1, 2, 3]), (4, [4, 5, 6, 7])]),
    ],
)
def test_last_window_is_padded(count, expected):
    assert number_windows(count, 4, pad=True) == expected


def ensemble(windows, length):
    """The published ensemble, as its formulas say it: windows `(count, length)` of numbers."""
    weight = np.array([min(k + 1, length - k) for k in range(length)], float)
    weight /= weight.sum()
    count = len(windows)
    padded = np.vstack([np.zeros((length - 1, length)), windows, np.zeros((length - 1, length))])
    merged = []
    for frame in range(count + length - 1):
        votes = np.array([padded[frame + k, length - 1 - k] for k in range(length)])
        if frame >= count:
            merged.append(votes.sum() / (length - (frame - count + 1)))
        elif frame < length - 1:
            merged.append(votes.sum() / (frame + 1))
        else:
            merged.append((votes * weight).sum())
    return np.array(merged)


@pytest.mark.parametrize("frames", [4, 5, 6, 7, 8, 20])
def test_overlapping_windows_are_merged_as_published(frames):
    windows = np.random.default_rng(0).uniform(0, 1, (frames - 3, 4))
    merger = WindowMerger(4, 1, published=True)
    merged = [
        m
        for start, window in enumerate(windows)
        for m in merger.add(start, window.astype(np.float32)[:, None, None])
    ]
    merged += list(merger.finish())
    np.testing.assert_allclose(np.ravel(merged), ensemble(windows, 4), rtol=1e-6)


# --- rectification


def make_track(line, y=300):
    seen = parse(line)
    x = 100 + 10 * np.arange(len(line))
    return Track.from_positions(x.astype(float), np.full(len(line), float(y)), seen)


def predict_places(position):
    """A network that always says the same."""
    return lambda coordinates, mask: np.broadcast_to(np.float32(position), coordinates.shape)


@pytest.mark.parametrize("step", [1, 4])
def test_gaps_are_filled_with_truncated_positions(step):
    track = rectify_published(
        make_track("ooo..oooo"), predict_places((0.5, 0.501)), SIZE, window=4, step=step
    )
    assert track.status.tolist() == [DETECTED] * 3 + [REPAIRED] * 2 + [DETECTED] * 4
    assert track.x[3:5].tolist() == [640, 640]
    assert track.y[3:5].tolist() == [360, 360]  # 360.72
    untouched = track.x[[0, 1, 2, 5, 6, 7, 8]] - (100 + 10 * np.array([0, 1, 2, 5, 6, 7, 8]))
    assert set(untouched.tolist()) <= {0.0, -1.0}
    np.testing.assert_array_equal(track.positions, np.trunc(track.positions))


def test_what_is_near_the_corner_is_dropped():
    corner = Track.from_positions(np.array([50.0] * 8), np.array([40.0] * 8), parse("o" * 8))
    assert 50 / SIZE[1] < CORNER
    assert 40 / SIZE[0] < CORNER
    track = rectify_published(corner, predict_places((0.5, 0.5)), SIZE, window=4, step=1)
    assert track.status.tolist() == [ABSENT] * 8
    assert np.isnan(track.positions).all()


def test_absent_frames_stay_absent():
    track = rectify_published(
        make_track("o....ooo"), predict_places((0.5, 0.5)), SIZE, window=4, step=4
    )
    assert track.visibility.tolist() == parse("o....ooo").tolist()


def test_track_shorter_than_a_window_is_left_alone_or_padded():
    track = make_track("oo.")
    assert rectify_published(track, predict_places((0.5, 0.5)), SIZE, window=4, step=1) is track
    assert len(rectify_published(track, predict_places((0.5, 0.5)), SIZE, window=4, step=4)) == 3
