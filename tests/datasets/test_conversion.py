import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers_clips import SIZE, write_images, write_labels, write_match, write_pair, write_video
from helpers_labels import DATASETS

from keras_tracknet.datasets import conversion
from keras_tracknet.datasets.checks import check_dataset
from keras_tracknet.datasets.conversion import TARGETS, convert_dataset
from keras_tracknet.datasets.dataset import find_dataset, read_labels
from keras_tracknet.errors import InputError

SHARED = Path(__file__).parents[3] / "shared" / "data"


def read_tracks(dataset, size=SIZE, frames=6):
    return {clip.name: read_labels(clip, size=size, frames=frames) for clip in dataset.clips}


def assert_same_tracks(before, after):
    assert before.keys() == after.keys()
    for name, track in before.items():
        assert after[name].status.tolist() == track.status.tolist(), name
        np.testing.assert_allclose(after[name].positions, track.positions, atol=1e-6)


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("write", DATASETS, ids=lambda write: write.__name__)
def test_converted_dataset_gives_the_same_tracks(tmp_path, write, to):
    write(tmp_path / "in")
    dataset = find_dataset(tmp_path / "in")
    assert convert_dataset(dataset, tmp_path / "out", to) == []
    converted = find_dataset(tmp_path / "out")
    assert converted.warnings == ()
    assert_same_tracks(read_tracks(dataset), read_tracks(converted))
    assert [clip.frames for clip in check_dataset(converted).clips] == [6]


@pytest.mark.parametrize("to", TARGETS)
def test_unlabelled_frames_corners_and_fractions_of_a_pixel_are_kept(tmp_path, to):
    rows = [(0, 1, 0, 0), (1, 1, 12.3456, 7.1), (3, 0, 0, 0), (4, 1, 63, 35)]
    write_video(tmp_path / "in" / "a" / "x.mp4")
    write_labels(tmp_path / "in" / "a" / "x.csv", rows)
    write_images(tmp_path / "in" / "b" / "frames", name="{:03d}.jpg")
    write_labels(tmp_path / "in" / "b" / "labels.csv", rows)
    dataset = find_dataset(tmp_path / "in")
    convert_dataset(dataset, tmp_path / "out", to)
    before = read_tracks(dataset)
    assert before["b"].status.tolist() == [
        "detected", "detected", "unlabelled", "absent", "detected", "unlabelled",
    ]  # fmt: skip
    # A clip in the root becomes one of a match called like its group.
    after = read_tracks(find_dataset(tmp_path / "out"))
    if to == "shuttlecock":
        after["b"] = after.pop("in/b")
    assert_same_tracks(before, after)


def test_shuttlecock_layout_is_the_published_one(tmp_path):
    write_match(tmp_path / "in" / "test" / "match1", ["1_01_00"])
    spans = {"map": ["1_1_01_00"], "start": {"1_1_01_00": 1}, "end": {"1_1_01_00": 4}}
    (tmp_path / "in" / "test" / "drop_frame.json").write_text(json.dumps(spans))
    convert_dataset(find_dataset(tmp_path / "in"), tmp_path / "out", "shuttlecock")
    match = tmp_path / "out" / "test" / "match1"
    text = (match / "csv" / "1_01_00_ball.csv").read_text()
    assert text == "Frame,Visibility,X,Y\n0,1,6,18\n1,1,14,18\n2,0,0,0\n"
    assert (match / "video" / "1_01_00.mp4").is_file()
    assert json.loads((tmp_path / "out" / "test" / "drop_frame.json").read_text()) == spans
    (clip,) = find_dataset(tmp_path / "out").clips
    assert (clip.part, clip.evaluated) == ("test", (1, 4))


@pytest.mark.parametrize("to", ["cvat", "coco"])
def test_what_cannot_be_kept_is_told(tmp_path, to):
    write_match(tmp_path / "in", ["1_01_00"])
    dataset = find_dataset(tmp_path / "in")
    dataset = replace(dataset, clips=(replace(dataset.clips[0], evaluated=(1, 4)),))
    (note,) = convert_dataset(dataset, tmp_path / "out", to)
    assert note == "1_01_00: the list of evaluated frames is not kept"


