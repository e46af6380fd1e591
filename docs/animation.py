"""Draw the animation of the README: a rendered rally with its track.

    python docs/animation.py

Renders a badminton rally, tracks it with the bundled weights, draws the track on every frame and
writes docs/images/rally.webp. Takes half a minute on two CPU cores. Needs Pillow, which comes with
matplotlib.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import keras_tracknet as kt
from keras_tracknet.synthetic import RallyConfig, simulate_rally
from keras_tracknet.tracks.overlay import draw_overlay

OUTPUT = Path(__file__).parent / "images" / "rally.webp"
FRAMES, SEED = 150, 1_000_004  # the bundled weights have not seen seeds from 1,000,000 on
SIZE = (640, 360)  # (width, height) of the animation
TRAIL = 15  # frames
MILLISECONDS = 40  # per frame: slightly slower than the rally's 30 frames per second


def main(output: Path, frames: int, weights: str) -> None:
    """Render, track, draw, write."""
    pictures = list(simulate_rally(RallyConfig(frames=frames, seed=SEED)).frames())
    track = kt.Tracker(weights).track_frames(pictures)
    drawn = (draw_overlay(picture, track, k, trail=TRAIL) for k, picture in enumerate(pictures))
    first, *others = map(shrink, drawn)
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


def shrink(picture: np.ndarray) -> Image.Image:
    """Return a picture at the size of the animation."""
    return Image.fromarray(cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, nargs="?", default=OUTPUT)
    parser.add_argument("--frames", type=int, default=FRAMES, help="length of the rally")
    parser.add_argument("--weights", default=kt.presets.DEMO, help="weights to track with")
    main(**vars(parser.parse_args()))
