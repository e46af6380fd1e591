import contextlib
import itertools
import json
import pickle
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from helpers_trackers import SIZE, make_detector, paint

from keras_tracknet.errors import InputError
from keras_tracknet.frames import background as background_module
from keras_tracknet.frames.background import RunningBackground
from keras_tracknet.inference import tracker as trackers
from keras_tracknet.inference.latencies import Latencies
from keras_tracknet.inference.live import LiveFigures, predict_live, track_live
from keras_tracknet.inference.places import OutputPaths
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.locks import hold_lock
from keras_tracknet.progress import Reporter
from keras_tracknet.tracks.files import read_track
from keras_tracknet.video import capture as capture_module
from keras_tracknet.video.capture import Capture, CapturedFrame, capture_frames, is_live
from keras_tracknet.video.reader import Frame


def make_tracker(mode="fast", **settings):
    return Tracker(make_detector(**settings), mode=mode, precision="float32", batch_size=1)


def arrive(images, every=0.04):
    return [CapturedFrame(100 + every * n, image) for n, image in enumerate(images)]


def moving_dot(count):
    return [paint(SIZE, (6 + 2 * n, 9 + n)) for n in range(count)]


@pytest.mark.parametrize("mode", ["fast", "balanced", "accurate"])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 12])
def test_every_frame_has_a_row_with_its_own_position(mode, count):
    rows = list(track_live(make_tracker(mode), arrive(moving_dot(count))))
    assert [row.frame for row in rows] == list(range(count))
    np.testing.assert_allclose([row.x for row in rows], 6 + 2 * np.arange(count), atol=0.01)
    np.testing.assert_allclose([row.time for row in rows], 0.04 * np.arange(count), atol=1e-6)


FLIGHT = "ooo--o.ooo---ooooo-----.oo-o.o-oo-"  # clear, faint and hidden


def fly(line, shade=20):
    """A dot that moves two pixels right and one down with each frame."""
    for frame, sign in enumerate(line):
        image = paint(SIZE, shade=shade)
        x, y = 2 + 2 * (frame % 29), 2 + frame % 29
        if sign != ".":
            image[y - 1 : y + 2, x - 1 : x + 2] = {"o": 255, "-": 150}[sign]
        yield image


def repeat(images, every=5):
    """As 25 frames per second look when they are shown at 30: some pictures twice."""
    for number, image in enumerate(images):
        yield image
        if number % every == 0:
            yield image


FILMS = {
    "moving": moving_dot(20),
    "faint": [*fly(FLIGHT)],
    "repeated": [*repeat(fly(FLIGHT))],
    "cuts": [*fly(FLIGHT[:17]), *fly(FLIGHT[:2], shade=120), *fly(FLIGHT, shade=60)],
}


@pytest.mark.parametrize("mode", ["fast", "balanced", "accurate"])
@pytest.mark.parametrize("film", FILMS)
def test_a_video_played_live_has_the_rows_of_the_recording(monkeypatch, mode, film):
    """There is no background here, and nothing else may differ."""
    frames = [Frame(n, 0.04 * n, image) for n, image in enumerate(FILMS[film])]
    monkeypatch.setattr(trackers, "read_frames", lambda *_source: iter(frames))
    tracker, figures = make_tracker(mode, frames=4), LiveFigures()
    stream = tracker.stream("film.mp4")
    recorded = [row.rounded() for row in stream]
    assert {row.visible for row in recorded} == ({True} if film == "moving" else {True, False})
    rows = list(track_live(tracker, arrive(FILMS[film]), figures))
    assert str(rows) == str(recorded)  # NaN included
    assert figures.shots == len(stream.shots) == (3 if film == "cuts" else 1)


def test_rows_are_those_of_the_recording_where_the_background_is(monkeypatch):
    class Settled(RunningBackground):
        def add(self, picture):
            super().add(picture)
            self.settle()

    film = [paint(SIZE, (4 + 5 * n % 56, 4 + 7 * n % 24)) for n in range(30)]
    frames = [Frame(n, 0.04 * n, image) for n, image in enumerate(film)]
    monkeypatch.setattr(trackers, "read_frames", lambda *_source: iter(frames))
    monkeypatch.setattr(
        trackers, "sample_frames", lambda _source, _count, _shrink: (f for f in frames)
    )
    monkeypatch.setattr(trackers, "RunningBackground", Settled)
    tracker = make_tracker(version="v3", frames=4, background="concat")
    recorded = [row.rounded() for row in tracker.stream("film.mp4")]
    assert all(row.visible for row in recorded)
    assert list(track_live(tracker, arrive(film))) == recorded


