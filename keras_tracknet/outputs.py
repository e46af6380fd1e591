"""What prediction leaves behind: track files, overlay video, summary."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_tracknet import __version__
from keras_tracknet.backends import backend_in_use
from keras_tracknet.data.frames import estimate_background
from keras_tracknet.errors import InputError
from keras_tracknet.files import write_json, write_text
from keras_tracknet.inference import Tracker
from keras_tracknet.io.tracks import (
    FORMATS,
    Track,
    TrackRow,
    TrackWriter,
    check_format,
    read_rows,
    write_track,
)
from keras_tracknet.io.video import VideoInfo, probe_video, sample_frames
from keras_tracknet.overlay import write_overlay
from keras_tracknet.plots import check_matplotlib, name_plots, plot_track
from keras_tracknet.reporting import Reporter
from keras_tracknet.streaming import Stopwatch
from keras_tracknet.tracking import raw_track

PLOT_FRAMES = 15  # frames that the background of the plots is the median of
FOREIGN = ("json", "txt", "tsv", "xlsx", "mp4", "avi", "mkv")  # suffixes that no folder has


@dataclass(frozen=True)
class OutputPaths:
    """Where the results of one video go.

    Attributes:
        tracks: one file for each format.
        overlay: the video with the track drawn on it, or None.
        plots: pictures of the track; empty where none are wanted.
        segments: CSV of the shots, or None.
        summary: JSON with settings, counts and times.
    """

    tracks: tuple[Path, ...]
    overlay: Path | None
    plots: tuple[Path, ...]
    segments: Path | None
    summary: Path

    @classmethod
    def choose(
        cls,
        source: Path,
        output: Path | None,
        formats: Sequence[str],
        *,
        overlay: bool,
        plots: bool = False,
        segments: bool = False,
    ) -> OutputPaths:
        """Place the results.

        Args:
            source: the video.
            output: a folder, or a track file by its suffix, beside which the rest goes; None
                for `runs/predict/<video stem>` under the current folder.
            formats: track formats, out of csv, jsonl and parquet; a track file's own suffix
                comes first; csv when there is none.
            overlay: whether there is an overlay video.
            plots: whether there are plots.
            segments: whether the shots are listed.

        Raises:
            InputError: the output is named like a file of another kind.
        """
        suffix = output.suffix.lstrip(".") if output is not None else ""
        if output is not None and suffix in FORMATS:
            kinds = list(dict.fromkeys((suffix, *formats)))
            folder, prefix, name = output.parent, f"{output.stem}.", output.stem
        elif suffix.lower() in FOREIGN:
            raise InputError(
                f"{output}: not a place for a track; give a folder or a file that ends in"
                f" .{', .'.join(FORMATS)}."
            )
        else:
            kinds, prefix, name = list(dict.fromkeys(formats or ("csv",))), "", "track"
            folder = output or Path("runs/predict") / source.resolve().stem
        return cls(
            tracks=tuple(folder / f"{name}.{kind}" for kind in kinds),
            overlay=folder / f"{prefix}overlay.mp4" if overlay else None,
            plots=name_plots(folder, prefix) if plots else (),
            segments=folder / f"{prefix}segments.csv" if segments else None,
            summary=folder / f"{prefix}summary.json",
        )

    def check_free(self) -> None:
        """Raise `InputError` where a result is there already."""
        for path in (*self.tracks, self.overlay, *self.plots, self.segments, self.summary):
            if path is not None and path.exists():
                raise InputError(
                    f"{path}: exists already; use --overwrite or choose another place with -o."
                )

    @property
    def growing(self) -> Path | None:
        """The track file that grows while the video is read; Parquet cannot."""
        return next((path for path in self.tracks if path.suffix != ".parquet"), None)

    def is_complete(self) -> bool:
        """Return whether the summary says that everything was done."""
        try:
            return bool(json.loads(self.summary.read_text())["complete"])
        except (OSError, ValueError, KeyError):
            return False


def predict_video(
    tracker: Tracker,
    source: Path,
    paths: OutputPaths,
    *,
    schema: str = "tracknet",
    resume: bool = False,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Track the ball through a video and write the results.

    The first track file grows while the video is read (Parquet cannot, and is written at the
    end), so that an interruption leaves what was tracked so far, and a summary that says
    `complete: false`.

    Args:
        tracker: the tracker.
        source: a video, or a folder of images.
        paths: where the results go; what is there is replaced.
        schema: columns of the track files, see `TrackWriter`.
        resume: whether to go on from the rows that an interruption left; they are as they
            would be without it.
        reporter: where progress goes.

    Returns:
        The content of `summary.json`.

    Raises:
        InputError: the video cannot be read or a result cannot be written.
    """
    reporter, watch, began = reporter or Reporter(), Stopwatch(), time.perf_counter()
    for path in paths.tracks:
        check_format(path)  # before hours of tracking, not after
    if paths.plots:
        check_matplotlib()
    info = probe_video(source)
    rows = _read_rows(paths.growing, schema, reporter) if resume else []
    shots: list[int] = []
    try:
        _track_rows(tracker, source, info, paths.growing, schema, rows, shots, watch, reporter)
        detected = Track.from_rows(rows)
        track = tracker.repair(detected, (info.height, info.width), shots=shots)
        with watch.stage("write"):
            for path in paths.tracks:
                write_track(track, path, schema=schema)
            if paths.segments is not None:
                _write_segments(track, shots, paths.segments)
        if paths.overlay is not None:
            _draw(source, track, paths.overlay, watch, reporter)
        if paths.plots:
            with closing(sample_frames(source, PLOT_FRAMES)) as sample:
                background = estimate_background(frame.image for frame in sample)
            plot_track(track, background, paths.plots, threshold=tracker.threshold)
    except BaseException:
        if rows:
            summary = _summarise(tracker, source, info, rows, shots, watch, began, complete=False)
            with contextlib.suppress(OSError, InputError):  # the first error is to be told
                if paths.growing is None:
                    write_track(Track.from_rows(rows), paths.tracks[0], schema=schema)
                write_json(summary, paths.summary)
        raise
    rows = list(track.rows())
    summary = _summarise(tracker, source, info, rows, shots, watch, began, complete=True)
    write_json(summary, paths.summary)
    return summary


