import threading
import weakref
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers_trackers import SIZE, WINDOWS, dot_of, make_tracker, paint, show_frames

from keras_tracknet.errors import InputError
from keras_tracknet.inference import tracker as trackers
from keras_tracknet.inference.stages import read_ahead
from keras_tracknet.tracks.tables import ABSENT, DETECTED
from keras_tracknet.video.reader import Frame

SOURCE = Path("clip.mp4")  # never opened where frames come from `show`
FLIGHT = "ooo--o.ooo---ooooo----------.oo-o-oo-o"  # clear, faint and hidden


@pytest.fixture
def show(monkeypatch):
    """Return a function that makes every video consist of the pictures it is given."""
    return partial(show_frames, monkeypatch)


# --- one row for every frame, whatever the window


@pytest.mark.parametrize("mode", ["fast", "balanced", "accurate"])
@pytest.mark.parametrize("window", WINDOWS)
def test_every_frame_has_its_own_row(show, window, mode):
    tracker = make_tracker(window, mode)
    length = tracker.spec.frames
    radius = 3 if window == "v1" else 2  # V1 looks for circles
    for count in (1, 2, length - 1, length, length + 1, 2 * length, 3 * length + 1):
        show([paint(SIZE, dot_of(frame), radius=radius) for frame in range(count)])
        rows = list(tracker.stream(SOURCE))
        assert [row.frame for row in rows] == list(range(count))
        assert {row.status for row in rows} == {DETECTED}
        positions = np.array([(row.x, row.y) for row in rows])
        tolerance = 1.0 if window == "v1" else 0.01
        expected = np.array([dot_of(frame) for frame in range(count)])
        assert np.abs(positions - expected).max() < tolerance, (count, positions)


@pytest.mark.parametrize("window", WINDOWS)
def test_frames_without_a_ball_are_absent(show, window):
    show([paint(SIZE)] * 7)
    track = make_tracker(window).track(SOURCE)
    assert track.status.tolist() == [ABSENT] * 7
    assert np.isnan(track.positions).all()
    assert (track.confidence < 0.5).all()


def test_a_ball_that_comes_and_goes_is_absent_in_between(show):
    seen = [True, True, False, True, False, False, True]
    show([paint(SIZE, *[(20, 12)] * there) for there in seen])
    track = make_tracker().track(SOURCE)
    assert track.visibility.tolist() == seen
    np.testing.assert_allclose(track.positions[seen], [(20, 12)] * 4, atol=0.01)


def paint_flight(line, cut=99):
    """A dot that goes two pixels right and one down a frame, at a probability of 1 or of 0.4.

    From frame `cut` on it is before another background.
    """
    for frame, sign in enumerate(line):
        image = paint(SIZE, shade=20 if frame < cut else 120)
        x, y = 2 + 2 * (frame % 29), 2 + frame % 29
        if sign != ".":
            image[y - 1 : y + 2, x - 1 : x + 2] = {"o": 255, "-": 150}[sign]
        yield image


def test_a_faint_ball_on_a_flight_is_detected(show):
    show(paint_flight("ooo--o.o---"))
    track = make_tracker().track(SOURCE)
    assert track.visibility.tolist() == [sign != "." for sign in "ooo--o.o---"]
    expected = [(2 + 2 * frame, 2 + frame) for frame in range(11)]
    np.testing.assert_allclose(track.positions[:6], expected[:6], atol=0.01)
    assert (track.confidence[track.visibility] > 0.3).all()
    assert (track.confidence[[3, 4, 8, 9, 10]] < 0.5).all()


@pytest.mark.parametrize(("cut", "expected"), [(99, "ooooooo."), (5, "ooooo...")])
def test_a_faint_ball_is_not_followed_across_a_cut(show, cut, expected):
    show(paint_flight("oooo---.", cut))
    track = make_tracker().track(SOURCE)
    assert "".join("o" if seen else "." for seen in track.visibility) == expected


@pytest.mark.parametrize("first", [1, 8, 13, 24, 33])
def test_a_stream_that_begins_later_has_the_same_rows(show, first):
    show(paint_flight(FLIGHT))
    rows = list(make_tracker().stream(SOURCE))
    show(paint_flight(FLIGHT))
    assert 0 < sum(row.visible for row in rows) < len(rows)
    later = list(make_tracker().stream(SOURCE, first=first))
    assert str(later) == str(rows[first:])  # NaN included


# --- threads


