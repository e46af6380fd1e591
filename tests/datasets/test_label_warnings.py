"""Not knowing is never "no ball": what readers cannot make out is unlabelled, counted and said."""

import json
import math

import numpy as np
import pytest
from helpers_clips import SIZE, write_images, write_labels, write_video
from helpers_labels import (
    BALL,
    DATASETS,
    FRAMES,
    HEIGHT,
    WIDTH,
    coco_boxes,
    label_studio,
    write_text,
)

from keras_tracknet.datasets.checks import check_dataset, list_warnings
from keras_tracknet.datasets.dataset import find_dataset, read_labels
from keras_tracknet.datasets.formats.objects import read_key, read_number
from keras_tracknet.datasets.formats.recognise import LABEL_SUFFIXES, read_label_file
from keras_tracknet.datasets.splits import read_split
from keras_tracknet.errors import InputError
from keras_tracknet.video.media import Media, find_number

BOX = {"y": 40, "width": 10, "height": 20, "enabled": True}


def read(path):
    return read_label_file(path, Media(path.with_suffix(".mp4")))


def read_only(folder, frames=FRAMES):
    """Return the track of the only clip below a folder, and what is said of it."""
    dataset = find_dataset(folder)
    (clip,) = dataset.clips
    return read_labels(clip, size=SIZE, frames=frames), dataset.warnings


def states(track):
    """Return a letter a frame: b for a ball, - for none, ? for nobody knows."""
    pairs = zip(track.visibility, track.labelled, strict=True)
    return "".join("b" if seen else "-" if known else "?" for seen, known in pairs)


def write_task(path, boxes, minimal=False, **value):
    region = {"sequence": boxes, "labels": ["ball"], **value}
    task = {"video": "/data/upload/1/0a1b2c3d-a.mp4", "box": [region]}
    if not minimal:
        result = [{"type": "videorectangle", "value": region}]
        task = {"data": {"video": "a.mp4"}, "annotations": [{"result": result}]}
    return write_text(path, json.dumps([task]))


# --- Label Studio


@pytest.mark.parametrize("minimal", [False, True])
def test_frames_at_another_rate_are_mapped_by_time(tmp_path, minimal):
    write_video(tmp_path / "a.mp4", 25)  # at 25 frames per second
    moves = [{**BOX, "frame": 5 * k + 1, "time": k / 4, "x": 20 * k} for k in range(4)]
    write_task(tmp_path / "a.json", moves, minimal, framesCount=20, duration=1.0)
    track, warnings = read_only(tmp_path, 25)
    # A box at 5 k of 20 frames is at 6.25 k of 25, and its middle at 5 + 20 k per cent.
    frames = np.arange(19)
    np.testing.assert_allclose(track.x[:19], WIDTH * (0.05 + 0.2 * frames / 6.25) - 0.5)
    assert states(track) == "b" * 20 + "?" * 5
    assert (
        "labels use 20 frames per second, but the video has 25: they are matched by time"
        in warnings[0]
    )


def test_counts_that_disagree_without_times_are_refused(tmp_path):
    write_video(tmp_path / "a.mp4", 25)
    write_task(tmp_path / "a.json", [{**BOX, "frame": 1, "x": 0}], framesCount=20)
    dataset = find_dataset(tmp_path)
    assert dataset.clips == ()
    assert (
        "labels are for 20 frames, but the video has 25, and there are no times"
        in dataset.warnings[0]
    )


def test_labels_of_another_cut_are_a_warning(tmp_path):
    write_video(tmp_path / "a.mp4", 25)
    boxes = [{**BOX, "frame": f + 1, "time": f / 25, "x": 4 * f} for f in range(10)]
    write_task(tmp_path / "a.json", boxes, framesCount=10, duration=0.4)
    track, warnings = read_only(tmp_path, 25)
    assert states(track)[:10] == "b" * 10
    assert "labels cover 0.4 s of video, but this one has 1.0 s" in warnings[0]


