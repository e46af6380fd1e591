"""A corpus: many videos tracked one after another, what is finished left alone."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.files import write_json
from keras_tracknet.inference import Tracker
from keras_tracknet.io.video_folder import list_videos, match_videos
from keras_tracknet.outputs import OutputPaths, predict_video
from keras_tracknet.reporting import Reporter

SUMMARY = "corpus.json"
FINISHED, SKIPPED, FAILED = "finished", "skipped", "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one video.

    Attributes:
        video: where it is.
        folder: where its results are.
        state: `finished`, `skipped` as it was finished before, or `failed`.
        frames: rows written, 0 if it failed.
        error: why it failed, or an empty string.
    """

    video: Path
    folder: Path
    state: str
    frames: int = 0
    error: str = ""


@dataclass(frozen=True)
class CorpusSettings:
    """How the videos of a corpus are tracked.

    Attributes:
        output: folder that each video gets a folder in.
        formats, schema: of the tracks, as for `predict_video`.
        overlay, plots, segments: what is written besides.
        overwrite: whether finished videos are tracked again.
    """

    output: Path
    formats: tuple[str, ...] = ("csv",)
    schema: str = "tracknet"
    overlay: bool = True
    plots: bool = False
    segments: bool = False
    overwrite: bool = False


def find_videos(source: str) -> list[Path] | None:
    """Return the videos that a corpus consists of.

    Args:
        source: a folder with videos in it, a pattern such as `matches/*.mp4`, or a text file
            with a path a line, relative to that file's folder.

    Returns:
        The videos in order; None where `source` is a single video or a folder of images.

    Raises:
        InputError: a list or a pattern without any video.
    """
    path = Path(source)
    if path.is_dir():
        return list_videos(path) or None
    if path.suffix == ".txt" and path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        listed = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        if not listed:
            raise InputError(f"{path}: no video is listed there; write one path a line.")
        return [path.parent / line for line in listed]
    if glob.has_magic(source) and not path.exists():
        found = match_videos(source)
        if not found:
            raise InputError(f"{source}: no file is called like that.")
        return found
    return None


def predict_corpus(
    make_tracker: Callable[[], Tracker],
    videos: Sequence[Path],
    settings: CorpusSettings,
    *,
    reporter: Reporter | None = None,
) -> list[Outcome]:
    """Track many videos; one that fails does not keep the others from being tracked.

    Videos whose results are complete are skipped, interrupted ones go on where they stopped.

    Args:
        make_tracker: makes the tracker, once there is something to track.
        videos: the videos.
        settings: how they are tracked and where the results go.
        reporter: where progress goes.

    Returns:
        An outcome for each video, which `corpus.json` in the output folder holds too.
    """
    reporter, tracker = reporter or Reporter(), None
    outcomes: list[Outcome] = []
    for video, folder in name_folders(videos, settings.output):
        outcome = find_finished(video, folder, settings)
        if outcome is None:
            tracker = tracker or make_tracker()
            outcome = predict_one(tracker, video, folder, settings, reporter)
        report(outcome, reporter)
        outcomes.append(outcome)
        write_outcomes(outcomes, settings.output)
    return outcomes


def predict_one(
    tracker: Tracker, video: Path, folder: Path, settings: CorpusSettings, reporter: Reporter
) -> Outcome:
    """Track one video of a corpus; what goes wrong is in the outcome."""
    try:
        paths = place(video, folder, settings)
        resume = not settings.overwrite and settings.schema == "tracknet"
        summary = predict_video(
            tracker, video, paths, schema=settings.schema,
            resume=resume and paths.growing is not None, reporter=reporter,
        )  # fmt: skip
    except InputError as error:
        return Outcome(video, folder, FAILED, error=str(error))
    return Outcome(video, folder, FINISHED, summary["frames"])


def find_finished(video: Path, folder: Path, settings: CorpusSettings) -> Outcome | None:
    """Return the outcome of a video that need not be tracked again, else None."""
    if settings.overwrite or not place(video, folder, settings).is_complete():
        return None
    return Outcome(video, folder, SKIPPED)


def place(video: Path, folder: Path, settings: CorpusSettings) -> OutputPaths:
    """Return where the results of a video go."""
    return OutputPaths.choose(
        video, folder, settings.formats,
        overlay=settings.overlay, plots=settings.plots, segments=settings.segments,
    )  # fmt: skip


def name_folders(videos: Sequence[Path], output: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each video with a folder of its own: its stem, or its path where two share one."""
    stems = [video.stem for video in videos]
    common = Path(os.path.commonpath([video.absolute().parent for video in videos]))
    for video in videos:
        unique = stems.count(video.stem) == 1
        inside = video.absolute().relative_to(common)
        name = video.stem if unique else inside.as_posix().replace("/", "-").replace(".", "-")
        yield video, output / name


def report(outcome: Outcome, reporter: Reporter) -> None:
    """Tell what became of a video."""
    if outcome.state == FAILED:
        reporter.warn(outcome.error)
    elif outcome.state == SKIPPED:
        reporter.note(f"{outcome.video}: finished before; --overwrite tracks it again")


def write_outcomes(outcomes: Sequence[Outcome], output: Path) -> None:
    """Write `corpus.json`."""
    records: list[dict[str, Any]] = [
        {**vars(o), "video": str(o.video), "folder": str(o.folder)} for o in outcomes
    ]
    counts = {state: sum(o.state == state for o in outcomes) for state in
              (FINISHED, SKIPPED, FAILED)}  # fmt: skip
    output.mkdir(parents=True, exist_ok=True)
    write_json({**counts, "videos": records}, output / SUMMARY)
