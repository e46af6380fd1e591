"""Track a video with bundled weights, print the top speed, and plot the track.

    python examples/track_video.py match.mp4

Prints how many frames show the ball and its highest speed in pixels per second. Writes the track
beside the video and, where matplotlib is installed, plots it. Without a video, it renders a rally.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import keras_tracknet as kt


def main(video: Path | None, weights: str) -> kt.Track:
    """Track the video, write the track, print the speed, and plot."""
    if video is None:
        video = kt.write_rally(kt.RallyConfig(frames=32, size=(288, 512)), Path("runs/example"))
    track = kt.Tracker(weights).track(video)
    kt.write_track(track, video.with_suffix(".track.csv"))
    print(f"{track.visibility.sum()} of {len(track)} frames show the ball")
    speed = np.hypot(np.diff(track.x), np.diff(track.y)) / np.diff(track.time)
    if np.isfinite(speed).any():
        frame = int(np.nanargmax(speed))
        print(f"fastest: {speed[frame]:.0f} pixels per second at {track.time[frame]:.2f} s")
    if find_spec("matplotlib"):
        background = kt.estimate_background(frame.image for frame in kt.sample_frames(video, 25))
        pictures = kt.name_plots(video.parent, prefix=f"{video.stem}.")
        kt.plot_track(track, background, pictures)
        print(*pictures, sep="\n")
    return track


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("--weights", default="badminton-v3", help="name of a bundled tracker")
    main(**vars(parser.parse_args()))
