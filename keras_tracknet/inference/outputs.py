"""What prediction leaves behind: track files, overlay video, plots, shots and a summary."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.files import write_json, write_table, write_text
from keras_tracknet.frames.background import estimate_background
from keras_tracknet.inference.places import OutputPaths
from keras_tracknet.inference.resuming import find_finished, restore_rows
from keras_tracknet.inference.stages import Stopwatch
from keras_tracknet.inference.stream import Stream
from keras_tracknet.inference.summaries import describe_run
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.locks import hold_lock
from keras_tracknet.progress import Reporter
from keras_tracknet.tracks.figures import check_matplotlib
from keras_tracknet.tracks.files import TrackWriter, check_format, write_track
from keras_tracknet.tracks.overlay import write_overlay
from keras_tracknet.tracks.plots import plot_track
from keras_tracknet.tracks.tables import DETECTED
from keras_tracknet.tracks.track import Track, TrackRow
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.info import VideoInfo
from keras_tracknet.video.part import WHOLE, Part
from keras_tracknet.video.reader import probe_video, sample_frames

REJECTED_COLUMNS = ("Frame", "RejectedX", "RejectedY", "Confidence", "Time")
PLOT_FRAMES = 15  # frames that the background of the plots is the median of


def predict_video(
    tracker: Tracker,
    source: Path,
    paths: OutputPaths,
    *,
    schema: str = "tracknet",
    resume: bool = False,
    overwrite: bool = True,
    strict: bool = False,
    part: Part = WHOLE,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Track the ball through a video and write the results.

    The first track file grows while the video is read (Parquet cannot, and is written at the
    end), so that an interruption leaves what was tracked so far, and a summary that says
    `complete: false`. Nobody else can write the same results meanwhile.

    Args:
        tracker: the tracker.
        source: a video, or a folder of images.
        paths: where the results go.
        schema: columns of the track files, see `TrackWriter`.
        resume: whether to go on from the rows that an interruption left; they are as they
            would be without it. What is finished stays as it is.
        overwrite: whether what is there is replaced, unless it is resumed.
        strict: whether damage of the source is an error; else it is counted in the summary.
        part: which frames, and where in the picture, see `Tracker.track`. Rows keep the numbers
            of the video's frames; other frames have none. The overlay shows the part alone.
        reporter: where progress goes.

    Returns:
        The content of `summary.json`.

    Raises:
        InputError: the video cannot be read, a result cannot be written or is there already, or
            what is to be resumed was tracked with other settings.
    """
    source, reporter = Path(source), reporter or Reporter()
    for path in paths.tracks:
        check_format(path)  # before hours of tracking, not after
    if paths.plots:
        check_matplotlib()
    info = probe_video(source)
    for path in (*paths.results, paths.summary):
        if path.exists() and path.samefile(source):
            raise InputError(f"{path}: is the source video itself; choose another path.")
    described = describe_run(tracker, source, info, schema, part)
    with hold_lock(paths.summary):
        rows: list[TrackRow] = []
        if resume:
            finished = find_finished(described, paths)
            if finished is not None:
                reporter.note(f"{paths.summary.parent}: already finished, nothing to do")
                return finished
            rows = restore_rows(described, paths, part)
            if rows:
                reporter.note(f"{paths.growing}: resuming at frame {part.numbers[len(rows)]}")
        else:
            paths.check_free(overwrite=overwrite)
        run = _Run(tracker, source, info, paths, described, reporter, rows, strict, part)
        return run.predict()


def track_to_stdout(
    tracker: Tracker,
    source: Path,
    *,
    format: str = "csv",
    schema: str = "tracknet",
    strict: bool = False,
    part: Part = WHOLE,
    reporter: Reporter | None = None,
) -> None:
    """Track the ball through a video, then print the track that `predict_video` would write.

    Args:
        tracker, source, schema, strict, part, reporter: as for `predict_video`.
        format: `csv` or `jsonl`.
    """
    info = probe_video(source)
    paths = OutputPaths((), None, (), None, None, Path("-"))
    described = {"schema": schema}
    run = _Run(tracker, source, info, paths, described, reporter or Reporter(), [], strict, part)
    run.add_rows()
    with TrackWriter(paths.summary, format=format, schema=schema, to_stdout=True) as writer:
        writer.write(map(run.number, run.repair().rows()))


