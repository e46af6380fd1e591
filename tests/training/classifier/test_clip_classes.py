import numpy as np
import pytest

from keras_tracknet.synthetic import RallyConfig, simulate_rally
from keras_tracknet.training.classifier.clip_classes import (
    CLASSES,
    PlayLabels,
    assign_sides,
    classify_windows,
    find_play,
    label_hits,
    label_play,
)

FPS = 30.0
NEAR, FAR = (0.8, 0.6), (0.9, 0.35)  # (x, y) of hits, heights of the picture


def fly(start, end, frames=24, rise=0.2):
    """Return `(frames, 2)`: an arc that leaves `start` between two frames and would hit `end`."""
    share = (np.arange(frames)[:, None] + 0.5) / frames
    arc = np.array(start) + (np.array(end) - start) * share
    arc[:, 1:] -= 4 * rise * share * (1 - share)
    return arc


def rest(place, frames):
    return np.tile(np.array(place, float), (frames, 1))


def play(*parts):
    return np.concatenate(parts)


def find(positions):
    return label_play(positions, np.ones(len(positions), bool), FPS)


RALLY = play(rest(FAR, 20), fly(FAR, NEAR), fly(NEAR, FAR), fly(FAR, NEAR), rest(NEAR, 30))


def test_hits_of_a_rally_are_found_with_their_sides():
    labels = find(RALLY)
    assert labels.hits.tolist() == pytest.approx([20, 44, 68], abs=1)
    assert labels.near.tolist() == [False, True, False]


def test_play_goes_from_the_first_hit_until_the_shuttle_rests():
    playing = find(RALLY).playing
    assert not playing[:19].any()
    assert playing[20:86].all()
    assert not playing[93:].any()


@pytest.mark.parametrize("hidden", [slice(42, 46), slice(44, 48), slice(38, 45)])
def test_hit_is_found_where_a_player_hides_it(hidden):
    positions = RALLY.copy()
    positions[hidden] = np.nan
    hits = find(positions).hits
    assert len(hits) == 3
    assert abs(hits[1] - 44) <= 3


def test_serve_out_of_the_hand_is_a_hit():
    positions = RALLY.copy()
    positions[:20] = np.nan
    assert find(positions).hits[0] == 20


def test_shuttle_that_comes_back_from_above_is_not_hit_there():
    positions = play(fly(NEAR, FAR, frames=60, rise=0.8), fly(FAR, NEAR))
    positions[positions[:, 1] < 0] = np.nan
    assert np.isnan(positions).any()
    assert find(positions).hits.tolist() == [60]


@pytest.mark.parametrize(
    "flight",
    [
        fly(NEAR, FAR, frames=36, rise=0.15),  # an arc with its summit
        np.cumsum(np.stack([0.04 * 0.9 ** np.arange(40), np.zeros(40)], axis=1), axis=0) + 0.3,
        rest(NEAR, 40),
    ],
    ids=["summit", "slowed by the air", "rest"],
)
def test_what_air_and_gravity_do_is_no_hit(flight):
    assert label_hits(flight, FPS).tolist() == []


def test_landing_is_no_hit():
    assert label_hits(play(fly(FAR, NEAR), rest(NEAR, 20)), FPS).tolist() == []


def test_double_the_frame_rate_gives_the_same_moments():
    times = np.arange(0, len(RALLY) - 1, 0.5)
    doubled = np.stack([np.interp(times, range(len(RALLY)), axis) for axis in RALLY.T], axis=1)
    assert label_hits(doubled, 2 * FPS) / 2 == pytest.approx([20, 44, 68], abs=1)


def test_players_take_turns_where_the_height_alone_would_err():
    assert assign_sides(np.array([0.6, 0.3, 0.47, 0.3, 0.6])).tolist() == [1, 0, 1, 0, 1]
    assert assign_sides(np.array([0.6, 0.3, 0.52, 0.45, 0.6])).tolist()[::2] == [1, 1, 1]


def test_one_side_may_hit_twice_where_the_other_hit_was_missed():
    assert assign_sides(np.array([0.65, 0.3, 0.65, 0.65, 0.3])).tolist() == [1, 0, 1, 1, 0]


def test_no_hit_has_no_side():
    assert assign_sides(np.zeros(0)).tolist() == []


def test_play_ends_where_the_shuttle_is_last_seen():
    positions = play(fly(NEAR, FAR), np.full((40, 2), np.nan))
    assert np.flatnonzero(find_play(positions, np.array([3]), FPS)).tolist() == list(range(3, 24))


def test_clip_without_a_shuttle_has_no_play():
    labels = find(np.full((30, 2), np.nan))
    assert len(labels.hits) == len(labels.near) == 0
    assert not labels.playing.any()


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (0, "no_play"),  # frames 0 to 7, before everything
        (11, None),  # play begins in it, the hit of frame 18 is at its edge
        (14, "far_hit"),  # the hit is in the middle
        (16, "far_hit"),
        (18, "flight"),  # begins with the first frame after the hit
        (23, None),  # the hit of frame 30 is at its edge
        (26, "near_hit"),
        (36, None),  # holds the end of play
        (40, "no_play"),
        (46, None),  # frame 50 is unlabelled
    ],
)
def test_window_is_called_after_its_middle(start, expected):
    playing, labelled = np.zeros(60, bool), np.ones(60, bool)
    playing[18:40], labelled[50] = True, False
    labels = PlayLabels(np.array([18, 30]), np.array([False, True]), playing, labelled)
    (found,) = classify_windows(labels, np.array([start]), 8)
    assert (None if found < 0 else CLASSES[found]) == expected


def test_hits_of_rendered_rallies_are_found():
    found = missed = wrong = 0
    for seed in range(3):
        rally = simulate_rally(RallyConfig(frames=240, size=(360, 640), seed=seed))
        hits = find(rally.track.positions / 360).hits.tolist()
        truth = [stroke for stroke in rally.strokes if stroke < 234]
        near = [any(abs(hit - stroke) <= 2 for hit in hits) for stroke in truth]
        found, missed = found + sum(near), missed + len(near) - sum(near)
        wrong += sum(all(abs(hit - stroke) > 2 for stroke in rally.strokes) for hit in hits)
    assert found >= 0.85 * (found + missed)
    assert wrong <= 0.1 * found
