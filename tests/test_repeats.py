import numpy as np

from keras_tracknet.repeats import undo_repeats


def show(frames, missing=()):
    """A ball at 25 pictures a second, shown at 30 frames a second."""
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
