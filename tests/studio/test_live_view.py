"""The live view: the newest picture, however slowly somebody looks."""

import queue
import threading

import cv2
import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from helpers_trackers import SIZE, make_tracker, paint
from keras_tracknet_cli import main
from starlette.testclient import TestClient

from keras_tracknet.inference.live import track_live
from keras_tracknet.studio import live
from keras_tracknet.studio.live import LiveView, make_live_app, open_live_view
from keras_tracknet.tracks.track import TrackRow
from keras_tracknet.video.capture import CapturedFrame


def make_row(frame, x=30.0, y=15.0):
    return TrackRow(frame, x, y, 0.9, "detected", frame / 25)


def read_jpeg(answer):
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(int)


def test_the_newest_picture_is_shown_with_its_track():
    view = LiveView()
    client = TestClient(make_live_app(view))
    for frame in range(40):
        assert view.show(np.full((96, 192, 3), frame, np.uint8), make_row(frame, 10.0 + frame, 40))
    answer = client.get("/pictures/3")
    assert (answer.headers["frame"], answer.headers["content-type"]) == ("39", "image/jpeg")
    shown = read_jpeg(answer)
    assert shown.shape == (96, 192, 3)
    assert abs(shown[80, 180] - 39).max() < 6  # of the newest frame
    trail, ring = shown[38:43, 40:43], shown[34:47, 43:56]
    for part, least in ((trail, 8), (ring, 80)):  # yellow: more red than blue
        assert (part[..., 0] - part[..., 2]).max() > least


def test_a_picture_is_shown_once(monkeypatch):
    monkeypatch.setattr(live, "PATIENCE", 0.01)
    view = LiveView()
    client = TestClient(make_live_app(view))
    assert client.get("/pictures/0").status_code == 204
    view.show(paint(SIZE), make_row(0))
    assert client.get("/pictures/0").headers["frame"] == "0"
    assert client.get("/pictures/1").status_code == 204


def test_who_asks_early_waits_for_the_picture():
    view = LiveView()
    shows = threading.Timer(0.05, view.show, (paint(SIZE), make_row(7)))
    shows.start()
    assert TestClient(make_live_app(view)).get("/pictures/0").headers["frame"] == "7"
    shows.join()


def test_a_wide_picture_is_shrunk_for_the_page():
    view = LiveView()
    view.show(np.zeros((1080, 1920, 3), np.uint8), make_row(0))
    answer = TestClient(make_live_app(view)).get("/pictures/0")
    assert read_jpeg(answer).shape == (720, 1280, 3)


def test_nothing_is_drawn_while_nobody_looks(monkeypatch):
    monkeypatch.setattr(live, "draw_overlay", lambda *_: pytest.fail("drawn"))
    view = LiveView()
    for frame in range(100):
        view.show(paint(SIZE), make_row(frame))


def test_the_page_is_behind_a_token_and_ends_tracking():
    addresses = queue.Queue()
    with open_live_view(announce=addresses.put, started=addresses.put) as view:
        assert view.show(paint(SIZE), make_row(0))
        address = addresses.get(timeout=10)
        assert addresses.get(timeout=10) == address
        assert address.startswith("http://127.0.0.1:")
        origin = address.partition("/?")[0]
        assert httpx.get(f"{origin}/pictures/0").status_code == 403
        with httpx.Client(follow_redirects=True) as browser:
            assert "live.js" in browser.get(address).text
            assert browser.get(f"{origin}/static/live.js").status_code == 200
            assert browser.get(f"{origin}/pictures/0").headers["frame"] == "0"
            assert browser.post(f"{origin}/end").status_code == 403  # of another page
            assert view.show(paint(SIZE), make_row(1))
            ended = browser.post(f"{origin}/end", headers={"origin": origin})
            assert ended.status_code == 204
            assert browser.get(f"{origin}/pictures/0").status_code == 410
        assert not view.show(paint(SIZE), make_row(2))
    with pytest.raises(httpx.ConnectError):
        httpx.get(origin)


def test_without_a_picture_no_page_is_opened():
    with open_live_view(announce=pytest.fail, started=pytest.fail):
        pass


def test_every_picture_goes_with_its_own_row():
    tracker = make_tracker()
    images = [paint(SIZE, (6 + 2 * n, 9 + n)) for n in range(9)]
    seen = []

    def show(image, row):
        seen.append((image, row))
        return len(seen) < 5

    frames = [CapturedFrame(100 + n / 25, image) for n, image in enumerate(images)]
    rows = list(track_live(tracker, frames, show=show))
    assert [row for _, row in seen] == rows
    assert len(rows) == 5  # tracking has ended with the view
    for (image, row), painted in zip(seen, images, strict=False):
        assert image is painted
        assert row.x == pytest.approx(6 + 2 * row.frame, abs=0.01)


@pytest.mark.parametrize("source", ["a.mp4", "*.mp4"])
def test_a_recorded_video_is_not_shown(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"")
    done = CliRunner().invoke(main.cli, ["predict", source, "--show"])
    assert done.exit_code == 2
    assert "--show is for cameras and streams only" in done.stderr
