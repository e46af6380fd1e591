import json
import re
import sys
import types

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from helpers_models import build_tiny, draw_inputs, randomize_weights, run
from keras_tracknet_cli.main import cli

from keras_tracknet import presets
from keras_tracknet.errors import InputError
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.presets import (
    DEFAULT,
    DEMO,
    FOLDER,
    WeightsPaths,
    add_int8,
    add_preset,
    find_weights,
    list_presets,
    preset_names,
)
from keras_tracknet.sports import SPORTS
from keras_tracknet.weights.model_file import (
    infer_spec,
    is_trained,
    load_model,
    pack_model,
    save_model,
)

FACTS = {
    "summary": "dots",
    "accuracy": 0.5,
    "f1": 0.6,
    "validation": "two clips of dots",
    "frames_per_second": 7.0,
    "machine": "a slow machine",
}


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty folder in the place of the bundled weights."""
    monkeypatch.setattr(presets, "FOLDER", tmp_path / "shelf")
    monkeypatch.setattr(presets, "MANIFEST", tmp_path / "shelf" / "manifest.json")
    (tmp_path / "shelf").mkdir()
    list_presets.cache_clear()
    yield tmp_path / "shelf"
    list_presets.cache_clear()


@pytest.fixture
def trained(tmp_path):
    """A tracker's file and a rectifier's."""
    paths = []
    for name in ("v2", "rectifier"):
        model = randomize_weights(build_tiny(name))
        paths.append(tmp_path / f"{name}.keras")
        save_model(model, infer_spec(model), paths[-1])
    return paths


def test_the_default_and_the_demo_weights_are_bundled():
    assert {DEFAULT, DEMO} <= set(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_bundled_weights_load_are_trained_and_have_a_card(name):
    file = presets.load(name)
    preset = list_presets()[name]
    assert is_trained(file.model)
    assert file.spec.trained_on
    assert file.sha256 == preset.sha256[f"{name}.keras"]
    assert file.model.count_params() == preset.parameters
    card = preset.card.read_text()
    for word in (name, "Data", "Recipe", "Cost", "Licence", f"{preset.accuracy:.3f}"):
        assert word in card


def test_every_preset_says_what_it_tracks():
    known = {*SPORTS, "rendered", ""}
    assert {preset.sport for preset in list_presets().values()} <= known
    assert list_presets()["tennis-v3"].sport == "tennis"
    assert list_presets()["multisport-v2"].sport == ""


def test_every_bundled_file_is_in_the_manifest():
    known = {file for preset in list_presets().values() for file in preset.sha256}
    files = (path for path in FOLDER.iterdir() if path.suffix in (".keras", ".xml", ".bin"))
    assert {path.name for path in files} == known


def test_all_bundled_weights_stay_below_60_megabytes():
    assert sum(preset.bytes for preset in list_presets().values()) < 60e6


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("?")])
def test_damaged_preset_is_refused(shelf, trained, damage):
    add_preset("dots", trained[0], **FACTS)
    damage(shelf / "dots.keras")
    with pytest.raises(InputError, match=r"dots\.keras: missing or damaged.*install the package"):
        presets.load("dots")


def test_preset_brings_its_rectifier_unless_told_otherwise(shelf, trained):
    tracker, rectifier = trained
    added = add_preset("dots", tracker, rectifier=rectifier, changes={"threshold": 0.3}, **FACTS)
    assert list_presets() == {"dots": added}
    whole = Tracker("dots", precision="float32")
    assert whole.rectifier.spec.version == "rectifier"
    assert whole.threshold == 0.3
    assert Tracker("dots", precision="float32", rectifier=None).rectifier is None


def test_preset_brings_its_linker_unless_told_otherwise(shelf, trained, tmp_path):
    linker = tmp_path / "linker.keras"
    save_model(randomize_weights(build_tiny("linker")), infer_spec(build_tiny("linker")), linker)
    added = add_preset("dots", trained[0], linker=linker, **FACTS)
    assert added.linker == shelf / "dots-linker.keras"
    assert Tracker("dots", precision="float32").linker.spec.version == "linker"
    assert Tracker("dots", precision="float32", linker=None).linker is None
    # What is bundled is left out where it is of no use.
    assert Tracker("dots", precision="float32", decode="published").linker is None
    with pytest.raises(InputError, match="a linker requires heatmaps"):
        Tracker("dots", precision="float32", decode="published", linker=linker)


def test_replaced_preset_loses_the_rectifier_that_it_had(shelf, trained):
    tracker, rectifier = trained
    add_preset("dots", tracker, rectifier=rectifier, **FACTS)
    add_preset("dots", tracker, **FACTS)
    assert find_weights("dots") == WeightsPaths(shelf / "dots.keras")
    assert sorted(path.name for path in shelf.iterdir()) == ["dots.keras", "manifest.json"]


def test_replaced_preset_loses_the_int8_network_that_it_had(shelf, trained, tmp_path):
    add_preset("dots", trained[0], **FACTS)
    for suffix in (".xml", ".bin"):
        (tmp_path / f"made{suffix}").write_text(suffix)
    added = add_int8("dots", tmp_path / "made.xml")
    assert list_presets() == {"dots": added}
    assert list(added.sha256) == ["dots.keras", "dots.int8.xml", "dots.int8.bin"]
    (shelf / "dots.int8.bin").write_text("?")
    with pytest.raises(InputError, match=r"dots\.int8\.bin: missing or damaged"):
        find_weights("dots")
    add_preset("dots", trained[0], **FACTS)
    assert sorted(path.name for path in shelf.iterdir()) == ["dots.keras", "manifest.json"]


def test_the_command_lists_what_is_bundled():
    result = CliRunner().invoke(cli, ["presets"])
    assert result.exit_code == 0
    assert re.findall(r"^(\S+?)(?: \(default\))?: ", result.stdout, re.MULTILINE) == sorted(
        preset_names(), key=lambda name: (name != DEFAULT, name)
    )
    entries = json.loads(CliRunner().invoke(cli, ["presets", "--json"]).stdout)
    assert set(entries) == set(preset_names())
    assert entries[DEFAULT]["bytes"] == list_presets()[DEFAULT].bytes


def test_a_run_folder_stands_for_its_best_model(tmp_path):
    (tmp_path / "best.keras").touch()
    (tmp_path / "config.json").touch()
    assert find_weights(tmp_path).tracker == tmp_path / "best.keras"


def test_a_folder_that_keras_saved_is_a_model(tmp_path):
    model = randomize_weights(build_tiny("v2"))
    keras.saving.save_model(model, tmp_path / "saved", zipped=False)
    loaded = presets.load(tmp_path / "saved")
    assert loaded.spec == infer_spec(model)
    assert len(loaded.sha256) == 64
    inputs = draw_inputs(model)
    np.testing.assert_array_equal(run(loaded.model, inputs), run(model, inputs))


def test_weights_come_from_the_hub(tmp_path, monkeypatch):
    hub = types.ModuleType("huggingface_hub")
    hub.__spec__ = object()
    hub.snapshot_download = lambda name: str(tmp_path / name)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert find_weights("hf://someone/dots").tracker == tmp_path / "someone" / "dots"


def test_unreachable_hub_is_told_in_a_line(monkeypatch):
    def fail(name):
        raise OSError("no route to host\nand much more")

    hub = types.ModuleType("huggingface_hub")
    hub.__spec__ = object()
    hub.snapshot_download = fail
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    with pytest.raises(
        InputError, match=r"^hf://a/b: download failed \(no route to host\); check the name"
    ):
        find_weights("hf://a/b")


def test_unknown_weights_are_refused_with_the_bundled_names():
    with pytest.raises(InputError, match=f"nonsense: no such weights.*{DEFAULT}"):
        find_weights("nonsense")


def test_packed_weights_take_half_the_space_and_give_nearly_the_same(tmp_path):
    model = randomize_weights(build_tiny("v3", width_multiplier=0.25))
    save_model(model, infer_spec(model), tmp_path / "whole.keras")
    pack_model(tmp_path / "whole.keras", tmp_path / "packed.keras", trained_on="dots")
    packed = load_model(tmp_path / "packed.keras")
    sizes = [(tmp_path / f"{name}.keras").stat().st_size for name in ("packed", "whole")]
    assert sizes[0] < 0.6 * sizes[1]
    assert packed.spec.trained_on == "dots"
    assert all(
        np.asarray(keras.ops.convert_to_numpy(w)).dtype == np.float32 for w in packed.model.weights
    )
    inputs = draw_inputs(model)
    np.testing.assert_allclose(run(packed.model, inputs), run(model, inputs), atol=0.02)
