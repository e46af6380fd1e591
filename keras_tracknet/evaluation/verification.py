"""Verification: whether an exported file finds what the weights find."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.datasets.dataset import find_dataset
from keras_tracknet.evaluation.sampling import find_videos, sample_windows
from keras_tracknet.evaluation.trackers import evaluate
from keras_tracknet.frames.sizes import resize_frame, scale_positions
from keras_tracknet.inference.detections import decode_centroid
from keras_tracknet.inference.engines import open_network
from keras_tracknet.inference.engines.keras import KerasNetwork
from keras_tracknet.inference.engines.network import Network
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.progress import Reporter
from keras_tracknet.weights.model_file import load_model
from keras_tracknet.weights.spec import ModelSpec

VERIFIED_WINDOWS = 16
F1_COST = 0.01  # that int8 is warned about
# Largest difference of a heatmap and mean difference of a position, pixels at the network's
# size, that an export may have. int8 is judged by what it costs in F1.
TOLERANCES = {"fp32": (1e-3, 0.01), "fp16": (0.02, 0.1)}


@dataclass(frozen=True)
class Verification:
    """How an exported file differs from the model it was made of, on the same frames.

    Attributes:
        windows: windows that both saw.
        heatmap_largest, heatmap_mean: absolute difference of heatmaps, None for a file that
            outputs positions.
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
    compared = choose_windows(source, theirs.spec, theirs.frame_size, reporter)
    return compare_export(weights, theirs, source, compared, reporter)


def compare_export(
    weights: Path,
    theirs: Network,
    source: Path,
    compared: tuple[np.ndarray, np.ndarray],
    reporter: Reporter,
) -> Verification:
    """Return how outputs for the same windows differ, and the scores where there are labels."""
    ours = KerasNetwork(
        load_model(weights), precision="float32", batch_size=1, output=theirs.output
    )
    frames, backgrounds = compared
    maps: list[np.ndarray] = []
    ours_found, theirs_found = [], []
    with reporter.track("comparing windows", len(frames), unit="windows") as advance:
        for window, background in zip(frames, backgrounds, strict=True):
            expected = _run(ours, window, background)
            output = _run(theirs, window, background)
            if theirs.output == "heatmaps" and output.shape == expected.shape:
                maps.append(np.abs(output - expected))
            ours_found.append(_locate(ours, expected, ours.spec.input_size))
            theirs_found.append(_locate(theirs, output, ours.spec.input_size))
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


def choose_windows(
    source: Path, spec: ModelSpec, size: tuple[int, int], reporter: Reporter
) -> tuple[np.ndarray, np.ndarray]:
    """Return the windows to compare on, frames and backgrounds."""
    videos = find_videos(source)
    return sample_windows(
        videos, spec.frames, size, VERIFIED_WINDOWS, fit=spec.fit, reporter=reporter
    )


def _locate(network: Network, outputs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return positions `(frames, 2)` in pixels of a picture of `size`, NaN where there is none."""
    threshold = network.spec.threshold
    if network.output == "heatmaps":
        found = np.array([decode_centroid(heatmap, threshold)[:2] for heatmap in outputs])
        return scale_positions(found, network.spec.input_size, size)
    there = outputs[:, 2:] > threshold
    return scale_positions(np.where(there, outputs[:, :2] - 0.5, np.nan), (1, 1), size)


def _run(network: Network, window: np.ndarray, background: np.ndarray) -> np.ndarray:
    size = network.frame_size
    inputs = [np.stack([resize_frame(frame, size) for frame in window])[None]]
    if network.spec.background != "none":
        inputs.append(resize_frame(background, size)[None])
    maps: np.ndarray = network.run(inputs)[0]
    return maps


def _score(weights: Path, exported: Path, source: Path, reporter: Reporter) -> dict[str, Any]:
    """Return F1 and accuracy before and after, where there are labels."""
    if not source.is_dir() or not find_dataset(source).clips:
        return {}
    scores: dict[str, Any] = {}
    for name, path in (("before", weights), ("after", exported)):
        engine = "keras" if name == "before" else "auto"
        tracker = Tracker(path, engine=engine, precision="float32")
        total = evaluate(tracker, source, reporter=reporter).total
        scores |= {f"f1_{name}": total.f1, f"accuracy_{name}": total.accuracy}
    return scores
