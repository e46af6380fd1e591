"""Export: a tracker as a file that other runtimes take, tried against the tracker itself."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from keras_tracknet.datasets.dataset import find_dataset
from keras_tracknet.errors import InputError
from keras_tracknet.evaluation.trackers import evaluate
from keras_tracknet.files import explain_writing, write_json
from keras_tracknet.frames.sizes import (
    BACKGROUND_FRAMES,
    estimate_background,
    fit_frame,
    resize_frame,
    sample_indices,
    scale_positions,
)
from keras_tracknet.frames.windows import stream_windows
from keras_tracknet.inference.detections import decode_centroid
from keras_tracknet.inference.engines import open_network
from keras_tracknet.inference.engines.conversion import Conversion
from keras_tracknet.inference.engines.exports import check_place
from keras_tracknet.inference.engines.keras import KerasNetwork
from keras_tracknet.inference.engines.network import Network
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.progress import Reporter
from keras_tracknet.synthetic import write_rallies
from keras_tracknet.video.folder import list_videos
from keras_tracknet.video.reader import read_frames, sample_frames
from keras_tracknet.weights.model_file import load_model, read_spec
from keras_tracknet.weights.spec import ModelSpec

SUFFIXES = {"saved-model": "", "tflite": ".tflite", "onnx": ".onnx", "openvino": ".xml"}
CALIBRATION_WINDOWS = 64
VERIFIED_WINDOWS = 16
# Largest difference of a heatmap and mean difference of a position, pixels at the network's
# size, that an export may have. int8 is judged by what it costs in F1.
TOLERANCES = {"fp32": (1e-3, 0.01), "fp16": (0.02, 0.1)}
F1_COST = 0.01  # that int8 is warned about


@dataclass(frozen=True)
class Verification:
    """How an exported file differs from the model it was made of, on the same frames.

    Attributes:
        windows: windows that both saw.
        heatmap_largest, heatmap_mean: absolute difference of heatmaps, None for a file that
            answers with positions.
        position_largest, position_mean: distance of positions where both found the ball,
            pixels at the network's size; None where neither ever did.
        disagreements: frames where one found the ball and the other did not.
        frames: frames compared.
        f1_before, f1_after, accuracy_before, accuracy_after: on labelled clips, None without.
        data: what they were compared on.
    """

    windows: int
    heatmap_largest: float | None
    heatmap_mean: float | None
    position_largest: float | None
    position_mean: float | None
    disagreements: int
    frames: int
    f1_before: float | None = None
    f1_after: float | None = None
    accuracy_before: float | None = None
    accuracy_after: float | None = None
    data: str = ""

    @property
    def f1_cost(self) -> float | None:
        """F1 lost, or None where there were no labels."""
        if self.f1_before is None or self.f1_after is None:
            return None
        return self.f1_before - self.f1_after

    def is_within(self, precision: str) -> bool:
        """Return whether the differences are what the precision allows."""
        if precision not in TOLERANCES:
            return self.f1_cost is None or self.f1_cost <= F1_COST
        heatmap, position = TOLERANCES[precision]
        return (self.heatmap_largest or 0.0) <= heatmap and (self.position_mean or 0.0) <= position


def export(
    weights: Path | str,
    output: Path | str,
    *,
    format: str,
    precision: str = "fp32",
    end_to_end: bool = True,
    input_size: tuple[int, int] | None = None,
    frame_size: tuple[int, int] | None = None,
    calibrate: Path | None = None,
    verify: bool = False,
    data: Path | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> Verification | None:
    """Write a tracker as a file that another runtime takes.

    The file takes a window of frames, uint8 RGB, and the background where the network sees it;
    all that is done to them is inside. Its own description says which network it is of.

    Args:
        weights: a `.keras` model file.
        output: file or folder to write; it appears complete, or what is there stays.
        format: `saved-model`, `tflite`, `onnx` or `openvino`.
        precision: `fp32`; `fp16`, half the size; `int8`, a quarter, calibrated on real frames.
        end_to_end: whether positions come out, `(1, heatmaps, 3)` x, y and confidence, 0 to 1;
            else heatmaps `(1, heatmaps, height, width)`.
        input_size: (height, width) of the network's input, pixels; the weights' when None.
        frame_size: (height, width) of the frames that go in, pixels; shrunk inside when they
            are larger than the input. The input's when None.
        calibrate: a video, or a folder of them, to calibrate `int8` on.
        verify: whether to run the file beside the model and compare.
        data: labelled clips or a video to verify on; those to calibrate on, or a rendered
            rally, when None.
        overwrite: whether an earlier export is replaced. What is no export never is.
        reporter: where progress goes.

    Returns:
        How the file differs from the model, if that was asked for.

    Raises:
        InputError: something is missing, cannot be read or written, or the file differs more
            than its precision allows; the file is there all the same in the last case.
    """
    reporter, weights, output = reporter or Reporter(), Path(weights), Path(output)
    suffix = SUFFIXES.get(format, "")
    if suffix and output.suffix != suffix:
        raise InputError(f"{output}: wrong suffix for format {format}; use {suffix}.")
    spec = read_spec(weights)
    if spec is None:
        raise InputError(f"{weights}: contains no specification; train it with tracknet fit.")
    if spec.version in ("rectifier", "tsm"):
        raise InputError(f"{weights}: not a tracker; use the weights of a tracker.")
    check_place(output, overwrite=overwrite)
    conversion = Conversion(
        str(weights.resolve()), str(output.resolve()), format, precision,
        "detections" if end_to_end else "heatmaps", input_size, frame_size,
    )  # fmt: skip
    _, size = conversion.find_sizes(spec)
    with TemporaryDirectory() as folder:
        if precision == "int8" and calibrate is not None:
            calibration = str(Path(folder) / "calibration.npz")
            conversion = replace(conversion, calibration=calibration)
            windows = sample_windows(
                _find_videos(calibrate), spec.frames, size, CALIBRATION_WINDOWS,
                fit=spec.fit, reporter=reporter,
            )  # fmt: skip
            named = {"frames": windows[0]}
            if spec.background != "none":
                named["background"] = windows[1]
            np.savez(calibration, **named)  # type: ignore[arg-type]  # allow_pickle, of NumPy 2.2
        conversion.check()
        source = data or calibrate or Path(folder) / "rally"
        if verify:
            if not (data or calibrate):
                write_rallies(source, 1, size=(720, 1280))
            compared = _sample(source, spec, size, reporter)
        with explain_writing(output):  # before the work
            output.parent.mkdir(parents=True, exist_ok=True)
            TemporaryDirectory(dir=output.parent, prefix=".export").cleanup()
        with reporter.track(f"exporting to {format}", None, unit="files") as advance:
            conversion.run()
            advance(1)
        if not verify:
            return None
        theirs = open_network(output, precision="float32", batch_size=1)
        verification = _compare(weights, theirs, source, compared, reporter)
    if not (data or calibrate):
        verification = replace(verification, data="a rendered rally")
    report = {"file": str(output), "precision": precision, **asdict(verification)}
    report["within_tolerance"] = verification.is_within(precision)
    told = output.with_name(f"{output.name}.verification.json")
    write_json(report, told)
    if not report["within_tolerance"] and precision in TOLERANCES:
        raise InputError(
            f"{output}: differs from {weights} by more than {precision} explains; see {told}."
        )
    return verification


def verify_export(
    weights: Path, exported: Path, source: Path, *, reporter: Reporter | None = None
) -> Verification:
    """Run an exported file beside the model that it was made of.

    Args:
        weights: the model file.
        exported: what `export` wrote.
        source: labelled clips, or a video.
        reporter: where progress goes.

    Raises:
        InputError: something cannot be read.
    """
    reporter = reporter or Reporter()
    theirs = open_network(exported, precision="float32", batch_size=1)
    compared = _sample(source, theirs.spec, theirs.frame_size, reporter)
    return _compare(weights, theirs, source, compared, reporter)


def _compare(
    weights: Path,
    theirs: Network,
    source: Path,
    compared: tuple[np.ndarray, np.ndarray],
    reporter: Reporter,
) -> Verification:
    """Return how answers to the same windows differ, and the scores where there are labels."""
    ours = KerasNetwork(
        load_model(weights), precision="float32", batch_size=1, answers=theirs.answers
    )
    frames, backgrounds = compared
    maps: list[np.ndarray] = []
    ours_found, theirs_found = [], []
    with reporter.track("comparing windows", len(frames), unit="windows") as advance:
        for window, background in zip(frames, backgrounds, strict=True):
            expected = _run(ours, window, background)
            answer = _run(theirs, window, background)
            if theirs.answers == "heatmaps" and answer.shape == expected.shape:
                maps.append(np.abs(answer - expected))
            ours_found.append(_locate(ours, expected, ours.spec.input_size))
            theirs_found.append(_locate(theirs, answer, ours.spec.input_size))
            advance(1)
    first, second = np.concatenate(ours_found), np.concatenate(theirs_found)
    distance = np.linalg.norm(first - second, axis=-1)
    both = distance[np.isfinite(distance)]
    scores = _score(weights, theirs.path, source, reporter)
    return Verification(
        windows=len(frames),
        heatmap_largest=float(max(m.max() for m in maps)) if maps else None,
        heatmap_mean=float(np.mean([m.mean() for m in maps])) if maps else None,
        position_largest=float(both.max()) if len(both) else None,
        position_mean=float(both.mean()) if len(both) else None,
        disagreements=int((np.isnan(first[:, 0]) != np.isnan(second[:, 0])).sum()),
        frames=len(distance),
        data=str(source),
        **scores,
    )


def _sample(
    source: Path, spec: ModelSpec, size: tuple[int, int], reporter: Reporter
) -> tuple[np.ndarray, np.ndarray]:
    """Return the windows to compare on, frames and backgrounds."""
    videos = _find_videos(source)
    return sample_windows(
        videos, spec.frames, size, VERIFIED_WINDOWS, fit=spec.fit, reporter=reporter
    )


def sample_windows(
    videos: list[Path],
    length: int,
    size: tuple[int, int],
    count: int,
    *,
    fit: str = "stretch",
    reporter: Reporter | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return windows spread evenly over videos, and over the length of each.

    Args:
        videos: where from, of each as many as of any other; when there are more videos than
            windows, one of each of `count` videos spread evenly over them.
        length: frames in a window.
        size: (height, width) of the frames, pixels.
        count: windows, at most.
        fit: how frames are brought to that size, see `picture_box`.
        reporter: where progress goes.

    Returns:
        Frames `(windows, length, *size, 3)` and backgrounds `(windows, *size, 3)`, uint8.
    """
    frames: list[np.ndarray] = []
    backgrounds: list[np.ndarray] = []
    chosen = [videos[k] for k in sample_indices(len(videos), count)]
    progress = (reporter or Reporter()).track("choosing windows", len(chosen), unit="videos")
    with progress as advance:
        for done, video in enumerate(chosen):
            share = -(-(count - len(frames)) // (len(chosen) - done))
            found = _spread_windows(video, length, size, share, fit)
            with closing(sample_frames(video, BACKGROUND_FRAMES)) as sample:
                background = estimate_background(fit_frame(f.image, size, fit) for f in sample)
            frames += found
            backgrounds += [background] * len(found)
            advance(1)
    return np.stack(frames), np.stack(backgrounds)


def _spread_windows(
    video: Path, length: int, size: tuple[int, int], count: int, fit: str
) -> list[np.ndarray]:
    """Return at most `count` windows spread evenly over a video, whatever its header says."""
    kept: list[np.ndarray] = []
    stride = 1  # windows from one that is kept to the next
    with closing(read_frames(video)) as decoded:
        pictures = (frame.image for frame in decoded)
        for number, window in enumerate(stream_windows(pictures, length, length, length)):
            if number % stride == 0:
                kept.append(np.stack([fit_frame(image, size, fit) for image in window.frames]))
            if len(kept) == 2 * count:
                kept, stride = kept[::2], 2 * stride
    return [kept[k] for k in sample_indices(len(kept), count)]


def _locate(network: Network, answers: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return positions `(frames, 2)` in pixels of a picture of `size`, NaN where there is none."""
    threshold = network.spec.threshold
    if network.answers == "heatmaps":
        found = np.array([decode_centroid(heatmap, threshold)[:2] for heatmap in answers])
        return scale_positions(found, network.spec.input_size, size)
    there = answers[:, 2:] > threshold
    return scale_positions(np.where(there, answers[:, :2] - 0.5, np.nan), (1, 1), size)


def _run(network: Network, window: np.ndarray, background: np.ndarray) -> np.ndarray:
    size = network.frame_size
    inputs = [np.stack([resize_frame(frame, size) for frame in window])[None]]
    if network.spec.background != "none":
        inputs.append(resize_frame(background, size)[None])
    return network.run(inputs)[0]


def _score(weights: Path, exported: Path, source: Path, reporter: Reporter) -> dict[str, Any]:
    """Return F1 and accuracy before and after, where there are labels."""
    if not source.is_dir() or not find_dataset(source).clips:
        return {}
    scores: dict[str, Any] = {}
    for name, path in (("before", weights), ("after", exported)):
        engine = "keras" if name == "before" else "auto"
        tracker = Tracker.from_file(path, engine=engine, precision="float32")
        total = evaluate(tracker, source, reporter=reporter).total
        scores |= {f"f1_{name}": total.f1, f"accuracy_{name}": total.accuracy}
    return scores


def _find_videos(source: Path) -> list[Path]:
    """Return the videos that a path means.

    Raises:
        InputError: there is none.
    """
    if not source.exists():
        raise InputError(f"{source}: no such video or folder; check the path.")
    if not source.is_dir():
        return [source]
    clips = [clip.source for clip in find_dataset(source).clips]
    folders = sorted([source, *(path for path in source.rglob("*") if path.is_dir())])
    found = clips or [video for folder in folders for video in list_videos(folder)]
    if not found:
        raise InputError(f"{source}: contains no videos; use a folder of videos.")
    return found