def test_the_thread_of_the_background_ends_with_the_stream():
    def list_threads():
        return [t for t in threading.enumerate() if t.name.startswith("background")]

    tracker = make_tracker(version="v3", frames=4, background="concat")
    rows = track_live(tracker, arrive(moving_dot(20)))
    next(rows)
    assert len(list_threads()) == 1
    rows.close()
    assert list_threads() == []


@pytest.mark.parametrize("frames", [1, 3, 8])
@pytest.mark.parametrize("mode", ["fast", "balanced", "accurate"])
def test_a_clear_row_waits_as_long_as_a_window(mode, frames):
    assert measure_delay(make_tracker(mode, frames=frames), moving_dot(24)) == frames


@pytest.mark.parametrize("mode", ["fast", "balanced", "accurate"])
def test_no_row_waits_for_more_than_twenty_frames(mode):
    """Longest waits the row of a faint ball whose picture is repeated across two windows."""
    tracker = make_tracker(mode, frames=8)
    films = [*(list(repeat(fly("-" * 40), every)) for every in (1, 2)), *FILMS.values()]
    assert max(measure_delay(tracker, film) for film in films) == 20


def measure_delay(tracker, images):
    """The most frames that arrived after a row's own before the row came."""
    arrived = []

    def frames():
        for frame in arrive(images):
            arrived.append(frame)
            yield frame

    rows = track_live(tracker, frames())
    return max(len(arrived) - 1 - row.frame for row in rows)


def test_background_follows_the_camera():
    with contextlib.closing(RunningBackground()) as background:
        for shade in (10, 10, 10):
            background.add(np.full((4, 4, 3), shade, np.uint8))
        assert background.picture.mean() == 10
        for _ in range(600):
            background.add(np.full((4, 4, 3), 90, np.uint8))
        background.settle()
        assert background.picture.mean() == 90
        background.restart()
        background.add(np.full((4, 4, 3), 30, np.uint8))
        background.settle()
        assert background.picture.mean() == 30  # nothing of before the cut


def test_frames_do_not_wait_for_the_background(monkeypatch):
    """The median is taken elsewhere; until it is there, the one before serves."""
    begun, go_on = threading.Event(), threading.Event()

    def estimate(frames):
        begun.set()
        assert threading.current_thread() is not threading.main_thread()
        assert go_on.wait(10)
        return frames[-1]

    monkeypatch.setattr(background_module, "estimate_background", estimate)
    with contextlib.closing(RunningBackground()) as background:
        for shade in (10, 20, 30):
            background.add(np.full((4, 4, 3), shade, np.uint8))
        assert begun.wait(10)
        assert background.picture.mean() == 10
        go_on.set()
        background.settle()
        assert background.picture.mean() == 30


def test_a_cut_starts_a_window_and_a_background_anew():
    figures = LiveFigures()
    images = moving_dot(4) + [paint(SIZE, (9, 9), shade=120)] * 5
    tracker = make_tracker(version="v3", frames=4, background="concat")
    rows = list(track_live(tracker, arrive(images), figures))
    assert len(rows) == 9
    assert figures.shots == 2


def test_what_comes_too_fast_is_dropped_and_counted():
    def read(_source):
        yield from moving_dot(20)

    with Capture("0", read=read) as capture:
        capture.wait()
        capture.begin(4)
        time_out = time.monotonic() + 5
        while not capture._over and time.monotonic() < time_out:
            threading.Event().wait(0.01)
        kept = list(capture)
    assert (len(kept), capture.dropped) == (4, 16)
    np.testing.assert_array_equal(kept[-1].image, moving_dot(20)[-1])


def collect(source="stream", **settings):
    """Read a source to its end; return frames, connections and warnings."""
    warnings = []
    with Capture(source, warn=warnings.append, **settings) as capture:
        capture.wait()
        capture.begin(100)
        return list(capture), capture.connections, warnings


def test_a_source_that_ends_has_ended():
    def read(_source):
        yield from moving_dot(20)

    frames, connections, warnings = collect(read=read)
    assert (len(frames), connections, warnings) == (20, 1, [])


