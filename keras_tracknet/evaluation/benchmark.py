"""Benchmark: how fast a tracker is from a video to a track, and where the time goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.evaluation.matrix_rate import measure_matrix_rate
from keras_tracknet.frames.sizes import fit_frame, shrink_to_fit
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
from keras_tracknet.inference.engines.conversion import SUFFIXES, Conversion
from keras_tracknet.inference.engines.network import Network
from keras_tracknet.inference.stages import Stopwatch
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.progress import Reporter
from keras_tracknet.shortage import explain_exit
from keras_tracknet.tracks.files import write_track
from keras_tracknet.tracks.overlay import write_overlay
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.reader import read_frames

NETWORK_SECONDS = 3.0  # that the network alone is run for


@dataclass(frozen=True)
class Measurement:
    """What one engine did with a video. Rates are of a network that has run before.

    Attributes:
        engine, precision, device, mode: what ran, and how.
        frames: in the video.
        frames_per_second: from decoding to the written track.
        network_frames_per_second: of the network alone, in the same mode.
        network_share: the first of these two rates over the second, 0 to 1.
        decode_frames_per_second: of decoding and resizing alone.
        overlay_frames_per_second: from decoding to the written track and overlay video.
        overlay_share: that rate over the one without an overlay, 0 to 1.
        start_seconds: from the start of the process to the first row; with the conversion of the
            weights where they are new to the engine.
        milliseconds: busy time per frame in each stage of tracking; decoding, the network and the
            rest run at the same time.
        overlay_milliseconds: busy time per frame in each stage of the overlay.
        slowest_stage: the one with the longest busy time, in tracking and overlay together.
        peak_memory: greatest resident memory of the process up to the end of tracking, bytes.
        streams: windows that are computed at the same time, None where the engine does not say.
        threads: of all streams together, None likewise.
        cores: physical cores that the process may use.
        network_gflops: 10^9 operations per second of the network alone, None for other engines
            than OpenVINO.
        matrix_gflops: 10^9 operations per second of matrix products in the same precision, None
            without OpenVINO, see `measure_matrix_rate`.
        matrix_share: the first of these two over the second, 0 to 1.
        frames_per_gflop: frames per second over `matrix_gflops`, which compares between machines.
    """

    engine: str
    precision: str
    device: str
    mode: str
    frames: int
    frames_per_second: float
    network_frames_per_second: float
    network_share: float
    decode_frames_per_second: float
    overlay_frames_per_second: float
    overlay_share: float
    start_seconds: float
    milliseconds: dict[str, float]
    overlay_milliseconds: dict[str, float]
    slowest_stage: str
    peak_memory: int
    streams: int | None
    threads: int | None
    cores: int
    network_gflops: float | None
    matrix_gflops: float | None
    matrix_share: float | None
    frames_per_gflop: float | None


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
    video: Path,
    weights: Path,
    *,
    linker: Path | None = None,
    engine: str = "auto",
    mode: str = "fast",
    precision: str = "auto",
    began: float | None = None,
) -> Measurement:
    """Measure one engine in this process.

    Args:
        video: what to track.
        weights: a model file, or what `export` wrote.
        linker: the linker's model file.
        engine: see `open_network`; files that an engine needs are exported for the occasion.
        mode: as for `Tracker`.
        precision: as for `Tracker`.
        began: when the process began, seconds of `time.time`; now when omitted.

    Raises:
        InputError: the video or the weights cannot be read, or the engine is not installed.
    """
    began = began or time.time()
    with TemporaryDirectory() as folder:
        path = weights
        if engine in FORMATS and weights.suffix == ".keras":
            kind = FORMATS[engine]
            path = Path(folder) / f"network{SUFFIXES[kind]}"
            Conversion(str(weights.resolve()), str(path), kind).run()
        network = open_network(path, engine=engine, precision=precision)
        tracker = Tracker(network, linker=linker, mode=mode)
        with closing(tracker.stream(video)) as rows:
            next(rows)
        start = time.time() - began
        track, seconds, watch = _track(tracker, video, Path(folder))
        memory = _peak_memory()
        overlaying, drawing = _draw(video, track, Path(folder))
    frames = len(track)
    rate, alone = frames / seconds, _run_alone(network) * tracker.step
    streams, threads, operations = None, None, None
    if isinstance(network, openvino.OpenVINONetwork):
        streams, threads = network.streams, network.threads
        operations = 1e-9 * network.operations * alone / tracker.step
    matrices = measure_matrix_rate(network.precision)
    gflops = matrices and 1e-9 * matrices
    stages = [_per_frame(stopwatch, frames) for stopwatch in (watch, drawing)]
    total = Counter(stages[0])
    total.update(stages[1])
    return Measurement(
        engine=network.engine,
        precision=network.precision,
        device=network.device,
        mode=mode,
        frames=frames,
        frames_per_second=rate,
        network_frames_per_second=alone,
        network_share=rate / alone,
        decode_frames_per_second=_decode_alone(video, tracker),
        overlay_frames_per_second=frames / (seconds + overlaying),
        overlay_share=seconds / (seconds + overlaying),
        start_seconds=start,
        milliseconds=stages[0],
        overlay_milliseconds=stages[1],
        slowest_stage=max(total, key=total.__getitem__),
        peak_memory=memory,
        streams=streams,
        threads=threads,
        cores=count_cores(),
        network_gflops=operations,
        matrix_gflops=gflops,
        matrix_share=operations / gflops if operations and gflops else None,
        frames_per_gflop=rate / gflops if gflops else None,
    )


def measure_engines(
    video: Path,
    weights: Path,
    engines: Sequence[str],
    *,
    linker: Path | None = None,
    mode: str = "fast",
    precision: str = "auto",
    reporter: Reporter | None = None,
) -> list[Measurement]:
    """Measure several engines, each in a process of its own, so that none has another's memory.

    Args:
        video, weights, linker, mode, precision: as for `measure`.
        engines: their names.
        reporter: where progress goes; an engine that fails is told and left out.

    Raises:
        InputError: every engine failed.
    """
    reporter, found = reporter or Reporter(), []
    with reporter.track("measuring", len(engines), unit="engines") as advance:
        for engine in engines:
            places = [str(video), str(weights), str(linker or "")]
            asked = [*places, engine, mode, precision, str(time.time())]
            done = subprocess.run(
                [sys.executable, "-P", "-m", "keras_tracknet.evaluation.benchmark", *asked],
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


def count_cores() -> int:
    """Return the physical cores that this process may use; logical ones where that is unknown."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    siblings = set()
    for number in os.sched_getaffinity(0):
        path = Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list")
        siblings.add(path.read_text() if path.is_file() else str(number))
    return len(siblings)


