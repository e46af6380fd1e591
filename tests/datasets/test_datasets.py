import json
from pathlib import Path

import numpy as np
import pytest
from helpers_clips import (
    SIZE,
    write_images,
    write_labels,
    write_match,
    write_pair,
    write_run,
    write_video,
)

from keras_tracknet.datasets.checks import check_dataset
from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.dataset import find_dataset, pick_clips
from keras_tracknet.datasets.formats.recognise import read_label_file
from keras_tracknet.datasets.labels import Label, LabelTable
from keras_tracknet.datasets.splits import split_clips
from keras_tracknet.errors import InputError
from keras_tracknet.tracks.files import write_track
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.media import Media

DATA = Path(__file__).parents[3] / "shared" / "data"


def names(clips):
    return [clip.name for clip in clips]


# --- layouts


@pytest.mark.parametrize(
    ("prefix", "clips", "group", "part"),
    [
        ("match1", ["match1/1_01_00", "match1/1_02_00"], "match1", ""),
        ("train/match1", ["train/match1/1_01_00", "train/match1/1_02_00"], "train/match1", "train"),
        # The published split moves a rally of every match to val: the same match.
        ("val/match1", ["val/match1/1_01_00", "val/match1/1_02_00"], "train/match1", "val"),
        ("Test/match1", ["Test/match1/1_01_00", "Test/match1/1_02_00"], "Test/match1", "test"),
        ("Amateur/match1", ["Amateur/match1/1_01_00", "Amateur/match1/1_02_00"],
         "Amateur/match1", ""),
        # The match folder itself is the root.
        ("", ["1_01_00", "1_02_00"], "root", ""),
    ],
)  # fmt: skip
def test_match_folders_are_found_at_every_usual_depth(tmp_path, prefix, clips, group, part):
    root = tmp_path / "root"
    write_match(root / prefix, ["1_01_00", "1_02_00"])
    dataset = find_dataset(root)
    assert names(dataset.clips) == clips
    assert {(clip.group, clip.part) for clip in dataset.clips} == {(group, part)}
    assert dataset.layout == "match folders (Shuttlecock Trajectory): 2 with positions in pixels"
    assert dataset.warnings == ()


def test_corrected_labels_are_preferred_rally_by_rally(tmp_path):
    write_match(tmp_path / "match1", ["1_01_00", "1_02_00"])
    corrected = write_labels(tmp_path / "match1" / "corrected_csv" / "1_02_00_ball.csv")
    first, second = find_dataset(tmp_path).clips
    assert first.labels.parent.name == "csv"
    assert second.labels == corrected


def test_frame_folder_stands_in_for_a_missing_video(tmp_path):
    match = tmp_path / "match1"
    write_match(match, ["1_01_00"])
    for rally in ("1_01_00", "1_02_00"):
        write_images(match / "frame" / rally)
    write_labels(match / "csv" / "1_02_00_ball.csv")
    sources = {clip.name: clip.source for clip in find_dataset(tmp_path).clips}
    assert sources == {
        "match1/1_01_00": match / "video" / "1_01_00.mp4",
        "match1/1_02_00": match / "frame" / "1_02_00",
    }


def test_drop_frame_says_which_frames_count(tmp_path):
    write_match(tmp_path / "test" / "match1", ["1_01_00", "1_02_00"])
    table = {"map": ["1_1_01_00"], "start": {"1_1_01_00": 1}, "end": {"1_1_01_00": 4}}
    (tmp_path / "test" / "drop_frame.json").write_text(json.dumps(table))
    first, second = find_dataset(tmp_path).clips
    assert first.evaluated == (1, 4)
    assert second.evaluated is None


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("{", "cannot be used"),
        ("[]", "cannot be used"),
        ('{"start": {}, "end": {}}', "lists no rally of match1"),
        ('{"start": {"1_1_01_00": 5}, "end": {}}', "cannot be used"),
        ('{"start": {"1_1_01_00": 5}, "end": {"1_1_01_00": 5}}', "ends before it starts"),
        ('{"start": {"1_1_01_00": null}, "end": {"1_1_01_00": 5}}', "cannot be used"),
    ],
)
def test_unusable_drop_frame_is_a_warning(tmp_path, text, warning):
    write_match(tmp_path / "match1", ["1_01_00"])
    (tmp_path / "drop_frame.json").write_text(text)
    dataset = find_dataset(tmp_path)
    assert dataset.clips[0].evaluated is None
    assert len(dataset.warnings) == 1
    assert warning in dataset.warnings[0]


