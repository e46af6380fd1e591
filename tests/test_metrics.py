import math
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

from keras_tracknet.metrics import (
    Counts,
    TrackingAccuracy,
    TrackingF1,
    TrackingPrecision,
    TrackingRecall,
    count_outcomes,
)
from keras_tracknet.training.batches.heatmaps import render_classes, render_disc

NONE = (np.nan, np.nan)
SIZE = (24, 40)  # (height, width)
METRICS = {
    "accuracy": TrackingAccuracy,
    "precision": TrackingPrecision,
    "recall": TrackingRecall,
    "f1": TrackingF1,
}


def positions(*points):
    return np.array(points, dtype=np.float64)


def result(metric):
    return float(ops.convert_to_numpy(metric.result()))


def read_counts(metric):
    return [round(float(n)) for n in ops.convert_to_numpy(metric.counts)]


@pytest.mark.parametrize(
    ("truth", "predicted", "outcome"),
    [
        ((10, 10), (10, 10), "tp"),
        # Exactly the tolerance is within it, along an axis and across.
        ((10, 10), (14, 10), "tp"),
        ((10, 10), (10, 6), "tp"),
        ((10, 10), (12.4, 13.2), "tp"),
        # A little farther is not.
        ((10, 10), (14.001, 10), "fp1"),
        ((10, 10), (13, 13), "fp1"),
        # A ball that is not there.
        (NONE, (10, 10), "fp2"),
        ((10, 10), NONE, "fn"),
        (NONE, NONE, "tn"),
        # The corner of the picture is a place.
        ((0, 0), (0, 0), "tp"),
        ((0, 0), NONE, "fn"),
        (NONE, (0, 0), "fp2"),
        # Half a position is none.
        ((10, np.nan), (10, 10), "fp2"),
        ((10, 10), (np.nan, 10), "fn"),
    ],
)
def test_outcome_of_a_frame(truth, predicted, outcome):
    counts = count_outcomes(positions(truth), positions(predicted))
    assert replace(counts, squared_error=0.0) == Counts(**{outcome: 1})


def test_tolerance_is_the_callers():
    truth, predicted = positions((10, 10)), positions((12, 10))
    assert count_outcomes(truth, predicted, tolerance=2).tp == 1
    assert count_outcomes(truth, predicted, tolerance=1.9).fp1 == 1


def test_every_frame_has_one_outcome():
    rng = np.random.default_rng(0)
    truth, predicted = rng.uniform(0, 12, (2, 200, 2))
    truth[rng.uniform(size=200) < 0.3] = np.nan
    predicted[rng.uniform(size=200) < 0.3] = np.nan
    counts = count_outcomes(truth, predicted)
    assert counts.frames == 200
    assert min(counts.tp, counts.tn, counts.fp1, counts.fp2, counts.fn) > 0


def test_tracks_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"the same shape.*\(2, 2\).*\(1, 2\)"):
        count_outcomes(positions(NONE, NONE), positions(NONE))


def test_no_frames_count_nothing():
    assert count_outcomes(np.empty((0, 2)), np.empty((0, 2))) == Counts()


def test_counts_of_two_clips_add_up():
    total = Counts(1, 2, 3, 4, 5, 6.0) + Counts(10, 20, 30, 40, 50, 60.0)
    assert total == Counts(tp=11, tn=22, fp1=33, fp2=44, fn=55, squared_error=66.0)
    assert sum([Counts(tp=1), Counts(fn=2)], Counts()) == Counts(tp=1, fn=2)


def test_scores_by_hand():
    counts = Counts(tp=6, tn=3, fp1=1, fp2=2, fn=4)
    assert counts.accuracy == 9 / 16
    assert counts.precision == 6 / 9
    assert counts.recall == 6 / 10  # frames of FP1 do not enter
    assert counts.f1 == 12 / 19
    harmonic = 2 / (1 / counts.precision + 1 / counts.recall)
    assert counts.f1 == pytest.approx(harmonic)


