import json
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from helpers_models import build_tiny, randomize_weights
from helpers_trackers import SIZE, detector_spec, make_detector, paint, save_detector
from keras_tracknet_cli.main import cli

from keras_tracknet import backends
from keras_tracknet.errors import InputError
from keras_tracknet.evaluation import benchmark
from keras_tracknet.inference import engines
from keras_tracknet.inference.detections import decode_centroid
from keras_tracknet.inference.engines import KERAS, choose_engine, open_network
from keras_tracknet.inference.engines.conversion import FORMATS, SUFFIXES, Conversion
from keras_tracknet.inference.engines.keras import KerasNetwork
from keras_tracknet.inference.engines.network import Description
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.presets import find_weights
from keras_tracknet.synthetic import write_rallies
from keras_tracknet.video.reader import read_frames
from keras_tracknet.video.writer import VideoWriter
from keras_tracknet.weights.model_file import ModelFile, save_model
from keras_tracknet.weights.spec import ModelSpec

TOLERANCE = 1e-5  # of a heatmap, whichever engine made it in single precision


def draw_windows(spec, count=2, seed=0):
    rng = np.random.default_rng(seed)
    inputs = [rng.integers(0, 256, (count, spec.frames, *spec.input_size, 3), dtype=np.uint8)]
    if spec.background != "none":
        inputs.append(rng.integers(0, 256, (count, *spec.input_size, 3), dtype=np.uint8))
    return inputs


