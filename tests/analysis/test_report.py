import datetime
import itertools
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers_clips import write_video
from helpers_rallies import SIZE, analyze_truly

from keras_tracknet.analysis.analysis import analyze_track
from keras_tracknet.analysis.report.charts import (
    Bar,
    choose_ticks,
    draw_bars,
    draw_chart,
    spread_labels,
)
from keras_tracknet.analysis.report.floor import Floor
from keras_tracknet.analysis.report.page import Heading, link_file, write_report
from keras_tracknet.analysis.shots import describe_call, describe_clock, describe_value, list_shots
from keras_tracknet.sports import SPORTS
from keras_tracknet.tracks.event_table import BOUNCE, Event
from keras_tracknet.tracks.track import Track

TENNIS = SPORTS["tennis"]


@pytest.fixture(scope="module")
def analysis():
    return analyze_truly(1)


class Outline(HTMLParser):
    """Collects what a page loads, its links, its text and the cells of its tables."""

    def __init__(self):
        super().__init__()
        self.loaded, self.links, self.open, self.text, self.tables = [], [], [], "", []
        self.in_cell = False

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        found = dict(attributes)
        if tag == "a":
            self.links.append(found["href"])
        else:
            self.loaded += [v for k, v in attributes if k in ("src", "href") and v]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag):
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        self.text += data
        if self.in_cell:
            self.tables[-1][-1][-1] += data.strip()


def read(path):
    outline = Outline()
    outline.feed(path.read_text(encoding="utf-8"))
    return outline


def write(analysis, folder, title="a match", **settings):
    path = folder / "report.html"
    write_report(analysis, path, Heading(title, "tennis-v3"), **settings)
    return path


def test_the_report_needs_nothing_but_itself(analysis, tmp_path):
    page = write(analysis, tmp_path, "a <match> & more")
    outline, text = read(page), page.read_text()
    assert outline.loaded
    assert all(address.startswith("data:") for address in outline.loaded)
    assert "script" not in outline.open  # there is no video to jump in
    assert "http" not in text
    assert "<title>a &lt;match&gt; &amp; more</title>" in text
    for heading in ("Rallies", "Players", "How good the data are"):
        assert f"<h2>{heading}</h2>" in text


def test_the_page_says_sport_date_and_weights(analysis, tmp_path):
    heading = Heading("a match", "tennis-v3", "timestamps of the track", datetime.date(2026, 3, 9))
    write_report(analysis, tmp_path / "report.html", heading)
    text = read(tmp_path / "report.html").text
    assert "Tennis · analysed on 9 March 2026 · ball tracked with tennis-v3" in text
    visible = f"{100 * analysis.track.visibility.mean():.0f}"
    assert f"Ball visible in {visible} % of {len(analysis.track)} frames" in text


def test_numbers_in_the_page_are_those_of_the_analysis(analysis, tmp_path):
    outline = read(write(analysis, tmp_path))
    overview, *rest = outline.tables
    cards = rest[: len(analysis.rallies)]
    assert [row[0] for row in overview[1:]] == [str(r.number) for r in analysis.rallies]
    assert [row[3] for row in overview[1:]] == [str(r.strokes) for r in analysis.rallies]
    endings = [row[5] for row in overview[1:]]
    assert endings == [
        "bounce, in" if rally.finished else "end not seen" for rally in analysis.rallies
    ]
    rows = [row for card in cards for row in card[1:]]
    assert len(rows) == len(analysis.strokes) >= 5  # every shot is on the page
    for row, stroke in zip(rows, analysis.strokes, strict=True):
        number, time, player, kind, speed, net, _ = row
        assert number.rstrip("?").isdecimal()
        assert number.endswith("?") == (stroke.event.score < 0.75)
        assert time == describe_clock(stroke.event.time)
        assert player == stroke.player
        assert kind == stroke.kind + stroke.zone
        flight = stroke.flight
        assert speed == f"{flight.speed_kmh:.0f} ± {flight.speed_error:.0f}"
        assert net == "0.80 ± 0.05"
    fastest = max(stroke.flight.speed_kmh for stroke in analysis.strokes)
    assert f"{fastest:.0f} ± " in outline.text.split("Rallies")[0]


