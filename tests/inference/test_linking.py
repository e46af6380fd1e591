"""Linking: from the choices of a linker to rows."""

import numpy as np
import pytest

from keras_tracknet.inference.candidates import as_candidates
from keras_tracknet.inference.linking import SPACINGS, Prospect, find_spacing, link_prospects
from keras_tracknet.models.linker import OFFSETS
from keras_tracknet.tracks.tables import ABSENT, DETECTED
from keras_tracknet.tracks.track import TrackRow

SIZE = (288, 512)  # (height, width)
WINDOW, STEP = 8, 2
NAN = float("nan")


def show(frame, *heats, shot=0):
    """Return a prospect whose candidate k is at (100 + k, frame)."""
    places = np.array([(100.0 + k, float(frame)) for k in range(len(heats))])
    candidates = as_candidates(places, np.array(heats), SIZE)
    return Prospect(TrackRow(frame, NAN, NAN, 0.0, ABSENT, frame / 30), candidates, places, shot)


def trust_heat(candidates):
    """A linker to which the chance of each candidate is its heat."""
    heat = candidates[..., 2]
    none = 1 - heat.max(axis=-1, keepdims=True)
    return np.concatenate([heat, none], axis=-1)


def link(prospects, choose=trust_heat, spacing=1):
    return list(link_prospects(prospects, choose, WINDOW, spacing=spacing, step=STEP))


def test_likeliest_candidate_is_the_position():
    rows = link([show(k, 0.2, 0.9) for k in range(20)])
    assert [(row.frame, row.x, row.y) for row in rows] == [(k, 101.0, float(k)) for k in range(20)]
    assert {row.status for row in rows} == {DETECTED}
    assert [row.confidence for row in rows] == pytest.approx([0.9] * 20)


@pytest.mark.parametrize(("chance", "found"), [(0.51, True), (0.49, False)])
def test_candidate_must_be_likelier_than_none(chance, found):
    (row, *_) = link([show(k, chance) for k in range(WINDOW)])
    assert row.visible is found
    assert row.confidence == pytest.approx(chance)


def test_what_is_no_candidate_is_never_chosen():
    def choose(candidates):  # sure of the second, wherever it is
        chances = np.zeros((*candidates.shape[:2], 3))
        chances[..., 1] = 1.0
        return chances

    rows = link([show(k, 0.9, 0.0 if k < 4 else 0.3) for k in range(WINDOW)], choose)
    assert [row.visible for row in rows] == [False] * 4 + [True] * 4


@pytest.mark.parametrize("spacing", [1, 3])
@pytest.mark.parametrize("frames", [0, 1, 3, WINDOW, WINDOW + 1, 29])
def test_every_frame_has_one_row(frames, spacing):
    rows = link([show(k, 0.9) for k in range(frames)], spacing=spacing)
    assert [row.frame for row in rows] == list(range(frames))
    assert all((row.x, row.y) == (100, row.frame) for row in rows)


def test_frames_of_a_slow_video_lie_apart_and_nothing_is_between_them():
    seen = []

    def choose(candidates):
        seen.append(candidates[0, :, 0, 2])
        return trust_heat(candidates)

    link([show(k, 0.5 + k / 100) for k in range(4)], choose, spacing=3)
    assert seen[0] == pytest.approx([0.5, 0, 0, 0.51, 0, 0, 0.52, 0])
    assert seen[1] == pytest.approx([0, 0.51, 0, 0, 0.52, 0, 0, 0.53])


@pytest.mark.parametrize(
    ("fps", "spacing"),
    [(120, 1), (30, 1), (25, 1), (15, 2), (12.5, 2), (10, 3), (6, 6), (5, 6), (3, 10), (0.5, 10)],
)
def test_spacing_makes_up_for_a_low_frame_rate(fps, spacing):
    assert find_spacing(fps) == spacing


def test_messages_of_the_linker_go_across_every_spacing():
    assert set(SPACINGS) <= set(OFFSETS)


def test_windows_do_not_reach_over_a_cut():
    seen = []

    def choose(candidates):
        seen.append(candidates[0, :, 0, 1])
        return trust_heat(candidates)

    shots = [show(k, 0.9, shot=0 if k < 11 else 11) for k in range(22)]
    assert [row.frame for row in link(shots, choose)] == list(range(22))
    cut = as_candidates(np.array([[0.0, 10.5]]), np.ones(1), SIZE)[0, 1]
    assert all((ys < cut).all() or (ys > cut).all() for ys in seen)


@pytest.mark.parametrize("spacing", [1, 2, 3])
@pytest.mark.parametrize("first", [1, 2, 13, 20])
def test_late_start_gives_the_rows_of_a_start_at_the_beginning(first, spacing):
    rng = np.random.default_rng(0)
    heats = rng.uniform(0.1, 0.9, (40, 3))

    def choose(candidates):  # depends on where in the window a frame is
        none = np.broadcast_to(np.linspace(0, 0.5, WINDOW)[:, None], (*candidates.shape[:2], 1))
        return np.concatenate([candidates[..., 2] * (1 - none), none], axis=-1)

    whole = link([show(k, *heats[k]) for k in range(40)], choose, spacing)
    part = link([show(k, *heats[k]) for k in range(first, 40)], choose, spacing)
    settled = WINDOW + STEP  # frames whose windows began before
    assert part[settled:] == whole[first + settled :]


def test_row_comes_as_soon_as_its_windows_are_full():
    given = []

    def prospects():
        for k in range(30):
            given.append(k)
            yield show(k, 0.9)

    for row in link_prospects(prospects(), trust_heat, WINDOW, step=STEP):
        assert given[-1] <= row.frame + WINDOW
