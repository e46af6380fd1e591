"""Draw the moving picture of the README: a rendered rally with its track.

    python docs/animation.py

Renders a badminton rally, tracks it with the bundled weights, draws the track on every frame and
writes docs/images/rally.webp. Takes a minute on two CPU cores. Needs Pillow, which comes with
matplotlib.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import keras_tracknet as kt
from keras_tracknet.tracks.overlay import draw_overlay
from keras_tracknet.synthetic import RallyConfig, simulate_rally

OUTPUT = Path(__file__).parent / "images" / "rally.webp"
RALLY = RallyConfig(frames=150, seed=1_000_004)
SIZE = (640, 360)  # (width, height) of the moving picture
TRAIL = 15  # frames behind the ball
MILLISECONDS = 40  # a frame: the rally in slight slow motion


def main(output: Path, weights: str) -> None:
    """Render, track, draw, write."""
    frames = list(simulate_rally(RALLY).frames())
    track = kt.Tracker.from_preset(weights).track_frames(frames)
    drawn = (draw_overlay(frame, track, k, trail=TRAIL) for k, frame in enumerate(frames))
    first, *others = (shrink(frame) for frame in drawn)
    first.save(
        output,
        save_all=True,
        append_images=others,
        duration=MILLISECONDS,
        loop=0,
        quality=60,
        method=6,
    )
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB, {track.visibility.sum()} positions")


def shrink(frame: np.ndarray) -> Image.Image:
    """Return a frame at the size of the moving picture."""
    return Image.fromarray(cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, nargs="?", default=OUTPUT)
    parser.add_argument("--weights", default=kt.presets.DEMO, help="weights to track with")
    main(**vars(parser.parse_args()))
