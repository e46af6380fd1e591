"""The studio in a real browser: what a person does in it."""

import base64
import csv
import io
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers_browser import (
    RALLY,
    TRACKED,
    find_place,
    open_page,
    open_studio,
    open_video,
    read_labels,
    sync_api,
    wait_labels,
    wait_shown,
)
from helpers_clips import write_video

from keras_tracknet.analysis.court.calibration import read_court
from keras_tracknet.studio.marking import pick_marks
from keras_tracknet.synthetic import simulate_rally

pytestmark = pytest.mark.browser

PATIENCE = 90_000  # milliseconds, for what trains or tracks on a busy machine
EXACT = 0.6  # pixels of the video: a click is as fine as the pixels of the screen


@pytest.fixture
def page(chromium):
    with open_page(chromium) as page:
        yield page


def test_a_clip_is_tracked_corrected_taught_and_exported(server, page):
    open_studio(page, server)
    card = page.locator(".card:has(.name[title='match.mp4'])")
    assert "not tracked" in card.inner_text()
    page.select_option("#weights", "rendered-v3")
    page.select_option("#mode", "fast")
    card.locator("button").click()
    card.locator(".dot.tracked").wait_for(timeout=PATIENCE)
    video = open_video(page, server, "match.mp4")

    clicked = {5: (100.0, 80.0), 12: (240.0, 60.0)}
    go(page, 5)
    page.mouse.click(*find_place(page, "#picture", clicked[5], RALLY.size))
    for frame, key in ((20, "x"), (22, "h"), (24, "a")):
        go(page, frame)
        page.keyboard.press(key)
    go(page, 26)
    page.keyboard.press("Shift+ArrowRight")
    wait_labels(page, video, {5, 20, 22, 24, 26})
    page.keyboard.press("u")
    wait_labels(page, video, {5, 20, 22, 24})
    go(page, 12)
    page.mouse.click(*find_place(page, "#picture", clicked[12], RALLY.size))
    page.keyboard.press("i")
    corrected = {*range(5, 13), 20, 22, 24}
    wait_labels(page, video, corrected)

    page.wait_for_url("**frame=12")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    wait_shown(page, 12)
    wait_labels(page, video, corrected)
    assert "person" in page.inner_text("#readout")
    page.keyboard.press("u")  # undo goes on after a reload
    wait_labels(page, video, {5, 12, 20, 22, 24})
    page.keyboard.press("r")
    labels = wait_labels(page, video, corrected)

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
        filled = labels[frame]["x"], labels[frame]["y"]
        assert read_place(rows[frame]) == pytest.approx(filled, abs=0.01)
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


def go(page, frame):
    page.keyboard.press("g")
    page.keyboard.type(str(frame))
    page.keyboard.press("Enter")
    wait_shown(page, frame)


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
    page.fill("#minutes", "0.05")
    page.click("#teach-start")
    page.wait_for_selector("#teach-result:not([hidden])", timeout=PATIENCE)
    assert "held back" in page.inner_text("#result-text")
    table = page.inner_text("#result-table")
    assert re.search(r"accuracy\s+[01]\.\d{3}\s+[01]\.\d{3}", table)
    page.fill("#keep-name", "my-club")
    page.click("#keep button.primary")
    sync_api.expect(page.locator("#weights")).to_have_value("my-club")


