"""Labels as people have them, made by a script that lies beside this repository with ffmpeg."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_tracknet.datasets.checks import check_dataset, list_warnings
from keras_tracknet.datasets.dataset import find_dataset, read_labels

SCRIPT = Path(__file__).parents[3] / "shared" / "cases" / "labels.py"
FRAMES, SIZE = 60, (180, 320)
EVERY = range(FRAMES)
THIRDS = [frame for frame in EVERY if frame % 3]  # the others have no ball

pytestmark = pytest.mark.skipif(
    not SCRIPT.is_file() or not shutil.which("ffmpeg"), reason="the cases or ffmpeg are not here"
)

# Case: (frames with a ball, labelled frames, part of each warning).
CASES = {
    "coco_strid": (range(12), range(12), []),
    "csv_minus1": (THIRDS, EVERY, ["20 rows are below 0 and there is no visibility column"]),
    "csv_vis_minus1": (THIRDS, EVERY, []),
    "csv_zero": (THIRDS, EVERY, ["20 rows are 0,0 and there is no visibility column"]),
    "cvat_ellipse": (EVERY, EVERY, []),
    "cvat_ellipse_track": (EVERY, EVERY, []),
    "ls_24fps": (
        range(56), range(56),
        ["labels use 24 frames per second, but the video has 30", "after the last keyframe"],
    ),
    "ls_interp": (range(31), range(31), ["29 frames after the last keyframe"]),
    "ls_keys": (range(31), range(31), ["29 frames after the last keyframe"]),
    "ls_rot": (EVERY, EVERY, []),
    "rf_images": (EVERY, EVERY, []),
    "rf_video": (EVERY, EVERY, ["as in Roboflow file names"]),
    "yolo_float": (range(12), range(12), []),
    "yolo_video": (EVERY, EVERY, ["counted from 1, as in ultralytics"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels") / "cases"
    subprocess.run([sys.executable, str(SCRIPT), str(folder)], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_ball_is_where_it_was_labelled(cases, case):
    seen, labelled, warnings = CASES[case]
    dataset = find_dataset(cases / case)
    (clip,) = dataset.clips
    track = read_labels(clip, size=SIZE, frames=max(labelled[-1] + 1, len(labelled)))
    frames = np.flatnonzero(track.visibility)
    assert frames.tolist() == list(seen)
    assert np.flatnonzero(track.labelled).tolist() == list(labelled)
    truth = np.stack([20 + 4 * frames, 90 - frames], axis=-1)
    assert np.linalg.norm(track.positions[frames] - truth, axis=1).max() < 0.6
    for said in (check_dataset(dataset).warnings, list_warnings(dataset, dataset.clips)):
        said = [line for line in said if "only one clip" not in line]
        assert len(said) == len(warnings)
        assert all(warning in line for warning, line in zip(warnings, said, strict=True))


def test_ids_that_match_nothing_are_not_trusted(cases):
    dataset = find_dataset(cases / "coco_step")
    assert dataset.clips == ()
    assert "9 of 12 annotations refer to images that are not listed" in dataset.warnings[0]