def _track(tracker: Tracker, video: Path, folder: Path) -> tuple[Track, float, Stopwatch]:
    """Return the track, as written, the seconds that it took, and those of each stage."""
    watch, began = Stopwatch(), time.perf_counter()
    track = tracker.stream(video, stopwatch=watch).collect()
    with watch.stage("write"):
        write_track(track, folder / "track.csv")
    return track, time.perf_counter() - began, watch


def _draw(video: Path, track: Track, folder: Path) -> tuple[float, Stopwatch]:
    """Return the seconds that an overlay video takes, and those of each stage."""
    watch, began = Stopwatch(), time.perf_counter()
    write_overlay(video, track, folder / "overlay.mp4", stage=watch.stage)
    return time.perf_counter() - began, watch


def _per_frame(watch: Stopwatch, frames: int) -> dict[str, float]:
    """Return milliseconds per frame in each stage that was there."""
    return {stage: 1e3 * seconds / frames for stage, seconds in watch.seconds.items() if seconds}


def _run_alone(network: Network) -> float:
    """Return windows per second."""
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
    """Return frames per second."""
    size, fit = tracker.network.frame_size, tracker.spec.fit
    began, count = time.perf_counter(), 0
    with closing(read_frames(video, shrink=shrink_to_fit(size, fit))) as frames:
        for frame in frames:
            fit_frame(frame.image, size, fit)
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
        video, weights, linker, engine, mode, precision, began = sys.argv[1:]
        result = measure(
            Path(video),
            Path(weights),
            linker=Path(linker) if linker else None,
            engine=engine,
            mode=mode,
            precision=precision,
            began=float(began),
        )
    except InputError as error:
        sys.exit(str(error))
    print(json.dumps(asdict(result)))
