import sys

import numpy as np
import pytest

from keras_tracknet.errors import InputError
from keras_tracknet.tracks.files import read_track, write_track
from keras_tracknet.tracks.track import COLUMNS, Track


@pytest.fixture
def track():
    return Track.from_positions(
        [4.5, 0, 60], [3.25, 0, 7], [1, 0, 1], labelled=[1, 1, 1], time=[0, 0.04, 0.08]
    )


def test_data_frame_has_the_columns_of_a_track_file(track):
    pandas = pytest.importorskip("pandas")
    frame = track.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert tuple(frame.columns) == COLUMNS
    assert frame["Visibility"].tolist() == [1, 0, 1]
    assert frame["Status"].tolist() == ["detected", "absent", "detected"]
    np.testing.assert_array_equal(frame["X"], [4.5, np.nan, 60])


def test_data_frame_written_as_csv_is_a_track_again(track, tmp_path):
    pytest.importorskip("pandas")
    track.to_pandas().to_csv(tmp_path / "a.csv", index=False)
    back = read_track(tmp_path / "a.csv")
    np.testing.assert_array_equal(back.positions, track.positions)
    assert back.status.tolist() == track.status.tolist()


def test_parquet_comes_back_and_pandas_reads_it(track, tmp_path):
    pytest.importorskip("pyarrow")
    write_track(track, tmp_path / "a.parquet")
    back = read_track(tmp_path / "a.parquet")
    np.testing.assert_array_equal(back.positions, track.positions)
    np.testing.assert_array_equal(back.time, track.time)
    pandas = pytest.importorskip("pandas")
    assert tuple(pandas.read_parquet(tmp_path / "a.parquet").columns) == COLUMNS


def test_detections_have_the_ball_in_the_middle_of_their_box(track):
    supervision = pytest.importorskip("supervision")
    detections = track.to_supervision(side=10)
    assert [len(frame) for frame in detections] == [1, 0, 1]
    centre = supervision.Position.CENTER
    assert detections[0].get_anchors_coordinates(centre).tolist() == [[4.5, 3.25]]
    assert detections[2].xyxy.tolist() == [[55, 2, 65, 12]]
    assert detections[2].confidence.tolist() == [1]
    assert detections[2].data["status"].tolist() == ["detected"]
    assert len(supervision.Detections.merge(detections)) == 2


@pytest.mark.parametrize(
    ("module", "call", "hint"),
    [
        ("pandas", lambda track, _path: track.to_pandas(), "keras_tracknet[pandas]"),
        ("supervision", lambda track, _path: track.to_supervision(), "keras_tracknet[supervision]"),
        ("pyarrow", write_track, "keras_tracknet[parquet]"),
    ],
)
def test_missing_library_is_one_line_with_its_name(
    track, tmp_path, monkeypatch, module, call, hint
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError) as caught:
        call(track, tmp_path / "a.parquet")
    assert f"pip install '{hint}'" in str(caught.value)
    assert "\n" not in str(caught.value)
