import numpy as np
import pytest
from helpers_clips import pan_court
from helpers_trackers import SIZE, make_detector

from keras_tracknet.errors import InputError
from keras_tracknet.frames.stabilization import (
    FASTEST,
    follow_camera,
    stack_frames,
    unshift_outputs,
)
from keras_tracknet.inference.live import track_live
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.training.batches.window_batches import (
    LabelledFrames,
    WindowBatches,
    WindowConfig,
)
from keras_tracknet.video.capture import CapturedFrame
from keras_tracknet.video.shots import show_one_view

PANNED = (96, 160)  # (height, width) of pictures in which a camera can be followed well
STEP = (2.0, -1.0)  # pixels that the court moves from one frame to the next


def stack(frames, stabilized=True):
    out = np.zeros_like(frames)
    return out, stack_frames(frames, stabilized=stabilized, out=out)


@pytest.mark.parametrize("step", [(0.0, 0.0), (2.0, 0.0), (-1.5, 0.5), (6.0, -3.0)])
def test_the_camera_is_followed(step):
    expected = np.arange(3)[:, None] * np.array(step)
    np.testing.assert_allclose(follow_camera(pan_court(step)), expected, atol=0.5)


def test_each_step_is_that_of_its_two_frames_alone():
    frames = pan_court((3.0, -1.0), 5)
    alone = [follow_camera(frames[k : k + 2])[1] for k in range(4)]
    np.testing.assert_array_equal(np.diff(follow_camera(frames), axis=0), alone)


@pytest.mark.parametrize(
    "second",
    [
        pan_court((0.0, 0.0), 1)[0, ::-1],  # another view
        pan_court((FASTEST + 10, 0.0), 2)[1],  # too far
        np.full((96, 160, 3), 90, np.uint8),  # nothing to see
    ],
)
def test_a_camera_that_cannot_be_followed_stands_still(second):
    frames = [pan_court((0.0, 0.0), 1)[0], second]
    np.testing.assert_array_equal(follow_camera(frames), np.zeros((2, 2)))


def test_the_court_stands_still_in_a_window():
    frames = pan_court(STEP, 5)
    still, shifts = stack(frames)
    np.testing.assert_array_equal(shifts, [[4, -2], [2, -1], [0, 0], [-2, 1], [-4, 2]])
    inside = np.s_[:, 4:-4, 6:-6]
    middle = np.broadcast_to(frames[2], frames.shape)
    np.testing.assert_array_equal(still[inside], middle[inside])


@pytest.mark.parametrize(("step", "stabilized"), [((0.0, 0.0), True), (STEP, False)])
def test_frames_stay_as_they_are(step, stabilized):
    frames = pan_court(step)
    same, shifts = stack(frames, stabilized)
    np.testing.assert_array_equal(same, frames)
    assert not shifts.any()


def test_outputs_are_moved_back():
    shifts = np.array([[9, 9], [3, -2], [0, 0]])  # the network outputs the last two frames
    maps = np.zeros((2, 20, 30), np.float32)
    maps[:, 10, 15] = 1
    maps[0, 0, 29] = 0.5  # where it was moved to from outside
    moved = unshift_outputs(maps, shifts, (20, 30))
    assert np.argwhere(moved).tolist() == [[0, 2, 26], [0, 12, 12], [1, 10, 15]]
    smaller = unshift_outputs(maps, 2 * shifts, (40, 60))
    np.testing.assert_array_equal(smaller, moved)
    found = np.array([[0.5, 0.5, 0.9], [0.5, 0.5, 0.8]], np.float32)
    back = unshift_outputs(found, shifts, (20, 30))
    np.testing.assert_allclose(back, [[0.4, 0.6, 0.9], [0.5, 0.5, 0.8]], atol=1e-6)


def film_ball(frames=8, size=SIZE):
    """Return frames of a panning camera, a white ball in their lower half, and its positions."""
    pictures = pan_court((2.0, 0.0), frames, size)
    positions = np.array([(20 + 3 * n, size[0] // 2 + 3 + n) for n in range(frames)])
    for picture, (x, y) in zip(pictures, positions, strict=True):
        picture[y - 2 : y + 3, x - 2 : x + 3] = 255
    return pictures, positions


@pytest.mark.parametrize("mode", ["fast", "balanced", "accurate"])
@pytest.mark.parametrize("heatmaps", [3, 1])
def test_positions_are_those_of_the_frames_as_they_were(mode, heatmaps):
    pictures, positions = film_ball()
    tracker = Tracker(make_detector(heatmaps=heatmaps, stabilized=True), mode=mode, batch_size=2)
    assert show_one_view(*pictures[:2])
    track = tracker.track_frames(pictures)
    np.testing.assert_allclose(track.positions, positions, atol=0.1)
    captured = [CapturedFrame(float(n), picture) for n, picture in enumerate(pictures)]
    live = [(row.x, row.y) for row in track_live(tracker, captured)]
    np.testing.assert_allclose(live, positions, atol=0.1)


def test_the_network_sees_a_court_that_stands_still(monkeypatch):
    pictures, _ = film_ball(6, PANNED)
    seen = {}
    for stabilized in (False, True):
        tracker = Tracker(make_detector(stabilized=stabilized, size=PANNED), batch_size=1)
        start, windows = tracker.network.start, []

        def spy(inputs, start=start, windows=windows):
            windows.append(inputs[0][0].copy())
            return start(inputs)

        monkeypatch.setattr(tracker.network, "start", spy)
        tracker.track_frames(pictures)
        upper = np.s_[:, :48, 6:-6]  # the ball is below
        seen[stabilized] = [np.ptp(window[upper].astype(int), axis=0).mean() for window in windows]
    assert len(seen[True]) == 2  # no cut is seen
    assert max(seen[True]) < min(seen[False]) / 3


def test_training_windows_stand_still_and_their_targets_with_them():
    pictures, positions = film_ball(size=PANNED)
    clip = LabelledFrames(pictures, pictures[0], positions.astype(float), np.ones(8, bool))
    inputs, targets = WindowBatches(
        [clip], WindowConfig(3, 3, stabilized=True), batch_size=4, training=False
    ).batch(0, 0)
    frames = inputs.reshape(3, *PANNED, 3, 3)[:2]
    plain = np.stack([pictures[0:3], pictures[3:6]]) / 255
    moving = np.ptp(plain[:, :, :48, 6:-6], axis=1).mean()  # the ball is below
    assert np.ptp(frames[:, :48, 6:-6], axis=3).mean() < moving / 3
    white = frames.min(axis=-1) > 0.9
    for window, target in zip(white, targets[:2], strict=True):
        for number in range(3):
            middle = np.argwhere(window[..., number]).mean(axis=0)
            np.testing.assert_allclose(np.argwhere(target[..., number]).mean(axis=0), middle)


@pytest.mark.parametrize(
    ("weights", "asked", "expected"),
    [(False, None, False), (True, None, True), (False, True, True), (True, False, False)],
)
def test_what_is_asked_for_goes_before_what_the_weights_say(weights, asked, expected):
    tracker = Tracker(make_detector(stabilized=weights), stabilize=asked)
    assert tracker.stabilize == expected


@pytest.mark.parametrize(
    ("detector", "settings"),
    [
        ({"version": "v3", "background": "concat"}, {}),
        ({}, {"decode": "published", "sampling": "published"}),
    ],
)
def test_what_cannot_be_stabilized_is_told(detector, settings):
    with pytest.raises(
        InputError,
        match=r"^v[23]\.keras: `stabilize=True` requires weights without .*; use `stabilize=False`",
    ):
        Tracker(make_detector(**detector), stabilize=True, **settings)
