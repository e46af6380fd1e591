import itertools
import json
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
from keras_tracknet.inference import Tracker
from keras_tracknet.io.capture import Capture, CapturedFrame, capture_frames, is_live
from keras_tracknet.io.tracks import read_track
from keras_tracknet.live import LiveFigures, RunningBackground, predict_live, track_live


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


def test_rows_do_not_wait_for_later_frames():
    """Each mode gives a row when as many new frames as its step are there."""
    for mode, step in (("fast", 3), ("balanced", 2), ("accurate", 1)):
        taken = []

        def frames(taken=taken):
            for frame in arrive(moving_dot(9)):
                taken.append(frame)
                yield frame

        stream = track_live(make_tracker(mode), frames())
        for row in stream:
            assert len(taken) - row.frame <= step


def test_background_follows_the_camera():
    background = RunningBackground()
    for shade in (10, 10, 10):
        background.add(np.full((4, 4, 3), shade, np.uint8))
    assert background.picture.mean() == 10
    for _ in range(600):
        background.add(np.full((4, 4, 3), 90, np.uint8))
    assert background.picture.mean() == 90


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

    with Capture("0", depth=4, patience=0, read=read) as capture:
        time_out = time.monotonic() + 5
        while capture._over is None and time.monotonic() < time_out:
            threading.Event().wait(0.01)
        kept = list(capture)
    assert (len(kept), capture.dropped) == (4, 16)
    np.testing.assert_array_equal(kept[-1].image, moving_dot(20)[-1])


def test_a_stream_that_breaks_off_is_connected_to_again(monkeypatch):
    from keras_tracknet.io import capture as module

    monkeypatch.setattr(module, "FIRST_WAIT", 0.01)
    attempts = itertools.count()

    def read(_source):
        if next(attempts) % 2:
            raise InputError("stream: refused")
        yield paint(SIZE)

    with Capture("stream", depth=100, patience=5, read=read) as capture:
        frames = list(itertools.islice(capture, 3))
    assert len(frames) == 3
    assert capture.connections >= 5


def test_a_source_that_never_comes_is_given_up():
    def read(_source):
        raise InputError("stream: refused")
        yield

    with (
        Capture("stream", depth=4, patience=0, read=read) as capture,
        pytest.raises(InputError, match="stream: refused"),
    ):
        list(capture)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("0", True),
        ("rtsp://10.0.0.1/stream", True),
        ("http://host/live.m3u8", True),
        ("match.mp4", False),
        ("hf://owner/name", False),
        ("folder/0", False),
    ],
)
def test_what_is_live(source, expected):
    assert is_live(source) is expected


SERVER = """
import sys, av
from helpers_trackers import paint
with av.open(f"tcp://127.0.0.1:{sys.argv[1]}?listen=1", "w", format="mpegts") as container:
    stream = container.add_stream("mpeg2video", rate=25)
    stream.height, stream.width, stream.pix_fmt = 64, 128, "yuv420p"
    stream.bit_rate = 4_000_000
    for n in range(40):
        image = paint((64, 128), (20 + 2 * n, 30), radius=5)
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
    with subprocess.Popen(command, cwd=Path(__file__).parent) as server:
        try:
            # The server takes one connection; until it is there, attempts are repeated.
            frames = itertools.chain.from_iterable(connect(address))
            summary = predict_live(
                tracker, address, output, patience=0, read=lambda _source: frames
            )
        finally:
            server.kill()
    track = read_track(output)
    assert len(track) == summary["frames"]
    assert 36 <= summary["frames"] + summary["dropped"] <= 40
    assert track.visibility.mean() > 0.9
    written = json.loads((tmp_path / "track.summary.json").read_text())
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


def test_rows_go_to_stdout(capsys, monkeypatch):
    from keras_tracknet import live

    class Frames:
        dropped, connections = 0, 1

        def __init__(self, *_, **__):
            """Take what `Capture` takes."""

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def __iter__(self):
            return iter(arrive(moving_dot(30)))

    monkeypatch.setattr(live, "Capture", Frames)
    predict_live(make_tracker(), "0", None, format="jsonl", duration=0.5)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 13  # half a second at 25 a second
    assert rows[3]["X"] == pytest.approx(12, abs=0.01)


def test_camera_or_stream_that_is_not_there_is_an_input_error():
    with pytest.raises(InputError, match=r"tcp://127\.0\.0\.1:9: cannot be read"):
        next(capture_frames("tcp://127.0.0.1:9"))
