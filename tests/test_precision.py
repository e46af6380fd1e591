import keras
import pytest

from keras_tracknet import backends
from keras_tracknet.backends import choose_precision, cpu_has_bf16

INTEL = "processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 fsrm\nbugs\t\t: swapgs\n"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (INTEL, True),
        ("flags\t\t: fpu amx_bf16\n", True),
        ("Features\t: fp asimd bf16 i8mm\n", True),  # 64-bit Arm
        ("flags\t\t: fpu avx2 fma\n", False),
        (None, False),  # no such file: macOS, Windows
    ],
)
def test_bf16_is_read_from_the_cpu_flags(tmp_path, monkeypatch, facts, expected):
    path = tmp_path / "cpuinfo"
    if facts is not None:
        path.write_text(facts)
    monkeypatch.setattr(backends, "CPU_FACTS", path)
    assert cpu_has_bf16() is expected


@pytest.mark.parametrize(
    ("devices", "backend", "bf16", "expected"),
    [
        (["gpu:0"], "jax", False, "mixed_bfloat16"),
        (["cpu:0"], "tensorflow", True, "mixed_bfloat16"),
        (["cpu:0"], "torch", True, "mixed_bfloat16"),
        (["cpu:0"], "jax", True, "float32"),
        (["cpu:0"], "openvino", True, "float32"),
        (["cpu:0"], "tensorflow", False, "float32"),
    ],
)
def test_auto_takes_bfloat16_where_it_pays(monkeypatch, devices, backend, bf16, expected):
    monkeypatch.setattr(backends, "list_devices", lambda: devices)
    monkeypatch.setattr(backends, "cpu_has_bf16", lambda: bf16)
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    assert choose_precision() == expected


@pytest.mark.parametrize("requested", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_what_is_asked_for_is_taken(requested):
    assert choose_precision(requested) == requested


def test_an_unknown_precision_is_an_error():
    with pytest.raises(ValueError, match="Received: precision='float8'"):
        choose_precision("float8")
