"""Track a video with the bundled weights and say how the ball moved.

    python examples/track_video.py match.mp4

Prints how many frames show the ball and its fastest step, in pixels of the video a second, and
writes the track beside the video.
"""

import argparse
from pathlib import Path

import numpy as np

import keras_tracknet as kt


def main(video: Path, weights: str | None = None) -> kt.Track:
    """Track, write, tell."""
    tracker = kt.Tracker.from_preset(weights) if weights else kt.Tracker.from_preset()
    track = tracker.track(video)
    kt.write_track(track, video.with_suffix(".track.csv"))
    speed = np.hypot(np.diff(track.x), np.diff(track.y)) / np.diff(track.time)
    print(f"{track.visibility.sum()} of {len(track)} frames show the ball")
    if np.isfinite(speed).any():
        frame = int(np.nanargmax(speed))
        print(f"fastest: {speed[frame]:.0f} pixels a second at {track.time[frame]:.2f} s")
    return track


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--weights", help="a bundled tracker's name")
    main(**vars(parser.parse_args()))
