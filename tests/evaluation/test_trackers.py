import json
from types import SimpleNamespace

import numpy as np
import pytest
from helpers_clips import write_labels, write_video
from helpers_reporters import Notebook
from helpers_trackers import SIZE

from keras_tracknet.errors import InputError
from keras_tracknet.evaluation.trackers import ClipResult, Evaluation, evaluate
from keras_tracknet.metrics import Counts
from keras_tracknet.tracks.candidate_files import read_candidates
from keras_tracknet.tracks.files import read_track
from keras_tracknet.tracks.track import Track

NAN = float("nan")
# Labels and track of one clip, 36 x 64 pixels; the model's input is 32 x 64, so that
# distances across are the same in both and those down are 8/9 at the model's size.
LABELS = [
    (0, 1, 10, 10),
    (1, 1, 10, 10),
    (2, 1, 10, 10),
    (3, 0, 0, 0),
    (4, 0, 0, 0),
    (5, 1, 10, 10),
    # Frame 6 is unlabelled.
    (7, 1, 30, 30),
]
TRACK = [
    (10, 10),  # TP
    (14, 10),  # TP at exactly the tolerance
    (15, 10),  # FP1: five pixels off
    (NAN, NAN),  # TN
    (50, 5),  # FP2
    (NAN, NAN),  # FN
    (50, 5),  # does not count
    (30, 34.2),  # 4.2 pixels of the source, 3.7 of the model
]


class StubTracker:
    """Knows the track of every clip by heart."""

    spec = SimpleNamespace(input_size=SIZE)

    def __init__(self, tracks):
        self.tracks, self.asked = tracks, []

    def track(self, source, *, advance=None, stopwatch=None):
        self.asked.append(source.stem)
        positions = np.array(self.tracks[source.stem], dtype=float)
        if advance is not None:
            advance(len(positions))
        return Track.from_positions(*positions.T, np.isfinite(positions[:, 0]))


@pytest.fixture
def data(tmp_path):
    """Two clips: `one` as above, `two` without a mistake."""
    folder = tmp_path / "data"
    for name in ("one", "two"):
        write_video(folder / f"{name}.mp4", 8)
    write_labels(folder / "one.csv", LABELS)
    write_labels(folder / "two.csv", [(frame, 1, 20, 20) for frame in range(8)])
    return folder


@pytest.fixture
def tracker():
    return StubTracker({"one": TRACK, "two": [(20, 20)] * 8})


def counts_of(evaluation, clip):
    return next(result.counts for result in evaluation.clips if result.name == clip)


@pytest.mark.parametrize(
    ("unit", "tp", "fp1", "squares"),
    [
        ("model", 3, 1, 0 + 16 + 25 + (4.2 * 32 / 36) ** 2),
        ("source", 2, 2, 0 + 16 + 25 + 4.2**2),
    ],
)
def test_outcomes_are_counted_as_by_hand(data, tracker, unit, tp, fp1, squares):
    counts = counts_of(evaluate(tracker, data, unit=unit), "one")
    assert (counts.tp, counts.tn, counts.fp1, counts.fp2, counts.fn) == (tp, 1, fp1, 1, 1)
    assert counts.squared_error == pytest.approx(squares)


def test_tolerance_decides_what_is_right(data, tracker):
    counts = counts_of(evaluate(tracker, data, tolerance=5.0), "one")
    assert (counts.tp, counts.fp1) == (4, 0)


def test_json_has_the_total_and_every_clip(data, tracker):
    result = evaluate(tracker, data).as_dict()
    tp, tn, fp1, fp2, fn = 3 + 8, 1, 1, 1, 1
    assert {name: result[name] for name in ("tp", "tn", "fp1", "fp2", "fn")} == {
        "tp": tp,
        "tn": tn,
        "fp1": fp1,
        "fp2": fp2,
        "fn": fn,
    }
    assert result["frames"] == 15
    assert result["accuracy"] == pytest.approx((tp + tn) / 15)
    assert result["precision"] == pytest.approx(tp / (tp + fp1 + fp2))
    assert result["recall"] == pytest.approx(tp / (tp + fn))
    assert result["f1"] == pytest.approx(2 * tp / (2 * tp + fp1 + fp2 + fn))
    assert result["rmse"] == pytest.approx(((16 + 25 + (4.2 * 32 / 36) ** 2) / 12) ** 0.5)
    assert (result["tolerance"], result["tolerance_unit"]) == (4.0, "model")
    assert result["clips"].keys() == {"one", "two"}
    assert result["clips"]["two"]["accuracy"] == 1
    assert result["clips"]["one"]["frames"] == 7