def test_rmse_is_over_frames_with_both_positions():
    truth = positions((0, 0), (10, 10), NONE, (5, 5))
    predicted = positions((3, 4), (10, 11), (7, 7), NONE)
    counts = count_outcomes(truth, predicted)
    assert (counts.tp, counts.fp1, counts.squared_error) == (1, 1, 26.0)
    assert counts.rmse == math.sqrt(13)


@pytest.mark.parametrize(
    ("counts", "undefined"),
    [
        # No frames at all.
        (Counts(), {"accuracy", "precision", "recall", "f1", "rmse"}),
        # Never a ball, and none found.
        (Counts(tn=5), {"precision", "recall", "f1", "rmse"}),
        # Balls, all of them missed.
        (Counts(fn=5), {"precision", "rmse"}),
        # Found where there is none.
        (Counts(fp2=5), {"recall", "rmse"}),
        (Counts(tp=1), set()),
    ],
)
def test_undefined_scores_are_none(counts, undefined):
    scores = counts.as_dict()
    assert {name for name, value in scores.items() if value is None} == undefined
    assert list(scores) == [*METRICS, "tp", "tn", "fp1", "fp2", "fn", "rmse"]
    for name in undefined:
        assert math.isnan(getattr(counts, name))


def draw_heatmaps(windows, frames=3, seed=0):
    """Return targets, predictions and the positions in both, `(windows, frames, 2)`."""
    rng = np.random.default_rng(seed)
    count = windows * frames
    truth = rng.integers([3, 3], [SIZE[1] - 3, SIZE[0] - 3], (count, 2)).astype(float)
    predicted = np.clip(truth + rng.integers(-4, 5, (count, 2)), 0, [SIZE[1] - 1, SIZE[0] - 1])
    predicted[::5] = truth[::5] + [0, 4] * np.where(truth[::5, 1:] < SIZE[0] - 4, 1, -1)
    heatmaps = rng.uniform(0, 0.4, (*SIZE, count)).astype(np.float32)
    found = rng.uniform(size=count) < 0.7
    columns, rows = predicted.astype(int).T
    heatmaps[rows, columns, np.arange(count)] = np.where(found, 0.9, 0.5)  # 0.5 is not enough
    predicted[~found] = np.nan
    truth[rng.uniform(size=count) < 0.3] = np.nan

    def window(maps):
        return np.moveaxis(maps.reshape(*SIZE, windows, frames), 2, 0)

    shape = (windows, frames, 2)
    targets = window(render_disc(truth, SIZE))
    return targets, window(heatmaps), truth.reshape(shape), predicted.reshape(shape)


@pytest.mark.parametrize("name", METRICS)
def test_metric_of_heatmaps_agrees_with_the_counts_of_their_peaks(name):
    targets, heatmaps, truth, predicted = draw_heatmaps(windows=30)
    counts = count_outcomes(truth.reshape(-1, 2), predicted.reshape(-1, 2))
    metric = METRICS[name]()
    metric.update_state(targets, heatmaps)
    expected = [counts.tp, counts.tn, counts.fp1, counts.fp2, counts.fn]
    assert min(expected) > 0
    assert read_counts(metric) == expected
    assert result(metric) == pytest.approx(getattr(counts, name), abs=1e-6)


@pytest.mark.parametrize("name", METRICS)
def test_metric_accumulates_over_batches_until_reset(name):
    targets, heatmaps, *_ = draw_heatmaps(windows=6)
    metric, whole = METRICS[name](), METRICS[name]()
    whole.update_state(targets, heatmaps)
    for start in (0, 2, 4):
        metric.update_state(targets[start : start + 2], heatmaps[start : start + 2])
    assert read_counts(metric) == read_counts(whole)
    metric.reset_state()
    assert read_counts(metric) == 5 * [0]
    assert result(metric) == 0


def test_window_of_weight_zero_counts_for_nothing():
    targets, heatmaps, *_ = draw_heatmaps(windows=6)
    metric, some = TrackingF1(), TrackingF1()
    metric.update_state(targets, heatmaps, sample_weight=np.array([1, 1, 1, 1, 0, 0], np.float32))
    some.update_state(targets[:4], heatmaps[:4])
    assert read_counts(metric) == read_counts(some)


