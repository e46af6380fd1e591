"""The report in a real browser: on a screen, on a phone and on paper."""

import pytest
from helpers_browser import open_page
from helpers_rallies import analyze_truly

from keras_tracknet.analysis.report.page import Heading, write_report
from keras_tracknet.synthetic import RallyConfig, write_rally

pytestmark = pytest.mark.browser

PAPER = 703  # CSS pixels between the margins of A4


@pytest.fixture
def page(chromium):
    with open_page(chromium, viewport={"width": 1300, "height": 900}) as page:
        yield page


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