def save_random(folder, **settings):
    """A tracker whose outputs depend on everything that goes in."""
    spec = detector_spec("v3", frames=4, **settings)
    model = randomize_weights(build_tiny("v3", background=spec.background))
    path = Path(folder) / f"{spec.background}.keras"
    save_model(model, spec, path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_random(tmp_path_factory.mktemp("weights"), background="concat")


@pytest.fixture(scope="module")
def converted(weights, tmp_path_factory):
    """Return a function that converts the weights, once for each way."""
    folder = tmp_path_factory.mktemp("converted")

    @cache
    def convert(format, output="heatmaps"):
        conversion = Conversion(
            str(weights), str(folder / f"{output}{SUFFIXES[format]}"), format, output=output
        )
        try:
            conversion.check()
        except InputError as error:
            pytest.skip(str(error))
        conversion.run()
        return Path(conversion.target)

    return convert


@pytest.mark.parametrize("format", FORMATS)
def test_every_engine_gives_the_heatmaps_of_keras(weights, converted, format):
    path = converted(format)
    ours = open_network(weights, engine=KERAS, precision="float32")
    theirs = open_network(path, precision="float32", batch_size=1)
    inputs = draw_windows(ours.spec)
    expected = ours.run(inputs)
    outputs = np.concatenate([theirs.run([a[k : k + 1] for a in inputs]) for k in range(2)])
    assert (theirs.spec, theirs.device) == (ours.spec, "cpu")
    assert expected.std() > 0.01
    np.testing.assert_allclose(outputs, expected, atol=TOLERANCE)


@pytest.mark.parametrize("format", FORMATS)
def test_every_engine_gives_the_same_detections(weights, converted, format):
    path = converted(format, "detections")
    network = open_network(path, precision="float32", batch_size=1)
    ours = open_network(weights, engine=KERAS, precision="float32", batch_size=1)
    inputs = draw_windows(network.spec, 1)
    found, maps = network.run(inputs)[0], ours.run(inputs)[0]
    np.testing.assert_allclose(found[:, 2], maps.max(axis=(1, 2)), atol=TOLERANCE)
    finder = Finder(network.spec.threshold)
    np.testing.assert_allclose(found, finder(maps), atol=1e-4)


def test_onnx_turns_pictures_at_the_start_only_and_enlarges_at_once(converted):
    path, onnx = converted("onnx"), pytest.importorskip("onnx")
    nodes = onnx.load(path).graph.node
    kinds = Counter(node.op_type for node in nodes)
    first = next(k for k, node in enumerate(nodes) if node.op_type == "Conv")
    turns = [k for k, node in enumerate(nodes) if node.op_type == "Transpose"]
    assert (len(turns), max(turns) < first) == (2, True)
    assert (kinds["Resize"], kinds["Tile"], kinds["Gather"]) == (3, 0, 0)
    assert not [node for node in nodes if "half_pixel" in str(node.attribute)]


def test_litert_enlarges_at_once(converted):
    path, litert = converted("tflite"), pytest.importorskip("ai_edge_litert.interpreter")
    details = litert.Interpreter(str(path))._get_ops_details()
    kinds = Counter(operation["op_name"] for operation in details)
    assert (kinds["RESIZE_NEAREST_NEIGHBOR"], kinds["TILE"], kinds["BROADCAST_TO"]) == (3, 0, 0)
    assert kinds["TRANSPOSE"] == 2  # frames stacked, heatmaps taken apart


@pytest.mark.parametrize(
    "format",
    ["tflite", "onnx", "openvino"],
)
def test_int8_finds_balls_where_they_are(tmp_path, format):
    weights = save_detector(tmp_path / "w.keras", frames=3)
    dots = [(10 + 3 * k, 8 + k) for k in range(12)]
    pictures = np.stack([paint(SIZE, dot) for dot in dots]).reshape(4, 3, *SIZE, 3)
    np.savez(tmp_path / "c.npz", frames=pictures)
    target = tmp_path / f"int8{SUFFIXES[format]}"
    conversion = Conversion(
        str(weights), str(target), format, "int8", "detections", calibration=str(tmp_path / "c.npz")
    )
    try:
        conversion.check()
    except InputError as error:
        pytest.skip(str(error))
    conversion.run()
    network = open_network(target, precision="float32", batch_size=1)
    found = np.concatenate([network.run([window[None]])[0] for window in pictures])
    np.testing.assert_allclose(found[:, :2] * SIZE[::-1], np.array(dots) + 0.5, atol=0.25)
    assert found[:, 2].min() > 0.5
    if format == "openvino":
        assert 'element_type="i8" shape="' in target.read_text()  # weights, too


def test_int8_network_beside_the_weights_is_theirs_or_refused(weights, converted, tmp_path):
    beside = tmp_path / "w.keras"
    beside.write_bytes(weights.read_bytes())
    with pytest.raises(InputError, match=r"w\.int8\.xml is missing next to it; write it with"):
        open_network(beside, precision="int8")
    for suffix in (".xml", ".bin"):
        made = converted("openvino").with_suffix(suffix)
        (tmp_path / f"w.int8{suffix}").write_bytes(made.read_bytes())
    with pytest.raises(InputError, match="was not exported in int8"):
        open_network(beside, precision="int8")
    save_random(tmp_path, background="none").rename(beside)
    with pytest.raises(InputError, match=r"was made from other weights than w\.keras"):
        open_network(beside, precision="int8")
    with pytest.raises(InputError, match=r"requires .engine=.openvino.*engine='keras'"):
        open_network(beside, engine=KERAS, precision="int8")


def test_default_weights_see_a_rendered_rally_alike_in_openvino_and_keras(tmp_path):
    needs_openvino()
    (video,) = write_rallies(tmp_path, 1, frames=8, size=(288, 512))
    frames = np.stack([frame.image for frame in read_frames(video.with_suffix(".mp4"))])
    inputs = [frames[None], np.median(frames, axis=0).astype(np.uint8)[None]]
    weights = find_weights("badminton-v3").tracker
    expected = open_network(weights, engine=KERAS, precision="float32", batch_size=1).run(inputs)
    assert expected.max() > 0.5
    for precision, tolerance in (("float32", 1e-5), ("mixed_bfloat16", 1e-2)):
        network = open_network(weights, engine="openvino", precision=precision, batch_size=1)
        assert np.abs(network.run(inputs) - expected).max() < tolerance


def test_bundled_int8_network_sees_what_its_weights_see():
    needs_openvino()
    tracker = find_weights("badminton-v3-tiny").tracker
    background = np.full((288, 512, 3), 60, np.uint8)
    frames = np.stack([background] * 8)
    for k in range(8):  # a shuttlecock's size, and its pace
        frames[k, 100 + 3 * k : 104 + 3 * k, 150 + 8 * k : 154 + 8 * k] = 230
    inputs = [frames[None], background[None]]
    exact, quick = (
        open_network(tracker, engine="openvino", precision=precision, batch_size=1)
        for precision in ("float32", "int8")
    )
    assert (exact.precision, quick.precision) == ("float32", "int8")
    expected, found = exact.run(inputs)[0], quick.run(inputs)[0]
    assert quick.sha256 == exact.sha256
    assert expected.max() > 0.5
    for one, other in zip(found, expected, strict=True):
        place, right = (np.unravel_index(m.argmax(), m.shape) for m in (one, other))
        assert one.max() > 0.5
        np.testing.assert_allclose(place, right, atol=2)


class Finder:
    """`BallFinder` as one would write it in NumPy."""

    def __init__(self, threshold):
        self.threshold = threshold

    def __call__(self, maps, square=17):
        rows, half = [], square // 2
        for heatmap in maps:
            height, width = heatmap.shape
            weight = np.where(heatmap > self.threshold, heatmap, 0).astype(np.float64)
            if not weight.any():
                rows.append((0, 0, heatmap.max()))
                continue
            ys, xs = np.mgrid[:height, :width]
            squares = [(abs(ys - y) <= half) & (abs(xs - x) <= half)
                       for y in range(height) for x in range(width)]  # fmt: skip
            inside = squares[int(np.argmax([weight[s].sum().round(6) for s in squares]))]
            weight = np.where(inside, weight, 0)
            x, y = (xs * weight).sum() / weight.sum(), (ys * weight).sum() / weight.sum()
            rows.append(((x + 0.5) / width, (y + 0.5) / height, heatmap.max()))
        return np.array(rows)


@pytest.mark.parametrize("background", ["none", "subtract", "subtract_concat", "concat"])
def test_the_window_is_stacked_inside_as_it_is_outside(tmp_path, background):
    from keras_tracknet.frames.stacking import scale_window, stack_window
    from keras_tracknet.inference.engines.serving import WindowStacker

    inputs = draw_windows(detector_spec("v3", frames=4, background=background), 1)
    stacked = np.asarray(WindowStacker(background)(*inputs))[0]
    behind = inputs[1][0] if len(inputs) > 1 else None
    expected = scale_window(stack_window(inputs[0][0], behind, background))
    np.testing.assert_allclose(stacked, expected, atol=1e-7)


@pytest.mark.parametrize(
    "source",
    [
        (72, 128),  # 2.25 and 2 times: pixels are shared
        (64, 128),  # whole pixels
        (33, 65),  # hardly more
    ],
)
def test_frames_are_shrunk_inside_as_they_are_outside(source):
    from keras_tracknet.frames.sizes import resize_frame
    from keras_tracknet.inference.engines.serving import WindowStacker

    frames = np.random.default_rng(0).integers(0, 256, (1, 2, *source, 3), dtype=np.uint8)
    stacked = np.asarray(WindowStacker("none", SIZE)(frames))[0] * 255
    expected = np.concatenate([resize_frame(frame, SIZE) for frame in frames[0]], axis=-1)
    assert np.abs(stacked - expected).max() <= 1.001  # rounding of a level
    assert np.abs(stacked - expected).mean() < 0.05


INSIDE = [(20.0, 12.0), (20.5, 12.0), (33.25, 7.75)]
BORDER = [(0.0, 0.0), (63.0, 31.0), (63.0, 0.0), (0.0, 31.0), (62.5, 12.0), (63.5, 31.5),
          (-0.5, 12.0), (20.0, 30.5), (20.5, -0.5)]  # fmt: skip


@pytest.mark.parametrize(("x", "y"), INSIDE + BORDER)
def test_drawn_point_is_found_where_it_was_drawn(x, y):
    from keras_tracknet.inference.engines.serving import BallFinder
    from keras_tracknet.training.batches.heatmaps import render_disc

    heatmap = np.ascontiguousarray(render_disc(np.array([[x, y]]), SIZE)[..., 0])
    found = np.asarray(BallFinder(0.5)(heatmap[None, None]))[0, 0]
    centre = decode_centroid(heatmap, 0.5)
    assert found[0] * SIZE[1] - 0.5 == pytest.approx(centre.x, abs=1e-4)
    assert found[1] * SIZE[0] - 0.5 == pytest.approx(centre.y, abs=1e-4)


def test_the_larger_of_two_blobs_is_the_ball_even_where_the_other_is_higher():
    from keras_tracknet.inference.engines.serving import BallFinder

    maps = np.zeros((1, 1, *SIZE), np.float32)
    maps[0, 0, 4:8, 49:53] = 0.7
    maps[0, 0, 25, 10] = 0.9
    x, y, peak = np.asarray(BallFinder(0.5)(maps))[0, 0]
    assert (x * SIZE[1] - 0.5, y * SIZE[0] - 0.5) == pytest.approx((50.5, 5.5), abs=1e-4)
    assert peak == pytest.approx(0.9)


def test_two_equal_blobs_are_not_averaged():
    from keras_tracknet.inference.engines.serving import BallFinder

    maps = np.zeros((1, 1, *SIZE), np.float32)
    maps[0, 0, 5, 50] = maps[0, 0, 25, 10] = 0.9
    x, y, _ = np.asarray(BallFinder(0.5)(maps))[0, 0]
    assert (x * SIZE[1] - 0.5, y * SIZE[0] - 0.5) == pytest.approx((50, 5), abs=1e-4)


def test_an_empty_map_has_no_ball():
    from keras_tracknet.inference.engines.serving import BallFinder

    maps = np.full((1, 2, *SIZE), 0.3, np.float32)
    np.testing.assert_allclose(BallFinder(0.3)(maps), [[[0, 0, 0.3]] * 2], atol=1e-6)


def make_clip(folder, frames=21):
    path = folder / "clip.mp4"
    with VideoWriter(path, size=(72, 128), fps=Fraction(25)) as writer:
        for n in range(frames):
            writer.write(paint((72, 128), (20 + 4 * n, 30 + n), radius=5))
    return path


@pytest.mark.parametrize(
    ("format", "output"),
    [
        ("openvino", "detections"),
        ("tflite", "heatmaps"),
    ],
)
def test_exported_tracker_gives_the_track_of_its_weights(tmp_path, format, output):
    weights = save_detector(tmp_path / "w.keras", "v3", frames=4, background="concat")
    clip, target = make_clip(tmp_path), tmp_path / f"out{SUFFIXES[format]}"
    conversion = Conversion(str(weights), str(target), format, output=output)
    try:
        conversion.run()
    except InputError as error:
        pytest.skip(str(error))
    expected = Tracker(weights, engine="keras", precision="float32").track(clip)
    track = Tracker(target, precision="float32").track(clip)
    assert expected.visibility.sum() > 15
    np.testing.assert_array_equal(track.visibility, expected.visibility)
    np.testing.assert_allclose(track.positions, expected.positions, atol=0.02)


def test_v1_classes_become_brightness_inside():
    file = make_detector("v1", frames=3, heatmaps=1)
    network = KerasNetwork(file, precision="float32", batch_size=1)
    image = paint(SIZE, (20, 12))
    (brightness,) = network.run([np.stack([image] * 3)[None]])[0]
    assert brightness[12, 20] == 1.0
    assert brightness[0, 0] == 0.0


def needs_openvino():
    if not engines.openvino.is_installed():
        pytest.skip("OpenVINO is not installed")


def test_keras_file_runs_on_openvino_and_is_converted_once(weights, tmp_path, monkeypatch):
    needs_openvino()
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path))
    first = open_network(weights, engine="openvino", precision="float32")
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "engines").glob("*.xml")}
    again = open_network(weights, engine="openvino", precision="float32", batch_size=3)
    assert len(made) == 1
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "engines").glob("*.xml")} == made
    inputs = draw_windows(first.spec, 3)
    ours = open_network(weights, engine=KERAS, precision="float32")
    np.testing.assert_allclose(again.run(inputs), ours.run(inputs), atol=TOLERANCE)
    np.testing.assert_allclose(first.run(inputs), ours.run(inputs), atol=TOLERANCE)
    assert (first.path, first.sha256) == (ours.path, ours.sha256)


