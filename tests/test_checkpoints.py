import importlib.util

import keras
import numpy as np
import pytest
from helpers_checkpoints import (
    draw_alenzenx,
    draw_alenzenx_v2,
    draw_aninsomniacy,
    draw_aninsomniacy_v1,
    draw_inpaintnet,
    draw_mareksubocz,
    draw_monotrack,
    draw_qaz,
    draw_wasb,
    draw_wasb_tracknetv2,
    draw_yastrebksv,
    write_hdf5,
)

from keras_tracknet.checkpoints import convert, load, measure_parity
from keras_tracknet.checkpoints.conversion import UNSUPPORTED
from keras_tracknet.errors import InputError
from keras_tracknet.model_file import ModelSpec, is_trained, load_model, save_model

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
    "qaz subtract": (qaz("subtract", 3), "qaz", ModelSpec("v3", 3, 3, "subtract", SIZE)),
    "qaz subtract_concat": (
        qaz("subtract_concat", 12),
        "qaz",
        ModelSpec("v3", 3, 3, "subtract_concat", SIZE),
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
    "monotrack, channels halved": (
        {"model_state_dict": draw_monotrack(8, halved=True)},
        "monotrack",
        ModelSpec("v2", 3, 3, "none", SIZE, fit="longest"),
    ),
    "wasb": (
        {"model_state_dict": draw_wasb(8, 4, 4)},
        "wasb",
        ModelSpec("v2", 3, 3, "none", SIZE, fit="longest"),
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


@pytest.mark.parametrize("case", CASES)
def test_conversion_is_exact(case, tmp_path):
    content, family, spec = CASES[case]
    conversion = convert(save_torch(content, tmp_path / "weights.bin"), size=SIZE)
    assert conversion.family.name == family
    notes = {"converted_from": conversion.family.title}
    assert conversion.file.spec == ModelSpec(**{**vars(spec), "notes": notes})
    taken, weighted = conversion.layers
    assert taken == weighted > 0
    assert is_trained(conversion.file.model)
    assert measure_parity(conversion) < EXACT
