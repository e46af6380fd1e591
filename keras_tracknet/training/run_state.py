"""The state of a training run beside its network: how far it is, and its figures so far."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import keras
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.weights.model_file import ModelFile


@dataclass(frozen=True)
class RunState:
    """How far a run is.

    Attributes:
        steps: batches trained, over all epochs.
        history: a row for each whole epoch.
        data: what tells its data from others, see `FitData.digest`; empty when unknown.
        figures: loss and metrics of the epoch that is not in the history yet.
        metrics: values of the variables that these are computed from, as `read_metrics` gives
            them; empty when unknown.
        seconds: spent on that epoch.
    """

    steps: int = 0
    history: tuple[dict[str, Any], ...] = ()
    data: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    metrics: tuple[Any, ...] = ()
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        return asdict(self)


def read_state(file: ModelFile) -> RunState:
    """Return the state of the run that a model file was saved in.

    Args:
        file: loaded with its optimizer.

    Raises:
        InputError: it was not saved by a run.
    """
    content, model = file.training, file.model
    foreign = InputError(f"{file.path}: not written by tracknet fit; use it as `init` instead.")
    if not isinstance(content, dict) or not model.compiled or not _is_history(content):
        raise foreign
    steps = content.get("steps")
    if steps is None and model.optimizer is not None:
        steps = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    known = {name: content[name] for name in ("data", "figures", "seconds") if name in content}
    kinds = {"data": str, "figures": dict, "seconds": float}
    right = all(isinstance(value, kinds[name]) for name, value in known.items())
    metrics = content.get("metrics", [])
    if not right or type(steps) is not int or steps < 0 or not isinstance(metrics, list):
        raise foreign
    return RunState(steps, tuple(content["history"]), metrics=tuple(metrics), **known)


def _is_history(content: dict[str, Any]) -> bool:
    rows = content.get("history")
    return isinstance(rows, list) and all(
        isinstance(row, dict)
        and row.get("epoch") == number
        and all(isinstance(value, int | float) for value in row.values())
        for number, row in enumerate(rows, 1)
    )


def read_metrics(model: keras.Model) -> list[Any]:
    """Return the values of the variables that a network's loss and metrics are computed from."""
    variables = [variable for metric in model.metrics for variable in metric.variables]
    return [keras.ops.convert_to_numpy(variable).tolist() for variable in variables]


def write_metrics(model: keras.Model, values: tuple[Any, ...]) -> bool:
    """Put back what `read_metrics` gave.

    Returns:
        Whether these are the values of that network's metrics; if not, nothing is changed.
    """
    variables = [variable for metric in model.metrics for variable in metric.variables]
    try:
        arrays = [np.array(value, dtype=np.float64) for value in values]
    except (TypeError, ValueError):
        return False
    if [array.shape for array in arrays] != [tuple(v.shape) for v in variables]:
        return False
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array.astype(variable.dtype))
    return True


def is_best(row: dict[str, Any], earlier: list[dict[str, Any]], measure: str) -> bool:
    """Return whether an epoch is the best so far; of equal ones the last is.

    One whose loss on validation data is no finite number is never the best, and later ones are
    compared with those that are.

    Args:
        row: of the epoch.
        earlier: rows of those before.
        measure: which figure decides; the loss on validation data where there is no such figure.
    """
    scores = [score for score in (_score(other, measure) for other in earlier) if score is not None]
    score = _score(row, measure)
    return score is not None and score >= max(scores, default=-math.inf)


def count_stale(history: list[dict[str, Any]], measure: str) -> int:
    """Return how many epochs have passed since the best one.

    Args:
        history: rows of all epochs.
        measure: as for `is_best`.
    """
    best = [k for k in range(len(history)) if is_best(history[k], history[:k], measure)]
    return len(history) - 1 - best[-1] if best else len(history)


def _score(row: dict[str, Any], measure: str) -> float | None:
    loss = row.get("val_loss", 0.0)
    score = row.get(measure, -loss)
    return score if math.isfinite(loss) and math.isfinite(score) else None


def is_lost(model: keras.Model) -> bool:
    """Return whether a network has weights that are no finite numbers: training mends none."""
    weights = (keras.ops.convert_to_numpy(variable) for variable in model.weights)
    return not all(np.isfinite(w).all() for w in weights if np.issubdtype(w.dtype, np.floating))
