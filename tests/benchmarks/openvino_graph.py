"""How close the OpenVINO file of V3 comes to the same network written for OpenVINO by hand.

    python tests/benchmarks/openvino_graph.py --width 0.5

Converts a V3 of random weights as `tracknet predict` does, builds the graph of the paper's table
from OpenVINO's own operations, and runs both in turns on one stream, in one process. Prints the
median seconds a window of 8 frames of 288x512 takes, their ratio, the share of the time that
convolutions take, and what either reaches of the machine's rate of multiplying matrices, measured
in OpenVINO and in the same precision (`keras_tracknet.evaluation.matrix_rate`).
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import openvino
from openvino import opset1
from openvino import opset13 as ops

from keras_tracknet.evaluation.matrix_rate import measure_matrix_rate
from keras_tracknet.inference.engines.conversion import Conversion
from keras_tracknet.inference.engines.openvino import PRECISIONS, count_operations

SIZE, FRAMES = (288, 512), 8
STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 256), (2, 128), (2, 64))
Settings = dict[str, str | bool]


def save_model(width: float, folder: Path) -> Path:
    """Write a V3 of random weights, and return the file."""
    import keras_tracknet as kt
    from keras_tracknet.weights.spec import ModelSpec

    model = kt.build_v3(width_multiplier=width)
    for weight in model.weights:  # what was never trained is refused
        if weight.name == "moving_mean":
            weight.assign(np.full(weight.shape, 0.01, np.float32))
    path = folder / "v3.keras"
    kt.save_model(model, ModelSpec("v3", FRAMES, FRAMES, "concat", SIZE), path)
    return path


def convert_model(width: float, folder: Path) -> openvino.Model:
    """Return what a V3 of random weights is converted to."""
    target = folder / "v3.xml"
    Conversion(str(save_model(width, folder)), str(target), "openvino").run()
    return openvino.Core().read_model(target)


def build_by_hand(width: float) -> openvino.Model:
    """Return the network of the same operations with random weights, normalisation folded."""
    rng = np.random.default_rng(0)

    def convolve(x: openvino.Node, filters: int, side: int = 3) -> openvino.Node:
        channels = x.get_output_shape(0)[1]
        kernel = rng.normal(0, (2 / (channels * side**2)) ** 0.5, (filters, channels, side, side))
        pad, bias = [side // 2] * 2, np.zeros((1, filters, 1, 1), np.float32)
        x = ops.convolution(x, kernel.astype(np.float32), [1, 1], pad, pad, [1, 1])
        return ops.add(x, bias)

    def stage(x: openvino.Node, number: int) -> openvino.Node:
        convs, filters = STAGES[number]
        for _ in range(convs):
            x = ops.relu(convolve(x, max(1, round(filters * width))))
        return x

    def enlarge(x: openvino.Node) -> openvino.Node:
        size = np.array([2 * n for n in x.get_output_shape(0)[2:]])
        return ops.interpolate(x, size, "nearest", "sizes", axes=np.array([2, 3]))

    frames = ops.parameter([1, FRAMES, *SIZE, 3], np.uint8, "frames")
    background = ops.parameter([1, *SIZE, 3], np.uint8, "background")
    behind = ops.unsqueeze(background, np.array([1]))
    x = ops.transpose(ops.concat([behind, frames], 1), np.array([0, 1, 4, 2, 3]))
    x = ops.reshape(x, np.array([1, 3 * (FRAMES + 1), *SIZE]), False)
    x = ops.multiply(ops.convert(x, np.float32), np.float32(1 / 255))
    skips = []
    for number in range(3):
        x = stage(x, number)
        skips.append(x)
        x = opset1.max_pool(x, [2, 2], [0, 0], [0, 0], [2, 2])
    x = stage(x, 3)
    for number in range(4, 7):
        x = stage(ops.concat([enlarge(x), skips.pop()], 1), number)
    return openvino.Model([ops.sigmoid(convolve(x, FRAMES, 1))], [frames, background])


def compile_request(model: openvino.Model, settings: Settings) -> openvino.InferRequest:
    """Compile a network, and run it once on random bytes."""
    compiled = openvino.Core().compile_model(model, "CPU", settings)
    request, rng = compiled.create_infer_request(), np.random.default_rng(0)
    draw = {
        k: rng.integers(0, 256, tuple(p.shape), np.uint8) for k, p in enumerate(compiled.inputs)
    }
    for place, array in draw.items():
        request.set_input_tensor(place, openvino.Tensor(array))
    request.infer()
    return request


def time_run(request: openvino.InferRequest) -> float:
    """Return the seconds that one run takes."""
    began = time.perf_counter()
    request.infer()
    return time.perf_counter() - began


def convolution_share(model: openvino.Model, settings: Settings) -> float:
    """Return the share of a run's time that its convolutions take."""
    request = compile_request(model, settings | {"PERF_COUNT": True})
    request.infer()
    spent = [(p.node_type, p.real_time.total_seconds()) for p in request.profiling_info]
    return sum(s for kind, s in spent if kind == "Convolution") / sum(s for _, s in spent)


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=float, default=0.5, help="width multiplier of V3")
    parser.add_argument("--precision", choices=PRECISIONS, default="mixed_bfloat16")
    parser.add_argument("--rounds", type=int, default=15, help="runs of each, in turns")
    options = parser.parse_args()
    settings: Settings = {
        "INFERENCE_PRECISION_HINT": PRECISIONS[options.precision],
        "NUM_STREAMS": "1",
    }
    with tempfile.TemporaryDirectory() as folder:
        networks = {
            "converted": convert_model(options.width, Path(folder)),
            "by hand": build_by_hand(options.width),
        }
        requests = {name: compile_request(model, settings) for name, model in networks.items()}
        seconds: dict[str, list[float]] = {name: [] for name in requests}
        for _ in range(options.rounds):
            for name, request in requests.items():
                seconds[name].append(time_run(request))
        rate = measure_matrix_rate(options.precision)
        for name, model in networks.items():
            middle = statistics.median(seconds[name])
            reached = count_operations(model) / middle / rate
            share = convolution_share(model, settings)
            print(f"{name}: {middle:.4f} s a window, convolutions {share:.0%} of it,"
                  f" {reached:.0%} of the rate of matrices ({rate / 1e9:.0f} GFLOP/s)")  # fmt: skip
    ratios = [a / b for a, b in zip(seconds["converted"], seconds["by hand"], strict=True)]
    print(f"converted over by hand: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
