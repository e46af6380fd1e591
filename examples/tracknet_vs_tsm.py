"""Compare a TrackNet and a TSM on the same labelled clips.

    python examples/tracknet_vs_tsm.py DIR CLIP... --tsm runs/fit/tsm -o contrast.png

A TrackNet returns the position of the ball in every frame, a TSM classifies what happens in a
window of frames. Prints the error, size and speed of both, and how many hits are found by the
track, by the TSM, and by the track where the TSM agrees. Draws both outputs over time.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
from matplotlib.figure import Figure
from scipy.signal import find_peaks

import keras_tracknet as kt
from keras_tracknet.presets import find_weights

WITHIN = 4  # frames: tolerance for a hit
SURE = 0.5  # minimum probability of a hit of the TSM
STEP = 2  # frames between the windows that the TSM classifies
COLOURS = ("#d55e00", "#0072b2", "#bbbbbb", "#f0e442")


def count_gflop(model: keras.Model, size: tuple[int, int]) -> float:
    """Return billions of multiplications and additions of the convolutions for one input.

    `size` is the (height, width) to use for a network that takes any size.
    """
    if None in model.input_shape[1:]:
        inputs = keras.Input((*size, model.input_shape[-1]))
        model = keras.models.clone_model(model, input_tensors=inputs)
    frames = model.input_shape[1] if len(model.input_shape) == 5 else 1
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    convolutions += [x for x in model.layers if isinstance(x, keras.layers.DepthwiseConv2D)]
    steps = [np.prod(x.kernel.shape) * np.prod(x.output.shape[1:3]) for x in convolutions]
    return 2e-9 * frames * float(sum(steps))


def run_tracker(tracker: kt.Tracker, clip) -> SimpleNamespace:
    """Track a clip and compare its velocities with the labelled ones."""
    began = time.perf_counter()
    track = tracker.track(clip.source)
    seconds = time.perf_counter() - began
    size = kt.FrameCache().open(clip.source, tracker.spec.input_size).source_size
    labels = kt.read_labels(clip, size=size, frames=len(track))
    wrong = np.diff(track.positions, axis=0) - np.diff(labels.positions, axis=0)
    events = kt.find_events(track, size, kt.find_sport("badminton")).events
    hits = [np.searchsorted(track.seconds(), event.time) for event in events if event.kind == "hit"]
    return SimpleNamespace(
        track=track, labels=labels, seconds=seconds, error=np.linalg.norm(wrong, axis=1), hits=hits
    )  # fmt: skip


def run_tsm(file: kt.ModelFile, clip) -> SimpleNamespace:
    """Classify windows of a clip and compare them with its labels."""
    frames = kt.load_classified(
        clip, kt.FrameCache().open(clip.source, file.spec.input_size), file.spec.span
    )
    length = min(frames.length, len(frames.frames))
    starts = np.arange(0, len(frames.frames) - length + 1, STEP)
    chosen = kt.sample_segments(length, file.spec.frames)
    began = time.perf_counter()
    windows = (kt.scale_window(frames.frames[None, s + chosen]) for s in starts)
    outputs = np.concatenate([np.asarray(file.model.predict_on_batch(w)) for w in windows])
    seconds = time.perf_counter() - began
    truth = kt.classify_windows(frames.play, starts, length)
    known = truth >= 0  # the others have no class
    centres = starts + length / 2
    hit = outputs[:, :2].sum(axis=1)  # near and far
    peaks, _ = find_peaks(np.pad(hit, 1), height=SURE, distance=max(1, length // 2 // STEP))
    return SimpleNamespace(
        centres=centres, outputs=outputs, hit=hit, play=frames.play, seconds=seconds,
        right=outputs.argmax(axis=1)[known] == truth[known], hits=centres[peaks - 1],
        classes=file.spec.classes,
    )  # fmt: skip


def match_hits(truth: Sequence[float], found: Sequence[float]) -> np.ndarray:
    """Return the number of correct, found and real hits; each hit matches once."""
    free, right = list(found), 0
    for hit in truth:
        near = min(free, key=lambda other: abs(other - hit), default=np.inf)
        if abs(near - hit) <= WITHIN:
            free.remove(near)
            right += 1
    return np.array([right, len(found), len(truth)])


def describe_hits(counts: np.ndarray) -> str:
    """Return precision and recall in words."""
    right, found, real = counts
    return f"{right / max(found, 1):.0%} right, {right / max(real, 1):.0%} found"


def draw_contrast(tracknet: SimpleNamespace, tsm: SimpleNamespace) -> Figure:
    """Draw the track above and the class probabilities below."""
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    where, what = figure.subplots(2, 1, sharex=True)
    where.plot(tracknet.labels.y, color="black", lw=0.8, label="labelled")
    where.plot(tracknet.track.y, ".", color="#009e73", ms=4, label="tracked")
    where.invert_yaxis()
    where.set(ylabel="y (pixels)", title="TrackNet: where is the ball, in every frame?")
    what.stackplot(tsm.centres - 0.5, tsm.outputs.T, labels=tsm.classes, colors=COLOURS)
    what.set(ylabel="probability", xlabel="frame", ylim=(0, 1))
    what.set_title("TSM: what happens in the window around a frame? (lines: labelled hits)")
    for hit, near in zip(tsm.play.hits, tsm.play.near, strict=True):
        what.axvline(hit - 0.5, color=COLOURS[0 if near else 1], lw=2.5)
        what.axvline(hit - 0.5, color="white", lw=0.8)
    for axes in (where, what):
        axes.legend(loc="upper right")
    return figure


def main(data: Path, names: list[str], tracker: str, tsm: str, output: Path) -> dict[str, float]:
    """Run both networks, print the comparison, and draw the first clip."""
    clips = kt.find_clips(data, names)
    files = [kt.load_model(find_weights(name).tracker) for name in (tracker, tsm)]
    tracking = kt.Tracker(files[0])
    runs = [(run_tracker(tracking, clip), run_tsm(files[1], clip)) for clip in clips]
    hits = {"track": np.zeros(3, int), "tsm": np.zeros(3, int), "both": np.zeros(3, int)}
    for first, second in runs:
        agreed = [h for h in first.hits if np.interp(h, second.centres, second.hit) >= SURE]
        for name, found in (("track", first.hits), ("tsm", second.hits), ("both", agreed)):
            hits[name] += match_hits(second.play.hits, found)
    error = np.nanmedian(np.concatenate([first.error for first, _ in runs]))
    accuracy = np.concatenate([second.right for _, second in runs]).mean()
    frames = sum(len(first.track) for first, _ in runs)
    seconds = np.sum([(first.seconds, second.seconds) for first, second in runs], axis=0)
    rows = [
        ("", "TrackNet", "TSM"),
        ("output", "position in each frame", "class of each window"),
        ("loss", "cross-entropy by pixel", "cross-entropy by window"),
        ("input", *(f"{f.spec.frames} frames of {f.spec.input_size}" for f in files)),
        ("median velocity error", f"{error:.2f} px/frame", "-"),
        ("windows classified right", "-", f"{accuracy:.0%}"),
        ("hits", describe_hits(hits["track"]), describe_hits(hits["tsm"])),
        ("hits that both find", describe_hits(hits["both"]), ""),
        ("parameters", *(f"{f.model.count_params():,}" for f in files)),
        ("GFLOP per window", *(f"{count_gflop(f.model, f.spec.input_size):.2f}" for f in files)),
        ("frames per second", *(f"{frames / total:.1f}" for total in seconds)),
    ]
    for title, *cells in rows:
        print(f"{title:26}" + "".join(f"{cell:28}" for cell in cells))
    draw_contrast(*runs[0]).savefig(output, dpi=110)
    return {"velocity_error": float(error), "accuracy": float(accuracy)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of labelled clips")
    parser.add_argument("names", nargs="+", help="clips in it")
    parser.add_argument("--tsm", required=True, help="run folder of tracknet fit --version tsm")
    parser.add_argument("--tracker", default="badminton-v3", help="preset, file or run folder")
    parser.add_argument("-o", "--output", type=Path, default=Path("contrast.png"))
    main(**vars(parser.parse_args()))