@pytest.mark.parametrize("suffix", [".mp4", ".MP4", ".avi", ".mkv", ".mov"])
def test_pairs_are_found_whatever_the_container(tmp_path, suffix):
    write_video(tmp_path / f"a{suffix}")
    write_labels(tmp_path / "a_ball.csv", [(0, 1, 0.25, 0.5)], header="Frame,Ball,x,y")
    dataset = find_dataset(tmp_path)
    assert names(dataset.clips) == ["a"]
    assert dataset.clips[0].group == tmp_path.name
    assert "1 with positions as fractions" in dataset.layout


@pytest.mark.parametrize(
    ("run", "name", "group"),
    [("run-1", "run-1", "root"), ("tennis/run-1", "tennis/run-1", "tennis"), ("", "root", "root")],
)
def test_image_runs_are_found_one_or_two_levels_down(tmp_path, run, name, group):
    root = tmp_path / "root"
    write_run(root / run)
    (clip,) = find_dataset(root).clips
    assert (clip.name, clip.group) == (name, group)
    assert clip.source == root / run / "frames"


def test_mixed_layouts_below_one_folder_are_all_found(tmp_path):
    write_match(tmp_path / "badminton" / "match1", ["1_01_00"])
    write_pair(tmp_path / "volleyball", "serve")
    write_run(tmp_path / "tennis" / "us" / "run-1")
    dataset = find_dataset(tmp_path)
    assert names(dataset.clips) == [
        "badminton/match1/1_01_00",
        "tennis/us/run-1",
        "volleyball/serve",
    ]
    assert dataset.layout.count(": 1 with positions in pixels") == 3
    assert dataset.warnings == ()


@pytest.mark.parametrize("other", ["a.txt", "a.json", "a_notes.xml"])
def test_other_texts_beside_a_video_are_passed_over(tmp_path, other):
    write_pair(tmp_path, "a")
    write_video(tmp_path / "b.mp4")
    for name in (other, other.replace("a", "b", 1)):
        (tmp_path / name).write_text("{}")
    dataset = find_dataset(tmp_path)
    assert [clip.labels.name for clip in dataset.clips] == ["a.csv"]
    assert [warning.partition(" (")[0] for warning in dataset.warnings] == [
        "b: skipped: no labels found"
    ]


def test_folder_with_nothing_usable_has_no_clips(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / ".hidden").mkdir()
    write_pair(tmp_path / ".hidden", "a")
    dataset = find_dataset(tmp_path)
    assert dataset.clips == ()
    assert dataset.layout == "no known layout"


@pytest.mark.parametrize("path", ["missing", "file.csv"])
def test_missing_root_is_an_input_error(tmp_path, path):
    write_labels(tmp_path / "file.csv")
    with pytest.raises(InputError, match="no such folder"):
        find_dataset(tmp_path / path)


def _second_container(root):
    write_pair(root, "a")
    write_video(root / "a.mkv")


def _foreign_columns(root):
    write_video(root / "a.mp4")
    write_labels(root / "a.csv", [(0, 0.5, 0.5, 0)], header="number,x,y,seen")


def _mixed_units(root):
    write_pair(root, "a")
    write_video(root / "b.mp4")
    write_labels(root / "b.csv", [(0, 1, 0.5, 0.5)])