def test_how_long_a_step_and_a_jump_take(server, page, capfd):
    """Steps and jumps as a person does, in a large video with one key frame; says how long."""
    open_video(page, server, "large.mp4")
    measure = """([step, frame, patience]) => new Promise((done, fail) => {
        const start = performance.now(), picture = document.querySelector("#picture");
        setTimeout(() => fail(`frame ${frame} is not shown; ${location.hash} is`), patience);
        const look = () => picture.dataset.shown === String(frame) ? done(performance.now() - start)
            : requestAnimationFrame(look);
        if (step) dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
        else location.hash = location.hash.replace(/(&frame=.*)?$/, `&frame=${frame}`);
        look();
    })"""
    jumps = [page.evaluate(measure, [False, n, PATIENCE]) for n in (180, 40, 240, 90, 130)]
    steps = [page.evaluate(measure, [True, n, PATIENCE]) for n in range(131, 141)]
    with capfd.disabled():
        for name, times in (("next frame", steps), ("jump", jumps)):
            middle = sorted(times)[len(times) // 2]
            print(f"\n{name}: {middle:.0f} ms in the middle, {max(times):.0f} ms at most", end="")


def test_a_dropped_file_is_in_the_library(server, page, tmp_path):
    content = write_video(tmp_path / "dropped.mp4", 5).read_bytes()
    open_studio(page, server)
    page.evaluate(
        """(content) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], "dropped.mp4"));
            const options = { dataTransfer, bubbles: true, cancelable: true };
            for (const name of ["dragover", "drop"]) {
                document.body.dispatchEvent(new DragEvent(name, options));
            }
        }""",
        base64.b64encode(content).decode(),
    )
    card = page.locator(".card:has(.name[title='dropped.mp4'])")
    card.wait_for()
    assert "not tracked" in card.inner_text()
    assert (server.folder / "dropped.mp4").read_bytes() == content
    card.locator("a").click()
    wait_shown(page, 0)


def test_a_tap_corrects_and_two_fingers_zoom(server, chromium):
    screen = {"width": 1024, "height": 768}
    with open_page(chromium, viewport=screen, has_touch=True) as page:
        video = open_video(page, server, "tracked.mp4")
        before = set(read_labels(page, video))
        page.touchscreen.tap(*find_place(page, "#picture", (60.0, 30.0), TRACKED.size))
        label = wait_labels(page, video, before | {0})[0]
        assert (label["x"], label["y"]) == pytest.approx((60.0, 30.0), abs=EXACT)
        page.tap("[data-act=forward]")
        wait_shown(page, 1)
        page.tap("#player [data-act=absent]")
        assert wait_labels(page, video, before | {0, 1})[1]["status"] == "absent"
        pinch(page, "#picture")
        assert page.get_attribute("[data-act=zoomBall]", "aria-pressed") == "true"
        wait_labels(page, video, before | {0, 1})  # two fingers say nothing of the ball
        for left in (before | {0}, before):
            page.tap("#player [data-act=undo]")
            wait_labels(page, video, left)


def pinch(page, canvas):
    """Spread two fingers in the middle of an element."""
    box = page.locator(canvas).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)
    for kind, away in (("touchStart", 40), ("touchMove", 80), ("touchMove", 120)):
        points = [{"x": x - away, "y": y, "id": 0}, {"x": x + away, "y": y, "id": 1}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(400)  # a tap that follows sooner than a person's is no click in Chromium


def test_a_time_in_the_report_leads_to_its_frame(server, page):
    video = open_video(page, server, "tracked.mp4")
    page.click("#report-link")
    page.get_by_text("Back to the video").wait_for()
    time = page.locator(f"a[href^='/#video={video}&frame=']").last
    frame = time.get_attribute("href").rpartition("=")[2]
    time.click()
    wait_shown(page, frame)


# The court

CORNERS = {
    "near_left": (296, 656),
    "near_right": (985, 656),
    "far_left": (453, 264),
    "far_right": (829, 264),
}
SIZE = (720, 1280)


class Marking:
    """`tracknet court`, waiting for somebody to mark a court in a grey picture."""

    def __init__(self, page):
        self.page, self.marks = page, None
        opened = threading.Event()
        self.thread = threading.Thread(target=self._pick, args=(opened.set,), daemon=True)
        self.thread.start()
        opened.wait(10)
        page.goto(self.address)
        page.wait_for_selector("body[data-ready]")
        page.uncheck("#court-snap")

    def _pick(self, opened):
        def open_page(address):
            self.address = address
            opened()

        image = np.full((*SIZE, 3), 60, np.uint8)
        self.marks = pick_marks(image, "badminton", lambda _: None, open_page=open_page)

    def see(self, x, y):
        return find_place(self.page, "#court-picture", (x, y), SIZE)

    def click(self, x, y):
        self.page.mouse.click(*self.see(x, y))

    def wait(self, text):
        sync_api.expect(self.page.locator("#court-message")).to_contain_text(text)

    def save(self):
        self.page.click("#court-save")
        self.page.get_by_text("Saved. You can close this page.").wait_for()
        self.thread.join(10)
        return {mark.name: (mark.x, mark.y) for mark in self.marks}


@pytest.fixture
def marking(page):
    return Marking(page)


def test_a_court_is_marked_corrected_and_saved(marking, page):
    assert page.locator("nav").is_hidden()
    for number, (name, place) in enumerate(CORNERS.items()):
        assert page.input_value("#court-place") == name
        assert page.locator("#court-sketch .now").get_attribute("data-name") == name
        marking.click(*place)
        sync_api.expect(page.locator("#court-sketch .done")).to_have_count(number + 1)
    marking.wait("fits by construction")
    # A mark is dragged, and put back.
    page.mouse.move(*marking.see(*CORNERS["near_left"]))
    page.mouse.down()
    page.mouse.move(*marking.see(640, 300), steps=3)
    page.mouse.up()
    marking.wait("no court fits the points")
    assert page.locator("#court-save").is_disabled()
    page.click("#court [data-act=undo]")
    marking.wait("fits by construction")
    # An arrow key moves the last one by a pixel.
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("u")
    # The sketch chooses a point; in a zoomed picture it is placed more finely.
    page.click("#court-sketch [data-name=service_near_left]")
    left, top = (round(value) for value in marking.see(400, 460))  # stays where it is
    page.mouse.move(left, top)
    page.mouse.wheel(0, -1200)
    times = 1.0015**1200
    away = np.subtract(marking.see(377.25, 460.5), (left, top))
    page.mouse.click(*((left, top) + times * away))
    marking.wait("5 points")
    page.click("#court [data-act=whole]")
    page.mouse.click(*marking.see(377, 460))  # a mark that is clicked is chosen, not moved
    assert page.input_value("#court-place") == "service_near_left"
    assert "px off" in page.inner_text("#court-place option:checked")
    marks = marking.save()
    assert list(marks) == [*CORNERS, "service_near_left"]
    assert marks["service_near_left"] == pytest.approx((377.25, 460.5), abs=0.25)
    expected = CORNERS | {"far_right": (827, 264)}
    for name, place in expected.items():
        assert marks[name] == pytest.approx(place, abs=1.0)


def test_swapped_points_cannot_be_saved(marking, page):
    for place in reversed(CORNERS.values()):
        marking.click(*place)
        page.wait_for_timeout(30)
    marking.wait("upside down")
    assert page.locator("#court-save").is_disabled()
    while page.locator("#court [data-act=undo]").is_enabled():
        page.click("#court [data-act=undo]")
    marking.wait("4 more to mark")
    assert page.input_value("#court-place") == "near_left"


def test_a_custom_court_is_marked_in_metres(marking, page):
    page.select_option("#court-sport", "custom")
    positions = ["0,0", "6.1,0", "0,13.4", "6.1,13.4"]
    for position, place in zip(positions, CORNERS.values(), strict=True):
        page.fill("#court-position", position)
        marking.click(*place)
        sync_api.expect(page.locator("#court-position")).to_have_value("")
    marking.wait("fits by construction")
    assert list(marking.save()) == positions


def test_the_court_of_a_video_is_saved_beside_it(server, page):
    video = open_video(page, server, "match.mp4")
    page.click("#court-link")
    message = page.locator("#court-message")
    sync_api.expect(message).to_contain_text("Found by its lines", timeout=PATIENCE)
    page.click("#court-save")
    page.get_by_text("Saved beside the video").wait_for()
    court = read_court(server.folder / "match_court.json")
    real = simulate_rally(RALLY).camera.project(np.zeros(3))  # the middle of the court
    assert court.to_picture(np.zeros(2)) == pytest.approx(real, abs=3)
    page.click("#court-back")
    wait_shown(page, 0)
    assert video in page.url
