import io
import zipfile

import cv2
import numpy as np
import pytest
from helpers_clips import write_video
from starlette.testclient import TestClient

from keras_tracknet.datasets.conversion import TARGETS
from keras_tracknet.datasets.dataset import find_dataset, read_labels
from keras_tracknet.files import write_json
from keras_tracknet.studio.exchange import FORMATS
from keras_tracknet.studio.library import Library
from keras_tracknet.studio.pages import make_app
from keras_tracknet.studio.session import Session
from keras_tracknet.tracks.files import read_track, write_track
from keras_tracknet.tracks.track import Track

FRAMES = 24


@pytest.fixture
def session(tmp_path):
    write_video(tmp_path / "a10.mp4", FRAMES)
    write_video(tmp_path / "a9.mp4", FRAMES, shade=90)
    session = Session(Library(tmp_path), author="ada")
    yield session
    session.close()


@pytest.fixture
def client(session):
    return TestClient(make_app(session))


@pytest.fixture
def video(client):
    return f"/api/videos/{client.get('/api/videos').json()[0]['id']}"


def track_video(session, *, absent=(10,)):
    """Write what tracking the first video would leave."""
    first = session.library.videos()[0]
    seen = np.ones(FRAMES, bool)
    seen[list(absent)] = False
    frames = np.arange(FRAMES)
    track = Track.from_positions(6 + 2.0 * frames, [18.0] * FRAMES, seen, time=frames / 25)
    first.folder.mkdir(parents=True, exist_ok=True)
    write_track(track, first.track_file)
    write_json({"complete": True, "threshold": 0.4}, first.folder / "summary.json")
    return first


def clicked(x, y=18.0, status="visible"):
    return {"status": status, "x": x, "y": y}


def test_the_library_lists_videos_as_people_sort_them(client, session):
    videos = client.get("/api/videos").json()
    assert [video["name"] for video in videos] == ["a9.mp4", "a10.mp4"]
    first = videos[0]
    assert (first["frames"], first["fps"], first["width"], first["height"]) == (24, 25, 64, 36)
    assert (first["state"], first["doubtful"], first["labelled"]) == ("new", None, 0)


def test_state_goes_from_new_to_reviewed(client, session, video):
    def state():
        return client.get("/api/videos").json()[0]["state"]

    track_video(session)
    assert state() == "tracked"
    assert client.get("/api/videos").json()[0]["doubtful"] == pytest.approx(1 / 24)
    client.patch(f"{video}/labels", json={"set": {"10": clicked(26.0)}})
    assert state() == "corrected"
    client.patch(f"{video}/labels", json={"reviewed": [[0, 23]]})
    assert state() == "reviewed"


def test_a_damaged_video_is_listed_with_what_is_wrong(client, session):
    (session.library.root / "a1.mp4").write_bytes(b"no video")
    first = client.get("/api/videos").json()[0]
    assert (first["name"], first["state"]) == ("a1.mp4", "damaged")
    assert "cannot be opened" in first["error"]
    assert client.get(f"/api/videos/{first['id']}/frames/0").status_code == 400


def test_frames_are_jpegs_that_the_browser_may_keep(client, video):
    answer = client.get(f"{video}/frames/3?width=32")
    assert answer.headers["content-type"] == "image/jpeg"
    assert "dur=" in answer.headers["server-timing"]
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (18, 32, 3)
    ball = np.unravel_index(image[..., 0].argmax(), image.shape[:2])
    np.testing.assert_allclose(ball, (9, (6 + 8 * 3) / 2), atol=1.5)
    kept = {"if-none-match": answer.headers["etag"]}
    again = client.get(f"{video}/frames/3?width=32", headers=kept)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("tail", ["frames/3", "thumbnail"])
def test_another_file_of_the_same_name_shows_its_own_pictures(client, session, video, tail):
    before = client.get(f"{video}/{tail}")
    write_video(session.library.root / "a9.mp4", FRAMES, shade=200)
    kept = {"if-none-match": before.headers["etag"]}
    after = client.get(f"{video}/{tail}", headers=kept)
    assert after.status_code == 200
    shades = [
        np.median(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_GRAYSCALE))
        for answer in (before, after)
    ]
    assert shades == pytest.approx([90, 200], abs=4)


def test_another_file_of_the_same_name_is_described_anew(client, session, video):
    client.get(f"{video}/frames/3")
    write_video(session.library.root / "a9.mp4", 12)
    assert client.get("/api/videos").json()[0]["frames"] == 12
    assert client.get(f"{video}/frames/12").status_code == 404


