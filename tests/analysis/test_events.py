from functools import cache

import numpy as np
import pytest
from helpers_rallies import SIZE, count_matches, simulate, spoil_track

from keras_tracknet.analysis.events import estimate_error, find_events
from keras_tracknet.analysis.flight.camera import View
from keras_tracknet.errors import InputError
from keras_tracknet.sports import SPORTS
from keras_tracknet.synthetic.config import RENDERED
from keras_tracknet.tracks.event_table import BOUNCE, HIT, LANDING, Event, read_events, write_events
from keras_tracknet.tracks.tables import REPAIRED
from keras_tracknet.tracks.track import Track

TWO_FRAMES = 2 / 30


@cache
def read_rally(sport, noise=0.0, missing=0.0):
    """Events that are found in a rally of a sport; the benchmark of events has many."""
    track = spoil_track(simulate(sport, 1).track, noise=noise, missing=missing, seed=1)
    return find_events(track, SIZE, SPORTS[sport])


def measure(noise, missing):
    """Return precision and recall over a rally of each sport, kinds told apart."""
    found = real = right = 0
    for sport in RENDERED:
        truth = simulate(sport, 1).events
        events = read_rally(sport, noise, missing).events
        right += count_matches(truth, events, TWO_FRAMES)
        found, real = found + len(events), real + len(truth)
    assert real > 20
    return right / found, right / real


def test_events_of_exact_tracks_are_found_within_two_frames():
    precision, recall = measure(0.0, 0.0)
    assert precision >= 0.95
    assert recall >= 0.95


def test_events_of_noisy_tracks_with_holes_are_found_within_two_frames():
    precision, recall = measure(1.0, 0.1)
    assert precision >= 0.85
    assert recall >= 0.85


def fly_drawn(segments, *, fps=30, gap=()):
    """A track of pieces, each (frames, start, velocity per frame, pull per frame^2)."""
    pieces = []
    for frames, start, velocity, pull in segments:
        t = np.arange(frames)[:, None]
        pieces.append(np.array(start) + t * np.array(velocity) + t**2 * np.array(pull) / 2)
    xy = np.concatenate(pieces)
    seen = ~np.isin(np.arange(len(xy)), list(gap))
    return Track.from_positions(*xy.T, seen, time=np.arange(len(xy)) / fps)


LOB = (40, (300.0, 500.0), (8.0, -16.0), (0.0, 0.8))


def test_a_flight_alone_is_one_hit():
    (event,) = find_events(fly_drawn([LOB]), SIZE, SPORTS["tennis"]).events
    assert (event.kind, event.frame) == (HIT, 0)


def test_no_flight_goes_on_across_a_cut():
    cut = 20.5 / 30
    found = find_events(fly_drawn([LOB]), SIZE, SPORTS["tennis"], cuts=[cut])
    assert [event.kind for event in found.events] == [HIT, HIT]
    assert found.events[1].time == pytest.approx(cut, abs=1e-6)
    assert [(s.first, s.last) for s in found.segments] == [(0, 20), (0, 18)]
    assert len(found.views) == 2


def test_progress_counts_every_position_once():
    back = (30, (620.0, 500.0), (-14.0, -14.0), (0.0, 0.8))
    track = fly_drawn([LOB, back])
    later = Track.from_positions(
        track.x, track.y, track.visibility, time=track.time + np.where(track.time > 1, 9, 0)
    )
    told = []
    find_events(later, SIZE, SPORTS["tennis"], progress=told.append)
    assert told == [31, 39]


def test_a_hole_in_a_flight_is_no_event():
    track = fly_drawn([LOB], gap=range(12, 24))
    assert len(find_events(track, SIZE, SPORTS["tennis"]).events) == 1


def test_a_hit_in_a_hole_is_placed_where_the_flights_meet():
    back = (30, (620.0, 500.0), (-14.0, -14.0), (0.0, 0.8))
    track = fly_drawn([LOB, back], gap=range(36, 43))
    events = find_events(track, SIZE, SPORTS["tennis"]).events
    assert [event.kind for event in events] == [HIT, HIT]
    assert abs(events[1].frame - 40) <= 1
    assert np.hypot(events[1].x - 620, events[1].y - 500) < 15


def test_a_ball_that_lies_there_has_landed():
    lying = (20, (620.0, 500.0), (0.0, 0.0), (0.0, 0.0))
    found = find_events(fly_drawn([LOB, lying]), SIZE, SPORTS["volleyball"])
    assert [event.kind for event in found.events] == [HIT, LANDING]
    assert found.events[1].time == pytest.approx(40 / 30, abs=TWO_FRAMES)
    (rally,) = found.rallies
    assert rally.finished
    assert rally.strokes == 1
    assert (rally.start, rally.end) == (found.events[0].time, found.events[1].time)


def test_a_ball_that_is_carried_is_not_hit():
    carried = (60, (600.0, 500.0), (0.5, 0.2), (0.0, 0.0))
    assert find_events(fly_drawn([carried]), SIZE, SPORTS["tennis"]).events == ()


def test_bounces_are_told_from_hits_in_tennis():
    real = [event for event in simulate("tennis", 1).events if event.kind == BOUNCE]
    found = [event for event in read_rally("tennis").events if event.kind == BOUNCE]
    assert count_matches(real, found, TWO_FRAMES) == len(real) > 3


