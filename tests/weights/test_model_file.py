import errno
import hashlib
import importlib
import os
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from helpers_models import KINDS, TINY, build_tiny, draw_inputs, randomize_weights, run
from helpers_trackers import shorten_networks

from keras_tracknet.errors import InputError
from keras_tracknet.losses import MaskedMSE, PixelCrossEntropy, WeightedBCE
from keras_tracknet.models.v3 import INPUT_NAMES
from keras_tracknet.weights.model_file import (
    infer_spec,
    is_trained,
    load_model,
    save_model,
    set_precision,
)
from keras_tracknet.weights.spec import ModelSpec

SIZE = TINY["v2"]["input_size"]
LOSSES = {
    "v1": PixelCrossEntropy,
    "v2": WeightedBCE,
    "v3": WeightedBCE,
    "v4": WeightedBCE,
    "v5": WeightedBCE,
    "wasb": WeightedBCE,
    "rectifier": MaskedMSE,
    "linker": keras.losses.SparseCategoricalCrossentropy,
    "tsm": keras.losses.CategoricalCrossentropy,
}
RECTIFIER = ModelSpec("rectifier", 16, 0, "none", (0, 0))
CLASSES = tuple(f"class {number}" for number in range(4))


def spec_of(kind):
    return {
        "v1": ModelSpec("v1", 3, 1, "none", SIZE),
        "v2": ModelSpec("v2", 3, 3, "none", SIZE),
        "v3": ModelSpec("v3", 4, 4, "concat", SIZE),
        "v4": ModelSpec("v4", 3, 3, "none", SIZE),
        "v5": ModelSpec("v5", 3, 3, "none", SIZE),
        "wasb": ModelSpec("wasb", 3, 3, "none", SIZE),
        "rectifier": RECTIFIER,
        "linker": ModelSpec("linker", 8, 0, "none", (0, 0)),
        "tsm": ModelSpec("tsm", 4, 0, "none", SIZE, classes=CLASSES),
    }[kind]


def draw_targets(kind, model, batch=2):
    rng = np.random.default_rng(0)
    if kind == "v1":
        return rng.integers(0, 256, (batch, *SIZE), dtype=np.uint8)
    if kind == "rectifier":
        return np.ones((batch, 16, 3), np.float32)
    if kind == "linker":
        return rng.integers(0, 6, (batch, 8))
    return rng.integers(0, 2, (batch, *model.output_shape[1:])).astype(np.float32)


def train_a_step(kind, model):
    model.compile(keras.optimizers.SGD(0.1), LOSSES[kind](), run_eagerly=True)
    model.train_on_batch(draw_inputs(model), draw_targets(kind, model))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small rectifier in a file, with the network that was saved."""
    model = randomize_weights(build_tiny("rectifier"))
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    save_model(model, RECTIFIER, path)
    return path, model


# --- saving and loading


@pytest.mark.parametrize("kind", KINDS)
def test_saved_network_comes_back_with_its_specification(kind, tmp_path):
    model, path = randomize_weights(build_tiny(kind)), tmp_path / "run" / "model.keras"
    save_model(model, spec_of(kind), path, training={"epoch": 3, "best": 0.5})
    file = load_model(path)
    assert (file.spec, file.path) == (spec_of(kind), path)
    assert file.training == {"epoch": 3, "best": 0.5}
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.model.name == model.name
    inputs = draw_inputs(model)
    np.testing.assert_array_equal(run(file.model, inputs), run(model, inputs))
    assert os.listdir(path.parent) == ["model.keras"]


def test_everything_in_the_specification_comes_back(tmp_path, saved):
    _, model = saved
    notes = {"f1": 0.9, "list": [1, 2]}
    spec = ModelSpec(
        "rectifier",
        16,
        0,
        "none",
        (0, 0),
        0.35,
        "interpolated",
        trained_on="badminton",
        notes=notes,
    )
    save_model(model, spec, tmp_path / "model.keras")
    file = load_model(tmp_path / "model.keras")
    assert file.spec == spec
    assert file.training == {}


MEMBERS = [
    ("v1", {}),
    ("v2", {}),
    ("v3", {}),
    ("v4", {}),
    ("v5", {}),
    ("wasb", {}),
    ("rectifier", {}),
    ("tsm", {"backbone": "resnet10", "modality": "difference"}),  # with all of its layers
]
LOADING = """
import sys
from pathlib import Path
import numpy as np
import keras_tracknet
for path in sorted(Path(sys.argv[1]).glob("*.keras")):
    file = keras_tracknet.load_model(path)
    with np.load(path.with_suffix(".npz")) as content:
        arrays = [content[name] for name in content.files]
    outputs = file.model(arrays[1:] if len(arrays) > 2 else arrays[1], training=False)
    np.testing.assert_allclose(np.asarray(outputs), arrays[0], atol=1e-5)
    print(path.stem, file.spec.version)
