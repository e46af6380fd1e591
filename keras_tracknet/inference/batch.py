"""A batch: many videos tracked one after another; finished ones are skipped."""

from __future__ import annotations

import codecs
import contextlib
import glob
import hashlib
import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.files import read_json, write_json
from keras_tracknet.inference.outputs import predict_video
from keras_tracknet.inference.places import OutputPaths, is_file_name, name_result
from keras_tracknet.inference.resuming import find_finished
from keras_tracknet.inference.summaries import describe_run
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.locks import hold_lock
from keras_tracknet.progress import Reporter
from keras_tracknet.tracks.summary import read_summary
from keras_tracknet.video.folder import list_videos, match_videos
from keras_tracknet.video.part import WHOLE, Part
from keras_tracknet.video.reader import probe_video

SUMMARY = "batch.json"
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
        traceback: where it failed, if that is a mistake of this package.
    """

    video: Path
    folder: Path
    state: str
    frames: int = 0
    error: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class BatchSettings:
    """How the videos of a batch are tracked.

    Attributes:
        output: folder for the results; each video gets its own folder in it.
        formats, schema: of the tracks, as for `predict_video`.
        overlay, plots, shots, rejected: what else is written.
        overwrite: whether finished videos are tracked again.
        strict: whether a damaged video fails, instead of being tracked as far as it can be read.
        part: which frames of each video are tracked, and where in the picture.
    """

    output: Path
    formats: tuple[str, ...] = ("csv",)
    schema: str = "tracknet"
    overlay: bool = True
    plots: bool = False
    shots: bool = False
    rejected: bool = False
    overwrite: bool = False
    strict: bool = False
    part: Part = WHOLE


def find_videos(source: str) -> list[Path] | None:
    """Return the videos of a batch.

    Args:
        source: a folder with videos in it, a pattern such as `matches/*.mp4`, or a text file
            with one path per line, relative to that file's folder.

    Returns:
        The videos in order; None if `source` is a single video or a folder of images.

    Raises:
        InputError: a list or a pattern without any video.
    """
    path = Path(source)
    if path.is_dir():
        return list_videos(path) or None
    if path.suffix == ".txt" and path.is_file():
        return _read_list(path)
    if glob.has_magic(source) and not path.exists():
        found = match_videos(source)
        if not found:
            raise InputError(f"{source}: no matching file; check the path.")
        return found
    return None


def find_readable(videos: Sequence[Path]) -> Path:
    """Return the first video that can be read; the first of all where none can."""
    for video in videos:
        with contextlib.suppress(InputError):
            probe_video(video)
            return video
    return videos[0]


def predict_videos(
    make_tracker: Callable[[], Tracker],
    videos: Sequence[Path],
    settings: BatchSettings,
    *,
    reporter: Reporter | None = None,
) -> list[Outcome]:
    """Track many videos; one that fails does not stop the others.

    Finished videos are skipped, interrupted ones continue where they stopped, and one that was
    tracked with other settings fails.

    Args:
        make_tracker: makes the tracker.
        videos: the videos.
        settings: how they are tracked and where the results go.
        reporter: where progress goes.

    Returns:
        An outcome for each video; `batch.json` in the output folder holds them too.

    Raises:
        InputError: the output folder cannot be used, or there is no such tracker.
    """
    reporter, tracker = reporter or Reporter(), None
    outcomes: list[Outcome] = []
    with claim_folder(settings.output):
        for video, folder in name_folders(videos, settings.output):
            tracker = tracker or make_tracker()
            outcome = predict_one(tracker, video, folder, settings, reporter)
            report(outcome, reporter)
            outcomes.append(outcome)
            write_outcomes(outcomes, settings.output)
    return outcomes


def predict_one(
    tracker: Tracker, video: Path, folder: Path, settings: BatchSettings, reporter: Reporter
) -> Outcome:
    """Track one video of a batch unless it is finished; an error is part of the outcome."""
    paths = OutputPaths.inside(
        folder, settings.formats,
        overlay=settings.overlay, plots=settings.plots, shots=settings.shots,
        rejected=settings.rejected,
    )  # fmt: skip
    overwrite = settings.overwrite
    resume = not overwrite and settings.schema == "tracknet" and paths.growing is not None
    try:
        if not overwrite:
            described = describe_run(
                tracker, video, probe_video(video), settings.schema, settings.part
            )
            if find_finished(described, paths) is not None:
                return Outcome(video, folder, SKIPPED)
            # What was interrupted begins anew where its format cannot be resumed.
            overwrite = read_summary(paths.summary) is not None
        summary = predict_video(
            tracker,
            video,
            paths,
            schema=settings.schema,
            resume=resume,
            overwrite=overwrite,
            strict=settings.strict,
            part=settings.part,
            reporter=reporter,
        )
    except InputError as error:
        return Outcome(video, folder, FAILED, error=str(error))
    except Exception as error:  # of whatever kind: the other videos are tracked all the same
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return Outcome(
            video, folder, FAILED, error=f"{video}: {what}", traceback=traceback.format_exc()
        )
    return Outcome(video, folder, FINISHED, summary["frames"])


@contextlib.contextmanager
def claim_folder(output: Path) -> Iterator[None]:
    """Lock the folder of a batch during the `with` block.

    Raises:
        InputError: it is no folder, another run writes there, or its `batch.json` is of
            something else.
    """
    if is_file_name(output) or (output.exists() and not output.is_dir()):
        raise InputError(f"{output}: not a folder; give a folder as `output` to track many videos.")
    with hold_lock(output / SUMMARY):
        _check_summary(output / SUMMARY)
        yield


def _check_summary(path: Path) -> None:
    """Raise `InputError` where something else has the name of our summary."""
    try:
        content = read_json(path)
    except FileNotFoundError:
        return
    except InputError:
        content = {}
    if not isinstance(content.get("videos"), list):
        raise InputError(f"{path}: not written by tracknet predict; choose another path.")


def name_folders(videos: Sequence[Path], output: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each video with a folder of its own: its name, or its path where two share one."""
    common = Path(os.path.commonpath([video.absolute().parent for video in videos]))
    inside = [video.absolute().relative_to(common).as_posix() for video in videos]
    names = [name_result(video) for video in videos]
    shared = Counter(names)
    for k, path in enumerate(inside):
        if shared[names[k]] > 1:
            names[k] = path.replace("/", "-").replace(".", "-")
    shared = Counter(names)
    for video, path, name in zip(videos, inside, names, strict=True):
        # a-b/c.mp4 and a/b/c.mp4
        more = f"-{hashlib.sha256(os.fsencode(path)).hexdigest()[:6]}" if shared[name] > 1 else ""
        yield video, output / f"{name}{more}"