def test_a_rally_begins_where_it_does_and_what_is_over_in_a_second_is_none():
    rally = simulate("badminton", 1)
    landing = next(event for event in rally.events if event.kind == LANDING)
    assert landing.time - rally.events[0].time < 1
    found = read_rally("badminton")
    assert all(event.rally == 0 for event in found.events if event.time < landing.time + 0.1)
    after = next(event for event in rally.events if event.time > landing.time)
    (only,) = found.rallies
    assert only.start == pytest.approx(after.time, abs=TWO_FRAMES)
    assert not only.finished


def test_a_false_detection_far_off_is_no_event():
    track = fly_drawn([LOB])
    track.x[20], track.y[20] = 1200.0, 60.0
    assert len(find_events(track, SIZE, SPORTS["tennis"]).events) == 1


def test_repaired_positions_make_no_events():
    track = fly_drawn([LOB])
    track.x[15:20] += 40
    track.status[15:20] = REPAIRED
    assert len(find_events(track, SIZE, SPORTS["tennis"]).events) == 1


def test_a_slow_shot_between_two_hits_is_not_down():
    real = [event.time for event in simulate("badminton", 1).events if 5 < event.time < 6]
    found = [event for event in read_rally("badminton").events if 5 < event.time < 6]
    assert [event.kind for event in found] == [HIT] * 3
    assert [event.time for event in found] == pytest.approx(real, abs=TWO_FRAMES)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_a_track_without_a_flight_has_no_rallies(frames):
    nothing = np.full(frames, np.nan)
    track = Track.from_positions(nothing, nothing, np.zeros(frames), time=np.arange(frames) / 30)
    found = find_events(track, SIZE, SPORTS["badminton"])
    assert (found.events, found.rallies) == ((), ())


def test_noise_is_estimated_from_the_positions():
    rng = np.random.default_rng(0)
    time = np.arange(400) / 30
    path = np.stack([300 * time, 200 + 100 * np.sin(time)], axis=1)
    for noise in (1.5, 4.0):
        noisy = path + rng.normal(0, noise, path.shape)
        assert estimate_error(time, noisy, 0.1) == pytest.approx(noise, rel=0.15)
    assert estimate_error(time, path, 0.7) == 0.7


def test_a_known_camera_is_used_as_it_is():
    view = View.of_broadcast(SIZE, SPORTS["tennis"], zoom=2.2, pitch=0.1)
    assert find_events(fly_drawn([LOB]), SIZE, SPORTS["tennis"], view=view).views == (view,)


def test_written_events_are_read_back(tmp_path):
    events = [Event(0.5, 15, HIT, 10.25, 20.5, 0.75, 1), Event(1.0, 30, BOUNCE, np.nan, np.nan)]
    write_events(events, tmp_path / "events.csv")
    first, second = read_events(tmp_path / "events.csv")
    assert first == events[0]
    assert second[:3] == events[1][:3]
    assert np.isnan(second.x)


EVENTS = "Time,Frame,Kind,X,Y,Score,Rally,PeakSpeed\n0.5,15,hit,10.25,20.5,0.75,1,900\n"


@pytest.mark.parametrize(
    "content",
    [
        EVENTS,
        EVENTS.upper().replace("HIT", "hit"),
        EVENTS.replace(",", ";").replace(".", ","),
        EVENTS.encode("utf-16"),
        "\ufeff" + EVENTS,
    ],
)
@pytest.mark.filterwarnings("ignore:.*decimal commas")
def test_events_are_read_as_spreadsheets_save_them(tmp_path, content):
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "events.csv").write_bytes(data)
    assert read_events(tmp_path / "events.csv") == [Event(0.5, 15, HIT, 10.25, 20.5, 0.75, 1)]


def test_an_event_that_was_cut_off_is_left_out(tmp_path):
    (tmp_path / "events.csv").write_text(EVENTS + "0.75,22,hit,1")
    with pytest.warns(UserWarning, match="its last line is incomplete"):
        assert len(read_events(tmp_path / "events.csv")) == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("nan,1,hit,1,1,1,1,", "line 3 is not a valid event: expected a finite time"),
        ("inf,1,hit,1,1,1,1,", "expected a finite time"),
        ("1,-1,hit,1,1,1,1,", "frame and rally of at least 0"),
        ("1,1.5,hit,1,1,1,1,", "invalid literal"),
        ("1,1,smash,1,1,1,1,", "kind is 'smash', expected one of hit, bounce, landing"),
        ("1,1,hit,inf,1,1,1,", "expected a position in pixels"),
        ("1,1,hit,1,1,7,1,", "a score from 0 to 1"),
        ("1,1,hit", "line 3 has 3 cells, but the header has 8"),
    ],
)
def test_what_is_no_event_is_refused_by_its_line(tmp_path, row, said):
    (tmp_path / "events.csv").write_text(f"{EVENTS}{row}\n")
    with pytest.raises(InputError, match=said):
        read_events(tmp_path / "events.csv")


def test_another_file_is_no_file_of_events(tmp_path):
    (tmp_path / "track.csv").write_text("Frame,Visibility,X,Y\n0,1,2,3\n")
    with pytest.raises(InputError, match="not an events file"):
        read_events(tmp_path / "track.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_events(tmp_path / "missing.csv")
