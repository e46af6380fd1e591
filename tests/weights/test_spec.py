import json
import struct
import zipfile
from dataclasses import asdict

import keras
import pytest
from helpers_trackers import SIZE, build_detector, detector_spec, save_detector

from keras_tracknet.errors import InputError
from keras_tracknet.inference.engines import open_network
from keras_tracknet.inference.engines.network import Description
from keras_tracknet.weights.archive import CONFIG_NAME, SPEC_NAME, WEIGHTS_NAME
from keras_tracknet.weights.model_file import load_model, read_spec, save_model
from keras_tracknet.weights.spec import ModelSpec, parse_specification

SPEC = detector_spec("v3", frames=4, background="concat")
FIELDS = json.loads(json.dumps(asdict(SPEC)))
DEEP = '{"spec": ' + 50 * "[" + 50 * "]" + "}"
VERY_DEEP = '{"spec": ' + 200_000 * "["
LARGE = json.dumps({"spec": FIELDS, "training": {"history": ["x" * (9 << 20)]}})


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """What lies in a small model file, by name."""
    path = save_detector(
        tmp_path_factory.mktemp("saved") / "w.keras", "v3", frames=4, background="concat"
    )
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def write(tmp_path, members):
    """Return a function that writes the small model file with other members."""

    def write(**changes):
        path = tmp_path / "m.keras"
        names = {"spec": SPEC_NAME, "config": CONFIG_NAME, "weights": WEIGHTS_NAME}
        changed = {names[name]: content for name, content in changes.items()}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in {**members, **changed}.items():
                archive.writestr(name, content)
        return path

    return write


def refuse(read, path, message):
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert len(text) < 600


# --- the text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "damaged .not JSON"),
        (b"weights", "damaged .not JSON"),
        (b"[1, 2]", "damaged .list instead of a dictionary"),
        (b"null", "damaged .NoneType instead"),
        (b"3", "damaged .int instead"),
        (b"{}", "damaged .it has no network spec"),
        (b'{"spec": null}', "damaged .it has no network spec"),
        (b'{"spec": [1]}', "damaged .it has no network spec"),
        (
            b'{"spec": {"version": "v3"}}',
            "missing fields: frames, heatmaps, background, input_size",
        ),
        ('{"spec": {"trained_on": "Malmö"}}'.encode("latin-1"), "damaged .not UTF-8"),
        (DEEP.encode(), "damaged .nested too deep"),
        (VERY_DEEP.encode(), "damaged .nested too deep"),
        (LARGE.encode(), "more than .*8,388,608"),
        (json.dumps({"format": 2, "spec": FIELDS}).encode(), "newer version.*upgrade keras_track"),
        (json.dumps({"format": "1", "spec": FIELDS}).encode(), "its format is '1'"),
        (json.dumps({"format": True, "spec": FIELDS}).encode(), "its format is True"),
        (
            json.dumps({"spec": FIELDS, "training": [1]}).encode(),
            "training record is not a dictionary",
        ),
    ],
)
def test_text_that_is_no_specification_is_a_line(write, text, message):
    path = write(spec=text)
    refuse(read_spec, path, message)
    refuse(load_model, path, message)
    if b"training" not in text:  # which an exported file does not have
        refuse(lambda path: Description.from_json(text, path), path, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": "v9"}, "`version` must be one of v1, .*Received: 'v9'"),
        ({"version": None}, "`version` must be one of"),
        ({"version": ["v3"]}, "`version` must be one of"),
        ({"frames": 0}, "`frames` must be a whole number from 1 to 4096. Received: 0"),
        ({"frames": -1}, "`frames` must be"),
        ({"frames": "8"}, "`frames` must be .*Received: '8'"),
        ({"frames": 4.0}, "`frames` must be .*Received: 4.0"),
        ({"frames": True}, "`frames` must be"),
        ({"frames": 10**12}, "`frames` must be"),
        ({"heatmaps": -3}, "`heatmaps` must be"),
        ({"heatmaps": 1}, "`heatmaps` must be 4 for v3 with 4 frames. Received: 1"),
        ({"heatmaps": None}, "`heatmaps` must be"),
        ({"version": "v2", "heatmaps": 0}, "`heatmaps` must be 1 to 4 for v2"),
        ({"threshold": "x"}, "`threshold` must be a number from 0 to 1. Received: 'x'"),
        ({"threshold": float("nan")}, "`threshold` must be .*Received: nan"),
        ({"threshold": float("inf")}, "`threshold` must be"),
        ({"threshold": 1.5}, "`threshold` must be"),
        ({"threshold": None}, "`threshold` must be"),
        ({"background": "zzz"}, "`background` must be one of none, subtract, .*'zzz'"),
        ({"background": {}}, "`background` must be one of"),
        ({"fit": "zzz"}, "`fit` must be one of stretch"),
        ({"differences": 3}, "`differences` must be one of saturated"),
        ({"hidden": "zzz"}, "`hidden` must be one of zero"),
        ({"stabilized": "yes"}, "`stabilized` must be true or false"),
        ({"input_size": None}, "`input_size` must be .height, width."),
        ({"input_size": [10**9, 10**9]}, "`input_size` must be"),
        ({"input_size": [288]}, "`input_size` must be"),
        ({"input_size": [288, "512"]}, "`input_size` must be"),
        ({"input_size": [0, 0]}, r"`input_size` must be .height, width. from 1 to 8192 for v3"),
        ({"input_size": "32"}, "`input_size` must be"),
        ({"classes": "abc"}, "`classes` must be"),
        ({"classes": [1]}, "`classes` must be"),
        ({"classes": ["a", "a"]}, "`classes` must be"),
        ({"version": "tsm", "heatmaps": 0}, "`classes` must be at least one for tsm"),
        ({"span": -1}, "`span` must be"),
        ({"span": "1"}, "`span` must be"),
        ({"trained_on": 3}, "`trained_on` must be text"),
        ({"trained_on": ["x" * 10**6]}, "`trained_on` must be text"),
        ({"notes": None}, "`notes` must be a dictionary"),
        ({"colour": "RGB"}, "contains 'colour', unknown to this version; upgrade"),
    ],
)
def test_every_field_of_a_wrong_type_or_range_is_a_line(tmp_path, change, message):
    text = json.dumps({"format": 1, "spec": {**FIELDS, **change}})
    refuse(lambda path: parse_specification(text, path), tmp_path / "m.keras", message)


