"""TensorFlow: runs exported SavedModel folders, without Keras."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.inference.engines.network import (
    DESCRIPTION,
    Description,
    Network,
    foreign_file,
    hint_missing,
)
from keras_tracknet.weights.model_file import hash_file
from keras_tracknet.weights.spec import read_beside

NAME = "saved-model"
GRAPH = "saved_model.pb"
WEIGHTS = "variables/variables.data-00000-of-00001"


def is_installed() -> bool:
    """Return whether TensorFlow can be used."""
    return importlib.util.find_spec("tensorflow") is not None


class SavedModelNetwork(Network):
    """A network in TensorFlow.

    Args:
        path: a SavedModel folder with a description of itself.
        batch_size: windows at once.
    """

    def __init__(self, path: Path, *, batch_size: int = 2) -> None:
        if not is_installed():
            raise hint_missing(NAME, "tensorflow")
        if not (path / DESCRIPTION).is_file():
            raise foreign_file(path)
        import tensorflow as tf

        described = Description.from_json(read_beside(path / DESCRIPTION, path), path)
        try:
            self._loaded: Any = tf.saved_model.load(str(path))
            signature = self._loaded.signatures["serving_default"]
        except Exception as error:  # TensorFlow's own have no common ancestor
            raise InputError(f"{path}: TensorFlow cannot read it; export it again.") from error
        inputs = signature.structured_input_signature[1].values()
        (output,) = signature.structured_outputs.values()
        described.check(path, [tuple(i.shape) for i in inputs], tuple(output.shape))
        device = "gpu:0" if tf.config.list_physical_devices("GPU") else "cpu"
        super().__init__(
            described.spec, path, hash_file(path / WEIGHTS), NAME, described.precision, device,
            batch_size, described.output, described.frame_size,
        )  # fmt: skip

    def run(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the outputs for a batch, see `Network.run`."""
        arrays = list(inputs)
        return np.asarray(self._loaded.serve(arrays if len(arrays) > 1 else arrays[0]))