def report(outcome: Outcome, reporter: Reporter) -> None:
    """Tell what became of a video."""
    if outcome.state == FAILED:
        reporter.warn(outcome.error)
    elif outcome.state == SKIPPED:
        reporter.note(f"{outcome.video}: already finished; use `overwrite=True` to track it again")


def write_outcomes(outcomes: Sequence[Outcome], output: Path) -> None:
    """Write `batch.json`."""
    records: list[dict[str, Any]] = [
        {**vars(o), "video": str(o.video), "folder": str(o.folder)} for o in outcomes
    ]
    counts = {state: sum(o.state == state for o in outcomes) for state in
              (FINISHED, SKIPPED, FAILED)}  # fmt: skip
    write_json({**counts, "videos": records}, output / SUMMARY)


def _read_list(path: Path) -> list[Path] | None:
    """Return the videos that a text file lists; None where it is no text, but a video itself.

    Raises:
        InputError: no video is listed, one is an address, or the text is of an unknown encoding.
    """
    with open(path, "rb") as file:
        start = file.read(4096)
        utf16 = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        if b"\0" in start and not utf16:
            return None
        content = start + file.read()
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not text in UTF-8; save the list as UTF-8.") from error
    lines = [line.strip() for line in text.split("\n")]
    listed = [line for line in lines if line and not line.startswith("#")]
    if not listed:
        raise InputError(f"{path}: lists no videos; write one path per line.")
    for line in listed:
        if "://" in line:
            raise InputError(f"{path}: {line} is an address, not a path; track it separately.")
    return [path.parent / line for line in listed]
