"""Measure trackers on hidden balls: real clips with patches pasted over the ball.

    python examples/occlusion_study.py DIR --clips 00004,00047 --v2 badminton-v2 \
        --v3 badminton-v3 --v3-plain runs/fit/v3-plain -o occlusion

Published comparisons say that V3 beats V2 by a wide margin where the ball is often hidden, but that
it needs frames to estimate the background. This script measures both. It pastes a piece of the same
picture over the ball in a share of the frames with a visible ball, in stretches of a given length.
V2, V3 trained without a background, and V3 with the background of the first 1, 8 and 60 frames and
of all frames track the same pictures, without and with rectifier. The position of a hidden ball
still counts. Writes the counts as tables (CSV and Markdown) and draws them.
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import keras_tracknet as kt
from keras_tracknet.metrics import TOLERANCE, Counts, count_outcomes
from keras_tracknet.presets import find_weights

# Share of visible frames to hide, frames at a time, and how much of the ball to cover.
CONDITIONS = (
    (0.0, 0, "none"),
    (0.3, 4, "half"),
    (0.1, 2, "whole"),
    (0.1, 4, "whole"),
    (0.3, 4, "whole"),
    (0.3, 12, "whole"),
)
BACKGROUNDS = {"1 frame": 1, "8 frames": 8, "60 frames": 60, "all": None}
PATCH = (36, 20)  # (height, width) of the patch at 288 x 512: about half a player
MAX_GAP = 3  # frames; longer than the default, because balls are hidden here
COLUMNS = ("tracker", "background", "rectifier", "share", "length", "cover")
TOLD = {
    "accuracy": "Accuracy, all frames",
    "f1": "F1, all frames",
    "hidden_recall": "Share of hidden balls found within 4 pixels",
    "fp1": "Balls reported more than 4 pixels away (FP1)",
}


@dataclass(frozen=True)
class Scene:
    """A clip at the model's size: frames, labelled positions there, and which frames are hidden."""

    frames: np.ndarray
    positions: np.ndarray
    labelled: np.ndarray
    hidden: np.ndarray


def choose_hidden(visible: np.ndarray, share: float, length: int, seed: int) -> np.ndarray:
    """Choose separate stretches of `length` visible frames until `share` is reached.

    Returns `(frames,)` bool; fewer frames than requested if no more stretches fit.
    """
    hidden = np.zeros(len(visible), bool)
    wanted = round(share * visible.sum())
    for start in np.random.default_rng(seed).permutation(len(visible)):
        stretch = slice(start, start + length)
        around = hidden[max(start - 2, 0) : start + length + 2]
        fits = hidden.sum() + length <= wanted and visible[stretch].sum() == length
        if fits and not around.any():
            hidden[stretch] = True
    return hidden


def hide_ball(
    frames: np.ndarray, positions: np.ndarray, hidden: np.ndarray, cover: str, seed: int
) -> np.ndarray:
    """Return frames in which an ellipse from elsewhere in the picture covers hidden balls.

    Within a stretch the ellipse comes from one place and moves with the ball. To cover the whole
    ball, it is near the ball's centre; to cover half, it ends at the ball's centre.
    """
    generator = np.random.default_rng(seed)
    height, width = frames.shape[1:3]
    rows, columns = np.mgrid[:height, :width]
    shown = np.array(frames)
    for frame in np.flatnonzero(hidden):
        if frame == 0 or not hidden[frame - 1]:
            offset = generator.uniform(-0.2, 0.2, 2) * PATCH
            if cover == "half":
                offset = np.array([np.sign(offset[0]) * PATCH[0] / 2, 0])
            shift = generator.integers(PATCH[0], (height, width))
        y, x = positions[frame, ::-1] + offset
        inside = ((rows - y) / PATCH[0]) ** 2 + ((columns - x) / PATCH[1]) ** 2 <= 0.25
        elsewhere = np.roll(frames[frame], tuple(shift), axis=(0, 1))
        shown[frame][inside] = elsewhere[inside]
    return shown


def make_scene(clip, size: tuple[int, int], share: float, length: int, cover: str) -> Scene:
    """Read a clip and hide its ball."""
    cached = kt.FrameCache().open(clip.source, size)
    labels = kt.read_labels(clip, size=cached.source_size, frames=len(cached))
    positions = kt.scale_positions(labels.positions, cached.source_size, size)
    hidden = choose_hidden(np.isfinite(positions[:, 0]), share, length, seed=len(cached))
    frames = hide_ball(cached.frames, positions, hidden, cover, seed=len(cached))
    return Scene(frames, positions, labels.labelled, hidden)


def count_scene(scene: Scene, track: kt.Track) -> tuple[Counts, Counts]:
    """Count the outcomes of all labelled frames and of the hidden ones."""
    return tuple(
        count_outcomes(scene.positions[which], track.positions[which], TOLERANCE)
        for which in (scene.labelled, scene.labelled & scene.hidden)
    )


def track_scene(tracker: kt.Tracker, scene: Scene, seen: int | None) -> kt.Track:
    """Track a scene with the background of its first `seen` frames, or of all frames."""
    first = scene.frames[:seen]
    sample = kt.sample_indices(len(first))
    return tracker.track_frames(
        scene.frames, background=kt.estimate_background(first[index] for index in sample)
    )


