"""What a hostile page could try while a person has the studio open in a real browser."""

import functools
import http.server
import json
import re
import threading

import pytest
from helpers_browser import open_page, open_studio

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium):
    with open_page(chromium) as page:
        yield page


PATHS = (
    "/api/videos", "/api/events", "/api/weights", "/api/formats", "/static/main.js", "/",
    "/api/videos/{id}/track", "/api/videos/{id}/labels", "/api/videos/{id}/frames/0",
    "/api/videos/{id}/thumbnail", "/api/videos/{id}/export?format=csv", "/api/videos/{id}/court",
    "/report/{id}",
)  # fmt: skip
OUTSIDE = ("../secret.mp4", "..%2fsecret.mp4", "%2e%2e/secret.mp4", "..%5csecret.mp4",
           "/etc/passwd", "%2fetc%2fpasswd", "match/../../secret.mp4")  # fmt: skip


@pytest.fixture
def session(server):
    """A studio, the cookie of its own page, and the ID of a video."""
    status, _, headers = server.ask("GET", f"/?{server.token}")
    assert status in (302, 303, 307)
    given = headers["Set-Cookie"]
    assert "HttpOnly" in given
    assert re.search("samesite=strict", given, re.IGNORECASE)
    cookie = given.partition(";")[0]
    video = json.loads(server.ask("GET", "/api/videos", cookie=cookie)[1])[0]
    return server, cookie, video["id"]


def test_without_the_token_nothing_is_told(session):
    server, cookie, video = session
    for path in PATHS:
        path = path.format(id=video)
        assert server.ask("GET", path)[0] in (401, 403), path
        wrong = cookie[:-4] + "AAAA"
        assert server.ask("GET", path, cookie=wrong)[0] in (401, 403), path
    assert server.ask("GET", "/?token=guessed")[0] in (401, 403)


def test_another_host_or_origin_is_refused(session):
    server, cookie, video = session
    for path in PATHS:
        path = path.format(id=video)
        answer = server.ask("GET", path, cookie=cookie, Host=f"evil.example:{server.port}")
        assert 400 <= answer[0] < 500, path
        answer = server.ask("GET", path, cookie=cookie, Origin="http://evil.example")
        assert answer[0] == 403, path
    labels = f"/api/videos/{video}/labels"
    before = server.ask("GET", labels, cookie=cookie)[1]
    body = json.dumps({"set": {"1": {"status": "visible", "visibility": 1, "x": 1, "y": 1}}})
    changes = (("PATCH", labels), ("POST", "/api/jobs"), ("PUT", "/api/videos/a.mp4"),
               ("DELETE", "/api/jobs/current"), ("POST", "/api/weights"))  # fmt: skip
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{server.port + 1}"):
        for method, path in changes:
            answer = server.ask(method, path, cookie=cookie, body=body.encode(), Origin=origin)
            assert answer[0] == 403, (method, path, origin)
    assert server.ask("GET", labels, cookie=cookie)[1] == before


def test_paths_do_not_leave_the_folder(session):
    server, cookie, video = session
    own = f"http://{server.host}:{server.port}"
    before = sorted(server.folder.parent.rglob("*"))
    for outside in OUTSIDE:
        for path in (f"/static/{outside}", f"/api/videos/{outside}/thumbnail",
                     f"/api/videos/{outside}/frames/0", f"/api/videos/{outside}/labels",
                     f"/api/videos/{video}/export?format={outside}", f"/api/videos/{outside}/court",
                     f"/report/{outside}"):  # fmt: skip
            status, body, _ = server.ask("GET", path, cookie=cookie)
            assert 400 <= status < 500, path
            assert b"root:" not in body
            assert body != b"secret"
        answer = server.ask("PUT", f"/api/videos/{outside}", cookie=cookie, body=b"x", Origin=own)
        assert 400 <= answer[0] < 500, outside
    assert sorted(server.folder.parent.rglob("*")) == before


def test_the_page_runs_no_code_but_its_own(session):
    server, cookie, _ = session
    policy = server.ask("GET", "/", cookie=cookie)[2]["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-inline" not in policy


HOSTILE = b"""<!doctype html><meta charset="utf-8"><title>hostile</title>"""


def test_a_page_of_another_origin_learns_and_changes_nothing(server, page, tmp_path):
    (tmp_path / "hostile").mkdir()
    (tmp_path / "hostile" / "index.html").write_bytes(HOSTILE)
    handler = functools.partial(QuietHandler, directory=str(tmp_path / "hostile"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as hostile:
        threading.Thread(target=hostile.serve_forever, daemon=True).start()
        open_studio(page, server)  # as a person has it open
        other = page.context.new_page()
        other.goto(f"http://127.0.0.1:{hostile.server_port}/")
        # Another port is the same site: the browser sends the cookie along.
        tried = other.evaluate(
            """async (studio) => {
                const tries = [
                    ["/api/videos", { credentials: "include" }],
                    ["/api/jobs", { credentials: "include", method: "POST",
                        body: '{"kind": "track", "videos": [], "weights": "rendered-v3"}' }],
                ];
                const read = [];
                for (const [path, options] of tries) {
                    try { read.push(await (await fetch(studio + path, options)).text()); }
                    catch { read.push(null); }
                }
                const frame = document.createElement("iframe");
                frame.src = studio + "/";
                document.body.append(frame);
                await new Promise((done) => { frame.onload = done; });
                try { read.push(frame.contentDocument?.body.innerHTML ?? null); }
                catch { read.push(null); }
                return read;
            }""",
            f"http://{server.host}:{server.port}",
        )
        assert tried == [None, None, None]
        hostile.shutdown()
    job = page.evaluate("document.querySelector('#job').hidden")
    assert job, "a job was started"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Says nothing of what it serves."""

    def log_message(self, *_):
        pass
