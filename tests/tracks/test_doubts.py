import numpy as np
import pytest

from keras_tracknet.tracks.doubts import find_doubtful_frames
from keras_tracknet.tracks.merging import merge_labels
from keras_tracknet.tracks.track import Track


def fly(frames=60, *, absent=(), confidence=1.0):
    """A ball that flies smoothly and is seen everywhere but in some frames."""
    seen = np.ones(frames, bool)
    seen[list(absent)] = False
    time = np.arange(frames)
    track = Track.from_positions(10 + 6.0 * time, 100 + 0.1 * (time - 20) ** 2, seen)
    return Track(track.x, track.y, np.where(seen, confidence, 0.0), track.status, track.time)


def change(track, frame, **columns):
    for name, value in columns.items():
        getattr(track, name)[frame] = value
    return track


def test_a_smooth_and_certain_track_is_not_doubted():
    assert find_doubtful_frames(fly()) == []


@pytest.mark.parametrize(
    ("track", "frame", "kind", "words"),
    [
        (change(fly(), 30, x=400.0), 30, "jump", "jumps 210 pixels off its path"),
        (fly(absent=range(20, 25)), 22, "gap", "no ball for 5 frames within a flight"),
        (fly(absent={20}), 20, "gap", "no ball for 1 frame within a flight"),
        (fly(absent=range(30, 60)), 30, "end", "a flight ends"),
        (fly(absent=range(0, 30)), 29, "start", "a flight begins"),
        (change(fly(), 40, confidence=0.4), 40, "faint", "confidence 0.40 only"),
        (change(fly(absent=range(30, 60)), 50, confidence=0.45), 50, "glimpse", "0.45 was not"),
        (change(fly(), 40, status="repaired"), 40, "repaired", "filled in"),
        (
            change(fly(absent=range(30, 60)), 45, status="rejected"),
            45, "rejected", "something else than the ball",
        ),
        (fly(absent={*range(0, 30), *range(32, 60)}), 30, "lone", "seen for 2 frames only"),
    ],
)  # fmt: skip
def test_each_kind_of_doubt_says_where_and_why(track, frame, kind, words):
    first = find_doubtful_frames(track)[0]
    assert (first.frame, first.kind) == (frame, kind)
    assert words in first.reason
    assert first.first <= first.frame <= first.last
    assert 0 < first.score <= 1


def test_most_useful_comes_first():
    track = change(fly(absent=range(20, 23)), 40, confidence=0.8)
    moments = find_doubtful_frames(track)
    assert [moment.kind for moment in moments] == ["gap", "faint"]
    scores = [moment.score for moment in moments]
    assert scores == sorted(scores, reverse=True)


def test_neighbours_of_a_moment_are_no_moments():
    track = fly()
    track.confidence[20:40] = np.linspace(0.3, 0.5, 20)
    frames = sorted(moment.frame for moment in find_doubtful_frames(track, apart=6))
    assert frames[0] == 20
    assert min(np.diff(frames)) >= 6
    assert len(find_doubtful_frames(track, apart=1)) == 20
    assert len(find_doubtful_frames(track, most=2)) == 2


def test_where_two_tracks_disagree_is_doubtful_first_of_all():
    other = change(fly(absent={10}), 30, x=400.0)
    moments = find_doubtful_frames(fly(), other=other)
    assert [(m.frame, m.kind) for m in moments] == [(10, "disagreement"), (30, "disagreement")]
    assert "sees no ball" in moments[0].reason
    assert "210 pixels apart" in moments[1].reason


def test_what_a_person_has_corrected_is_no_longer_doubtful():
    track = fly(absent={20})
    labels = Track.from_positions([0] * 21, [0] * 21, [0] * 21, labelled=[0] * 20 + [1])
    assert find_doubtful_frames(track)[0].frame == 20
    assert find_doubtful_frames(merge_labels(track, labels)) == []


def test_merged_labels_stand_in_place_of_the_networks_rows():
    track = fly(6, absent={3}, confidence=0.7)
    labels = Track.from_positions([0, 5, 0, 7], [0, 6, 0, 8], [0, 1, 0, 1], labelled=[0, 1, 1, 1])
    merged = merge_labels(track, labels)
    assert merged.status.tolist() == ["detected", *["corrected"] * 3, "detected", "detected"]
    np.testing.assert_array_equal(merged.x, [10, 5, np.nan, 7, 34, 40])
    np.testing.assert_array_equal(merged.confidence, [0.7, 1, 0, 1, 0.7, 0.7])
    assert len(merge_labels(track, labels.resized(20))) == 6
