from dataclasses import replace

import pytest
from helpers_models import build_tiny

from keras_tracknet.errors import InputError
from keras_tracknet.training.config import USED_BY, FitConfig, describe_network
from keras_tracknet.training.config_file import change_config, load_config
from keras_tracknet.training.recipes import build_network
from keras_tracknet.weights.model_file import load_model, save_model
from keras_tracknet.weights.spec import VERSIONS


@pytest.mark.parametrize(
    "settings",
    [
        {"version": "v1", "width": 0.25, "input_size": (72, 128)},
        {"version": "v2", "width": 0.5},
        {"version": "v2", "width": 0.1, "frames": 5, "heatmaps": 1},
        {"version": "v2", "width": 0.1, "stabilize": True},
        {"version": "v3", "width": 0.125, "frames": 4, "background": "subtract"},
        {"version": "v3", "width": 0.125, "crop": (32, 32)},
        {"version": "v4", "width": 0.125, "base": "v3", "fusion": "b", "frames": 4},
        {"version": "v4", "width": 0.125},
        {"version": "v5", "width": 0.125, "input_size": (32, 64)},
        {"version": "wasb", "width": 0.25, "heatmaps": 1},
        {"version": "rectifier", "width": 2.0, "frames": 24},
        {"version": "linker", "width": 0.5, "frames": 24},
        {"version": "tsm", "width": 0.5, "frames": 4, "input_size": (64, 96), "span": 0.8},
    ],
    ids=[
        "v1",
        "v2",
        "v2 5-in-1",
        "v2 stabilized",
        "v3 subtract",
        "v3 cut-outs",
        "v4 b on v3",
        "v4",
        "v5",
        "wasb",
        "rectifier",
        "linker",
        "tsm",
    ],
)
def test_network_is_described_so_that_it_can_be_built_anew(tmp_path, settings):
    config = FitConfig(**settings)
    model = build_network(config)
    save_model(model, config.spec, tmp_path / "model.keras")
    again = FitConfig(**describe_network(load_model(tmp_path / "model.keras")))
    assert again.spec == config.spec
    assert [w.shape for w in build_network(again).weights] == [w.shape for w in model.weights]


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
    save_model(build_network(config), config.spec, tmp_path / "model.keras")
    described = describe_network(load_model(tmp_path / "model.keras"))
    assert network.items() <= described.items()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"span": 0}, "`span` must be above 0"),
        ({"backbone": "resnet50", "width": 0.5}, "`width` must be 1 for resnet50"),
        ({"backbone": "vgg16"}, "`backbone` must be one of mobilenet_v2, resnet50, resnet10"),
    ],
)
def test_classifier_that_cannot_be_built_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FitConfig("tsm", **settings)


