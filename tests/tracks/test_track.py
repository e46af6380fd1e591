"""Track files as they are found: cut off, of other makers, or no tracks at all."""

import gzip
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.tracks.files import read_rows, read_track, write_track
from keras_tracknet.tracks.tables import ABSENT, DETECTED, UNLABELLED, OtherTableError
from keras_tracknet.tracks.track import COLUMNS, Track

OWN = ",".join(COLUMNS)
NAN = math.nan


def write(folder, content, name="track.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def show(track):
    """The positions of a track as a list, None for no ball."""
    return [None if math.isnan(x) else (x, y) for x, y in track.positions.tolist()]


@pytest.mark.parametrize(
    ("name", "text", "places"),
    [
        # 300.5 was being written, and 30 got there.
        ("a.csv", f"{OWN}\n0,1,10.5,5.0,0.9,detected,0.0\n1,1,30", [(10.5, 5)]),
        ("a.csv", "Frame,Visibility,X,Y\n0,1,10,5\n1,1,300,30", [(10, 5)]),
        (
            "a.jsonl",
            '{"Frame": 0, "Visibility": 1, "X": 1.5, "Y": 2}\n{"Frame": 1, "Vis',
            [(1.5, 2)],
        ),
    ],
)
def test_a_line_without_an_end_is_left_out(tmp_path, name, text, places):
    path = write(tmp_path, text, name)
    with pytest.warns(UserWarning, match=rf"{name}: its last line is incomplete"):
        assert show(read_track(path)) == places


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_the_rows_of_an_interrupted_run_are_read_wherever_it_was_cut_off(tmp_path, format):
    track = Track.from_positions([4.5, 0, 60], [3.25, 0, 7], [1, 0, 1], time=[0, 0.04, 0.08])
    write_track(track, tmp_path / f"whole.{format}")
    data = (tmp_path / f"whole.{format}").read_bytes()
    whole = read_rows(tmp_path / f"whole.{format}", range(9))
    assert [row.x for row in whole if row.visible] == [4.5, 60]
    header = format == "csv"
    for length in range(len(data) + 1):
        rows = read_rows(write(tmp_path, data[:length], f"cut.{format}"), range(9))
        ends = data[:length].count(b"\n")
        assert repr(rows) == repr(whole[: max(ends - header, 0)])


@pytest.mark.parametrize(
    "text",
    [
        f"{OWN}\n0,1,1,1,1,detected,0\n2,1,1,1,1,detected,0.1\n",  # a hole
        f"{OWN}\n1,1,1,1,1,detected,0\n0,1,1,1,1,detected,0.1\n",  # out of order
        "Frame,Visibility,X,Y\n0,1,10,5\n",  # columns are missing
    ],
)
def test_a_run_does_not_go_on_from_rows_that_it_did_not_write(tmp_path, text):
    with pytest.raises(
        InputError, match=r"was changed after tracknet predict wrote it.*`overwrite=True`"
    ):
        read_rows(write(tmp_path, text), range(9))


EXPECTED = [(100.5, 50), None, (102.5, 52)]
OTHERS = {
    "semicolons and decimal commas": ("Frame;Visibility;X;Y\n0;1;100,5;50\n1;0;;\n2;1;102,5;52\n"),
    "tabs": "frame\tx\ty\n0\t100.5\t50\n1\t\t\n2\t102.5\t52\n",
    "out of order": "frame,x,y\n2,102.5,52\n0,100.5,50\n1,,\n",
    "a hole": "frame_num,x,y,visibility\n0,100.5,50,1\n2,102.5,52,1\n",
    "minus one": "frame,x,y\n0,100.5,50\n1,-1,-1\n2,102.5,52\n",
    "the corner": "Frame,Visibility,X,Y\n0,1,100.5,50\n1,1,0,0\n2,1,102.5,52\n",
    "pandas": "Frame,Visibility,X,Y\n0.0,1.0,100.5,50\n1.0,0.0,,\n2.0,1.0,102.5,52\n",
    "bool": "frame,visible,x,y\n0,True,100.5,50\n1,False,nan,nan\n2,True,102.5,52\n",
    "upper case, mark": "\ufeffFRAME, BALL, X, Y\r\n0,1,100.5,50\r\n1,0,,\r\n2,1,102.5,52\r\n",
    "UTF-16": "frame,x,y\n0,100.5,50\n1,,\n2,102.5,52\n".encode("utf-16"),
    "more columns": "frame,x,y,player\n0,100.5,50,A\n1,,,\n2,102.5,52,B\n",
    "JSON": '{"frame": 0, "x": 100.5, "y": 50}\n{"frame": 1, "x": null, "y": null}\n'
    '{"frame": 2, "x": "102.5", "y": 52}\n',
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.filterwarnings("ignore:.*track.csv")
def test_tracks_of_other_makers_are_read(tmp_path, kind):
    track = read_track(write(tmp_path, OTHERS[kind]))
    assert show(track) == EXPECTED
    assert track.status.tolist() == [DETECTED, UNLABELLED if kind == "a hole" else ABSENT, DETECTED]
    assert track.confidence.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("semicolons and decimal commas", "decimal commas"),
        ("out of order", "rows were out of order"),
        ("a hole", "1 of 3 frames have no row"),
        ("minus one", "1 positions at 0,0 or -1,-1 are read as no ball"),
        ("the corner", "1 positions at 0,0 or -1,-1 are read as no ball"),
    ],
)
def test_what_was_mended_is_said_once(tmp_path, kind, said):
    with pytest.warns(UserWarning, match=rf"^\S+track.csv: .*{said}") as caught:
        read_track(write(tmp_path, OTHERS[kind]))
    assert len(caught) == 1


