import pytest
from helpers_models import build_tiny

from keras_tracknet.fit_config import FitConfig, describe_network
from keras_tracknet.model_file import load_model, save_model
from keras_tracknet.training import _build


@pytest.mark.parametrize(
    "settings",
    [
        {"version": "v1", "width": 0.25, "input_size": (72, 128)},
        {"version": "v2", "width": 0.5},
        {"version": "v2", "width": 0.1, "frames": 5, "heatmaps": 1},
        {"version": "v2", "width": 0.1, "stabilize": True},
        {"version": "v3", "width": 0.125, "frames": 4, "background": "subtract"},
        {"version": "v3", "width": 0.125, "crop": (32, 32)},
        {"version": "rectifier", "width": 2.0, "frames": 24},
        {"version": "tsm", "width": 0.5, "frames": 4, "input_size": (64, 96), "span": 0.8},
    ],
    ids=[
        "v1",
        "v2",
        "v2 5-in-1",
        "v2 stabilized",
        "v3 subtract",
        "v3 cut-outs",
        "rectifier",
        "tsm",
    ],
)
def test_network_is_described_so_that_it_can_be_built_anew(tmp_path, settings):
    config = FitConfig(**settings)
    model = _build(config)
    save_model(model, config.spec, tmp_path / "model.keras")
    again = FitConfig(**describe_network(load_model(tmp_path / "model.keras")))
    assert again.spec == config.spec
    assert [w.shape for w in _build(again).weights] == [w.shape for w in model.weights]


def test_networks_without_a_specification_are_described_too(tmp_path):
    build_tiny("v3").save(tmp_path / "plain.keras")
    described = describe_network(load_model(tmp_path / "plain.keras"))
    assert (described["version"], described["background"]) == ("v3", "concat")


@pytest.mark.parametrize(
    "network",
    [
        {"backbone": "resnet50", "modality": "rgb", "width": 1.0, "online": True},
        {"backbone": "mobilenet_v2", "modality": "rgb", "width": 0.5, "online": False},
        {"backbone": "resnet10", "modality": "difference", "width": 0.5, "online": False},
    ],
)
def test_classifier_is_described_with_where_it_looks(tmp_path, network):
    config = FitConfig("tsm", frames=2, input_size=(32, 32), **network)
    save_model(_build(config), config.spec, tmp_path / "model.keras")
    described = describe_network(load_model(tmp_path / "model.keras"))
    assert network.items() <= described.items()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crop": (64, 64)}, "crop is not for tsm"),
        ({"pan": 3.0}, "pan is not for tsm"),
        ({"mixup": 0.5}, "mixup is not for tsm"),
        ({"decoys": 0.5}, "decoys is not for tsm"),
        ({"stabilize": True}, "stabilize is not for tsm"),
        ({"balance": True}, "balance is not for tsm"),
        ({"span": 0}, "span must be above 0"),
        ({"backbone": "resnet50", "width": 0.5}, "width must be 1 for resnet50"),
        ({"backbone": "vgg16"}, "backbone must be one of mobilenet_v2, resnet50, resnet10"),
    ],
)
def test_settings_that_a_classifier_does_not_know_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FitConfig("tsm", **settings)