@pytest.mark.parametrize("form", [{}, {"format": 1}])
def test_specification_comes_back_with_a_format_or_from_the_first_releases(tmp_path, form):
    spec, content = parse_specification(json.dumps({**form, "spec": FIELDS, "more": 1}), tmp_path)
    assert spec == SPEC
    assert content["more"] == 1


# --- the archive


def test_written_file_has_a_format_number(members):
    assert json.loads(members[SPEC_NAME])["format"] == 1


def test_encrypted_specification_is_a_line(write):
    path = write()
    content = bytearray(path.read_bytes())
    entry = content.rindex(SPEC_NAME.encode()) - 46  # in the directory at the end
    assert content[entry : entry + 4] == b"PK\x01\x02"
    content[entry + 8] |= 1
    path.write_bytes(content)
    refuse(read_spec, path, "tracknet.json in it is encrypted")
    refuse(load_model, path, "tracknet.json in it is encrypted")


@pytest.mark.parametrize("name", [SPEC_NAME, CONFIG_NAME, WEIGHTS_NAME])
def test_flipped_bytes_are_a_line(write, name):
    path = write()
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
    for place in range(info.compress_size // 3, info.compress_size, 7):
        content[info.header_offset + 30 + len(name) + place] ^= 0x55
    path.write_bytes(content)
    refuse(load_model, path, "damaged|cannot be loaded as a Keras model")


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        (SPEC_NAME, 9 << 20, "tracknet.json in it would unpack to 9,437,184 bytes"),
        (CONFIG_NAME, 9 << 20, "config.json in it would unpack to 9,437,184 bytes"),
        (WEIGHTS_NAME, 3 << 30, "would unpack to 3,221,.*more than any model"),
        ("assets/a", 3 << 30, "would unpack to 3,221,"),
    ],
)
def test_archive_that_would_swell_is_refused_by_what_it_says_of_its_size(
    write, tmp_path, name, size, message
):
    path = write()
    with zipfile.ZipFile(path, "a") as archive:
        if name not in archive.namelist():
            archive.writestr(name, b"")
    content = bytearray(path.read_bytes())
    entry = content.rindex(name.encode()) - 46
    struct.pack_into("<I", content, entry + 24, size)  # nobody has written so much
    path.write_bytes(content)
    refuse(load_model, path, message)


