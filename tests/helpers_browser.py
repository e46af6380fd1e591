"""A real browser, and a studio in a process of its own, for the tests that are marked `browser`.

Whoever imports this is skipped without Chromium and Playwright; `nox -s browser` brings Playwright.
"""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from fractions import Fraction
from urllib.parse import urlsplit

import av
import numpy as np
import pytest

from keras_tracknet.files import write_json
from keras_tracknet.studio.library import OWN_FOLDER
from keras_tracknet.synthetic import RallyConfig, simulate_rally, write_rally
from keras_tracknet.tracks.files import write_track

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
if CHROMIUM is None:
    pytest.skip("needs chromium", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

RALLY = RallyConfig(frames=48, size=(288, 512), seed=0, fps=Fraction(30))
TRACKED = RallyConfig(frames=90, size=(144, 256), seed=1, fps=Fraction(30))
LARGE = 250, (1080, 1920)  # frames, one of them a key frame, and their size


@contextmanager
def open_chromium():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def open_page(chromium, **options):
    """A page in a window of its own; an error in its code fails the test."""
    options = {"viewport": {"width": 1280, "height": 720}} | options
    context = chromium.new_context(**options)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def write_videos(folder):
    """`match` is as a person brings it, the track of `tracked` is the truth, `large` is large."""
    for name, config in (("match", RALLY), ("tracked", TRACKED)):
        path = write_rally(config, folder.parent / "rendered" / name)
        folder.mkdir(exist_ok=True)
        path.rename(folder / f"{name}.mp4")
    own = folder / OWN_FOLDER / "tracked.mp4"
    own.mkdir(parents=True)
    write_track(simulate_rally(TRACKED).track, own / "track.csv")
    write_json({"complete": True}, own / "summary.json")
    write_large(folder / "large.mp4")


def write_large(path):
    """A dot that crosses a gradient."""
    frames, (height, width) = LARGE
    ground = np.add.outer(np.arange(height) // 9, np.arange(width) // 16).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.gop_size = frames
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(
                np.vstack([ground, np.full((height // 2, width), 128, np.uint8)]), format="yuv420p"
            )
            np.frombuffer(picture.planes[0], np.uint8).reshape(height, -1)[
                500:520, 7 * number : 7 * number + 20
            ] = 255
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


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


def open_studio(page, server):
    page.goto(server.address)
    page.wait_for_selector("body[data-ready]")


def open_video(page, server, name):
    """Open a video in the player; return its ID."""
    open_studio(page, server)
    page.click(f".card:has(.name[title='{name}']) a")
    wait_shown(page, 0)
    return page.evaluate("new URLSearchParams(location.hash.slice(1)).get('video')")


def wait_shown(page, frame):
    page.wait_for_selector(f"#picture[data-shown='{frame}']")


def find_place(page, canvas, point, size):
    """Where a pixel of the video is on the screen, in a picture that is fitted and centred.

    Args:
        point: x and y.
        size: (height, width) of the video.
    """
    box, (height, width) = page.locator(canvas).bounding_box(), size
    scale = min(box["width"] / width, box["height"] / height)
    return (
        box["x"] + box["width"] / 2 + (point[0] - (width - 1) / 2) * scale,
        box["y"] + box["height"] / 2 + (point[1] - (height - 1) / 2) * scale,
    )


def read_labels(page, video):
    """The labels that the server has, by frame."""
    found = page.evaluate(
        "async (id) => (await (await fetch(`/api/videos/${id}/labels`)).json()).frames", video
    )
    return {int(frame): label for frame, label in found.items()}


def wait_labels(page, video, frames):
    end = time.monotonic() + 10
    while set(found := read_labels(page, video)) != frames:
        assert time.monotonic() < end, (found, frames)
    return found