@pytest.mark.parametrize("tail", ["frames/24", "frames/99999999", "heatmaps/24"])
def test_a_frame_that_is_not_there_is_not_found(client, video, tail):
    answer = client.get(f"{video}/{tail}")
    assert (answer.status_code, answer.json()["error"]) == (404, "the video has no such frame.")


@pytest.mark.parametrize("width", ["0", "x", "-5", "999999"])
def test_a_width_that_is_none_is_refused(client, video, width):
    assert client.get(f"{video}/frames/1?width={width}").status_code == 400


def test_the_track_is_the_networks_own(client, session, video):
    assert client.get(f"{video}/track").json() == {"frames": 24, "tracked": False}
    track_video(session)
    client.patch(f"{video}/labels", json={"set": {"3": clicked(50.0)}})
    track = client.get(f"{video}/track").json()
    assert (track["tracked"], track["frames"], track["threshold"]) == (True, 24, 0.4)
    assert track["x"][3] == 12.0
    assert track["x"][10] is None
    assert track["status"][10] == "absent"
    assert track["cuts"] == track["events"] == track["rallies"] == []


def test_labels_are_saved_before_the_answer_comes(client, session, video):
    body = {"set": {"3": clicked(12.25), "4": {"status": "absent"}}, "reviewed": [[0, 2]]}
    answer = client.patch(f"{video}/labels", json=body)
    assert answer.json()["frames"]["3"] == {
        "visibility": 1, "x": 12.25, "y": 18.0, "status": "visible", "author": "ada",
    }  # fmt: skip
    rows = (session.library.root / "a9_ball.csv").read_text().splitlines()
    assert rows[1:] == ["3,1,12.250,18.000,visible,ada", "4,0,,,absent,ada"]
    again = client.patch(f"{video}/labels", json={"remove": [3]}).json()
    assert (list(again["frames"]), again["reviewed"]) == (["4"], [[0, 2]])
    assert client.get(f"{video}/labels").json() == again


@pytest.mark.parametrize(
    "body",
    [{"set": {"x": {}}}, {"set": []}, {"remove": 3}, {"set": {"-1": {"status": "absent"}}},
     {"set": {"1": {"status": "seen"}}}, {"reviewed": [[9, 1]]}, [], "text"],
)  # fmt: skip
def test_what_is_no_change_of_labels_is_refused(client, session, video, body):
    assert client.patch(f"{video}/labels", json=body).status_code == 400
    assert not (session.library.root / "a9_ball.csv").exists()


def test_a_stretch_is_filled_between_two_clicks_and_not_saved(client, video):
    client.patch(f"{video}/labels", json={"set": {"4": clicked(10, 10), "8": clicked(30, 18)}})
    answer = client.post(f"{video}/fill", json={"first": 4, "last": 8}).json()
    assert list(answer["frames"]) == ["5", "6", "7"]
    assert answer["law"] in ("flight", "spline")
    assert 10 < answer["frames"]["5"]["x"] < answer["frames"]["6"]["x"] < 30
    assert sorted(client.get(f"{video}/labels").json()["frames"]) == ["4", "8"]
    missing = client.post(f"{video}/fill", json={"first": 4, "last": 9})
    assert missing.status_code == 400


def test_doubtful_frames_say_why_until_they_are_corrected(client, session, video):
    assert client.get(f"{video}/doubtful").json() == []
    track_video(session)
    (moment,) = client.get(f"{video}/doubtful").json()
    assert (moment["frame"], moment["kind"]) == (10, "gap")
    assert moment["reason"] == "no ball for 1 frame within a flight"
    client.patch(f"{video}/labels", json={"set": {"10": clicked(26.0)}})
    assert client.get(f"{video}/doubtful").json() == []


def test_where_modes_disagree_comes_first(client, session, video):
    first = track_video(session, absent=(5,))
    (first.folder / "track.csv").rename(first.folder / "other.csv")
    track_video(session, absent=())
    (moment,) = client.get(f"{video}/doubtful").json()
    assert (moment["frame"], moment["kind"]) == (5, "disagreement")


