import numpy as np
import pytest

from keras_tracknet.analysis.flight.segments import Segment
from keras_tracknet.analysis.rallies import group_rallies
from keras_tracknet.sports import SPORTS
from keras_tracknet.tracks.event_table import BOUNCE, HIT, LANDING, Event


def make_events(text):
    """`h0.5 b1.0`: kinds by their letters, and seconds."""
    kinds = {"h": HIT, "b": BOUNCE, "l": LANDING}
    return [Event(float(w[1:]), 0, kinds[w[0]], 0.0, 0.0) for w in text.split()]


def make_segments(*spans):
    flown = object()  # that there is a flight is all that counts
    return [Segment(0, 1, a, b, flown, np.zeros((2, 2)), 0.0) for a, b in spans]


@pytest.mark.parametrize(
    ("sport", "events", "spans", "numbers", "ends"),
    [
        # From serve to landing.
        ("badminton", "h0 h1 l2", [(0, 1), (1, 2)], [1, 1, 1], [2]),
        # A landing ends a rally, however soon the next begins.
        ("badminton", "h0 l1 h1.5", [(0, 1), (1.5, 2.5)], [1, 1, 2], [1, 2.5]),
        # Nothing flies for a while.
        ("badminton", "h0 h3", [(0, 1), (3, 4)], [1, 2], [1, 4]),
        # The ball is out of sight for a moment.
        ("badminton", "h0 h1.5", [(0, 1), (1.5, 2)], [1, 1], [2]),
        # One bounce is play, the second is the end, what comes then is nothing.
        ("tennis", "h0 b1 h2 b3 b4 b5", [(0, 5)], [1, 1, 1, 1, 1, 0], [4]),
        # What seems to bounce in volleyball, and is played on, was a hit.
        ("volleyball", "h0 b1 h2 b3", [(0, 3)], [1, 1, 1, 1], [3]),
        # Nothing has been served yet.
        ("tennis", "b1 h2", [(0, 3)], [0, 1], [3]),
        ("tennis", "", [], [], []),
    ],
)
def test_events_are_grouped(sport, events, spans, numbers, ends):
    found, rallies = group_rallies(make_events(events), make_segments(*spans), SPORTS[sport])
    assert [event.rally for event in found] == numbers
    assert [rally.end for rally in rallies] == ends
    assert [rally.number for rally in rallies] == list(range(1, len(ends) + 1))


def test_a_bounce_in_volleyball_is_a_landing_unless_play_goes_on():
    found, _ = group_rallies(
        make_events("h0 b1 h2 b3"), make_segments((0, 3)), SPORTS["volleyball"]
    )
    assert [event.kind for event in found] == [HIT, HIT, HIT, LANDING]


def test_a_rally_counts_its_shots_and_knows_its_end():
    _, (rally,) = group_rallies(
        make_events("h0 b1 h2 b3 b4"), make_segments((0, 4)), SPORTS["tennis"]
    )
    assert rally.strokes == 2
    assert rally.finished


@pytest.mark.parametrize(
    ("events", "ends", "count"),
    [
        ("h0 l0.9", [], 0),  # over in less than a second
        ("h0 h0.4", [], 0),
        ("h0 h0.4", [1.0], 1),  # the picture ends with it
        ("h0 h0.4", [1.5], 0),
        ("h0 l0.9", [1.0], 0),
        ("h0 h0.5 l1.1", [], 1),
    ],
)
def test_a_rally_lasts_a_second_unless_the_picture_ends(events, ends, count):
    found, rallies = group_rallies(
        make_events(events), make_segments((0, 0.9)), SPORTS["badminton"], ends=ends
    )
    assert len(rallies) == count
    assert {event.rally for event in found} == ({1} if count else {0})


def test_rallies_are_numbered_without_those_that_are_none():
    events, spans = "h0 l0.4 h2 h3 l3.5", [(0, 0.4), (2, 3.5)]
    found, (rally,) = group_rallies(make_events(events), make_segments(*spans), SPORTS["badminton"])
    assert [event.rally for event in found] == [0, 0, 1, 1, 1]
    assert (rally.number, {event.rally for event in rally.events}) == (1, {1})
