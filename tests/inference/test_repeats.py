import numpy as np
import pytest
from helpers_trackers import SIZE, make_detector, paint

from keras_tracknet import Tracker
from keras_tracknet.inference import stream as streams
from keras_tracknet.inference import tracker as trackers
from keras_tracknet.inference.repeats import (
    MOST_SHOWN,
    FrameOutput,
    is_repeat,
    share_outputs,
)
from keras_tracknet.tracks.repeats import undo_repeats
from keras_tracknet.video.reader import Frame


def show(frames, missing=()):
    """A ball at 25 pictures per second, shown at 30 frames per second."""
    shown = np.setdiff1d(np.arange(frames), missing)
    taken = shown * 5 // 6
    positions = np.stack([10.0 * taken, 400 - 3.0 * taken], axis=1)
    return shown, shown / 30, positions, taken / 25


def test_repeats_are_left_out_and_the_others_get_their_own_times():
    frames, times, positions, taken = show(60)
    keep, corrected = undo_repeats(frames, times, positions)
    np.testing.assert_array_equal(frames[~keep], [7, 13, 19, 25, 31, 37, 43, 49, 55])
    inside = keep & (frames >= 6) & (frames <= 54)
    np.testing.assert_allclose(corrected[inside], taken[inside])


def test_missing_frames_do_not_confuse_the_count():
    frames, times, positions, taken = show(60, missing=(15, 16, 33))
    keep, corrected = undo_repeats(frames, times, positions)
    inside = keep & (frames >= 6) & (frames <= 54)
    np.testing.assert_allclose(corrected[inside], taken[inside])


def test_a_smooth_track_stays_as_it_is():
    rng = np.random.default_rng(0)
    frames = np.arange(80)
    positions = np.stack([8.0 * frames, 300 + 0 * frames], axis=1) + rng.normal(0, 1, (80, 2))
    keep, corrected = undo_repeats(frames, frames / 30, positions)
    assert keep.all()
    np.testing.assert_array_equal(corrected, frames / 30)


def test_a_ball_at_rest_is_no_repeat():
    frames = np.arange(30)
    keep, _ = undo_repeats(frames, frames / 30, np.full((30, 2), 200.0))
    assert keep.all()


def test_too_short_a_track_is_no_trouble():
    for count in range(4):
        keep, _ = undo_repeats(np.arange(count), np.arange(count) / 30, np.zeros((count, 2)))
        assert keep.all()


# --- one output for frames of one picture


def compress(picture, seed):
    """What is left of a picture after compression: noise of a few levels."""
    noise = np.random.default_rng(seed).integers(-4, 5, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def test_a_picture_that_is_shown_again_is_a_repeat():
    picture = compress(paint((288, 512), (200, 100), shade=90), 0)
    assert is_repeat(picture, picture)
    assert is_repeat(compress(picture, 1), picture)


@pytest.mark.parametrize("step", [1, 4, 200])
def test_a_picture_in_which_only_the_ball_moves_is_none(step):
    before = compress(paint((288, 512), (200, 100), radius=1, shade=90), 0)
    after = compress(paint((288, 512), (200 + step, 100), radius=1, shade=90), 1)
    assert not is_repeat(after, before)


def give(line, outputs):
    """Frames of a line of `n` (a new picture) and `r` (a repeat)."""
    frames = enumerate(zip(line, outputs, strict=True))
    return [FrameOutput(k / 30, (72, 128), sign == "r", 0, output) for k, (sign, output) in frames]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("nnnn", [1, 2, 3, 4]),
        ("nrnr", [2, 2, 4, 4]),
        ("nrrn", [3, 3, 3, 4]),
        ("n" + "r" * 5, [3, 3, 3, 6, 6, 6]),  # a still picture does not hold up the stream
    ],
)
def test_frames_of_one_picture_share_what_is_seen_in_any(line, expected):
    heatmaps = [np.full((2, 3), k, np.float32) for k in range(1, len(line) + 1)]
    frames = give(line, heatmaps)
    shared = list(share_outputs(frames))
    assert [frame.output.max() for frame in shared] == expected
    assert [frame.time for frame in shared] == [frame.time for frame in frames]
    assert MOST_SHOWN == 3


def test_frames_of_one_picture_share_the_surest_detection():
    sure, unsure = np.array([5.0, 6.0, 0.9]), np.array([np.nan, np.nan, 0.2])
    for outputs in ([sure, unsure], [unsure, sure]):
        shared = list(share_outputs(give("nr", outputs)))
        assert all(frame.output is sure for frame in shared)


class Blinking(type(Tracker(make_detector(), precision="float32").network)):
    """A network that does not see the ball in the first frame of a window."""

    def run(self, inputs):
        heatmaps = np.array(super().run(inputs))
        heatmaps[:, 0] = 0
        return heatmaps


def open_blinking(**settings):
    network = Blinking(make_detector(), precision="float32", batch_size=1)
    return Tracker(network, **settings)


def test_a_ball_is_found_in_both_frames_of_a_picture_where_it_is_seen_in_one():
    taken = [0, 0, 1, 1, 2, 3, 3, 4, 4]
    pictures = [paint(SIZE, (9 + 5 * k, 9)) for k in taken]
    track = open_blinking().track_frames(pictures)
    assert track.visibility.all()
    np.testing.assert_allclose(track.x, [9 + 5 * k for k in taken], atol=0.01)
    published = open_blinking(decode="published").track_frames(pictures)
    assert published.visibility.tolist() == [False, True, True] * 3
    moving = [paint(SIZE, (9 + 5 * k, 9)) for k in range(9)]
    assert open_blinking().track_frames(moving).visibility.tolist() == [False, True, True] * 3


@pytest.mark.parametrize("first", range(1, 14))
def test_a_stream_that_begins_in_a_repeated_picture_has_the_same_rows(monkeypatch, first):
    taken = [0, 1, 2, 2, 3, 4, 4, 4, 4, 4, 5, 5, 6, 7, 8]
    images = [paint(SIZE, (9 + 5 * k, 9)) for k in taken]
    frames = [Frame(n, n / 30, image) for n, image in enumerate(images)]
    monkeypatch.setattr(trackers, "read_frames", lambda *_source: iter(frames))
    monkeypatch.setattr(streams, "CONTEXT", 0)  # nothing but repeats reaches back
    rows = list(open_blinking().stream("clip.mp4"))
    assert {row.visible for row in rows} == {True, False}
    later = list(open_blinking().stream("clip.mp4", first=first))
    assert str(later) == str(rows[first:])  # NaN included