def test_unlabelled_frames_count_for_nothing():
    targets, heatmaps, *_ = draw_heatmaps(windows=6)
    metric, some = TrackingF1(), TrackingF1()
    targets = np.array(targets)
    targets[..., 1] = -1
    metric.update_state(targets, heatmaps)
    some.update_state(targets[..., [0, 2]], heatmaps[..., [0, 2]])
    assert read_counts(metric) == read_counts(some)
    assert sum(read_counts(metric)) == 12


def test_metric_settings_change_what_counts():
    target = render_disc(positions((20, 10)), SIZE)[None]
    heatmap = np.zeros((1, *SIZE, 1), np.float32)
    heatmap[0, 10, 22, 0] = 0.6
    for settings, outcome in [
        ({}, [1, 0, 0, 0, 0]),
        # The peak must exceed the threshold.
        ({"threshold": 0.7}, [0, 0, 0, 0, 1]),
        # Two pixels off.
        ({"tolerance": 1.5}, [0, 0, 1, 0, 0]),
    ]:
        metric = TrackingF1(**settings)
        metric.update_state(target, heatmap)
        assert read_counts(metric) == outcome


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        ((20, 10), [1, 0, 0, 0, 0]),
        ((24, 10), [1, 0, 0, 0, 0]),
        ((25, 10), [0, 0, 1, 0, 0]),
        (NONE, [0, 0, 0, 0, 1]),
    ],
)
def test_v1_is_compared_by_its_most_likely_class(found, outcome):
    target = np.moveaxis(render_classes(positions((20, 10)), SIZE), -1, 0)
    classes = np.moveaxis(render_classes(positions(found), SIZE), -1, 0)
    scores = np.eye(256, dtype=np.float32)[classes] - 3  # scores, not probabilities
    metric = TrackingAccuracy()
    metric.update_state(target, scores)
    assert read_counts(metric) == outcome


def test_v1_needs_a_class_above_half():
    target = np.zeros((2, *SIZE), np.uint8)
    scores = np.zeros((2, *SIZE, 256), np.float32)
    scores[..., 0] = 1
    scores[0, 5, 5, 127] = scores[1, 5, 5, 128] = 2
    metric = TrackingAccuracy()
    metric.update_state(target, scores)
    assert read_counts(metric) == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("share", "outcome"),
    [
        # The one that kept the larger share is the ball.
        (0.6, [1, 0, 0, 0, 0]),
        (0.95, [1, 0, 0, 0, 0]),
        # The other one is, and it is elsewhere.
        (0.4, [0, 0, 1, 0, 0]),
    ],
)
def test_mixed_target_has_the_ball_of_the_larger_share(share, outcome):
    maps = render_disc(positions((10, 10), (30, 15)), SIZE)
    target = share * maps[..., :1] + (1 - share) * maps[..., 1:]
    metric = TrackingF1()
    metric.update_state(target[None], maps[None, ..., :1])
    assert read_counts(metric) == outcome


@pytest.mark.parametrize("name", METRICS)
def test_metric_comes_back_from_its_configuration(name):
    metric = METRICS[name](threshold=0.3, tolerance=2.0)
    for copy in (
        type(metric).from_config(metric.get_config()),
        keras.metrics.deserialize(keras.metrics.serialize(metric)),
    ):
        assert type(copy) is type(metric)
        assert (copy.name, copy.threshold, copy.tolerance) == (name, 0.3, 2.0)


def test_metrics_run_inside_a_compiled_network():
    targets, heatmaps, truth, predicted = draw_heatmaps(windows=5)
    inputs = keras.Input((*SIZE, 3))
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    model.compile(loss="mse", metrics=[build() for build in METRICS.values()])
    logs = model.evaluate(heatmaps, targets, batch_size=2, verbose=0, return_dict=True)
    counts = count_outcomes(truth.reshape(-1, 2), predicted.reshape(-1, 2))
    for name in METRICS:
        assert logs[name] == pytest.approx(getattr(counts, name), abs=1e-6)
