import importlib.util
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers_checkpoints import (
    draw_alenzenx,
    draw_alenzenx_v2,
    draw_aninsomniacy,
    draw_aninsomniacy_rectifier,
    draw_aninsomniacy_v1,
    draw_aninsomniacy_v4,
    draw_aninsomniacy_v5,
    draw_asigatchov,
    draw_codelancera_v4,
    draw_codelancera_v5,
    draw_inpaintnet,
    draw_mareksubocz,
    draw_monotrack,
    draw_qaz,
    draw_wasb,
    draw_wasb_tracknetv2,
    draw_yastrebksv,
    write_hdf5,
    write_keras_v4,
)
from helpers_clips import write_video
from helpers_models import build_tiny, draw_inputs, randomize_weights, run

from keras_tracknet.errors import InputError
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.models.rectifier import build_rectifier
from keras_tracknet.models.v3 import build_v3
from keras_tracknet.weights.checkpoints import convert, load, measure_parity, write_qaz
from keras_tracknet.weights.checkpoints.conversion import find_state, recognise
from keras_tracknet.weights.checkpoints.qaz_file import describe_qaz
from keras_tracknet.weights.checkpoints.state import StateDict
from keras_tracknet.weights.checkpoints.torch_file import OLD_FORMAT
from keras_tracknet.weights.model_file import ModelFile, is_trained, save_model
from keras_tracknet.weights.spec import ModelSpec

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="compares with PyTorch"
)
SIZE = (32, 64)
EXACT = 1e-4
PARAM = {"model_name": "TrackNet", "seq_len": 3, "bg_mode": ""}


def qaz(mode, channels, frames=3):
    state = draw_qaz(8, frames, channels)
    return {"epoch": 3, "model": state, "param_dict": PARAM | {"seq_len": frames, "bg_mode": mode}}