"""


def test_every_member_of_the_family_loads_in_a_fresh_process(tmp_path, monkeypatch):
    shorten_networks(monkeypatch)
    for number, (kind, settings) in enumerate(MEMBERS):
        model = randomize_weights(build_tiny(kind, **settings))
        path = tmp_path / f"{number}.keras"
        save_model(model, spec_of(kind), path)
        inputs = draw_inputs(model)
        arrays = inputs if isinstance(inputs, list) else [inputs]
        np.savez(path.with_suffix(".npz"), run(model, inputs), *arrays)
    done = subprocess.run(
        [sys.executable, "-c", LOADING, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = [f"{number} {kind}" for number, (kind, _) in enumerate(MEMBERS)]
    assert done.stdout.splitlines() == expected


def test_any_keras_loads_the_file(saved):
    path, model = saved
    loaded = keras.saving.load_model(path)
    np.testing.assert_array_equal(run(loaded, draw_inputs(model)), run(model, draw_inputs(model)))


# What files name the classes by that are ours; people import these modules by their path.
SAVED = {
    "layers": ("CachedDifference", "CachedShift", "Consensus", "FrameDifference", "TemporalShift"),
    "losses": (
        "FocalBCE", "MaskedDistance", "MaskedMSE", "PixelCrossEntropy", "QualityFocal",
        "WeightedBCE",
    ),
    "metrics": ("TrackingAccuracy", "TrackingF1", "TrackingPrecision", "TrackingRecall"),
}  # fmt: skip


@pytest.mark.parametrize("module", SAVED)
def test_classes_have_the_names_that_saved_files_know_them_by(module):
    public = importlib.import_module(f"keras_tracknet.{module}")
    found = keras.saving.get_custom_objects()
    for name in SAVED[module]:
        assert found[f"keras_tracknet>{name}"] is getattr(public, name)
        assert getattr(public, name).__module__ == public.__name__  # also in the file


def test_file_of_plain_keras_is_understood_too(tmp_path, saved):
    _, model = saved
    model.save(tmp_path / "model.keras")
    file = load_model(tmp_path / "model.keras")
    assert (file.spec, file.training) == (RECTIFIER, {})


def test_optimizer_comes_back_when_asked_for(tmp_path):
    model = build_tiny("rectifier")
    model.compile(keras.optimizers.Adam(0.25), MaskedMSE(), run_eagerly=True)
    model.train_on_batch(draw_inputs(model), draw_targets("rectifier", model))
    save_model(model, RECTIFIER, tmp_path / "model.keras")
    assert not load_model(tmp_path / "model.keras").model.compiled
    loaded = load_model(tmp_path / "model.keras", compile=True).model
    assert isinstance(loaded.loss, MaskedMSE)
    assert len(loaded.optimizer.variables) > 2
    for weight, twin in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(weight), keras.ops.convert_to_numpy(twin)
        )


def test_saving_again_replaces_the_file(tmp_path, saved):
    _, model = saved
    path = tmp_path / "model.keras"
    save_model(model, RECTIFIER, path, training={"epoch": 1})
    save_model(model, RECTIFIER, path, training={"epoch": 2})
    assert load_model(path).training == {"epoch": 2}


# --- files that are none


def write_text(path):
    path.write_text("weights")


def write_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "weights")


def write_keras_without_ours(path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(path)


def write_picture_model(path):
    inputs = keras.Input((8, 8, 9), name="frames")
    keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs)).save(path)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        # Not there, or an empty folder.
        ("model.keras", None, "no such file"),
        ("model.keras", os.mkdir, "not a Keras model"),
        ("model.keras", write_text, "not a Keras model"),
        ("model.keras", write_zip, "not a Keras model"),
        # Weights of another package.
        ("model.pt", write_zip, "not a Keras model"),
        # Keras, but nothing to do with us.
        ("model.keras", write_keras_without_ours, "not a TrackNet"),
        ("model.keras", write_picture_model, "not a TrackNet"),
    ],
)
def test_file_of_something_else_is_refused_in_a_line(tmp_path, name, write, message):
    path = tmp_path / name
    if write is not None:
        write(path)
    with pytest.raises(InputError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_network_without_known_inputs_is_refused():
    with pytest.raises(InputError, match="not a TrackNet"):
        infer_spec(keras.Sequential([keras.layers.Dense(2)]))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated_file_is_refused(tmp_path, saved, share):
    content = saved[0].read_bytes()
    path = tmp_path / "model.keras"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match="not a Keras model"):
        load_model(path)


def test_damaged_weights_are_refused(tmp_path, saved):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(saved[0]) as whole, zipfile.ZipFile(path, "w") as damaged:
        for name in whole.namelist():
            content = whole.read(name)
            damaged.writestr(name, content[:1000] if name.endswith(".h5") else content)
    with pytest.raises(InputError, match=r"cannot be loaded as a Keras model \(.+\)") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    model = randomize_weights(build_tiny("rectifier"))
    weights = model.get_weights()
    weights[3][0] = value
    model.set_weights(weights)
    save_model(model, RECTIFIER, tmp_path / "model.keras")
    with pytest.raises(InputError, match=r"model\.keras: contains NaN or infinite weights"):
        load_model(tmp_path / "model.keras")


# --- saving where it cannot be done


def fail_with(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.mark.parametrize("step", ["save", "replace"])
def test_failed_save_leaves_nothing_behind(tmp_path, saved, monkeypatch, step):
    _, model = saved
    full = OSError(errno.ENOSPC, "No space left on device")
    if step == "save":

        def save(path):
            path.write_bytes(b"half of it")
            raise full

        monkeypatch.setattr(model, "save", save)
    else:
        monkeypatch.setattr(os, "replace", fail_with(full))
    with pytest.raises(InputError, match=r"model\.keras: cannot be written \(No space left"):
        save_model(model, RECTIFIER, tmp_path / "model.keras")
    assert os.listdir(tmp_path) == []


def test_failed_save_keeps_the_file_that_was_there(tmp_path, saved, monkeypatch):
    _, model = saved
    path = tmp_path / "model.keras"
    path.write_bytes(b"what was there")
    monkeypatch.setattr(os, "replace", fail_with(OSError(errno.EACCES, "denied")))
    with pytest.raises(InputError, match="denied"):
        save_model(model, RECTIFIER, path)
    assert path.read_bytes() == b"what was there"
    assert os.listdir(tmp_path) == ["model.keras"]


def test_training_state_that_is_no_json_leaves_nothing_behind(tmp_path, saved):
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_model(saved[1], RECTIFIER, tmp_path / "model.keras", training={"state": object()})
    assert os.listdir(tmp_path) == []


def test_place_below_a_file_is_refused_in_a_line(tmp_path, saved):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        save_model(saved[1], RECTIFIER, tmp_path / "file" / "model.keras")


# --- what a network says about itself


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [
        ("v1", {}, ModelSpec("v1", 3, 1, "none", SIZE)),
        ("v1", {"frames": 5, "classes": 16}, ModelSpec("v1", 5, 1, "none", SIZE)),
        # Without a size: the published one.
        ("v1", {"input_size": (None, None)}, ModelSpec("v1", 3, 1, "none", (360, 640))),
        ("v2", {}, ModelSpec("v2", 3, 3, "none", SIZE)),
        ("v2", {"frames": 5, "heatmaps": 1}, ModelSpec("v2", 5, 1, "none", SIZE)),
        ("v2", {"input_size": (None, None)}, ModelSpec("v2", 3, 3, "none", (288, 512))),
        *[
            # With 3 frames `concat` and `subtract_concat` both have 12 channels.
            ("v3", {"background": background, "frames": 3},
             ModelSpec("v3", 3, 3, background, SIZE))
            for background in INPUT_NAMES
        ],
        ("v3", {"input_size": (None, None)}, ModelSpec("v3", 4, 4, "concat", (288, 512))),
        ("v4", {}, ModelSpec("v4", 3, 3, "none", SIZE)),
        ("v4", {"base": "v3", "frames": 4}, ModelSpec("v4", 4, 4, "concat", SIZE)),
        ("v5", {}, ModelSpec("v5", 3, 3, "none", SIZE)),
        ("wasb", {"frames": 5, "heatmaps": 1}, ModelSpec("wasb", 5, 1, "none", SIZE)),
        ("rectifier", {}, ModelSpec("rectifier", 16, 0, "none", (0, 0))),
        ("rectifier", {"window": 8}, ModelSpec("rectifier", 8, 0, "none", (0, 0))),
        ("rectifier", {"window": None}, ModelSpec("rectifier", 16, 0, "none", (0, 0))),
    ],
)  # fmt: skip
def test_specification_is_read_from_the_network(kind, settings, expected):
    assert infer_spec(build_tiny(kind, **settings)) == expected


def test_frames_of_12_channels_are_told_apart_after_loading(tmp_path):
    model = build_tiny("v3", frames=3, background="subtract_concat")
    assert model.input_shape[-1] == build_tiny("v3", frames=3).input_shape[-1] == 12
    model.save(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").spec.background == "subtract_concat"


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        *[(kind, {}) for kind in KINDS],
        # A first bias is no training.
        *[(kind, {"output_bias": -4.0}) for kind in ("v1", "v2", "v3")],
    ],
)
def test_fresh_network_is_not_trained(kind, settings):
    assert not is_trained(build_tiny(kind, **settings))


@pytest.mark.parametrize("kind", KINDS)
def test_network_is_trained_after_one_step(kind, monkeypatch):
    shorten_networks(monkeypatch)
    model = build_tiny(kind)
    train_a_step(kind, model)
    assert is_trained(model)


def test_loaded_network_is_as_trained_as_it_was(tmp_path, saved):
    assert is_trained(load_model(saved[0]).model)
    save_model(build_tiny("rectifier"), RECTIFIER, tmp_path / "fresh.keras")
    assert not is_trained(load_model(tmp_path / "fresh.keras").model)


# --- precision


@pytest.mark.parametrize("kind", ["v2", "v3"])
def test_half_precision_gives_float32_heatmaps_close_to_the_full_ones(kind):
    model = randomize_weights(build_tiny(kind))
    inputs, weights = draw_inputs(model), [w.copy() for w in model.get_weights()]
    full = run(model, inputs)
    assert np.ptp(full) > 0.2  # else anything would be close
    set_precision(model, "mixed_bfloat16")
    assert model.get_layer("encoder1_conv1").compute_dtype == "bfloat16"
    half = run(model, inputs)
    assert half.dtype == np.float32
    assert 0 < np.abs(half - full).max() < 0.02
    for weight, before in zip(model.get_weights(), weights, strict=True):
        assert weight.dtype == np.float32
        np.testing.assert_array_equal(weight, before)


def test_full_precision_undoes_half_precision():
    model = randomize_weights(build_tiny("v2"))
    inputs = draw_inputs(model)
    full = run(model, inputs)
    set_precision(model, "mixed_bfloat16")
    set_precision(model, "float32")
    np.testing.assert_array_equal(run(model, inputs), full)


def test_network_trains_in_half_precision():
    model = build_tiny("v2")
    set_precision(model, "mixed_bfloat16")
    train_a_step("v2", model)
    assert is_trained(model)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
