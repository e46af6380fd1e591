import keras
import numpy as np
import pytest
from helpers_models import build_tiny, draw_inputs, randomize_weights, run

from keras_tracknet.errors import InputError
from keras_tracknet.model_file import infer_spec, is_trained, load_model, pack_model, save_model
from keras_tracknet.presets import DEFAULT, DEMO, FOLDER, find_weights, preset_names


def test_the_default_and_the_demo_weights_are_bundled():
    assert {DEFAULT, DEMO} <= set(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_bundled_weights_load_are_trained_and_have_a_card(name):
    file = load_model(find_weights(name))
    assert is_trained(file.model)
    assert file.spec.trained_on
    card = (FOLDER / f"{name}.md").read_text()
    assert name in card
    assert "Licence" in card


def test_all_bundled_weights_stay_below_60_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.keras")) < 60e6


def test_a_run_folder_stands_for_its_best_model(tmp_path):
    (tmp_path / "best.keras").touch()
    assert find_weights(tmp_path) == tmp_path / "best.keras"


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