def test_boxes_filled_in_after_the_last_keyframe_are_nobodys(tmp_path):
    write_video(tmp_path / "a.mp4", 6)
    by_hand = [{**BOX, "frame": 1, "x": 0}, {**BOX, "frame": 4, "x": 30}]
    filled = [{**BOX, "frame": f, "x": 10 * f, "auto": True} for f in (2, 3)]
    standing = [{**BOX, "frame": f, "x": 30, "auto": True} for f in (5, 6)]
    write_task(tmp_path / "a.json", [*by_hand, *filled, *standing], framesCount=6)
    track, warnings = read_only(tmp_path)
    assert states(track) == "bbbb??"
    np.testing.assert_allclose(track.x[:4], WIDTH * np.array([0.05, 0.15, 0.25, 0.35]) - 0.5)
    assert "2 frames after the last keyframe are read as unlabelled" in warnings[0]


@pytest.mark.parametrize("degrees", [0, 30, 90, 180, 315, -45])
def test_rotated_boxes_have_their_middle_where_they_are_drawn(tmp_path, degrees):
    write_video(tmp_path / "a.mp4", 2)
    middle, width, height, turn = (30.0, 14.0), 12, 6, math.radians(degrees)
    corner = (
        middle[0] + 0.5 - (width / 2 * math.cos(turn) - height / 2 * math.sin(turn)),
        middle[1] + 0.5 - (width / 2 * math.sin(turn) + height / 2 * math.cos(turn)),
    )
    sides = {"x": corner[0], "width": width}, {"y": corner[1], "height": height}
    box = {"frame": 1, "rotation": degrees}
    for lengths, whole in zip(sides, (WIDTH, HEIGHT), strict=True):
        box |= {name: 100 * length / whole for name, length in lengths.items()}
    write_task(tmp_path / "a.json", [box], framesCount=2)
    track, _ = read_only(tmp_path, 2)
    np.testing.assert_allclose(track.positions[0], middle)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"x": None}, "??bb-"),  # a line from it would be a guess, too
        ({"x": [1]}, "??bb-"),
        ({"frame": None}, None),
        ({"frame": 10**12}, "??bb?"),  # it may be any frame's
        ({"width": -1}, "??bb-"),
    ],
)
def test_boxes_that_cannot_be_made_out_leave_frames_unlabelled(tmp_path, change, expected):
    write_video(tmp_path / "a.mp4", 5)
    boxes = [
        {**BOX, "frame": 1, "x": 0} | change,
        {**BOX, "frame": 3, "x": 20, "enabled": False},
        {**BOX, "frame": 4, "x": 30, "enabled": False},
    ]
    write_task(tmp_path / "a.json", boxes, framesCount=5)
    if expected is None:
        assert "box without a frame" in find_dataset(tmp_path).warnings[0]
    else:
        assert states(read_only(tmp_path, 5)[0]) == expected


# --- CVAT


def write_cvat(folder, *tracks, meta="<meta><task><size>6</size></task></meta>"):
    write_video(folder / "a.mp4")
    body = "".join(f'<track label="ball">{"".join(shapes)}</track>' for shapes in tracks)
    write_text(folder / "a.xml", f"<annotations>{meta}{body}</annotations>")