# What was saved, which family that is, and the specification that comes out.
CASES = {
    "qaz": (qaz("", 9), "qaz", ModelSpec("v3", 3, 3, "none", SIZE)),
    "qaz subtract": (
        qaz("subtract", 3),
        "qaz",
        ModelSpec("v3", 3, 3, "subtract", SIZE, differences="wrapped"),
    ),
    "qaz subtract_concat": (
        qaz("subtract_concat", 12),
        "qaz",
        ModelSpec("v3", 3, 3, "subtract_concat", SIZE, differences="wrapped"),
    ),
    "qaz concat": (qaz("concat", 12), "qaz", ModelSpec("v3", 3, 3, "concat", SIZE)),
    "qaz concat, 5 frames": (qaz("concat", 18, 5), "qaz", ModelSpec("v3", 5, 5, "concat", SIZE)),
    "qaz without param_dict": (draw_qaz(8, 4, 15), "qaz", ModelSpec("v3", 4, 4, "concat", SIZE)),
    "inpaintnet": (
        {"model": draw_inpaintnet(8), "param_dict": {"model_name": "InpaintNet", "seq_len": 16}},
        "inpaintnet",
        ModelSpec("rectifier", 16, 0, "none", (0, 0)),
    ),
    "wasb-tracknetv2": (
        {"epoch": 30, "model_state_dict": draw_wasb_tracknetv2(8), "train_loss": 0.5},
        "wasb-tracknetv2",
        ModelSpec("v2", 3, 3, "none", SIZE, fit="longest"),
    ),
    "monotrack": (
        {"model_state_dict": draw_monotrack(8)},
        "monotrack",
        ModelSpec("v2", 3, 3, "none", SIZE, fit="longest"),
    ),
    "monotrack, channels not halved": (
        {"model_state_dict": draw_monotrack(8, halved=False)},
        "monotrack",
        ModelSpec("v2", 3, 3, "none", SIZE, fit="longest"),
    ),
    "wasb": (
        {"model_state_dict": draw_wasb(16, 8, 4)},
        "wasb",
        ModelSpec("wasb", 3, 3, "none", SIZE, fit="longest"),
    ),
    "yastrebksv": (draw_yastrebksv(8, 16), "yastrebksv", ModelSpec("v1", 3, 1, "none", SIZE)),
    "alenzenx": (
        {"model_state_dict": draw_alenzenx(16), "param_dict": {"num_frame": 3}},
        "alenzenx",
        ModelSpec("v2", 3, 3, "none", SIZE),
    ),
    "alenzenx-v2": (
        {"model_state_dict": draw_alenzenx_v2(8)},
        "alenzenx-v2",
        ModelSpec("v2", 3, 3, "none", SIZE),
    ),
    "aninsomniacy V2": (
        {"format_version": 1, "config": {}, "model_state_dict": draw_aninsomniacy(8)},
        "aninsomniacy",
        ModelSpec("v3", 3, 3, "none", SIZE, fit="letterbox"),
    ),
    "aninsomniacy V3": (
        {"model_state_dict": draw_aninsomniacy(8, 4, 15)},
        "aninsomniacy",
        ModelSpec("v3", 4, 4, "concat", SIZE, fit="letterbox"),
    ),
    "aninsomniacy-v1": (
        {"model_state_dict": draw_aninsomniacy_v1(8, 16)},
        "aninsomniacy-v1",
        ModelSpec("v1", 3, 1, "none", SIZE, fit="letterbox"),
    ),
    "aninsomniacy-rectifier": (
        {"model_state_dict": draw_aninsomniacy_rectifier(8)},
        "aninsomniacy-rectifier",
        ModelSpec("rectifier", 16, 0, "none", (0, 0)),
    ),
    "asigatchov": (
        {"model_state_dict": draw_asigatchov(8), "epoch": 3, "history": {"loss": [1.0]}},
        "asigatchov",
        ModelSpec("v4", 3, 3, "none", SIZE, fit="letterbox"),
    ),
    "codelancera-v4": (
        draw_codelancera_v4(8),
        "codelancera-v4",
        ModelSpec("v4", 3, 3, "none", SIZE),
    ),
    "aninsomniacy-v4 eq4": (
        {"model_state_dict": draw_aninsomniacy_v4(8)},
        "aninsomniacy-v4",
        ModelSpec("v4", 3, 3, "none", SIZE, fit="letterbox"),
    ),
    "aninsomniacy-v4 mean": (
        {"model_state_dict": draw_aninsomniacy_v4(8, features=1)},
        "aninsomniacy-v4",
        ModelSpec("v4", 3, 3, "none", SIZE, fit="letterbox"),
    ),
    "aninsomniacy-v4 middle": (
        {"model_state_dict": draw_aninsomniacy_v4(8, unused=True)},
        "aninsomniacy-v4",
        ModelSpec("v4", 3, 3, "none", SIZE, fit="letterbox"),
    ),
    **{
        f"aninsomniacy-v4 earliest {variant}": (
            {
                "model_state_dict": draw_aninsomniacy_v4(8, features=1, unused=True),
                "config": {"model": {"fusion_variant": variant}},
            },
            "aninsomniacy-v4",
            ModelSpec("v4", 3, 3, "none", SIZE, fit="letterbox"),
        )
        for variant in ("eq4", "mean")
    },
    "codelancera-v5": (
        draw_codelancera_v5(8, 32, 8),
        "codelancera-v5",
        ModelSpec("v5", 3, 3, "none", SIZE),
    ),
    **{
        f"aninsomniacy-v5 {name}": (
            {"model_state_dict": draw_aninsomniacy_v5(8, 16, later=name == "later")},
            "aninsomniacy-v5",
            ModelSpec("v5", 3, 3, "none", SIZE, fit="letterbox"),
        )
        for name in ("later", "earlier")
    },
    "mareksubocz": (
        {"model_state_dict": draw_mareksubocz(8), "loss": 1.0},
        "mareksubocz",
        ModelSpec("v2", 3, 3, "none", SIZE, 0.9),
    ),
}


def save_torch(content, path):
    torch = pytest.importorskip("torch")

    def convert(value):
        if isinstance(value, dict):
            return {name: convert(inner) for name, inner in value.items()}
        return torch.from_numpy(value) if isinstance(value, np.ndarray) else value

    torch.save(convert(content), path)
    return path


# --- recognition and conversion