@pytest.mark.parametrize(
    ("build", "warning"),
    [
        (lambda root: write_video(root / "a.mp4"), "a: skipped: no labels found"),
        (lambda root: write_labels(root / "a.csv"), "a: skipped: labels without a video"),
        (lambda root: write_images(root / "r" / "frames"), "r: skipped: no labels found"),
        (lambda root: write_labels(root / "m/csv/a_ball.csv") and write_images(root / "m/video"),
         "m/a: skipped: labels without a video"),
        (_second_container, "a.mp4: skipped in favour of a.mkv"),
        (_foreign_columns, "columns are number,x,y,seen; expected Frame,Visibility,X,Y"),
        (_mixed_units, "labels use different units (1 in pixels, 1 in fraction"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_warning(tmp_path, build, warning):
    build(tmp_path)
    warnings = find_dataset(tmp_path).warnings
    assert len(warnings) == 1
    assert warning in warnings[0]


def test_table_that_is_no_label_file_is_not_mentioned(tmp_path):
    write_pair(tmp_path, "a")
    write_labels(tmp_path / "players.csv", [(1, "Lin")], header="number,name")
    assert find_dataset(tmp_path).warnings == ()


# --- labels


def read_table(path):
    return read_label_file(path, Media(path.with_suffix(".mp4")))


def read(tmp_path, rows, header="Frame,Visibility,X,Y", size=SIZE):
    labels = write_labels(tmp_path / "a.csv", rows, header=header)
    return read_table(labels).track(size)


def test_rows_are_placed_by_their_frame_and_gaps_are_unlabelled(tmp_path):
    track = read(tmp_path, [(4, 1, 40, 8), (0, 0, 99, 99), (2, 1, 20, 8)])
    assert track.status.tolist() == [
        "absent", "unlabelled", "detected", "unlabelled", "detected",
    ]  # fmt: skip
    np.testing.assert_array_equal(track.x, [np.nan, np.nan, 20, np.nan, 40])


@pytest.mark.parametrize(
    "header",
    [
        "Frame,Visibility,X,Y",
        "frame,ball,x,y",
        "\ufeffFrame , VISIBILITY,x,Y",  # as a spreadsheet saves it
        "Frame,Ball,x,y,Note",
    ],
)
def test_columns_are_known_whatever_their_case(tmp_path, header):
    track = read(tmp_path, [(0, 1, 12.5, 8, "ok"), (), ("", "", "", "", "")], header)
    assert (len(track), track.x[0], track.y[0]) == (1, 12.5, 8)


def test_columns_are_taken_by_name_not_by_place(tmp_path):
    track = read(tmp_path, [(8, 1, 0, 12)], "Y,Visibility,Frame,X")
    assert (track.x[0], track.y[0]) == (12, 8)


def test_fractions_are_scaled_by_each_axis_of_its_own(tmp_path):
    track = read(tmp_path, [(0, 1, 0.25, 0.75), (1, 0, -1, -1)], "Frame,Ball,x,y", (1000, 400))
    assert (track.x[0], track.y[0]) == (100, 750)
    assert track.status.tolist() == ["detected", "absent"]


def test_own_track_file_serves_as_labels(tmp_path):
    track = Track.from_positions([3.25, 0, 0], [4.5, 0, 0], [1, 0, 0], labelled=[1, 1, 0])
    write_track(track, tmp_path / "a.csv")
    back = read_table(tmp_path / "a.csv").track(SIZE).resized(3)
    np.testing.assert_array_equal(back.x, track.x)
    assert back.status.tolist() == track.status.tolist()


@pytest.mark.parametrize(
    ("positions", "units", "warned"),
    [
        ([(0.5, 0.5), (0.0, 1.0)], "fraction", False),
        ([(640, 360), (0.5, 0.5)], "pixels", False),
        ([(20, 10), (30, 12)], "pixels", False),
        ([(0, 0), (1, 1)], "pixels", True),  # the corner, or the edges
        ([(0.5, 0.5)] * 19 + [(44.3, 0.2)], "fraction", False),  # one slip of the pen
        ([(0.2, 300.5), (0.4, 310.5)], "pixels", False),  # along the left edge
        ([], None, False),
    ],
)
def test_units_are_decided_by_what_the_positions_are(tmp_path, positions, units, warned):
    rows = [(frame, 1, *position) for frame, position in enumerate(positions)]
    table = read_table(write_labels(tmp_path / "a.csv", [*rows, (99, 0, -1, -1)]))
    assert table.units == units
    assert bool(table.warnings) is warned


@pytest.mark.parametrize(
    ("x", "y", "beyond"),
    [
        (0, 0, False),
        (63, 35, False),
        (-4.5, 0, False),  # four pixels beyond the edge of the corner pixel
        (67.5, 39.5, False),
        (-4.6, 0, True),
        (67.6, 0, True),
        (0, -4.6, True),
        (0, 39.6, True),
    ],
)
def test_positions_far_beyond_the_picture_are_unlabelled(tmp_path, x, y, beyond):
    track = read(tmp_path, [(0, 1, x, y), (1, 1, 20, 20)])
    assert track.labelled.tolist() == [not beyond, True]
    assert beyond or (track.x[0], track.y[0]) == (x, y)


@pytest.mark.parametrize("cell", ["", "nan", "inf"])
def test_visible_row_without_a_position_is_unlabelled(tmp_path, cell):
    table = read_table(
        write_labels(tmp_path / "a.csv", [(0, 1, cell, 3), (1, 1, 3, 3), (2, 0, cell, cell)])
    )
    assert table.frame.tolist() == [1, 2]
    assert "1 rows are visible without a position" in table.warnings[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; expected Frame,Visibility,X,Y or Frame,Ball,x,y"),
        ("Frame;Visibility;X;Y\n0;1;2;3\n", "columns are Frame;Visibility;X;Y"),
        ("Frame,Visibility,X,Y\n", "contains no labelled rows"),
        ("Frame,Visibility,X,Y\n0,1,2\n", "line 2 is '0,1,2'"),
        ("Frame,Visibility,X,Y\n0,1,2,3\nx,1,2,3\n", "line 3 is 'x,1,2,3'"),
        ("Frame,Visibility,X,Y\n-1,1,2,3\n", "expected a frame number from 0"),
        ("Frame,Visibility,X,Y\n0.5,1,2,3\n", "expected a frame number from 0"),
        ("Frame,Visibility,X,Y\n99999999999,1,2,3\n", "expected a frame number from 0"),
        ("Frame,Visibility,X,Y\n0,2,2,3\n", "visibility 0 or 1"),
        ("Frame,Visibility,X,Y\n0,1,left,3\n", "two numbers"),
        ("Frame,Visibility,X,Y\n7,1,2,3\n7,1,2,3\n", "frame 7 appears twice, in lines 2 and 3"),
        ("Frame,Visibility,X,Y\n0,1,2,\xff\n", "not a CSV file"),
    ],
)
def test_broken_label_file_is_an_input_error(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_label_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path / "a.csv")


# --- splits


TABLE = LabelTable.from_labels([Label(0, 1, 20.0, 20.0)])


def make_clips(*paths, part=""):
    return tuple(
        Clip(path, Path(path), Path(path), path.rpartition("/")[0], TABLE, part) for path in paths
    )


MATCHES = make_clips(*(f"match{match}/1_{rally}" for match in range(10) for rally in range(4)))


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (["match3/1_0"], 1),
        (["match3"], 4),
        (["match3/"], 4),
        (["match[12]/1_0", "match3/1_0"], 3),
        (["*_3"], 10),
        (["match3", "match3/1_0"], 4),  # named twice, taken once
    ],
)
def test_clips_are_picked_by_name_folder_or_glob(wanted, count):
    train, validation = split_clips(MATCHES, wanted)
    assert len(validation) == count
    assert sorted(train + validation, key=lambda c: c.name) == list(MATCHES)


