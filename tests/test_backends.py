import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers_backends import compute
from helpers_models import KINDS, build_tiny, draw_inputs, randomize_weights

from keras_tracknet.backends import BACKENDS
from keras_tracknet.presets import preset_names
from keras_tracknet.synthetic import RallyConfig, write_rally
from keras_tracknet.training.batches.heatmaps import render_disc
from keras_tracknet.weights.model_file import infer_spec, save_model

pytestmark = pytest.mark.backends
OTHERS = [backend for backend in BACKENDS if backend != keras.backend.backend()]
SIZE = (24, 40)  # (height, width)


def draw_targets(kind, model, rng):
    if kind == "v1":
        return rng.integers(0, 256, (2, *model.output_shape[1:3]), dtype=np.uint8)
    if kind == "rectifier":
        return rng.uniform(0, 1, (2, 16, 3)).astype(np.float32)
    if kind == "linker":
        return rng.integers(0, 6, (2, 8))
    if kind == "tsm":
        return np.eye(4, dtype=np.float32)[:2]
    return rng.integers(0, 2, (2, *model.output_shape[1:])).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Network files, inputs and targets, written by the backend that runs the tests."""
    folder, rng = tmp_path_factory.mktemp("backends"), np.random.default_rng(0)
    points = rng.uniform(0, 24, (12, 2))
    points[::4] = np.nan
    found = points + rng.uniform(-4, 4, points.shape)
    found[::5] = np.nan
    noise = rng.uniform(0, 0.4, (4, *SIZE, 3)).astype(np.float32)
    arrays = {
        "truth": np.stack(np.split(render_disc(points, SIZE), 4, axis=-1)),
        "predicted": noise + 0.6 * np.stack(np.split(render_disc(found, SIZE), 4, axis=-1)),
    }
    for kind in KINDS:
        model = randomize_weights(build_tiny(kind))
        save_model(model, infer_spec(model), folder / f"{kind}.keras")
        inputs = draw_inputs(model)
        inputs = inputs if isinstance(inputs, list) else [inputs]
        for tensor, values in zip(model.inputs, inputs, strict=True):
            arrays[f"{kind}.{tensor.name}"] = values
        arrays[f"{kind}.target"] = draw_targets(kind, model, rng)
        if kind == "v2":
            model.save_weights(folder / "v2.weights.h5")
    np.savez(folder / "arrays.npz", **arrays)
    write_rally(RallyConfig(frames=24, size=(360, 640), seed=3), folder).rename(
        folder / "rally.mp4"
    )
    return folder


@pytest.fixture(scope="module")
def ours(folder):
    return compute(folder)


@pytest.fixture(scope="module", params=OTHERS)
def backend(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def theirs(backend, folder):
    """What another backend computes in a process of its own."""
    script = Path(__file__).with_name("helpers_backends.py")
    subprocess.run(
        [sys.executable, script, folder],
        env={**os.environ, "KERAS_BACKEND": backend},
        check=True,
        timeout=300,
    )
    return np.load(folder / f"{backend}.npz")


@pytest.mark.parametrize("name", preset_names())
def test_preset_gives_the_same_track(theirs, ours, name):
    positions, confidence = f"{name}.positions", f"{name}.confidence"
    np.testing.assert_allclose(theirs[confidence], ours[confidence], atol=1e-4)
    np.testing.assert_allclose(theirs[positions], ours[positions], atol=0.05)


@pytest.mark.parametrize("kind", [*KINDS, "v2 from weights"])
def test_same_weights_give_the_same_output(theirs, ours, kind):
    output = f"{kind}.output"
    assert np.ptp(ours[output]) > 0.05  # else anything would agree
    np.testing.assert_allclose(theirs[output], ours[output], atol=1e-4)


def test_losses_and_metrics_have_the_same_values(theirs, ours):
    names = [name for name in ours if name.endswith((".loss", ".metric"))]
    assert len(names) == 16
    for name in names:
        assert np.isfinite(ours[name]).all()
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-4, err_msg=name)
