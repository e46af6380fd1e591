"""Comparison: the same clips, the same samples, one table."""

import csv
import json

import numpy as np
import pytest
from helpers_clips import write_labels, write_video
from helpers_reporters import Notebook
from helpers_trackers import save_detector

from keras_tracknet.errors import InputError
from keras_tracknet.evaluation import comparing
from keras_tracknet.evaluation.comparison import (
    ClipOutcome,
    Comparison,
    Entry,
    Tolerance,
    list_tolerances,
)
from keras_tracknet.evaluation.comparison_page import describe_differences, draw_speeds, format_text
from keras_tracknet.evaluation.operations import count_operations
from keras_tracknet.evaluation.resampling import find_intervals, resample_scores
from keras_tracknet.metrics import Counts
from keras_tracknet.models.v2 import build_v2
from keras_tracknet.models.v4 import build_v4
from keras_tracknet.models.v5 import build_v5
from keras_tracknet.models.wasb import build_wasb

FOUR = Tolerance("4 px", 4.0)


def make_entry(name, *clips, seconds=2.0):
    """An entry of clips with (TP, TN, FP1, FP2, FN)."""
    outcomes = [
        ClipOutcome(f"clip{k}", sum(counts), seconds, (Counts(*counts),), np.array([1.0, 3.0]))
        for k, counts in enumerate(clips)
    ]
    return Entry(name, name, "v2", "keras", "float32", 1000, 1.5, tuple(outcomes))


def make_comparison(*entries):
    return Comparison(entries, (FOUR,))


@pytest.mark.parametrize(
    ("build", "multiply_adds"),
    [
        # Published or counted layer by layer, at 288x512.
        (build_v2, 112.23e9),
        (build_v4, 112.23e9),
        (build_wasb, 27.11e9),
    ],
)
def test_operations_are_the_published_ones(build, multiply_adds):
    counted = count_operations(build(input_size=(None, None)), (288, 512)) / 2
    assert counted == pytest.approx(multiply_adds, rel=2e-4)


def test_operations_of_v5_include_its_attention_and_its_enlargement():
    enlarging = sum(2 * 3 * c * 4 * h * w // 2 for c, h, w in (
        (512, 36, 64), (256, 72, 128), (128, 144, 256)
    ))  # fmt: skip
    counted = count_operations(build_v5(), (288, 512)) / 2
    assert counted - enlarging == pytest.approx(124.34e9, rel=1e-3)


def test_intervals_resample_whole_clips():
    clips = [Counts(8, 0, 0, 0, 2), Counts(2, 0, 0, 0, 8)]
    drawn = resample_scores(clips)["accuracy"]
    assert sorted(set(drawn.round(6))) == [0.2, 0.5, 0.8]
    assert find_intervals(clips)["accuracy"] == pytest.approx((0.2, 0.8))
    assert find_intervals(clips[:1]) == {}


def test_a_difference_on_every_clip_is_none_of_noise_and_one_that_changes_sign_is():
    good, bad = (
        make_entry("good", (9, 0, 0, 0, 1), (8, 0, 0, 0, 2)),
        make_entry("bad", (8, 0, 0, 0, 2), (7, 0, 0, 0, 3)),
    )
    mixed = make_entry("mixed", (10, 0, 0, 0, 0), (6, 0, 0, 0, 4))
    differences = {
        (d.first, d.second): d for d in make_comparison(good, bad, mixed).differences
        if d.score == "accuracy"
    }  # fmt: skip
    first = differences["good", "bad"]
    assert (first.value, first.low, first.high) == pytest.approx((0.1, 0.1, 0.1))
    assert first.is_noise is False
    assert differences["good", "mixed"].is_noise is True
    lines = describe_differences(make_comparison(bad, good, mixed))
    assert lines[0].startswith("good is better than bad: F1 by 0.")
    assert lines[1].endswith("which is within noise")


def test_one_clip_tells_nothing_of_noise():
    entries = make_entry("a", (9, 0, 0, 0, 1)), make_entry("b", (8, 0, 0, 0, 2))
    (_, f1) = make_comparison(*entries).differences
    assert (f1.low, f1.high, f1.is_noise) == (None, None, None)
    assert "two clips or more" in describe_differences(make_comparison(*entries))[0]