@pytest.mark.parametrize(
    ("shape", "position"),
    [
        ('<points frame="0" points="30,14"/>', (30, 14)),
        ('<box frame="0" xtl="28.5" ytl="12.5" xbr="32.5" ybr="16.5"/>', (30, 14)),
        ('<ellipse frame="0" cx="30.5" cy="14.5" rx="2" ry="3"/>', (30, 14)),
        ('<polygon frame="0" points="28.5,12.5;32.5,13;31,16.5"/>', (30, 14)),
        ('<mask frame="0" rle="0, 16" left="28" top="12" width="5" height="5"/>', (30, 14)),
        ('<polyline frame="0" points="28,12;32,16"/>', None),
        ('<cuboid frame="0" xtl1="1"/>', None),
        ('<points frame="0" points="30"/>', None),
        ('<box frame="0" xtl="nan" ytl="1" xbr="2" ybr="3"/>', None),
    ],
)
def test_middle_of_every_shape_that_has_one_is_read(tmp_path, shape, position):
    write_cvat(tmp_path, [shape], ['<points frame="3" points="10,10"/>'])
    track, warnings = read_only(tmp_path)
    if position:
        assert states(track) == "b--b--"
        assert tuple(track.positions[0]) == position
    else:
        assert states(track) == "?--b--"
        assert "1 shapes of type" in warnings[0]


def test_shape_that_stands_still_after_its_last_keyframe_is_nobodys(tmp_path):
    keyframes = (1, 0, 1, 0, 0)
    shapes = [
        f'<points frame="{f}" keyframe="{key}" points="{10 + min(f, 2)},10"/>'
        for f, key in enumerate(keyframes)
    ]
    write_cvat(tmp_path, shapes)
    track, warnings = read_only(tmp_path)
    assert states(track) == "bbb??-"
    assert "2 frames after the last keyframe are read as unlabelled" in warnings[0]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ('<points frame="x" points="1,2"/>', "???b??"),  # it may be any frame's
        ('<points points="1,2"/>', "???b??"),
        ('<points frame="1000000" points="1,2"/>', "---b--"),
        ('<points frame="1" points="1,2"/></track><track>'
         '<points frame="2" points="3,4"/>', "-b?b--"),
    ],
)  # fmt: skip
def test_shapes_of_no_frame_or_class_leave_frames_unlabelled(tmp_path, shape, expected):
    write_cvat(tmp_path, [shape], ['<points frame="3" points="10,10"/>'])
    assert states(read_only(tmp_path)[0]) == expected


@pytest.mark.parametrize("size", [("0", "0"), ("x", "36"), ("-5", "64")])
def test_size_that_is_none_scales_nothing(tmp_path, size):
    sides = f"<width>{size[1]}</width><height>{size[0]}</height>"
    meta = f"<meta><task><original_size>{sides}</original_size></task></meta>"
    write_cvat(tmp_path, ['<points frame="0" points="30,14"/>'], meta=meta)
    assert tuple(read_only(tmp_path)[0].positions[0]) == (30, 14)


@pytest.mark.parametrize("encoding", ["foo", "utf-16", "utf-32", "rot13", "ebcdic-cp-us"])
def test_other_encoding_than_the_file_says_is_one_line(tmp_path, encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?><annotations></annotations>'
    with pytest.raises(InputError, match=r"not a CVAT export|contains no points"):
        read(write_text(tmp_path / "a.xml", text))


# --- COCO


def write_coco(folder, images=None, annotations=None, categories=None):
    coco_boxes(folder)
    path = folder / "train" / "_annotations.coco.json"
    document = json.loads(path.read_text())
    changes = {"images": images, "annotations": annotations, "categories": categories}
    for part, change in changes.items():
        if change is not None:
            change(document[part])
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, "bb-bb-"),
        ({"images": lambda images: [i.update(id=str(i["id"])) for i in images]}, "bb-bb-"),
        ({"images": lambda images: [i.update(id=float(i["id"])) for i in images]}, "bb-bb-"),
        # What is left out may belong to a frame for which nothing else is there.
        ({"annotations": lambda found: found[0].update(category_id=[1])}, "?b?bb?"),
        ({"annotations": lambda found: found[0].update(category_id=77)}, "?b?bb?"),
        ({"annotations": lambda found: found[0].update(bbox=[0, 0, 0, 0])}, "?b-bb-"),
        ({"annotations": lambda found: found[0].update(bbox=None)}, "?b-bb-"),
        ({"annotations": lambda found: found[0].update(bbox=["a", 1, 2, 3])}, "?b-bb-"),
        ({"annotations": lambda found: found.append({"id": 9, "category_id": 0})}, "bb-bb-"),
        ({"images": lambda images: images[0].pop("file_name")}, "?b?bb?"),
        ({"images": lambda images: images[1].update(id=images[0]["id"])}, None),
        ({"images": lambda images: images[0].update(height=None)}, "bb-bb-"),
    ],
)  # fmt: skip
def test_annotations_that_cannot_be_made_out_leave_frames_unlabelled(tmp_path, parts, expected):
    write_coco(tmp_path, **parts)
    if expected is None:  # a quarter of the annotations are of an image that is not listed
        assert "1 of 4 annotations refer to images that are not listed" in str(
            find_dataset(tmp_path).warnings
        )
        return
    track, warnings = read_only(tmp_path)
    assert states(track) == expected
    assert bool(warnings) is ("?" in expected)
    for frame in np.flatnonzero(track.visibility):
        np.testing.assert_allclose(track.positions[frame], BALL[frame])


