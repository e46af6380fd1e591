from dataclasses import replace

import numpy as np
import pytest
from helpers_rallies import SIZE, simulate, spoil_track

from keras_tracknet.tracks.play import reject_strays
from keras_tracknet.tracks.tables import CORRECTED, DETECTED, REJECTED
from keras_tracknet.tracks.track import Track

HEIGHT = SIZE[0]
FPS = 30


def draw(*pieces, frames=None):
    """A track of pieces: first frame, frames, start, velocity per frame, pull per frame^2."""
    frames = frames or max(first + count for first, count, *_ in pieces)
    xy = np.full((frames, 2), np.nan)
    for first, count, start, velocity, pull in pieces:
        t = np.arange(count)[:, None]
        xy[first : first + count] = start + t * np.array(velocity) + t**2 * np.array(pull) / 2
    return Track.from_positions(*xy.T, ~np.isnan(xy[:, 0]), time=np.arange(frames) / FPS)


def find_rejected(track):
    return np.flatnonzero(reject_strays(track, HEIGHT).status == REJECTED).tolist()


# A lob that is hit at frame 10 leaves the picture at the top and comes back a second later.
RISING = (10, 10, (500.0, 400.0), (5.0, -42.0), (0.0, 0.8))
FALLING = (52, 16, (640.0, 8.0), (1.5, 24.0), (0.0, 0.2))


def test_a_lob_that_leaves_at_the_top_and_comes_back_is_kept():
    assert find_rejected(draw(RISING, FALLING)) == []


@pytest.mark.parametrize(
    "stray",
    [
        (30, 6, (560.0, 280.0), (0.5, 0.0), (0.0, 0.0)),  # a resting object
        (28, 4, (900.0, 500.0), (9.0, 3.0), (0.0, 0.0)),  # a shoe
        (40, 1, (300.0, 60.0), (0.0, 0.0), (0.0, 0.0)),  # a lamp
        (47, 5, (646.0, 260.0), (0.0, 0.0), (0.0, 0.0)),  # until the ball is back
    ],
)
def test_while_the_ball_is_out_at_the_top_another_object_is_rejected(stray):
    first, count = stray[:2]
    assert find_rejected(draw(RISING, stray, FALLING)) == [*range(first, first + count)]


def test_a_flight_that_lasts_is_kept_whatever_came_before():
    later = (30, 20, (900.0, 500.0), (-14.0, -16.0), (0.0, 0.8))
    assert find_rejected(draw(RISING, later)) == []


@pytest.mark.parametrize(("first", "count"), [(0, 1), (0, 2), (2, 3)])
def test_a_false_start_is_rejected(first, count):
    stray = (first, count, (1100.0, 120.0), (0.0, 0.0), (0.0, 0.0))
    flight = (8, 30, (300.0, 500.0), (8.0, -16.0), (0.0, 0.8))
    assert find_rejected(draw(stray, flight)) == [*range(first, first + count)]


def test_an_object_at_rest_before_the_serve_goes_and_the_ball_in_the_hand_stays():
    flight = (25, 30, (600.0, 420.0), (8.0, -20.0), (0.0, 0.8))
    elsewhere = (0, 20, (240.0, 140.0), (0.4, 0.5), (0.0, 0.0))
    in_hand = (0, 20, (596.0, 424.0), (0.1, 0.0), (0.0, 0.0))
    assert find_rejected(draw(elsewhere, flight)) == [*range(20)]
    assert find_rejected(draw(in_hand, flight)) == []


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_a_jump_to_a_resting_object_in_a_flight_is_rejected(count):
    track = draw((0, 40, (300.0, 500.0), (8.0, -16.0), (0.0, 0.8)))
    track.x[20 : 20 + count], track.y[20 : 20 + count] = 820.0, 330.0
    assert find_rejected(track) == [*range(20, 20 + count)]


def test_a_ball_boy_is_rejected_after_the_ball_is_down():
    flight = (0, 30, (300.0, 500.0), (8.0, -16.0), (0.0, 1.0))
    down = (30, 15, (532.0, 470.0), (0.0, 0.0), (0.0, 0.0))
    boy = (47, 6, (1200.0, 640.0), (6.0, -1.0), (0.0, 0.0))
    assert find_rejected(draw(flight, down, boy)) == [*range(47, 53)]


def test_a_smash_after_a_clear_is_no_jump():
    clear = (0, 20, (900.0, 100.0), (-6.0, 5.0), (0.0, 0.4))
    smash = (20, 8, (770.0, 290.0), (-70.0, 35.0), (7.0, -3.0))
    assert find_rejected(draw(clear, smash)) == []


