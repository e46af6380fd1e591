import csv
import os

import numpy as np
import pytest
from helpers_clips import write_video

from keras_tracknet.datasets.dataset import find_dataset, read_labels
from keras_tracknet.errors import InputError
from keras_tracknet.studio.labels import FrameLabel, LabelFile, merge_stretches
from keras_tracknet.tracks.files import read_track
from keras_tracknet.tracks.track import Track


def label(status, x=None, y=None):
    return FrameLabel.parse({"status": status, "x": x, "y": y}, "ada")


@pytest.fixture
def file(tmp_path):
    return LabelFile(tmp_path / "match_ball.csv", tmp_path / "reviewed.json")


GIVEN = {
    0: label("visible", 3.25, 4.5),
    1: label("hidden", 5.0, 6.0),
    2: label("absent"),
    4: label("filled", 9.0, 1.0),
    5: label("accepted", 8.0, 2.0),
    6: label("accepted"),
}


def test_a_change_is_on_disk_when_it_returns(file):
    file.change(GIVEN, reviewed=[[4, 6]])
    with open(file.path, newline="") as rows:
        assert list(csv.reader(rows)) == [
            ["Frame", "Visibility", "X", "Y", "Status", "Author"],
            ["0", "1", "3.250", "4.500", "visible", "ada"],
            ["1", "0", "5.000", "6.000", "hidden", "ada"],
            ["2", "0", "", "", "absent", "ada"],
            ["4", "1", "9.000", "1.000", "filled", "ada"],
            ["5", "1", "8.000", "2.000", "accepted", "ada"],
            ["6", "0", "", "", "accepted", "ada"],
        ]
    again = LabelFile(file.path, file.reviewed_path)
    assert again.frames == GIVEN
    assert again.reviewed == [[4, 6]]


def test_removed_labels_are_gone_and_others_stay(file):
    file.change(GIVEN)
    file.change({2: label("visible", 1, 1)}, remove=[0, 1])
    assert sorted(file.frames) == [2, 4, 5, 6]
    assert file.frames[2].status == "visible"


def test_a_file_that_changed_outside_is_read_again(file):
    file.change(GIVEN)
    file.path.write_text("Frame,Visibility,X,Y\n7,1,2,3\n8,0,0,0\n")
    os.utime(file.path, ns=(1, 1))
    assert {k: (v.status, v.x) for k, v in file.frames.items()} == {
        7: ("visible", 2.0),
        8: ("absent", None),
    }


def test_a_file_of_another_maker_is_kept_beside_the_changed_one(file):
    file.path.write_text("Frame,Visibility,X,Y\n7,1,2,3\n")
    file.change({8: label("absent")})
    assert (file.path.parent / "match_ball.csv.original").read_text().endswith("7,1,2,3\n")
    file.change({9: label("absent")})
    assert "Author" not in (file.path.parent / "match_ball.csv.original").read_text()


def test_what_reads_labels_reads_these(file, tmp_path):
    write_video(tmp_path / "match.mp4", 8)
    file.change(GIVEN)
    (clip,) = find_dataset(tmp_path).clips
    track = read_labels(clip, size=(36, 64), frames=8)
    assert track.labelled.tolist() == [True, True, True, False, True, True, True, False]
    assert track.visibility.tolist() == [True, False, False, False, True, True, False, False]
    assert track.x[[0, 4]].tolist() == [3.25, 9.0]


def test_a_label_file_is_a_track_that_a_person_corrected(file):
    file.change({0: label("visible", 3, 4), 1: label("accepted"), 2: label("filled", 9, 1)})
    track = read_track(file.path)
    assert track.status.tolist() == ["corrected"] * 3
    assert track.visibility.tolist() == [True, False, True]


def test_a_reviewed_stretch_takes_the_networks_word(file):
    network = Track.from_positions([1.0, 2.0, 3.0, 4.0], [5.0] * 4, [1, 1, 0, 1])
    file.change({1: label("visible", 20, 30)}, reviewed=[[1, 2]])
    track = file.as_track(4, network)
    assert track.labelled.tolist() == [False, True, True, False]
    np.testing.assert_array_equal(track.x, [np.nan, 20.0, np.nan, np.nan])
    assert file.count_reviewed(4) == 2


@pytest.mark.parametrize(
    "content",
    [
        {},
        None,
        {"status": "corrected"},
        {"status": "visible"},
        {"status": "visible", "x": 1},
        {"status": "visible", "x": 1, "y": "left"},
        {"status": "visible", "x": 1, "y": float("inf")},
        {"status": "filled"},
    ],
)
def test_what_is_no_label_is_refused(content):
    with pytest.raises(InputError, match="not a label"):
        FrameLabel.parse(content, "ada")


@pytest.mark.parametrize("reviewed", [[[3, 2]], [[-1, 2]], [3], [["a", "b"]], [[1, 2, 3]]])
def test_what_is_no_stretch_is_refused_and_nothing_is_saved(file, reviewed):
    with pytest.raises(InputError, match="a stretch must be"):
        file.change({0: label("absent")}, reviewed=reviewed)
    assert not file.path.exists()


def test_stretches_that_touch_become_one():
    assert merge_stretches([[8, 9], [0, 3], [4, 5], [2, 4]]) == [[0, 5], [8, 9]]


def test_a_damaged_file_is_never_written_over(file):
    file.path.write_text("Frame,Visibility,X,Y\n7,1,2\n")
    with pytest.raises(InputError, match=r"match_ball\.csv: not a label file"):
        file.change({8: label("absent")})
    assert file.path.read_text() == "Frame,Visibility,X,Y\n7,1,2\n"