def _read_rows(path: Path | None, schema: str, reporter: Reporter) -> list[TrackRow]:
    """Return the rows that an interrupted run left; none where it left nothing of use."""
    if path is None or schema != "tracknet":
        raise InputError("--resume needs a track in csv or jsonl, with all its columns.")
    if not path.exists():
        return []
    rows = list(raw_track(Track.from_rows(read_rows(path))).rows())
    reporter.note(f"{path}: going on from frame {len(rows)}")
    return rows


def _write_segments(track: Track, shots: list[int], path: Path) -> None:
    bounds = itertools.pairwise([*shots, len(track)])
    lines = [f"{a},{b - 1},{track.time[a]:.6f},{track.time[b - 1]:.6f}" for a, b in bounds]
    write_text("\n".join(["FirstFrame,LastFrame,FirstTime,LastTime", *lines]) + "\n", path)


def _track_rows(
    tracker: Tracker,
    source: Path,
    info: VideoInfo,
    growing: Path | None,
    schema: str,
    rows: list[TrackRow],
    shots: list[int],
    watch: Stopwatch,
    reporter: Reporter,
) -> None:
    """Add to `rows` and `shots`, and to the growing track file, frame by frame."""
    done = len(rows)
    with reporter.track(f"tracking {source.name}", info.frames, unit="frames") as advance:
        if done:
            advance(done)
        stream = tracker.stream(source, stopwatch=watch, shots=shots, first=done)
        try:
            # Nothing is written for a video that cannot be read.
            first = list(itertools.islice(stream, 1))
            file: Any = contextlib.nullcontext()
            if growing is not None:
                file = TrackWriter(growing, format=growing.suffix[1:], schema=schema)
            with file as writer:
                if writer is not None and rows:
                    writer.write(rows)
                for row in itertools.chain(first, stream):
                    rows.append(row.rounded())
                    if writer is not None:
                        with watch.stage("write"):
                            writer.write(rows[-1:])
                    advance(1)
        finally:
            stream.close()


def _draw(source: Path, track: Track, path: Path, watch: Stopwatch, reporter: Reporter) -> None:
    drawing = reporter.track("drawing overlay", len(track), unit="frames")
    with watch.stage("write"), drawing as advance:
        write_overlay(source, track, path, progress=lambda _done: advance(1))


def _summarise(
    tracker: Tracker,
    source: Path,
    info: VideoInfo,
    rows: list[TrackRow],
    shots: list[int],
    watch: Stopwatch,
    began: float,
    *,
    complete: bool,
) -> dict[str, Any]:
    seconds = time.perf_counter() - began
    rectifier = tracker.rectifier
    return {
        "command": "predict",
        "version": __version__,
        "complete": complete,
        "source": str(Path(source).resolve()),
        "width": info.width,
        "height": info.height,
        "fps": str(info.fps),
        "frames": len(rows),
        "frames_promised": info.frames,
        "shots": len(shots),
        "status": dict(Counter(row.status for row in rows)),
        "weights": str(tracker.network.path),
        "weights_sha256": tracker.network.sha256,
        "trained_on": tracker.spec.trained_on,
        "rectifier": str(rectifier.path) if rectifier else None,
        "rectifier_sha256": rectifier.sha256 if rectifier else None,
        "network": tracker.spec.version,
        "mode": tracker.mode,
        "decode": tracker.decode,
        "sampling": tracker.sampling,
        "stabilized": tracker.stabilize,
        "threshold": tracker.threshold,
        "engine": tracker.network.engine,
        "backend": backend_in_use(),
        "device": tracker.network.device,
        "precision": tracker.network.precision,
        "seconds": round(seconds, 3),
        "frames_per_second": round(len(rows) / seconds, 2),
        "milliseconds": {stage: round(1e3 * s, 1) for stage, s in watch.seconds.items()},
    }
