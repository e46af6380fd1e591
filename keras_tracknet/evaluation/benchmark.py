"""Benchmark: how fast a tracker is from a video to a track, and where the time goes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.evaluation.exporting import SUFFIXES
from keras_tracknet.inference.engines import (
    ENGINES,
    FORMATS,
    KERAS,
    litert,
    onnx,
    open_network,
    openvino,
    saved_model,
)
from keras_tracknet.inference.engines.conversion import Conversion
from keras_tracknet.inference.engines.network import Network
from keras_tracknet.inference.stages import Stopwatch
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.progress import Reporter
from keras_tracknet.shortage import explain_exit
from keras_tracknet.tracks.files import write_track
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.reader import read_frames

NETWORK_SECONDS = 3.0  # that the network alone is run for
MATRIX = 2048


@dataclass(frozen=True)
class Measurement:
    """What one engine did with a video, its weights loaded and its network run once before.

    Attributes:
        engine, precision, device, mode: what ran, and how.
        frames: in the video.
        frames_per_second: from decoding to the written track.
        network_frames_per_second: of the network alone, in the same mode.
        decode_frames_per_second: of decoding and resizing alone.
        start_seconds: from weights on disk to the first row.
        milliseconds: busy time a frame in each stage; decoding, the network and the rest go on
            at the same time.
        peak_memory: greatest resident memory of the process, bytes.
        matrix_gflops: rate of multiplying float32 matrices on this machine, 10^9 operations a
            second.
        frames_per_gflop: frames a second over that rate, which compares between machines.
    """

    engine: str
    precision: str
    device: str
    mode: str
    frames: int
    frames_per_second: float
    network_frames_per_second: float
    decode_frames_per_second: float
    start_seconds: float
    milliseconds: dict[str, float]
    peak_memory: int
    matrix_gflops: float
    frames_per_gflop: float


def list_engines() -> list[str]:
    """Return the engines that are installed."""
    modules = {m.NAME: m for m in (openvino, litert, onnx, saved_model)}
    return [name for name in ENGINES if name == KERAS or modules[name].is_installed()]


def read_engines(names: str) -> list[str]:
    """Return the engines that a text names, joined by commas: each once, `all` for the installed.

    Raises:
        ValueError: an unknown engine.
    """
    engines: list[str] = []
    for name in (name.strip() for name in names.split(",")):
        if name not in ("all", "auto", *ENGINES):
            known = ", ".join(("auto", "all", *ENGINES))
            raise ValueError(f"unknown engine {name or repr(name)}; use one of {known}.")
        engines += list_engines() if name == "all" else [name]
    return list(dict.fromkeys(engines))


def measure(
    video: Path, weights: Path, *, engine: str = "auto", mode: str = "fast", precision: str = "auto"
) -> Measurement:
    """Measure one engine in this process.

    Args:
        video: what to track.
        weights: a model file, or what `export` wrote.
        engine: see `open_network`; files that an engine needs are exported for the occasion.
        mode: as for `Tracker`.
        precision: as for `Tracker`.

    Raises:
        InputError: the video or the weights cannot be read, or the engine is not installed.
    """
    with TemporaryDirectory() as folder:
        path = weights
        if engine in FORMATS and weights.suffix == ".keras":
            kind = FORMATS[engine]
            path = Path(folder) / f"network{SUFFIXES[kind]}"
            Conversion(str(weights.resolve()), str(path), kind).run()
        began = time.perf_counter()
        network = open_network(path, engine=engine, precision=precision)
        tracker = Tracker(network, mode=mode)
        with closing(tracker.stream(video)) as rows:
            next(rows)
        start = time.perf_counter() - began
        watch, began = Stopwatch(), time.perf_counter()
        found = list(tracker.stream(video, stopwatch=watch))
        with watch.stage("write"):
            write_track(Track.from_rows(found), Path(folder) / "track.csv")
        seconds = time.perf_counter() - began
        # The stages overlap; beside them the machine is the network's, or the decoder's.
        rate = len(found) / seconds
        alone = _run_alone(network) * tracker.step
        decoding = _decode_alone(video, tracker)
        gflops = measure_matrices()
    return Measurement(
        engine=network.engine,
        precision=network.precision,
        device=network.device,
        mode=mode,
        frames=len(found),
        frames_per_second=rate,
        network_frames_per_second=alone,
        decode_frames_per_second=decoding,
        start_seconds=start,
        milliseconds={stage: 1e3 * s / len(found) for stage, s in watch.seconds.items()},
        peak_memory=_peak_memory(),
        matrix_gflops=gflops,
        frames_per_gflop=rate / gflops,
    )


def measure_engines(
    video: Path,
    weights: Path,
    engines: Sequence[str],
    *,
    mode: str = "fast",
    precision: str = "auto",
    reporter: Reporter | None = None,
) -> list[Measurement]:
    """Measure several engines, each in a process of its own, so that none has another's memory.

    Args:
        video, weights, mode, precision: as for `measure`.
        engines: their names.
        reporter: where progress goes; an engine that fails is told and left out.

    Raises:
        InputError: every engine failed.
    """
    reporter, found = reporter or Reporter(), []
    with reporter.track("measuring", len(engines), unit="engines") as advance:
        for engine in engines:
            asked = [str(video), str(weights), engine, mode, precision]
            done = subprocess.run(
                [sys.executable, "-m", "keras_tracknet.evaluation.benchmark", *asked],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                reporter.warn(f"{engine}: {explain_exit(done.returncode, done.stderr)}")
            else:
                found.append(Measurement(**json.loads(done.stdout.splitlines()[-1])))
            advance(1)
    if not found:
        raise InputError(
            f"{weights}: no engine can run it; run tracknet doctor to see what is installed."
        )
    return found


def measure_matrices(seconds: float = 0.5) -> float:
    """Return the rate of multiplying float32 matrices with NumPy, 10^9 operations a second."""
    a = np.random.default_rng(0).random((MATRIX, MATRIX), dtype=np.float32)
    a @ a
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        a @ a
        count += 1
    return 2e-9 * MATRIX**3 * count / (time.perf_counter() - began)


def _run_alone(network: Network) -> float:
    """Return windows a second."""
    size, spec = network.frame_size, network.spec
    rng = np.random.default_rng(0)
    inputs = [rng.integers(0, 256, (network.batch_size, spec.frames, *size, 3), dtype=np.uint8)]
    if spec.background != "none":
        inputs.append(rng.integers(0, 256, (network.batch_size, *size, 3), dtype=np.uint8))
    network.run(inputs)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < NETWORK_SECONDS:
        network.run(inputs)
        count += network.batch_size
    return count / (time.perf_counter() - began)


def _decode_alone(video: Path, tracker: Tracker) -> float:
    """Return frames a second."""
    from keras_tracknet.frames.sizes import resize_frame

    began, count = time.perf_counter(), 0
    with closing(read_frames(video)) as frames:
        for frame in frames:
            resize_frame(frame.image, tracker.network.frame_size)
            count += 1
    return count / (time.perf_counter() - began)


def _peak_memory() -> int:
    """Return the greatest resident memory of this process, bytes."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    try:
        video, weights, engine, mode, precision = sys.argv[1:]
        result = measure(Path(video), Path(weights), engine=engine, mode=mode, precision=precision)
    except InputError as error:
        sys.exit(str(error))
    print(json.dumps(asdict(result)))
