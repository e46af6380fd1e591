import numpy as np
import pytest
from scipy.special import expit, logit

from keras_tracknet.inference.confidence import (
    IDENTITY,
    calibrate,
    chain_calibrations,
    fit_calibration,
)


def test_a_fit_finds_the_curve_that_made_the_outcomes():
    generator = np.random.default_rng(0)
    height = generator.uniform(0.4, 1, 20_000)
    right = generator.random(20_000) < expit(1.6 * logit(height) + 0.7)
    assert fit_calibration(height, right) == pytest.approx((1.6, 0.7), abs=0.1)


@pytest.mark.parametrize("right", [True, False])
def test_a_fit_to_one_outcome_only_stays_finite(right):
    slope, intercept = fit_calibration(np.full(30, 0.7), np.full(30, right))
    chance = calibrate(0.7, (slope, intercept))
    assert np.isfinite([slope, intercept]).all()
    assert chance == pytest.approx(31 / 32 if right else 1 / 32, abs=1e-3)  # Platt's targets


def test_a_fit_needs_detections():
    with pytest.raises(ValueError, match="at least one"):
        fit_calibration(np.zeros(0), np.zeros(0, bool))


def test_without_a_calibration_confidence_is_the_peak_to_the_bit():
    assert calibrate(0.123456789, IDENTITY) == 0.123456789


def test_confidence_rises_with_the_peak_and_stays_within_0_and_1():
    found = calibrate(np.linspace(0, 1, 101), (0.5, 1.0))
    assert (np.diff(found[1:-1]) > 0).all()
    assert 0 < found.min() < found.max() < 1


def test_chained_calibrations_do_what_both_do():
    first, then = (1.3, -0.2), (0.7, 0.5)
    at_once = calibrate(0.8, chain_calibrations(first, then))
    assert at_once == pytest.approx(calibrate(calibrate(0.8, first), then))