def test_rectifier_runs_on_openvino(tmp_path, monkeypatch):
    needs_openvino()
    monkeypatch.setenv("TRACKNET_CACHE", str(tmp_path))
    model = randomize_weights(build_tiny("rectifier", window=8))
    path = tmp_path / "rectifier.keras"
    save_model(model, ModelSpec("rectifier", 8, 0, "none", (0, 0)), path)
    rng = np.random.default_rng(0)
    inputs = [rng.random((5, 8, n), dtype=np.float32) for n in (2, 1)]
    ours, theirs = (open_network(path, engine=e) for e in ("keras", "openvino"))
    np.testing.assert_allclose(theirs.run(inputs), ours.run(inputs), atol=TOLERANCE)


def test_ctrl_c_ends_a_process_whose_openvino_networks_have_gone(tmp_path):
    needs_openvino()
    weights = save_detector(tmp_path / "w.keras")
    code = (
        "import gc, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in the background
        "from keras_tracknet.inference.engines import open_network\n"
        f"first, second = [open_network({str(weights)!r}, engine='openvino') for _ in range(2)]\n"
        "del first; gc.collect()\n"
        "del second; gc.collect()\n"
        "try:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["interrupted"]


def test_tracking_on_openvino_loads_no_framework_and_nothing_of_the_users(tmp_path):
    needs_openvino()
    (tmp_path / "json.py").write_text("raise ImportError")  # in the folder that the user works in
    weights = save_detector(tmp_path / "w.keras")
    clip = make_clip(tmp_path)
    code = (
        "import sys\n"
        "from keras_tracknet import Tracker\n"
        f"track = Tracker({str(weights)!r}, engine='openvino').track({str(clip)!r})\n"
        "print(len(track), *{'keras', 'tensorflow', 'jax', 'torch'}.intersection(sys.modules))"
    )
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["21"]


def test_auto_is_openvino_where_it_fits_and_is_installed(monkeypatch):
    cases = [(True, True, "openvino"), (True, False, "keras"), (False, True, "keras")]
    for fits, installed, expected in cases:
        monkeypatch.setattr(engines, "openvino_fits", lambda _="auto", fits=fits: fits)
        monkeypatch.setattr(engines.openvino, "is_installed", lambda there=installed: there)
        assert choose_engine() == expected
        assert choose_engine(described=False) == "keras"


def test_engine_that_cannot_run_a_file_says_what_can(weights, tmp_path):
    with pytest.raises(InputError, match=r"engine onnx runs exported files only; .* --format onnx"):
        open_network(weights, engine="onnx")
    with pytest.raises(
        InputError, match=r"litert runs exported files only; .* --format tflite and use"
    ):
        open_network(make_detector(), engine="litert")
    (tmp_path / "net.onnx").write_bytes(b"")
    with pytest.raises(InputError, match="file was exported for engine onnx, not keras"):
        open_network(tmp_path / "net.onnx", engine="keras")
    with pytest.raises(ValueError, match=r"`engine` must be one of .*engine='cuda'"):
        open_network(weights, engine="cuda")


def test_engine_of_exported_files_blames_the_weights_not_their_rectifier(weights, tmp_path):
    rectifier = tmp_path / "rectifier.keras"
    rectifier.touch()
    with pytest.raises(InputError, match=rf"^{weights}: engine onnx runs exported files"):
        Tracker(weights, rectifier=rectifier, engine="onnx")


class Session:
    """What ONNX Runtime makes of a file, on a machine where some providers cannot be loaded."""

    loadable: ClassVar = [
        "CUDAExecutionProvider",
        "CoreMLExecutionProvider",
        "CPUExecutionProvider",
    ]

    def __init__(self, path, providers):
        assert "AzureExecutionProvider" not in providers
        self.providers = [p for p in providers if p in self.loadable]

    def get_providers(self):
        return self.providers

    def get_inputs(self):
        return [SimpleNamespace(name="frames", shape=[1, 3, *SIZE, 3])]

    def get_outputs(self):
        return [SimpleNamespace(name="heatmaps", shape=[1, 3, *SIZE])]

    def get_modelmeta(self):
        described = Description(detector_spec("v2"), "heatmaps", SIZE, "fp32")
        return SimpleNamespace(custom_metadata_map={"tracknet": described.as_json()})


@pytest.mark.parametrize(
    ("available", "device"),
    [
        (["Azure", "CPU"], "cpu"),  # as in the wheel for CPUs
        (["CPU"], "cpu"),
        (["Tensorrt", "CUDA", "CPU"], "gpu:0"),  # TensorRT's own libraries are missing
        (["ROCM", "CPU"], "cpu"),  # installed, but cannot be loaded
        (["CoreML", "Azure", "CPU"], "coreml"),
    ],
)
def test_device_of_onnx_is_what_computes(tmp_path, monkeypatch, available, device):
    names = [f"{name}ExecutionProvider" for name in available]
    runtime = SimpleNamespace(InferenceSession=Session, get_available_providers=lambda: names)
    monkeypatch.setattr(engines.onnx, "is_installed", lambda: True)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    (tmp_path / "net.onnx").touch()
    assert engines.onnx.OnnxNetwork(tmp_path / "net.onnx").device == device


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("keras", ["keras"]),
        (" onnx, keras,onnx", ["onnx", "keras"]),
        ("keras,all", ["keras", "litert"]),
    ],
)
def test_engines_to_measure_are_those_named(monkeypatch, names, expected):
    monkeypatch.setattr(benchmark, "list_engines", lambda: ["keras", "litert"])
    assert benchmark.read_engines(names) == expected