def test_the_corner_is_a_place_in_a_track_of_this_package(tmp_path):
    track = Track.from_positions([0, 5], [0, 5], [1, 1], time=[0, 0.1])
    write_track(track, tmp_path / "track.csv")
    assert show(read_track(tmp_path / "track.csv")) == [(0, 0), (5, 5)]


ROW = "Frame,Visibility,X,Y,Confidence,Time\n"
REFUSED = {
    "nothing": ("", "is empty .0 bytes"),
    "null bytes": (b"\0\0\0", "not a text file"),
    "three null bytes in a line": ("Frame,Visibility,X,Y\n0,1,\0,2\n", "not a text file"),
    "Latin-1": ("Frame,Visibility,X,Y,Straße\n".encode("latin-1"), "UTF-8"),
    "a workbook": (b"PK\x03\x04rest", "Excel workbook"),
    "gzip": (gzip.compress(b"Frame,Visibility,X,Y\n"), "compressed with gzip"),
    "Parquet": (b"PAR1....", "end in .parquet"),
    "other columns": ("a,b\n1,2\n", r"columns are a,b, expected Frame,Visibility,X,Y"),
    "a header alone, cut off": ("Frame,Visib", "columns are none"),
    "two columns of one name": ("frame,x,X,y\n0,1,2,3\n", "two columns named x"),
    "two names for the frame": ("frame,frame_id,x,y\n0,1,2,3\n", "frame and frame_id; keep one"),
    "boxes": ("frame,x,y,w,h\n0,1,2,3,4\n", "a corner"),
    "fractions": ("frame,x,y\n0,0.5,0.25\n1,0.75,1\n", "fractions of the picture.*`video`"),
    "visible from 0": ("frame_num,x,y,visible\n0,1,2,0\n", "visible=0 may mean"),
    "too few cells": ("frame,x,y\n0,1\n", "line 2 has 2 cells, but the header has 3"),
    "decimal commas between commas": ("frame,x,y\n0,300,5,200,5\n", "line 2 has 5 cells"),
    "thousands": ("frame;x;y\n0;1.300,5;2\n", "line 2 cannot be read: x is '1.300.5'"),
    "underscores": ("frame,x,y\n0,1_0,5\n", "x is '1_0', expected a number"),
    "visibility 2": (ROW + "0,2,1,1,1,0\n", "visibility is '2', expected 0 or 1"),
    "visibility 3": (ROW + "0,0,1,1,0,0\n1,3,1,1,1,0\n", "line 3 .*visibility is '3'"),
    "no position": (ROW + "0,1,,,1,0\n", "visible but has no position"),
    "half a position": (ROW + "0,1,5,nan,1,0\n", "visible but has no position"),
    "infinite position": (ROW + "0,1,inf,1,1,0\n", "position is inf,1, expected pixels"),
    "huge position": (ROW + "0,1,1,-1e308,1,0\n", r"position is 1,-1e\+308"),
    "huge confidence": (ROW + "0,1,1,1,1e308,0\n", "confidence is '1e308', expected 0 to 1"),
    "infinite confidence": (ROW + "0,1,1,1,-inf,0\n", "confidence is '-inf', expected 0 to 1"),
    "negative frame": (ROW + "-1,1,1,1,1,0\n", "frame is '-1', expected a whole number from 0"),
    "half a frame": (ROW + "0.5,1,1,1,1,0\n", "frame is '0.5', expected a whole number"),
    "infinite frame": (ROW + "inf,1,1,1,1,0\n", "frame is 'inf', expected a whole number"),
    "a frame of many digits": (ROW + "9" * 5000 + ",1,1,1,1,0\n", "frame is '9{40}'"),
    "frame 10^12": (ROW + "0,1,1,1,1,0\n1000000000000,1,1,1,1,1\n", "line 3 is for frame 10{12}"),
    "a frame twice": ("frame,x,y\n0,1,1\n1,2,2\n0,3,3\n", "frame 0 appears twice, in lines 2"),
    "time is a clock": (ROW + "0,1,1,1,1,0:01\n", "time is '0:01', expected a number"),
    "unknown status": ("frame,x,y,status\n0,1,1,ok\n", "status is 'ok', expected one of detected"),
    "contradiction": ("frame,x,y,status\n0,1,1,absent\n", "absent, which contradicts visibility"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_is_refused_in_a_line(tmp_path, kind):
    content, said = REFUSED[kind]
    with pytest.raises(InputError, match=said) as caught:
        read_track(write(tmp_path, content))
    assert str(caught.value).startswith(f"{tmp_path / 'track.csv'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["folder.csv", "none.csv"])
def test_what_is_no_file_is_told(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    said = "not a file" if name == "folder.csv" else "no such file"
    with pytest.raises(InputError, match=f"{name}: {said}; use a track"):
        read_track(tmp_path / name)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[1, 2]", "line 2 is not a JSON object"),
        ("null", "line 2 is not a JSON object"),
        ("{", "line 2 is not JSON"),
        ("[" * 100_000, "line 2 is not JSON .nested too deeply"),
        ('{"frame": 1, "x": 2}', "line 2 has no y"),
        ('{"frame": 1, "x": NaN, "y": 3}', None),
        ('{"frame": NaN, "x": 2, "y": 3}', "frame is 'nan'"),
        ('{"frame": 1, "x": Infinity, "y": 3}', "position is inf,3"),
        ('{"frame": [1], "x": 2, "y": 3}', r"frame is '\[1\]', expected a number"),
        ('{"frame": 1, "x": {"a": 1}, "y": 3}', "x is .*, expected a number"),
        ('{"frame": 1, "x": ' + "9" * 5000 + ', "y": 3}', "line 2 is not JSON"),
    ],
)
def test_lines_of_json_are_read_or_refused(tmp_path, line, said):
    path = write(tmp_path, json.dumps({"frame": 0, "x": 5, "y": 6}) + f"\n{line}\n", "a.jsonl")
    if said is None:
        assert show(read_track(path)) == [(5, 6), None]
        return
    with pytest.raises(InputError, match=said) as caught:
        read_track(path)
    assert len(str(caught.value)) < 400


def test_parquet_that_is_none_is_told_in_a_line(tmp_path):
    pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match=r"a\.parquet: cannot be read as Parquet"):
        read_track(write(tmp_path, b"PAR1 is how it begins", "a.parquet"))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1, 2], [(1, 7), (2, 7)]),
        (["1", "2.5"], [(1, 7), (2.5, 7)]),
        ([None, 2.5], [None, (2.5, 7)]),
        ([[1], [2]], r"line 1 cannot be read: x is '\[1\]'"),
        ([float("inf"), 1.0], "position is inf,7"),
    ],
)
def test_columns_of_parquet_may_have_other_types(tmp_path, column, expected):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pytest.importorskip("pyarrow").table({"Frame": [0, 1], "X": column, "Y": [7, 7]})
    parquet.write_table(table, tmp_path / "a.parquet")
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected):
            read_track(tmp_path / "a.parquet")
    else:
        assert show(read_track(tmp_path / "a.parquet")) == expected