@pytest.mark.parametrize(
    ("strangers", "expected"), [(0, "b" * 10 + "--"), (1, "b" * 10 + "??"), (2, None)]
)
def test_ids_of_unlisted_images_leave_the_others_unlabelled(tmp_path, strangers, expected):
    write_images(tmp_path, 12)
    numbers = [*range(10), *range(70, 70 + strangers)]
    document = {
        "images": [{"id": f, "file_name": f"{f}.png"} for f in range(12)],
        "annotations": [{"image_id": n, "category_id": 1, "bbox": [9, 9, 3, 3]} for n in numbers],
        "categories": [{"id": 1, "name": "ball"}],
    }
    write_text(tmp_path / "labels.json", json.dumps(document))
    if expected is None:
        assert "2 of 12 annotations refer to images" in find_dataset(tmp_path).warnings[0]
        return
    track, warnings = read_only(tmp_path, 12)
    assert states(track) == expected
    said = [
        "1 annotations of unknown images (first: image 70)",
        "2 frames without a label (first: frame 10)",
    ]
    assert [part in line for part, line in zip(said, warnings, strict=False)] == [True] * len(
        warnings
    )
    assert len(warnings) == 2 * strangers


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("rally_mp4-0012_jpg.rf.0a1b2c3d4e5f60718293a4b5c6d7e8f9.jpg", 12),
        ("frame_000012.png", 12),
        ("12.jpg", 12),
        ("cam2_final.png", 2),
        ("ball.png", None),
        ("1" * 40 + ".png", 111111111111111),
    ],
)
def test_number_of_an_image_is_the_last_before_roboflows_hash(name, number):
    assert find_number(name) == number


def test_frames_far_beyond_the_video_cost_nothing(tmp_path):
    write_video(tmp_path / "a.mp4")
    write_labels(tmp_path / "a.csv", [(0, 1, 6, 18), (9_999_999, 1, 6, 18)])
    dataset = find_dataset(tmp_path)
    assert states(read_labels(dataset.clips[0], size=SIZE, frames=FRAMES)) == "b?????"
    (line,) = list_warnings(dataset, dataset.clips)
    assert line == "a: 1 label after the last frame (5) is ignored"


# --- tables


