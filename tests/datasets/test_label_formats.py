import json
from pathlib import Path

import numpy as np
import pytest
from helpers_clips import SIZE, write_images, write_labels, write_video
from helpers_labels import BALL, DATASETS, FRAMES, write_text

from keras_tracknet.datasets.checks import check_dataset
from keras_tracknet.datasets.dataset import find_dataset, read_labels
from keras_tracknet.datasets.formats import positions, tables, yolo
from keras_tracknet.datasets.formats.objects import choose_ball
from keras_tracknet.datasets.formats.recognise import (
    LABEL_SUFFIXES,
    read_label_file,
    recognise_format,
)
from keras_tracknet.errors import InputError
from keras_tracknet.video.media import Media

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize("write", DATASETS, ids=lambda write: write.__name__)
def test_every_format_gives_the_same_track(tmp_path, write):
    write(tmp_path / "root")
    dataset = find_dataset(tmp_path / "root")
    name, layout = DATASETS[write]
    assert [clip.name for clip in dataset.clips] == [name]
    assert layout in dataset.layout
    assert dataset.warnings == ()
    track = read_labels(dataset.clips[0], size=SIZE, frames=FRAMES)
    assert track.labelled.all()
    assert np.flatnonzero(track.visibility).tolist() == list(BALL)
    np.testing.assert_allclose(track.positions[list(BALL)], list(BALL.values()), atol=1e-9)
    (report,) = check_dataset(dataset).clips
    assert report.problems == ()


def read(path, images=(), visible="hard"):
    return read_label_file(path, Media(path.with_suffix(".mp4"), tuple(images)), visible)


def frames_seen(table):
    return table.frame[table.visibility].tolist()


TENNIS = (
    "file name,visibility,x-coordinate,y-coordinate,status\n"
    "0000.jpg,1,10,10,0\n0001.jpg,2,20,10,0\n0002.jpg,3,30,10,\n0003.jpg,0,,,\n"
)
TENNIS_IMAGES = [f"{frame:04d}.jpg" for frame in range(4)]
MAREKSUBOCZ = "frame_num,x,y,visible\n0,0.1,0.5,0\n1,0.2,0.5,2\n2,0.3,0.5,1\n3,0,0,3\n"
CVAT_OCCLUDED = (
    '<annotations><track label="ball">'
    '<points frame="0" outside="0" occluded="0" points="5,6"/>'
    '<points frame="1" outside="0" occluded="1" points="5,6"/>'
    '<points frame="2" outside="1" occluded="0" points="5,6"/>'
    "</track></annotations>"
)


@pytest.mark.parametrize(
    ("name", "text", "images", "seen"),
    [
        ("a.csv", TENNIS, TENNIS_IMAGES, {"easy": [0], "hard": [0, 1], "hidden": [0, 1, 2]}),
        ("a.csv", MAREKSUBOCZ, [], {"easy": [0], "hard": [0, 1], "hidden": [0, 1, 2]}),
        # GridTrackNet leaves the position of a hidden ball beside visibility 0.
        ("a.csv", "Frame,Visibility,X,Y\n0,1,5,6\n1,0,7,8\n2,0,0,0\n", [],
         {"easy": [0], "hard": [0], "hidden": [0, 1]}),
        ("a.xml", CVAT_OCCLUDED, [], {"easy": [0], "hard": [0], "hidden": [0, 1]}),
    ],
)  # fmt: skip
def test_what_counts_as_visible_can_be_chosen(tmp_path, name, text, images, seen):
    path = write_text(tmp_path / name, text)
    assert {visible: frames_seen(read(path, images, visible)) for visible in seen} == seen


def test_unknown_grade_of_visibility_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`visible` must be one of easy, hard, hidden"):
        find_dataset(tmp_path, visible="all")