def test_labels_are_told_from_broken_tracks(tmp_path):
    for kind, (content, _) in REFUSED.items():
        other = kind in ("other columns", "fractions", "visible from 0", "a header alone, cut off")
        with pytest.raises(InputError) as caught:
            read_track(write(tmp_path, content))
        assert isinstance(caught.value, OtherTableError) == other, kind


def test_times_that_are_none_are_unknown(tmp_path):
    rows = ["0,1,1,1,1,0", "1,1,1,1,1,inf", "2,1,1,1,1,1e308", "3,1,1,1,1,-1", "4,1,1,1,1,"]
    track = read_track(write(tmp_path, ROW + "\n".join(rows) + "\n"))
    np.testing.assert_array_equal(track.time, [0, NAN, NAN, NAN, NAN])


# --- camera shots


def make_shots(*shots, frames=20):
    return replace(Track.from_positions(range(frames), range(frames), [1] * frames), shots=shots)


@pytest.mark.parametrize(
    ("shots", "lengths"),
    [((), [20]), ((0,), [20]), ((0, 7, 8), [7, 1, 12])],
)
def test_a_track_is_split_into_its_shots_and_joined_again(shots, lengths):
    track = make_shots(*shots)
    parts = track.split_shots()
    assert [len(part) for part in parts] == lengths
    assert [part.shots for part in parts] == [shots[:1]] * len(parts)
    assert np.concatenate([part.x for part in parts]).tolist() == list(range(20))
    whole = Track.join(parts)
    assert whole.shots == shots
    np.testing.assert_array_equal(whole.positions, track.positions)