@pytest.mark.parametrize(
    ("header", "rows", "expected", "warning"),
    [
        ("frame,x,y", [(0, -1, -1), (1, 20, 20), (2, -999, -999)], "-b-", "2 rows are below 0"),
        ("frame,x,y", [(0, 0, 0), (1, 20, 20), (2, 24, 20)], "-bb", "1 rows are 0,0"),
        ("frame,x,y", [(0, 0, 0), (1, 0.5, 0.5), (2, 0, 0)], "-b-", "2 rows are 0,0"),
        ("frame,x,y", [(0, -1, 9), (1, 20, 20)], "bb", None),  # at the edge
        ("frame,x,y", [(0, "", ""), (1, 20, 20)], "-b", None),
        ("frame,x,y", [(0, 0, 0), (1, 1, 1), (2, 30, 30)], None, "which may mean no ball or the"),
        ("frame,x,y", [(0, 0, 0), (1, 0, 0)], None, "2 rows are 0,0 (first: frame 0)"),
        ("Frame,Visibility,X,Y", [(0, 1, -1, -1), (1, 1, 20, 20)], "?b", "visible at -1,-1"),
        ("Frame,Visibility,X,Y", [(0, 1, 0, 0), (1, 1, 0, 0), (2, 1, 9, 9)], "??b", "at 0,0"),
        ("Frame,Visibility,X,Y", [(0, 1, 0, 0), (1, 1, 20, 20)], "bb", None),  # the corner
        ("Frame,Visibility,X,Y", [(0, 0, -1, -1), (1, 1, 20, 20)], "-b", None),
        ("Frame,Visibility,X,Y", [("0.0", "1.0", "6.0", "7.0"), (1, "True", 2, 2),
                                  (2, "False", 0, 0)], "bb-", None),
        ("Frame,Visibility,X,Y", [(0, 1, "1e308", 9), (1, 1, 20, 20)], "?b", "without a position"),
    ],
)  # fmt: skip
def test_absence_written_into_a_position_is_no_place(tmp_path, header, rows, expected, warning):
    write_video(tmp_path / "a.mp4", len(rows))
    write_labels(tmp_path / "a.csv", rows, header=header)
    dataset = find_dataset(tmp_path)
    assert [warning in line for line in dataset.warnings] == ([True] if warning else [])
    if expected is None:
        assert dataset.clips == ()
    else:
        track = read_labels(dataset.clips[0], size=SIZE, frames=len(rows))
        assert states(track) == expected


def test_labels_that_end_early_are_a_warning(tmp_path):
    write_video(tmp_path / "a.mp4", 30)
    write_labels(tmp_path / "a.csv", [(f, 1, 10 + f, 9) for f in range(24)])
    (clip,) = check_dataset(find_dataset(tmp_path)).clips
    assert "every frame up to 23 has a label, the remaining 6 have none" in clip.problems[0]


@pytest.mark.parametrize(("fps", "warned"), [(25, False), (25.3, False), (24, False), (50, True)])
def test_times_of_another_rate_are_a_warning(tmp_path, fps, warned):
    write_video(tmp_path / "a.mp4", 12)  # at 25 frames per second
    rows = [(f, 1, 10 + f, 9, f / fps) for f in range(12)]
    write_labels(tmp_path / "a.csv", rows, header="Frame,Visibility,X,Y,Time")
    problems = check_dataset(find_dataset(tmp_path)).clips[0].problems
    said = f"correspond to {fps:g} frames per second, but the video has 25"
    assert [said in problem for problem in problems] == [True] * warned


# --- YOLO


def test_whole_numbers_of_classes_may_have_decimals(tmp_path):
    write_images(tmp_path / "images", 2)
    write_text(tmp_path / "labels/0.txt", "0.000e+00 0.5 0.5 0.1 0.1\n")
    write_text(tmp_path / "labels/1.txt", "0.0 0.25 0.5 0.1 0.1\n")
    track, warnings = read_only(tmp_path, 2)
    assert (track.x.tolist(), warnings) == ([31.5, 15.5], ())


@pytest.mark.parametrize(("first", "expected", "warnings"), [(0, "bb-???", 0), (1, "bb-???", 1)])
@pytest.mark.parametrize("place", ["labels", "."])
def test_texts_of_a_videos_frames_are_read(tmp_path, place, first, expected, warnings):
    write_video(tmp_path / "a.mp4")
    for frame, text in enumerate(("0 0.25 0.5 0.1 0.1 0.9\n", "0 0.5 0.5 0.1 0.1 0.9\n", "")):
        write_text(tmp_path / place / f"a_{frame + first}.txt", text)
    track, said = read_only(tmp_path)
    assert states(track) == expected
    assert track.x[:2].tolist() == [15.5, 31.5]
    assert len(said) == warnings


