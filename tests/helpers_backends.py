"""What one backend makes of given networks and inputs: `python helpers_backends.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
from helpers_models import KINDS, build_tiny

from keras_tracknet import losses, metrics
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.presets import preset_names
from keras_tracknet.weights.model_file import load_model

LOSSES = {
    "v1": losses.PixelCrossEntropy(),
    "v2": losses.WeightedBCE(),
    "v3": losses.QualityFocal(),
    "v4": losses.FocalBCE(),
    "v5": losses.WeightedBCE(),
    "wasb": losses.QualityFocal(),
    "rectifier": losses.MaskedMSE(),
    "linker": keras.losses.SparseCategoricalCrossentropy(),
    "tsm": keras.losses.CategoricalCrossentropy(),
}


def compute(folder: Path) -> dict[str, np.ndarray]:
    """Run every network of a folder on the inputs there; name each result."""
    arrays = np.load(folder / "arrays.npz")
    results = {}
    for kind in KINDS:
        model = load_model(folder / f"{kind}.keras").model
        inputs = [arrays[f"{kind}.{i.name}"] for i in model.inputs]
        output = model.predict(inputs[0] if len(inputs) == 1 else inputs, verbose=0)
        loss = LOSSES[kind](arrays[f"{kind}.target"], output)
        results[f"{kind}.output"] = output
        results[f"{kind}.loss"] = np.asarray(keras.ops.convert_to_numpy(loss))
    copy = build_tiny("v2")
    copy.load_weights(folder / "v2.weights.h5")
    results["v2 from weights.output"] = copy.predict(arrays["v2.frames"], verbose=0)
    truth, predicted = arrays["truth"], arrays["predicted"]
    for loss in (losses.weighted_bce, losses.focal_bce, losses.quality_focal):
        value = keras.ops.convert_to_numpy(loss(truth, predicted))
        results[f"{loss.__name__}.loss"] = np.asarray(value)
    for metric in (
        metrics.TrackingAccuracy(),
        metrics.TrackingPrecision(),
        metrics.TrackingRecall(),
        metrics.TrackingF1(),
    ):
        metric.update_state(truth, predicted)
        results[f"{metric.name}.metric"] = np.asarray(keras.ops.convert_to_numpy(metric.result()))
    for name in preset_names():
        track = Tracker(name, precision="float32").track(folder / "rally.mp4")
        results[f"{name}.positions"] = track.positions
        results[f"{name}.confidence"] = track.confidence
    return results


if __name__ == "__main__":
    place = Path(sys.argv[1])
    np.savez(place / f"{keras.backend.backend()}.npz", **compute(place))