def test_table_has_speed_size_scores_and_counts():
    entry = make_entry("a", (6, 1, 1, 1, 1), (8, 2, 0, 0, 0))
    rows = make_comparison(entry).rows()
    assert [row["clip"] for row in rows] == ["clip0", "clip1", "total"]
    total = rows[-1]
    assert (total["tp"], total["tn"], total["fp1"], total["fp2"], total["fn"]) == (14, 3, 1, 1, 1)
    assert total["accuracy"] == pytest.approx(17 / 20)
    assert total["frames_per_second"] == pytest.approx(20 / 4)
    assert (total["parameters"], total["gflop_per_frame"]) == (1000, 1.5)
    assert total["median_error"] == 2.0
    assert total["accuracy_low"] == pytest.approx(0.7)
    text = format_text(make_comparison(entry))
    assert "0.850" in text
    assert "0.700 to 1.000" in text


def test_tolerances_are_pixels_and_shares_of_the_ball():
    found = list_tolerances((2.0, 4.0), (0.5,), 5.0)
    assert found == [("2 px", 2.0), ("4 px", 4.0), ("0.5 ball", 2.5)]
    assert Comparison((), tuple(found)).main == 1


def test_drawing_places_accuracy_over_speed():
    drawing = draw_speeds(make_comparison(make_entry("<slow>", (9, 0, 0, 0, 1), seconds=5.0)))
    assert "&lt;slow&gt;" in drawing
    assert drawing.count("<circle") == 1


# --- with trackers


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    for name in ("one", "two"):
        write_video(folder / f"{name}.mp4", 6)
        write_labels(folder / f"{name}.csv", [(k, 1, 6 + 8 * k, 18) for k in range(6)])
    return folder


HOW = {"engine": "keras", "precision": "float32"}


def test_trackers_are_compared_and_an_interrupted_comparison_goes_on(data, tmp_path, monkeypatch):
    weights = [
        save_detector(tmp_path / "run" / "best.keras"),
        save_detector(tmp_path / "v3.keras", "v3", frames=4, background="concat"),
    ]
    asked, track = [], comparing.Tracker.track

    def count(self, source, **settings):
        asked.append(source.stem)
        if asked == ["one", "two", "one", "two"]:
            raise KeyboardInterrupt
        return track(self, source, **settings)

    monkeypatch.setattr(comparing.Tracker, "track", count)
    notebook, output = Notebook(), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        comparing.compare(weights, data, output=output, reporter=notebook, **HOW)
    assert "run the same command to continue" in notebook.warnings[-1]
    assert not (output / "comparison.json").exists()
    comparison = comparing.compare(weights, data, output=output, **HOW)
    assert asked == ["one", "two", "one", "two", "two"]
    assert [entry.name for entry in comparison.entries] == ["run", "v3"]
    total = comparison.entries[0].total(comparison.main)
    assert (total.tp, total.frames) == (12, 12)
    assert comparison.entries[0].median_error < 1
    content = json.loads((output / "comparison.json").read_text())
    assert content["differences"][1]["within_noise"] is True
    with (output / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5 * 3
    assert {row["tolerance"] for row in rows} == {"2 px", "4 px", "8 px", "0.5 ball", "1 ball"}
    assert "<svg" in (output / "comparison.html").read_text()
    assert (output / "accuracy_over_speed.svg").is_file()
    with pytest.raises(InputError, match="already exists"):
        comparing.compare(weights, data, output=output, **HOW)
    asked[:] = ["again"]
    comparing.compare(weights, data, output=output, overwrite=True, mode="accurate", **HOW)
    assert len(asked) == 1 + 4  # other settings, other tracks


def test_weights_of_one_name_have_a_folder_each(tmp_path):
    paths = [save_detector(tmp_path / folder / "best.keras") for folder in ("a/x", "b/x")]
    assert [one.name for one in comparing._find_contestants(paths)] == ["x", "x-2"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": []}, "must not be empty"),
        ({"pixels": (), "shares": ()}, "must not be empty"),
        ({"pixels": (0.0,)}, "above 0"),
    ],
)
def test_nothing_to_compare_is_refused(data, settings, message):
    with pytest.raises(ValueError, match=message):
        comparing.compare(**{"weights": ["badminton-v3"], "data": data} | settings)


def test_unknown_weights_are_named_before_anything_is_tracked(data, tmp_path):
    with pytest.raises(InputError, match="nowhere: no such weights"):
        comparing.compare(["nowhere"], data, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