def test_broken_text_leaves_its_image_unlabelled(tmp_path):
    write_images(tmp_path / "images", 2)
    write_text(tmp_path / "labels/0.txt", "0 0.5 0.5 0.1 0.1\n")
    write_text(tmp_path / "labels/1.txt", "0 0.1 0.1 0.2 0.1 0.2 0.2\n")  # a polygon
    track, warnings = read_only(tmp_path, 2)
    assert states(track) == "b?"
    assert "1 text files without lines of class x y width height" in warnings[0]


# --- everything


HOSTILE = (None, [], {}, "text", math.nan, 10**30, -1)
BROKEN = (
    b"",
    b"\0\0\0",
    b"[" * 100_000,
    b'{"Frame":' * 50_000,
    b"<a>" * 9_999,
    b"9" * 5_000,
    b'{"a": ',
)


@pytest.mark.parametrize("write", [coco_boxes, label_studio], ids=lambda write: write.__name__)
def test_any_value_anywhere_is_at_most_a_warning(tmp_path, write):
    write(tmp_path)
    (path,) = tmp_path.rglob("*.json")
    document = json.loads(path.read_text())
    for place in _places(document):
        for value in HOSTILE:
            path.write_text(json.dumps(_replace(document, place, value)))
            dataset = find_dataset(tmp_path)
            for clip in dataset.clips:
                assert len(read_labels(clip, size=SIZE, frames=FRAMES)) == FRAMES
            assert all("\n" not in warning for warning in dataset.warnings)


@pytest.mark.parametrize("write", DATASETS, ids=lambda write: write.__name__)
def test_any_content_is_at_most_a_warning(tmp_path, write):
    write(tmp_path)
    paths = [path for path in tmp_path.rglob("*") if path.suffix in LABEL_SUFFIXES]
    for content in BROKEN:
        for path in paths:
            path.write_bytes(content)
        dataset = find_dataset(tmp_path)
        assert not any(clip.table.visibility.any() for clip in dataset.clips)
        assert dataset.warnings


def _places(document, above=()):
    yield above
    items = document.items() if isinstance(document, dict) else enumerate(document[:2])
    for key, value in items:
        if isinstance(value, (dict, list)):
            yield from _places(value, (*above, key))
        else:
            yield (*above, key)


def _replace(document, place, value):
    if not place:
        return value
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("value", "number"),
    [(12, 12), ("12", 12), ("12.0", 12), (12.5, 12.5), (True, None), (None, None), ([1], None),
     ("9" * 5000, None), (10**400, None), ("nan", None), (math.inf, None)],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(value, number):
    found = read_number(value)
    assert found == number if number is not None else math.isnan(found)


@pytest.mark.parametrize(
    ("value", "key"),
    [(12, "12"), (12.0, "12"), ("12", "12"), (" a ", "a"), (1.5, None), (True, None), ([1], None)],
)
def test_ids_are_the_same_however_they_are_written(value, key):
    assert read_key(value) == key


# --- where warnings are said


def test_warnings_alike_are_one_line(tmp_path):
    for name in ("a", "b", "c"):
        write_video(tmp_path / f"{name}.mp4", 3)
        write_labels(tmp_path / f"{name}.csv", [(0, 1, 6, 18), (7, 1, 6, 18)])
    dataset = find_dataset(tmp_path)
    first, second = list_warnings(dataset, dataset.clips)
    assert first == "a: 1 label after the last frame (2) is ignored (and 2 more like it)"
    assert second == f"run tracknet data check {tmp_path} to list all"


def test_files_beside_a_video_that_are_no_labels_are_named(tmp_path):
    write_video(tmp_path / "a.mp4")
    write_text(tmp_path / "a.json", "")
    write_text(tmp_path / "project.json", '{"tasks": []}')
    (warning,) = find_dataset(tmp_path).warnings
    assert warning.endswith("; unknown label format: a.json, project.json")


