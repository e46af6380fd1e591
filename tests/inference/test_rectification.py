import numpy as np
import pytest

from keras_tracknet.frames.windows import triangular_weights
from keras_tracknet.inference.rectification import rectify_track, repair_mask
from keras_tracknet.tracks.outliers import raw_track
from keras_tracknet.tracks.tables import ABSENT, DETECTED, REPAIRED
from keras_tracknet.tracks.track import Track

SIZE = (200, 400)  # (height, width), pixels of the source video


def parse(line):
    """Return the visible frames of a line of `o` (seen) and `.` (absent)."""
    return np.array([sign == "o" for sign in line])


def make_track(line, y=100.0):
    """A track that moves ten pixels to the right and two down a frame, with gaps."""
    seen, frames = parse(line), np.arange(len(line))
    track = Track.from_positions(
        20.0 + 10 * frames + 1 / 3, np.full(len(line), y) + 2 * frames, seen, time=frames / 25
    )
    confidence = np.where(seen, 0.9, 0.2)
    return Track(track.x, track.y, confidence, track.status, track.time)


def interpolate(coordinates, mask):
    """Stand in for the network: straight lines through what is not masked and not at 0."""
    filled = coordinates.copy()
    for window, hidden in zip(filled, mask[..., 0].astype(bool), strict=True):
        known = np.flatnonzero(~hidden & (window[:, 0] > 0))
        for axis in range(2):
            window[hidden, axis] = np.interp(np.flatnonzero(hidden), known, window[known, axis])
    return filled


def forbid(coordinates, mask):
    raise AssertionError("there is nothing to rectify")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # Nothing to fill.
        ("oooooo", "......"),
        ("......", "......"),
        ("", ""),
        # Seen once: no second side.
        ("..o...", "......"),
        # Seen before and after.
        ("oo..oo", "..xx.."),
        # After the first frame already.
        ("o.oooo", ".x...."),
        ("o..o", ".xx."),
        # Not seen before the gap, or not after it.
        ("..oooo", "......"),
        ("oooo..", "......"),
        (".o.oo.", "..x..."),
        # Each gap on its own.
        ("o.o...oo", ".x.xxx.."),
        # As long as allowed, and one frame longer.
        ("o....o", ".xxxx."),
        ("o.....o", "......."),
        ("o.....oo.o", "........x."),
    ],
)
def test_gaps_between_seen_frames_are_repaired(line, expected):
    mask = repair_mask(parse(line), np.full(len(line), 100.0), top=10, max_gap=4)
    assert "".join("x" if hidden else "." for hidden in mask) == expected


@pytest.mark.parametrize(
    ("before", "after", "repaired"),
    [
        (100, 100, True),
        # Near the top edge before or after: it has left the picture.
        (5, 100, False),
        (100, 5, False),
        # On the line counts as above it.
        (10, 100, False),
        (100, 10, False),
        (10.01, 10.01, True),
    ],
)
def test_ball_lost_near_the_top_has_left_the_picture(before, after, repaired):
    y = np.array([100, before, np.nan, np.nan, after, 100])
    mask = repair_mask(np.isfinite(y), y, top=10, max_gap=2)
    assert mask.tolist() == [False, False, repaired, repaired, False, False]


def test_single_frames_are_filled_by_default():
    for gap, repaired in [(1, 1), (2, 0)]:
        line = "o" + gap * "." + "o"
        assert repair_mask(parse(line), np.full(len(line), 100.0), top=10).sum() == repaired


LINES = [
    # A gap inside, at the second frame, next to the last, several of them.
    "oooooooooo...oooooooooo",
    "o.oooooooooooooooo",
    "oooooooooooooooo.o",
    "ooo.oo..ooo...oo....ooooo",
    # As long as a gap may be.
    "oo............oo",
    "oooooooooo............oooooooooo",
]


@pytest.mark.parametrize("line", LINES)
def test_gaps_are_filled_with_what_the_network_says(line):
    track = rectify_track(make_track(line), interpolate, SIZE, max_gap=12)
    whole = make_track("o" * len(line))
    np.testing.assert_allclose(track.x, whole.x, atol=1e-3)
    np.testing.assert_allclose(track.y, whole.y, atol=1e-3)
    status = ["detected" if sign == "o" else "repaired" for sign in line]
    assert track.status.tolist() == status


def test_detected_positions_are_untouched_bit_for_bit():
    before = make_track("ooo..oooooooo.ooooooo.....ooooo")
    after = rectify_track(before, lambda xy, mask: np.full_like(xy, 0.25), SIZE, max_gap=12)
    seen = before.status == DETECTED
    assert after.x[seen].tobytes() == before.x[seen].tobytes()
    assert after.y[seen].tobytes() == before.y[seen].tobytes()
    assert (after.status[seen] == DETECTED).all()
    np.testing.assert_array_equal(after.confidence, before.confidence)
    np.testing.assert_array_equal(after.time, before.time)
    np.testing.assert_allclose(after.x[~seen], 0.25 * SIZE[1])
    np.testing.assert_allclose(after.y[~seen], 0.25 * SIZE[0])


def test_rectification_leaves_the_given_track_alone():
    track = make_track("oooooooo...oooooooo")
    copies = [column.copy() for column in (track.x, track.y, track.status)]
    rectify_track(track, interpolate, SIZE, max_gap=12)
    for column, copy in zip((track.x, track.y, track.status), copies, strict=True):
        np.testing.assert_array_equal(column, copy)


