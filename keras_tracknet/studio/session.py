"""The session: what the studio's pages show and change, from its start to Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from keras_tracknet.studio.heatmaps import HeatmapMaker
from keras_tracknet.studio.jobs import JobQueue
from keras_tracknet.studio.labels import find_author
from keras_tracknet.studio.library import Library

TAUGHT = "taught"  # folder of weights that nobody has kept or discarded yet


@dataclass
class Session:
    """What the pages show.

    Attributes:
        library: the videos.
        jobs: what works in the background.
        heatmaps: makes them.
        author: name that labels are signed with.
        is_closing: whether the server is about to end.
    """

    library: Library
    jobs: JobQueue = field(default_factory=JobQueue)
    heatmaps: HeatmapMaker = field(default_factory=HeatmapMaker)
    author: str = field(default_factory=find_author)
    is_closing: Callable[[], bool] = lambda: False

    def taught_folder(self, job: str) -> Path:
        """Return where the weights of a job of teaching are."""
        return self.library.folder / TAUGHT / job

    def close(self) -> None:
        """Stop the running job and close all videos."""
        self.jobs.close()
        self.library.close()
