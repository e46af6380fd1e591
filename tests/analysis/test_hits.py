from dataclasses import replace

import numpy as np
import pytest
from helpers_rallies import SIZE, simulate

from keras_tracknet.analysis.court.calibration import Mark, calibrate_court
from keras_tracknet.analysis.events import find_events
from keras_tracknet.analysis.flight.camera import View
from keras_tracknet.analysis.flight.chain import MOMENT_SPREAD
from keras_tracknet.analysis.flight.flights import Flight
from keras_tracknet.analysis.flight.meetings import Meeting
from keras_tracknet.analysis.flight.segments import Segment
from keras_tracknet.analysis.hits import drop_doubles, is_in_picture, is_in_reach, measure_change
from keras_tracknet.analysis.peaks import is_possible, measure_peak
from keras_tracknet.sports import SPORTS
from keras_tracknet.tracks.event_table import BOUNCE, HIT, Event
from keras_tracknet.tracks.track import Track

BADMINTON, TENNIS = SPORTS["badminton"], SPORTS["tennis"]
VIEW = View.of_broadcast(SIZE, BADMINTON)


def hit(time, score=0.9, x=0.0, y=0.0, kind=HIT):
    return Event(time, round(time * 30), kind, x, y, score)


@pytest.mark.parametrize(
    ("sport", "events", "kept"),
    [
        (BADMINTON, [hit(1.0), hit(1.19)], [1.0]),  # of equally clear ones the first
        (BADMINTON, [hit(1.0, 0.5), hit(1.1, 0.9)], [1.1]),
        (BADMINTON, [hit(1.0, 0.5), hit(1.1, 0.9), hit(1.25, 0.8)], [1.1]),
        (BADMINTON, [hit(1.0), hit(1.21)], [1.0, 1.21]),
        (TENNIS, [hit(1.0), hit(1.3)], [1.0]),  # across a longer court
        (TENNIS, [hit(1.0), hit(1.1, kind=BOUNCE), hit(1.5)], [1.0, 1.1, 1.5]),
        (TENNIS, [hit(1.0, 0.5), hit(1.1, kind=BOUNCE), hit(1.2)], [1.1, 1.2]),
        (TENNIS, [], []),
    ],
)
def test_hits_are_further_apart_than_players_can_hit(sport, events, kept):
    assert [event.time for event in drop_doubles(events, sport)] == kept


@pytest.mark.parametrize(
    ("place", "inside"),
    [((640, 5), True), ((640, -10), True), ((640, -44), False), ((1300, 300), False)],
)
def test_a_hit_is_in_the_picture(place, inside):
    assert is_in_picture(place, SIZE) == inside


def meet(before, after):
    """Two flights that meet 22 metres away; velocities in m/s to the right and down."""
    parts = []
    for velocity, span in ((before, (0.0, 0.5)), (after, (0.5, 1.0))):
        state = np.array([0.0, 0.0, VIEW.distance, *velocity, 0.0, 0.0])
        parts.append(Flight(0.5, 0.5, state, 0.0, BADMINTON, VIEW))
        parts[-1] = Segment(0, 9, *span, parts[-1], np.full((2, 2), np.nan), 0.0)
    return Meeting(*parts, 0.5, np.zeros(2), True)


def test_the_change_of_velocity_is_in_metres_per_second():
    assert measure_change(meet((3.0, 4.0), (-3.0, -4.0)), VIEW) == pytest.approx(10, rel=0.02)
    assert measure_change(meet((3.0, 4.0), (3.0, 4.0)), VIEW) == pytest.approx(0, abs=0.01)


@pytest.fixture(scope="module")
def rally():
    return simulate("tennis", 1)


@pytest.fixture(scope="module")
def court(rally):
    marks = []
    for name in ("near_left", "near_right", "far_left", "far_right"):
        place = TENNIS.landmarks[name]
        marks.append(Mark(name, *rally.camera.project(np.array([*place, 0.0])), *place))
    return calibrate_court(marks, SIZE, "tennis")


@pytest.mark.parametrize(
    ("place", "reached"),
    [
        ((0.0, 0.0, 1.0), True),
        ((-3.0, -13.0, 2.8), True),  # a serve
        ((3.0, 17.0, 1.0), True),  # far behind the baseline
        ((0.0, 45.0, 1.0), False),  # in the stands
        ((0.0, 20.0, 14.0), False),  # a lob at its top
        ((25.0, 11.0, 1.0), False),  # a ball boy
    ],
)
def test_a_hit_is_in_reach_of_a_player(rally, court, place, reached):
    assert is_in_reach(rally.camera.project(np.array(place)), court) == reached


def test_a_court_of_no_sport_reaches_everywhere(court):
    assert is_in_reach((640.0, 10.0), replace(court, sport="custom"))


def test_every_hit_of_a_rendered_rally_is_in_reach(rally, court):
    assert all(is_in_reach((e.x, e.y), court) for e in rally.events if e.kind == HIT)