def test_an_uncertain_speed_is_no_record(analysis, tmp_path):
    first, second, *_ = sorted(analysis.strokes, key=lambda s: -s.flight.speed_kmh)
    loose = replace(first.flight, speed_error=0.3 * first.flight.speed_kmh)
    strokes = tuple(replace(s, flight=loose) if s is first else s for s in analysis.strokes)
    outline = read(write(replace(analysis, strokes=strokes), tmp_path))
    facts = outline.text.split("Rallies")[0]
    assert f"{second.flight.speed_kmh:.0f} ± " in facts
    assert f"{first.flight.speed_kmh:.0f} ± " not in facts
    assert f"{first.flight.speed_kmh:.0f} ± " in outline.text  # it is in its rally's table


def test_every_shot_has_its_number_on_the_picture_and_on_the_court(analysis, tmp_path):
    text = write(analysis, tmp_path).read_text()
    per_card = [card.count('class="label"') for card in text.split('class="card"')[1:]]
    assert per_card == [2 * rally.strokes for rally in analysis.rallies]


def test_nothing_is_hidden_on_paper(analysis, tmp_path):
    text = write(analysis, tmp_path).read_text()
    assert "size: A4" in text
    assert "overflow-y" not in text  # what scrolls is cut off on paper
    assert "max-height: 30em" in text
    assert "table-header-group" in text


def test_a_known_shot_is_where_the_truth_is(analysis):
    shots = [shot for own in list_shots(analysis).values() for shot in own]
    for shot in shots:
        if shot.contact is not None:
            np.testing.assert_allclose(shot.target, shot.contact.place)
        side = shot.origin[1]
        assert (side < 0) == (shot.stroke.player == "near")


def test_times_lead_to_moments_of_the_video(analysis, tmp_path):
    video = write_video(tmp_path / "clip.mp4", 8)
    folder = tmp_path / "runs" / "a folder"
    folder.mkdir(parents=True)
    slowed = analysis.velocity.time * 4  # played slowly
    small = replace(analysis, size=(36, 64))
    outline = read(write(small, folder, video=video, shown=slowed))
    assert "../../clip.mp4" in outline.loaded
    assert outline.open.count("script") == 1
    moments = [link for link in outline.links if link.startswith("#t=")]
    first = analysis.strokes[0].event.time
    assert f"#t={4 * first:.2f}" in moments
    assert len(moments) == 2 * len(analysis.rallies) + len(analysis.strokes)


def test_the_video_is_linked_relative_to_the_page(tmp_path):
    video = tmp_path / "a #1 & 50% ü.mp4"
    folder = tmp_path / "runs"
    folder.mkdir()
    assert link_file(video, folder) == "../a%20%231%20%26%2050%25%20%C3%BC.mp4"


def test_hostile_names_are_shown_and_never_run(analysis, tmp_path):
    hostile = """<script>alert("1")</script>' onload='alert(2)"""
    write_report(analysis, tmp_path / "report.html", Heading(hostile, hostile, hostile))
    outline = read(tmp_path / "report.html")
    assert "script" not in outline.open
    assert outline.text.count(hostile) == 4  # the title, the heading, the weights and the times


def test_a_name_that_is_no_text_is_a_title(analysis, tmp_path):
    page = write(analysis, tmp_path, "m\udcffx")
    assert "<h1>m?x</h1>" in page.read_text(encoding="utf-8")


def test_a_report_without_court_and_rallies_says_so(tmp_path):
    nothing = np.full(3, np.nan)
    track = Track.from_positions(nothing, nothing, np.zeros(3), time=np.arange(3) / 25)
    outline = read(write(analyze_track(track, SIZE, TENNIS), tmp_path))
    assert "The court is not marked" in outline.text
    assert "No rally was found." in outline.text
    assert not outline.tables


def test_without_flights_the_page_claims_no_speed(analysis, tmp_path):
    bare = tuple(
        replace(stroke, flight=None, kind="", player="", zone="") for stroke in analysis.strokes
    )
    outline = read(write(replace(analysis, strokes=bare, court=None, contacts=()), tmp_path))
    rows = [row for table in outline.tables[1:] for row in table[1:]]
    assert len(rows) == len(bare)
    for row, stroke in zip(rows, bare, strict=True):
        assert row[2] == f"{stroke.peak:.0f} ± {stroke.peak_error:.0f}"
    assert "km/h" not in "".join(cell for table in outline.tables for row in table for cell in row)
    assert "Players" not in outline.text