def test_a_stream_that_breaks_off_is_connected_to_again(monkeypatch):
    monkeypatch.setattr(capture_module, "FIRST_WAIT", 0.01)
    attempts = itertools.count()

    def read(_source):
        attempt = next(attempts)
        if attempt in (1, 2):
            raise InputError("rtsp://u:hunter2@camera: refused.")
        yield paint(SIZE)
        if attempt < 4:
            raise InputError("rtsp://u:hunter2@camera: broke off.")

    frames, connections, warnings = collect(read=read)
    assert (len(frames), connections) == (3, 5)
    assert warnings[:2] == [
        "rtsp://u:***@camera: broke off. Reconnecting in 0.01 s.",
        "rtsp://u:***@camera: refused. Reconnecting in 0.02 s.",
    ]


def test_a_source_that_breaks_off_and_never_comes_again_is_given_up(monkeypatch):
    monkeypatch.setattr(capture_module, "FIRST_WAIT", 0.01)

    def read(_source):
        yield paint(SIZE)
        raise InputError("stream: broke off.")

    with pytest.raises(InputError, match="stream: broke off"):
        collect(read=read, patience=0.05)


@pytest.mark.parametrize("count", [0, None])
def test_a_source_that_cannot_be_read_is_given_up_at_once(tmp_path, count):
    def read(_source):
        if count is None:
            raise InputError("stream: refused.")
        yield from moving_dot(count)

    message = "stream: refused" if count is None else "stream: ended before the first picture"
    told, notes = Reporter(), []
    told.note = notes.append
    began = time.monotonic()
    with pytest.raises(InputError, match=message):
        predict_live(refuse, "stream", place(tmp_path), read=read, reporter=told)
    assert time.monotonic() - began < 5
    assert notes == ["waiting for stream"]
    assert list(tmp_path.iterdir()) == []  # nothing that would be in the way of the next try


def test_a_source_that_shows_nothing_is_given_up(tmp_path):
    def read(_source):
        threading.Event().wait(1)
        yield paint(SIZE)

    with pytest.raises(InputError, match=r"no picture received within 0\.1 s"):
        predict_live(refuse, "stream", place(tmp_path), read=read, patience=0.1)
    assert list(tmp_path.iterdir()) == []


def refuse():
    """Make no tracker: where there is nothing to track, none is needed."""
    raise AssertionError


def place(folder, *formats):
    return OutputPaths.choose(Path("live"), folder, formats, overlay=False)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("0", True),
        ("rtsp://10.0.0.1/stream", True),
        ("http://host/live.m3u8", True),
        ("match.mp4", False),
        ("hf://owner/name", False),
        ("folder/0", False),
        ("2024", False),  # a folder of that name is there
        ("2025", True),
    ],
)
def test_what_is_live(tmp_path, monkeypatch, source, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "2024").mkdir()
    assert is_live(source) is expected


SERVER = """
import sys, av, numpy as np
with av.open(f"tcp://127.0.0.1:{sys.argv[1]}?listen=1", "w", format="mpegts") as container:
    stream = container.add_stream("mpeg2video", rate=25)
    stream.height, stream.width, stream.pix_fmt = 64, 128, "yuv420p"
    stream.bit_rate = 4_000_000
    for n in range(40):
        image = np.full((64, 128, 3), 20, np.uint8)
        image[25:36, 15 + 2 * n : 26 + 2 * n] = 255
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
    container.mux(stream.encode())
"""


