"""Take the picture of the report in docs/analysis.md: of a rendered rally, tracked and analysed.

    python docs/report.py

Renders a badminton rally, tracks it with the bundled weights, analyses it on its court and writes
docs/images/report.webp. Takes a minute on two CPU cores. Needs Chromium and Pillow, which comes
with matplotlib.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import keras_tracknet as kt
from keras_tracknet.analysis.court.calibration import calibrate_court
from keras_tracknet.analysis.court.marks import Mark
from keras_tracknet.analysis.run import run_analysis
from keras_tracknet.inference.outputs import predict_video
from keras_tracknet.inference.places import OutputPaths
from keras_tracknet.sports import find_sport
from keras_tracknet.synthetic import RallyConfig, simulate_rally, write_rally

OUTPUT = Path(__file__).parent / "images" / "report.webp"
RALLY = RallyConfig(frames=300, seed=1_000_004)  # the weights have not seen seeds from 1,000,000 on
CORNERS = ("near_left", "near_right", "far_left", "far_right")
SIZE = (900, 1270)  # (width, height) of the browser's window, pixels
RALLY_ONLY = "<style>body > :not(.card):not(svg) { display: none } .card { border: 0 }</style>"
QUALITY = 80  # of the picture, 0 to 100


def main(output: Path, browser: str, weights: str) -> None:
    """Write the report, photograph it."""
    with tempfile.TemporaryDirectory() as folder:
        page = write_page(Path(folder), RALLY, weights)
        page.write_text(page.read_text(encoding="utf-8") + RALLY_ONLY, encoding="utf-8")
        shot = Path(folder) / "report.png"
        window = f"--window-size={SIZE[0]},{SIZE[1]}"
        flags = ("--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu")
        subprocess.run(
            [browser, *flags, window, f"--screenshot={shot}", page.as_uri()],
            check=True,
            capture_output=True,
        )
        with Image.open(shot) as picture:
            picture.convert("RGB").save(output, quality=QUALITY, method=6)
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB")


def write_page(folder: Path, config: RallyConfig, weights: str) -> Path:
    """Render, track and analyse a rally; return its report."""
    video = write_rally(config, folder).rename(folder / "rally.mp4")
    paths = OutputPaths.inside(folder, ["csv"], overlay=False)
    predict_video(kt.Tracker(weights), video, paths)
    camera, sport = simulate_rally(config).camera, find_sport(config.sport)
    marks = []
    for name in CORNERS:
        place = sport.landmarks[name]
        marks.append(Mark(name, *camera.project(np.array([*place, 0.0])), *place))
    court = calibrate_court(marks, config.size, sport.name)
    run_analysis(paths.tracks[0], folder / "report", sport, court=court, video=video)
    return folder / "report" / "report.html"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, nargs="?", default=OUTPUT)
    parser.add_argument("--browser", default="chromium", help="command that starts Chromium")
    parser.add_argument("--weights", default=kt.presets.DEMO, help="weights to track with")
    main(**vars(parser.parse_args()))