def study(data: Path, clips: list[str], trackers: dict[str, kt.Tracker], conditions) -> list[dict]:
    """Return a row for each tracker, background, rectifier and condition."""
    found = kt.find_clips(data, clips)
    totals: dict[tuple, tuple[Counts, Counts]] = {}
    for share, length, cover in conditions:
        for clip in found:
            size = next(iter(trackers.values())).spec.input_size
            scene = make_scene(clip, size, share, length, cover)
            for name, tracker in trackers.items():
                sees = BACKGROUNDS if tracker.spec.background != "none" else {"none": None}
                for background, seen in sees.items():
                    track = track_scene(tracker, scene, seen)
                    tracks = {"without": kt.raw_track(track)}
                    if tracker.rectifier is not None:
                        tracks["with"] = track
                    for rectifier, each in tracks.items():
                        key = (name, background, rectifier, share, length, cover)
                        everywhere, where_hidden = count_scene(scene, each)
                        before = totals.get(key, (Counts(), Counts()))
                        totals[key] = before[0] + everywhere, before[1] + where_hidden
                    hides = f"{cover} of the ball in {share:.0%}, {length} at a time"
                    print(f"{clip.name}, {hides}: {name}, background {background}", flush=True)
    return [
        {
            **dict(zip(COLUMNS, key, strict=True)),
            "frames": counts.frames,
            "accuracy": counts.accuracy,
            "f1": counts.f1,
            "hidden_recall": hidden.tp / hidden.frames if hidden.frames else np.nan,
            **{name: getattr(counts, name) for name in ("fp1", "fp2", "fn")},
        }
        for key, (counts, hidden) in totals.items()
    ]


def draw_study(rows: list[dict]) -> Figure:
    """Draw F1 and the recall of hidden balls for each condition."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    panels = figure.subplots(1, 2)
    conditions = list(dict.fromkeys(tuple(row[k] for k in COLUMNS[3:]) for row in rows))
    lines = list(dict.fromkeys(tuple(row[k] for k in COLUMNS[:3]) for row in rows))
    networks = list(dict.fromkeys(line[:2] for line in lines))
    for axes, score in zip(panels, ("f1", "hidden_recall"), strict=True):
        for tracker, background, rectifier in lines:
            told = [r for r in rows if tuple(r.values())[:3] == (tracker, background, rectifier)]
            label = tracker + (f", background {background}" if background != "none" else "")
            axes.plot(
                [conditions.index(tuple(r[k] for k in COLUMNS[3:])) for r in told],
                [r[score] for r in told],
                "x:" if rectifier == "with" else "o-",
                color=f"C{networks.index((tracker, background))}",
                label=label + (", rectified" if rectifier == "with" else ""),
            )
        names = [
            f"{share:.0%}\n{cover}\n{length} at a time" if share else "nothing\nhidden"
            for share, length, cover in conditions
        ]
        axes.set_xticks(range(len(conditions)), names)
        axes.set(title=TOLD[score], xlabel="share of visible frames in which the ball was hidden")
        axes.grid(alpha=0.3)
    panels[1].legend(fontsize=7)
    return figure


def write_tables(rows: list[dict], folder: Path) -> None:
    """Write every count to `occlusion.csv`, and a table for each score to `occlusion.md`."""
    with (folder / "occlusion.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    conditions = list(dict.fromkeys(tuple(row[k] for k in COLUMNS[3:]) for row in rows))
    heads = [
        f"{share:.0%} {cover}, {length}" if share else "0%" for share, length, cover in conditions
    ]
    text = ""
    for score, title in TOLD.items():
        text += f"**{title}**\n\n| Tracker | Background | Rectifier | {' | '.join(heads)} |\n"
        text += "|---|---|---|" + "--:|" * len(heads) + "\n"
        scores: dict[tuple, list[str]] = {}
        for row in rows:  # rows of one tracker are in the order of the conditions
            value = row[score]
            told = "-" if np.isnan(value) else f"{value:.3f}" if score != "fp1" else str(value)
            scores.setdefault(tuple(row[k] for k in COLUMNS[:3]), []).append(told)
        text += "".join(f"| {' | '.join((*key, *told))} |\n" for key, told in scores.items())
        text += "\n"
    (folder / "occlusion.md").write_text(text.rstrip() + "\n")


def main(
    data: Path, clips: list[str], v2: str, v3: str, v3_plain: str | None, rectifier: str | None,
    threshold: float | None, output: Path, conditions=CONDITIONS,
) -> list[dict]:  # fmt: skip
    """Run the study, write its tables and draw it."""
    names = {"V2": v2, "V3": v3, "V3 trained without": v3_plain}
    files = {title: find_weights(name) for title, name in names.items() if name is not None}
    second = find_weights(rectifier).tracker if rectifier else files["V3"].rectifier
    trackers = {
        title: kt.Tracker(
            found.tracker,
            rectifier=second if title == "V3" else None,
            threshold=threshold,
            max_gap=MAX_GAP,
        )
        for title, found in files.items()
    }
    rows = study(data, clips, trackers, conditions)
    output.mkdir(parents=True, exist_ok=True)
    write_tables(rows, output)
    draw_study(rows).savefig(output / "occlusion.svg")
    print((output / "occlusion.md").read_text())
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of labelled clips")
    parser.add_argument("--clips", type=lambda text: text.split(","), default=[], help="names")
    parser.add_argument("--v2", default="badminton-v2", help="preset, file or run folder")
    parser.add_argument("--v3", default="badminton-v3", help="preset, file or run folder")
    parser.add_argument("--v3-plain", help="V3 trained with --background none")
    parser.add_argument("--rectifier", help="file or run folder; default: the preset's own")
    parser.add_argument(
        "--threshold", type=float, help="threshold of all trackers; default: their own"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("occlusion"))
    main(**vars(parser.parse_args()))
