"""Prediction: from a video to a track, streaming, in memory that does not grow with it."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.frames.sizes import (
    BACKGROUND_FRAMES,
    estimate_background,
    fit_frame,
    sample_indices,
    unfit_positions,
)
from keras_tracknet.frames.stabilization import stack_frames, unshift_answers
from keras_tracknet.frames.windows import Window, WindowMerger, stream_windows, window_step
from keras_tracknet.inference.detections import DECODERS, Detection
from keras_tracknet.inference.engines import KERAS, find_engine, open_network
from keras_tracknet.inference.engines.network import Network
from keras_tracknet.inference.hysteresis import CONTEXT, FAINT, Sighting, confirm_faint
from keras_tracknet.inference.published import check_published, rectify_published, truncate_position
from keras_tracknet.inference.rectification import MAX_GAP, rectify_track, remove_outliers
from keras_tracknet.inference.repeats import MOST_SHOWN, Answered, is_repeat, share_answers
from keras_tracknet.inference.stages import Stopwatch, batch_items, read_ahead
from keras_tracknet.presets import DEFAULT, find_weights
from keras_tracknet.tracks.tables import ABSENT, DETECTED
from keras_tracknet.tracks.track import Track, TrackRow
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.reader import Frame, probe_video, read_frames, sample_frames
from keras_tracknet.video.shots import show_one_view, split_shots
from keras_tracknet.weights.model_file import ModelFile

SHOT_FRAMES = 240  # frames at a shot's start that its own background is estimated from
Picture = tuple[float, tuple[int, int], np.ndarray]  # time, size of the source, resized frame


class Tracker:
    """A trained network and what is around it: video in, track out.

    Args:
        weights: the network, as `load_model` returns it, or ready to run, as `open_network`
            does.
        rectifier: V3's second network, to fill in hidden stretches; none when omitted.
        mode: `fast` sees each frame once, `balanced` twice, `accurate` as often as a window
            is long, and merges what it saw.
        threshold: probability that a pixel must exceed; the model file's own when None. Two
            thirds of it are enough where a flight leads to the place, see `hysteresis`.
        decode: `centroid` of the largest blob, or `published` for the published V3 code's
            bounding-box rule and whole pixels. V1 always looks for a circle.
        sampling: `own`, or `published` for the published V3 code's last windows and repairs, see
            `keras_tracknet.inference.published`; its mode `nonoverlap` is `fast`, `weight` is
            `accurate`.
        stabilize: whether to move the frames of a window so that the court stands still in them,
            for cameras that pan, see `keras_tracknet.frames.stabilization`; as the model file says
            when None.
        precision: as for `open_network`.
        batch_size: windows that the network sees at once.
        max_gap: longest stretch that the rectifier fills in, frames.

    Raises:
        TypeError: weights that are something else, such as a preset's name.
        InputError: weights that were never trained, that are no tracker's or rectifier's, or
            that cannot do what is asked of them.
        ValueError: an unknown mode or way to decode, or a number out of range.

    Example:
        >>> tracker = Tracker.from_file("best.keras")  # doctest: +SKIP
        >>> track = tracker.track("rally.mp4")  # doctest: +SKIP
        >>> track.x[0], track.y[0], track.status[0]  # doctest: +SKIP
    """

    def __init__(
        self,
        weights: ModelFile | Network,
        *,
        rectifier: ModelFile | Network | None = None,
        mode: str = "fast",
        threshold: float | None = None,
        decode: str = "centroid",
        sampling: str = "own",
        stabilize: bool | None = None,
        precision: str = "auto",
        batch_size: int = 2,
        max_gap: int = MAX_GAP,
    ) -> None:
        if decode not in ("centroid", "published"):
            raise ValueError(f"decode must be centroid or published. Received: decode={decode!r}")
        if sampling not in ("own", "published"):
            raise ValueError(f"sampling must be own or published. Received: sampling={sampling!r}")
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be 0 to 1. Received: threshold={threshold}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received: batch_size={batch_size}")
        for name, network in (("weights", weights), ("rectifier", rectifier)):
            _check_kind(name, network)
        if weights.spec.version == "rectifier":
            raise InputError(f"{weights.path}: a rectifier, not a tracker; give it as rectifier.")
        if rectifier is not None and rectifier.spec.version != "rectifier":
            raise InputError(f"{rectifier.path}: a tracker, not a rectifier; give it as weights.")
        settings: dict[str, Any] = {"precision": precision, "batch_size": batch_size}
        self.network = _ready(weights, settings)
        self.rectifier = _ready(rectifier, settings) if rectifier is not None else None
        self.spec, self.mode, self.max_gap = self.network.spec, mode, max_gap
        self.decode, self.sampling = decode, sampling
        check_published(self.spec, self.network.path, mode, decode, sampling)
        self.stabilize = self.spec.stabilized if stabilize is None else stabilize
        if self.stabilize and (self._needs_background or sampling == "published"):
            raise InputError(
                f"{self.network.path}: --stabilize is for weights that see no background, such as"
                " badminton-v2 or multisport-v2, and not for --sampling published;"
                " use --no-stabilize."
            )
        self.step = window_step(mode, self.spec.heatmaps)
        self.threshold = self.spec.threshold if threshold is None else threshold
        if self.network.answers == "detections":
            self._check_answers(mode, decode)
            self._decode: Callable[[Any, float], Detection] = partial(
                _read_detection, size=self.spec.input_size
            )
        else:
            self._decode = DECODERS["circle" if self.spec.version == "v1" else decode]

    def _check_answers(self, mode: str, decode: str) -> None:
        """Raise `InputError` where a network that answers with positions has to give maps."""
        fixed = {"mode": (mode, "fast"), "decode": (decode, "centroid")}
        fixed["threshold"] = str(self.threshold), str(self.spec.threshold)
        for name, (asked, built_in) in fixed.items():
            if asked != built_in:
                raise InputError(
                    f"{self.network.path}: answers with positions, so --{name} can only be"
                    f" {built_in}; export it with --heatmaps."
                )

    @classmethod
    def from_file(
        cls,
        path: Path | str,
        *,
        rectifier: Path | str | None = None,
        engine: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        batch_size: int = 2,
        **settings: Any,
    ) -> Tracker:
        """Load a tracker from model files.

        Args:
            path: a `.keras` file that `tracknet fit` wrote, or what `tracknet export` did.
            rectifier: a `.keras` file of a rectifier.
            engine, device: what runs the network, and where, see `open_network`.
            precision, batch_size: as for `Tracker`.
            settings: the other arguments of `Tracker`.
        """
        how: dict[str, Any] = {"precision": precision, "batch_size": batch_size}
        network = open_network(path, engine=engine, device=device, **how)
        second = None
        if rectifier:
            # An exported tracker may have an engine that does not run a rectifier's file.
            other = engine if find_engine(Path(path)) == KERAS else "auto"
            second = open_network(rectifier, engine=other, device=device, **how)
        return cls(network, rectifier=second, **settings)

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
            One row for every decoded frame, see `repair`.

        Raises:
            InputError: the video cannot be read.
        """
        shots: list[int] = []
        rows = self.stream(source, stopwatch=stopwatch, shots=shots)
        track = _collect(rows, advance)
        info = probe_video(Path(source))
        return self.repair(track, (info.height, info.width), shots=shots)

    def track_frames(
        self,
        frames: Sequence[np.ndarray] | np.ndarray,
        *,
        fps: float = 30.0,
        background: np.ndarray | None = None,
        advance: Callable[..., None] | None = None,
    ) -> Track:
        """Track the ball through pictures that are in memory.

        Args:
            frames: `(frames, height, width, 3)` uint8 RGB, in the order of time.
            fps: frames a second, for the track's times.
            background: `(height, width, 3)` uint8 RGB, for a network that sees one; the median
                of frames from all over when omitted.
            advance: as for `track`.

        Returns:
            One row for every frame, pixels of these pictures, see `repair`.

        Raises:
            InputError: no pictures.

        Example:
            >>> track = tracker.track_frames(np.stack(pictures))  # doctest: +SKIP
        """
        if not len(frames):
            raise InputError("no frames to track.")
        size = frames[0].shape[:2]
        pictures = ((k / fps, size, self.prepare(frame)) for k, frame in enumerate(frames))
        if not self._needs_background:
            behind = None
        elif background is not None:
            behind = self.prepare(background)
        else:
            behind = estimate_background(
                self.prepare(frames[index]) for index in sample_indices(len(frames))
            )
        shots: list[int] = []
        rows = self._rows(pictures, behind, Stopwatch(), shots, 0)
        return self.repair(_collect(rows, advance), size, shots=shots)

    def stream(
        self,
        source: Path | str,
        *,
        stopwatch: Stopwatch | None = None,
        shots: list[int] | None = None,
        first: int = 0,
        damage: Damage | None = None,
    ) -> Generator[TrackRow, None, None]:
        """Yield the row of every frame as soon as it is known, before any rectification.

        Where the camera cuts, a shot ends: no window goes across, and a shot of another view
        than most of the video has a background of its own.

        Args, Raises: as for `track`; and
            shots: a list that the number of each shot's first frame is added to.
            first: frame to start at; the rows are those of a stream from the beginning.
            damage: where damage of the source is noted. Images that cannot be decoded have no
                ball.
        """
        source, watch, damage = Path(source), stopwatch or Stopwatch(), damage or Damage()
        background = self._background(source, watch) if self._needs_background else None
        with closing(self._resized_frames(source, watch, damage)) as decoded:
            for row in self._rows(decoded, background, watch, shots, first):
                lost = row.frame in damage.frames
                yield TrackRow(row.frame, nan, nan, 0.0, ABSENT, row.time) if lost else row

    def repair(self, track: Track, size: tuple[int, int], *, shots: Sequence[int] = ()) -> Track:
        """Take out jumps of a few frames, and fill in gaps where there is a rectifier.

        Each shot by itself. What is published takes nothing out.

        Args:
            track: as detected.
            size: (height, width) of the source, pixels.
            shots: number of each shot's first frame; one shot when empty.
        """
        if self.sampling == "published":
            return self._repair_as_published(track, size)
        bounds = [*(shots or (0,)), len(track)]
        parts = [track.cut(start, stop) for start, stop in itertools.pairwise(bounds)]
        if self.decode != "published":
            parts = [remove_outliers(part, size[0]) for part in parts]
        if self.rectifier is not None:
            spec, run = self.rectifier.spec, self._run_rectifier
            parts = [
                rectify_track(
                    part, run, size, window=spec.frames, max_gap=self.max_gap, hidden=spec.hidden
                )
                for part in parts
            ]
        return Track.join(parts)

    def _repair_as_published(self, track: Track, size: tuple[int, int]) -> Track:
        if self.rectifier is None:
            return track
        window = self.rectifier.spec.frames
        step = 1 if self.mode == "accurate" else window
        return rectify_published(track, self._run_rectifier, size, window=window, step=step)

    def _run_rectifier(self, coordinates: np.ndarray, mask: np.ndarray) -> np.ndarray:
        assert self.rectifier is not None
        return self.rectifier.run([np.asarray(a, np.float32) for a in (coordinates, mask)])

    @property
    def _follows(self) -> bool:
        """Whether what shows faintly in a heatmap is looked at."""
        maps = self.network.answers == "heatmaps" and self.spec.version != "v1"
        return maps and self.decode == "centroid" and self.sampling == "own"

    @property
    def _needs_background(self) -> bool:
        return self.spec.background != "none"

    def _background(self, source: Path, watch: Stopwatch) -> np.ndarray:
        with watch.stage("decode"), closing(sample_frames(source, BACKGROUND_FRAMES)) as sample:
            return estimate_background(self.prepare(frame.image) for frame in sample)

    def _resized_frames(
        self, source: Path, watch: Stopwatch, damage: Damage
    ) -> Generator[Picture, None, None]:
        """Yield (time, source size, picture at the model's size), decoded in a thread."""

        def prepare(frames: Iterable[Frame]) -> Iterator[Picture]:
            iterator = iter(frames)
            while True:
                with watch.stage("decode"):
                    frame = next(iterator, None)
                    if frame is None:
                        return
                    picture = self.prepare(frame.image)
                yield frame.time, frame.image.shape[:2], picture

        depth = 2 * self.network.batch_size * self.spec.frames
        return read_ahead(lambda: prepare(read_frames(source, damage)), depth)

    def _rows(
        self,
        pictures: Iterable[Picture],
        background: np.ndarray | None,
        watch: Stopwatch,
        shots: list[int] | None,
        first: int,
    ) -> Generator[TrackRow, None, None]:
        """Yield the rows of frames from `first` on; the network runs in a thread."""
        begin = max(0, first - CONTEXT) if self._follows else first
        answers = read_ahead(
            lambda: self._answer_shots(pictures, background, watch, shots, begin - MOST_SHOWN),
            self.network.batch_size * self.spec.heatmaps,
        )
        with closing(answers):
            for row in confirm_faint(self._look(answers, watch, begin)):
                if row.frame >= first:
                    yield row

    def _look(
        self, answers: Iterable[tuple[int, Answered]], watch: Stopwatch, begin: int
    ) -> Iterator[Sighting]:
        """Yield what the network's answers show, from frame `begin` on."""
        for frame, (shot, (moment, size, _, answer)) in enumerate(answers):
            if frame < begin:
                continue
            with watch.stage("decode_heatmaps"):
                x, y, confidence = self.locate(answer, size)
                faint = nan, nan
                if self._follows and np.isnan(x) and confidence > FAINT * self.threshold:
                    faint = self.locate(answer, size, FAINT * self.threshold)[:2]
            status = ABSENT if np.isnan(x) else DETECTED
            row = TrackRow(frame, x, y, confidence, status, moment)
            yield Sighting(row, *faint, size[0], shot)

    def _answer_shots(
        self,
        decoded: Iterable[Picture],
        background: np.ndarray | None,
        watch: Stopwatch,
        shots: list[int] | None,
        first: int,
    ) -> Iterator[tuple[int, Answered]]:
        """Yield each frame with the network's answer, and the number of its shot's first frame."""
        published = self.sampling == "published"  # which knows of no cuts
        parts = [(0, iter(decoded))] if published else split_shots(decoded, lambda item: item[2])
        for start, shot in parts:
            if shots is not None:
                shots.append(start)
            waiting: deque[tuple[float, tuple[int, int], bool]] = deque()  # for their answers
            behind = background
            if background is not None and not published:
                shot, behind = self._choose_background(shot, background)
            pictures = _note_frames(shot, waiting)
            windows = stream_windows(
                pictures,
                self.spec.frames,
                self.spec.heatmaps,
                self.step,
                pad=published and self.mode == "fast",
            )
            answers = self._answers(windows, behind, watch, first - start)
            # A shot shorter than a window has answers to spare.
            answered = (Answered(*waiting.popleft(), answer) for answer in answers if waiting)
            for frame in answered if self.decode == "published" else share_answers(answered):
                yield start, frame

    def _choose_background(
        self, shot: Iterator[Picture], background: np.ndarray
    ) -> tuple[Iterator[Picture], np.ndarray]:
        """Return a shot, whole again, and what is behind it."""
        head = list(itertools.islice(shot, 1))
        if not show_one_view(head[0][2], background):
            head += itertools.islice(shot, SHOT_FRAMES - 1)
            sample = sample_indices(len(head), BACKGROUND_FRAMES)
            background = estimate_background(head[index][2] for index in sample)
        return itertools.chain(head, shot), background

    def _answers(
        self,
        windows: Iterator[Window],
        background: np.ndarray | None,
        watch: Stopwatch,
        first: int,
    ) -> Iterator[np.ndarray]:
        """Yield what the network says of each frame of a shot: a heatmap or a detection.

        Frames before `first` that no later one needs are not shown to the network.
        """
        size, published = self.network.batch_size, self.sampling == "published"
        merger = WindowMerger(self.spec.heatmaps, self.step, published=published)
        frames = np.zeros((size, self.spec.frames, *self.network.frame_size, 3), np.uint8)
        inputs = [frames]
        if background is not None:
            inputs.append(np.stack([background] * size))
        of_frame = (3,) if self.network.answers == "detections" else self.spec.input_size
        blank = np.broadcast_to(np.float32(0), (self.spec.heatmaps, *of_frame))
        for window in windows:
            if window.start + self.spec.heatmaps > first:
                windows = itertools.chain([window], windows)
                break
            yield from merger.add(window.start, blank)
        for batch in batch_items(windows, size):  # one batch size means one compiled network
            with watch.stage("prepare"):
                shifts = [
                    stack_frames(window.frames, stabilized=self.stabilize, out=out)
                    for window, out in zip(batch, frames, strict=False)
                ]
            with watch.stage("network"):
                answers = self.network.run(inputs)
            for window, of_window, shift in zip(batch, answers, shifts, strict=False):
                seen = unshift_answers(of_window, shift, self.network.frame_size)
                yield from merger.add(window.start, seen)
        yield from merger.finish()

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Return a frame as the network takes it.

        Args:
            image: `(height, width, 3)` uint8 RGB.
        """
        return fit_frame(image, self.network.frame_size, self.spec.fit)

    def locate(
        self, answer: np.ndarray, size: tuple[int, int], threshold: float | None = None
    ) -> Detection:
        """Return where the network says the ball is, pixels of the source.

        Args:
            answer: what the network says of one frame.
            size: (height, width) of the source, pixels.
            threshold: the tracker's own when None.
        """
        x, y, confidence = self._decode(answer, self.threshold if threshold is None else threshold)
        if self.decode == "published" and self.spec.version != "v1":
            return Detection(*truncate_position(x, y, self.spec.input_size, size), confidence)
        here = np.array([x, y])
        x, y = unfit_positions(here, size, self.spec.input_size, self.spec.fit).tolist()
        return Detection(x, y, confidence)


def _collect(rows: Iterable[TrackRow], advance: Callable[..., None] | None) -> Track:
    """Return the track of all rows, and tell of each that is known."""
    known = []
    for row in rows:
        known.append(row)
        if advance is not None:
            advance(1)
    return Track.from_rows(known)


def _note_frames(
    shot: Iterable[Picture], waiting: deque[tuple[float, tuple[int, int], bool]]
) -> Iterator[np.ndarray]:
    """Yield a shot's pictures, and keep time, source size and whether it is a repeat of each."""
    before: np.ndarray | None = None
    for moment, size, picture in shot:
        waiting.append((moment, size, before is not None and is_repeat(picture, before)))
        before = picture
        yield picture


def _check_kind(name: str, network: Any) -> None:
    """Raise `TypeError` where a network is given in a way that only other functions take."""
    if (network is None and name == "rectifier") or isinstance(network, ModelFile | Network):
        return
    step = "save it with save_model and its ModelSpec, and give load_model's result"
    if isinstance(network, str | Path):
        step = "use Tracker.from_preset or Tracker.from_file"
    raise TypeError(f"{name} must be what load_model returns; {step}. Received: {network!r}")


def _ready(weights: ModelFile | Network, settings: dict[str, Any]) -> Network:
    return weights if isinstance(weights, Network) else open_network(weights, **settings)


def _read_detection(answer: np.ndarray, threshold: float, *, size: tuple[int, int]) -> Detection:
    """Return a detection as the network made it, in pixels of its input."""
    x, y, peak = answer.tolist()
    if peak <= threshold:
        return Detection(nan, nan, peak)
    return Detection(x * size[1] - 0.5, y * size[0] - 0.5, peak)
