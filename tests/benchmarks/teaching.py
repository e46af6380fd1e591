"""Does the loop pay? Answers the queue of doubtful frames from a label file, teaches, and scores.

    python tests/benchmarks/teaching.py DIR --clip NAME --other NAME --weights tennis-v3

The clip is tracked; 60 of its frames are corrected by its labels, the most doubtful ones or as many
drawn by chance; the weights are taught on them; and the taught weights track the rest of the clip,
and other clips of the same court. Prints a Markdown table. Use clips that the weights were never
trained on.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.dataset import find_labelled_clips, pick_clips, read_labels
from keras_tracknet.frames.sizes import scale_positions
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.metrics import TOLERANCE, Counts, count_outcomes
from keras_tracknet.presets import find_weights
from keras_tracknet.studio.labels import ABSENT, VISIBLE, FrameLabel, LabelFile
from keras_tracknet.studio.teaching import teach
from keras_tracknet.tracks.doubts import APART, find_doubtful_frames
from keras_tracknet.tracks.files import write_track
from keras_tracknet.tracks.merging import merge_labels
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.reader import probe_video


def choose_doubtful(track: Track, labels: Track, count: int) -> list[int]:
    """Return the frames that a person answers who takes the queue from its head, again and again.

    An answered frame leaves the queue, and its neighbours stand in it as soon as nothing farther
    away does.
    """
    chosen: list[int] = []
    for apart in (APART, APART // 2, 2, 1):
        known = np.zeros(len(track), bool)
        known[chosen] = True
        answered = Track.from_positions(labels.x, labels.y, labels.visibility, labelled=known)
        for moment in find_doubtful_frames(merge_labels(track, answered), apart=apart):
            if labels.labelled[moment.frame] and len(chosen) < count:
                chosen.append(moment.frame)
    return chosen


def choose_random(labels: Track, count: int, seed: int) -> list[int]:
    """Return frames drawn by chance."""
    frames = np.flatnonzero(labels.labelled)
    return np.random.default_rng(seed).permutation(frames)[:count].tolist()


def count(track: Track, labels: Track, used: np.ndarray, size: tuple[int, int]) -> Counts:
    """Count outcomes on some frames, at 512x288."""
    model = (288, 512)
    truth, found = (scale_positions(t.positions[used], size, model) for t in (labels, track))
    return count_outcomes(truth, found, TOLERANCE)


def load_labels(clip: Clip, frames: int) -> tuple[Track, tuple[int, int]]:
    """Return a clip's labels and its picture size."""
    info = probe_video(clip.source)
    size = (info.height, info.width)
    return read_labels(clip, size=size, frames=frames), size


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("--clip", "name", required=True, help="Clip to correct.")
@click.option("--other", "others", multiple=True, required=True, help="Clip of the same court.")
@click.option("--weights", default="tennis-v3", show_default=True)
@click.option("--frames", default=60, show_default=True, help="Frames to correct.")
@click.option("--minutes", default=4.0, show_default=True, help="Minutes of teaching.")
@click.option("--steps", type=int, help="Steps of teaching, instead of minutes.")
@click.option("--arms", default="queue,random", show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(
    data: Path, name: str, others: tuple[str, ...], weights: str, frames: int, minutes: float,
    steps: int | None, arms: str, seed: int,
) -> None:  # fmt: skip
    """Answer the queue of one clip from its label file, teach, and score."""
    clips = find_labelled_clips(data).clips
    (clip,) = pick_clips(clips, [name])
    tested = pick_clips(clips, list(others))
    paths = find_weights(weights)
    tracker = Tracker(paths.tracker, rectifier=paths.rectifier)
    before = {c.name: tracker.track(c.source) for c in (clip, *tested)}
    labels, size = load_labels(clip, len(before[clip.name]))

    def score_others(tracks: dict[str, Track]) -> Counts:
        counts = Counts()
        for other in tested:
            truth, its_size = load_labels(other, len(tracks[other.name]))
            counts += count(tracks[other.name], truth, truth.labelled, its_size)
        return counts

    print(f"{clip.name}: {frames} frames corrected, {minutes:g} minutes of teaching, {weights}")
    print("| frames | wrong of them | rest before | rest after | other before | other after |"
          " other F1 before | after | minutes |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for arm in arms.split(","):
        own = before[clip.name]
        chosen = (
            choose_doubtful(own, labels, frames)
            if arm == "queue"
            else choose_random(labels, frames, seed)
        )
        mask = np.zeros(len(own), bool)
        mask[chosen] = True
        rest = labels.labelled & ~mask
        wrong = count(own, labels, mask, size)
        began = time.monotonic()
        with TemporaryDirectory() as work:
            video = Path(work) / "clip.mp4"
            shutil.copy(clip.source, video)
            file = LabelFile(Path(work) / "clip_ball.csv", Path(work) / "reviewed.json")
            rows = list(labels.rows())
            file.change({n: _as_label(rows[n].visible, rows[n].x, rows[n].y) for n in chosen})
            write_track(own, Path(work) / "track.csv")
            result = teach(
                [(video, file.path)], weights=weights, output=Path(work) / "out",
                minutes=minutes, steps=steps, tracks=[Path(work) / "track.csv"],
                hold_back=False, seed=seed,
            )  # fmt: skip
            taught = Tracker(Path(work) / "out" / "taught.keras", rectifier=paths.rectifier)
            after = {c.name: taught.track(c.source) for c in (clip, *tested)}
        spent = (time.monotonic() - began) / 60
        old, new = score_others(before), score_others(after)
        cells = (
            arm,
            f"{wrong.frames - wrong.tp - wrong.tn}/{wrong.frames}",
            f"{count(own, labels, rest, size).accuracy:.3f}",
            f"{count(after[clip.name], labels, rest, size).accuracy:.3f}",
            f"{old.accuracy:.3f}", f"{new.accuracy:.3f}", f"{old.f1:.3f}", f"{new.f1:.3f}",
            f"{spent:.1f} ({result['steps']} steps)",
        )  # fmt: skip
        print("| " + " | ".join(cells) + " |", flush=True)


def _as_label(visible: bool, x: float, y: float) -> FrameLabel:
    content = {"status": VISIBLE, "x": x, "y": y} if visible else {"status": ABSENT}
    return FrameLabel.parse(content, "labels")


if __name__ == "__main__":
    main()
