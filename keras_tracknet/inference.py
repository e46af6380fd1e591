"""Prediction: from a video to a track, streaming, in memory that does not grow with it."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_tracknet.data.frames import (
    BACKGROUND_FRAMES,
    estimate_background,
    resize_frame,
    scale_positions,
    scale_window,
    stack_window,
)
from keras_tracknet.data.windows import Window, WindowMerger, stream_windows, window_step
from keras_tracknet.detections import DECODERS
from keras_tracknet.errors import InputError
from keras_tracknet.io.tracks import ABSENT, DETECTED, Track, TrackRow
from keras_tracknet.io.video import Frame, probe_video, read_frames, sample_frames
from keras_tracknet.model_file import ModelFile, is_trained, load_model, set_precision
from keras_tracknet.models.blocks import check_count
from keras_tracknet.precision import choose_precision
from keras_tracknet.presets import DEFAULT, find_weights
from keras_tracknet.tracking import MAX_GAP, rectify_track

STAGES = ("decode", "prepare", "network", "decode_heatmaps", "write")


@dataclass
class Stopwatch:
    """Seconds spent in each stage of prediction; decoding runs beside the others."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent in the `with` block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - began


class Tracker:
    """A trained network and what is around it: video in, track out.

    Args:
        weights: the network, as `load_model` returns it.
        rectifier: V3's second network, to fill in hidden stretches; none when omitted.
        mode: `fast` sees each frame once, `balanced` twice, `accurate` as often as a window
            is long, and merges what it saw.
        threshold: probability that a pixel must exceed; the model file's own when None.
        decode: `centroid` of the largest blob, or `published` for the published V3 code's
            bounding-box rule. V1 always looks for a circle.
        precision: `auto`, or a Keras dtype policy.
        batch_size: windows that the network sees at once.
        max_gap: longest stretch that the rectifier fills in, frames.

    Raises:
        InputError: weights that were never trained, or that are no tracker's or rectifier's.
        ValueError: an unknown mode or way to decode, or a number out of range.

    Example:
        >>> tracker = Tracker.from_file("best.keras")  # doctest: +SKIP
        >>> track = tracker.track("rally.mp4")  # doctest: +SKIP
        >>> track.x[0], track.y[0], track.status[0]  # doctest: +SKIP
    """

    def __init__(
        self,
        weights: ModelFile,
        *,
        rectifier: ModelFile | None = None,
        mode: str = "fast",
        threshold: float | None = None,
        decode: str = "centroid",
        precision: str = "auto",
        batch_size: int = 2,
        max_gap: int = MAX_GAP,
    ) -> None:
        if decode not in ("centroid", "published"):
            raise ValueError(f"decode must be centroid or published. Received: decode={decode!r}")
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be 0 to 1. Received: threshold={threshold}")
        check_count("batch_size", batch_size)
        self.spec, self.weights, self.rectifier = weights.spec, weights, rectifier
        if self.spec.version == "rectifier":
            raise InputError(f"{weights.path}: a rectifier, not a tracker; give it as rectifier.")
        if self.spec.version == "tsm":
            raise InputError(
                f"{weights.path}: a classifier of clips, not a tracker; see tracknet evaluate."
            )
        if rectifier is not None and rectifier.spec.version != "rectifier":
            raise InputError(f"{rectifier.path}: a tracker, not a rectifier; give it as weights.")
        for file in (weights, rectifier):
            if file is not None and not is_trained(file.model):
                raise InputError(
                    f"{file.path}: these weights were never trained; train them with tracknet fit."
                )
        self.mode, self.max_gap, self.batch_size = mode, max_gap, batch_size
        self.step = window_step(mode, self.spec.heatmaps)
        self.threshold = self.spec.threshold if threshold is None else threshold
        self.precision = choose_precision(precision)
        self._decode = DECODERS["circle" if self.spec.version == "v1" else decode]
        self._model = weights.model
        set_precision(self._model, self.precision)
        if self.spec.version == "v1":
            classes = self._model.output_shape[-1]
            level = ops.cast(ops.argmax(self._model.output, axis=-1), "float32")
            self._model = keras.Model(self._model.input, level[..., None] / (classes - 1))
        self._model.compile()  # drops a prediction function compiled in another precision

    @classmethod
    def from_file(
        cls, path: Path | str, *, rectifier: Path | str | None = None, **settings: Any
    ) -> Tracker:
        """Load a tracker from model files.

        Args:
            path: a `.keras` file that `tracknet fit` wrote.
            rectifier: likewise, of a rectifier.
            settings: the other arguments of `Tracker`.
        """
        second = load_model(Path(rectifier)) if rectifier else None
        return cls(load_model(Path(path)), rectifier=second, **settings)

    @classmethod
    def from_preset(cls, name: str = DEFAULT, **settings: Any) -> Tracker:
        """Load one of the trackers that come with the package.

        Args:
            name: see `keras_tracknet.presets.preset_names`.
            settings: the other arguments of `Tracker`; `rectifier=None` does without the
                preset's own.
        """
        paths = find_weights(name)
        return cls.from_file(paths.tracker, **{"rectifier": paths.rectifier, **settings})

    def track(
        self,
        source: Path | str,
        *,
        advance: Callable[..., None] | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> Track:
        """Track the ball through a video.

        Args:
            source: a video, or a folder of images.
            advance: called with the number of frames done since the last call.
            stopwatch: where to add up the time of each stage.

        Returns:
            One row for every decoded frame, gaps filled in where there is a rectifier.

        Raises:
            InputError: the video cannot be read.
        """
        rows = []
        for row in self.stream(source, stopwatch=stopwatch):
            rows.append(row)
            if advance is not None:
                advance(1)
        info = probe_video(Path(source))
        return self.repair(Track.from_rows(rows), (info.height, info.width))

    def stream(
        self, source: Path | str, *, stopwatch: Stopwatch | None = None
    ) -> Generator[TrackRow, None, None]:
        """Yield the row of every frame as soon as it is known, before any rectification.

        Args, Raises: as for `track`.
        """
        source, watch = Path(source), stopwatch or Stopwatch()
        background = self._background(source, watch) if self._needs_background else None
        with closing(self._resized_frames(source, watch)) as resized:
            waiting: deque[tuple[float, tuple[int, int]]] = deque()  # frames without a row

            def pictures() -> Iterator[np.ndarray]:
                for moment, size, picture in resized:
                    waiting.append((moment, size))
                    yield picture

            windows = stream_windows(pictures(), self.spec.frames, self.spec.heatmaps, self.step)
            for frame, heatmap in enumerate(self._heatmaps(windows, background, watch)):
                if not waiting:  # a clip shorter than a window has maps to spare
                    break
                moment, size = waiting.popleft()
                with watch.stage("decode_heatmaps"):
                    x, y, confidence = self._decode(heatmap, self.threshold)
                    here = np.array([x, y])
                    x, y = scale_positions(here, self.spec.input_size, size).tolist()
                    status = ABSENT if np.isnan(x) else DETECTED
                yield TrackRow(frame, x, y, confidence, status, moment)

    def repair(self, track: Track, size: tuple[int, int]) -> Track:
        """Fill in a track's gaps, where there is a rectifier.

        Args:
            track: as detected.
            size: (height, width) of the source, pixels.
        """
        if self.rectifier is None:
            return track
        model = self.rectifier.model

        def rectify(coordinates: np.ndarray, mask: np.ndarray) -> np.ndarray:
            return np.asarray(model.predict([coordinates, mask], batch_size=256, verbose=0))

        spec = self.rectifier.spec
        return rectify_track(
            track, rectify, size, window=spec.frames, max_gap=self.max_gap, hidden=spec.hidden
        )

    @property
    def _needs_background(self) -> bool:
        return self.spec.background != "none"

    def _background(self, source: Path, watch: Stopwatch) -> np.ndarray:
        with watch.stage("decode"), closing(sample_frames(source, BACKGROUND_FRAMES)) as sample:
            return estimate_background(
                resize_frame(frame.image, self.spec.input_size) for frame in sample
            )

    def _resized_frames(
        self, source: Path, watch: Stopwatch
    ) -> Generator[tuple[float, tuple[int, int], np.ndarray], None, None]:
        """Yield (time, source size, picture at the model's size), decoded in a thread."""

        def prepare(frames: Iterable[Frame]) -> Iterator[tuple[float, tuple[int, int], Any]]:
            iterator = iter(frames)
            while True:
                with watch.stage("decode"):
                    frame = next(iterator, None)
                    if frame is None:
                        return
                    picture = resize_frame(frame.image, self.spec.input_size)
                yield frame.time, frame.image.shape[:2], picture

        depth = 2 * self.batch_size * self.spec.frames
        return read_ahead(lambda: prepare(read_frames(source)), depth)

    def _heatmaps(
        self, windows: Iterator[Window], background: np.ndarray | None, watch: Stopwatch
    ) -> Iterator[np.ndarray]:
        merger = WindowMerger(self.spec.heatmaps, self.step)
        for batch in _batched(windows, self.batch_size):
            with watch.stage("prepare"):
                inputs = np.empty((self.batch_size, *self._input_shape), np.float32)
                for window, out in zip(batch, inputs, strict=False):
                    pictures = np.stack(window.frames)
                    scale_window(stack_window(pictures, background, self.spec.background), out)
                inputs[len(batch) :] = 0.0  # one batch size means one compiled network
            with watch.stage("network"):
                maps = np.asarray(self._model.predict_on_batch(inputs))
            for window, heatmaps in zip(batch, maps, strict=False):
                with watch.stage("decode_heatmaps"):
                    planes = np.ascontiguousarray(np.moveaxis(heatmaps, -1, 0))
                yield from merger.add(window.start, planes)
        yield from merger.finish()

    @property
    def _input_shape(self) -> tuple[int, ...]:
        return (*self.spec.input_size, self._model.input_shape[-1])


def read_ahead(make: Callable[[], Iterator[Any]], depth: int) -> Generator[Any, None, None]:
    """Yield what an iterator yields, run in a thread of its own, at most `depth` items ahead.

    An error in the thread is raised here; closing the generator stops the thread.

    Args:
        make: makes the iterator, in the thread.
        depth: items to hold at most.
    """
    items: queue.Queue[tuple[bool, Any]] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(done: bool, value: Any) -> None:
        while not stopped.is_set():
            try:
                items.put((done, value), timeout=0.1)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in make():
                put(False, item)
                if stopped.is_set():
                    return
            put(True, None)
        except BaseException as error:  # handed over to the reader, whatever it is
            put(True, error)

    thread = threading.Thread(target=work, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            done, value = items.get()
            if not done:
                yield value
            elif value is not None:
                raise value
            else:
                return
    finally:
        stopped.set()
        thread.join()


def _batched(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