def test_undefined_scores_are_null(tmp_path):
    write_video(tmp_path / "empty.mp4", 4)
    write_labels(tmp_path / "empty.csv", [(frame, 0, 0, 0) for frame in range(4)])
    result = evaluate(StubTracker({"empty": [(NAN, NAN)] * 4}), tmp_path).as_dict()
    assert result["accuracy"] == 1
    assert [result[name] for name in ("precision", "recall", "f1", "rmse")] == [None] * 4
    assert Evaluation((), 4.0, "model").as_dict()["accuracy"] is None


def test_intervals_come_from_resampling_whole_clips():
    right, wrong = Counts(tp=8), Counts(fn=8)
    clips = [ClipResult(str(k), right if k % 4 else wrong, 1.0) for k in range(100)]
    intervals = Evaluation(tuple(clips), 4.0, "model").intervals
    spread = 1.96 * (0.75 * 0.25 / 100) ** 0.5  # of a share of 100 clips; frames do not count
    assert intervals["accuracy"] == pytest.approx((0.75 - spread, 0.75 + spread), abs=0.015)
    f1 = [2 * share / (1 + share) for share in intervals["accuracy"]]
    assert intervals["f1"] == pytest.approx(tuple(f1))
    assert Evaluation(tuple(clips[:1]), 4.0, "model").intervals == {}
    absent = [ClipResult(name, Counts(tn=8), 1.0) for name in "ab"]
    assert Evaluation(tuple(absent), 4.0, "model").intervals == {"accuracy": (1.0, 1.0)}


@pytest.mark.parametrize("extra", [-3, 3])
def test_labels_and_frames_may_differ_in_number(tmp_path, extra):
    """Labels past the end are ignored; frames without a label do not count."""
    write_video(tmp_path / "clip.mp4", 6)
    write_labels(tmp_path / "clip.csv", [(frame, 1, 20, 20) for frame in range(6 + extra)])
    evaluation = evaluate(StubTracker({"clip": [(20, 20)] * 6}), tmp_path)
    assert (evaluation.total.tp, evaluation.total.frames) == (min(6, 6 + extra),) * 2


def test_drop_frame_says_which_frames_count(tmp_path, tracker):
    match = tmp_path / "match1"
    write_video(match / "video" / "1_01_00.mp4", 8)
    write_labels(match / "csv" / "1_01_00_ball.csv", LABELS)
    spans = {"start": {"1_1_01_00": 1}, "end": {"1_1_01_00": 5}}
    (tmp_path / "drop_frame.json").write_text(json.dumps(spans))
    counts = evaluate(StubTracker({"1_01_00": TRACK}), tmp_path).total
    # Frames 1 to 4 of the table.
    assert (counts.tp, counts.fp1, counts.tn, counts.fp2, counts.fn) == (1, 1, 1, 1, 0)


@pytest.mark.parametrize(
    ("clips", "expected"),
    [([], ["one", "two"]), (["two"], ["two"]), (["t*"], ["two"]), (["two", "one"], ["one", "two"])],
)
def test_clips_are_chosen_by_name(data, tracker, clips, expected):
    evaluation = evaluate(tracker, data, clips=clips)
    assert tracker.asked == expected
    assert [clip.name for clip in evaluation.clips] == expected


def test_results_are_written_where_asked_for(data, tracker, tmp_path):
    evaluation = evaluate(tracker, data, output=tmp_path / "out")
    kept = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert kept == evaluation.as_dict()
    files = {path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("out/**/*")}
    assert files == {"evaluation.json", "tracks", "tracks/one.csv", "tracks/two.csv"}
    track = read_track(tmp_path / "out" / "tracks" / "one.csv")
    np.testing.assert_allclose(track.positions, TRACK)


