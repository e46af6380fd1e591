"""Track a video with bundled weights, say how the ball moved, and draw it.

    python examples/track_video.py match.mp4

Prints how many frames show the ball and its fastest step, in pixels of the video a second, and
writes the track and, where matplotlib is installed, pictures of it beside the video. Without a
video it renders a rally.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import keras_tracknet as kt
from keras_tracknet.frames.background import estimate_background
from keras_tracknet.synthetic import RallyConfig, write_rally
from keras_tracknet.tracks.plots import name_plots, plot_track
from keras_tracknet.video.reader import sample_frames


def main(video: Path | None, weights: str) -> kt.Track:
    """Track, write, tell, draw."""
    video = video or write_rally(RallyConfig(frames=32, size=(288, 512)), Path("runs/example"))
    track = kt.Tracker.from_preset(weights).track(video)
    kt.write_track(track, video.with_suffix(".track.csv"))
    print(f"{track.visibility.sum()} of {len(track)} frames show the ball")
    speed = np.hypot(np.diff(track.x), np.diff(track.y)) / np.diff(track.time)
    if np.isfinite(speed).any():
        frame = int(np.nanargmax(speed))
        print(f"fastest: {speed[frame]:.0f} pixels a second at {track.time[frame]:.2f} s")
    if find_spec("matplotlib"):
        background = estimate_background(frame.image for frame in sample_frames(video, 25))
        pictures = name_plots(video.parent, prefix=f"{video.stem}.")
        plot_track(track, background, pictures)
        print(*pictures, sep="\n")
    return track


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("--weights", default="badminton-v3", help="a bundled tracker's name")
    main(**vars(parser.parse_args()))
