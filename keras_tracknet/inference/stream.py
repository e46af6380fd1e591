"""Stream: one video on its way through a tracker, from pictures to rows."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Container, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from math import nan
from typing import NamedTuple

import numpy as np

from keras_tracknet.frames.background import Background
from keras_tracknet.frames.sizes import fit_frame
from keras_tracknet.frames.stabilization import stack_frames, unshift_outputs
from keras_tracknet.frames.windows import Window, WindowMerger, stream_windows
from keras_tracknet.inference.candidates import as_candidates, scale_heat
from keras_tracknet.inference.confidence import calibrate
from keras_tracknet.inference.detections import Decoder
from keras_tracknet.inference.engines.network import Network
from keras_tracknet.inference.hysteresis import CONTEXT, FAINT, Sighting, confirm_faint
from keras_tracknet.inference.linking import RATE, STEP, Prospect, find_spacing, link_prospects
from keras_tracknet.inference.repeats import MOST_SHOWN, FrameOutput, is_repeat, share_outputs
from keras_tracknet.inference.stages import Stopwatch, batch_items, read_ahead
from keras_tracknet.tracks.tables import ABSENT, DETECTED
from keras_tracknet.tracks.track import Track, TrackRow
from keras_tracknet.video.shots import split_shots


class Picture(NamedTuple):
    """A frame as the network takes it.

    Attributes:
        time: seconds.
        size: (height, width) of the source, pixels.
        image: `(height, width, 3)` uint8 RGB, at the network's size.
    """

    time: float
    size: tuple[int, int]
    image: np.ndarray


def fit_pictures(
    frames: Iterable[tuple[float, np.ndarray, tuple[int, int]]],
    network: Network,
    watch: Stopwatch | None = None,
) -> Generator[Picture, None, None]:
    """Yield frames as a network takes them.

    Args:
        frames: of each its time in seconds; the picture, `(height, width, 3)` uint8 RGB; and
            (height, width) of the source, which the picture may be smaller than.
        network: the network.
        watch: adds up the time, that of making the frames included.
    """
    watch, iterator = watch or Stopwatch(), iter(frames)
    while True:
        with watch.stage("decode"):
            frame = next(iterator, None)
            if frame is None:
                return
            time, image, size = frame
            picture = Picture(time, size, fit_frame(image, network.frame_size, network.spec.fit))
        yield picture


class Stream:
    """One video on its way through a tracker: iterate over it for the row of every frame.

    A row comes as soon as it is certain, before any repair of the track. Tracking starts afresh
    at every camera cut: windows and flights end there.

    Args:
        pictures: the video; closed at the end.
        network: the network.
        decoder: reads positions from the network's outputs.
        step: frames between the starts of neighbouring windows.
        linker: chooses among the peaks of the heatmaps; None for the largest blob of each, and
            what hysteresis finds.
        fps: frames per second, for the linker.
        background: for a network that needs one; closed at the end.
        stabilize: whether the frames of each window are aligned, see `stack_frames`.
        published: whether windows are those of the published V3 code, which ignores cuts.
        first: first frame to yield; its row is the one that a stream from frame 0 yields.
        live: whether frames arrive in real time. Each window then runs as soon as it is
            complete, in the caller's thread; otherwise windows run in full batches, in a thread
            of their own.
        lost: frames without a picture; they have no ball.
        corner: (x, y) of the pictures' upper left corner in the video, pixels.
        stopwatch: adds up the time of each stage.

    Attributes:
        shots: number of the first frame of each camera shot so far.
    """

    def __init__(
        self,
        pictures: Generator[Picture, None, None],
        network: Network,
        decoder: Decoder,
        *,
        step: int,
        linker: Network | None = None,
        fps: float = RATE,
        background: Background | None = None,
        stabilize: bool = False,
        published: bool = False,
        first: int = 0,
        live: bool = False,
        lost: Container[int] = (),
        corner: tuple[int, int] = (0, 0),
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self.shots: list[int] = []
        self._pictures, self._background = pictures, background
        self._network, self._spec, self._decoder = network, network.spec, decoder
        self._linker, self._spacing = linker, find_spacing(fps)
        self._step, self._stabilize, self._published = step, stabilize, published
        self._first, self._live, self._lost, self._corner = first, live, lost, corner
        # A frame is judged by those before it too, so they are decoded.
        context = CONTEXT if decoder.sees_faint else 0
        if linker is not None:
            context = linker.spec.frames + STEP
        self._begin = max(0, first - context)
        self._watch = stopwatch or Stopwatch()
        self._rows = self._track()

    def __iter__(self) -> Iterator[TrackRow]:
        return self

    def __next__(self) -> TrackRow:
        return next(self._rows)

    def close(self) -> None:
        """Stop, and close the video."""
        self._rows.close()

    def propose(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield, instead of rows, where the ball may be in each frame, to train a linker on.

        Yields:
            `(candidates, 2)`, (x, y) in pixels of the pictures, and `(candidates,)` heat in
            relation to the threshold, see `scale_heat`.
        """
        with self._outputs() as outputs:
            for prospect in self._propose(outputs):
                yield prospect.places, prospect.candidates[:, 2]

    def collect(self, advance: Callable[..., None] | None = None) -> Track:
        """Return the track of all rows, with its shots.

        Args:
            advance: called with the number of frames done since the last call.
        """
        rows = []
        for row in self:
            rows.append(row)
            if advance is not None:
                advance(1)
        return Track.from_rows(rows, shots=self.shots)

    def _track(self) -> Generator[TrackRow, None, None]:
        """Yield rows."""
        with self._outputs() as outputs:
            if self._linker is None:
                rows = confirm_faint(self._detect(outputs))
            else:
                prospects = self._propose(outputs)
                window = self._linker.spec.frames
                rows = link_prospects(prospects, self._link, window, spacing=self._spacing)
            for row in rows:
                if row.frame in self._lost:
                    row = TrackRow(row.frame, nan, nan, 0.0, ABSENT, row.time)
                else:
                    curve = (self._linker or self._network).spec.calibration
                    confidence = float(calibrate(row.confidence, curve))
                    row = row._replace(confidence=confidence)
                if row.frame >= self._first:
                    yield row._replace(x=row.x + self._corner[0], y=row.y + self._corner[1])

    @contextmanager
    def _outputs(self) -> Iterator[Iterator[FrameOutput]]:
        """Give each frame with the network's output; close what the stream was given."""
        depth = 0 if self._live else self._network.batch_size * self._spec.heatmaps
        try:
            with closing(self._pictures), closing(read_ahead(self._run_shots, depth)) as outputs:
                yield outputs
        finally:
            if self._background is not None:
                self._background.close()

    def _propose(self, outputs: Iterable[FrameOutput]) -> Iterator[Prospect]:
        """Yield the candidates of each frame."""
        for number, frame in enumerate(outputs):
            if number < self._begin:
                continue
            with self._watch.stage("decode_heatmaps"):
                places, heat = self._decoder.propose(frame.output, frame.size)
                heat = scale_heat(heat, self._decoder.threshold)
                candidates = as_candidates(places, heat, frame.size)
            row = TrackRow(number, nan, nan, 0.0, ABSENT, frame.time)
            yield Prospect(row, candidates, places, frame.shot)

    def _link(self, candidates: np.ndarray) -> np.ndarray:
        assert self._linker is not None
        with self._watch.stage("link"):
            return self._linker.run([candidates])

    def _detect(self, outputs: Iterable[FrameOutput]) -> Iterator[Sighting]:
        """Yield what each frame shows, clearly or faintly."""
        for number, frame in enumerate(outputs):
            if number < self._begin:
                continue
            with self._watch.stage("decode_heatmaps"):
                x, y, confidence = self._decoder.locate(frame.output, frame.size)
                faint, least = (nan, nan), FAINT * self._decoder.threshold
                if self._decoder.sees_faint and np.isnan(x) and confidence > least:
                    faint = self._decoder.locate(frame.output, frame.size, least)[:2]
            status = ABSENT if np.isnan(x) else DETECTED
            row = TrackRow(number, x, y, confidence, status, frame.time)
            yield Sighting(row, *faint, frame.size[0], frame.shot)

    def _run_shots(self) -> Iterator[FrameOutput]:
        """Yield each frame with the network's output, shot by shot."""
        shots: Iterable[tuple[int, Iterator[Picture]]] = [(0, self._pictures)]
        if not self._published:
            shots = split_shots(self._pictures, lambda picture: picture.image)
        for start, shot in shots:
            self.shots.append(start)
            outputs = self._run_shot(shot, start)
            yield from outputs if self._decoder.published else share_outputs(outputs)

    def _run_shot(self, shot: Iterator[Picture], start: int) -> Iterator[FrameOutput]:
        """Yield the frames of a shot, which begins at frame `start`, with the network's outputs."""
        waiting: deque[tuple[float, tuple[int, int], bool]] = deque()  # for their outputs
        images = _note_frames(shot, waiting)
        if self._background is not None:
            images = self._background.enter(images)
        spec, first = self._spec, self._begin - MOST_SHOWN - start
        pad = self._published and self._step == spec.heatmaps
        windows = stream_windows(images, spec.frames, spec.heatmaps, self._step, pad=pad)
        for output in self._run_windows(windows, first):
            if waiting:  # a shot shorter than a window has outputs to spare
                yield FrameOutput(*waiting.popleft(), start, output)

    def _run_windows(self, windows: Iterator[Window], first: int) -> Iterator[np.ndarray]:
        """Yield the network's output for each frame of a shot: a heatmap or a detection.

        Outputs are blank for frames before `first` that no later one needs.
        """
        network, spec = self._network, self._spec
        merger = WindowMerger(spec.heatmaps, self._step, published=self._published)
        of_frame = (3,) if network.output == "detections" else spec.input_size
        blank = np.broadcast_to(np.float32(0), (spec.heatmaps, *of_frame))
        for window in windows:
            if window.start + spec.heatmaps > first:
                windows = itertools.chain([window], windows)
                break
            yield from merger.add(window.start, blank)
        for start, outputs in self._compute(windows):
            yield from merger.add(start, outputs)
        yield from merger.finish()

    def _compute(self, windows: Iterator[Window]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield where each window starts, and the network's outputs for it.

        Where the engine allows, a batch is started before the one in front of it is finished, so
        that no core waits for the slowest window of a batch.
        """
        network, size = self._network, 1 if self._live else self._network.batch_size
        ahead = 1 if network.concurrent and not self._live else 0
        shape = (network.batch_size, self._spec.frames, *network.frame_size, 3)
        buffers = deque(np.zeros(shape, np.uint8) for _ in range(ahead + 1))
        started: deque[tuple[list[Window], list[np.ndarray], Callable[[], np.ndarray]]] = deque()

        def finish() -> Iterator[tuple[int, np.ndarray]]:
            batch, shifts, wait = started.popleft()
            with self._watch.stage("network"):
                outputs = wait()
            for window, of_window, shift in zip(batch, outputs, shifts, strict=False):
                yield window.start, unshift_outputs(of_window, shift, network.frame_size)

        try:
            for batch in batch_items(windows, size):
                with self._watch.stage("prepare"):
                    buffers.rotate()
                    # Other engines take full batches: one batch size means one compiled network.
                    frames = buffers[0][: len(batch)] if network.concurrent else buffers[0]
                    shifts = [
                        stack_frames(window.frames, stabilized=self._stabilize, out=out)
                        for window, out in zip(batch, frames, strict=False)
                    ]
                    inputs = [frames]
                    if self._background is not None:
                        inputs.append(np.stack([self._background.picture] * len(frames)))
                with self._watch.stage("network"):
                    started.append((batch, shifts, network.start(inputs)))
                if len(started) > ahead:
                    yield from finish()
            while started:
                yield from finish()
        finally:
            for _, _, wait in started:
                wait()


def _note_frames(
    shot: Iterable[Picture], waiting: deque[tuple[float, tuple[int, int], bool]]
) -> Iterator[np.ndarray]:
    """Yield a shot's images; keep time, size and whether it is a repeat of each."""
    before: np.ndarray | None = None
    for time, size, image in shot:
        waiting.append((time, size, before is not None and is_repeat(image, before)))
        before = image
        yield image
