"""What a TrackNet and a TSM say of the same labelled clip.

    python examples/tracknet_vs_tsm.py DIR CLIP --tsm runs/fit/tsm -o contrast.png

A TrackNet answers where the ball is in every frame, a TSM what happens in a window of frames.
Prints what each is, how wrong, how large and how fast; draws both answers over time.
"""

import argparse
import time
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
from matplotlib.figure import Figure

import keras_tracknet as kt
from keras_tracknet.data.cache import FrameCache
from keras_tracknet.data.clip_classes import NO_CLASS, classify_windows
from keras_tracknet.data.frames import scale_window
from keras_tracknet.data.windows import sample_segments
from keras_tracknet.fit_data import load_classified
from keras_tracknet.io.datasets import find_labelled_clips, pick_clips, read_labels
from keras_tracknet.presets import find_weights

STEP = 2  # frames between the windows that the TSM is asked about
COLOURS = ("#d55e00", "#0072b2", "#bbbbbb", "#f0e442")


def count_gflop(model: keras.Model, size: tuple[int, int]) -> float:
    """Return billions of multiplications and additions of the convolutions for one input.

    `size` is the (height, width) that a network which takes any is fed with.
    """
    if None in model.input_shape[1:]:
        inputs = keras.Input((*size, model.input_shape[-1]))
        model = keras.models.clone_model(model, input_tensors=inputs)
    frames = model.input_shape[1] if len(model.input_shape) == 5 else 1
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    convolutions += [x for x in model.layers if isinstance(x, keras.layers.DepthwiseConv2D)]
    steps = [np.prod(x.kernel.shape) * np.prod(x.output.shape[1:3]) for x in convolutions]
    return 2e-9 * frames * float(sum(steps))


def run_tracker(name: str, clip) -> SimpleNamespace:
    """Track a clip and compare its velocities with the labelled ones."""
    weights = kt.load_model(find_weights(name).tracker)
    tracker = kt.Tracker(weights)
    began = time.perf_counter()
    track = tracker.track(clip.source)
    seconds = time.perf_counter() - began
    cached = FrameCache().open(clip.source, tracker.spec.input_size)
    labels = read_labels(clip, size=cached.source_size).resized(len(track))
    wrong = np.diff(track.positions, axis=0) - np.diff(labels.positions, axis=0)
    error = np.linalg.norm(wrong, axis=1)
    return SimpleNamespace(
        track=track, labels=labels, file=weights, seconds=seconds, error=np.nanmedian(error)
    )


def run_tsm(name: str, clip) -> SimpleNamespace:
    """Classify windows of a clip and compare them with what its labels say."""
    file = kt.load_model(find_weights(name).tracker)
    frames = load_classified(
        clip, FrameCache().open(clip.source, file.spec.input_size), file.spec.span
    )
    length = min(frames.length, len(frames.frames))
    starts = np.arange(0, len(frames.frames) - length + 1, STEP)
    chosen = sample_segments(length, file.spec.frames)
    began = time.perf_counter()
    said = np.concatenate(
        [
            np.asarray(file.model.predict_on_batch(scale_window(frames.frames[None, s + chosen])))
            for s in starts
        ]
    )
    seconds = time.perf_counter() - began
    truth = classify_windows(frames.events, starts, length)
    known = truth != NO_CLASS
    right = np.mean(said.argmax(axis=1)[known] == truth[known]) if known.any() else np.nan
    return SimpleNamespace(
        file=file, centres=starts + (length - 1) / 2, said=said, events=frames.events,
        seconds=seconds, accuracy=right,
    )  # fmt: skip


def draw_contrast(tracknet: SimpleNamespace, tsm: SimpleNamespace) -> Figure:
    """Draw a track above, the probabilities of the classes below."""
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    where, what = figure.subplots(2, 1, sharex=True)
    where.plot(tracknet.labels.y, color="black", lw=0.8, label="labelled")
    where.plot(tracknet.track.y, ".", color="#009e73", ms=4, label="tracked")
    where.invert_yaxis()
    where.set(ylabel="y (pixels)", title="TrackNet: where is the ball, in every frame?")
    what.stackplot(tsm.centres, tsm.said.T, labels=tsm.file.spec.classes, colors=COLOURS)
    what.set(ylabel="probability", xlabel="frame", ylim=(0, 1))
    what.set_title("TSM: what happens in the window around a frame? (lines: labelled hits)")
    for hit, near in zip(tsm.events.hits, tsm.events.near, strict=True):
        what.axvline(hit - 0.5, color=COLOURS[0 if near else 1], lw=2.5)
        what.axvline(hit - 0.5, color="white", lw=0.8)
    for axes in (where, what):
        axes.legend(loc="upper right")
    return figure


def main(data: Path, name: str, tracker: str, tsm: str, output: Path) -> dict[str, float]:
    """Run both, print the comparison, draw the picture."""
    (clip,) = pick_clips(find_labelled_clips(data).clips, [name])
    first, second = run_tracker(tracker, clip), run_tsm(tsm, clip)
    frames = len(first.track)
    sees = [f"{f.spec.frames} frames of {f.spec.input_size}" for f in (first.file, second.file)]
    rows = [
        ("", "TrackNet", "TSM"),
        ("answers", "position in each frame", "class of each window"),
        ("loss", "cross-entropy by pixel", "cross-entropy by window"),
        ("sees", *sees),
        ("median velocity error", f"{first.error:.2f} px/frame", "-"),
        ("windows classified right", "-", f"{second.accuracy:.0%}"),
        *[
            (title, *(text.format(measure(run.file)) for run in (first, second)))
            for title, text, measure in (
                ("parameters", "{:,}", lambda file: file.model.count_params()),
                ("GFLOP a window", "{:.2f}", lambda f: count_gflop(f.model, f.spec.input_size)),
            )
        ],
        ("frames a second", f"{frames / first.seconds:.1f}", f"{frames / second.seconds:.1f}"),
    ]
    for title, *cells in rows:
        print(f"{title:26}" + "".join(f"{cell:28}" for cell in cells))
    draw_contrast(first, second).savefig(output, dpi=110)
    return {"velocity_error": float(first.error), "accuracy": float(second.accuracy)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of labelled clips")
    parser.add_argument("name", help="clip in it")
    parser.add_argument("--tsm", required=True, help="run folder of tracknet fit --version tsm")
    parser.add_argument("--tracker", default="badminton-v3", help="preset, file or run folder")
    parser.add_argument("-o", "--output", type=Path, default=Path("contrast.png"))
    main(**vars(parser.parse_args()))
