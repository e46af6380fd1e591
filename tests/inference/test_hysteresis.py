import math

import numpy as np
import pytest

from keras_tracknet.inference.hysteresis import CONTEXT, REACH, Sighting, confirm_faint
from keras_tracknet.tracks.tables import ABSENT, DETECTED
from keras_tracknet.tracks.track import TrackRow

HEIGHT = 720  # of the source; a faint ball may be 5 pixels from where it is looked for


def sight(line, places=None):
    """Sightings of a line of `o` (clear), `-` (faint) and `.` (nothing), moving evenly."""
    nothing = (math.nan, math.nan)
    for frame, sign in enumerate(line):
        place = (100.0 + 10 * frame, 200.0) if places is None else places[frame]
        x, y = place if sign == "o" else nothing
        row = TrackRow(frame, x, y, 0.9, DETECTED if sign == "o" else ABSENT, frame / 30)
        yield Sighting(row, *(place if sign == "-" else nothing), HEIGHT)


def show(rows):
    """The line of a track: `o` where there is a position."""
    return "".join("o" if row.visible else "." for row in rows)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", ""),
        ("oo..oo", "oo..oo"),  # nothing is invented
        ("------", "......"),  # what is faint alone is nothing
        ("o-----", "o....."),  # one position has no direction
        ("oo----", "oooooo"),  # forwards
        ("----oo", "oooooo"),  # backwards
        ("oo-.-oo", "ooo.ooo"),  # a frame is missing on the way
        ("oo...-.", "oo....."),  # nothing tells any more where it is
        ("oo" + "-" * (REACH + 1), "oo" + "o" * REACH + "."),  # not for ever
        ("o..o-", "o..o."),  # too far apart to tell where it goes
        ("o.o-.-", "o.oo.o"),
    ],
)
def test_faint_sightings_count_where_a_flight_leads_to_them(line, expected):
    rows = list(confirm_faint(sight(line)))
    assert show(rows) == expected
    assert [row.frame for row in rows] == list(range(len(line)))
    assert {row.status for row in rows if row.visible} <= {DETECTED}


@pytest.mark.parametrize(("away", "found"), [(0, True), (5.5, True), (7, False)])
def test_a_faint_sighting_off_the_flight_is_none(away, found):
    # 10 pixels of way add 1 to the 5 that are allowed.
    places = [(0, 0), (10, 0), (20, away)]
    row = list(confirm_faint(sight("oo-", places)))[-1]
    assert row.visible == found
    if found:
        assert (row.x, row.y, row.status) == (20, away, DETECTED)


def test_a_ball_that_turns_is_not_followed_past_the_turn():
    places = [(0, 0), (10, 0), (20, 0), (30, 0), (20, 0), (10, 0)]
    assert show(confirm_faint(sight("oo----", places))) == "oooo.."


@pytest.mark.parametrize(
    ("line", "cut", "expected"),
    [("oo----", 4, "oooo.."), ("----oo", 2, "..oooo"), ("oo--oo", 3, "oooooo")],
)
def test_no_flight_leads_across_a_cut(line, cut, expected):
    sightings = [s._replace(shot=cut if s.row.frame >= cut else 0) for s in sight(line)]
    assert show(confirm_faint(sightings)) == expected


def test_clear_rows_stay_as_they_are():
    line = "oo--..oo-o"
    given = [sighting.row for sighting in sight(line)]
    for before, after in zip(given, confirm_faint(sight(line)), strict=True):
        if before.visible:
            assert before == after


def test_a_row_comes_as_soon_as_its_context_is_seen():
    asked = []

    def count():
        for sighting in sight("oo--" * 20):
            asked.append(sighting.row.frame)
            yield sighting

    waited = [asked[-1] - row.frame for row in confirm_faint(count())]
    assert max(waited) == CONTEXT
    assert waited[:2] == [0, 0]  # clear ones do not wait


def test_rows_do_not_depend_on_where_the_stream_begins():
    rng = np.random.default_rng(0)
    line = "".join(rng.choice(list("oo--."), 200))
    whole = list(confirm_faint(sight(line)))
    for first in (30, 77, 140):
        later = [s for s in sight(line) if s.row.frame >= first - CONTEXT]
        rows = [row for row in confirm_faint(later) if row.frame >= first]
        assert show(rows) == show(whole[first:])
