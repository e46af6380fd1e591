"""Draw where weights fail, for their card: three stretches of an evaluation with many wrong frames.

    tracknet evaluate --data DIR --weights tennis-v3 --clips 'game4_*,game7_*' -o runs/evaluation
    python docs/failures.py DIR runs/evaluation -o docs/images/failures-tennis-v3.svg

A stretch is a second and a half; no clip gives two. Shows positions only: the footage belongs to
others. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from figures import BLUE, INK, ORANGE, PALE, STYLE
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.dataset import find_labelled_clips, read_labels
from keras_tracknet.evaluation.trackers import find_counted
from keras_tracknet.frames.sizes import scale_positions
from keras_tracknet.tracks.files import read_track
from keras_tracknet.video.reader import probe_video

SIZE = (288, 512)  # (height, width) that positions are compared at, pixels
SECONDS, STRETCHES = 1.5, 3


@dataclass(frozen=True)
class Stretch:
    """Neighbouring frames of a clip.

    Attributes:
        clip: its name.
        first: number of the first frame.
        labels, found: `(frames, 2)`, (x, y) in pixels at `SIZE`; NaN for no ball.
        wrong: `(frames,)` bool, whether the frame counts as wrong.
    """

    clip: str
    first: int
    labels: np.ndarray
    found: np.ndarray
    wrong: np.ndarray


def main(data: Path, evaluation: Path, output: Path) -> None:
    """Choose the stretches and draw them; print where they are."""
    outcome = json.loads((evaluation / "evaluation.json").read_text(encoding="utf-8"))
    tracks = {name: evaluation / "tracks" / f"{name}.csv" for name in outcome["clips"]}
    stretches = [
        find_worst(clip.name, *judge(clip, tracks[clip.name], outcome["tolerance"]))
        for clip in find_labelled_clips(data).clips
        if clip.name in tracks
    ]
    stretches.sort(key=lambda stretch: (-stretch.wrong.sum(), stretch.clip))
    for stretch in stretches[:STRETCHES]:
        last = stretch.first + len(stretch.wrong) - 1
        print(f"{stretch.clip}: {stretch.wrong.sum()} of frames {stretch.first} to {last} wrong")
    output.parent.mkdir(parents=True, exist_ok=True)
    draw(stretches[:STRETCHES]).savefig(output, bbox_inches="tight", metadata={"Date": None})


def judge(
    clip: Clip, path: Path, tolerance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return labels and track `(frames, 2)`, which frames are wrong, and frames per second."""
    info, track = probe_video(clip.source), read_track(path)
    size = (info.height, info.width)
    labels = read_labels(clip, size=size, frames=len(track))
    truth, found = (scale_positions(t.positions, size, SIZE) for t in (labels, track))
    there, seen = np.isfinite(truth[:, 0]), np.isfinite(found[:, 0])
    far = np.linalg.norm(found - truth, axis=-1) > tolerance  # not where one is NaN
    wrong = find_counted(clip, labels) & ((there != seen) | far)
    return truth, found, wrong, float(info.fps)


def find_worst(
    clip: str, labels: np.ndarray, found: np.ndarray, wrong: np.ndarray, fps: float
) -> Stretch:
    """Return the stretch of a clip with most wrong frames, which lie in its middle."""
    length = min(len(wrong), round(SECONDS * fps))
    sums = np.convolve(wrong, np.ones(length, int), "valid")
    best = np.flatnonzero(sums == sums.max())
    first = int(best[len(best) // 2])
    part = slice(first, first + length)
    return Stretch(clip, first, labels[part], found[part], wrong[part])


def draw(stretches: list[Stretch]) -> Figure:
    """Return a figure with x and y of every stretch over the frames."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.4 * len(stretches), 4.2), layout="constrained")
        grid = figure.subplots(2, len(stretches), sharex="col", squeeze=False)
        for column, stretch in zip(grid.T, stretches, strict=True):
            upper, lower = column
            for axes, axis in ((upper, 0), (lower, 1)):
                draw_axis(axes, stretch, axis)
            lower.invert_yaxis()  # as in the picture
            upper.set_title(
                f"{stretch.clip}\n{stretch.wrong.sum()} of {len(stretch.wrong)} frames wrong"
            )
            lower.set_xlabel("frame")
        grid[0, 0].set_ylabel(f"x (pixels of {SIZE[1]})")
        grid[1, 0].set_ylabel(f"y (pixels of {SIZE[0]})")
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False)
    return figure


def draw_axis(axes: Axes, stretch: Stretch, axis: int) -> None:
    """Draw x (axis 0) or y (axis 1) of a stretch; frames that are missed or wrong stand out."""
    frames = stretch.first + np.arange(len(stretch.wrong))
    label, found, wrong = stretch.labels[:, axis], stretch.found[:, axis], stretch.wrong
    for begin, end in np.flatnonzero(np.diff(wrong, prepend=False, append=False)).reshape(-1, 2):
        axes.axvspan(frames[0] + begin - 0.5, frames[0] + end - 0.5, color=PALE, lw=0)
    axes.plot([], [], color=PALE, lw=8, label="wrong frame")
    axes.plot(frames, label, color=INK, lw=1, label="label")
    axes.plot(frames[~wrong], found[~wrong], ".", color=BLUE, ms=4, label="found, right")
    axes.plot(frames[wrong], found[wrong], "x", color=ORANGE, ms=5, label="found, wrong")
    axes.set_xlim(frames[0] - 0.5, frames[-1] + 0.5)
    axes.margins(y=0.15)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of labelled clips")
    parser.add_argument("evaluation", type=Path, help="what tracknet evaluate -o wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, help="picture to write")
    options = parser.parse_args()
    main(options.data, options.evaluation, options.output)