@pytest.mark.parametrize(
    "line",
    [
        # Never seen, always seen, seen once.
        "." * 20,
        "o" * 20,
        "." * 9 + "o" + "." * 10,
        # Only gaps that are not to be filled: at the start, at the end, too long.
        "....oooooooooooooo....",
        "ooooo.............ooooo",
        "",
    ],
)
def test_track_without_a_gap_to_fill_is_unchanged(line):
    before = make_track(line)
    after = rectify_track(before, forbid, SIZE, max_gap=12)
    for name in ("x", "y", "confidence", "status", "time"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_ball_lost_within_a_twentieth_of_the_height_from_the_top_stays_absent():
    line = "oooooooo...ooooooooo"
    assert (
        rectify_track(make_track(line, y=-6.0), forbid, SIZE, max_gap=12).status != REPAIRED
    ).all()
    assert (
        rectify_track(make_track(line, y=-3.0), interpolate, SIZE, max_gap=12).status == REPAIRED
    ).sum() == 3


def test_gap_longer_than_allowed_stays_absent_beside_one_that_is_filled():
    line = "oooooo...oooooo......oooooo"
    track = rectify_track(make_track(line), interpolate, SIZE, max_gap=4)
    assert (track.status == REPAIRED).tolist() == [6 <= frame < 9 for frame in range(27)]
    assert np.isnan(track.x[15:21]).all()


def test_network_sees_interpolated_positions_where_it_was_trained_on_them():
    seen = []

    def rectify(coordinates, mask):
        seen.append(coordinates)
        return coordinates

    # Beyond the last position, too, where nothing is to be filled in.
    line = "oooooooo...oooo...."
    track = rectify_track(make_track(line), rectify, SIZE, max_gap=3, hidden="interpolated")
    whole = make_track("o" * len(line))
    np.testing.assert_allclose(track.x[:15], whole.x[:15], atol=1e-3)
    assert np.isnan(track.x[15:]).all()
    np.testing.assert_allclose(seen[0][-1, -4:, 0], whole.x[14] / SIZE[1], atol=1e-6)


def test_network_sees_fractions_of_the_picture_with_nothing_where_masked():
    line = "oooooooo...oooooooo"
    seen = []

    def rectify(coordinates, mask):
        seen.append((coordinates, mask))
        return interpolate(coordinates, mask)

    rectify_track(make_track(line), rectify, SIZE, max_gap=12)
    ((coordinates, mask),) = seen
    whole = make_track("o" * len(line))
    assert coordinates.shape == (4, 16, 2)
    assert mask.shape == (4, 16, 1)
    assert coordinates.dtype == mask.dtype == np.float32
    for start, (window, hidden) in enumerate(zip(coordinates, mask[..., 0], strict=True)):
        places = slice(start, start + 16)
        expected = np.stack([whole.x[places] / SIZE[1], whole.y[places] / SIZE[0]], -1)
        expected[~parse(line)[places]] = 0
        np.testing.assert_allclose(window, expected, atol=1e-6)
        np.testing.assert_array_equal(hidden, ~parse(line)[places])


def test_windows_have_a_say_by_the_frames_place_in_them():
    def rectify(coordinates, mask):
        # Window k outputs k / 10 everywhere.
        windows = np.arange(len(coordinates), dtype=np.float32)[:, None, None] / 10
        return np.broadcast_to(windows, coordinates.shape)

    track = rectify_track(make_track("oooo.oo"), rectify, SIZE, max_gap=12, window=5)
    # Frame 4 is last in window 0, where nothing is seen after it: no say. It is in place 3 of
    # window 1 and in place 2, the middle, of window 2.
    weights = triangular_weights(5)
    expected = (0.1 * weights[3] + 0.2 * weights[2]) / (weights[3] + weights[2])
    assert track.x[4] == pytest.approx(expected * SIZE[1])


def test_gap_that_no_window_sees_both_sides_of_stays_absent():
    line = "oooooooo......oooooooo"
    # A window of 7 holds the gap and one side, one of 8 both.
    assert (
        rectify_track(make_track(line), interpolate, SIZE, max_gap=12, window=7).status != REPAIRED
    ).all()
    track = rectify_track(make_track(line), interpolate, SIZE, max_gap=12, window=8)
    assert (track.status == REPAIRED).sum() == 6


def test_gap_in_a_clip_of_just_one_window_is_filled():
    track = rectify_track(make_track("ooo...oooooooooo"), interpolate, SIZE, max_gap=12)
    np.testing.assert_allclose(track.x, make_track("o" * 16).x, atol=1e-3)


@pytest.mark.parametrize("line", ["o.o", "ooo...ooooooooo"])
def test_track_shorter_than_a_window_is_unchanged(line):
    before = make_track(line)
    after = rectify_track(before, forbid, SIZE, max_gap=12)
    np.testing.assert_array_equal(after.x, before.x)
    assert after.status.tolist() == before.status.tolist()


def test_raw_track_undoes_the_repair():
    before = make_track("ooo..oooooooo.ooooooo.....ooooo..")
    raw = raw_track(rectify_track(before, interpolate, SIZE, max_gap=12))
    for name in ("x", "y", "confidence", "status", "time"):
        np.testing.assert_array_equal(getattr(raw, name), getattr(before, name))


def test_raw_track_of_an_unrepaired_track_is_the_same():
    before = make_track("..ooo..oo.")
    raw = raw_track(before)
    np.testing.assert_array_equal(raw.x, before.x)
    assert raw.status.tolist() == [DETECTED if sign == "o" else ABSENT for sign in "..ooo..oo."]