def test_name_with_brackets_is_a_name_before_it_is_a_glob():
    clips = make_clips("a[1]", "a1")
    assert names(pick_clips(clips, ["a[1]"])) == ["a[1]", "a1"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("match3/1_9", "did you mean match3/1_"),
        ("mtach3", "match3"),
        ("zzz", "did you mean match0/1_0"),
    ],
)
def test_unknown_name_lists_what_is_near(name, hint):
    with pytest.raises(InputError, match=f"no clip named {name}") as caught:
        split_clips(MATCHES, [name])
    assert hint in str(caught.value)


def test_no_match_is_on_both_sides():
    train, validation = split_clips(MATCHES)
    assert not {c.group for c in train} & {c.group for c in validation}
    assert 0.1 <= len(validation) / len(MATCHES) <= 0.2


def test_split_follows_the_seed_and_nothing_else():
    assert split_clips(MATCHES, seed=3) == split_clips(MATCHES, seed=3)
    assert len({split_clips(MATCHES, seed=seed)[1] for seed in range(9)}) > 1


@pytest.mark.parametrize(
    ("clips", "validation"),
    [
        (make_clips(*"abcdefghijklmnopqrst"), 3),  # one group: by clip
        (make_clips("a/1", "a/2", "b/1", "b/2"), 1),  # a group would be half: by clip
        (make_clips("a/1", "b/1"), 1),
        (make_clips("a/1"), 1),  # both sides
    ],
)
def test_small_datasets_split_too(clips, validation):
    train, held = split_clips(clips)
    assert len(held) == validation
    assert train == held if len(clips) == 1 else not set(train) & set(held)