def test_a_local_stream_is_tracked(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tracker = make_tracker()
    tracker.network.run([np.zeros((1, 3, *SIZE, 3), np.uint8)])  # compiled before frames come
    output, address = tmp_path / "track.csv", f"tcp://127.0.0.1:{port}"
    command = [sys.executable, "-c", SERVER, str(port)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as server:
        try:
            # The server takes one connection; until it is there, attempts are repeated.
            frames = itertools.chain.from_iterable(connect(address))
            summary = predict_live(
                lambda: tracker, address, place(tmp_path), read=lambda _source: frames
            )
        finally:
            server.kill()
    track = read_track(output)
    assert len(track) == summary["frames"]
    assert 36 <= summary["frames"] + summary["dropped"] <= 40
    assert track.visibility.mean() > 0.9
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written == summary
    assert written["complete"] is True
    assert written["latency_ms"]["p50"] > 0


def connect(address):
    """Yield the frames of the first connection that succeeds."""
    time_out = time.monotonic() + 60
    while time.monotonic() < time_out:
        frames = capture_frames(address)
        try:
            first = next(frames)
        except InputError:
            threading.Event().wait(0.2)
            continue
        yield [first]
        yield frames
        return


def test_rows_go_to_stdout(capsys):
    predict_live(make_tracker, "0", None, format="jsonl", read=read_few)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["Frame"] for row in rows] == list(range(8))
    assert rows[3]["X"] == pytest.approx(12, abs=0.01)


def read_few(_source):
    """As many frames as are held at most: none is dropped."""
    yield from moving_dot(8)


def read_on(_source):
    """Frames without an end."""
    for number in itertools.count():
        yield paint(SIZE, (6 + number % 20, 9))
        threading.Event().wait(0.01)


def read_one(_source):
    """A camera that freezes."""
    yield paint(SIZE, (6, 9))
    threading.Event().wait(1.5)


@pytest.mark.parametrize("read", [read_on, read_one])
def test_tracking_ends_after_the_duration(tmp_path, read):
    summary = predict_live(make_tracker, "0", place(tmp_path), duration=0.3, read=read)
    assert summary["complete"] is True
    assert 0.3 <= summary["seconds"] < 1.5 or read is read_on
    track = read_track(tmp_path / "track.csv")
    assert track.time[-1] < 0.3


def test_the_summary_is_called_and_filled_as_that_of_a_video(tmp_path):
    summary = predict_live(
        make_tracker, "0", place(tmp_path, "csv", "jsonl"), schema="tracknetv2", read=read_few
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "summary.json",
        "track.csv",
        "track.jsonl",
    ]
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert (tmp_path / "track.csv").read_text().splitlines()[:2] == [
        "Frame,Visibility,X,Y",
        "0,1,6,9",
    ]
    assert (summary["frames"], summary["height"], summary["width"]) == (8, *SIZE)
    assert summary["status"] == {"detected": 8}
    assert summary["source"] == "0"


def test_percentiles_are_right_in_memory_that_does_not_grow():
    rng = np.random.default_rng(0)
    seconds = rng.lognormal(-3, 1, 5000).tolist()
    latencies = Latencies()
    assert set(latencies.summarise().values()) == {None}
    size = len(pickle.dumps(latencies))
    for value in seconds:
        latencies.add(value)
    found = latencies.summarise()
    for name, percent in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100)):
        right = np.percentile(seconds, percent, method="inverted_cdf") * 1e3
        assert found[name] == pytest.approx(right, rel=0.01, abs=0.06)
    assert len(pickle.dumps(latencies)) == size


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([0.02], [20.0, 20.0, 20.0, 20.0]),
        ([0.0, -1e-9], [0.0, 0.0, 0.0, 0.0]),  # a clock that stands still
        ([1e6], [1e7, 1e7, 1e7, 1e9]),  # a machine that slept
    ],
)
def test_latencies_at_the_edges(seconds, expected):
    latencies = Latencies()
    for value in seconds:
        latencies.add(value)
    assert [*latencies.summarise().values()] == pytest.approx(expected, rel=0.01)


def test_camera_or_stream_that_is_not_there_is_an_input_error():
    with pytest.raises(InputError, match=r"tcp://127\.0\.0\.1:9: cannot be read"):
        next(capture_frames("tcp://127.0.0.1:9"))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InputError("stream: broke off.")])
def test_rows_so_far_are_kept_where_tracking_is_stopped(tmp_path, error):
    class Stopper(Reporter):
        """Stops at the sixth row."""

        def note(self, message):
            notes.append(message)

        @contextlib.contextmanager
        def track(self, description, total=None, *, unit="items"):
            counted = itertools.count(1)

            def advance(n=1, **figures):
                if next(counted) == 6:
                    raise error

            yield advance

    notes = []
    with pytest.raises(type(error)):
        predict_live(make_tracker, "0", place(tmp_path), read=read_few, reporter=Stopper())
    assert len(read_track(tmp_path / "track.csv")) == 6
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["complete"], summary["frames"]) == (False, 6)
    assert notes[-1] == f"6 rows are saved in {tmp_path / 'track.csv'}"


def test_two_runs_do_not_write_one_result(tmp_path):
    with (
        hold_lock(place(tmp_path).summary),
        pytest.raises(InputError, match="another tracknet process is writing there"),
    ):
        predict_live(refuse, "0", place(tmp_path), read=read_few)