@pytest.mark.parametrize("write", DATASETS, ids=lambda write: write.__name__)
def test_content_is_recognised_whatever_the_file_is_called(tmp_path, write):
    write(tmp_path)
    files = [p for p in sorted(tmp_path.rglob("*")) if p.suffix in LABEL_SUFFIXES]
    known = {file: recognise_format(file) for file in files}
    for file, format in known.items():
        other = file.with_suffix(".csv" if file.suffix != ".csv" else ".txt")
        file.rename(other)
        assert recognise_format(other) is format


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("", None),
        ("number,name\n7,Lin\n", None),
        ("hello\n", None),
        ("1 2\n3\n", None),
        ("{}", None),
        ('{"images": []}', None),
        ('[{"annotations": [{"result": [{"type": "choices"}]}]}]', None),
        ("<html></html>", None),
        ("12.5 30\n0 0\n", positions),
        ('{"Frame": 0, "X": 1, "Y": 2}\n', tables),
    ],
)
def test_other_files_are_no_labels(tmp_path, text, format):
    assert recognise_format(write_text(tmp_path / "a.txt", text)) is format


@pytest.mark.parametrize(
    ("numbers", "labels", "frames", "warned"),
    [
        (range(5), [0, 2], [0, 2], False),
        (range(1, 6), [1, 5], [0, 4], False),  # 5 is no place among five images
        (range(1, 6), [0, 2], [0, 2], False),  # 0 is the number of none
        (range(1, 6), [1, 3], [0, 2], True),  # either may be meant
        ([10, 11, 20], [11, 20], [1, 2], False),
    ],
)
def test_frames_are_numbered_as_the_images_are(tmp_path, numbers, labels, frames, warned):
    rows = "".join(f"{label},1,5,6\n" for label in labels)
    path = write_text(tmp_path / "a.csv", f"Frame,Visibility,X,Y\n{rows}")
    table = read(path, [f"{number:05d}.png" for number in numbers])
    assert table.frame.tolist() == frames
    assert any("images are numbered from" in warning for warning in table.warnings) is warned


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("frame_num,x,y,visible", [(0, 0, 0, 0), (1, 0.3, 0.4, 1), (2, 0.3, 0.4, 1)]),
        ("Frame,X,Y,Visibility", [(0, 0, 0, 1), (1, 30, 40, 0), (2, 30, 40, 0)]),
    ],
)
def test_reversed_visibility_is_a_warning(tmp_path, header, rows):
    path = write_labels(tmp_path / "a.csv", rows, header=header)
    (warning,) = (d for d in read(path).warnings if "visibility may be inverted" in d)
    assert warning.startswith("1 rows are visible")


def test_labels_made_on_another_size_are_scaled(tmp_path):
    write_video(tmp_path / "a.mp4")
    meta = "<meta><task><original_size><width>128</width><height>36</height></original_size>"
    track = '<track label="ball"><points frame="0" outside="0" points="40,18"/></track>'
    text = f"<annotations>{meta}</task></meta>{track}</annotations>"
    write_text(tmp_path / "a.xml", text)
    dataset = find_dataset(tmp_path)
    assert read_labels(dataset.clips[0], size=SIZE, frames=1).positions.tolist() == [[20, 18]]
    (problem,) = check_dataset(dataset).clips[0].problems
    assert problem.startswith(
        "labels were made at 128 x 36 pixels, frames have 64 x 36: positions are scaled, although"
    )


def test_two_balls_in_a_frame_leave_it_unlabelled(tmp_path):
    tracks = "".join(
        f'<track label="ball"><points frame="{frame}" outside="0" points="{x},6"/></track>'
        for frame, x in ((0, 5), (1, 5), (1, 50))
    )
    path = write_text(tmp_path / "a.xml", f"<annotations>{tracks}</annotations>")
    table = read(path)
    assert table.frame.tolist() == [0]
    assert "1 frames with several balls (first: frame 1)" in table.warnings[0]


