"""Evaluation: a tracker against labelled clips, by the same code that predicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from keras_tracknet.datasets.checks import list_warnings
from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.dataset import find_labelled_clips, pick_clips, read_labels
from keras_tracknet.datasets.labels import DEFAULT_VISIBLE
from keras_tracknet.evaluation.reliability import (
    Judged,
    ReliabilityBin,
    expected_error,
    measure_reliability,
)
from keras_tracknet.evaluation.resampling import find_intervals
from keras_tracknet.files import prepare_place, write_json
from keras_tracknet.frames.sizes import scale_positions
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.metrics import TOLERANCE, Counts, count_outcomes
from keras_tracknet.progress import Reporter
from keras_tracknet.tracks.candidate_files import write_candidates
from keras_tracknet.tracks.files import write_track
from keras_tracknet.tracks.tables import DETECTED
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.reader import probe_video

UNITS = ("model", "source")
T = TypeVar("T")


@dataclass(frozen=True)
class ClipResult:
    """A clip's outcome: its name, counted frames, seconds that tracking took, and detections."""

    name: str
    counts: Counts
    seconds: float
    judged: Judged = field(default_factory=Judged)


@dataclass(frozen=True)
class Evaluation:
    """The outcome of an evaluation.

    Attributes:
        clips: one result per clip.
        tolerance: greatest distance that counts as right.
        unit: `model` for pixels at the model's size, `source` for pixels of the video.
    """

    clips: tuple[ClipResult, ...]
    tolerance: float
    unit: str

    @property
    def total(self) -> Counts:
        """The counts of all clips together."""
        return sum((clip.counts for clip in self.clips), Counts())

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of accuracy and F1 when clips are resampled; empty with fewer than two."""
        return find_intervals([clip.counts for clip in self.clips])

    @property
    def reliability(self) -> list[ReliabilityBin]:
        """How often detections are right, by their confidence."""
        return measure_reliability([clip.judged for clip in self.clips])

    def as_dict(self) -> dict[str, Any]:
        """Return scores and counts of the total, and by clip under `clips`."""
        curve = self.reliability
        return {
            **self.total.as_dict(),
            "frames": self.total.frames,
            "tolerance": self.tolerance,
            "tolerance_unit": self.unit,
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "reliability": [row._asdict() for row in curve],
            "calibration_error": expected_error(curve),
            "clips": {
                clip.name: {**clip.counts.as_dict(), "frames": clip.counts.frames}
                for clip in self.clips
            },
        }


def evaluate(
    tracker: Tracker,
    data: Path,
    *,
    clips: Sequence[str] = (),
    visible: str = DEFAULT_VISIBLE,
    tolerance: float = TOLERANCE,
    unit: str = "model",
    output: Path | None = None,
    candidates: bool = False,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> Evaluation:
    """Track labelled clips and count how often that is right.

    Args:
        tracker: the tracker.
        data: folder of labelled clips.
        clips: names of clips, folders or globs; every clip when empty.
        visible: which balls count as visible, see `find_dataset`.
        tolerance: greatest distance that counts as right.
        unit: `model` for pixels at the model's size, `source` for pixels of the video.
        output: folder for `tracks/<clip>.csv` and `evaluation.json`; none are written when
            omitted.
        candidates: whether to write the peaks of every heatmap, too, to `candidates/<clip>.csv`
            of the folder; takes another pass over the clips.
        overwrite: whether to replace an evaluation that is there.
        reporter: where progress goes.

    Returns:
        The `Evaluation`. Unlabelled frames do not count, nor those that the dataset's
        `drop_frame.json` leaves out.

    Raises:
        InputError: no clip, or one that cannot be read, a result that cannot be written, or
            candidates of a network without heatmaps.
        ValueError: an unknown unit.
    """
    if unit not in UNITS:
        raise ValueError(f"`unit` must be one of {', '.join(UNITS)}. Received: unit={unit!r}")
    reporter = reporter or Reporter()
    dataset = find_labelled_clips(data, visible=visible)
    found = pick_clips(dataset.clips, clips) if clips else dataset.clips
    for warning in list_warnings(dataset, found):
        reporter.warn(warning)
    if output is not None:
        prepare_place(output / "evaluation.json", overwrite)
    results = []
    total = sum(probe_video(clip.source).frames or 0 for clip in found)
    total *= 2 if candidates else 1  # passes
    with reporter.track("evaluating", total, unit="frames") as advance:
        for clip in found:
            peaks = tracker.propose(clip.source) if candidates else None
            began = time.perf_counter()
            track = tracker.track(clip.source, advance=advance)
            counts, judged = judge_clip(clip, track, tracker.spec.input_size, tolerance, unit)
            results.append(ClipResult(clip.name, counts, time.perf_counter() - began, judged))
            if output is not None:
                write_track(track, output / "tracks" / f"{clip.name}.csv")
                if peaks is not None:
                    place = output / "candidates" / f"{clip.name}.csv"
                    write_candidates(_advance_with(peaks, advance), place)
    evaluation = Evaluation(tuple(results), tolerance, unit)
    if output is not None:
        write_json(evaluation.as_dict(), output / "evaluation.json")
    return evaluation


def _advance_with(items: Iterable[T], advance: Callable[..., None]) -> Iterator[T]:
    """Yield items; advance by one for each."""
    for item in items:
        yield item
        advance(1)


def judge_clip(
    clip: Clip, track: Track, model_size: tuple[int, int], tolerance: float, unit: str
) -> tuple[Counts, Judged]:
    """Count the outcomes of one clip's frames, and say which detections are right.

    Args:
        clip: where the labels are.
        track: the prediction.
        model_size: (height, width) of the model's input, pixels.
        tolerance, unit: as for `evaluate`.
    """
    info = probe_video(clip.source)
    size = (info.height, info.width)
    labels = read_labels(clip, size=size, frames=len(track))
    counted = find_counted(clip, labels)
    truth, predicted = labels.positions[counted], track.positions[counted]
    if unit == "model":
        truth, predicted = (scale_positions(p, size, model_size) for p in (truth, predicted))
    found = track.status[counted] == DETECTED  # what is repaired has no peak of its own
    with np.errstate(invalid="ignore"):
        right = np.linalg.norm(predicted - truth, axis=-1) <= tolerance
    judged = Judged(track.confidence[counted][found], right[found])
    return count_outcomes(truth, predicted, tolerance), judged


def find_counted(clip: Clip, labels: Track) -> np.ndarray:
    """Return `(frames,)` bool: which frames of a clip count, those labelled and not left out."""
    counted: np.ndarray = labels.labelled.copy()
    if clip.evaluated is not None:
        start, stop = clip.evaluated
        counted[:start] = counted[stop:] = False
    return counted
