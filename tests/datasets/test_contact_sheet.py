from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers_clips import write_pair, write_run, write_video
from helpers_labels import DATASETS

from keras_tracknet.datasets.checks import check_dataset
from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.contact_sheet import (
    RING_COLOUR,
    Sample,
    check_frames,
    check_labels,
    draw_sheet,
    sample_labels,
    write_sheet,
)
from keras_tracknet.datasets.dataset import find_dataset
from keras_tracknet.datasets.labels import Label, LabelTable
from keras_tracknet.errors import InputError

SHARED = Path(__file__).parents[3] / "shared" / "data"


def write_flight(root, frames=12):
    """Write images of a dot that moves by 20 pixels a frame, and return them as a clip."""
    folder = root / "frames"
    folder.mkdir(parents=True)
    for frame in range(frames):
        image = np.full((240, 320, 3), 60, np.uint8)
        cv2.circle(image, (40 + 20 * frame, 120), 4, (255, 255, 255), -1)
        cv2.imwrite(str(folder / f"{frame}.png"), image)
    table = LabelTable.from_labels([Label(f, 1, 40.0 + 20 * f, 120.0) for f in range(frames)])
    return Clip("flight", folder, root / "labels.csv", "g", table)


@pytest.mark.parametrize(
    ("shift", "warning"),
    [
        (0, ""),
        (1, "one frame too late"),
        (-1, "one frame too early"),
        (3, "nothing moves at the labelled positions"),
    ],
)
def test_labels_of_another_frame_are_a_warning(tmp_path, shift, warning):
    clip = write_flight(tmp_path)
    samples = sample_labels([replace(clip, table=clip.table.shifted(shift))], 8)
    found = check_frames(samples)
    assert warning in found
    assert bool(warning) is bool(found)


def test_slow_balls_raise_no_warning(tmp_path):
    clip = write_flight(tmp_path)
    samples = [replace(s, speed=1.0) for s in sample_labels([clip], 8)]
    assert len(samples) == 8
    assert check_frames(samples) == ""


def test_samples_are_spread_over_clips_and_frames(tmp_path):
    clips = [replace(write_flight(tmp_path / str(n)), name=str(n)) for n in range(5)]
    samples = sample_labels(clips, 4)
    assert [sample.clip for sample in samples] == ["1", "1", "3", "3"]
    samples = sample_labels(clips[:1], 4)
    assert [sample.frame for sample in samples] == [2, 4, 7, 9]
    assert all(sorted(sample.images) == [-1, 0, 1] for sample in samples)


def test_frame_at_the_edge_has_the_neighbours_that_there_are(tmp_path):
    write_video(tmp_path / "a.mp4", 2)
    table = LabelTable.from_labels([Label(1, 1, 14.0, 18.0)])
    (sample,) = sample_labels([Clip("a", tmp_path / "a.mp4", tmp_path / "a.csv", "g", table)])
    assert sorted(sample.images) == [-1, 0]
    assert draw_sheet([sample]).ndim == 3


def test_ring_is_drawn_around_the_label():
    image = np.full((720, 1280, 3), 60, np.uint8)
    image[356:365, 636:645] = 255
    sample = Sample("a", 5, (640.0, 360.0), 20.0, {o: image for o in (-1, 0, 1)})
    sheet = draw_sheet([sample])
    # Whole frame, then three parts of it, a ring in the middle of each.
    ring = (np.abs(sheet.astype(int) - RING_COLOUR).sum(axis=-1) < 60).any(axis=0)
    for left, width in ((0, 256), (262, 144), (412, 144), (562, 144)):
        columns = np.flatnonzero(ring[left : left + width])
        assert columns.mean() == pytest.approx((width - 1) / 2, abs=1.5)
    tile = sheet[18 : 18 + 144, 412 : 412 + 144]
    assert tile[72, 72].tolist() == [255, 255, 255]


def test_sheet_is_written_and_named_in_the_report(tmp_path):
    write_pair(tmp_path / "data", "a")
    dataset = find_dataset(tmp_path / "data")
    report = check_labels(dataset, check_dataset(dataset), tmp_path / "new" / "sheet.png")
    assert report.sheet == tmp_path / "new" / "sheet.png"
    assert cv2.imread(str(report.sheet)).shape[0] > 100
    assert report.to_dict()["sheet"] == str(report.sheet)


def test_nothing_is_drawn_where_no_ball_is_visible(tmp_path):
    write_pair(tmp_path / "data", "a")
    (tmp_path / "data" / "a.csv").write_text("Frame,Visibility,X,Y\n0,0,0,0\n")
    dataset = find_dataset(tmp_path / "data")
    report = check_labels(dataset, check_dataset(dataset), tmp_path / "sheet.png")
    assert report.sheet is None
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize("write", DATASETS, ids=lambda write: write.__name__)
def test_every_layout_can_be_drawn(tmp_path, write):
    write(tmp_path)
    samples = sample_labels(find_dataset(tmp_path).clips)
    assert [sample.frame for sample in samples] == [0, 1, 3, 4]
    for sample in samples:  # the dot is where its label is
        x, y = map(round, sample.position)
        assert sample.images[0][y, x].min() > 150


def test_place_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    samples = sample_labels([write_flight(tmp_path / "clip")], 1)
    with pytest.raises(InputError, match="choose another path"):
        write_sheet(samples, tmp_path / "file" / "sheet.png")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared footage is not here")
@pytest.mark.parametrize(
    ("shift", "warning"), [(0, ""), (1, "one frame too late"), (-1, "one frame too early")]
)
def test_shared_footage_shows_which_frame_its_labels_are_for(shift, warning):
    clips = find_dataset(SHARED / "tennis" / "us-open").clips
    moved = [replace(clip, table=clip.table.shifted(shift)) for clip in clips]
    found = check_frames(sample_labels(moved))
    assert warning in found
    assert bool(warning) is bool(found)


def test_damaged_images_are_not_shown(tmp_path):
    write_run(tmp_path / "run")
    (tmp_path / "run" / "frames" / "0.png").write_bytes(b"\x89PNG")
    samples = sample_labels(find_dataset(tmp_path).clips)
    assert [sample.frame for sample in samples] == [1]
    assert sorted(samples[0].images) == [0, 1]