def change_layer(members, **changes):
    config = json.loads(members[CONFIG_NAME])
    config["config"]["layers"][1].update(changes)
    return json.dumps(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_name": "Lambda"}, "a layer of class Lambda, module keras.layers, which is not"),
        ({"class_name": "TFSMLayer"}, "a layer of class TFSMLayer"),
        ({"class_name": "Popen", "module": "subprocess"}, "class Popen, module subprocess"),
        ({"class_name": "Mine", "module": "shop", "registered_name": "shop>Mine"}, "class Mine"),
        ({"class_name": "Nothing"}, "cannot be loaded as a Keras model"),
        ({"class_name": 3}, "cannot be loaded as a Keras model"),
    ],
)
def test_layer_of_a_stranger_is_refused(write, members, changes, message):
    refuse(load_model, write(config=change_layer(members, **changes)), message)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "{", 100_000 * "["])
def test_damaged_configuration_is_a_line(write, text):
    refuse(load_model, write(config=text), "not a Keras model: its config.json is damaged")


# --- against the network


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"frames": 8, "heatmaps": 8},
            "8 frames.*mean 32x64x27 in.*but the network has 32x64x15 in",
        ),
        ({"frames": 3, "heatmaps": 3}, "specification and network do not match: v3, 3 frames"),
        ({"background": "subtract"}, "specification and network do not match.*background subtract"),
        # As many channels as five frames alone have.
        ({"version": "v2", "frames": 5, "background": "none"}, "takes background_and_frames"),
        ({"input_size": [64, 128]}, "specification and network do not match.*64x128 pixels"),
        ({"version": "v2", "heatmaps": 1}, "specification and network do not match.*1 heatmaps"),
        ({"version": "v1", "heatmaps": 1}, "v1, but the network gives heatmaps"),
        (
            {"version": "tsm", "heatmaps": 0, "classes": ["a"]},
            "specification and network do not match: tsm",
        ),
        (
            {"version": "rectifier", "heatmaps": 0, "input_size": [0, 0]},
            "network do not match: rectifier",
        ),
    ],
)
def test_specification_of_another_network_is_refused(write, change, message):
    text = json.dumps({"spec": {**FIELDS, **change}})
    path = write(spec=text)
    assert read_spec(path) is not None  # nothing wrong with the specification alone
    refuse(load_model, path, message)


@pytest.mark.parametrize(("size", "allowed"), [(SIZE, True), ((30, 64), False)])
def test_network_for_any_size_takes_multiples_of_eight(tmp_path, size, allowed):
    inputs = keras.Input((None, None, 9), name="frames")
    network = keras.Model(inputs, keras.layers.Conv2D(3, 1, name="heatmaps")(inputs))
    path = tmp_path / "any.keras"
    spec = ModelSpec("v2", 3, 3, "none", size)
    if allowed:
        save_model(network, spec, path)
        assert load_model(path).spec.input_size == size
    else:
        wrong = "30x64 pixels, which are not multiples of 8"
        refuse(lambda path: save_model(network, spec, path), path, wrong)


def test_network_is_not_saved_with_the_specification_of_another(tmp_path):
    path = tmp_path / "m.keras"
    with pytest.raises(InputError, match="specification and network do not match: v3, 8 frames"):
        save_model(build_detector(SPEC), detector_spec("v3", frames=8, background="concat"), path)
    assert not path.exists()


# --- exported files


def describe(**changes):
    return {
        "spec": FIELDS, "output": "heatmaps", "frame_size": [72, 128], "precision": "fp32",
        "provenance": {}, **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output": "zzz"}, "`output` must be one of heatmaps, detections"),
        (
            {"output": "positions"},
            "`output` must be one of heatmaps, detections",
        ),  # a rectifier's
        ({"output": None}, "`output` must be"),
        ({"frame_size": None}, "`frame_size` must be"),
        ({"frame_size": [10**9, 10**9]}, "`frame_size` must be"),
        ({"frame_size": ["72", 128]}, "`frame_size` must be"),
        ({"precision": "fp8"}, "`precision` must be one of fp32"),
        ({"provenance": []}, "`provenance` must be a dictionary"),
        ({"colour_order": "BGR"}, "`colour_order` must be one of RGB"),
        ({"format": 7}, "newer version"),
    ],
)
def test_description_of_an_exported_file_is_checked(tmp_path, change, message):
    text = json.dumps(describe(**change))
    refuse(lambda path: Description.from_json(text, path), tmp_path / "m.onnx", message)


