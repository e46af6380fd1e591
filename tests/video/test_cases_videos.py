"""Videos as people have them, made by a script that lies beside the checkout, with ffmpeg."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

import keras_tracknet
from keras_tracknet.video.cutting import cut_clip
from keras_tracknet.video.reader import probe_video, read_frames
from keras_tracknet.video.writer import VideoWriter

SCRIPT = Path(keras_tracknet.__file__).parents[2] / "shared" / "cases" / "videos.sh"
pytestmark = pytest.mark.skipif(
    not (SCRIPT.is_file() and shutil.which("ffmpeg")), reason="needs ffmpeg and the script"
)
FPS, FRAMES = 30, 90
EVEN = np.arange(FRAMES) / FPS
GAP = np.array([*range(30), *range(45, 90)]) / FPS
# Frames, times, (height, width) and what the user is told.
CASES = {
    "slomo240.mp4": (np.arange(FRAMES) / 240, (360, 640), ""),
    "android_slomo.mp4": (EVEN, (360, 640), "recorded at 240 frames per second"),
    "rot90.mp4": (EVEN, (640, 360), ""),
    "rot180.mp4": (EVEN, (360, 640), ""),
    "rot270.mp4": (EVEN, (640, 360), ""),
    "inter15.ts": (np.arange(45) / 15, (360, 640), ""),
    "sar43.mp4": (EVEN, (360, 640), "pixel aspect ratio 4:3"),
    "off3600.ts": (EVEN, (360, 640), ""),
    "off3600.mkv": (EVEN, (360, 640), ""),
    "hlg.mov": (EVEN, (360, 640), r"HDR video \(HLG\)"),
    "pq.mp4": (EVEN, (360, 640), r"HDR video \(PQ\)"),
    "av1.webm": (EVEN, (360, 640), ""),
    "vp9a.webm": (EVEN, (360, 640), ""),
    "elst.mp4": (None, (360, 640), ""),  # what is shown depends on where a keyframe is
    "late_video.mp4": (EVEN, (360, 640), ""),
    "gap.avi": (GAP, (360, 640), ""),
    "gapm.avi": (GAP, (360, 640), ""),
    "gap.mp4": (GAP, (360, 640), ""),
    "one.ts": (EVEN, (360, 640), ""),
    "thumbnail_first.mp4": (EVEN, (360, 640), ""),
    "nodur.webm": (EVEN, (360, 640), ""),
    "anim.gif": (np.arange(25) / 25, (180, 320), ""),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder of what the script makes of a clip with a moving dot."""
    folder = tmp_path_factory.mktemp("cases")
    with VideoWriter(folder / "source.mp4", size=(720, 1280), fps=FPS) as writer:
        for frame in range(FRAMES):
            writer.write(draw_frame(frame))
    subprocess.run(
        ["bash", str(SCRIPT), str(folder / "source.mp4"), str(folder / "made")],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder / "made"


def draw_frame(frame: int) -> np.ndarray:
    image = np.full((720, 1280, 3), (30, 80, 100), np.uint8)
    image[:360] += 30
    cv2.circle(image, (100 + 12 * frame, 200 + 4 * frame), 24, (250, 250, 250), -1)
    return image


def count_frames(path: Path) -> int:
    """Return how many frames ffmpeg decodes of the film in a file."""
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "V", "-count_frames", "-of", "csv=p=0",
         "-show_entries", "stream=nb_read_frames", str(path)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return max(int(word.strip(",")) for word in shown.stdout.split())


@pytest.mark.parametrize("name", CASES)
def test_every_frame_has_its_time_and_shape(made, name):
    times, size, told = CASES[name]
    info = probe_video(made / name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frames = list(read_frames(made / name))
    assert len(frames) == count_frames(made / name)
    shown = np.array([frame.time for frame in frames])
    if times is None:
        times = np.arange(len(frames)) / FPS
    np.testing.assert_allclose(shown, times, atol=2e-3)
    assert (np.diff(shown) > 0).all()
    assert (info.height, info.width) == size
    assert {frame.image.shape for frame in frames} == {(*size, 3)}
    remarks = list(info.remarks())
    assert len(remarks) == bool(told)
    assert not told or re.search(told, remarks[0])


@pytest.mark.parametrize("name", ["hlg.mov", "pq.mp4", "sar43.mp4", "vp9a.webm", "gap.avi"])
def test_pictures_look_like_those_they_were_made_of(made, name):
    frame = next(read_frames(made / name)).image.astype(int)
    source = next(read_frames(made / "base.mp4")).image.astype(int)
    assert np.abs(frame - source).mean() < 12


@pytest.mark.parametrize("name", ["one.ts", "off3600.ts", "off3600.mkv", "gap.avi", "elst.mp4"])
def test_clips_begin_at_or_before_their_start(made, tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begun = cut_clip(made / name, tmp_path / "clip.mp4", 1.5, 1.9)
        pictures = {round(f.time, 2): f.image for f in read_frames(made / name)}
    assert 0 <= begun <= 1.5
    clip = list(read_frames(tmp_path / "clip.mp4"))
    assert clip[-1].time + begun >= 1.86
    for frame in (clip[0], clip[len(clip) // 2], clip[-1]):
        same = min(pictures, key=lambda time: abs(time - frame.time - begun))
        assert np.abs(frame.image.astype(int) - pictures[same]).mean() < 4
