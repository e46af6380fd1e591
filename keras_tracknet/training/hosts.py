"""Experimental: the hosts that train together, found from the environment.

JAX is told of them by `keras.distribution`'s variables, TensorFlow by TF_CONFIG; each host makes
its own part of every batch (see `devices`) and the first writes the run folder.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np

from keras_tracknet.errors import InputError

JAX_HOSTS = "KERAS_DISTRIBUTION_NUM_PROCESSES"  # and _JOB_ADDRESSES and _PROCESS_ID beside it
TENSORFLOW_HOSTS = "TF_CONFIG"


@dataclass(frozen=True)
class Hosts:
    """The machines, or processes, that train together.

    Attributes:
        count: how many there are.
        index: number of this one; the first, 0, writes the run folder.
        strategy: TensorFlow's, which has to be made before all else; None elsewhere.
    """

    count: int = 1
    index: int = 0
    strategy: Any = None


ALONE = Hosts()


@cache
def join_hosts() -> Hosts:
    """Join the hosts that the environment names; call it before anything is computed.

    JAX reads KERAS_DISTRIBUTION_JOB_ADDRESSES, KERAS_DISTRIBUTION_NUM_PROCESSES and
    KERAS_DISTRIBUTION_PROCESS_ID, as `keras.distribution.initialize` does; TensorFlow TF_CONFIG,
    a cluster of workers.

    Raises:
        InputError: they cannot be joined, or not by this backend.
    """
    backend = keras.backend.backend()
    try:
        if backend == "jax" and JAX_HOSTS in os.environ:
            import jax

            keras.distribution.initialize()
            return Hosts(jax.process_count(), jax.process_index())
        if backend == "tensorflow" and _find_place()[0] > 1:
            import tensorflow as tf

            return Hosts(*_find_place(), tf.distribute.MultiWorkerMirroredStrategy())
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise InputError(
            f"connecting to the other hosts failed ({reason}); check"
            f" {JAX_HOSTS if backend == 'jax' else TENSORFLOW_HOSTS}."
        ) from error
    if JAX_HOSTS in os.environ:
        raise InputError(
            f"{JAX_HOSTS} requires JAX; set KERAS_BACKEND=jax, or unset {JAX_HOSTS} (TensorFlow"
            f" uses {TENSORFLOW_HOSTS}, PyTorch trains on one host)."
        )
    return ALONE


def mend_multi_worker_fit(model: keras.Model, batch: tuple[np.ndarray, ...]) -> None:
    """Let `fit` and `evaluate` run on several hosts.

    Keras 3.15 takes their mean of a whole batch, to see its shape, and of the figures of a step
    along an axis that these have not got (keras-team/keras, issue 20585).

    Args:
        model: compiled; it is built here, since `fit` no longer does it.
        batch: inputs and targets.
    """
    model._symbolic_build(data_batch=batch)
    model._maybe_symbolic_build = lambda **_data: None

    def add_axis(step: Any) -> Any:
        return lambda data: {name: value[None] for name, value in step(data).items()}

    model.train_step, model.test_step = add_axis(model.train_step), add_axis(model.test_step)


def _find_place() -> tuple[int, int]:
    """Return how many hosts TF_CONFIG names, and the number of this one."""
    config = json.loads(os.environ.get(TENSORFLOW_HOSTS) or "{}")
    chiefs, workers = (len(config.get("cluster", {}).get(k, ())) for k in ("chief", "worker"))
    if chiefs + workers < 2:
        return 1, 0
    task = config["task"]
    return chiefs + workers, int(task["index"]) + (chiefs if task["type"] == "worker" else 0)