@needs_torch
@pytest.mark.parametrize("case", CASES)
def test_conversion_is_exact(case, tmp_path):
    content, family, spec = CASES[case]
    conversion = convert(save_torch(content, tmp_path / "weights.bin"), size=SIZE)
    assert conversion.family.name == family
    notes = {"converted_from": conversion.family.title}
    assert conversion.file.spec == replace(spec, notes=notes)
    taken, weighted = conversion.layers
    assert taken == weighted > 0
    assert is_trained(conversion.file.model)
    assert measure_parity(conversion) < EXACT


@needs_torch
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("picture", [64, None])
def test_conversion_of_the_authors_keras_weights_is_exact(version, picture, tmp_path):
    path = write_hdf5(tmp_path / "model.906", version, picture=picture, group="model_weights")
    conversion = convert(path, size=SIZE)
    assert conversion.family.name == f"keras-{version}"
    axes = {
        layer.axis if isinstance(layer.axis, int) else layer.axis[0]
        for layer in conversion.file.model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert axes == ({2} if picture else {-1})
    assert measure_parity(conversion) < EXACT


@needs_torch
@pytest.mark.parametrize("fusion", ["TypeA", "TypeB"])
@pytest.mark.parametrize("picture", [64, None])
def test_conversion_of_the_authors_keras_v4_is_exact(fusion, picture, tmp_path):
    path = write_keras_v4(tmp_path / "v4.keras", fusion, picture=picture)
    conversion = convert(path, size=SIZE)
    assert conversion.family.name == "keras-v4"
    assert conversion.file.model.get_layer("motion_fusion").fusion == fusion[-1].lower()
    taken, weighted = conversion.layers
    assert taken == weighted > 0
    assert measure_parity(conversion) < EXACT


@needs_torch
def test_heads_of_v5_are_a_choice(tmp_path):
    path = save_torch(draw_codelancera_v5(8, 32, 8), tmp_path / "a.pt")
    two, one = convert(path, size=SIZE), convert(path, size=SIZE, heads=1)
    assert measure_parity(one) < EXACT
    inputs = draw_inputs(two.file.model, batch=1)
    assert np.abs(run(one.file.model, inputs) - run(two.file.model, inputs)).max() > 1e-4
    other = save_torch(draw_qaz(8, 3, 9), tmp_path / "b.pt")
    with pytest.raises(InputError, match="has no `heads` to choose"):
        convert(other, size=SIZE, heads=2)


@needs_torch
def test_fusion_that_cannot_be_known_is_asked_for(tmp_path):
    state = draw_aninsomniacy_v4(8, features=1, unused=True)
    with pytest.raises(InputError, match="may fuse by eq4 or mean; keep config"):
        load(save_torch({"model_state_dict": state}, tmp_path / "a.pt"), size=SIZE)


def test_width_normalised_weights_are_refused_at_another_width(tmp_path):
    path = write_hdf5(tmp_path / "model", "v2")
    with pytest.raises(
        InputError, match=r"over the picture width.* width of 64 only. Received: width 128"
    ):
        load(path, size=(32, 128))


@needs_torch
def test_a_wrong_order_of_channels_would_be_noticed(tmp_path):
    content, *_ = CASES["wasb-tracknetv2"]
    conversion = convert(save_torch(content, tmp_path / "a.pt"), size=SIZE)
    name = "up3.conv.double_conv.0.weight"
    swapped = {**conversion.state.arrays, name: conversion.state.arrays[name][:, ::-1].copy()}
    other = replace(conversion, state=StateDict(swapped, conversion.state.path))
    assert measure_parity(other) > 10 * EXACT


# Entries and trainable parameters as published.
TABLES = {
    "qaz": (draw_qaz, 104, 11_341_000),
    "inpaintnet": (draw_inpaintnet, 18, 520_610),
    "wasb-tracknetv2": (draw_wasb_tracknetv2, 121, 11_334_147),
    "monotrack": (draw_monotrack, None, 2_903_171),
    "wasb": (draw_wasb, 428, 1_481_427),
    "yastrebksv": (draw_yastrebksv, 126, 10_708_032),
    "alenzenx": (draw_alenzenx, 236, 15_132_437),
    "alenzenx-v2": (draw_alenzenx_v2, 107, 10_152_963),
    "aninsomniacy": (draw_aninsomniacy, 104, 11_330_307),
    "mareksubocz": (draw_mareksubocz, 121, 11_334_147),
    "asigatchov": (draw_asigatchov, 123, 11_334_149),
    "codelancera-v4": (draw_codelancera_v4, 106, 11_330_306 + 3),
    "aninsomniacy-v4": (draw_aninsomniacy_v4, 106, 11_330_693),
    "codelancera-v5": (draw_codelancera_v5, 162, 14_771_458 + 3),
    "aninsomniacy-v5": (draw_aninsomniacy_v5, 136, 11_432_669),
    "aninsomniacy-rectifier": (draw_aninsomniacy_rectifier, 22, None),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_the_tests_are_as_large_as_the_published_networks(name):
    draw, entries, parameters = TABLES[name]
    state = draw()
    counted = [
        array.size
        for name, array in state.items()
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
    ]
    assert sum(counted) == (parameters or sum(counted))
    assert entries in (len(state), None)


def make_state(arrays):
    return find_state({"model": arrays}, Path("weights.pt"))


@pytest.mark.parametrize("name", TABLES)
def test_every_network_is_recognised_as_one_family(name):
    draw, *_ = TABLES[name]
    assert recognise(make_state(draw())).name == name


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"model": {"a": np.zeros(2)}}, "unknown network .1 weights: a"),
        ({"epoch": 3}, "contains no network weights"),
        ([1, 2], "contains no network weights"),
        ({"model": {}}, "contains no network weights"),
    ],
)
def test_other_weights_are_refused(content, expected):
    with pytest.raises(InputError, match=expected):
        recognise(find_state(content, Path("weights.pt")))


