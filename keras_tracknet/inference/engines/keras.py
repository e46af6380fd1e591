"""Keras on its active backend, compiled, in the precision that the hardware is best at."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from keras_tracknet.backends import choose_precision, find_device
from keras_tracknet.inference.engines.network import Network
from keras_tracknet.inference.engines.serving import build_serving
from keras_tracknet.models.blocks import keras_defaults
from keras_tracknet.weights.model_file import ModelFile, set_precision
from keras_tracknet.weights.spec import TRACK_VERSIONS

NAME = "keras"


class KerasNetwork(Network):
    """A network in Keras.

    Args:
        file: the network and its specification.
        precision: `auto`, or a Keras dtype policy.
        batch_size: windows at once.
        output: `heatmaps` or `detections`.
        device: `auto`, `cpu` or `gpu`; the network is to be loaded there, see `keras.device`.
    """

    @keras_defaults()
    def __init__(
        self,
        file: ModelFile,
        *,
        precision: str = "auto",
        batch_size: int = 2,
        output: str = "heatmaps",
        device: str = "auto",
    ) -> None:
        spec, self._place = file.spec, find_device(device)
        # Positions need more than bfloat16's eight bits.
        sees_tracks = spec.version in TRACK_VERSIONS
        policy = "float32" if sees_tracks else choose_precision(precision)
        super().__init__(
            spec, file.path, file.sha256, NAME, policy, self._place.partition(":")[0], batch_size,
            output,
            spec.input_size,
        )  # fmt: skip
        set_precision(file.model, policy)
        self._sees_tracks = sees_tracks
        self._model: keras.Model = (
            file.model if sees_tracks else build_serving(file.model, spec, output=output)
        )
        self._model.compile()  # drops a prediction function compiled in another precision

    def run(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the outputs for a batch, see `Network.run`."""
        with keras.device(self._place), keras_defaults():
            if self._sees_tracks:
                windows = list(inputs) if len(inputs) > 1 else inputs[0]
                outputs = self._model.predict(windows, batch_size=256, verbose=0)
            else:
                outputs = self._model.predict_on_batch(list(inputs))
        return np.asarray(outputs)
