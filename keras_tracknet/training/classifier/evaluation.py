"""Evaluation of a classifier of clips: its classes against those of labelled tracks."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.backends import choose_precision
from keras_tracknet.datasets.checks import list_warnings
from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.dataset import find_labelled_clips, pick_clips
from keras_tracknet.errors import InputError
from keras_tracknet.files import prepare_place, replace_file, write_json, write_table
from keras_tracknet.models.blocks import keras_defaults
from keras_tracknet.progress import Reporter
from keras_tracknet.tracks.plots import draw_confusion
from keras_tracknet.training.batches.cache import read_clips
from keras_tracknet.training.batches.feed import as_py_dataset
from keras_tracknet.training.classifier.clip_batches import ClassifiedFrames, ClipBatches
from keras_tracknet.training.classifier.data import load_classified
from keras_tracknet.weights.model_file import ModelFile, set_precision

BATCH_SIZE = 8


@dataclass(frozen=True)
class ClipEvaluation:
    """The outcome of an evaluation.

    Attributes:
        classes: their names.
        confusion: `(classes, classes)` int, windows: a row for each labelled class, a column
            for each predicted one.
        clips: names of the clips.
    """

    classes: tuple[str, ...]
    confusion: np.ndarray
    clips: tuple[str, ...]

    @property
    def windows(self) -> int:
        """How many windows were classified."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of the windows that are classified as labelled."""
        return float(np.trace(self.confusion) / self.windows)

    @property
    def f1(self) -> float:
        """Mean F1 of the classes that are labelled anywhere."""
        return float(np.mean([row["f1"] for row in self.table() if row["windows"]]))

    def table(self) -> list[dict[str, Any]]:
        """Return a row a class: precision, recall and F1, NaN where nothing is divided by."""
        rows = []
        for place, name in enumerate(self.classes):
            right = int(self.confusion[place, place])
            labelled = int(self.confusion[place].sum())
            predicted = int(self.confusion[:, place].sum())
            rows.append(
                {
                    "class": name,
                    "windows": labelled,
                    "precision": _divide(right, predicted),
                    "recall": _divide(right, labelled),
                    "f1": _divide(2 * right, labelled + predicted),
                }
            )
        return rows

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON; None for what is not a number."""
        return {
            "accuracy": self.accuracy,
            "f1": self.f1,
            "windows": self.windows,
            "classes": [{k: None if v != v else v for k, v in row.items()} for row in self.table()],
            "confusion": self.confusion.tolist(),
            "clips": list(self.clips),
        }


def evaluate_classes(
    file: ModelFile,
    data: Path,
    *,
    clips: Sequence[str] = (),
    precision: str = "auto",
    output: Path | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> ClipEvaluation:
    """Classify the windows of labelled clips and compare with what their tracks say.

    Windows follow each other by a quarter of their length; those without a class, see
    `clip_classes`, do not count.

    Args:
        file: a TSM, as `load_model` returns it.
        data: folder of labelled clips.
        clips: names of clips, folders or globs; every clip when empty.
        precision: `auto`, or a Keras dtype policy.
        output: folder for `evaluation.json`, `classes.csv`, `confusion.csv` and, where matplotlib
            is installed, `confusion.png`; none are written when omitted.
        overwrite: whether to replace an evaluation that is there.
        reporter: where progress goes.

    Raises:
        InputError: weights that tell other classes apart, no usable clip, or a result that
            cannot be written.
    """
    reporter = reporter or Reporter()
    if not file.spec.span:
        raise InputError(f"{file.path}: window length is not recorded; train it with tracknet fit.")
    dataset = find_labelled_clips(data)
    found = pick_clips(dataset.clips, clips) if clips else dataset.clips
    for warning in list_warnings(dataset, found):
        reporter.warn(warning)
    if output is not None:
        prepare_place(output / "evaluation.json", overwrite)
    cached = read_clips(found, file.spec.input_size, reporter)
    loaded = [
        _keep_evaluated(clip, load_classified(clip, frames, file.spec.span))
        for clip, frames in zip(found, cached, strict=True)
    ]
    try:
        batches = ClipBatches(loaded, file.spec.frames, batch_size=BATCH_SIZE, training=False)
    except ValueError as error:
        raise InputError(f"{data}: {error}") from error
    set_precision(file.model, choose_precision(precision))
    predicted = _predict(file, batches, reporter)
    count = len(file.spec.classes)
    confusion = np.zeros((count, count), int)
    np.add.at(confusion, (batches.classes, predicted), 1)
    names = tuple(clip.name for clip in found)
    evaluation = ClipEvaluation(file.spec.classes, confusion, names)
    if output is not None:
        _write(evaluation, output)
    return evaluation


@keras_defaults()
def _predict(file: ModelFile, batches: ClipBatches, reporter: Reporter) -> np.ndarray:
    dataset = as_py_dataset(batches, 0, len(batches))
    file.model.compile()  # drops a prediction function compiled in another precision
    best = []
    with reporter.track("classifying", batches.windows, unit="windows") as advance:
        for number in range(len(batches)):
            probabilities = np.asarray(file.model.predict_on_batch(dataset[number][0]))
            best.append(probabilities.argmax(axis=-1))
            advance(len(probabilities))
    return np.concatenate(best)


def _keep_evaluated(clip: Clip, frames: ClassifiedFrames) -> ClassifiedFrames:
    """Take the frames that the dataset leaves out of evaluations as unlabelled."""
    if clip.evaluated is None:
        return frames
    labelled = frames.play.labelled.copy()
    start, stop = clip.evaluated
    labelled[:start] = labelled[stop:] = False
    return replace(frames, play=replace(frames.play, labelled=labelled))


def _write(evaluation: ClipEvaluation, output: Path) -> None:
    table = evaluation.table()
    write_table(table[0], (row.values() for row in table), output / "classes.csv")
    rows = zip(evaluation.classes, evaluation.confusion.tolist(), strict=True)
    head = ["labelled", *evaluation.classes]
    write_table(head, ([name, *counts] for name, counts in rows), output / "confusion.csv")
    if importlib.util.find_spec("matplotlib") is not None:
        figure = draw_confusion(evaluation.confusion, evaluation.classes)
        with replace_file(output / "confusion.png") as partial:
            figure.savefig(partial, dpi=120)
    write_json(evaluation.as_dict(), output / "evaluation.json")  # last: where it is, all of it is


def _divide(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