@pytest.mark.parametrize("named", [False, True])
def test_track_of_predict_finds_its_video(tmp_path, named):
    # Either the summary says where it is, or it lies beside the track.
    video = write_video(tmp_path / ("films" if named else "runs/match") / "match.mp4")
    run = tmp_path / "runs" / "match"
    write_labels(run / "track.csv", [(0, 1, 6, 18), (1, 1, 14, 18)])
    write_video(run / "overlay.mp4")
    if named:
        write_text(run / "summary.json", json.dumps({"source": str(video)}))
    dataset = find_dataset(tmp_path / "runs")
    assert [(clip.name, clip.source) for clip in dataset.clips] == [("match", video)]
    assert dataset.warnings == ()
    assert "tracks of tracknet predict" in dataset.layout


@pytest.mark.parametrize("summary", ["[]", '{"source": 1}', "{", '{"source": "/no/such.mp4"}'])
def test_track_without_its_video_is_a_warning(tmp_path, summary):
    write_labels(tmp_path / "match" / "track.csv")
    write_text(tmp_path / "match" / "summary.json", summary)
    assert "match: skipped: labels without a video" in find_dataset(tmp_path).warnings[0]


def test_same_footage_under_two_names_is_one_clip(tmp_path):
    write_video(tmp_path / "match" / "a.mp4")
    write_labels(tmp_path / "match" / "a.csv")
    (tmp_path / "match" / "again").symlink_to(tmp_path)
    (tmp_path / "twin").symlink_to(tmp_path / "match")
    dataset = find_dataset(tmp_path)
    assert [clip.name for clip in dataset.clips] == ["match/a"]
    assert dataset.warnings == ("twin/a: skipped: same footage as match/a",)


def test_file_about_other_videos_says_so(tmp_path):
    write_video(tmp_path / "b.mp4")
    write_task(tmp_path / "project.json", [{**BOX, "frame": 1, "x": 0}], framesCount=6)
    first, second = find_dataset(tmp_path).warnings
    assert "project.json: skipped: none of the videos or images that it names was found" in first
    assert second.startswith("b: skipped: no labels found")


def test_images_that_are_not_there_are_counted(tmp_path):
    write_images(tmp_path / "a", 2)
    shape = '<box label="ball" xtl="28.5" ytl="12.5" xbr="32.5" ybr="16.5"/>'
    images = "".join(f'<image id="{f}" name="a/{f}.png">{shape}</image>' for f in range(3))
    write_text(tmp_path / "a.xml", f"<annotations>{images}</annotations>")
    track, warnings = read_only(tmp_path, 2)
    assert track.positions.tolist() == [[30, 14], [30, 14]]
    assert warnings == ("a: 1 images are missing (first: a/2.png) and are skipped",)


def test_below_zero_is_no_ball_in_a_file_of_positions(tmp_path):
    write_video(tmp_path / "a.mp4", 4)
    write_text(tmp_path / "a.txt", "10 10\n-1 -1\n0 0\n12 10\n")
    assert states(read_only(tmp_path, 4)[0]) == "b--b"


# --- splits


@pytest.mark.parametrize(
    "change",
    [{"train": "abc"}, {"train": [1, 2]}, {"validation": {"a": 1}}, {"data": 5}, {"test": None}],
)
def test_split_that_is_no_list_of_names_is_refused(tmp_path, change):
    split = {"data": "d", "train": ["a"], "validation": ["b"], "test": []}
    path = write_text(tmp_path / "split.json", json.dumps(split | change))
    with pytest.raises(InputError, match="not a split"):
        read_split(path)


def test_deep_split_is_refused(tmp_path):
    with pytest.raises(InputError, match="nested too deeply"):
        read_split(write_text(tmp_path / "split.json", "[" * 100_000))
