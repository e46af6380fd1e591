"""Reliability: whether detections are right as often as their confidence says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.inference.confidence import calibrate, chain_calibrations, fit_calibration
from keras_tracknet.weights.model_file import change_spec, read_spec

BINS = 10


@dataclass(frozen=True)
class Judged:
    """The detections of a clip, one per frame that has one.

    Attributes:
        confidence: `(detections,)` 0 to 1.
        right: `(detections,)` bool, whether the ball is within the tolerance.
    """

    confidence: np.ndarray = field(default_factory=lambda: np.zeros(0))
    right: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))


class ReliabilityBin(NamedTuple):
    """Detections of about the same confidence.

    `low` and `high` limit their confidence; `confidence` is its mean, and `share` the share of the
    detections that are right, both 0 to 1.
    """

    low: float
    high: float
    detections: int
    confidence: float
    share: float


def measure_reliability(clips: Sequence[Judged]) -> list[ReliabilityBin]:
    """Return the reliability curve: how often detections of each confidence are right.

    Ten bins of equal width (Guo et al. 2017, section 2); empty ones are left out.
    """
    confidence, right = _join(clips)
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        ReliabilityBin(
            place / BINS,
            (place + 1) / BINS,
            int(inside.sum()),
            float(confidence[inside].mean()),
            float(right[inside].mean()),
        )
        for place in range(BINS)
        if (inside := places == place).any()
    ]


def expected_error(curve: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error: how far confidence is from the truth on average.

    The mean over all detections of |confidence - share| of their bin (Guo et al. 2017, equation 3);
    NaN without detections.
    """
    total = sum(row.detections for row in curve)
    if not total:
        return float("nan")
    return sum(row.detections * abs(row.confidence - row.share) for row in curve) / total


def cross_fit(clips: Sequence[Judged]) -> list[Judged]:
    """Return the clips with the confidence that a calibration fitted on the others gives them."""
    found = []
    for k, clip in enumerate(clips):
        curve = fit_calibration(*_join([*clips[:k], *clips[k + 1 :]]))
        found.append(replace(clip, confidence=calibrate(clip.confidence, curve)))
    return found


def calibrate_weights(path: Path, clips: Sequence[Judged]) -> dict[str, Any]:
    """Fit a model file's confidence to clips that it has tracked, and save the fit in the file.

    Args:
        path: a `.keras` file of this package.
        clips: its detections on labelled clips, none of which it was trained on.

    Returns:
        The new `calibration`, and `error_before` and `error_after`: the expected calibration error
        as the file was, and that of each clip under a fit to the others.

    Raises:
        InputError: fewer than two clips have detections, or the file is not of this package or
            cannot be written.
    """
    clips = [clip for clip in clips if len(clip.right)]
    if len(clips) < 2:
        raise InputError(
            "a calibration needs two clips with detections, one to fit and one to check;"
            " evaluate more clips."
        )
    spec = read_spec(path)
    if spec is None:
        raise InputError(
            f"{path}: has no tracknet specification to keep a calibration in; save it with"
            " `keras_tracknet.save_model`."
        )
    fitted = chain_calibrations(spec.calibration, fit_calibration(*_join(clips)))
    rounded = (round(fitted[0], 4), round(fitted[1], 4))
    change_spec(path, calibration=rounded)
    return {
        "calibration": list(rounded),
        "error_before": expected_error(measure_reliability(clips)),
        "error_after": expected_error(measure_reliability(cross_fit(clips))),
    }


def _join(clips: Sequence[Judged]) -> tuple[np.ndarray, np.ndarray]:
    confidence = np.concatenate([clip.confidence for clip in clips] or [np.zeros(0)])
    right = np.concatenate([clip.right for clip in clips] or [np.zeros(0, bool)])
    return confidence, right
