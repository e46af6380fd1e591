"""Batches of candidates: which is the ball, and how training windows are varied."""

import numpy as np
import pytest

from keras_tracknet.training.batches.candidate_batches import (
    TOLERANCE,
    CandidateBatches,
    LinkedClip,
)

WINDOW = 8
COUNT = 3  # candidates


def make_clip(frames=20, ball=1):
    """Return a clip whose candidate k is at (k / 10, frame / 100), all of heat 0.5."""
    frame, candidate = np.mgrid[:frames, :COUNT]
    candidates = np.stack([candidate / 10, frame / 100, np.full_like(frame, 0.5, float)], axis=-1)
    return LinkedClip(candidates, np.full(frames, ball), np.ones(frames, bool))


def make_batches(clips, **settings):
    return CandidateBatches(clips, **{"window": WINDOW, "batch_size": 4} | settings)


def test_ball_is_the_nearest_candidate_within_the_tolerance():
    candidates = make_clip(5).candidates
    candidates[3, 2, 2] = 0  # is not there
    places = candidates[:, 2, :2].copy()
    places[1, 0] += TOLERANCE * 0.99
    places[2, 0] += TOLERANCE * 1.01
    places[4] = np.nan
    clip = LinkedClip.from_labels(candidates, places, np.ones(5, bool))
    assert clip.ball.tolist() == [2, 2, COUNT, COUNT, COUNT]


def test_validation_windows_follow_each_other_unchanged():
    clip = make_clip(20)
    batches = make_batches([clip], training=False)
    assert (batches.windows, len(batches)) == (2, 1)
    candidates, ball, labelled = batches.batch(3, 0)
    assert candidates[1] == pytest.approx(clip.candidates[WINDOW : 2 * WINDOW])
    assert (ball == 1).all()
    assert (labelled == 1).all()


def test_epoch_shows_every_window_once():
    batches = make_batches([make_clip(WINDOW + 7), make_clip(WINDOW)], batch_size=3)
    assert (batches.windows, len(batches)) == (9, 3)
    assert batches.batch(0, 0)[0].shape == (3, WINDOW, COUNT, 3)


def test_skipped_frames_show_nothing_and_weigh_nothing():
    batches = make_batches([make_clip(200)], batch_size=64, skip=0.5)
    candidates, _, labelled = batches.batch(0, 0)
    steps = [set(np.diff(np.flatnonzero(frames)).tolist()) for frames in labelled]
    assert {tuple(step) for step in steps} == {(1,), (2,), (3,)}
    assert 0.35 < np.mean([step != {1} for step in steps]) < 0.65
    assert (candidates[labelled == 0] == 0).all()
    assert (candidates[labelled == 1][..., 2] > 0).mean() > 0.8


def test_clip_of_a_low_frame_rate_is_spaced_out_and_skips_nothing():
    clip = make_clip(20).space_out(3)
    batches = make_batches([clip], training=False)
    candidates, ball, labelled = batches.batch(0, 0)
    assert labelled[0].tolist() == [1, 0, 0, 1, 0, 0, 1, 0]
    assert ball[0].tolist() == [1, COUNT, COUNT, 1, COUNT, COUNT, 1, COUNT]
    assert candidates[0, ::3] == pytest.approx(make_clip(20).candidates[:3])
    assert (candidates[labelled == 0] == 0).all()
    skipping = make_batches([clip], skip=1.0).batch(0, 0)[2]
    assert skipping.sum(axis=1).min() >= 2


def test_same_batch_is_made_again_and_another_epoch_has_others():
    batches = make_batches([make_clip(60)])
    first, again, other = (batches.batch(epoch, 1)[0] for epoch in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_ball_is_still_the_ball_in_varied_windows():
    # Candidate 1 is the only one to the right of candidate 0 by 0.1 heights, or left, mirrored.
    seen = 0
    for epoch in range(20):
        candidates, ball, _ = make_batches([make_clip(40)], seed=epoch).batch(0, 0)
        for frames, choice in zip(candidates, ball, strict=True):
            for frame, chosen in zip(frames, choice.tolist(), strict=True):
                if chosen == COUNT:
                    assert frame[1, 2] == 0  # it is not there
                    continue
                assert chosen == 1
                if frame[0, 2] and frame[2, 2]:
                    seen += 1
                    assert (frame[0, 0] - frame[1, 0]) * (frame[1, 0] - frame[2, 0]) > 0
    assert seen > 100


def test_absent_candidates_are_zero():
    candidates, _, _ = make_batches([make_clip(200)], batch_size=64).batch(0, 0)
    assert (candidates[candidates[..., 2] == 0] == 0).all()
    assert 0 < (candidates[..., 2] == 0).mean() < 0.2
    assert candidates[..., 2].max() < 1


def test_unlabelled_frames_weigh_nothing():
    clip = make_clip(WINDOW)
    clip.labelled[2:5] = False
    _, _, labelled = make_batches([clip], training=False).batch(0, 0)
    assert labelled[0].tolist() == [1, 1, 0, 0, 0, 1, 1, 1]


def test_clips_shorter_than_a_window_are_refused():
    with pytest.raises(ValueError, match="no clip has 8 frames in a row"):
        make_batches([make_clip(WINDOW - 1)])
