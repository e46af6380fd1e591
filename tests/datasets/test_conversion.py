import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
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


@pytest.mark.parametrize("to", [to for to in TARGETS if to != "yolo"])
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


def test_yolo_leaves_out_frames_that_nobody_has_looked_at(tmp_path):
    rows = [(0, 1, 0, 0), (1, 1, 12.3456, 7.1), (3, 0, 0, 0), (4, 1, 65, 35)]
    write_video(tmp_path / "in" / "a" / "x.mp4")
    write_labels(tmp_path / "in" / "a" / "x.csv", rows)
    write_images(tmp_path / "in" / "b" / "frames", name="{:03d}.jpg")
    write_labels(tmp_path / "in" / "b" / "labels.csv", rows)
    notes = convert_dataset(find_dataset(tmp_path / "in"), tmp_path / "out", "yolo")
    assert notes == [
        f"{name}: 2 unlabelled frames are left out, because YOLO would read them as no ball"
        for name in ("a/x", "b")
    ]
    for name, suffix, digits in (("a/x", "jpg", 6), ("b", "jpg", 3)):
        kept = [f"{frame:0{digits}d}" for frame in (0, 1, 3, 4)]
        for folder, end in (("images", suffix), ("labels", "txt")):
            files = sorted(path.name for path in (tmp_path / "out" / folder / name).iterdir())
            assert files == [f"{stem}.{end}" for stem in kept]
    for track in read_tracks(find_dataset(tmp_path / "out"), frames=4).values():
        assert track.status.tolist() == ["detected", "detected", "absent", "detected"]
        edge = 63.5  # of the picture; its last pixel has its centre at 63
        expected = [(0, 0), (12.3456, 7.1), (np.nan, np.nan), (edge, 35)]
        np.testing.assert_allclose(track.positions, expected, atol=1e-6)


def test_yolo_can_be_trained_on(tmp_path):
    for part in ("train", "val"):
        write_match(tmp_path / "in" / part / "match1", ["1_01_00"])
    convert_dataset(find_dataset(tmp_path / "in"), tmp_path / "out", "yolo")
    index = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())
    assert index == {
        "train": ["images/train/match1/1_01_00"],
        "val": ["images/val/match1/1_01_00"],
        "names": {0: "ball"},
    }
    labels = tmp_path / "out" / "labels" / "train" / "match1" / "1_01_00"
    side = SIZE[0] / 60
    line = [0, 6.5 / SIZE[1], 18.5 / SIZE[0], side / SIZE[1], side / SIZE[0]]
    assert [float(cell) for cell in (labels / "000000.txt").read_text().split()] == pytest.approx(
        line, abs=1e-9
    )
    assert (labels / "000002.txt").read_text() == ""  # no ball
    for part in (part for parts in (index["train"], index["val"]) for part in parts):
        images = {path.stem for path in (tmp_path / "out" / part).iterdir()}
        texts = {path.stem for path in (tmp_path / "out" / f"labels{part[6:]}").iterdir()}
        assert images == texts == {"000000", "000001", "000002"}


def test_label_studio_has_boxes_that_are_switched_off_after_the_ball(tmp_path):
    rows = [(0, 1, 6, 18), (1, 1, 14, 18), (2, 0, 0, 0), (4, 1, 38, 18)]
    write_video(tmp_path / "in" / "x.mp4")
    write_labels(tmp_path / "in" / "x.csv", rows)
    convert_dataset(find_dataset(tmp_path / "in"), tmp_path / "out", "label-studio")
    (task,) = json.loads((tmp_path / "out" / "x.json").read_text())
    assert task["data"]["video"] == "/data/local-files/?d=x.mp4"
    regions = {region["value"]["labels"][0]: region for region in task["annotations"][0]["result"]}
    boxes = regions["ball"]["value"]["sequence"]
    assert [(box["frame"], box["enabled"]) for box in boxes] == [(1, True), (2, False), (5, False)]
    assert boxes[0]["x"] + boxes[0]["width"] / 2 == pytest.approx(100 * 6.5 / SIZE[1])
    assert boxes[0]["y"] + boxes[0]["height"] / 2 == pytest.approx(100 * 18.5 / SIZE[0])
    unseen = regions["unlabelled"]["value"]["sequence"]
    assert [box["frame"] for box in unseen] == [4, 6]
    assert {region["value"]["framesCount"] for region in regions.values()} == {6}


@pytest.mark.parametrize("to", ["cvat", "coco", "yolo", "label-studio"])
def test_what_cannot_be_kept_is_told(tmp_path, to):
    write_match(tmp_path / "in", ["1_01_00"])
    dataset = find_dataset(tmp_path / "in")
    dataset = replace(dataset, clips=(replace(dataset.clips[0], evaluated=(1, 4)),))
    note = convert_dataset(dataset, tmp_path / "out", to)[-1]
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
    with pytest.raises(ValueError, match="`to` must be one of shuttlecock, cvat, coco, yolo"):
        convert_dataset(find_dataset(tmp_path), tmp_path / "out", "xlsx")


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
