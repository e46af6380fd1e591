"""Take the pictures of the studio in the documentation, of rendered rallies.

    pip install -e '.[browser]'
    python docs/screenshots.py

Renders two rallies, opens the studio on them in Chromium, tracks, corrects and teaches as a person
would, and writes docs/images/studio-*.webp. Takes some minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright

from keras_tracknet.synthetic import RallyConfig, write_rally

IMAGES = Path(__file__).parent / "images"
SEEDS = (1_000_004, 1_000_002)  # from 1,000,000 on, the bundled weights have not seen them
FRAMES = 240
WEIGHTS = "rendered-v3"
SIZE = {"width": 1280, "height": 720}
PATIENCE = 1_200_000  # milliseconds
QUALITY = 72
CORRECTED = 120  # frames that are labelled before teaching, here by the renderer


def main(folder: Path) -> None:
    """Render, open, track, correct, teach."""
    with TemporaryDirectory() as work:
        videos, labels = Path(work) / "videos", Path(work) / "labels.csv"
        videos.mkdir()
        for seed, name in zip(SEEDS, ("training", "club-night"), strict=True):
            path = write_rally(RallyConfig(frames=FRAMES, seed=seed), Path(work) / "rendered")
            path.rename(videos / f"{name}.mp4")
            truth = path.with_suffix(".csv").read_text().splitlines(keepends=True)
            labels.write_text("".join(truth[: CORRECTED + 1]))  # of the one that is listed first
        command = [sys.executable, "-m", "keras_tracknet_cli", "studio", str(videos)]
        with subprocess.Popen(
            [*command, "--port", "0", "--no-open"],
            cwd=work,
            env=apart(work),
            stdout=subprocess.PIPE,
            text=True,
        ) as studio:
            assert studio.stdout is not None
            try:
                take(studio.stdout.readline().strip(), labels, folder)
            finally:
                studio.send_signal(signal.SIGINT)


def apart(work: str) -> dict[str, str]:
    """Return an environment that leaves a person's own cache and weights alone."""
    return {
        **os.environ,
        "TRACKNET_CACHE": f"{work}/cache",
        "TRACKNET_WEIGHTS": f"{work}/weights",
    }


def take(address: str, labels: Path, folder: Path) -> None:
    """Work as a person would, and take the pictures on the way."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_context(viewport=SIZE, color_scheme="dark").new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.select_option("#weights", WEIGHTS)
        page.click("#track-all")
        page.wait_for_selector(".card:nth-child(2) .dot.tracked")
        page.wait_for_selector("#job", state="hidden")
        page.click(".card a")
        page.wait_for_selector(".queue .entry")
        page.select_option("#after", "doubtful")
        for key in "naanx":
            press(page, key)
        page.select_option("#after", "stay")
        press(page, "b")
        page.wait_for_selector("#message", state="hidden")
        save(page, folder / "studio-player.webp")
        page.click("#court-link")
        page.wait_for_selector("#court-message:has-text('Found by its lines')")
        save(page, folder / "studio-court.webp")
        page.click("#court-back")
        page.click("#open-files")
        page.set_input_files("#import-file", labels)
        page.wait_for_selector("#files", state="hidden")
        page.emulate_media(color_scheme="light")
        page.click("nav [data-view=library]")
        page.wait_for_selector(".card .dot.corrected")
        page.wait_for_timeout(1000)
        save(page, folder / "studio-library.webp")
        page.click("nav [data-view=teach]")
        page.fill("#minutes", "1")
        page.click("#teach-start")
        page.wait_for_selector("#teach-result:not([hidden])")
        page.wait_for_selector("#message", state="hidden")
        page.locator("#teach-result").scroll_into_view_if_needed()
        page.evaluate("document.querySelector('#teach').scrollTo(0, 200)")
        page.wait_for_timeout(1000)
        save(page, folder / "studio-teach.webp")
        browser.close()


def press(page: Page, key: str) -> None:
    """Press a key, and wait as a person does until the picture is there."""
    page.keyboard.press(key)
    page.wait_for_timeout(300)


def save(page: Page, path: Path) -> None:
    """Write what the page shows, once its message has gone."""
    page.wait_for_selector("#message", state="hidden")
    picture = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=IMAGES)
    main(**vars(parser.parse_args()))