@pytest.mark.parametrize(
    ("names", "ball"),
    [
        (["thing"], "thing"),
        (["player", "Tennis Ball"], "Tennis Ball"),
        (["player", "shuttlecock"], "shuttlecock"),
        (["player", "referee"], None),
        (["ball", "basketball hoop"], "ball"),
        (["ball", "football player"], "ball"),
        (["football player", "tennis-ball"], "tennis-ball"),
        (["football player", "referee"], "football player"),
        (["tennis-ball", "Volleyball"], None),
        ([], None),
    ],
)
def test_class_of_the_ball_is_the_only_one_that_may_be(names, ball):
    if ball:
        assert choose_ball(names, Path("a.json")) == ball
    else:
        with pytest.raises(InputError, match=r"a\.json: classes are"):
            choose_ball(names, Path("a.json"))


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("data.yaml", "path: .\nnames:\n  0: player\n  1: ball\n"),
        ("data.yaml", "names: ['player', 'ball']\n"),
        ("data.yaml", "nc: 2\nnames:\n- player\n- ball\n"),
        ("data.yaml", "names:\n  0: &a player  # who hits it\n  '1': \"ball\"\n  2: [*a, *a]\n"),
        ("labels/train/classes.txt", "player\nball\n"),
    ],
)
def test_yolo_takes_the_ball_by_its_name(tmp_path, place, text):
    write_images(tmp_path / "images" / "train", 2)
    write_text(tmp_path / place, text)
    write_text(tmp_path / "labels/train/0.txt", "0 0.1 0.1 0.1 0.1\n1 0.5 0.5 0.1 0.1\n")
    (clip,) = find_dataset(tmp_path).clips
    assert read_labels(clip, size=SIZE, frames=2).positions[0].tolist() == [31.5, 17.5]
    assert "1 images without a text file (first: 1.png) are read as no ball" in clip.table.warnings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names: [player\n", r"data\.yaml: cannot be read as YAML \(line 2: expected ',' or ']'"),
        ("names:\n\t- ball\n", r"\(line 2: found character '\\t'"),
        ("names: !!python/object/apply:os.getcwd []\n", r"\(line 1: could not determine"),
        ("made: 2024-99-99\n", r"\(month must be in 1..12\); mend it, or remove it\."),
        ("[" * 10_000, r"\(maximum recursion depth exceeded"),
        ("names: 7\n", "classes are 0, 1;"),
        ("- player\n- ball\n", "classes are 0, 1;"),
    ],
)
def test_a_list_of_classes_that_is_damaged_is_told_in_a_line(tmp_path, text, said):
    write_text(tmp_path / "data.yaml", text)
    boxes = write_text(tmp_path / "labels/0.txt", "0 0.1 0.1 0.1 0.1\n1 0.5 0.5 0.1 0.1\n")
    with pytest.raises(InputError, match=said) as caught:
        yolo.read(boxes.parent, Media(tmp_path / "images", ("0.png",)))
    assert "\n" not in str(caught.value)


def test_label_studio_box_moves_on_a_line_and_stops_at_its_last_keyframe(tmp_path):
    box = {"y": 40, "width": 10, "height": 20}
    sequence = [
        {**box, "frame": 1, "x": 0, "enabled": True},
        {**box, "frame": 5, "x": 40, "enabled": False},
        {**box, "frame": 8, "x": 80, "enabled": True},
    ]
    value = {"framesCount": 10, "sequence": sequence, "labels": ["ball"]}
    task = {
        "data": {"video": "http://x/a.mp4"},
        "annotations": [{"result": [{"type": "videorectangle", "value": value}]}],
    }
    table = read(write_text(tmp_path / "a.json", json.dumps([task])))
    assert table.frame.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]  # 8 and 9 nobody has looked at
    assert frames_seen(table) == [0, 1, 2, 3, 4, 7]
    np.testing.assert_allclose(table.x[:5], [0.05, 0.15, 0.25, 0.35, 0.45])
    assert "2 frames after the last keyframe are read as unlabelled" in table.warnings