@pytest.mark.parametrize(
    ("start", "stop", "shots"),
    [(0, 20, (0, 7, 12)), (0, 7, (0,)), (7, 13, (0, 5)), (9, 20, (0, 3)), (8, 12, (0,))],
)
def test_a_part_of_a_track_has_the_shots_that_it_shows(start, stop, shots):
    assert make_shots(0, 7, 12).cut(start, stop).shots == shots


def test_rows_have_shots_as_far_as_they_go():
    rows = list(make_shots(frames=5).rows())
    assert Track.from_rows(rows, shots=[0, 3, 5]).shots == (0, 3)
    assert Track.from_rows([], shots=[0]).shots == ()


def test_a_track_is_printed_in_five_lines():
    track = Track.from_positions([4.5, 0, 60], [3.25, 0, 7], [1, 0, 1], time=[0, 0.04, 0.08])
    assert str(replace(track, shots=(0,))).split("\n") == [
        "Track of 3 frames, 0.00 to 0.08 seconds",
        "ball: 2 frames (67%): 2 detected, 1 absent",
        "confidence: 1.00 (median where there is a ball)",
        "positions: x 4 to 60, y 3 to 7 pixels",
        "camera shots: 1",
    ]
    assert str(Track.from_positions([], [], [])).split("\n")[1] == "ball: 0 frames: none"


def test_rows_are_spread_over_the_frames_of_a_video():
    track = replace(Track.from_positions([1, 2], [3, 4], [1, 1], time=[0.2, 0.6]), shots=(0, 1))
    spread = track.spread(range(2, 99, 3))
    assert np.flatnonzero(spread.labelled).tolist() == [2, 5]
    assert spread.x[[2, 5]].tolist() == [1, 2]
    assert spread.shots == (2, 5)
    assert track.spread(range(9)) is track


def test_a_track_is_plotted_without_a_video():
    pytest.importorskip("matplotlib")
    track = Track.from_positions([4, 9, 14, 19], [3, 4, 6, 9], [1] * 4, time=[0, 0.04, 0.08, 0.12])
    (lines,) = track.plot(np.zeros((40, 40, 3), np.uint8)).axes[0].collections
    assert len(lines.get_segments()) == 3
    assert track.plot().axes[0].get_xlim()[1] >= 19
