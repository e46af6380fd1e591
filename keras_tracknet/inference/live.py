"""Live tracking: rows of a camera or a stream, each a moment after its frame."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.files import write_json
from keras_tracknet.inference.latencies import Latencies
from keras_tracknet.inference.places import OutputPaths
from keras_tracknet.inference.summaries import describe_tracker
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.locks import hold_lock
from keras_tracknet.progress import Reporter
from keras_tracknet.tracks.files import TrackWriter
from keras_tracknet.tracks.track import TrackRow
from keras_tracknet.version import __version__
from keras_tracknet.video.capture import Capture, CapturedFrame, capture_frames, name_source

Show = Callable[[np.ndarray, TrackRow], bool]  # is given a picture and its row; whether to go on


@dataclass
class LiveFigures:
    """How live tracking went.

    Attributes:
        began: seconds of the monotonic clock at the start.
        size: (height, width) of the frames, pixels; zeros before the first.
        status: rows given, by their status.
        shots: cuts of the camera, plus one.
        latencies: from a frame's arrival to its row.
    """

    began: float = field(default_factory=time.monotonic)
    size: tuple[int, int] = (0, 0)
    status: Counter[str] = field(default_factory=Counter)
    shots: int = 0
    latencies: Latencies = field(default_factory=Latencies)

    @property
    def frames(self) -> int:
        """Rows given."""
        return self.status.total()

    def summarise(self) -> dict[str, Any]:
        """Return counts, and percentiles of the latency in milliseconds."""
        seconds = time.monotonic() - self.began
        return {
            "width": self.size[1],
            "height": self.size[0],
            "frames": self.frames,
            "shots": self.shots,
            "status": dict(self.status),
            "seconds": round(seconds, 3),
            "frames_per_second": round(self.frames / max(seconds, 1e-9), 2),
            "latency_ms": self.latencies.summarise(),
        }


def track_live(
    tracker: Tracker,
    frames: Iterable[CapturedFrame],
    figures: LiveFigures | None = None,
    show: Show | None = None,
) -> Generator[TrackRow, None, None]:
    """Yield the row of every frame of a live source, a moment after its frame.

    See `Tracker.stream_live` for how the rows differ from those of a recorded video, and for how
    long they wait.

    Args:
        tracker: the tracker; its rectifier is not used.
        frames: frames as they arrive.
        figures: where counts and latencies are added up.
        show: is given each picture with its row; tracking ends when it returns False.

    Yields:
        `TrackRow`, numbered from 0; `time` is seconds since the first frame arrived.
    """
    figures = figures or LiveFigures()
    began = math.nan
    waiting: deque[np.ndarray] = deque()  # pictures, for their rows

    def note_arrivals() -> Iterator[tuple[float, np.ndarray]]:
        nonlocal began
        for frame in frames:
            began = frame.arrived if math.isnan(began) else began
            figures.size = frame.image.shape[:2]
            if show is not None:
                waiting.append(frame.image)
            yield frame.arrived - began, frame.image

    with contextlib.closing(tracker.stream_live(note_arrivals())) as stream:
        for row in stream:
            figures.status[row.status] += 1
            figures.shots = len(stream.shots)
            row = row.rounded()
            yield row
            figures.latencies.add(time.monotonic() - began - row.time)
            if show is not None and not show(waiting.popleft(), row):
                return


def predict_live(
    make_tracker: Callable[[], Tracker],
    source: str,
    paths: OutputPaths | None,
    *,
    format: str = "csv",
    schema: str = "tracknet",
    duration: float | None = None,
    patience: float = 60.0,
    read: Callable[[str], Iterator[np.ndarray]] = capture_frames,
    show: Show | None = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Track a camera or a stream until it ends, and write rows as they come.

    Nothing is written before the first frame is there.

    Args:
        make_tracker: makes the tracker, once there is something to track; see `track_live`.
        source: a camera's number or a stream's address.
        paths: where tracks and summary go; None for stdout and no summary.
        format: `csv` or `jsonl`, of stdout.
        schema: columns, see `TrackWriter`.
        duration: seconds to track for; no end when None.
        patience: seconds without a frame after which a source that broke off is given up.
        read: yields the pictures of one connection to the source.
        show: as for `track_live`.
        reporter: where progress goes.

    Returns:
        The content of the summary, with percentiles of the latency and the number of frames
        that came too fast and were dropped.

    Raises:
        InputError: the source cannot be read, or a track cannot be written.
    """
    reporter, name = reporter or Reporter(), name_source(source)
    with (
        hold_lock(paths.summary) if paths is not None else contextlib.nullcontext(),
        Capture(source, patience=patience, read=read, warn=reporter.warn) as capture,
    ):
        reporter.note(f"waiting for {name}")
        capture.wait()
        tracker = make_tracker()
        _warm_up(tracker)
        capture.begin(2 * tracker.step + 2, duration)
        figures, complete = LiveFigures(), False
        try:
            rows = track_live(tracker, capture, figures, show)
            first = list(itertools.islice(rows, 1))  # nothing is written before it
            with (
                contextlib.closing(rows),
                _open_writers(paths, format, schema) as writers,
                reporter.track(f"tracking {name}", None, unit="frames") as advance,
            ):
                for row in itertools.chain(first, rows):
                    for writer in writers:
                        writer.write([row])
                    advance(1)
            complete = True
        finally:
            summary = {
                "command": "predict",
                "version": __version__,
                "complete": complete,
                "live": True,
                "source": name,
                "schema": schema,
                **figures.summarise(),
                "dropped": capture.dropped,
                "connections": capture.connections,
                **describe_tracker(tracker),
            }
            if paths is not None and figures.frames:
                write_json(summary, paths.summary)
                if not complete:
                    reporter.note(f"{figures.frames} rows are saved in {paths.tracks[0]}")
    return summary


@contextlib.contextmanager
def _open_writers(
    paths: OutputPaths | None, format: str, schema: str
) -> Iterator[list[TrackWriter]]:
    """Open what rows are written to: files, or stdout."""
    if paths is None:
        places = [TrackWriter(Path("-"), format=format, schema=schema, to_stdout=True)]
    else:
        places = [TrackWriter(p, format=p.suffix[1:], schema=schema) for p in paths.tracks]
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(place) for place in places]


def _warm_up(tracker: Tracker) -> None:
    """Have the network compiled before frames come."""
    blank = np.zeros((*tracker.network.frame_size, 3), np.uint8)
    for _ in track_live(tracker, [CapturedFrame(0.0, blank)]):
        pass