def read_ahead_threads():
    return [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def test_closing_the_stream_early_stops_the_threads_of_decoder_and_network(show):
    show([paint(SIZE, (9, 9))] * 200)
    stream = make_tracker().stream(SOURCE)
    next(stream)
    assert len(read_ahead_threads()) == 2
    stream.close()
    assert read_ahead_threads() == []


class Concurrent:
    """A network that holds back what was started until somebody waits for it."""

    concurrent = True

    def __init__(self, network):
        self._network, self.waiting, self.most = network, 0, 0

    def __getattr__(self, name):
        return getattr(self._network, name)

    def start(self, inputs):
        self.waiting += 1
        self.most = max(self.most, self.waiting)

        def finish():
            self.waiting -= 1
            missing = self.batch_size - len(inputs[0])
            full = [np.pad(a, [(0, missing)] + [(0, 0)] * (a.ndim - 1)) for a in inputs]
            return self._network.run(full)[: len(inputs[0])]

        return finish


@pytest.mark.parametrize("count", [3, 29])
def test_two_batches_under_way_give_the_rows_of_one_after_another(show, count):
    show([paint(SIZE, dot_of(frame)) for frame in range(count)])
    tracker = make_tracker()
    rows = list(tracker.stream(SOURCE))
    tracker.network = Concurrent(tracker.network)
    assert str(list(tracker.stream(SOURCE))) == str(rows)
    assert tracker.network.most == (2 if count > tracker.spec.frames * 2 else 1)
    assert tracker.network.waiting == 0


def test_closing_the_stream_early_waits_for_what_the_network_has_started(show):
    show([paint(SIZE, (9, 9))] * 200)
    tracker = make_tracker()
    tracker.network = Concurrent(tracker.network)
    stream = tracker.stream(SOURCE)
    next(stream)
    stream.close()
    assert tracker.network.waiting == 0


def test_closing_the_stream_early_closes_the_video(monkeypatch):
    closed = threading.Event()

    def read(*_source):
        try:
            while True:
                yield Frame(0, 0.0, paint(SIZE))
        finally:
            closed.set()

    monkeypatch.setattr(trackers, "read_frames", read)
    stream = make_tracker().stream(SOURCE)
    next(stream)
    stream.close()
    assert closed.is_set()


def test_error_while_decoding_is_raised_after_the_rows_before_it(monkeypatch):
    def read(*_source):
        for frame in range(20):
            yield Frame(frame, 0.0, paint(SIZE, (9, 9)))
        raise InputError("clip.mp4: frame size changes")

    monkeypatch.setattr(trackers, "read_frames", read)
    rows = []
    with pytest.raises(InputError, match="frame size changes"):
        rows.extend(make_tracker().stream(SOURCE))
    assert 12 <= len(rows) <= 20
    assert read_ahead_threads() == []


def test_missing_video_is_an_input_error(tmp_path):
    for tracker in (make_tracker(), make_tracker("8-in-8", background="concat")):
        with pytest.raises(InputError, match=r"missing\.mp4: no such file"):
            tracker.track(tmp_path / "missing.mp4")
    assert read_ahead_threads() == []


@pytest.mark.parametrize("mode", ["fast", "accurate"])
def test_frames_held_do_not_grow_with_the_video(monkeypatch, mode):
    """The decoder could deliver everything at once, and is kept from it."""
    tracker = make_tracker("8-in-8", mode)
    count, produced, alive = 300, 0, weakref.WeakSet()

    class Picture(np.ndarray):  # a plain array cannot be held in a set
        __hash__ = object.__hash__

    def read(*_source):
        nonlocal produced
        for frame in range(count):
            image = paint(SIZE, (9, 9)).view(Picture)
            alive.add(image)
            produced += 1
            yield Frame(frame, 0.0, image)

    monkeypatch.setattr(trackers, "read_frames", read)
    window, batch = tracker.spec.frames, tracker.network.batch_size
    ahead = 2 * batch * window  # decoded and waiting
    for row in tracker.stream(SOURCE):
        # As many frames again may be in a batch, with the next one being gathered.
        assert produced - row.frame <= ahead + (2 * batch + 1) * window + 2
        assert len(alive) <= ahead + (2 * batch + 1) * window + 2
    assert produced == count


def test_read_ahead_hands_over_in_order_and_no_further_than_its_depth():
    made = []

    def make():
        for item in range(50):
            made.append(item)
            yield item

    got = []
    for item in read_ahead(make, depth=3):
        got.append(item)
        assert len(made) <= len(got) + 3 + 1
    assert got == list(range(50))
