"""Losses of the TrackNet family, as functions and as Keras classes.

Every function returns one value a sample, `(batch,)`, so that Keras's `sample_weight` and
reduction mean what they say.

Targets of heatmaps below 0 are of frames that nobody has labelled. What is predicted there adds
nothing, and every labelled frame counts alike, however many there are in its window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

EPSILON = 1e-7  # probabilities are kept this far from 0 and 1 before the logarithm


def focal_bce(y_true: Any, y_pred: Any, gamma: float = 2.0, alpha: float | None = None) -> Any:
    """Return the focal loss of heatmaps (Lin et al. 2017, equation 5, for targets 0 to 1).

    -mean[a (1-p)^gamma y log p + (1-a) p^gamma (1-y) log(1-p)], without `a` when alpha is
    None. With gamma 0 and no alpha it is binary cross-entropy.

    Args:
        y_true: `(batch, height, width, frames)`, target 0 to 1, below 0 where unlabelled.
        y_pred: same shape, probability 0 to 1.
        gamma: how much less well-predicted pixels count.
        alpha: weight of the ball's pixels, 0 to 1, or None.

    Returns:
        `(batch,)`, mean over pixels and frames.
    """
    y_true, labelled = _split_target(y_true)
    p = ops.clip(ops.cast(y_pred, "float32"), EPSILON, 1.0 - EPSILON)
    positive = ops.power(1.0 - p, gamma) * y_true * ops.log(p)
    negative = ops.power(p, gamma) * (1.0 - y_true) * ops.log(1.0 - p)
    if alpha is not None:
        positive, negative = alpha * positive, (1.0 - alpha) * negative
    return -_mean_per_sample(labelled * (positive + negative))


def weighted_bce(y_true: Any, y_pred: Any) -> Any:
    """Return V2's and V3's weighted binary cross-entropy (Sun et al. 2020, equation 1).

    -mean[(1-p)^2 y log p + p^2 (1-y) log(1-p)], which is `focal_bce` with gamma 2 and no
    alpha. The gradient flows through the weights too, as in the published V3 code.

    Args:
        y_true: `(batch, height, width, frames)`, target 0 to 1, below 0 where unlabelled;
            fractions under mixup.
        y_pred: same shape, probability 0 to 1.

    Returns:
        `(batch,)`, mean over pixels and frames.
    """
    return focal_bce(y_true, y_pred, gamma=2.0)


def quality_focal(y_true: Any, y_pred: Any, beta: float = 2.0) -> Any:
    """Return the focal loss for soft targets such as Gaussians (Li et al. 2020, equation 4).

    mean[|y-p|^beta x binary cross-entropy(y, p)]: unlike `weighted_bce` it is least where
    the prediction equals the target, whatever the target's value.

    Args:
        y_true: `(batch, height, width, frames)`, target 0 to 1, below 0 where unlabelled.
        y_pred: same shape, probability 0 to 1.
        beta: how much less well-predicted pixels count.

    Returns:
        `(batch,)`, mean over pixels and frames.
    """
    y_true, labelled = _split_target(y_true)
    p = ops.clip(ops.cast(y_pred, "float32"), EPSILON, 1.0 - EPSILON)
    entropy = y_true * ops.log(p) + (1.0 - y_true) * ops.log(1.0 - p)
    return -_mean_per_sample(labelled * ops.power(ops.abs(y_true - p), beta) * entropy)


def pixel_cross_entropy(y_true: Any, y_pred: Any) -> Any:
    """Return V1's cross-entropy over 256 brightness classes (Huang et al. 2019, equation 3).

    Args:
        y_true: `(batch, height, width)` or `(batch, height, width, 1)`, class 0 to 255.
        y_pred: `(batch, height, width, classes)`, scores before the softmax.

    Returns:
        `(batch,)`, mean over pixels.
    """
    y_true = ops.cast(y_true, "int32")
    if len(y_true.shape) == len(y_pred.shape):
        y_true = ops.squeeze(y_true, axis=-1)
    scores = ops.cast(y_pred, "float32")
    loss = keras.losses.sparse_categorical_crossentropy(y_true, scores, from_logits=True)
    return _mean_per_sample(loss)


def masked_mse(y_true: Any, y_pred: Any) -> Any:
    """Return the rectifier's squared error at masked frames (Chen and Wang 2023, equation 4).

    As in the published code the sum is divided by all window x 2 values, masked or not.

    Args:
        y_true: `(batch, window, 3)`: x, y as fractions of picture width and height, then the
            mask, 1 where the position was hidden from the network and is known.
        y_pred: `(batch, window, 2)`: x, y as fractions of picture width and height.

    Returns:
        `(batch,)`.
    """
    y_true = ops.cast(y_true, "float32")
    position, mask = y_true[..., :2], y_true[..., 2:]
    return _mean_per_sample(mask * ops.square(position - ops.cast(y_pred, "float32")))


def masked_distance(y_true: Any, y_pred: Any) -> Any:
    """Return the rectifier's mean distance from the truth at masked frames.

    Unlike the squared error of the published recipe it is not ruled by the few positions that
    nobody could guess, and leaves half as great an error at the others.

    Args, Returns: as for `masked_mse`; divided by all frames of the window, masked or not.
    """
    y_true = ops.cast(y_true, "float32")
    position, mask = y_true[..., :2], y_true[..., 2]
    square = ops.sum(ops.square(position - ops.cast(y_pred, "float32")), axis=-1)
    return _mean_per_sample(mask * ops.sqrt(square + EPSILON))  # a root's slope at 0 is infinite


def _split_target(y_true: Any) -> tuple[Any, Any]:
    """Return targets 0 to 1, and 1 where there is one or 0 where the frame is unlabelled."""
    y_true = ops.cast(y_true, "float32")
    return ops.maximum(y_true, 0.0), ops.cast(y_true >= 0.0, "float32")


def _mean_per_sample(values: Any) -> Any:
    return ops.mean(values, axis=tuple(range(1, len(values.shape))))


class _FunctionLoss(keras.losses.Loss):  # type: ignore[misc]
    """A loss that calls one of the functions above with the arguments in `settings`."""

    def __init__(
        self, function: Callable[..., Any], settings: dict[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self._function, self._settings = function, settings

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self._function(y_true, y_pred, **self._settings)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._settings}


@keras.saving.register_keras_serializable(package="keras_tracknet")
class WeightedBCE(_FunctionLoss):
    """V2's and V3's weighted binary cross-entropy; see `weighted_bce`."""

    def __init__(self, name: str = "weighted_bce", **kwargs: Any) -> None:
        super().__init__(weighted_bce, {}, name=name, **kwargs)


@keras.saving.register_keras_serializable(package="keras_tracknet")
class FocalBCE(_FunctionLoss):
    """The focal loss with its two settings; see `focal_bce`."""

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | None = None,
        name: str = "focal_bce",
        **kwargs: Any,
    ) -> None:
        super().__init__(focal_bce, {"gamma": gamma, "alpha": alpha}, name=name, **kwargs)


@keras.saving.register_keras_serializable(package="keras_tracknet")
class QualityFocal(_FunctionLoss):
    """The focal loss for soft targets; see `quality_focal`."""

    def __init__(self, beta: float = 2.0, name: str = "quality_focal", **kwargs: Any) -> None:
        super().__init__(quality_focal, {"beta": beta}, name=name, **kwargs)


@keras.saving.register_keras_serializable(package="keras_tracknet")
class PixelCrossEntropy(_FunctionLoss):
    """V1's cross-entropy over brightness classes; see `pixel_cross_entropy`."""

    def __init__(self, name: str = "pixel_cross_entropy", **kwargs: Any) -> None:
        super().__init__(pixel_cross_entropy, {}, name=name, **kwargs)


@keras.saving.register_keras_serializable(package="keras_tracknet")
class MaskedMSE(_FunctionLoss):
    """The rectifier's loss; see `masked_mse`."""

    def __init__(self, name: str = "masked_mse", **kwargs: Any) -> None:
        super().__init__(masked_mse, {}, name=name, **kwargs)


@keras.saving.register_keras_serializable(package="keras_tracknet")
class MaskedDistance(_FunctionLoss):
    """The rectifier's loss on interpolated positions; see `masked_distance`."""

    def __init__(self, name: str = "masked_distance", **kwargs: Any) -> None:
        super().__init__(masked_distance, {}, name=name, **kwargs)