def export(client, video, name):
    answer = client.get(f"{video}/export?format={name}")
    assert answer.status_code == 200, answer.text
    assert "attachment" in answer.headers["content-disposition"]
    return answer.content


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("tracknetv2", "jsonl")])
def test_what_is_exported_says_what_was_clicked(client, session, video, name, tmp_path):
    track_video(session)
    body = {"set": {"3": clicked(20.5, 7.25), "4": {"status": "absent"}}}
    client.patch(f"{video}/labels", json=body)
    content = export(client, video, name)
    out = tmp_path / "out" / "a9"
    out.mkdir(parents=True)
    if name in TARGETS and name != "cvat":
        zipfile.ZipFile(io.BytesIO(content)).extractall(out)
    else:
        suffix = ".xml" if name == "cvat" else ".csv"
        (out / f"a9{'_ball' if name == 'labels' else ''}{suffix}").write_bytes(content)
        write_video(out / "a9.mp4", FRAMES)
    if name == "track":
        found = read_track(out / "a9.csv")
        assert found.status.tolist()[2:6] == ["detected", "corrected", "corrected", "detected"]
    else:
        (clip,) = find_dataset(out).clips
        found = read_labels(clip, size=(36, 64), frames=FRAMES)
        labelled = np.flatnonzero(found.labelled).tolist()
        if name == "yolo":  # which has the labelled frames only
            assert labelled == [0, 1]
            found = found.spread(range(3, 3 + FRAMES))
        else:
            assert labelled == [3, 4]
    assert found.visibility[[3, 4]].tolist() == [True, False]
    np.testing.assert_allclose(found.positions[3], (20.5, 7.25), atol=0.01)


def test_every_format_is_listed_and_an_unknown_one_is_refused(client, video):
    assert [entry["name"] for entry in client.get("/api/formats").json()] == list(FORMATS)
    assert client.get(f"{video}/export?format=docx").status_code == 400
    assert "not labelled yet" in client.get(f"{video}/export?format=cvat").json()["error"]


@pytest.mark.parametrize("name", ["cvat", "tracknetv2", "track", "labels"])
def test_labels_made_elsewhere_come_in(client, session, video, name):
    track_video(session)
    client.patch(f"{video}/labels", json={"set": {"3": clicked(20.5, 7.25)}})
    content = export(client, video, name)
    client.patch(f"{video}/labels", json={"remove": [3]})
    frames = client.post(f"{video}/import", content=content).json()["frames"]
    assert abs(frames["3"]["x"] - 20.5) <= 0.5


def test_imported_labels_do_not_replace_those_of_the_studio(client, video):
    client.patch(f"{video}/labels", json={"set": {"3": clicked(20.5)}})
    content = b"Frame,Visibility,X,Y\n3,1,40,9\n4,1,41,9\n"
    frames = client.post(f"{video}/import", content=content).json()["frames"]
    assert {k: label["x"] for k, label in frames.items()} == {"3": 20.5, "4": 41.0}


def test_a_file_that_holds_no_labels_is_refused(client, video):
    answer = client.post(f"{video}/import", content=b"name,age\nada,36\n")
    assert answer.status_code == 400
    assert "/tmp" not in answer.json()["error"]


def test_a_dropped_video_is_in_the_library(client, session, tmp_path):
    content = write_video(tmp_path / "elsewhere" / "b.mp4", 5).read_bytes()
    entry = client.put("/api/videos/new.mp4", content=content).json()
    assert (entry["name"], entry["frames"], entry["state"]) == ("new.mp4", 5, "new")
    assert (session.library.root / "new.mp4").read_bytes() == content


def test_weights_and_modes_can_be_chosen(client, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKNET_WEIGHTS", str(tmp_path / "own"))
    answer = client.get("/api/weights").json()
    assert answer["default"] == "badminton-v3" == answer["weights"][0]["name"]
    assert answer["modes"] == ["fast", "balanced", "accurate"]
    assert not any(entry["own"] for entry in answer["weights"])


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"kind": "bake"}, 400, "kind must be"),
        ({"kind": "track", "weights": "../x"}, 400, "no such weights"),
        ({"kind": "track", "videos": ["x"]}, 404, "no such video"),
        ({"kind": "track", "mode": "slow"}, 400, "mode must be"),
        ({"kind": "track", "threshold": 2}, 400, "threshold must be"),
        ({"kind": "teach"}, 400, "correct some frames"),
        ({"kind": "teach", "minutes": -1}, 400, "minutes must be"),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_done_is_refused(client, session, body, status, words):
    answer = client.post("/api/jobs", json=body)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert session.jobs.current is None