@pytest.mark.parametrize(
    ("names", "unknown"), [("foo", "foo"), ("keras,Onnx", "Onnx"), ("keras,", "''")]
)
def test_unknown_engine_to_measure_is_wrong_usage(names, unknown):
    result = CliRunner().invoke(cli, ["bench", "--engines", names])
    assert result.exit_code == 2
    assert f"unknown engine {unknown}; use one of auto, all, keras, openvino" in result.stderr


@pytest.mark.parametrize("name", ["net.tflite", "net.onnx", "net.xml", "NET.ONNX"])
@pytest.mark.parametrize("content", [None, b"not a network"])
def test_damaged_or_missing_export_is_an_input_error(tmp_path, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError):
        open_network(path)


def test_untrained_weights_are_not_converted(tmp_path):
    needs_openvino()
    spec = detector_spec("v3", frames=4)
    save_model(build_tiny("v3", background="none"), spec, tmp_path / "new.keras")
    with pytest.raises(InputError, match="weights are untrained"):
        Conversion(str(tmp_path / "new.keras"), str(tmp_path / "new.xml"), "openvino").run()
    assert [p.name for p in tmp_path.iterdir()] == ["new.keras"]


def test_positions_cannot_be_thresholded_or_merged_again(tmp_path):
    class Positions(KerasNetwork):
        def __init__(self):
            super().__init__(make_detector(), precision="float32")
            self.output = "detections"

    for settings in ({"mode": "accurate"}, {"threshold": 0.3}, {"decode": "published"}):
        with pytest.raises(InputError, match="export it again with tracknet export --heatmaps"):
            Tracker(Positions(), **settings)
    Tracker(Positions())