@dataclass
class _Run:
    """A video on its way to its results.

    Attributes:
        described: what is known of it before the first frame is, see `describe_run`.
        rows: of the frames so far, before any repair; those of an earlier run at the start.
        strict: whether damage of the source is an error.
        part: which frames are tracked; `rows` count from 0 all the same.
        shots: number of the first frame of each camera shot so far.
        done: rows of an earlier run.
    """

    tracker: Tracker
    source: Path
    info: VideoInfo
    paths: OutputPaths
    described: dict[str, Any]
    reporter: Reporter
    rows: list[TrackRow]
    strict: bool
    part: Part
    shots: list[int] = field(default_factory=list)
    watch: Stopwatch = field(default_factory=Stopwatch)

    def __post_init__(self) -> None:
        self.done, self.began = len(self.rows), time.perf_counter()
        self.damage = Damage(strict=self.source if self.strict else None)

    def predict(self) -> dict[str, Any]:
        """Track, write everything and return the summary."""
        try:
            self.add_rows()
            track = self.repair()
            self._write(track.spread(self.part.numbers))
        except BaseException:
            if self.rows:
                with contextlib.suppress(OSError, InputError):  # the first error is to be told
                    self._keep_unfinished()
            raise
        summary = self._summarise(list(track.rows()), complete=True)
        write_json(summary, self.paths.summary)
        if self.paths.raw is not None:
            self.paths.raw.unlink(missing_ok=True)
        self.reporter.note(_describe(summary))
        return summary

    def add_rows(self) -> None:
        """Add to `rows`, and to the growing track file, frame by frame."""
        for remark in self.info.remarks():
            self.reporter.note(f"{self.source}: {remark}")
        name, left = f"tracking {self.source.name}", self.part.count(self.info.frames)
        if self.done:
            name = f"{name} from frame {self.part.numbers[self.done]}"
            left = left and max(0, left - self.done)
        with (
            self.reporter.track(name, left, unit="frames") as advance,
            closing(self._open_stream()) as stream,
        ):
            self.shots = stream.shots
            # Nothing is written for a video that cannot be read.
            first = list(itertools.islice(stream, 1))
            with self._open_growing() as writer:
                for row in itertools.chain(first, stream):
                    self.rows.append(row.rounded())
                    if writer is not None:
                        with self.watch.stage("write"):
                            writer.write([self.number(self.rows[-1])])
                    advance(1)

    def repair(self) -> Track:
        """Return the track that is to be written."""
        size = self.info.height, self.info.width
        return self.tracker.repair(Track.from_rows(self.rows, shots=self.shots), size)

    def _unrepaired(self) -> Track:
        return Track.from_rows(self.rows).spread(self.part.numbers)

    def number(self, row: TrackRow) -> TrackRow:
        """Return a row with the number of its frame in the video."""
        return row._replace(frame=self.part.numbers[row.frame])

    def _open_stream(self) -> Stream:
        where: dict[str, Any] = {"part": self.part, "first": self.done}
        return self.tracker.stream(self.source, stopwatch=self.watch, damage=self.damage, **where)

    def _open_growing(self) -> contextlib.AbstractContextManager[TrackWriter | None]:
        """Open the growing track file, beside a summary that says what its rows are of."""
        growing = self.paths.growing
        if self.paths.tracks and not self.done:
            write_json({**self.described, "complete": False}, self.paths.summary)
            for path in (self.paths.raw, *self.paths.results):  # of an earlier run
                if path is not None and path.is_file() and path != growing:
                    path.unlink()
        if growing is None:
            return contextlib.nullcontext()
        schema = self.described["schema"]
        return TrackWriter(growing, format=growing.suffix[1:], schema=schema, append=self.done > 0)

    def _write(self, track: Track) -> None:
        """Write everything but the summary."""
        with self.watch.stage("write"):
            if self.paths.raw is not None:
                write_track(self._unrepaired(), self.paths.raw)
            for path in self.paths.tracks:
                write_track(track, path, schema=self.described["schema"])
            if self.paths.shots is not None:
                _write_shots(track, self.paths.shots)
            if self.paths.rejected is not None:
                _write_rejected(self._unrepaired(), track, self.paths.rejected)
        if self.paths.overlay is not None:
            drawn = len(track) - self.part.start
            drawing = self.reporter.track("drawing overlay", drawn, unit="frames")
            with drawing as advance:
                write_overlay(
                    self.source,
                    track,
                    self.paths.overlay,
                    part=replace(self.part, every=1, roi=None),
                    progress=lambda _done: advance(1),
                    stage=self.watch.stage,
                )
        if self.paths.plots:
            with closing(sample_frames(self.source, PLOT_FRAMES)) as sample:
                background = estimate_background(frame.image for frame in sample)
            least = self.described["least_confidence"]
            plot_track(track, background, self.paths.plots, threshold=least)

    def _keep_unfinished(self) -> None:
        """Write what there is, and a summary that says that it is not all."""
        if self.paths.growing is None:
            schema = self.described["schema"]
            write_track(self._unrepaired(), self.paths.tracks[0], schema=schema)
        write_json(self._summarise(self.rows, complete=False), self.paths.summary)

    def _summarise(self, rows: list[TrackRow], *, complete: bool) -> dict[str, Any]:
        seconds = time.perf_counter() - self.began
        return {
            **self.described,
            "complete": complete,
            "frames": len(rows),
            "frames_before": self.done,
            "damaged": self.damage.count,
            "shots": len(self.shots),
            "status": dict(Counter(row.status for row in rows)),
            "seconds": round(seconds, 3),
            "frames_per_second": round((len(rows) - self.done) / seconds, 2),
            "milliseconds": {stage: round(1e3 * s, 1) for stage, s in self.watch.seconds.items()},
        }


def _describe(summary: dict[str, Any]) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in summary["status"].items())
    before = (
        f", {summary['frames_before']} of them in an earlier run"
        if summary["frames_before"]
        else ""
    )
    return (
        f"{summary['frames']} frames ({counts}){before} in {summary['seconds']:.1f} s,"
        f" {summary['frames_per_second']:.1f} frames per second"
    )


def _write_rejected(detected: Track, track: Track, path: Path) -> None:
    """Write the detections that are not in the track; their columns are not those of a ball."""
    dropped = detected.visibility & (track.status != DETECTED)
    rows = [
        [row.frame, row.x, row.y, row.confidence, "" if math.isnan(row.time) else row.time]
        for row in detected.rows()
        if dropped[row.frame]
    ]
    write_table(REJECTED_COLUMNS, rows, path)


def _write_shots(track: Track, path: Path) -> None:
    """Write the first and the last frame of each camera shot."""
    bounds = itertools.pairwise([*track.shots, len(track)])
    lines = [f"{a},{b - 1},{track.time[a]:.6f},{track.time[b - 1]:.6f}" for a, b in bounds]
    write_text("\n".join(["FirstFrame,LastFrame,FirstTime,LastTime", *lines]) + "\n", path)
