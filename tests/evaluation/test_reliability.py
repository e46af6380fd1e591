import zipfile

import numpy as np
import pytest
from scipy.special import expit, logit

from keras_tracknet.errors import InputError
from keras_tracknet.evaluation.reliability import (
    Judged,
    calibrate_weights,
    cross_fit,
    expected_error,
    measure_reliability,
)
from keras_tracknet.weights.model_file import read_spec, save_model
from keras_tracknet.weights.spec import ModelSpec


def judge(confidence, right):
    return Judged(np.array(confidence, float), np.array(right, bool))


def shy_clips(seed=0, clips=4):
    """Clips whose detections are right more often than their confidence says."""
    generator = np.random.default_rng(seed)
    heights = generator.uniform(0.45, 0.95, (clips, 500))
    return [judge(h, generator.random(500) < expit(2 * logit(h) + 1)) for h in heights]


def test_the_curve_counts_detections_by_confidence():
    clips = [judge([0.61, 0.69], [1, 0]), judge([0.65, 1.0], [1, 1])]
    low, high = measure_reliability(clips)
    assert (low.low, low.high, low.detections) == (0.6, 0.7, 3)
    assert (low.confidence, low.share) == pytest.approx((0.65, 2 / 3))
    assert (high.low, high.detections, high.share) == (0.9, 1, 1.0)


def test_the_expected_error_weighs_bins_by_their_detections():
    curve = measure_reliability([judge([0.55] * 3 + [0.95], [1, 1, 1, 0])])
    assert expected_error(curve) == pytest.approx((3 * 0.45 + 0.95) / 4)
    assert np.isnan(expected_error([]))


def test_each_clip_is_judged_by_a_fit_that_did_not_see_it():
    clips = shy_clips()
    odd = judge([0.9] * 50, [0] * 50)  # its own outcomes would pull its confidence down
    *_, checked = cross_fit([*clips, odd])
    assert checked.confidence.min() > 0.95
    before, after = (expected_error(measure_reliability(c)) for c in (clips, cross_fit(clips)))
    assert before > 0.1
    assert after < 0.05


@pytest.fixture
def weights(tmp_path):
    from keras_tracknet.models.v3 import build_v3

    spec = ModelSpec("v3", 2, 2, "none", (32, 64), calibration=(2.0, 0.0))
    path = tmp_path / "weights.keras"
    save_model(
        build_v3(frames=2, background="none", input_size=(32, 64), width_multiplier=0.0625),
        spec,
        path,
    )
    return path


def test_a_calibration_is_saved_on_top_of_the_one_in_the_file(weights):
    with zipfile.ZipFile(weights) as archive:
        before = {name: archive.read(name) for name in archive.namelist()}
    done = calibrate_weights(weights, shy_clips())
    assert done["error_after"] < 0.05 < done["error_before"]
    slope, intercept = read_spec(weights).calibration
    assert [slope, intercept] == done["calibration"]
    assert (slope, intercept) == (pytest.approx(4, abs=0.4), pytest.approx(1, abs=0.2))
    with zipfile.ZipFile(weights) as archive:
        changed = [name for name in archive.namelist() if archive.read(name) != before[name]]
    assert changed == ["tracknet.json"]


def test_one_clip_does_not_calibrate(weights):
    before = weights.read_bytes()
    with pytest.raises(InputError, match="two clips"):
        calibrate_weights(weights, [*shy_clips(clips=1), judge([], [])])
    assert weights.read_bytes() == before