def test_a_ball_that_comes_down_and_lies_there_is_kept_after_it_was_hidden():
    flight = (0, 20, (300.0, 300.0), (8.0, -6.0), (0.0, 0.9))
    down = (20, 4, (460.0, 350.0), (0.0, 0.0), (0.0, 0.0))
    again = (40, 30, (462.0, 352.0), (0.0, 0.0), (0.0, 0.0))
    assert find_rejected(draw(flight, down, again)) == []


def test_a_close_up_of_a_few_detections_is_rejected():
    flight = (0, 30, (300.0, 500.0), (8.0, -16.0), (0.0, 0.8))
    close_up = (34, 4, (540.0, 400.0), (8.0, 3.0), (0.0, 0.0))  # would continue it otherwise
    track = replace(draw(flight, close_up, frames=60), shots=(0, 32))
    assert find_rejected(track) == [34, 35, 36, 37]


def test_pictures_that_are_shown_twice_reject_nothing():
    slow = draw((0, 40, (300.0, 500.0), (16.0, -32.0), (0.0, 1.6)))
    shown = np.arange(45) * 5 // 6
    x, y = slow.positions[shown].T
    track = Track.from_positions(x, y, np.ones(45), time=np.arange(45) / FPS)
    assert find_rejected(track) == []


@pytest.mark.parametrize("sport", ["badminton", "tennis", "volleyball"])
@pytest.mark.parametrize(("noise", "missing"), [(0.0, 0.0), (1.0, 0.1)])
def test_the_ball_of_a_rendered_rally_is_kept(sport, noise, missing):
    track = spoil_track(simulate(sport, 1).track, noise=noise, missing=missing, seed=1)
    assert len(find_rejected(track)) <= 0.005 * track.visibility.sum()


@pytest.mark.parametrize("sport", ["badminton", "tennis", "volleyball"])
def test_false_detections_in_a_rendered_rally_are_rejected(sport):
    track = simulate(sport, 1).track
    rng = np.random.default_rng(1)
    wrong = np.zeros(len(track), bool)
    for first in range(12, len(track) - 12, 20):
        wrong[first : first + rng.integers(1, 4)] = True
    turned = rng.uniform(0, 2 * np.pi)  # 200 pixels away, all of one group in one place
    places = np.repeat(track.positions[::20], 20, axis=0)[: len(track)]
    places = np.where(np.isnan(places), 360.0, places) + 200 * np.array([1.0, np.sin(turned)])
    far = np.linalg.norm(places - track.positions, axis=1) > 100
    wrong &= far | ~track.visibility
    x, y = np.where(wrong[:, None], places, track.positions).T
    spoilt = Track.from_positions(x, y, wrong | track.visibility, time=track.time)
    found = reject_strays(spoilt, HEIGHT).status == REJECTED
    assert wrong.sum() >= 12
    assert found[wrong].mean() > 0.8
    assert found[~wrong].mean() < 0.02


def test_a_rejected_frame_has_no_position_and_keeps_its_confidence():
    track = draw((0, 40, (300.0, 500.0), (8.0, -16.0), (0.0, 0.8)))
    track.x[20], track.confidence[20] = 900.0, 0.7
    found = reject_strays(track, HEIGHT)
    assert np.isnan(found.positions[20]).all()
    assert (str(found.status[20]), found.confidence[20]) == (REJECTED, 0.7)
    assert (found.status[:20] == DETECTED).all()


def test_without_a_stray_a_track_is_itself():
    track = draw(RISING, FALLING)
    assert reject_strays(track, HEIGHT) is track


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_a_track_of_hardly_any_frames_is_itself(frames):
    track = Track.from_positions(np.arange(frames), np.arange(frames), np.ones(frames))
    assert reject_strays(track, HEIGHT) is track


def test_with_few_frames_a_second_only_outliers_are_rejected():
    track = draw((0, 40, (300.0, 500.0), (8.0, -16.0), (0.0, 0.8)))
    track.x[20] += 400
    track.x[30:] += 400  # a jump for good says nothing at ten frames a second
    assert find_rejected(replace(track, time=np.arange(40) / 10)) == [20]


def test_in_less_than_a_second_only_outliers_are_rejected():
    track = draw((0, 25, (300.0, 500.0), (8.0, -16.0), (0.0, 0.8)))
    track.x[12] += 400
    track.x[20:] += 400
    assert find_rejected(track) == [12]


def test_what_a_person_has_corrected_is_kept():
    track = draw((0, 40, (300.0, 500.0), (8.0, -16.0), (0.0, 0.8)))
    track.x[20:22] += 400
    status = track.status.astype("<U16")
    status[20] = CORRECTED
    assert find_rejected(replace(track, status=status)) == [21]