@pytest.mark.parametrize(
    ("place", "error", "call"),
    [
        ((0.0, 3.0), 0.3, "in"),
        ((5.4, 3.0), 0.05, "in"),
        ((5.6, 3.0), 0.05, "out"),
        ((5.45, 3.0), 0.1, "too close to call"),
        ((0.0, 12.5), 0.2, "out"),
    ],
)
def test_a_ball_is_called_out_only_where_the_error_allows(analysis, place, error, call):
    contact = replace(analysis.contacts[0], place=np.array(place), error=error)
    assert describe_call(contact, "tennis") == call


def test_values_are_shown_with_their_error():
    assert describe_value(312.4, 9.3) == "312 ± 9"
    assert describe_value(-0.256, 0.1, 2) == "\N{MINUS SIGN}0.26 ± 0.10"
    assert describe_value(1.0, math.nan) == "1"
    assert describe_value(math.nan, 2.0) == "\N{EN DASH}"


def test_an_out_ball_is_inside_the_drawing(analysis):
    far = np.array([[9.5, 13.0]])  # 4 m beside the court
    floor = Floor(analysis.court, far)
    x, y = floor.see(far[0])
    assert 10 < x < floor.size[1] - 10
    assert 10 < y < floor.size[0] - 10
    # The far end is up, right is right.
    assert floor.see(np.array([0.0, 11.0]))[1] < floor.see(np.array([0.0, -11.0]))[1]
    assert floor.see(np.array([3.0, 0.0]))[0] > floor.see(np.array([-3.0, 0.0]))[0]


def test_a_ball_that_flew_away_does_not_shrink_the_court(analysis):
    floor = Floor(analysis.court, np.array([[400.0, 0.0]]))
    assert floor.scale > 6
    assert floor.see(np.array([400.0, 0.0]))[0] <= floor.size[1]


def test_numbers_never_cover_each_other():
    places = np.array([[100.0, 100.0]] * 5 + [[108.0, 100.0]] * 4)
    spots = spread_labels(places, 10)
    apart = np.linalg.norm(spots[:, None] - spots, axis=-1)[np.triu_indices(9, 1)]
    assert apart.min() >= 20 - 1e-3
    np.testing.assert_array_equal(spots[0], places[0])


def read_texts(svg):
    """The x, anchor and text of the lowest row of a chart's numbers."""
    found = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" class="(\w+)">([^<]*)', svg)
    low = max(float(y) for _, y, _, _ in found)
    return [(float(x), anchor, text) for x, y, anchor, text in found if float(y) == low]


@pytest.mark.parametrize("span", [(0.0, 1.3), (0.01, 59.9), (100.0, 163.0), (3600.0, 3601.0)])
def test_ticks_do_not_overprint(span):
    times = np.linspace(*span, 50)
    texts = read_texts(draw_chart(times, times, span, top=span[1]))
    ends = []
    for x, anchor, text in texts:
        wide = 5.6 * len(text)  # pixels, at 10 px a letter
        left = x - {"start": 0, "middle": 0.5, "end": 1}[anchor] * wide
        ends.append((left, left + wide))
    assert len(ends) >= 2
    assert all(a[1] < b[0] for a, b in itertools.pairwise(ends))
    assert ends[0][0] >= 0
    assert ends[-1][1] <= 640


def test_bars_are_as_high_as_their_values():
    bars = [Bar("1", 100, 5, "red", "a"), Bar("2", math.nan, math.nan, "red", "b")]
    svg = draw_bars([*bars, Bar("3", 200, 10, "red", "c")])
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" fill', svg)]
    assert len(heights) == 2
    assert heights[1] == pytest.approx(2 * heights[0], rel=0.01)
    assert [text for _, _, text in read_texts(svg)] == ["1", "2", "3"]


def test_ticks_are_round():
    assert choose_ticks(0, 1, 4) == [0, 0.5, 1]
    assert choose_ticks(5, 5, 4) == [5]


def test_an_uncertain_bounce_of_a_custom_court_is_not_called(analysis):
    contact = replace(analysis.contacts[0], event=Event(1.0, 25, BOUNCE, 5, 5))
    assert describe_call(contact, "custom") == ""