def test_candidates_are_those_of_every_clip(data, tracker, tmp_path):
    heat = np.array([0.9, 0.25, 0.0])
    tracker.propose = lambda source: (
        (np.array([(frame, 9.5), (2 * frame, 1), (0, 0)]), heat) for frame in range(8)
    )
    evaluate(tracker, data, output=tmp_path / "out", candidates=True)
    for name in ("one", "two"):
        path = tmp_path / "out" / "candidates" / f"{name}.csv"
        places, found = read_candidates(path, 8, 5)
        np.testing.assert_allclose(found, [[0.9, 0.25, 0, 0, 0]] * 8)
        np.testing.assert_allclose(places[3], [(3, 9.5), (6, 1), (0, 0), (0, 0), (0, 0)])
    assert path.read_text().splitlines()[:2] == ["Frame,X,Y,Heat", "0,0.00,9.50,0.9000"]


def test_replacing_run_that_breaks_off_leaves_no_result_of_another(data, tracker, tmp_path):
    evaluate(tracker, data, output=tmp_path)

    def stop(*_args, **_settings):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(SimpleNamespace(track=stop), data, output=tmp_path, overwrite=True)
    assert not (tmp_path / "evaluation.json").exists()


def test_result_that_is_there_is_kept_unless_told_otherwise(data, tracker, tmp_path):
    evaluate(tracker, data, clips=["one"], output=tmp_path)
    before = (tmp_path / "evaluation.json").read_text()
    with pytest.raises(InputError, match=r"evaluation\.json: already exists; use `overwrite=True`"):
        evaluate(tracker, data, output=tmp_path)
    assert tracker.asked == ["one"]
    assert (tmp_path / "evaluation.json").read_text() == before
    evaluate(tracker, data, output=tmp_path, overwrite=True)
    assert len(json.loads((tmp_path / "evaluation.json").read_text())["clips"]) == 2


def test_clips_that_are_left_out_are_said(data, tracker):
    write_labels(data / "three.csv", [(0, 1)], header="Frame,Visibility")
    write_video(data / "three.mp4", 2)
    write_video(data / "four.mp4", 2)
    reporter = Notebook()
    evaluate(tracker, data, reporter=reporter)
    four, three = reporter.warnings
    assert four.startswith("four: skipped: no labels found")
    assert three.startswith("three: skipped: ")


def test_label_warnings_are_those_of_the_clips_in_use(data, tracker):
    write_labels(data / "one.csv", [*LABELS, (8, 1, 20, 20)])
    write_labels(data / "two.csv", [(frame, 1, 20, 20) for frame in range(1, 9)])
    reporter = Notebook()
    evaluate(tracker, data, clips=["one"], reporter=reporter)
    assert reporter.warnings == ["one: 1 label after the last frame (7) is ignored"]
    evaluate(tracker, data, clips=["two"], reporter=reporter)
    assert "probably counted from 1" in reporter.warnings[1]


def test_nothing_is_written_unasked(data, tracker, tmp_path):
    evaluate(tracker, data)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"unit": "feet"}, ValueError, "`unit` must be one of model, source.*'feet'"),
        ({"clips": ["onne"]}, InputError, "no clip named onne; did you mean one"),
    ],
)
def test_impossible_evaluation_is_refused(data, tracker, settings, error, message):
    with pytest.raises(error, match=message):
        evaluate(tracker, data, **settings)
    assert tracker.asked == []


@pytest.mark.parametrize("clips", [[], ["one"]])
def test_folder_without_labelled_clips_is_an_input_error(tmp_path, tracker, clips):
    with pytest.raises(InputError, match=f"{tmp_path}: no labelled clips found"):
        evaluate(tracker, tmp_path, clips=clips)


def test_output_that_is_a_file_is_told_before_anything_is_tracked(data, tracker, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot be written"):
        evaluate(tracker, data, output=tmp_path / "file")
    assert tracker.asked == []


def test_detections_are_judged_with_their_confidence(data, tracker):
    one, two = (result.judged for result in evaluate(tracker, data).clips)
    assert one.right.tolist() == [True, True, False, False, True]
    assert one.confidence.tolist() == [1.0] * 5
    assert two.right.tolist() == [True] * 8
    result = evaluate(tracker, data).as_dict()
    assert result["reliability"] == [
        {"low": 0.9, "high": 1.0, "detections": 13, "confidence": 1.0, "share": 11 / 13}
    ]
    assert result["calibration_error"] == pytest.approx(2 / 13)