@pytest.mark.parametrize(
    ("version", "settings", "versions"),
    [
        ("tsm", {"crop": (64, 64)}, "v1, v2, v3, v4 and wasb"),
        ("v5", {"crop": (32, 32)}, "v1, v2, v3, v4 and wasb"),
        ("tsm", {"pan": 3.0}, "v1, v2, v3, v4, v5 and wasb"),
        ("tsm", {"decoys": 0.5}, "v1, v2, v3, v4, v5 and wasb"),
        ("tsm", {"stabilize": True}, "v1, v2, v3, v4, v5 and wasb"),
        ("tsm", {"balance": True}, "v1, v2, v3, v4, v5 and wasb"),
        ("tsm", {"skip": 0.5}, "v1, v2, v3, v4, v5, wasb and linker"),
        ("rectifier", {"skip": 0.5}, "v1, v2, v3, v4, v5, wasb and linker"),
        ("rectifier", {"paste": 0.5}, "v1, v2, v3, v4, v5 and wasb"),
        ("linker", {"paste": 0.5}, "v1, v2, v3, v4, v5 and wasb"),
        ("linker", {"balance": True}, "v1, v2, v3, v4, v5 and wasb"),
        ("linker", {"flip": 0.0}, "v1, v2, v3, v4, v5, wasb and tsm"),
        ("linker", {"windows": 100}, "v1, v2, v3, v4, v5, wasb and tsm"),
        ("linker", {"input_size": (64, 64)}, "v1, v2, v3, v4, v5, wasb and tsm"),
        ("linker", {"hidden": "zero"}, "rectifier"),
        ("v3", {"tracks": "runs/tracks"}, "rectifier and linker"),
        ("v3", {"heatmaps": 1}, "v2 and wasb"),
        ("v3", {"fusion": "b"}, "v4"),
        ("v3", {"online": True}, "tsm"),
        ("v2", {"background": "subtract"}, "v3 and v4"),
        ("v1", {"target": "gaussian"}, "v2, v3, v4, v5 and wasb"),
        ("v1", {"mixup": 0.5}, "v2, v3, v4, v5 and wasb"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(version, settings, versions):
    (name,) = settings
    with pytest.raises(ValueError, match=f"`{name}` is supported by {versions} only"):
        FitConfig(version, **settings)


def test_settings_with_versions_of_their_own_exist():
    assert FitConfig.__dataclass_fields__.keys() >= USED_BY.keys()
    assert all(set(versions) < set(VERSIONS) for versions in USED_BY.values())


# --- what a run folder says, and what can change when a run goes on


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("null", "configuration of a run .contains no dictionary.."),
        ("[1, 2]", "configuration of a run .contains no dictionary.."),
        ('"text"', "configuration of a run .contains no dictionary.."),
        ("", "not the configuration of a run"),
        ("[" * 100_000, "not the configuration of a run"),
        (b"\xff\xfe", "not the configuration of a run"),
        ('{"epochs": 3, "colour": "red"}', "unknown settings: colour.; upgrade keras_tracknet"),
        ('{"epochs": "3"}', "`epochs` must be int.*'3'"),
        ('{"epochs": null}', "`epochs` must be int.*None"),
        ('{"epochs": true}', "`epochs` must be int.*True"),
        ('{"data": 5}', r"`data` must be str \| None.*5"),
        ('{"width": "0.5"}', "`width` must be float.*'0.5'"),
        ('{"width": NaN}', "`width` must be float.*nan"),
        ('{"learning_rate": Infinity}', "`learning_rate` must be float.*inf"),
        ('{"crop": 5}', r"`crop` must be tuple\[int, int\] \| None.*5"),
        ('{"crop": "88"}', r"`crop` must be tuple\[int, int\] \| None.*'88'"),
        ('{"crop": [8, 8, 8]}', r"`crop` must be tuple\[int, int\]"),
        ('{"zoom": [1, "2"]}', r"`zoom` must be tuple\[float, float\]"),
        ('{"validation": "abc"}', r"`validation` must be tuple\[str, \.\.\.\].*'abc'"),
        ('{"warmup": 2.0}', "`warmup` must be 0 to 1.*2.0"),
        ('{"seed": -1}', "`seed` must be 0 to 2.32 - 1.*-1"),
        ('{"precision": "int3"}', "`precision` must be one of auto, float32"),
        ('{"frames": 100000}', "`frames` must be"),
    ],
)
def test_damaged_configuration_is_refused_in_a_line(tmp_path, content, message):
    text = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(InputError, match=message) as caught:
        load_config(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "epochs"), [({}, 30), ({"epochs": 60}, 60), ({"width": 0.5, "data": "d/../a"}, 30)]
)
def test_run_goes_on_with_its_own_settings_and_other_epochs(settings, epochs):
    run = FitConfig(data="a", width=0.5, seed=3)
    assert change_config(run, settings) == replace(run, epochs=epochs)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"version": "v2"}, "`version` cannot change in a resumed run, which has v3; remove"),
        ({"width": 1.0}, "`width` cannot change .* has 0.5"),
        ({"crop": (64, 64)}, "`crop` cannot change .* has 128x128"),
        ({"zoom": (0.5, 1.0)}, "`zoom` cannot change .* has 1.0x1.0"),
        ({"data": "b"}, "`data` cannot change .* has .*a; remove"),
        ({"precision": "float32"}, "`precision` cannot change .* has auto"),
        ({"learning_rate": 0.1}, "`learning_rate` cannot change"),
        ({"validation": ("d",)}, "`validation` cannot change .* has c1,c2"),
        ({"training": ("d",)}, "`training` cannot change .* has none"),
        ({"init": "badminton-v3"}, "`init` cannot change .* has none"),
        ({"seed": 1, "epochs": 60}, "`seed` cannot change .* has 0.*`init=.runs/x"),
    ],
)
def test_what_cannot_change_in_a_run_is_named(settings, message):
    run = FitConfig(data="a", output="runs/x", width=0.5, crop=(128, 128), validation=("c1", "c2"))
    with pytest.raises(ValueError, match=message):
        change_config(run, settings)
