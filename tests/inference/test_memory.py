"""Memory does not grow with the video: peaks of processes of their own are compared."""

import subprocess
import sys
from fractions import Fraction

import pytest
from helpers_trackers import paint, save_detector

from keras_tracknet.video.writer import VideoWriter

pytest.importorskip("resource", reason="this system does not tell what a process used")

SIZE = (720, 1280)
HELD = 60e6  # bytes: 22 of these frames; the long video has 360 more than the short one
CODE = """
import resource, sys
from pathlib import Path
from keras_tracknet import Tracker
from keras_tracknet.inference.outputs import predict_video
from keras_tracknet.inference.places import OutputPaths
weights, video, output = map(Path, sys.argv[1:])
tracker = Tracker(weights, precision="float32", engine="keras")
paths = OutputPaths.choose(video, output, ["csv"], overlay=True)
predict_video(tracker, video, paths)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measure_peak(weights, folder, frames):
    """Bytes at the peak of tracking a video of so many frames, with an overlay."""
    video = folder / f"{frames}.mp4"
    with VideoWriter(video, size=SIZE, fps=Fraction(25)) as writer:
        for n in range(frames):
            writer.write(paint(SIZE, (100 + n, 300), radius=9))
    command = [sys.executable, "-c", CODE, weights, video, folder / str(frames)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1]) * (1 if sys.platform == "darwin" else 1024)


def test_ten_times_the_frames_take_no_more_memory(tmp_path):
    weights = save_detector(tmp_path / "w.keras", "v3", frames=8, background="concat")
    short, long = (measure_peak(weights, tmp_path, frames) for frames in (40, 400))
    assert long - short < HELD
