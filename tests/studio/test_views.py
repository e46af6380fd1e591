import json
import re

import numpy as np
import pytest
from helpers_clips import write_video
from starlette.testclient import TestClient

from keras_tracknet.analysis.court.calibration import read_court
from keras_tracknet.files import write_json
from keras_tracknet.studio.access import find_scripts
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


def test_the_court_page_runs_its_own_script_and_no_other(client, session):
    (video,) = session.library.videos()
    answer = client.get(f"/court/{video.id}?frame=3")
    assert answer.headers["location"] == f"/court/{video.id}/?frame=3"
    page = client.get(answer.headers["location"])
    assert read_policy(page)["script-src"] == find_scripts(page.text)
    assert len(find_scripts(page.text)) == 1


MARKS = [
    ["near_left", [8, 30]], ["near_right", [56, 30]], ["far_left", [20, 8]], ["far_right", [44, 8]],
]  # fmt: skip


def test_a_marked_court_is_saved_beside_the_video(client, session):
    (video,) = session.library.videos()
    body = json.dumps(MARKS)
    drawn = client.post(f"/court/{video.id}/court", content=body).json()
    assert drawn["lines"]
    assert not (session.library.root / "match_court.json").exists()
    assert client.post(f"/court/{video.id}/marks", content=body).text == "saved"
    court = read_court(session.library.root / "match_court.json")
    assert [mark.name for mark in court.marks] == [name for name, *_ in MARKS]


def test_marks_that_make_no_court_are_refused_in_words(client, session):
    (video,) = session.library.videos()
    answer = client.post(f"/court/{video.id}/marks", content=json.dumps(MARKS[:2]))
    assert answer.status_code == 400
    assert "{" not in answer.text
    assert not (session.library.root / "match_court.json").exists()
