"""What a hostile page, or a neighbour in the network, could try."""

import pytest
from helpers_clips import write_video
from starlette.testclient import TestClient

from keras_tracknet.studio.access import Guard
from keras_tracknet.studio.library import Library
from keras_tracknet.studio.pages import make_app
from keras_tracknet.studio.session import Session

HOST = "127.0.0.1:8017"
TOKEN = "right-token"
SECRET = "nobody may read this"


@pytest.fixture
def folder(tmp_path):
    write_video(tmp_path / "match" / "a.mp4")
    (tmp_path / "secret.mp4").write_text(SECRET)
    (tmp_path / "match" / "outside.mp4").symlink_to(tmp_path / "secret.mp4")
    return tmp_path / "match"


def connect(folder, host="127.0.0.1"):
    session = Session(Library(folder))
    app = Guard(make_app(session), token=TOKEN, port=8017, host=host)
    client = TestClient(app, base_url=f"http://{HOST}", follow_redirects=False)
    return client, session


@pytest.fixture
def client(folder):
    """A browser that has opened the address from the terminal."""
    client, session = connect(folder)
    assert client.get(f"/?token={TOKEN}").headers["location"] == "/"
    yield client
    session.close()


PATHS = ["/", "/static/main.js", "/api/videos", "/api/events", "/api/weights", "/api/formats"]


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_is_shown(folder, path):
    client, _ = connect(folder)
    answer = client.get(path)
    assert answer.status_code == 403
    assert "a.mp4" not in answer.text
    assert client.get(f"{path}?token=wrong").status_code == 403
    client.cookies.set("tracknet-8017", "wrong")
    assert client.get(path).status_code == 403


def test_the_token_becomes_a_cookie_that_pages_cannot_read(folder):
    client, _ = connect(folder)
    cookie = client.get(f"/?token={TOKEN}").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/api/videos").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8017", "127.0.0.1", "127.0.0.1:80", "10.0.0.7:8017", ""],
)
def test_another_host_is_refused(client, host):
    assert client.get("/api/videos", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8017", "127.0.0.1:8017"])
def test_this_machine_has_two_names(client, host):
    client.cookies.set("tracknet-8017", TOKEN)
    assert client.get("/api/videos", headers={"host": host}).status_code == 200


ORIGINS = ["http://evil.example", "null", "https://127.0.0.1:8017", "http://127.0.0.1:8018"]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PUT", "DELETE"])
def test_another_origin_is_refused(client, method, origin):
    answer = client.request(method, "/api/videos", headers={"origin": origin})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/api/videos/{id}/labels"),
        ("POST", "/api/videos/{id}/import"),
        ("POST", "/api/videos/{id}/fill"),
        ("POST", "/api/jobs"),
        ("DELETE", "/api/jobs/current"),
        ("POST", "/api/weights"),
        ("PUT", "/api/videos/new.mp4"),
    ],
)
def test_what_changes_something_needs_an_origin(client, folder, method, path):
    (video,) = client.get("/api/videos").json()
    before = sorted(folder.iterdir())
    answer = client.request(method, path.format(id=video["id"]), content=b"{}")
    assert answer.status_code == 403
    assert sorted(folder.iterdir()) == before


BAD_NAMES = ["..%2Fsecret.mp4", "%2e%2e%2fsecret.mp4", "..%5Csecret.mp4", "%2Fetc%2Fpasswd"]
ADDRESSES = [
    "/api/videos/{}/frames/0",
    "/api/videos/{}/thumbnail",
    "/api/videos/{}/track",
    "/api/videos/{}/labels",
    "/api/videos/{}/doubtful",
    "/api/videos/{}/heatmaps/0",
    "/api/videos/{}/export?format=labels",
    "/report/{}",
    "/static/{}",
    "/static/../{}",
    "/{}",
]


@pytest.mark.parametrize("name", [*BAD_NAMES, "../secret.mp4", "a.mp4", "outside.mp4"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_no_path_leads_out_of_the_folder(client, address, name):
    answer = client.get(address.format(name))
    assert answer.status_code in (400, 404, 405)
    assert SECRET not in answer.text


@pytest.mark.parametrize("name", [*BAD_NAMES, "a.mp4", ".hidden.mp4", "page.html", "C%3A.mp4"])
def test_uploads_go_into_the_folder_under_a_new_name_only(client, folder, name):
    before = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    headers = {"origin": f"http://{HOST}"}
    answer = client.put(f"/api/videos/{name}", content=b"evil", headers=headers)
    assert answer.status_code in (400, 404, 405)
    after = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    assert after == before


def test_an_upload_that_is_no_video_leaves_nothing(client, folder):
    before = sorted(folder.iterdir())
    headers = {"origin": f"http://{HOST}"}
    answer = client.put("/api/videos/new.mp4", content=b"no video", headers=headers)
    assert answer.status_code == 400
    assert sorted(folder.iterdir()) == before


def test_what_is_too_large_is_refused(client):
    headers = {"origin": f"http://{HOST}"}
    (video,) = client.get("/api/videos").json()
    path = f"/api/videos/{video['id']}/labels"
    assert client.patch(path, content=bytes(9 << 20), headers=headers).status_code == 413
    told = {**headers, "content-length": str(65 << 30)}
    assert client.put("/api/videos/new.mp4", headers=told).status_code == 413


def test_links_that_lead_out_of_the_folder_are_not_listed(client):
    assert [video["name"] for video in client.get("/api/videos").json()] == ["a.mp4"]


def test_nothing_runs_but_the_studios_own_scripts(client):
    for path in ("/", "/api/videos", "/nowhere"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_other_machines_come_in_only_where_the_host_is_open(folder):
    here, _ = connect(folder)
    there, _ = connect(folder, host="0.0.0.0")
    for client, status in ((here, 403), (there, 200)):
        client.cookies.set("tracknet-8017", TOKEN)
        answer = client.get("/api/videos", headers={"host": "192.168.1.5:8017"})
        assert answer.status_code == status
        name = {"host": "evil.example:8017"}
        assert client.get("/api/videos", headers=name).status_code == 403