HOSTILE = [
    (b"[1]", "damaged .list instead of a dictionary"),
    ('{"spec": "\u00f6"}'.encode("latin-1"), "damaged .not UTF-8"),
    (VERY_DEEP.encode(), "damaged .nested too deep"),
    (json.dumps(describe(spec={**FIELDS, "frames": "8"})).encode(), "`frames` must be"),
    (json.dumps(describe(format=7)).encode(), "newer version.*upgrade keras_tracknet"),
]


@pytest.mark.parametrize(("text", "message"), HOSTILE)
def test_litert_file_of_a_stranger_is_refused(tmp_path, text, message):
    path = tmp_path / "m.tflite"
    path.write_bytes(b"TFL3")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(SPEC_NAME, text)
    refuse(open_network, path, message)


@pytest.mark.parametrize(("text", "message"), HOSTILE)
def test_saved_model_of_a_stranger_is_refused(tmp_path, text, message):
    pytest.importorskip("tensorflow")
    path = tmp_path / "model"
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"graph")
    (path / SPEC_NAME).write_bytes(text)
    refuse(open_network, path, message)


def test_damaged_saved_model_is_refused(tmp_path):
    pytest.importorskip("tensorflow")
    path = tmp_path / "model"
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"graph")
    (path / SPEC_NAME).write_text(json.dumps(describe()))
    refuse(open_network, path, "TensorFlow cannot read it; export it again")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((text.decode(), message) for text, message in HOSTILE if b"\xf6" not in text),
        (json.dumps(describe()), "do not match.*x4x32x64 out, but the network has 1x2x3 in"),
    ],
)
def test_onnx_file_of_a_stranger_is_refused(tmp_path, text, message):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    place = [onnx.helper.make_tensor_value_info(n, 1, [1, 2, 3]) for n in ("a", "b")]
    node = onnx.helper.make_node("Identity", ["a"], ["b"])
    graph = onnx.helper.make_graph([node], "any", place[:1], place[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.helper.set_model_props(model, {"tracknet": text})
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    refuse(open_network, path, message)


FRAMES, BEHIND = (1, 4, 72, 128, 3), (1, 72, 128, 3)


@pytest.mark.parametrize(
    ("inputs", "output", "kind", "fits"),
    [
        ([FRAMES, BEHIND], (1, 4, *SIZE), "heatmaps", True),
        ([BEHIND, FRAMES], (1, 4, *SIZE), "heatmaps", True),
        ([(None, 4, None, None, 3), BEHIND], (None, 4, *SIZE), "heatmaps", True),
        ([FRAMES, BEHIND], (1, 4, 3), "detections", True),
        ([FRAMES, BEHIND], (1, 4, 3), "heatmaps", False),
        ([FRAMES], (1, 4, *SIZE), "heatmaps", False),  # no background
        ([(1, 8, 72, 128, 3), BEHIND], (1, 8, *SIZE), "heatmaps", False),
        ([(1, 4, 288, 512, 3), (1, 288, 512, 3)], (1, 4, *SIZE), "heatmaps", False),
    ],
)
def test_exported_network_has_the_shapes_that_its_description_means(
    tmp_path, inputs, output, kind, fits
):
    described = Description(SPEC, kind, (72, 128), "fp32")
    if fits:
        described.check(tmp_path, inputs, output)
    else:
        refuse(
            lambda path: described.check(path, inputs, output),
            tmp_path,
            "specification and network do not match",
        )


def test_rectifier_has_the_shapes_of_its_window(tmp_path):
    spec = ModelSpec("rectifier", 8, 0, "none", (0, 0))
    described = Description(spec, "positions", (0, 0), "fp32")
    described.check(tmp_path, [(1, 8, 1), (1, 8, 2)], (1, 8, 2))
    refuse(
        lambda path: described.check(path, [(1, 16, 1), (1, 16, 2)], (1, 16, 2)),
        tmp_path,
        "specification and network do not match: rectifier, 8 frames",
    )