def test_coco_has_a_box_around_the_keypoint_for_whoever_wants_boxes(tmp_path):
    write_pair(tmp_path / "in", "a")
    convert_dataset(find_dataset(tmp_path / "in"), tmp_path / "out", "coco")
    document = json.loads((tmp_path / "out" / "annotations" / "instances.json").read_text())
    left, top, width, height = document["annotations"][0]["bbox"]
    assert document["annotations"][0]["keypoints"] == [6, 18, 2]
    # The middle of a box is measured from the picture's edge, half a pixel before its first pixel.
    assert (left + width / 2, top + height / 2) == (6.5, 18.5)
    assert [image["file_name"] for image in document["images"]] == [
        f"a/{frame:06d}.jpg" for frame in range(3)
    ]
    assert len(list((tmp_path / "out" / "images" / "a").iterdir())) == 6


def test_labels_counted_from_one_are_moved(tmp_path):
    write_video(tmp_path / "in" / "a.mp4", 3)
    write_labels(tmp_path / "in" / "a.csv", [(1, 1, 5, 6), (2, 0, 0, 0), (3, 1, 7, 6)])
    dataset = find_dataset(tmp_path / "in")
    convert_dataset(dataset, tmp_path / "out", "shuttlecock", first_frame=1)
    (track,) = read_tracks(find_dataset(tmp_path / "out"), frames=3).values()
    assert track.status.tolist() == ["detected", "absent", "detected"]


@pytest.mark.parametrize(
    ("place", "message"),
    [("in", "is inside the dataset"), ("in/out", "is inside the dataset"), ("full", "not empty")],
)
def test_nothing_is_written_into_what_is_there(tmp_path, place, message):
    write_pair(tmp_path / "in", "a")
    write_pair(tmp_path / "full", "b")
    with pytest.raises(InputError, match=message):
        convert_dataset(find_dataset(tmp_path / "in"), tmp_path / place, "cvat")


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("killed", [False, True])
def test_conversion_that_breaks_off_leaves_no_half_dataset(tmp_path, to, killed):
    for name in "ab":
        write_pair(tmp_path / "in", name)
    dataset, output = find_dataset(tmp_path / "in"), tmp_path / "out"

    def stop(_clip):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_dataset(dataset, output, to, progress=stop)
    assert list(output.iterdir()) == []
    if killed:
        (output / ".partial-abc").mkdir()
        write_pair(output / ".partial-abc", "a")
    convert_dataset(dataset, output, to)
    assert len(find_dataset(output).clips) == 2


def test_full_disk_names_the_folder_and_not_the_hidden_one_in_it(tmp_path, monkeypatch):
    write_pair(tmp_path / "in", "a")

    def fill(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device", ".partial-abc/a.csv")

    monkeypatch.setattr(conversion, "_link", fill)
    message = r"out: cannot be written \(No space left on device\); free some disk space"
    with pytest.raises(InputError, match=message):
        convert_dataset(find_dataset(tmp_path / "in"), tmp_path / "out", "cvat")
    assert list((tmp_path / "out").iterdir()) == []


def test_unknown_target_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`to` must be one of shuttlecock, cvat, coco"):
        convert_dataset(find_dataset(tmp_path), tmp_path / "out", "yolo")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared footage is not here")
@pytest.mark.parametrize("to", ["shuttlecock", "cvat"])
def test_shared_footage_comes_back_from_a_conversion(tmp_path, to):
    dataset = find_dataset(SHARED / "badminton")
    dataset = replace(dataset, clips=dataset.clips[:3])
    convert_dataset(dataset, tmp_path / "out", to)
    before, after = (
        read_tracks(data, size=(720, 1280), frames=400)
        for data in (dataset, find_dataset(tmp_path / "out"))
    )
    assert_same_tracks(before, after)
