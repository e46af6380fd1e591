"""How well a track fits the labels: the five outcomes of a frame and what follows from them.

| labels, track | within tolerance | farther away | absent |
|---|---|---|---|
| visible | TP | FP1 | FN |
| invisible | FP2 | FP2 | TN |

A distance of exactly the tolerance is within it (Sun et al. 2020; the published tolerance is
4 pixels at 512 x 288). FP1 frames do not enter the recall, as in the published code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

TOLERANCE = 4.0
# Square pixels; a distance of exactly the tolerance must not fail for a rounded last digit.
ROUNDING = 1e-3


@dataclass(frozen=True)
class Counts:
    """Number of frames of each outcome, and the squared error of those with both positions.

    Attributes:
        tp, tn, fp1, fp2, fn: frames; see the table at the head of this module.
        squared_error: sum over TP and FP1 frames of the squared distance, in square pixels of
            the space that the tolerance is given in.
    """

    tp: int = 0
    tn: int = 0
    fp1: int = 0
    fp2: int = 0
    fn: int = 0
    squared_error: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, n) + getattr(other, n) for n in self.__dataclass_fields__))

    @property
    def frames(self) -> int:
        """Frames counted."""
        return self.tp + self.tn + self.fp1 + self.fp2 + self.fn

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all frames; NaN without frames."""
        return _ratio(self.tp + self.tn, self.frames)

    @property
    def precision(self) -> float:
        """TP / (TP + FP1 + FP2); NaN when nothing was predicted."""
        return _ratio(self.tp, self.tp + self.fp1 + self.fp2)

    @property
    def recall(self) -> float:
        """TP / (TP + FN); NaN when both are 0."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP1 + FP2 + FN), the harmonic mean of precision and recall."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp1 + self.fp2 + self.fn)

    @property
    def rmse(self) -> float:
        """Root of the mean squared distance over frames with both positions, pixels."""
        return math.sqrt(_ratio(self.squared_error, self.tp + self.fp1))

    def as_dict(self) -> dict[str, float | int | None]:
        """Return scores and counts by name, None where a score is undefined."""
        scores = {n: getattr(self, n) for n in ("accuracy", "precision", "recall", "f1")}
        counts = {n: getattr(self, n) for n in ("tp", "tn", "fp1", "fp2", "fn")}
        values = {**scores, **counts, "rmse": self.rmse}
        return {n: None if math.isnan(v) else v for n, v in values.items()}


def count_outcomes(
    truth: np.ndarray, predicted: np.ndarray, tolerance: float = TOLERANCE
) -> Counts:
    """Compare a track with its labels, frame by frame.

    Args:
        truth: `(frames, 2)`, (x, y) in pixels; NaN where the ball is invisible.
        predicted: `(frames, 2)`, (x, y) in pixels of the same picture size; NaN for absent.
        tolerance: greatest distance in those pixels that counts as right.

    Returns:
        The `Counts`.

    Raises:
        ValueError: the arrays differ in shape.
    """
    if truth.shape != predicted.shape:
        raise ValueError(
            "`truth` and `predicted` must have the same shape. Received:"
            f" truth.shape={truth.shape}, predicted.shape={predicted.shape}"
        )
    visible, found = np.isfinite(truth).all(-1), np.isfinite(predicted).all(-1)
    squares = np.square(truth - predicted).sum(-1)
    near = visible & found & (squares <= tolerance**2 + ROUNDING)
    both = visible & found
    return Counts(
        tp=int(near.sum()),
        tn=int((~visible & ~found).sum()),
        fp1=int((both & ~near).sum()),
        fp2=int((~visible & found).sum()),
        fn=int((visible & ~found).sum()),
        squared_error=float(squares[both].sum()),
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


class TrackingMetric(keras.metrics.Metric):  # type: ignore[misc]
    """Base of the metrics that compare heatmaps by the positions in them.

    The predicted position is the map's highest pixel where that exceeds the threshold, the
    true one the centroid of the target's pixels of 0.5 or more. V1's class scores are
    compared by their most likely class, as a share of the highest class.

    Args:
        threshold: probability that a peak must exceed.
        tolerance: greatest distance that counts as right, pixels at the model's size.
        name: name in the logs.
        dtype: type of the counters.
    """

    def __init__(
        self,
        threshold: float = 0.5,
        tolerance: float = TOLERANCE,
        name: str | None = None,
        dtype: Any = "float32",
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.threshold, self.tolerance = threshold, tolerance
        self.counts = self.add_weight(
            shape=(5,), initializer="zeros", dtype=self.dtype, name="counts"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count the outcomes of a batch.

        Args:
            y_true: `(batch, height, width, frames)`, target 0 to 1, below 0 in the whole map
                of an unlabelled frame, which does not count; or `(batch, height, width)`, V1's
                classes.
            y_pred: `(batch, height, width, frames)`, probability 0 to 1, or `(batch, height,
                width, classes)`, V1's scores.
            sample_weight: `(batch,)`, how often the frames of a window count; once when omitted.
        """
        if len(y_true.shape) == 3:
            highest = float(y_pred.shape[-1] - 1)
            y_true = ops.cast(y_true, "float32")[..., None] / highest
            y_pred = ops.cast(ops.argmax(y_pred, axis=-1), "float32")[..., None] / highest
        y_true = ops.cast(y_true, "float32")
        weight = ops.cast(ops.max(y_true, axis=(1, 2)) >= 0.0, "float32")
        true_xy, visible = _target_centroids(y_true)
        pred_xy, peak = _peaks(ops.cast(y_pred, "float32"))
        found = ops.cast(peak > self.threshold, "float32")
        squares = ops.sum(ops.square(true_xy - pred_xy), axis=-1)
        near = ops.cast(squares <= self.tolerance**2 + ROUNDING, "float32")
        outcomes = (
            visible * found * near,  # TP
            (1 - visible) * (1 - found),  # TN
            visible * found * (1 - near),  # FP1
            (1 - visible) * found,  # FP2
            visible * (1 - found),  # FN
        )
        if sample_weight is not None:
            weight = weight * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
        counts = ops.stack([ops.sum(outcome * weight) for outcome in outcomes])
        self.counts.assign_add(ops.cast(counts, self.dtype))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = {"threshold": self.threshold, "tolerance": self.tolerance}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="keras_tracknet")
