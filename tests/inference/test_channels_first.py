"""Every network of the family in OpenVINO: the same heatmaps, without turning pictures around."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import helpers_checkpoints as drawn
import numpy as np
import pytest
from helpers_models import SIZE, build_tiny, randomize_weights
from helpers_trackers import detector_spec

from keras_tracknet.inference.engines import KERAS, open_network, openvino
from keras_tracknet.weights.checkpoints.conversion import FAMILIES, read_state
from keras_tracknet.weights.checkpoints.state import StateDict
from keras_tracknet.weights.model_file import save_model

pytestmark = pytest.mark.skipif(not openvino.is_installed(), reason="OpenVINO is not installed")
BACKGROUNDS = ("none", "subtract", "subtract_concat", "concat")
CHECKPOINTS = {
    "wasb-tracknetv2": drawn.draw_wasb_tracknetv2(8),
    "monotrack": drawn.draw_monotrack(8),
    "wasb": drawn.draw_wasb(16, 8, 4),
    "yastrebksv": drawn.draw_yastrebksv(8, 16),
    "alenzenx": drawn.draw_alenzenx(16),
    "alenzenx-v2": drawn.draw_alenzenx_v2(8),
    "aninsomniacy": drawn.draw_aninsomniacy(8),
    "aninsomniacy-v1": drawn.draw_aninsomniacy_v1(8, 16),
    "mareksubocz": drawn.draw_mareksubocz(8),
    "codelancera-v4": drawn.draw_codelancera_v4(8),
    "aninsomniacy-v4": drawn.draw_aninsomniacy_v4(8),
    "codelancera-v5": drawn.draw_codelancera_v5(8, 32, 8),
    "aninsomniacy-v5": drawn.draw_aninsomniacy_v5(8, 16),
}
OWN = ("v1", "v2", *(f"v3 {background}" for background in BACKGROUNDS), "wasb")
MOTION = ("v4", "v4 on v3", "v5")  # which look for motion
# Those that turn small matrices around: tokens of attention, weights of an interpolation.
MATRICES = ("v5", "codelancera-v4", "codelancera-v5", "aninsomniacy-v5")
NAMES = (*OWN, *MOTION, *CHECKPOINTS, "keras-v1", "keras-v2")
CONVERT = """
import json, sys
from keras_tracknet.inference.engines.conversion import Conversion
from keras_tracknet.inference.engines.converters import convert
for weights in json.loads(sys.argv[1]):
    for output in ("heatmaps", "detections"):
        convert(Conversion(weights, f"{weights}.{output}.xml", "openvino", output=output))
"""


def build(name, folder):
    """A network of the family with weights of its own, and how it is fed."""
    if name in CHECKPOINTS:
        return FAMILIES[name].build(StateDict(CHECKPOINTS[name], Path(name)), SIZE)
    if name.startswith("keras-"):  # normalised over the picture's width
        state = read_state(drawn.write_hdf5(folder / f"{name}.h5", name[-2:], picture=SIZE[1]))
        return FAMILIES[name].build(state, SIZE)
    if name == "v4 on v3":
        spec = detector_spec("v4", frames=4, background="concat")
        model = build_tiny("v4", base="v3", fusion="b", frames=4)
        return randomize_weights(model), spec
    version, _, background = name.partition(" ")
    settings = {"background": background} if background else {}
    heatmaps = 1 if version == "v1" else None
    frames = 4 if version == "v3" else 3
    spec = detector_spec(version, frames=frames, heatmaps=heatmaps, **settings)
    return randomize_weights(build_tiny(version, **settings)), spec


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """All networks, saved and converted in one process, for its start takes seconds."""
    folder = tmp_path_factory.mktemp("networks")
    paths = {name: folder / f"{name}.keras" for name in NAMES}
    for name, path in paths.items():
        save_model(*build(name, folder), path)
    made = json.dumps([str(path) for path in paths.values()])
    environment = {**os.environ, "KERAS_BACKEND": "openvino"}
    subprocess.run([sys.executable, "-c", CONVERT, made], check=True, env=environment)
    return paths


def draw_windows(spec):
    rng = np.random.default_rng(0)
    inputs = [rng.integers(0, 256, (1, spec.frames, *spec.input_size, 3), dtype=np.uint8)]
    if spec.background != "none":
        inputs.append(rng.integers(0, 256, (1, *spec.input_size, 3), dtype=np.uint8))
    return inputs


def count_operations(network):
    """What is left of a network when it has been compiled, by kind."""
    nodes = network._compiled.get_runtime_model().get_ordered_ops()
    return Counter(node.get_rt_info()["layerType"].astype(str) for node in nodes)


@pytest.mark.parametrize("name", NAMES)
def test_heatmaps_are_those_of_keras_and_pictures_are_turned_once(converted, name):
    ours = open_network(converted[name], engine=KERAS, precision="float32", batch_size=1)
    theirs = open_network(f"{converted[name]}.heatmaps.xml", precision="float32", batch_size=1)
    inputs = draw_windows(ours.spec)
    expected = ours.run(inputs)
    assert expected.std() > 0.01
    np.testing.assert_allclose(theirs.run(inputs), expected, atol=1e-5)
    left = count_operations(theirs)
    assert left["Transpose"] <= 1 or name in MATRICES, left
    assert left["Gather"] == left["GatherND"] == 0, left
    assert not [kind for kind in left if "Norm" in kind], left


@pytest.mark.parametrize("name", NAMES)
def test_positions_turn_no_pictures_either(converted, name):
    network = open_network(f"{converted[name]}.detections.xml", precision="float32", batch_size=1)
    left = count_operations(network)
    assert left["Transpose"] <= 1 or name in MATRICES, left
    assert left["Gather"] == left["GatherND"] == 0, left
