"""The studio in a real browser: what a person does in it, and what a hostile page could try.

Needs Chromium and Playwright; `nox -s browser` brings them.
"""

import csv
import functools
import http.client
import http.server
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from keras_tracknet.synthetic import RallyConfig, write_rally

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
if CHROMIUM is None:
    pytest.skip("needs chromium", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

pytestmark = pytest.mark.browser

RALLY = RallyConfig(frames=48, size=(288, 512), seed=0, fps=Fraction(30))
SHOWN = "document.querySelector('#picture').dataset.shown"
PATIENCE = 180_000  # milliseconds, for what trains or tracks on a busy machine
EXACT = 0.6  # pixels of the video: a click is as fine as the pixels of the screen


class Server:
    """A studio in a process of its own."""

    def __init__(self, folder, work):
        self.folder = folder
        environment = {
            **os.environ,
            **{f"TRACKNET_{name}": str(work / name.lower()) for name in ("CACHE", "WEIGHTS")},
            "PYTHONUNBUFFERED": "1",
        }
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", "from keras_tracknet_cli.main import cli; cli()"),
                *("studio", str(folder), "--port", "0", "--no-open"),
            ],
            cwd=work, env=environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.address = self.process.stdout.readline().strip()
        parts = urlsplit(self.address)
        self.host, self.port, self.token = parts.hostname, parts.port, parts.query

    def ask(self, method, path, *, cookie=None, body=None, **headers):
        """Send a request as it stands; return its status and what came back."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True)
            headers = {"Host": f"{self.host}:{self.port}", **headers}
            if cookie:
                headers["Cookie"] = cookie
            if body is not None:
                headers["Content-Length"] = str(len(body))
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def stop(self):
        """End it as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.process.stdout.close()


@pytest.fixture
def server(tmp_path):
    write_rally(RALLY, tmp_path / "match")
    for path in (tmp_path / "match").glob("*.csv"):
        path.unlink()  # what was rendered knows where the ball is
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    server = Server(tmp_path / "match", tmp_path)
    yield server
    if server.process.poll() is None:
        server.stop()


@pytest.fixture
def page():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        yield page
        browser.close()


def test_a_clip_is_tracked_corrected_taught_and_exported(server, page, capfd):
    page.goto(server.address)
    page.wait_for_selector("body[data-ready]")
    track_all(page)
    page.click(".card a")
    wait_shown(page, 0)
    report_times(page, capfd)

    clicked = {5: (100.0, 80.0), 12: (240.0, 60.0)}
    go(page, 5)
    click_ball(page, *clicked[5])
    for frame, key in ((20, "x"), (22, "h"), (24, "a")):
        go(page, frame)
        page.keyboard.press(key)
    go(page, 26)
    page.keyboard.press("Shift+ArrowRight")
    wait_labels(page, {5, 20, 22, 24, 26})
    page.keyboard.press("u")
    wait_labels(page, {5, 20, 22, 24})
    go(page, 12)
    click_ball(page, *clicked[12])
    page.keyboard.press("i")
    corrected = {*range(5, 13), 20, 22, 24}
    wait_labels(page, corrected)

    page.wait_for_url("**frame=12")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    wait_shown(page, 12)
    wait_labels(page, corrected)
    assert "person" in page.inner_text("#readout")
    page.keyboard.press("u")  # undo goes on after a reload
    wait_labels(page, {5, 12, 20, 22, 24})
    page.keyboard.press("r")
    wait_labels(page, corrected)
    labels = read_labels(page)

    rows = export(page, "labels")
    assert set(rows) == corrected
    said = {frame: rows[frame]["Status"] for frame in (5, 6, 20, 22, 24)}
    assert said == {5: "visible", 6: "filled", 20: "absent", 22: "hidden", 24: "accepted"}
    for frame, place in clicked.items():
        assert read_place(rows[frame]) == pytest.approx(place, abs=EXACT)
        assert rows[frame]["Visibility"] == "1"
    assert rows[20]["Visibility"] == "0"
    assert rows[20]["X"] == ""
    for frame in range(6, 12):  # between the ends that were clicked
        assert read_place(rows[frame]) == pytest.approx(
            (labels[str(frame)]["x"], labels[str(frame)]["y"]), abs=0.01
        )
        assert clicked[5][0] < float(rows[frame]["X"]) < clicked[12][0]

    track = export(page, "track")
    assert len(track) == RALLY.frames
    assert read_place(track[5]) == read_place(rows[5])
    assert {frame for frame, row in track.items() if row["Status"] == "corrected"} >= {5, 6, 12}
    assert track[20]["Visibility"] == "0"

    go(page, 28)
    page.keyboard.press("s")
    page.keyboard.press("End")
    page.keyboard.press("a")  # the whole stretch
    sync_api.expect(page.locator("#saved")).to_have_text("Saved")
    teach(page)
    assert page.errors == []
    assert server.stop() in (0, 130)


def track_all(page):
    page.select_option("#weights", "rendered-v3")
    page.select_option("#mode", "fast")
    assert page.inner_text(".card .state") == "not tracked"
    page.click("#track-all")
    page.wait_for_selector(".card .dot.tracked", timeout=PATIENCE)


def wait_shown(page, frame):
    page.wait_for_selector(f"#picture[data-shown='{frame}']")


def go(page, frame):
    page.keyboard.press("g")
    page.keyboard.type(str(frame))
    page.keyboard.press("Enter")
    wait_shown(page, frame)