class TrackingAccuracy(TrackingMetric):
    """(TP + TN) / all frames; see `TrackingMetric`."""

    def __init__(self, name: str = "accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def result(self) -> Any:
        """Return the accuracy, 0 to 1."""
        return _safe_ratio(self.counts[0] + self.counts[1], ops.sum(self.counts))


@keras.saving.register_keras_serializable(package="keras_tracknet")
class TrackingF1(TrackingMetric):
    """2 TP / (2 TP + FP1 + FP2 + FN); see `TrackingMetric`."""

    def __init__(self, name: str = "f1", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def result(self) -> Any:
        """Return F1, 0 to 1."""
        tp = 2 * self.counts[0]
        return _safe_ratio(tp, tp + self.counts[2] + self.counts[3] + self.counts[4])


@keras.saving.register_keras_serializable(package="keras_tracknet")
class TrackingPrecision(TrackingMetric):
    """TP / (TP + FP1 + FP2); see `TrackingMetric`."""

    def __init__(self, name: str = "precision", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def result(self) -> Any:
        """Return the precision, 0 to 1."""
        return _safe_ratio(self.counts[0], self.counts[0] + self.counts[2] + self.counts[3])


@keras.saving.register_keras_serializable(package="keras_tracknet")
class TrackingRecall(TrackingMetric):
    """TP / (TP + FN); see `TrackingMetric`."""

    def __init__(self, name: str = "recall", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def result(self) -> Any:
        """Return the recall, 0 to 1."""
        return _safe_ratio(self.counts[0], self.counts[0] + self.counts[4])


def _safe_ratio(part: Any, whole: Any) -> Any:
    return part / ops.maximum(whole, 1.0)


def _peaks(heatmaps: Any) -> tuple[Any, Any]:
    """Return positions `(batch, frames, 2)`, (x, y), and values of the highest pixels."""
    shape = ops.shape(heatmaps)
    flat = ops.reshape(heatmaps, (shape[0], shape[1] * shape[2], shape[3]))
    highest = ops.argmax(flat, axis=1)
    x, y = highest % shape[2], highest // shape[2]
    position = ops.cast(ops.stack([x, y], axis=-1), "float32")
    return position, ops.max(flat, axis=1)


def _target_centroids(targets: Any) -> tuple[Any, Any]:
    """Return positions `(batch, frames, 2)`, (x, y), and whether there is one, 0 or 1."""
    ball = ops.cast(targets >= 0.5, "float32")
    shape = ops.shape(ball)
    pixels = ops.sum(ball, axis=(1, 2))
    columns = ops.cast(ops.arange(shape[2]), "float32")[None, :, None]
    rows = ops.cast(ops.arange(shape[1]), "float32")[None, :, None]
    x = ops.sum(ops.sum(ball, axis=1) * columns, axis=1)
    y = ops.sum(ops.sum(ball, axis=2) * rows, axis=1)
    position = ops.stack([x, y], axis=-1) / ops.maximum(pixels, 1.0)[..., None]
    return position, ops.cast(pixels > 0, "float32")
