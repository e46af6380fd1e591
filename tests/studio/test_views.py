import re

import numpy as np
import pytest
from helpers_clips import write_video
from starlette.testclient import TestClient

from keras_tracknet.analysis.court.calibration import read_court
from keras_tracknet.files import read_json, write_json
from keras_tracknet.studio.library import Library
from keras_tracknet.studio.pages import make_app
from keras_tracknet.studio.session import Session
from keras_tracknet.tracks.files import write_track
from keras_tracknet.tracks.track import Track

FRAMES = 60


@pytest.fixture
def session(tmp_path):
    write_video(tmp_path / "match.mp4", FRAMES)
    session = Session(Library(tmp_path), author="ada")
    yield session
    session.close()


@pytest.fixture
def client(session):
    return TestClient(make_app(session), follow_redirects=False)


@pytest.fixture
def video(session):
    """A tracked video: a ball that flies to and fro."""
    (video,) = session.library.videos()
    time = np.arange(FRAMES) / 25
    phase = time % 0.8
    x = np.where(time % 1.6 < 0.8, 8 + 55 * phase, 52 - 55 * phase)
    y = 24 - 40 * phase + 50 * phase**2
    track = Track.from_positions(x, y, np.ones(FRAMES), time=time)
    write_track(track, video.track_file)
    write_json({"complete": True}, video.folder / "summary.json")
    return video


def read_policy(answer):
    parts = answer.headers["content-security-policy"].split(";")
    return {words[0]: words[1:] for words in map(str.split, parts)}


def test_the_reports_times_lead_into_the_player(client, video):
    answer = client.get(f"/report/{video.id}")
    assert answer.status_code == 200
    frames = re.findall(rf'href="/#video={video.id}&amp;frame=(\d+)"', answer.text)
    assert frames
    assert all(int(frame) < FRAMES for frame in frames)
    assert f'href="/#video={video.id}">Back to the video' in answer.text
    assert "#t=" not in answer.text
    assert "<script" not in answer.text
    assert "<video" not in answer.text
    assert read_policy(answer)["script-src"] == ["'none'"]


def test_a_video_without_a_track_has_no_report(client, session):
    (video,) = session.library.videos()
    answer = client.get(f"/report/{video.id}")
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "match.mp4: neither tracked nor labelled yet.",
    )


MARKS = [
    ["near_left", [8, 30]], ["near_right", [56, 30]], ["far_left", [20, 8]], ["far_right", [44, 8]],
]  # fmt: skip


def test_a_marked_court_is_saved_beside_the_video(client, session):
    (video,) = session.library.videos()
    place = f"/api/videos/{video.id}/court"
    told = client.get(place).json()
    assert (told["court"], told["sport"]) == (None, "badminton")
    assert next(iter(told["sports"]["badminton"]["places"])) == "near_left"
    body = {"sport": "badminton", "marks": MARKS}
    fitted = client.post(place, json=body).json()
    assert fitted["lines"]
    assert not (session.library.root / "match_court.json").exists()
    assert client.post(place, json=body | {"save": True}).json() == fitted
    court = read_court(session.library.root / "match_court.json")
    assert [mark.name for mark in court.marks] == [name for name, *_ in MARKS]
    assert client.get(place).json()["court"] == fitted


def test_marks_that_make_no_court_are_refused_in_words(client, session):
    (video,) = session.library.videos()
    body = {"sport": "badminton", "marks": MARKS[:2], "save": True}
    answer = client.post(f"/api/videos/{video.id}/court", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("a court needs at least 4 points")
    assert not (session.library.root / "match_court.json").exists()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("corner?frame=3&x=10.5&y=12", 200),
        ("corner?frame=3&x=ten&y=12", 400),
        ("corner?frame=3&x=nan&y=12", 400),
        ("corner?frame=x&x=1&y=2", 400),
        ("corner?frame=999&x=1&y=2", 404),
        ("found?frame=3&sport=badminton", 200),  # there is none in the picture
        ("found?frame=3&sport=chess", 200),
        ("picture?frame=999", 404),
    ],
)
def test_corners_and_courts_are_looked_for_in_a_frame(client, session, query, status):
    (video,) = session.library.videos()
    answer = client.get(f"/api/videos/{video.id}/court/{query}")
    assert answer.status_code == status
    assert answer.json() in (None, {"x": 10.5, "y": 12}) or "error" in answer.json()


def test_a_court_of_another_picture_is_not_shown(client, session):
    (video,) = session.library.videos()
    place = f"/api/videos/{video.id}/court"
    client.post(place, json={"sport": "badminton", "marks": MARKS, "save": True})
    path = session.library.root / "match_court.json"
    write_json(read_json(path) | {"width": 128}, path)
    assert client.get(place).json()["court"] is None
