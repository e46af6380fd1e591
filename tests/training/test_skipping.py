"""Skipping: which frames a window of a lower frame rate shows."""

import numpy as np
import pytest

from keras_tracknet.training.batches.skipping import skip_frames


def draw_all(start, frames, labelled, targets):
    drawn = (
        skip_frames(start, frames, labelled, np.random.default_rng(seed), targets=targets)
        for seed in range(20)
    )
    return {None if indices is None else tuple(indices.tolist()) for indices in drawn}


@pytest.mark.parametrize(
    ("start", "clip_frames", "expected"),
    [
        (0, 9, {(0, 2, 4), (0, 3, 6)}),
        # It ends with its clip.
        (4, 9, {(4, 6, 8), (2, 5, 8)}),
        # Too short for every third frame, or for every second.
        (1, 6, {(1, 3, 5), None}),
        (0, 4, {None}),
        # Before the clip's start there is nothing to skip.
        (-1, 9, {None}),
    ],
)
def test_every_second_or_third_frame_is_shown(start, clip_frames, expected):
    assert draw_all(start, 3, np.ones(clip_frames, bool), 3) == expected


def test_some_target_is_labelled():
    labelled = np.arange(9) == 6
    assert draw_all(0, 3, labelled, 1) == {(0, 3, 6), None}
    assert draw_all(2, 3, labelled, 3) == {(2, 4, 6), None}
