"""Confidence: from the height of a peak in the heatmap to the chance that it is the ball.

A network that is 0.6 sure may be right in nine of ten frames. A logistic curve over the height's
log-odds puts that right (Platt 1999): confidence = sigmoid(slope * logit(height) + intercept).
The curve rises, so it changes no order, and thresholds stay those of the heatmap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

SURE = 1e-4  # heights closer to 0 or 1 than this are taken as this far away
IDENTITY = (1.0, 0.0)


def calibrate(height: Any, calibration: tuple[float, float]) -> Any:
    """Return the confidence of peaks.

    Args:
        height: of one or more peaks, 0 to 1.
        calibration: slope and intercept, as in `ModelSpec`.

    Returns:
        The chance that the ball is there, 0 to 1, in the shape of `height`.
    """
    if calibration == IDENTITY:
        return height
    slope, intercept = calibration
    return expit(slope * logit(np.clip(height, SURE, 1 - SURE)) + intercept)


def fit_calibration(height: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Return the slope and intercept that explain best which peaks are the ball.

    The most likely curve, with the targets of Platt 1999: as if each outcome had been seen once
    more, so that no peak is certain.

    Args:
        height: `(peaks,)` 0 to 1.
        right: `(peaks,)` bool, whether the ball is there.

    Raises:
        ValueError: there are no peaks.
    """
    if not len(height):
        raise ValueError("a calibration needs at least one detection. Received: none")
    odds = logit(np.clip(height, SURE, 1 - SURE))
    hits = int(np.sum(right))
    chance = np.where(right, (hits + 1) / (hits + 2), 1 / (len(right) - hits + 2))

    def loss(curve: np.ndarray) -> float:
        value = np.exp(curve[0]) * odds + curve[1]
        return float(np.sum(np.logaddexp(0, value) - chance * value))

    slope, intercept = minimize(loss, np.zeros(2), method="BFGS").x
    return float(np.exp(slope)), float(intercept)


def chain_calibrations(
    first: tuple[float, float], then: tuple[float, float]
) -> tuple[float, float]:
    """Return the calibration that does what two do, one after the other."""
    return first[0] * then[0], first[1] * then[0] + then[1]
