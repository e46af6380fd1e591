"""Live tracking: rows a moment after the frames, from windows that hold no later ones."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet import __version__
from keras_tracknet.data.camera import stack_frames, unshift_answers
from keras_tracknet.data.frames import estimate_background
from keras_tracknet.data.shots import show_one_view
from keras_tracknet.errors import InputError
from keras_tracknet.files import write_json
from keras_tracknet.inference import Tracker
from keras_tracknet.io.capture import Capture, CapturedFrame, capture_frames
from keras_tracknet.io.tracks import ABSENT, DETECTED, TrackRow, TrackWriter
from keras_tracknet.reporting import Reporter

SAMPLE = 51  # frames that the running background is the median of
SAMPLE_EVERY = 10  # frames between two of them


class RunningBackground:
    """The median of a sample of the latest frames, renewed as they come."""

    def __init__(self) -> None:
        self._sample: deque[np.ndarray] = deque(maxlen=SAMPLE)
        self._count = 0
        self.picture: np.ndarray | None = None

    def add(self, picture: np.ndarray) -> None:
        """Take a frame, `(height, width, 3)` uint8 at the network's size."""
        if self._count % SAMPLE_EVERY == 0 or self._count < SAMPLE_EVERY:
            self._sample.append(picture)
            self.picture = estimate_background(self._sample)
        self._count += 1


@dataclass
class LiveFigures:
    """How live tracking went.

    Attributes:
        frames: rows given.
        shots: cuts of the camera, plus one.
        latencies: seconds from a frame's arrival to its row.
    """

    frames: int = 0
    shots: int = 0
    latencies: list[float] = field(default_factory=list)

    def summarise(self) -> dict[str, Any]:
        """Return counts, and percentiles of the latency in milliseconds."""
        found = np.array(self.latencies[-100_000:] or [np.nan]) * 1e3
        names = {"p50": 50, "p95": 95, "p99": 99, "max": 100}
        percentiles = {n: round(float(np.percentile(found, p)), 1) for n, p in names.items()}
        return {"frames": self.frames, "shots": self.shots, "latency_ms": percentiles}


def track_live(
    tracker: Tracker, frames: Iterable[CapturedFrame], figures: LiveFigures | None = None
) -> Generator[TrackRow, None, None]:
    """Yield a row for every frame, as soon as its window has been seen.

    A window ends with the newest frame: `fast` waits for as many new frames as the network has
    heatmaps, `accurate` for one, `balanced` for half as many as `fast`. The background is the
    median of the last frames, and starts anew where the camera cuts.

    Args:
        tracker: the tracker; its rectifier is not used, as that looks ahead.
        frames: frames as they arrive.
        figures: where counts and latencies are added up.

    Yields:
        `TrackRow`, numbered from 0; `time` is seconds since the first frame arrived.
    """
    figures = figures or LiveFigures()
    spec, step = tracker.spec, tracker.step
    recent: deque[np.ndarray] = deque(maxlen=spec.frames)
    background, began = RunningBackground(), None
    new: list[CapturedFrame] = []
    for frame in frames:
        began = frame.arrived if began is None else began
        picture = tracker.prepare(frame.image)
        if not recent or not show_one_view(recent[-1], picture):
            yield from _answer(tracker, recent, new, background, began, figures)
            recent.clear()
            recent.extend([picture] * (spec.frames - 1))
            background, new = RunningBackground(), []
            figures.shots += 1
        recent.append(picture)
        if spec.background != "none":
            background.add(picture)
        new.append(frame)
        if len(new) == step:
            yield from _answer(tracker, recent, new, background, began, figures)
            new = []
    if began is not None:
        yield from _answer(tracker, recent, new, background, began, figures)


def predict_live(
    tracker: Tracker,
    source: str,
    output: Path | None,
    *,
    format: str = "csv",
    duration: float | None = None,
    patience: float = 60.0,
    read: Callable[[str], Iterator[np.ndarray]] = capture_frames,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Track a camera or a stream until it ends, and write rows as they come.

    Args:
        tracker: the tracker.
        source: a camera's number or a stream's address.
        output: the track file, beside which `<stem>.summary.json` goes; None for stdout and
            no summary.
        format: `csv` or `jsonl`, of stdout.
        duration: seconds to track for; no end when None.
        patience: seconds without a frame after which the source is given up.
        read: yields the pictures of one connection to the source.
        reporter: where progress goes.

    Returns:
        The content of the summary, with percentiles of the latency and the number of frames
        that came too fast and were dropped.

    Raises:
        InputError: the source cannot be read, or the track cannot be written.
    """
    if tracker.sampling == "published":
        raise InputError("--sampling published is for whole videos; leave it out for live ones.")
    reporter, figures, complete = reporter or Reporter(), LiveFigures(), False
    depth = 2 * tracker.step + 2
    path = output or Path(f"-.{format}")
    with Capture(source, depth=depth, patience=patience, read=read) as capture:
        try:
            stream = output is None
            with (
                TrackWriter(path, format=path.suffix[1:], to_stdout=stream) as writer,
                reporter.track(f"tracking {source}", None, unit="frames") as advance,
            ):
                for row in track_live(tracker, _until(capture, duration), figures):
                    writer.write([row])
                    advance(1)
            complete = True
        finally:
            summary = {
                "command": "predict",
                "version": __version__,
                "complete": complete,
                "source": source,
                "weights": str(tracker.network.path),
                "weights_sha256": tracker.network.sha256,
                "engine": tracker.network.engine,
                "precision": tracker.network.precision,
                "mode": tracker.mode,
                **figures.summarise(),
                "dropped": capture.dropped,
                "connections": capture.connections,
            }
            if output is not None and figures.frames:
                write_json(summary, output.with_name(f"{output.stem}.summary.json"))
    return summary


def _until(frames: Iterable[CapturedFrame], duration: float | None) -> Iterator[CapturedFrame]:
    """Yield frames for a while."""
    began = None
    for frame in frames:
        began = frame.arrived if began is None else began
        if duration is not None and frame.arrived - began >= duration:
            return
        yield frame


def _answer(
    tracker: Tracker,
    recent: deque[np.ndarray],
    new: list[CapturedFrame],
    background: RunningBackground,
    began: float,
    figures: LiveFigures,
) -> Generator[TrackRow, None, None]:
    """Yield the rows of the new frames, which are the last ones of the window."""
    if not new:
        return
    size = tracker.network.batch_size
    frames = np.zeros((size, len(recent), *recent[0].shape), np.uint8)
    shifts = stack_frames(recent, stabilized=tracker.stabilize, out=frames[0])
    inputs = [frames]
    if background.picture is not None:
        inputs.append(np.stack([background.picture] * size))
    answers = tracker.network.run(inputs)[0][-len(new) :]
    answers = unshift_answers(answers, shifts, tracker.network.frame_size)
    for frame, answer in zip(new, answers, strict=True):
        x, y, confidence = tracker.locate(answer, frame.image.shape[:2])
        status = ABSENT if np.isnan(x) else DETECTED
        moment = frame.arrived - began
        yield TrackRow(figures.frames, x, y, confidence, status, moment).rounded()
        figures.frames += 1
        figures.latencies.append(time.monotonic() - frame.arrived)
