import json
import os

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from helpers_models import build_tiny, randomize_weights
from helpers_trackers import detector_spec, make_detector, save_detector
from keras_tracknet_cli.export import export as export_command
from keras_tracknet_cli.main import cli

from keras_tracknet.errors import InputError
from keras_tracknet.evaluation import exporting, verification
from keras_tracknet.evaluation.exporting import export
from keras_tracknet.evaluation.sampling import sample_windows
from keras_tracknet.evaluation.verification import Verification, verify_export
from keras_tracknet.inference.engines import exports
from keras_tracknet.inference.engines.conversion import Conversion
from keras_tracknet.inference.engines.converters import _read_calibration
from keras_tracknet.inference.engines.exports import put_in_place
from keras_tracknet.inference.engines.keras import KerasNetwork
from keras_tracknet.inference.engines.network import Description
from keras_tracknet.synthetic import write_rallies
from keras_tracknet.weights.model_file import save_model
from keras_tracknet.weights.spec import ModelSpec

NO_DIFFERENCE = Verification(4, 0.0, 0.0, 0.0, 0.0, 0, 12)


@pytest.fixture(scope="module")
def rally(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rally")
    write_rallies(folder, 1, size=(72, 128), frames=24)
    return folder


@pytest.fixture
def weights(tmp_path):
    return save_detector(tmp_path / "w.keras", "v3", frames=4, background="concat")


@pytest.fixture
def without_conversion(monkeypatch):
    """Let every conversion succeed at once, and return what was to be converted."""
    done = []
    monkeypatch.setattr(Conversion, "check", lambda self: None)
    monkeypatch.setattr(Conversion, "run", lambda self: done.append(self))
    return done


def run_instead(monkeypatch, change):
    """Let a changed Keras network stand in for the exported file."""
    real = exporting.open_network

    def open_changed(path, **settings):
        if not str(path).endswith(".tflite"):
            return real(path, **settings)

        class Changed(KerasNetwork):
            def run(self, inputs):
                return change(super().run(inputs))

        return Changed(make_detector("v3", frames=4, background="concat"), precision="float32",
                       batch_size=1)  # fmt: skip

    for module in (exporting, verification):
        monkeypatch.setattr(module, "open_network", open_changed)
    monkeypatch.setattr(verification, "_score", lambda *_: {})


@pytest.mark.parametrize(
    ("change", "largest", "position"),
    [
        (lambda maps: maps, 0.0, 0.0),  # as it is
        (lambda maps: maps * 0.9, 0.1, 0.0),
        (lambda maps: np.roll(maps, 2, axis=-1), 1.0, 2.0),
    ],
)
def test_verification_measures_what_differs(rally, weights, monkeypatch, change, largest, position):
    run_instead(monkeypatch, change)
    found = verify_export(weights, weights.with_suffix(".tflite"), rally)
    assert found.frames == 24
    assert found.heatmap_largest == pytest.approx(largest, abs=0.02)
    assert found.position_mean == pytest.approx(position, abs=0.05)


def test_export_that_differs_fails_and_leaves_the_figures(
    rally, weights, monkeypatch, without_conversion
):
    run_instead(monkeypatch, lambda maps: maps * 0.9)
    target = weights.with_suffix(".tflite")
    with pytest.raises(InputError, match=r"differs from .* more than fp32 explains"):
        export(weights, target, format="tflite", end_to_end=False, verify=True, data=rally)
    report = json.loads((target.with_name("w.tflite.verification.json")).read_text())
    assert (report["within_tolerance"], report["data"]) == (False, str(rally))
    assert report["heatmap_largest"] > 0.05


def test_calibration_windows_go_to_the_conversion(rally, weights, without_conversion, monkeypatch):
    seen, read = {}, []

    def look(conversion):
        with np.load(conversion.calibration) as content:
            seen.update({name: content[name].shape for name in content.files})
        read.extend({k: v.shape for k, v in w.items()} for w in _read_calibration(conversion)())

    monkeypatch.setattr(Conversion, "run", look)
    target = weights.with_suffix(".tflite")
    export(weights, target, format="tflite", precision="int8", calibrate=rally)
    assert seen == {"frames": (6, 4, 32, 64, 3), "background": (6, 32, 64, 3)}
    assert read == [{"frames": (1, 4, 32, 64, 3), "background": (1, 32, 64, 3)}] * 6


@pytest.mark.parametrize(
    ("verification", "precision", "expected"),
    [
        (NO_DIFFERENCE, "fp32", True),
        (Verification(4, 0.01, 0.001, 0.005, 0.001, 0, 12), "fp32", False),  # maps differ
        (Verification(4, 0.01, 0.001, 0.005, 0.001, 0, 12), "fp16", True),
        (Verification(4, None, None, 0.5, 0.2, 0, 12), "fp16", False),  # positions differ
        (Verification(4, 0.3, 0.1, 3.0, 1.0, 2, 12, 0.90, 0.895), "int8", True),
        (Verification(4, 0.3, 0.1, 3.0, 1.0, 2, 12, 0.90, 0.885), "int8", False),  # F1 lost
        (Verification(4, 0.3, 0.1, 3.0, 1.0, 2, 12), "int8", True),  # nothing to judge by
    ],
)
def test_what_a_precision_allows(verification, precision, expected):
    assert verification.is_within(precision) is expected


def test_windows_are_spread_over_videos(rally):
    (video,) = rally.glob("*.mp4")
    frames, backgrounds = sample_windows([video, video], 4, (32, 64), 4)
    assert frames.shape == (4, 4, 32, 64, 3)
    assert backgrounds.shape == (4, 32, 64, 3)
    np.testing.assert_array_equal(frames[0], frames[2])
    assert (frames[0] != frames[1]).any()


def write_counting(folder, frames):
    """Pictures that are as bright as their number says."""
    folder.mkdir()
    for number in range(frames):
        cv2.imwrite(str(folder / f"{number:03}.png"), np.full((4, 6, 3), number, np.uint8))
    return folder


@pytest.mark.parametrize(
    ("videos", "count", "starts"),
    [
        # One of ten windows: from its beginning to its end.
        ([40], 4, [0, 8, 24, 32]),
        ([40], 1, [0]),
        ([12], 4, [0, 4, 8]),  # all that there are
        ([3], 4, [0]),  # shorter than a window
        # A share of each, where it has as many.
        ([40, 40], 4, [0, 32, 0, 32]),
        ([40, 40, 40], 5, [0, 32, 0, 32, 0]),
        ([4, 40], 4, [0, 0, 16, 32]),
        # More videos than windows: the last one counts, too.
        ([4, 8, 12, 16, 20], 3, [0, 0, 0]),
    ],
)
def test_windows_are_spread_over_each_videos_length(tmp_path, videos, count, starts):
    folders = [write_counting(tmp_path / f"{k}", n) for k, n in enumerate(videos)]
    frames, backgrounds = sample_windows(folders, 4, (4, 6), count)
    assert frames[:, 0, 0, 0, 0].tolist() == starts
    assert len(backgrounds) == len(frames)
    if len(videos) > count:  # background: the middle of 4, 12 and 20 pictures
        assert backgrounds[:, 0, 0, 0].tolist() == [1, 5, 9]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": "tflite", "output": "a.onnx"}, r"wrong suffix for format tflite; use \.tflite"),
        ({"format": "tflite", "precision": "int8"}, "int8 is calibrated on real frames"),
        (
            {"format": "saved-model", "precision": "fp16", "output": "a"},
            "format saved-model supports fp32 only",
        ),
        ({"format": "tflite", "precision": "int8", "calibrate": "none.mp4"}, "no such video"),
        ({"format": "tflite", "input_size": (30, 64)}, "size 30x64 is not supported: both sides"),
        ({"format": "tflite", "input_size": (80_000, 64)}, "size 80000x64 is not supported"),
        ({"format": "tflite", "frame_size": (16, 64)}, "frame size 16x64 is not supported"),
        (
            {"format": "tflite", "frame_size": (10**9, 10**9)},
            "is not supported: it must be between",
        ),
        ({"format": "tflite", "output": "w.keras/a.tflite"}, "cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_told_before_the_work(tmp_path, weights, settings, message):
    from pathlib import Path

    output = tmp_path / settings.pop("output", "a.tflite")
    if "calibrate" in settings:
        settings["calibrate"] = Path(settings["calibrate"])
    if settings["format"] == "tflite":
        pytest.importorskip("tensorflow")
    with pytest.raises(InputError, match=message):
        export(weights, output, **settings)
    assert not output.exists()


def test_what_cannot_be_verified_is_told_before_the_work(tmp_path, weights, without_conversion):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    for data in ("empty", "broken.mp4", "missing.mp4"):
        with pytest.raises(InputError, match=data):
            export(weights, tmp_path / "w.tflite", format="tflite", verify=True,
                   data=tmp_path / data)  # fmt: skip
    assert without_conversion == []


def test_data_without_verification_is_wrong_usage(tmp_path):
    arguments = ["--format", "tflite", "--data", str(tmp_path), "-o", str(tmp_path / "a.tflite")]
    result = CliRunner().invoke(export_command, arguments)
    assert result.exit_code == 2
    assert "add --verify" in result.output


# --- what is there already

DESCRIBED = detector_spec("v2")
TEXT = Description(DESCRIBED, "heatmaps", (32, 64), "fp32").as_json()
OURS = {
    "saved_model.pb": "graph",
    "tracknet.json": TEXT,
    "fingerprint.pb": "",
    "variables/variables.index": "",
    "variables/variables.data-00000-of-00001": "",
}
XML = f'<net><rt_info><tracknet value="{TEXT.replace(chr(34), "&quot;")}" /></rt_info></net>'


def write_files(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def list_files(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("format", "output", "files", "replaced"),
    [
        ("saved-model", "models", {f"models/{name}": text for name, text in OURS.items()}, True),
        ("tflite", "w.tflite", {"w.tflite": f"TFL3...{TEXT}"}, True),
        ("onnx", "w.onnx", {"w.onnx": TEXT}, True),
        ("openvino", "w.xml", {"w.xml": XML, "w.bin": "weights"}, True),
        # Folders and files that export did not write, or not alone.
        ("saved-model", "models", {"models/notes.txt": "mine"}, False),
        ("saved-model", "models", {"models/a/b/notes.txt": "mine"}, False),
        ("saved-model", "models", {"models": "mine"}, False),
        ("saved-model", "models", {"models/saved_model.pb": "", "models/variables/a": ""}, False),
        ("saved-model", "models",
         {**{f"models/{name}": text for name, text in OURS.items()}, "models/mine.csv": "x"},
         False),
        ("saved-model", "models",
         {**{f"models/{name}": text for name, text in OURS.items()}, "models/variables/x": "x"},
         False),
        ("saved-model", "models", {"models/saved_model.pb": "", "models/tracknet.json": "{}"},
         False),
        ("tflite", "w.tflite", {"w.tflite": "mine"}, False),
        ("tflite", "w.tflite", {"w.tflite": ""}, False),
        ("tflite", "w.tflite", {"w.tflite/mine.csv": "x"}, False),
        ("onnx", "w.onnx", {"w.onnx": "mine"}, False),
        ("openvino", "w.xml", {"w.xml": "mine"}, False),
        ("openvino", "w.xml", {"w.bin": "mine"}, False),  # would be written too
    ],
)  # fmt: skip
def test_only_exports_are_replaced_and_only_when_asked_for(
    tmp_path, weights, without_conversion, format, output, files, replaced
):
    place = tmp_path / "place"
    write_files(place, files)
    with pytest.raises(InputError, match=r"already exists; use `overwrite=True`"):
        export(weights, place / output, format=format)
    if replaced:
        export(weights, place / output, format=format, overwrite=True)
        assert [done.format for done in without_conversion] == [format]
    else:
        with pytest.raises(
            InputError, match="was not written by tracknet export and is not overwritten"
        ):
            export(weights, place / output, format=format, overwrite=True)
        assert without_conversion == []
    assert list_files(place) == files


def test_the_command_does_not_empty_a_folder(tmp_path, weights):
    write_files(tmp_path / "models", {"a.csv": "1", "b/c.mp4": "2"})
    arguments = ["--weights", str(weights), "--format", "saved-model", "--overwrite"]
    result = CliRunner().invoke(cli, ["export", *arguments, "-o", str(tmp_path / "models")])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "was not written by tracknet export" in result.stderr
    assert list_files(tmp_path / "models") == {"a.csv": "1", "b/c.mp4": "2"}


def test_an_export_takes_the_place_of_the_one_before(tmp_path):
    made, place = tmp_path / "made", tmp_path / "place"
    write_files(place, {**{f"m/{name}": text for name, text in OURS.items()}, "other.csv": "x"})
    write_files(made, {"m/saved_model.pb": "new", "m/tracknet.json": TEXT, "w.tflite": "new"})
    put_in_place(made, place)
    assert list_files(place) == {
        "m/saved_model.pb": "new", "m/tracknet.json": TEXT, "w.tflite": "new", "other.csv": "x",
    }  # fmt: skip
    write_files(made, {"m/saved_model.pb": "newer"})
    write_files(place, {"m/mine.csv": "x"})
    before = list_files(place)
    with pytest.raises(InputError, match="is not overwritten"):
        put_in_place(made, place)
    assert list_files(place) == before


def test_an_export_that_cannot_be_put_in_place_leaves_the_one_before(tmp_path, monkeypatch):
    made, place = tmp_path / "made", tmp_path / "place"
    before = {"w.bin": "old weights", "w.xml": XML}
    write_files(place, before)
    write_files(made, {"w.bin": "new weights", "w.xml": "new"})
    real = os.replace

    def fail(source, target):
        if source == made / "w.xml":
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(exports.os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        put_in_place(made, place)
    assert list_files(place) == before


def test_a_conversion_that_fails_leaves_the_export_before(tmp_path, weights, monkeypatch):
    converters = pytest.importorskip("keras_tracknet.inference.engines.converters")

    def fail(model, path, described, wanted):
        path.write_text("half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(converters.WRITERS, "tflite", fail)
    monkeypatch.setattr(converters, "is_trained", lambda _: True)
    (tmp_path / "a.tflite").write_text("what was there")
    with pytest.raises(OSError, match="No space left"):
        converters.convert(Conversion(str(weights), str(tmp_path / "a.tflite"), "tflite"))
    assert (tmp_path / "a.tflite").read_text() == "what was there"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tflite", "w.keras"]


def test_missing_library_is_one_line(monkeypatch):
    from keras_tracknet.inference.engines import conversion

    monkeypatch.setattr(conversion.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match="export to tflite requires tensorflow; run: pip install"):
        Conversion("a.keras", "a.tflite", "tflite").check()


def test_rectifier_is_not_exported(tmp_path):
    path = tmp_path / "rectifier.keras"
    model = randomize_weights(build_tiny("rectifier", window=8))
    save_model(model, ModelSpec("rectifier", 8, 0, "none", (0, 0)), path)
    with pytest.raises(InputError, match="not a tracker; use the weights"):
        export(path, tmp_path / "a.tflite", format="tflite")


def test_network_of_another_size_and_larger_frames(tmp_path):
    pytest.importorskip("openvino")
    from keras_tracknet.inference.engines import open_network

    weights = save_detector(tmp_path / "w.keras", "v2")
    target = tmp_path / "w.xml"
    export(weights, target, format="openvino", input_size=(40, 72), frame_size=(80, 144))
    network = open_network(target)
    assert (network.spec.input_size, network.frame_size) == ((40, 72), (80, 144))
    frames = np.zeros((1, 3, 80, 144, 3), np.uint8)
    frames[:, :, 20:28, 100:108] = 255
    x, y, _ = network.run([frames])[0, 0]
    assert (x * 144 - 0.5, y * 80 - 0.5) == pytest.approx((103.5, 23.5), abs=0.1)
    assert network.spec.threshold == detector_spec().threshold


@pytest.mark.parametrize(("flags", "positions"), [([], True), (["--heatmaps"], False)])
def test_a_file_that_is_worse_than_its_weights_says_so(tmp_path, monkeypatch, flags, positions):
    scores = {"f1_before": 0.93, "f1_after": 0.915, "data": "clips of halls"}
    found = Verification(1, None, None, 0.1, 0.2, 0, 8, **scores)
    monkeypatch.setattr(exporting, "export", lambda *_args, **_more: found)
    arguments = ["--format", "tflite", "--verify", "-o", str(tmp_path / "a.tflite")]
    result = CliRunner().invoke(export_command, [*arguments, *flags])
    assert result.exit_code == 0, result.output
    assert "F1 on clips of halls: 0.930 before export, 0.915 after" in result.output
    assert "the exported file loses 1.5 points of F1" in result.output
    assert ("do not follow faint detections" in result.output) == positions