@needs_torch
def test_prefix_of_a_parallel_module_is_taken_off(tmp_path):
    state = {f"module.{name}": array for name, array in draw_qaz(8, 3, 9).items()}
    assert load(save_torch({"model": state}, tmp_path / "a.pt"), size=SIZE).spec.frames == 3


@needs_torch
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"extra.weight": np.zeros(3)}, "unknown weights, such as extra.weight;"),
        ({"down_block_2.conv_1.bn.bias": None}, "down_block_2.conv_1.bn.bias is missing"),
        ({"predictor.bias": np.zeros(5)}, "predictor has shapes .*expected"),
        ({"predictor.weight": np.zeros(())}, "TrackNetV3 .qaz.*weights have other shapes"),
        ({"down_block_1.conv_1.conv.weight": np.zeros(3)}, "weights have other shapes"),
        ({"down_block_1.conv_1.conv.weight": np.zeros((0, 15, 3, 3))}, "network was modified"),
    ],
)
def test_altered_networks_are_refused(changes, expected, tmp_path):
    state = draw_qaz(8, 4, 15) | changes
    state = {name: array for name, array in state.items() if array is not None}
    with pytest.raises(InputError, match=expected):
        load(save_torch({"model": state}, tmp_path / "a.pt"), size=SIZE)


@needs_torch
def test_background_that_cannot_be_known_is_asked_for(tmp_path):
    path = save_torch({"model": draw_qaz(8, 3, 12)}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="12 channels for 3 frames may be subtract_concat or conc"):
        load(path, size=SIZE)


@needs_torch
@pytest.mark.parametrize(("frames", "channels"), [(1, 9), (3, 3)])
def test_grey_or_middle_frames_are_refused(frames, channels, tmp_path):
    state = draw_mareksubocz(8, frames, channels)
    with pytest.raises(InputError, match="grey frames, or middle frame only"):
        load(save_torch({"model_state_dict": state}, tmp_path / "a.pt"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not a checkpoint"),
        (b"some text", "not a checkpoint"),
        (OLD_FORMAT + b"rest", "written before PyTorch 1.6"),
        (b"index" + bytes.fromhex("57fb808b247547db"), "Chang-Chia-Chi"),
    ],
)
def test_files_that_are_no_checkpoint_say_so(content, expected, tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=expected):
        load(path)


def test_places_that_are_no_checkpoint_say_so(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "missing.pt")
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(InputError, match="a TensorFlow SavedModel, which is not supported"):
        load(tmp_path)


