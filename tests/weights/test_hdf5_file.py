import io
import zipfile

import h5py
import numpy as np
import pytest
from helpers_checkpoints import write_hdf5

from keras_tracknet.errors import InputError
from keras_tracknet.weights.checkpoints import convert
from keras_tracknet.weights.checkpoints.conversion import read_state
from keras_tracknet.weights.checkpoints.hdf5_file import read_layers

SECRET = np.float32([1234.5])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_hdf5(tmp_path_factory.mktemp("whole") / "model.h5", "v2", width=1)


@pytest.fixture
def path(whole, tmp_path):
    """A checkpoint to spoil, beside a file that is none of its business."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["secret"] = SECRET
    SECRET.tofile(tmp_path / "secret.raw")
    copy = tmp_path / "model.h5"
    copy.write_bytes(whole.read_bytes())
    return copy


LAYER, BIAS = "conv2d_1", "conv2d_1/conv2d_1/bias:0"


def put(file, value):
    """Put something in the place of a bias."""
    del file[BIAS]
    file[BIAS] = value


def declare(file, shape, **settings):
    del file[BIAS]
    file.create_dataset(BIAS, shape, np.float32, **settings)


def make_external(file):
    del file[BIAS]
    raw = [(file.filename.replace("model.h5", "secret.raw"), 0, 4)]
    file.create_dataset(BIAS, (1,), np.float32, external=raw)


def make_virtual(file):
    del file[BIAS]
    layout = h5py.VirtualLayout((1,), np.float32)
    layout[:] = h5py.VirtualSource("secret.h5", "secret", (1,))
    file.create_virtual_dataset(BIAS, layout)


def name_weights(file, names):
    file[LAYER].attrs["weight_names"] = names


def rename_group(file):
    file.move("conv2d_1", "other")


SPOILED = {
    "missing group": (rename_group, "conv2d_1 is missing"),
    "missing weight": (lambda f: f.__delitem__(BIAS), "bias:0 is missing"),
    "group for a weight": (
        lambda f: (f.__delitem__(BIAS), f.create_group(BIAS)),
        "is not a dataset",
    ),
    "no weight_names": (lambda f: f[LAYER].attrs.pop("weight_names"), "conv2d_1 has no weight_nam"),
    "no layer_names": (lambda f: f.attrs.pop("layer_names"), "without a list of layers"),
    "numbers for names": (
        lambda f: name_weights(f, [1, 2]),
        "weight_names of conv2d_1 is not a list",
    ),
    "a number for names": (lambda f: name_weights(f, 7), "weight_names of conv2d_1 is not a list"),
    "no UTF-8": (lambda f: name_weights(f, [b"\xff\xfe"]), "damaged .*codec"),
    "listed twice": (
        lambda f: name_weights(f, [f"{LAYER}/bias:0"] * 2),
        "conv2d_1/bias:0 is listed twice",
    ),
    "link outside": (
        lambda f: put(f, h5py.ExternalLink("secret.h5", "secret")),
        "bias:0 is a link, and links are not followed",
    ),
    "layer outside": (
        lambda f: (f.__delitem__(LAYER), f.__setitem__(LAYER, h5py.ExternalLink("secret.h5", "/"))),
        "conv2d_1 is a link",
    ),
    "circular links": (lambda f: put(f, h5py.SoftLink(f"/{BIAS}")), "is a link"),
    "data outside": (make_external, "stored in another file"),
    "virtual data": (make_virtual, "stored in another file"),
    "huge": (lambda f: declare(f, (10**6, 10**6), chunks=(1, 1000)), "shape 1000000x1000000"),
    "huge and empty": (lambda f: declare(f, (10**7,)), "shape 10000000"),
    "text": (lambda f: put(f, [b"abc"]), "is of type"),
    "whole numbers": (lambda f: put(f, [1, 2]), "of type int64"),
    "records": (lambda f: put(f, np.zeros(2, [("a", "f4"), ("b", "f4")])), "is of type"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_spoiled_weights_are_refused_by_name(path, case):
    spoil, message = SPOILED[case]
    with h5py.File(path, "a") as file:
        spoil(file)
    with pytest.raises(InputError, match=message) as error:
        convert(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_group_that_holds_itself_does_no_harm(path):
    expected = read_layers(path)
    with h5py.File(path, "a") as file:
        file["conv2d_1/again"] = file["/"]
    for layer, twin in zip(read_layers(path), expected, strict=True):
        for array, same in zip(layer, twin, strict=True):
            np.testing.assert_array_equal(array, same)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.99])
def test_truncated_file_is_damaged(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"damaged|not a checkpoint"):
        read_state(path)


def test_weights_that_keras_3_saved_alone_say_what_to_save(path):
    with h5py.File(path, "w") as file:
        file["layers/conv2d/vars/0"] = SECRET
    with pytest.raises(InputError, match=r"without the network .*; save the whole model as .kera"):
        read_state(path)


def test_layers_that_the_network_does_not_have_are_noticed(path):
    with h5py.File(path, "a") as file:
        file["dense/kernel"] = np.zeros((2, 2), np.float32)
        file["dense"].attrs["weight_names"] = ["kernel"]
        file.attrs["layer_names"] = np.append(file.attrs["layer_names"].astype("S"), b"dense")
    with pytest.raises(InputError, match=r"unknown weights, such as keras\.other1\.0"):
        convert(path, size=(32, 64))


def write_archive(path, config=b"{}", weights=None):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["a"] = weights if weights is not None else SECRET
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", buffer.getvalue())
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"config": b"no JSON"}, "cannot be loaded as a Keras model"),
        ({"config": b"\xff\xfe{}"}, "cannot be loaded as a Keras model"),
        ({"config": b"[" * 100_000}, "cannot be loaded as a Keras model"),
        ({"config": b" " * 2**25}, "config.json is larger than any model's"),
        ({"weights": h5py.ExternalLink("secret.h5", "secret")}, "a is a link"),
        ({"config": b"[]"}, "cannot be loaded as a Keras model"),
    ],
)
def test_archives_of_strangers_are_one_line(tmp_path, content, message):
    path = write_archive(tmp_path / "model.keras", **content)
    with pytest.raises(InputError, match=message) as error:
        read_state(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("at", [10, 30, 42])
def test_archive_with_a_damaged_list_is_one_line(tmp_path, at):
    path = write_archive(tmp_path / "model.keras")
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + at : directory + at + 4] = b"\xff\xfe\xff\x7f"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_state(path)
    assert "\n" not in str(error.value)