def click_ball(page, x, y):
    """Click a place of the video in the picture, which is fitted and centred."""
    box = page.locator("#picture").bounding_box()
    height, width = RALLY.size
    scale = min(box["width"] / width, box["height"] / height)
    page.mouse.click(
        box["x"] + box["width"] / 2 + (x - (width - 1) / 2) * scale,
        box["y"] + box["height"] / 2 + (y - (height - 1) / 2) * scale,
    )


def read_labels(page):
    """The labels that the server has."""
    return page.evaluate(
        """async () => {
            const [video] = await (await fetch("/api/videos")).json();
            return (await (await fetch(`/api/videos/${video.id}/labels`)).json()).frames;
        }"""
    )


def wait_labels(page, frames):
    end = time.monotonic() + 10
    while (found := {int(frame) for frame in read_labels(page)}) != frames:
        assert time.monotonic() < end, (found, frames)


def report_times(page, capfd):
    """Step and jump as a person does, and say how long until the picture is there."""
    measure = f"""([press, frame]) => new Promise((done) => {{
        const start = performance.now();
        const look = () => {SHOWN} === String(frame) ? done(performance.now() - start)
            : requestAnimationFrame(look);
        press === "step" ? dispatchEvent(new KeyboardEvent("keydown", {{ key: "ArrowRight" }}))
            : (location.hash = location.hash.replace(/(&frame=.*)?$/, `&frame=${{frame}}`));
        look();
    }})"""
    steps = [page.evaluate(measure, ["step", frame]) for frame in range(1, 11)]
    jumps = [page.evaluate(measure, ["jump", frame]) for frame in (40, 3, 30, 46, 18)]
    with capfd.disabled():
        for name, times in (("next frame", steps), ("jump", jumps)):
            middle = sorted(times)[len(times) // 2]
            print(f"\n{name}: {middle:.0f} ms in the middle, {max(times):.0f} ms at most", end="")


def export(page, name):
    """Download a file as the page offers it; return its rows by frame."""
    page.click("#open-files")
    with page.expect_download() as download:
        page.click(f"#formats a:text-is('{name}')")
    page.keyboard.press("Escape")
    rows = csv.DictReader(io.StringIO(Path(download.value.path()).read_text()))
    return {int(row["Frame"]): row for row in rows}


def read_place(row):
    return float(row["X"]), float(row["Y"])


def teach(page):
    page.click("nav [data-view=teach]")
    page.fill("#minutes", "0.2")
    page.click("#teach-start")
    page.wait_for_selector("#teach-result:not([hidden])", timeout=PATIENCE)
    assert "held back" in page.inner_text("#result-text")
    table = page.inner_text("#result-table")
    assert re.search(r"accuracy\s+[01]\.\d{3}\s+[01]\.\d{3}", table)
    page.fill("#keep-name", "my-club")
    page.click("#keep button.primary")
    sync_api.expect(page.locator("#weights")).to_have_value("my-club")


# What a hostile page could try

PATHS = (
    "/api/videos", "/api/events", "/api/weights", "/api/formats", "/static/main.js", "/",
    "/api/videos/{id}/track", "/api/videos/{id}/labels", "/api/videos/{id}/frames/0",
    "/api/videos/{id}/thumbnail", "/api/videos/{id}/export?format=csv", "/court/{id}",
    "/report/{id}",
)  # fmt: skip
OUTSIDE = ("../secret.mp4", "..%2fsecret.mp4", "%2e%2e/secret.mp4", "..%5csecret.mp4",
           "/etc/passwd", "%2fetc%2fpasswd", "match/../../secret.mp4")  # fmt: skip


@pytest.fixture
def session(server):
    """A studio, the cookie of its own page, and the path of a video."""
    status, _, headers = server.ask("GET", f"/?{server.token}")
    assert status in (302, 303, 307)
    given = headers["Set-Cookie"]
    assert "HttpOnly" in given
    assert re.search("samesite=strict", given, re.IGNORECASE)
    cookie = given.partition(";")[0]
    (video,) = json.loads(server.ask("GET", "/api/videos", cookie=cookie)[1])
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
    body = json.dumps({"set": {"1": {"status": "visible", "visibility": 1, "x": 1, "y": 1}}})
    changes = (("PATCH", labels), ("POST", "/api/jobs"), ("PUT", "/api/videos/a.mp4"),
               ("DELETE", "/api/jobs/current"), ("POST", "/api/weights"))  # fmt: skip
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{server.port + 1}"):
        for method, path in changes:
            answer = server.ask(method, path, cookie=cookie, body=body.encode(), Origin=origin)
            assert answer[0] == 403, (method, path, origin)
    assert json.loads(server.ask("GET", labels, cookie=cookie)[1])["frames"] == {}


def test_paths_do_not_leave_the_folder(session):
    server, cookie, video = session
    own = f"http://{server.host}:{server.port}"
    before = sorted(server.folder.parent.rglob("*"))
    for outside in OUTSIDE:
        for path in (f"/static/{outside}", f"/api/videos/{outside}/thumbnail",
                     f"/api/videos/{outside}/frames/0", f"/api/videos/{outside}/labels",
                     f"/api/videos/{video}/export?format={outside}", f"/court/{outside}",
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
        page.goto(server.address)  # the person has the studio open
        page.wait_for_selector("body[data-ready]")
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
