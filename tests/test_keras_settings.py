"""What users have in their `keras.json` does not change this package's networks."""

import json
import re

import keras
import numpy as np
import pytest
from helpers_models import build_tiny, draw_inputs, randomize_weights
from helpers_trackers import make_detector, save_detector, shorten_networks

from keras_tracknet import checkpoints
from keras_tracknet.inference.engines.keras import KerasNetwork
from keras_tracknet.losses import WeightedBCE
from keras_tracknet.metrics import TrackingF1
from keras_tracknet.models.blocks import keras_defaults
from keras_tracknet.models.tsm import build_tsm, build_tsm_online
from keras_tracknet.training import loop as training
from keras_tracknet.training.classifier import evaluation as clip_evaluation
from keras_tracknet.weights.checkpoints import conversion
from keras_tracknet.weights.model_file import ModelFile, infer_spec, load_model

OURS = ("channels_last", "float32", 1e-7, "float32")
STRANGE = [
    ("channels_first", "float32", 1e-7, "float32"),
    ("channels_last", "float16", 1e-2, "float16"),
    ("channels_first", "float64", 1e-7, "float64"),
]


def read_settings():
    config = keras.config
    policy = config.dtype_policy().name
    return config.image_data_format(), config.floatx(), config.epsilon(), policy


def change_settings(layout, float_type, epsilon, policy):
    keras.config.set_image_data_format(layout)
    keras.config.set_floatx(float_type)
    keras.config.set_epsilon(epsilon)
    keras.config.set_dtype_policy(policy)


@pytest.fixture(params=STRANGE, ids=lambda settings: f"{settings[0]}-{settings[1]}")
def strange(request):
    """Settings of a user's `keras.json`, for the time of a test."""
    before = read_settings()
    yield lambda: change_settings(*request.param)
    assert read_settings() == request.param  # nobody has changed the user's
    change_settings(*before)


def describe(model):
    """Return a network's configuration, but for the numbers that Keras gives to operations."""
    text = json.dumps(model.get_config(), default=str)
    return re.sub(r"\"reshape(_\d+)?\"", "reshape", text)


NETWORKS = [
    ("v1", {}),
    ("v2", {}),
    ("v3", {"background": "subtract_concat"}),
    ("v4", {"base": "v3"}),
    ("v5", {}),
    ("wasb", {}),
    ("rectifier", {}),
    ("linker", {}),
    ("tsm", {"backbone": "resnet10", "modality": "difference"}),
]


@pytest.mark.parametrize(("kind", "more"), NETWORKS)
def test_network_is_the_same_whatever_the_settings(monkeypatch, strange, kind, more):
    shorten_networks(monkeypatch)
    expected = describe(build_tiny(kind, **more))
    strange()
    model = build_tiny(kind, **more)
    assert describe(model) == expected
    assert {weight.dtype for weight in model.weights} == {"float32"}


def test_mixed_precision_that_was_chosen_stays(monkeypatch):
    shorten_networks(monkeypatch)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_tiny("v2")
        assert model.get_layer("encoder1_conv1").compute_dtype == "bfloat16"
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)


def test_networks_of_keras_are_channels_last_too(monkeypatch, strange):
    def backbone(input_tensor, **_settings):
        assert read_settings() == OURS
        features = keras.layers.Conv2D(8, 3, strides=8, name="conv")(input_tensor)
        return keras.Model(input_tensor, features)

    monkeypatch.setattr(keras.applications, "MobileNetV2", backbone)
    strange()
    model = build_tsm(4, frames=2, input_size=(32, 64), bidirectional=False)
    assert model.output_shape == (None, 4)


def test_stream_is_built_the_same(strange):
    whole = build_tiny("tsm", backbone="resnet10", bidirectional=False)
    expected = describe(build_tsm_online(whole))
    strange()
    assert describe(build_tsm_online(whole)) == expected


@pytest.mark.parametrize("output", ["heatmaps", "detections"])
def test_tracker_outputs_are_the_same(tmp_path, strange, output):
    path = save_detector(tmp_path / "w.keras", "v3", frames=4, background="concat")
    rng = np.random.default_rng(0)
    inputs = [rng.integers(0, 256, (1, *shape, 32, 64, 3), dtype=np.uint8) for shape in ((4,), ())]
    file = make_detector("v3", frames=4, background="concat")
    expected = KerasNetwork(file, precision="float32", output=output).run(inputs)
    strange()
    found = KerasNetwork(load_model(path), precision="float32", output=output).run(inputs)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32


def test_rectifier_outputs_are_the_same_to_the_last_digits(strange):
    model = randomize_weights(build_tiny("rectifier"))
    inputs = draw_inputs(model)
    file = ModelFile(model, infer_spec(model), "r.keras", "0", {})
    expected = KerasNetwork(file).run(inputs)
    strange()
    np.testing.assert_allclose(KerasNetwork(file).run(inputs), expected, atol=1e-6)


def test_loss_and_metric_compute_in_single_precision(strange):
    strange()
    maps, truth = np.full((1, 4, 4, 1), 1e-5, "float32"), np.zeros((1, 4, 4, 1), "float32")
    truth[0, 1, 1] = 1.0
    # By hand: -log(1e-5) of one pixel of sixteen.
    assert float(WeightedBCE()(truth, maps)) == pytest.approx(11.5129 / 16, rel=1e-3)
    metric = TrackingF1()
    assert metric.counts.dtype == "float32"  # half precision counts to 2048


@pytest.mark.parametrize(
    ("module", "inner", "call"),
    [
        (training, "_plan", lambda: training.plan_fit(training.FitConfig(version="v2"))),
        (training, "_run", lambda: training.run_plan(_Plan(), None)),
        (clip_evaluation, "as_py_dataset", lambda: clip_evaluation._predict(None, [], None)),
        (conversion, "recognise", lambda: checkpoints.convert(__file__)),
    ],
)
def test_what_computes_has_keras_defaults(monkeypatch, strange, module, inner, call):
    class SeenError(Exception):
        pass

    def look(*_args, **_more):
        raise SeenError(read_settings())

    class Family:
        name = title = "any"
        build = staticmethod(look)

    monkeypatch.setattr(module, inner, (lambda _: Family) if module is conversion else look)
    monkeypatch.setattr(conversion, "read_state", lambda _: None)
    strange()
    with pytest.raises(SeenError) as seen:
        call()
    assert seen.value.args[0] == OURS


class _Plan:
    """As much of a plan as says where it is trained."""

    config = training.FitConfig(version="v2")
    devices = training.choose_devices(config, training.Reporter())


def test_settings_are_restored_after_an_error(strange):
    strange()
    with pytest.raises(ZeroDivisionError), keras_defaults():
        _ = 1 / 0
