"""How long a window takes in every engine, and what share of that its convolutions take.

    python tests/benchmarks/engines.py --width 0.5

Exports a V3 of random weights for each installed engine and runs windows of 8 frames of 288x512.
Prints processor-seconds per window (the time of all cores added up, so that other work on the
machine disturbs it little) and the convolutions' share of it, which LiteRT does not tell.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from openvino_graph import convolution_share, save_model

from keras_tracknet.evaluation.benchmark import list_engines
from keras_tracknet.inference.engines import FORMATS, KERAS, open_network, openvino
from keras_tracknet.inference.engines.conversion import SUFFIXES, Conversion
from keras_tracknet.inference.engines.network import Network

ONNX, SAVED_MODEL = "onnx", "saved-model"
CONVOLUTIONS = ("Conv", "FusedConv")


def time_window(network: Network, runs: int) -> float:
    """Return the processor-seconds of the fastest of some runs, per window."""
    rng, size = np.random.default_rng(0), network.frame_size
    shapes = (network.spec.frames, *size, 3), (*size, 3)
    inputs = [rng.integers(0, 256, (network.batch_size, *shape), np.uint8) for shape in shapes]
    network.run(inputs)
    seconds = []
    for _ in range(runs):
        began = time.process_time()
        network.run(inputs)
        seconds.append(time.process_time() - began)
    return min(seconds) / network.batch_size


def share_in_openvino(path: Path, precision: str) -> float:
    """Return the share of a window's time that its convolutions take in OpenVINO."""
    settings = {"INFERENCE_PRECISION_HINT": openvino.PRECISIONS[precision], "NUM_STREAMS": "1"}
    return convolution_share(openvino.get_core().read_model(path), settings)


def share_in_onnx(path: Path, folder: Path) -> float:
    """Return the share of a window's time that its convolutions take in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(folder / "profile")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    shapes = {i.name: (1, *i.shape[1:]) for i in session.get_inputs()}
    for _ in range(4):
        session.run(None, {name: np.zeros(shape, np.uint8) for name, shape in shapes.items()})
    spent: Counter[str] = Counter()
    for event in json.loads(Path(session.end_profiling()).read_text()):
        if event.get("cat") == "Node" and event["name"].endswith("kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    return sum(spent[name] for name in CONVOLUTIONS) / spent.total()


def share_in_tensorflow(path: Path) -> float:
    """Return the share of a window's time that its convolutions take in TensorFlow."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        content = v1.saved_model.load(session, ["serve"], str(path))
        signature = content.signature_def["serving_default"]
        shapes = {
            i.name: [max(1, side.size) for side in i.tensor_shape.dim]
            for i in signature.inputs.values()
        }
        feed = {name: np.zeros(shape, np.uint8) for name, shape in shapes.items()}
        (output,) = signature.outputs.values()
        how = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE)
        for _ in range(3):
            trace = v1.RunMetadata()
            session.run(output.name, feed, options=how, run_metadata=trace)
    spent: Counter[bool] = Counter()
    for device in trace.step_stats.dev_stats:
        for node in device.node_stats:
            kind = node.timeline_label.partition(" = ")[2].partition("(")[0]
            spent["Conv2D" in kind] += node.op_end_rel_micros - node.op_start_rel_micros
    return spent[True] / spent.total()


def main() -> None:
    """Print a row for each engine and precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=float, default=0.5, help="width multiplier of V3")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; the best counts")
    options = parser.parse_args()
    print("| Engine | Precision | Processor-seconds per window | Convolutions |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = save_model(options.width, folder)
        for engine in list_engines():
            path, share = weights, "-"
            if engine != KERAS:
                format = FORMATS.get(engine, engine)
                path = folder / f"{engine}{SUFFIXES[format]}"
                Conversion(str(weights), str(path), format).run()
            precise = engine in (KERAS, openvino.NAME)
            for precision in ("mixed_bfloat16", "float32") if precise else ("auto",):
                network = open_network(path, engine=engine, precision=precision, batch_size=1)
                seconds = time_window(network, options.runs)
                if engine == openvino.NAME:
                    share = f"{share_in_openvino(path, precision):.0%}"
                elif engine == ONNX:
                    share = f"{share_in_onnx(path, folder):.0%}"
                elif engine == SAVED_MODEL:
                    share = f"{share_in_tensorflow(path):.0%}"
                print(f"| {engine} | {network.precision} | {seconds:.2f} | {share} |", flush=True)


if __name__ == "__main__":
    main()
