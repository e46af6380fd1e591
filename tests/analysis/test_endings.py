import numpy as np
import pytest
from helpers_flights import mark_court, play_again
from helpers_rallies import SIZE, simulate

from keras_tracknet.analysis.analysis import analyze_track
from keras_tracknet.analysis.endings import ENDINGS
from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic.camera import place_camera
from keras_tracknet.synthetic.flight import STEP, fly_balls
from keras_tracknet.tracks.track import Track

BADMINTON = SPORTS["badminton"]
FPS = 30.0
FIRST = 0.51  # seconds, of the serve


@pytest.fixture(scope="module")
def camera():
    return place_camera(np.random.default_rng(1), SIZE, BADMINTON)


def fly(start, velocity, seconds):
    return fly_balls(np.array(start), np.array([velocity], float), seconds, BADMINTON.drag)[:, 0]


def cut_at(points, over):
    return points[: int(over.argmax()) + 1]


def cut_at_floor(points):
    return cut_at(points, points[:, 2] < BADMINTON.ball_radius)


def serve(side):
    """A high serve that the other player reaches; -1 for the near player's."""
    return fly([0.3, side * 2.5, 1.0], [0.5, -side * 17.0, 22.0], 1.7)


def drive_into_net(start, side):
    """What the net stops on the way, and lets fall on the side of who hit it."""
    fast = fly(start, [0.5, -side * 25.0, -4.0], 1.0)
    caught = cut_at(fast, fast[:, 1] * side < 0.05)
    assert 0.2 < caught[-1, 2] < BADMINTON.net_height
    return [caught, cut_at_floor(fly(caught[-1], [0.0, side * 0.4, 0.0], 2.0))]


def film(camera, flights, *, rest=1.5, seed=0):
    """The track of flights that follow each other, each `(points, 3)` metres, and a rest."""
    path = np.concatenate([flights[0], *(points[1:] for points in flights[1:])])
    ticks = FIRST + np.arange(len(path)) * STEP
    times = np.arange(round((ticks[-1] + rest) * FPS)) / FPS
    places = np.stack([np.interp(times, ticks, axis) for axis in path.T], axis=-1)
    pixels = camera.project(places) + np.random.default_rng(seed).normal(0, 0.5, (len(times), 2))
    inside = ((pixels >= 0) & (pixels < np.array(SIZE[::-1]))).all(axis=1)
    return Track.from_positions(*pixels.T, inside & (times >= FIRST), time=times)


def find_ending(track, camera, *, marked=True):
    court = mark_court(camera, "badminton") if marked else None
    *_, rally = analyze_track(track, SIZE, BADMINTON, court=court).rallies
    assert rally.ending in ENDINGS
    return rally.ending


@pytest.mark.parametrize("side", [-1, 1])
def test_a_ball_that_the_net_stops_is_in_the_net(camera, side):
    first = serve(-side)
    track = film(camera, [first, *drive_into_net(first[-1], side)])
    assert find_ending(track, camera) == "net"
    assert find_ending(track, camera, marked=False) == "landing"  # nobody knows where the net is


def test_a_net_shot_that_comes_down_beyond_the_net_is_a_landing(camera):
    first = fly([0.3, -2.5, 1.0], [0.2, 11.0, 7.0], 0.6)
    assert 0.3 < first[-1, 1] < 4
    shot = cut_at_floor(fly(first[-1], [0.0, -8.0, 5.0], 2.0))
    assert shot[-1, 1] < -0.1
    assert find_ending(film(camera, [first, shot]), camera) == "landing"


def test_a_ball_that_is_lost_on_its_way_out_has_left_the_picture(camera):
    high = fly([0.0, -5.0, 1.0], [2.0, 9.0, 32.0], 3.0)
    left = cut_at(high, camera.project(high)[:, 1] < -40)
    back = serve(1)
    track = film(camera, [back, left + (back[-1] - left[0])], rest=2.0)
    times = track.time
    gone = times > FIRST + (len(back) + len(left) - 2) * STEP - 1e-6
    x, y = np.where(gone, np.nan, track.x), np.where(gone, np.nan, track.y)
    track = Track.from_positions(x, y, track.visibility & ~gone, time=times)
    assert find_ending(track, camera) == "out of picture"


def test_a_ball_that_is_lost_in_the_picture_ends_nobody_knows_how(camera):
    first = serve(-1)
    clear = fly(first[-1], [0.2, -12.0, 15.0], 0.6)
    track = film(camera, [first, clear], rest=2.0)
    gone = track.time > FIRST + (len(first) + len(clear) - 2) * STEP
    x, y = np.where(gone, np.nan, track.x), np.where(gone, np.nan, track.y)
    lost = Track.from_positions(x, y, track.visibility & ~gone, time=track.time)
    assert find_ending(lost, camera) == "unknown"
    assert find_ending(lost.cut(0, int(gone.argmax())), camera) == "unknown"  # the video ends


@pytest.mark.parametrize(("sport", "seed"), [("badminton", 1), ("tennis", 1), ("volleyball", 2)])
def test_rendered_rallies_end_with_a_landing_unless_the_clip_ends(sport, seed):
    rally = simulate(sport, seed)
    court = mark_court(rally.camera, sport)
    analysis = analyze_track(rally.track, SIZE, SPORTS[sport], court=court)
    downs = [end for _, end in play_again(rally).rallies]
    assert analysis.rallies
    for found in analysis.rallies:
        down = min(abs(found.end - end) for end in downs) < 0.1 and found.finished
        assert found.ending == ("landing" if down else "unknown")