def test_a_lob_that_is_lost_above_the_picture_has_no_hit_there():
    t = np.arange(70)[:, None]
    up = (500.0, 400.0) + t[:30] * (5.0, -40.0) + t[:30] ** 2 * (0.0, 0.6)
    down = np.array([(650.0 + 2 * k, -100.0 + 22 * k) for k in range(22)])
    xy = np.concatenate([up, down])
    track = Track.from_positions(*xy.T, xy[:, 1] > 0, time=np.arange(len(xy)) / 30)
    events = find_events(track, SIZE, BADMINTON).events
    assert all(event.y > -15 for event in events)


def fly(speed, seconds, *, start=0.0, rate=30, decay=0.0):
    """Times and positions of a ball to the right, whose speed halves every `1 / decay` seconds."""
    times = np.arange(1, round(seconds * rate)) / rate
    way = speed * (times if not decay else (1 - 2 ** (-decay * times)) / (decay * np.log(2)))
    return start + times, np.stack([100 + way, np.full_like(way, 300.0)], axis=1)


def test_a_peak_is_the_mean_speed_over_a_fifth_of_a_second():
    times, places = fly(900.0, 1.0, start=0.01)
    peak, error = measure_peak(times, places, hit(0.0, x=110.0, y=300.0), None, 1.5, 1 / 30)
    assert peak == pytest.approx(900, rel=1e-6)
    assert error == pytest.approx(2**0.5 * 1.5 / 0.2, rel=1e-6)


def test_a_peak_from_the_hit_on_is_less_sure_as_its_time_is():
    times, places = fly(900.0, 1.0, decay=3.0)
    peak, error = measure_peak(times, places, hit(0.0, x=100.0, y=300.0), None, 1.5, 1 / 30)
    slower = peak * (1 - 2**-0.1)  # when it begins a frame later
    assert error == pytest.approx(np.hypot(2**0.5 * 1.5 / 0.2, slower * MOMENT_SPREAD), rel=1e-6)


@pytest.mark.parametrize("speed", [600.0, 2400.0])
@pytest.mark.parametrize("error", [0.7, 2.0])
def test_the_error_of_a_peak_is_one_standard_deviation(speed, error):
    """Two of three peaks are that close to the truth, if positions and moments are so unsure."""
    rng, step, decay, inside = np.random.default_rng(3), 1 / 30, 6.0, []

    def way(times):
        return speed * (1 - 2 ** (-decay * times)) / (decay * np.log(2))

    truth = way(0.2) / 0.2
    for _ in range(600):
        times = np.arange(1, 30) * step - rng.uniform(0, step)
        places = np.stack([100 + way(times), np.full_like(times, 300.0)], axis=1)
        places += rng.normal(0, error, places.shape)
        late = rng.normal(0, MOMENT_SPREAD * step)
        place = 100 + way(late) + rng.normal(0, error)  # where the flight is at that moment
        event = hit(late, x=place, y=300.0)
        peak, spread = measure_peak(times, places, event, None, error, step)
        inside.append(abs(peak - truth) <= spread)
    assert 0.60 <= np.mean(inside) <= 0.76


def test_a_peak_hardly_changes_where_the_first_pictures_are_missing():
    times, places = fly(2400.0, 1.0, decay=6.0)
    event = hit(0.0, x=100.0, y=300.0)
    whole, _ = measure_peak(times, places, event, None, 1.5, 1 / 30)
    some, _ = measure_peak(times[3:], places[3:], event, None, 1.5, 1 / 30)
    assert some == pytest.approx(whole, rel=0.01)
    assert whole == pytest.approx((1 - 2**-1.2) / (6 * np.log(2)) * 2400 / 0.2, rel=0.01)


def test_no_peak_is_measured_across_a_long_gap():
    times, places = fly(300.0, 1.5)
    places[times > 0.9, 0] += 2000.0  # seen again far away
    seen = (times < 0.5) | (times > 0.9)
    event = hit(0.0, x=100.0, y=300.0)
    peak, _ = measure_peak(times[seen], places[seen], event, None, 1.5, 1 / 30)
    assert peak == pytest.approx(300, rel=1e-6)


@pytest.mark.parametrize("seconds", [0.04, 0.09])
def test_a_short_flight_has_no_peak(seconds):
    times, places = fly(300.0, 1.0)
    end = hit(seconds, x=100 + 300 * seconds, y=300.0)
    event = hit(0.0, x=100.0, y=300.0)
    assert np.isnan(measure_peak(times, places, event, end, 1.5, 1 / 30)).all()


def test_what_is_faster_than_any_ball_is_impossible():
    pixels_per_metre = VIEW.focal / VIEW.distance
    assert is_possible(100 * pixels_per_metre, BADMINTON, VIEW)
    assert not is_possible(160 * pixels_per_metre, BADMINTON, VIEW)
    assert not is_possible(100 * pixels_per_metre, TENNIS, VIEW)