def test_model_of_this_package_says_that_it_is_one(tmp_path):
    model = randomize_weights(build_tiny("rectifier"))
    save_model(model, ModelSpec("rectifier", 16, 0, "none", (0, 0)), tmp_path / "model.keras")
    with pytest.raises(InputError, match="is already a model of this package"):
        load(tmp_path / "model.keras")


# --- what comes out is used


@needs_torch
@pytest.mark.parametrize("case", ["wasb-tracknetv2", "yastrebksv", "aninsomniacy V3"])
def test_converted_model_tracks_from_its_file(case, tmp_path):
    content, *_ = CASES[case]
    file = load(save_torch(content, tmp_path / "a.pt"), size=SIZE)
    save_model(file.model, file.spec, tmp_path / "a.keras")
    clip = write_video(tmp_path / "clip.mp4", 7)
    track = Tracker(tmp_path / "a.keras", precision="float32").track(clip)
    assert len(track) == 7


@needs_torch
def test_colours_of_a_bgr_network_come_in_the_right_order(tmp_path):
    """A network that only sees the third channel of each picture, which is red in BGR."""
    state = draw_mareksubocz(8)
    kernel = state["vgg_conv1.0.0.weight"]
    kernel[:, [0, 1, 3, 4, 6, 7]] = 0
    model = load(save_torch({"model_state_dict": state}, tmp_path / "a.pt"), size=SIZE).model
    pictures = np.random.default_rng(0).uniform(0, 1, (1, *SIZE, 9)).astype(np.float32)
    grey = run(model, pictures)
    without_blue = pictures.copy()
    without_blue[..., 2::3] = 0
    np.testing.assert_array_equal(run(model, without_blue), grey)
    without_red = pictures.copy()
    without_red[..., 0::3] = 0
    assert np.abs(run(model, without_red) - grey).max() > 1e-3


@needs_torch
def test_converted_model_with_layers_of_its_own_is_no_start_for_training(tmp_path):
    from keras_tracknet.models.v2 import build_v2
    from keras_tracknet.training.recipes import take_weights

    content, *_ = CASES["wasb-tracknetv2"]
    file = load(save_torch(content, tmp_path / "a.pt"), size=SIZE)
    with pytest.raises(InputError, match="was converted from a code base"):
        take_weights(build_v2(input_size=SIZE, width_multiplier=1 / 8), file)


# --- the way back


def build_published(kind):
    if kind == "rectifier":
        return build_rectifier(), ModelSpec("rectifier", 16, 0, "none", (0, 0))
    return build_v3(input_size=SIZE, frames=3), ModelSpec("v3", 3, 3, "concat", SIZE)


@needs_torch
@pytest.mark.parametrize("kind", ["tracker", "rectifier"])
def test_what_is_written_for_the_published_code_comes_back(kind, tmp_path):
    import torch

    model, spec = build_published(kind)
    randomize_weights(model)
    file = ModelFile(model, spec, Path("model.keras"), "", {})
    write_qaz(file, tmp_path / "out.pt")
    content = torch.load(tmp_path / "out.pt", weights_only=True)
    expected = draw_inpaintnet() if kind == "rectifier" else draw_qaz(64, 3, 12)
    assert {name: tuple(t.shape) for name, t in content["model"].items()} == {
        name: array.shape for name, array in expected.items()
    }
    assert content["param_dict"]["seq_len"] == spec.frames
    back = load(tmp_path / "out.pt", size=None if kind == "rectifier" else SIZE)
    assert replace(back.spec, notes={}) == spec
    for weight, twin in zip(back.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, twin)


@pytest.mark.parametrize(
    ("model", "spec", "expected"),
    [
        ("v2", ModelSpec("v2", 3, 3, "none", SIZE), "a v2 network"),
        ("v3", ModelSpec("v3", 4, 4, "concat", SIZE), "3 filters in its first layer.* supports 64"),
        (
            "rectifier",
            ModelSpec("rectifier", 16, 0, "none", (0, 0), hidden="interpolated"),
            "was trained on interpolated hidden positions",
        ),
    ],
)
def test_networks_that_the_published_code_has_not_are_refused(model, spec, expected):
    file = ModelFile(build_tiny(model), spec, Path("model.keras"), "", {})
    with pytest.raises(InputError, match=expected):
        describe_qaz(file)