def test_published_split_is_kept_and_test_never_trains():
    train_clips = make_clips("train/m1/a", "train/m2/a", part="train")
    val_clips = make_clips("val/m1/b", part="val")
    test_clips = make_clips("test/m1/c", part="test")
    every = (*train_clips, *val_clips, *test_clips)
    assert split_clips(every) == (train_clips, val_clips)
    assert split_clips(every, ["test"]) == ((*train_clips, *val_clips), test_clips)


@pytest.mark.parametrize(
    ("clips", "wanted"),
    [(MATCHES, ["*"]), (make_clips("test/a", "test/b", part="test"), None), ((), None)],
)
def test_nothing_left_to_train_on_is_an_input_error(clips, wanted):
    with pytest.raises(InputError, match="no clip is left for training"):
        split_clips(clips, wanted)


# --- reports


def test_report_counts_frames_labels_and_visible_ones(tmp_path):
    write_pair(tmp_path, "a")
    write_run(tmp_path / "run-1")
    report = check_dataset(find_dataset(tmp_path))
    video, images = report.clips
    assert (video.frames, video.labelled, video.visible) == (6, 3, 2)
    assert (video.size, video.fps, video.problems) == (SIZE, 25, ())
    assert (images.frames, images.labelled, images.fps) == (6, 3, None)
    assert report.totals() == {"clips": 2, "frames": 12, "labelled": 6, "visible": 4}
    assert report.usable
    assert json.loads(json.dumps(report.to_dict()))["totals"]["frames"] == 12


@pytest.mark.parametrize(
    ("rows", "labelled", "problem"),
    [
        (
            [(5, 1, 3, 3), (6, 1, 3, 3), (9, 0, 0, 0)],
            1,
            "2 labels after the last frame (5) are ignored",
        ),
        ([(0, 1, 3, 3), (2, 1, 300, 3)], 1, "1 positions outside the picture, first in frame 2"),
        ([(0, 0, 0, 0)], 1, "no frame has a visible ball"),
    ],
)
def test_report_names_what_does_not_fit_the_video(tmp_path, rows, labelled, problem):
    write_video(tmp_path / "a.mp4")
    write_labels(tmp_path / "a.csv", rows)
    (clip,) = check_dataset(find_dataset(tmp_path)).clips
    assert clip.labelled == labelled
    assert len(clip.problems) == 1
    assert problem in clip.problems[0]


def test_unreadable_video_is_a_problem_of_its_clip(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"not a video")
    write_labels(tmp_path / "a.csv")
    report = check_dataset(find_dataset(tmp_path))
    assert "a.mp4" in report.clips[0].problems[0]
    assert not report.usable


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared footage is not here")
@pytest.mark.parametrize(
    ("folder", "clips", "labelled", "visible"),
    [
        ("badminton", 31, 7446, 6342),
        ("tennis/us-open", 9, 273, 273),
        ("volleyball/vnl", 36, 388, 386),
    ],
)
def test_shared_footage_is_read_whole(folder, clips, labelled, visible):
    report = check_dataset(find_dataset(DATA / folder))
    assert report.totals() == {
        "clips": clips,
        "frames": labelled,
        "labelled": labelled,
        "visible": visible,
    }
    assert report.warnings == ()
    assert not [clip for clip in report.clips if clip.problems]
