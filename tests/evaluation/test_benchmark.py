"""The benchmark: what it measures, loads and prints."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner
from helpers_trackers import paint, save_detector
from keras_tracknet_cli.main import cli

from keras_tracknet.evaluation import benchmark, matrix_rate
from keras_tracknet.evaluation.benchmark import Measurement
from keras_tracknet.inference.engines import openvino
from keras_tracknet.video.writer import VideoWriter

needs_openvino = pytest.mark.skipif(not openvino.is_installed(), reason="OpenVINO is not installed")
MEASURED = Measurement(
    engine="openvino", precision="mixed_bfloat16", device="cpu", mode="fast", frames=300,
    frames_per_second=45.0, network_frames_per_second=50.0, network_share=0.9,
    decode_frames_per_second=200.0, overlay_frames_per_second=41.4, overlay_share=0.92,
    start_seconds=1.23, milliseconds={"decode": 8.0, "network": 20.5, "write": 0.01},
    overlay_milliseconds={"decode": 2.0, "draw": 0.5, "encode": 7.25}, slowest_stage="network",
    peak_memory=409_000_000, streams=2, threads=2, cores=2, network_gflops=720.0,
    matrix_gflops=900.0, matrix_share=0.8, frames_per_gflop=0.05,
)  # fmt: skip
OTHER = replace(
    MEASURED, engine="keras", streams=None, threads=None, cores=1, slowest_stage="encode",
    network_gflops=None, matrix_gflops=None, matrix_share=None, frames_per_gflop=None,
)  # fmt: skip


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Return a function that prints measurements of a clip as `tracknet bench` does."""

    def run(found, *options):
        monkeypatch.setattr(benchmark, "measure_engines", lambda *_args, **_settings: found)
        clip = make_clip(tmp_path)
        result = CliRunner().invoke(cli, ["bench", str(clip), *options])
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def make_clip(folder, frames=9):
    path = folder / "clip.mp4"
    with VideoWriter(path, size=(72, 128), fps=Fraction(25)) as writer:
        for n in range(frames):
            writer.write(paint((72, 128), (20 + 4 * n, 30 + n), radius=5))
    return path


def test_bench_says_how_close_everything_is_to_its_limit(bench):
    table, other = bench([MEASURED, OTHER]).split("\n\nkeras")
    assert table.splitlines()[1].split() == [
        *("openvino", "mixed_bfloat16", "45.0", "50.0", "200", "41.4", "1.2", "409", "0.050")
    ]
    assert table.split("\n\n")[1].splitlines() == [
        "openvino, mixed_bfloat16:",
        "  Tracking reaches 90% of the speed of the network alone.",
        "  The network reaches 80% of this machine's matrix rate: 720 of 900 GFLOP/s.",
        "  With an overlay video, tracking keeps 92% of its speed.",
        "  2 streams, 2 threads, 2 physical cores.",
        "  Slowest stage: network.",
        "  Tracking, ms per frame: decode and resize 8.00, network 20.50, write track 0.01.",
        "  Overlay, ms per frame: decode 2.00, draw overlay 0.50, encode overlay 7.25.",
    ]
    assert "matrix rate" not in other
    assert "  1 physical core.\n  Slowest stage: encode overlay.\n" in other


def test_bench_prints_all_figures_as_json(bench):
    assert json.loads(bench([MEASURED, OTHER], "--json")) == [asdict(MEASURED), asdict(OTHER)]


def test_measurement_agrees_with_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "NETWORK_SECONDS", 0.05)
    weights = save_detector(tmp_path / "w.keras", "v3", frames=4, background="concat")
    found = benchmark.measure(make_clip(tmp_path), weights, engine="keras", precision="float32")
    assert (found.engine, found.frames, found.streams) == ("keras", 9, None)
    assert found.network_share == found.frames_per_second / found.network_frames_per_second
    overlay_share = found.overlay_frames_per_second / found.frames_per_second
    assert found.overlay_share == pytest.approx(overlay_share)
    tracking = {"decode", "background", "prepare", "network", "decode_heatmaps", "write"}
    assert found.milliseconds.keys() == tracking
    assert found.overlay_milliseconds.keys() == {"decode", "draw", "encode"}
    total = Counter(found.milliseconds)
    total.update(found.overlay_milliseconds)
    assert total.most_common(1)[0][0] == found.slowest_stage


FRAMEWORKS = """
import sys
print(*{'keras', 'tensorflow', 'jax', 'torch'}.intersection(sys.modules))
"""
MEASURE = """
import sys
from pathlib import Path
from keras_tracknet.evaluation import benchmark
benchmark.NETWORK_SECONDS = 0.05
weights, video = map(Path, sys.argv[1:])
found = benchmark.measure(video, weights, engine="openvino")
print(found.engine, found.streams * found.network_gflops * found.matrix_share > 0, end=" ")
"""
COMMAND = """
import sys
from keras_tracknet_cli.main import cli
weights, video = sys.argv[1:]
cli(["predict", video, "--weights", weights, "--engine", "openvino", "--format", "jsonl",
     "--quiet", "-o", "-"], standalone_mode=False)
"""


@needs_openvino
@pytest.mark.parametrize(("code", "lines"), [(MEASURE, 1), (COMMAND, 10)], ids=["bench", "predict"])
def test_openvino_needs_no_framework(tmp_path, code, lines):
    """Nor their memory: the conversion is a process of its own."""
    weights = save_detector(tmp_path / "w.keras", "v3", frames=4, background="concat")
    command = [sys.executable, "-c", code + FRAMEWORKS, weights, make_clip(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == lines
    assert done.stdout.splitlines()[-1].split() == (["openvino", "True"] if lines == 1 else [])


@needs_openvino
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_matrix_rate_counts_the_operations_of_the_products(monkeypatch, precision):
    monkeypatch.setattr(matrix_rate, "SIDE", 16)
    ticks = iter(np.arange(0, 100, 0.25).tolist())  # a run takes one tick, and the loop another
    monkeypatch.setattr(matrix_rate.time, "perf_counter", lambda: next(ticks))
    streams = openvino.get_core().get_property("CPU", "RANGE_FOR_STREAMS")
    rate = matrix_rate.measure_matrix_rate(precision, seconds=2)
    products = rate * 0.25 / (2 * 16**3 * matrix_rate.PRODUCTS)
    assert products == int(products)
    assert streams[0] <= products <= streams[1]


def test_without_openvino_the_matrix_rate_is_unknown(monkeypatch):
    monkeypatch.setattr(openvino, "is_installed", lambda: False)
    assert matrix_rate.measure_matrix_rate("float32") is None


@pytest.mark.skipif(not hasattr(benchmark.os, "sched_getaffinity"), reason="needs Linux")
def test_two_threads_of_a_core_are_one_core(monkeypatch):
    siblings = {0: "0,4", 4: "0,4", 1: "1,5"}
    monkeypatch.setattr(benchmark.os, "sched_getaffinity", lambda _: set(siblings))

    class Topology:
        def __init__(self, path):
            self.number = int(path.split("/cpu")[2].split("/")[0])

        def is_file(self):
            return True

        def read_text(self):
            return siblings[self.number]

    monkeypatch.setattr(benchmark, "Path", Topology)
    assert benchmark.count_cores() == 2
