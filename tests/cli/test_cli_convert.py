import importlib.util
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers_checkpoints import draw_qaz, write_hdf5
from helpers_models import randomize_weights
from keras_tracknet_cli import main
from keras_tracknet_cli.convert import FAMILIES

from keras_tracknet import checkpoints
from keras_tracknet.models.rectifier import build_rectifier
from keras_tracknet.weights.model_file import load_model, save_model
from keras_tracknet.weights.spec import ModelSpec

has_torch = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not has_torch, reason="writes files of PyTorch")


@pytest.fixture(autouse=True)
def _loud(monkeypatch):
    monkeypatch.setattr(main, "silence_frameworks", lambda: None)


def tracknet(*arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        return CliRunner().invoke(main.cli, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_hdf5(tmp_path_factory.mktemp("source") / "model906_30", "v2", width=4)


def test_families_of_the_command_are_those_of_the_library():
    assert tuple(checkpoints.FAMILIES) == FAMILIES


def test_converted_checkpoint_is_a_model_file(source, tmp_path):
    out = tmp_path / "v2.keras"
    result = tracknet("convert", source, out, "--size", "32x64", "--report")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[:2] == [
        "detected as: TrackNetV2 (authors' Keras)",
        "layers with weights from the checkpoint: 35/35",
    ]
    assert lines[3] == "unused weights, also unused in the original: none"
    if has_torch:
        assert float(lines[4].removeprefix("largest difference from the original: ")) < 1e-4
    assert lines[-1] == str(out.resolve())
    assert load_model(out).spec.input_size == (32, 64)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{source}", "out.h5"], 2, "OUT must end in .keras"),
        (["{source}", "out.keras", "--to", "qaz"], 2, "OUT must end in .pt"),
        (["{source}", "out.pt", "--to", "qaz", "--report"], 2, "require --to keras"),
        (["{source}", "out.keras", "--size", "33x64"], 2, "multiples of 8"),
        (["{source}", "out.keras", "--size", "32x128"], 1, "fit a width of 64 only"),
        (["{source}", "there.keras"], 1, "already exists; use --overwrite"),
        (["missing.pt", "out.keras"], 1, "no such file"),
        (["{source}", "out.keras", "--family", "qaz"], 1, "use --family keras-v2"),
    ],
)
def test_what_cannot_be_converted_is_told_in_a_line(
    arguments, code, message, source, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("there.keras").touch()
    result = tracknet("convert", *(a.format(source=source) for a in arguments))
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@needs_torch
def test_there_and_back(tmp_path):
    model = randomize_weights(build_rectifier())
    save_model(model, ModelSpec("rectifier", 16, 0, "none", (0, 0)), tmp_path / "a.keras")
    result = tracknet("convert", tmp_path / "a.keras", tmp_path / "b.pt", "--to", "qaz")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{(tmp_path / 'b.pt').resolve()}\n"
    result = tracknet("convert", tmp_path / "b.pt", tmp_path / "c.keras", "--report")
    assert "520,610" in result.stdout
    assert "TrackNetV3's InpaintNet" in result.stderr


@needs_torch
def test_a_width_that_the_published_code_cannot_load_is_told(tmp_path):
    import torch

    state = {name: torch.from_numpy(array) for name, array in draw_qaz(8, 4, 15).items()}
    torch.save({"model": state}, tmp_path / "a.pt")
    result = tracknet("convert", tmp_path / "a.pt", tmp_path / "a.keras", "--size", "32x64")
    assert result.exit_code == 0, result.stderr
    result = tracknet("convert", tmp_path / "a.keras", tmp_path / "b.pt", "--to", "qaz")
    assert result.exit_code == 1
    assert "8 filters in its first layer; the published code supports 64" in result.stderr
