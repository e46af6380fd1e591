"""Clips: frames with the labels that belong to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from keras_tracknet.datasets.labels import LabelTable


@dataclass(frozen=True)
class Clip:
    """One rally or run: frames and the labels that belong to them.

    Attributes:
        name: unique in the dataset, with forward slashes: `match1/1_05_02`, `00001`.
        source: video file or folder of images.
        labels: file of labels, or the folder of them where each frame has its own.
        group: the match, or the folder, the clip comes from; clips of one group look alike.
        table: what the labels say.
        part: `train`, `val` or `test` where the dataset comes split, else empty.
        evaluated: (start, end): only frames start <= frame < end count in an evaluation;
            None when all do.
    """

    name: str
    source: Path
    labels: Path
    group: str
    table: LabelTable = field(repr=False, compare=False)
    part: str = ""
    evaluated: tuple[int, int] | None = None
