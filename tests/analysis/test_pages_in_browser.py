"""The court page and the report in a real browser: on a screen, on a phone and on paper.

Needs Chromium and Playwright; `nox -s browser` brings them.
"""

import shutil
import threading

import numpy as np
import pytest
from helpers_rallies import analyze_truly

from keras_tracknet.analysis.court.page import pick_marks
from keras_tracknet.analysis.report.page import Heading, write_report
from keras_tracknet.synthetic import RallyConfig, write_rally

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
if CHROMIUM is None:
    pytest.skip("needs chromium", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

pytestmark = pytest.mark.browser

CORNERS = {
    "near_left": (296, 656),
    "near_right": (985, 656),
    "far_left": (453, 264),
    "far_right": (829, 264),
}
PAPER = 703  # CSS pixels between the margins of A4


@pytest.fixture(scope="module")
def chromium():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    page = chromium.new_page(viewport={"width": 1300, "height": 900})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


class Marking:
    """The court page, waiting for somebody to mark a court."""

    def __init__(self, page, image):
        self.page, self.marks, self.address = page, None, ""
        opened = threading.Event()

        def open_page(address):
            self.address = address
            opened.set()

        def pick():
            self.marks = pick_marks(image, "badminton", lambda _: None, open_page=open_page)

        self.thread = threading.Thread(target=pick, daemon=True)
        self.thread.start()
        opened.wait(10)
        page.goto(self.address)

    def see(self, x, y):
        """Where a pixel of the picture is on the screen."""
        place = "new DOMPoint(x + .5, y + .5).matrixTransform(stage.getScreenCTM())"
        return self.page.evaluate(f"([x, y]) => {{ const p = {place}; return [p.x, p.y] }}", [x, y])

    def click(self, x, y):
        self.page.mouse.click(*self.see(x, y))

    def read(self):
        return dict(self.page.evaluate("[...marks]"))

    def wait(self, text):
        self.page.wait_for_function("(t) => message.textContent.includes(t)", arg=text)


@pytest.fixture
def marking(page):
    return Marking(page, np.full((720, 1280, 3), 60, np.uint8))


def test_a_court_is_marked_corrected_and_saved(marking, page):
    for number, (name, place) in enumerate(CORNERS.items()):
        assert page.evaluate("choice.value") == name
        assert page.locator("#sketch .now").get_attribute("data-name") == name
        marking.click(*place)
        assert page.locator("#sketch .done").count() == number + 1
    marking.wait("fits by construction")
    assert page.locator("#lines line").count() == 12  # the drawn court
    # A mark is dragged, and put back.
    before = marking.read()
    page.mouse.move(*marking.see(*before["near_left"]))
    page.mouse.down()
    page.mouse.move(*marking.see(320, 640), steps=3)
    page.mouse.up()
    assert marking.read()["near_left"] == pytest.approx((320, 640), abs=1)
    page.click("#undo")
    assert marking.read() == before
    # An arrow key moves the last one by a pixel.
    page.keyboard.press("ArrowLeft")
    assert marking.read()["far_right"] == pytest.approx(
        np.subtract(before["far_right"], (1, 0)), abs=1e-6
    )
    page.click("#undo")
    # In a zoomed picture a point is placed more finely.
    page.mouse.move(*marking.see(400, 460))
    page.mouse.wheel(0, -600)
    page.wait_for_function("view.zoom > 5")
    marking.click(377.25, 460.5)
    marking.wait("5 points")
    assert marking.read()["service_near_left"] == pytest.approx((377.25, 460.5), abs=0.2)
    page.click("#whole")
    page.click("#save")
    page.wait_for_function("document.body.textContent.includes('Saved')")
    marking.thread.join(10)
    assert [mark.name for mark in marking.marks] == [*CORNERS, "service_near_left"]
    for mark in marking.marks[:4]:
        assert (mark.x, mark.y) == pytest.approx(CORNERS[mark.name], abs=0.8)


def test_swapped_points_cannot_be_saved(marking, page):
    swapped = dict(zip(CORNERS, [CORNERS[n] for n in reversed(CORNERS)], strict=True))
    for place in swapped.values():
        marking.click(*place)
    marking.wait("upside down")
    assert page.locator("#save").is_disabled()
    while page.locator("#undo").is_enabled():
        page.click("#undo")
    assert marking.read() == {}
    assert page.evaluate("choice.value") == "near_left"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report beside a video of its length."""
    folder = tmp_path_factory.mktemp("report")
    analysis = analyze_truly(1)
    video = write_rally(RallyConfig(frames=len(analysis.track), size=(72, 128), seed=1), folder)
    heading = Heading("A match with quite a long name, court 2", "tennis-v3", "timestamps")
    write_report(analysis, folder / "report.html", heading, video=video)
    return folder / "report.html", analysis


def test_a_time_leads_to_its_moment_and_the_video_stays_in_sight(page, report):
    path, analysis = report
    page.goto(path.as_uri())
    page.wait_for_function("video.readyState >= 1")
    page.evaluate("video.play = async () => {}")
    page.locator("section table a").last.click()
    last = analysis.strokes[-1].event.time
    assert page.evaluate("video.currentTime") == pytest.approx(last, abs=0.02)
    page.wait_for_function("film.classList.contains('away')")
    assert page.locator("#video").bounding_box()["width"] < 430


def test_without_its_video_the_page_asks_for_it(page, report, tmp_path):
    path, _ = report
    moved = tmp_path / "report.html"
    moved.write_bytes(path.read_bytes())
    page.goto(moved.as_uri())
    chooser = page.locator("#film-note input")
    chooser.wait_for()
    chooser.set_input_files(next(path.parent.glob("*.mp4")))
    page.wait_for_function("video.readyState >= 1")
    assert page.locator("#video").is_visible()


@pytest.mark.parametrize(
    ("width", "media"), [(1300, "screen"), (390, "screen"), (320, "screen"), (PAPER, "print")]
)
def test_nothing_is_cut_off(page, report, width, media):
    path, analysis = report
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(media=media)
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    rows = page.locator("section tbody tr")
    assert rows.count() == len(analysis.strokes)
    for row in rows.all():
        box = row.bounding_box()
        assert box["height"] > 10
        assert box["x"] + box["width"] <= width
    assert page.locator("#video").is_visible() == (media == "screen")


def count_overlaps(page, selector):
    """How many pairs of texts of the page's charts cover each other."""
    return page.evaluate(
        """(selector) => [...document.querySelectorAll("svg")].map((svg) => {
          const boxes = [...svg.querySelectorAll(selector)]
            .map((text) => text.getBoundingClientRect()).filter((box) => box.width);
          let count = 0;
          boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
            const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (wide > 1 && high > 1) count += 1;
          }));
          return count;
        }).reduce((a, b) => a + b, 0)""",
        selector,
    )


@pytest.mark.parametrize("width", [1300, 390])
def test_no_text_of_a_chart_covers_another(page, report, width):
    path, _ = report
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path.as_uri())
    assert count_overlaps(page, "svg.chart text") == 0
    assert count_overlaps(page, ".label circle") == 0