def test_description_survives_its_text(tmp_path):
    spec = detector_spec("v3", frames=4, background="concat", trained_on="dots")
    described = Description(spec, "detections", (72, 128), "fp16", {"sha256": "0"})
    assert Description.from_json(described.as_json(), tmp_path) == described
    assert json.loads(described.as_json())["colour_order"] == "RGB"
    with pytest.raises(InputError, match=r"specification is damaged .missing fields: version"):
        Description.from_json('{"spec": {}}', tmp_path)


def test_keras_file_without_a_description_runs_on_keras(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "openvino_fits", lambda _="auto": True)
    path = tmp_path / "plain.keras"
    randomize_weights(build_tiny("v3", input_size=SIZE)).save(path)
    assert open_network(path).engine == "keras"


def test_model_in_memory_runs_on_keras():
    network = open_network(make_detector(), precision="float32")
    assert isinstance(make_detector(), ModelFile)
    assert (network.engine, network.precision) == ("keras", "float32")
    assert keras.backend.backend() in keras.config.backend()


def test_device_is_the_one_that_was_asked_for(weights, monkeypatch):
    network = open_network(weights, engine=KERAS, device="cpu", precision="float32")
    ours = open_network(weights, engine=KERAS, precision="float32")
    inputs = draw_windows(network.spec)
    np.testing.assert_allclose(network.run(inputs), ours.run(inputs), atol=TOLERANCE)
    assert network.device == "cpu"
    monkeypatch.setattr(backends, "list_devices", lambda: ["cpu:0"])
    with pytest.raises(InputError, match='Keras finds no GPU for `device="gpu"`'):
        open_network(weights, device="gpu")
    with pytest.raises(InputError, match="engine openvino does not run on a GPU"):
        open_network(weights, engine="openvino", device="gpu")
    with pytest.raises(ValueError, match=r"`device` must be one of.*'tpu'"):
        open_network(weights, device="tpu")