def test_coco_file_without_folders_is_for_the_images_beside_it(tmp_path):
    for part in ("train", "valid"):
        images = write_images(tmp_path / part, 3)
        box = [{"image_id": 1, "category_id": 1, "bbox": [int(part == "train"), 0, 9, 9]}]
        document = {
            "images": [{"id": 1, "file_name": "1.png"}],
            "annotations": box,
            "categories": [{"id": 1, "name": "ball"}],
        }
        write_text(images / "_annotations.coco.json", json.dumps(document))
    train, valid = find_dataset(tmp_path).clips
    assert (train.part, valid.part) == ("train", "val")
    assert (train.table.x.tolist(), valid.table.x.tolist()) == ([5], [4])
    assert train.table.frame.tolist() == [1]


def test_coco_file_that_may_be_for_any_folder_is_a_warning(tmp_path):
    for name in ("a", "b"):
        write_images(tmp_path / name, 2)
    document = {
        "images": [{"id": 1, "file_name": "1.png"}],
        "annotations": [],
        "categories": [{"id": 1, "name": "ball"}],
    }
    write_text(tmp_path / "labels.json", json.dumps(document))
    dataset = find_dataset(tmp_path)
    assert dataset.clips == ()
    assert "skipped: matches 2 clips (first: a)" in dataset.warnings[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.xml", "<annotations>", "not a CVAT export"),
        ("a.xml", "<annotations></annotations>", "contains no points or boxes"),
        ("a.xml", '<annotations><track label="ball"><points frame="x" points="1,2"/></track>'
         "</annotations>", "contains no points or boxes (1 shapes without a frame (first: x"),
        ("a.jsonl", '{"frame": 0, "x": 1, "y": 2}\n{"frame": 1}\n', "line 2"),
        ("a.jsonl", '{"frame": 0, "x": 1, "y": 2}\n[1]\n', "line 2 is not a JSON object"),
        ("a.txt", "1 2\n3 4\n" * 1000 + "5\n", "line 2001"),
        ("a.json", '{"images": [{"id": 1, "file_name": "a/1.png"}], "annotations": [{}],'
         ' "categories": [{"id": 1, "name": "ball"}]}', "unknown category (first: {})"),
        ("a.json", '[{"annotations": [{"result": [{"type": "videorectangle", "value": {}}]}]}]',
         "not a Label Studio export"),
    ],
)  # fmt: skip
def test_broken_label_file_names_itself(tmp_path, name, text, message):
    path = write_text(tmp_path / name, text)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("numbers", "problem"),
    [
        ([0, 1, 2], None),
        ([3, 4, 5], None),
        ([0, 1, 7], "1 gaps in the image numbers, first after 1.png"),
    ],
)
def test_holes_between_images_are_a_problem(tmp_path, numbers, problem):
    for number in numbers:
        write_images(tmp_path / "frames", 1, first=number)
    write_labels(tmp_path / "labels.csv", [(numbers[0], 1, 5, 6)])
    problems = check_dataset(find_dataset(tmp_path)).clips[0].problems
    assert [problem in p for p in problems] == ([] if problem is None else [True])


def test_frames_counted_from_one_are_a_problem(tmp_path):
    write_video(tmp_path / "a.mp4", 3)
    write_labels(tmp_path / "a.csv", [(1, 1, 5, 6), (2, 1, 6, 6), (3, 1, 7, 6)])
    (problem,) = check_dataset(find_dataset(tmp_path)).clips[0].problems
    assert "probably counted from 1" in problem


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared footage is not here")
def test_shared_volleyball_clip_is_read_in_its_own_sense():
    clips = find_dataset(SHARED / "volleyball").clips
    (clip,) = (clip for clip in clips if clip.name == "volleyball-short-clip")
    assert "mareksubocz" in clip.table.format
    assert clip.table.visibility.sum() == len(clip.table.frame) == 21
