"""Tracker: a trained network with its settings, from a video to a track."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.frames.background import (
    BACKGROUND_FRAMES,
    Background,
    RunningBackground,
    VideoBackground,
    estimate_background,
    sample_indices,
)
from keras_tracknet.frames.sizes import fit_frame, shrink_to_fit
from keras_tracknet.frames.windows import window_step
from keras_tracknet.inference.bar import show_bar
from keras_tracknet.inference.checks import (
    check_abilities,
    check_networks,
    check_roles,
    check_values,
    links,
)
from keras_tracknet.inference.confidence import calibrate
from keras_tracknet.inference.detections import Decoder
from keras_tracknet.inference.engines import KERAS, find_engine, open_network
from keras_tracknet.inference.engines.network import Network
from keras_tracknet.inference.published import rectify_published
from keras_tracknet.inference.rectification import MAX_GAP, rectify_track
from keras_tracknet.inference.stages import Stopwatch, read_ahead
from keras_tracknet.inference.stream import Picture, Stream, fit_pictures
from keras_tracknet.presets import DEFAULT, WeightsPaths, find_weights
from keras_tracknet.tracks.play import reject_strays
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.display import Shrink
from keras_tracknet.video.part import WHOLE, Part
from keras_tracknet.video.reader import probe_video, read_frames, sample_frames
from keras_tracknet.weights.model_file import ModelFile

Weights = ModelFile | Network | WeightsPaths | Path | str
BUNDLED = "bundled"  # the rectifier or linker that comes with the weights


class Tracker:
    """A trained network and its settings: video in, track out.

    Args:
        weights: name of a bundled tracker, such as `badminton-v3`, or a path, as for
            `find_weights`; what that returns; or the network itself, as `load_model` or
            `open_network` returns it. `choose_weights` finds out which name suits a video.
        rectifier: V3's second network, which fills gaps where the ball is hidden: like
            `weights`, `bundled` for the one that comes with the weights if there is one, or None.
        linker: the network that chooses among the peaks of the heatmaps: like `rectifier`. Only for
            heatmaps of V2 and later, and with `decode="centroid"`; what is bundled is left out
            otherwise. Videos of less than 20 frames per second, and `stream_live`, do without.
        mode: how much windows overlap. With `fast` the network sees every frame once, with
            `balanced` twice, with `accurate` at every position in the window; the outputs are
            merged.
        threshold: probability that a pixel must exceed; the model file's own when None. Two
            thirds of it are enough where a flight leads to the place, see `hysteresis`. A linker
            sees the peaks in relation to it.
        decode: `centroid` of the largest blob, or `published` for the published V3 code's
            bounding-box rule and whole pixels. V1 always looks for a circle.
        sampling: `own`, or `published` for the published V3 code's last windows and repairs, see
            `keras_tracknet.inference.published`; its mode `nonoverlap` is `fast`, `weight` is
            `accurate`.
        stabilize: whether the frames of each window are aligned so that the court stands still,
            for panning cameras, see `keras_tracknet.frames.stabilization`; as the model file says
            when None.
        engine, device: what runs a network that is given by name or path, and where: see
            `open_network`.
        precision: as for `open_network`.
        batch_size: windows that the network sees at once.
        max_gap: longest gap that the rectifier fills, frames.

    Raises:
        TypeError: weights that are something else, such as a Keras model.
        InputError: weights that cannot be found, were never trained, are another network's, or
            cannot do what is asked of them.
        ValueError: an unknown mode or way to decode, or a number out of range.

    Example:
        >>> import keras_tracknet as kt
        >>> video = kt.write_rally(kt.RallyConfig(frames=8, size=(288, 512)), "runs/example")
        >>> track = kt.Tracker("rendered-v3").track(video)
        >>> len(track), str(track.status[0])
        (8, 'detected')
    """

    def __init__(
        self,
        weights: Weights = DEFAULT,
        *,
        rectifier: Weights | None = BUNDLED,
        linker: Weights | None = BUNDLED,
        mode: str = "fast",
        threshold: float | None = None,
        decode: str = "centroid",
        sampling: str = "own",
        stabilize: bool | None = None,
        engine: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        batch_size: int = 2,
        max_gap: int = MAX_GAP,
    ) -> None:
        check_values(decode, sampling, threshold, batch_size)
        how: dict[str, Any] = {"precision": precision, "batch_size": batch_size}
        first, *others = _find_networks(weights, rectifier, linker)
        check_networks(first, *others)
        self.network = _open_network(first, engine, device, how)
        # An exported tracker may have an engine that does not run the others' files.
        exported = isinstance(first, Path) and find_engine(first) != KERAS
        beside = "auto" if exported else engine
        if not links(self.network, decode, sampling, asked=linker != BUNDLED and others[1]):
            others[1] = None
        self.rectifier, self.linker = (
            None if other is None else _open_network(other, beside, device, how) for other in others
        )
        check_roles(self.network, self.rectifier, self.linker)
        self.spec, self.mode, self.max_gap = self.network.spec, mode, max_gap
        self.decode, self.sampling = decode, sampling
        self.stabilize = self.spec.stabilized if stabilize is None else stabilize
        self.threshold = self.spec.threshold if threshold is None else threshold
        check_abilities(self.network, mode, decode, sampling, self.stabilize, self.threshold)
        self.step = window_step(mode, self.spec.heatmaps)
        self._decoder = Decoder(self.spec, self.network.output, decode, self.threshold)

    def track(
        self,
        source: Path | str,
        *,
        part: Part = WHOLE,
        progress: bool = False,
        advance: Callable[..., None] | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> Track:
        """Track the ball through a video.

        Args:
            source: a video, or a folder of images.
            part: which frames, and where in the picture. Windows, flights and shots are those of
                the part; the background is that of the whole video.
            progress: whether to show a bar, in a notebook or on a terminal.
            advance: called with the number of frames done since the last call.
            stopwatch: adds up the time of each stage.

        Returns:
            One row for every decoded frame, and the camera shots, see `repair`. Frames outside
            the part are `unlabelled`.

        Raises:
            InputError: the video cannot be read.
        """
        info = probe_video(Path(source))
        if progress:
            advance = show_bar(part.count(info.frames), advance)
        track = self.stream(source, stopwatch=stopwatch, part=part).collect(advance)
        return self.repair(track, (info.height, info.width)).spread(part.numbers)

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
            fps: frames per second, for the track's times.
            background: `(height, width, 3)` uint8 RGB, for a network that needs one; the median
                of frames from all over when omitted.
            advance: as for `track`.

        Returns:
            One row for every frame, pixels of these pictures, see `repair`.

        Raises:
            InputError: no pictures.

        Example:
            >>> import keras_tracknet as kt
            >>> pictures = np.zeros((8, 288, 512, 3), np.uint8)
            >>> track = kt.Tracker("rendered-v3").track_frames(pictures)
            >>> len(track), int(track.visibility.sum())
            (8, 0)
        """
        if not len(frames):
            raise InputError("there are no frames to track; check the source.")
        sample: Iterable[np.ndarray] = (frames[index] for index in sample_indices(len(frames)))
        behind = self._estimate_background(sample if background is None else [background])
        moments = ((n / fps, frame, frame.shape[:2]) for n, frame in enumerate(frames))
        pictures = fit_pictures(moments, self.network)
        track = self._open(pictures, behind, linker=self.linker, fps=fps).collect(advance)
        return self.repair(track, frames[0].shape[:2])

    def stream(
        self,
        source: Path | str,
        *,
        stopwatch: Stopwatch | None = None,
        part: Part = WHOLE,
        first: int = 0,
        damage: Damage | None = None,
    ) -> Stream:
        """Open a video; the stream yields the row of every frame as soon as it is certain.

        Rows are as detected, before `repair`.

        Args, Raises: as for `track`; and
            part: as for `track`; its rows count from 0.
            first: frame to start at; the rows are those of a stream from the beginning.
            damage: where damage of the source is noted. Images that cannot be decoded have no
                ball.
        """
        source, watch, damage = Path(source), stopwatch or Stopwatch(), damage or Damage()
        shrink: Shrink | None = None
        # A region is cut out of the whole picture, and the published code shrinks it in RGB.
        if part.roi is None and self.sampling != "published":
            shrink = shrink_to_fit(self.network.frame_size, self.spec.fit)
        with (
            watch.stage("background"),
            closing(sample_frames(source, BACKGROUND_FRAMES, shrink)) as sample,
        ):
            behind = self._estimate_background(part.crop(frame.image) for frame in sample)

        def cut_frames() -> Iterator[tuple[float, np.ndarray, tuple[int, int]]]:
            for frame in read_frames(source, damage, part, shrink):
                image = part.crop(frame.image)
                yield frame.time, image, image.shape[:2] if part.roi else frame.size

        def decode() -> Iterator[Picture]:
            return fit_pictures(cut_frames(), self.network, watch)

        pictures = read_ahead(decode, 2 * self.network.batch_size * self.spec.frames)
        lost = damage.frames
        where: dict[str, Any] = {"first": first, "lost": lost, "corner": part.corner}
        if self.linker is not None:
            where["fps"] = float(probe_video(source).fps) / part.every
        return self._open(pictures, behind, linker=self.linker, **where, stopwatch=watch)

    def stream_live(self, frames: Iterable[tuple[float, np.ndarray]]) -> Stream:
        """Track frames as they arrive, such as those of a camera.

        The rows are those of `track_frames` before `repair`, except that the background is the
        median of the shot's latest frames. A row waits for the frames that decide it, in every
        mode: usually for as many as the network has heatmaps, for at most 12 more while something
        shows faintly. With 8 heatmaps that is 20 frames at most.

        Args:
            frames: for each frame its time in seconds and the picture, `(height, width, 3)`
                uint8 RGB.

        Example:
            >>> import keras_tracknet as kt
            >>> rally = kt.simulate_rally(kt.RallyConfig(frames=8, size=(288, 512)))
            >>> frames = ((k / 30, picture) for k, picture in enumerate(rally.frames()))
            >>> tracker = kt.Tracker("rendered-v3")
            >>> [row.frame for row in tracker.stream_live(frames)]
            [0, 1, 2, 3, 4, 5, 6, 7]
        """
        if self.sampling == "published":
            raise InputError('`sampling="published"` is for recorded videos only; remove it.')
        behind = RunningBackground() if self.spec.background != "none" else None
        moments = ((time, picture, picture.shape[:2]) for time, picture in frames)
        return self._open(fit_pictures(moments, self.network), behind, linker=None, live=True)

    def propose(self, source: Path | str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Return an iterator over where the ball may be in each frame, see `Stream.propose`.

        Raises:
            InputError: the video cannot be read, or the network has no heatmaps to look at.
        """
        links(self.network, self.decode, self.sampling, asked=True)

        def look() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            with closing(self.stream(source)) as stream:
                yield from stream.propose()

        return look()

    def find_least_confidence(self, linker: Network | None) -> float:
        """Return the confidence from which something is taken for the ball on its own.

        Args:
            linker: the one that is used; None without.
        """
        if linker is not None:
            return 0.5
        return float(calibrate(self.threshold, self.spec.calibration))

    def repair(self, track: Track, size: tuple[int, int]) -> Track:
        """Reject what is not of the ball, and fill gaps if there is a rectifier, shot by shot.

        With `sampling="published"` or `decode="published"` nothing is rejected.

        Args:
            track: as detected, with its shots; without them it is taken for one shot.
            size: (height, width) of the source, pixels.
        """
        if self.sampling == "published":
            return self._repair_as_published(track, size)
        if self.decode != "published":
            track = reject_strays(track, size[0])
        shots = track.split_shots()
        if self.rectifier is not None:
            spec, gap = self.rectifier.spec, self.max_gap
            how: dict[str, Any] = {"window": spec.frames, "max_gap": gap, "hidden": spec.hidden}
            shots = [rectify_track(shot, self._rectify, size, **how) for shot in shots]
        return Track.join(shots)

    def _repair_as_published(self, track: Track, size: tuple[int, int]) -> Track:
        if self.rectifier is None:
            return track
        window = self.rectifier.spec.frames
        step = 1 if self.mode == "accurate" else window
        return rectify_published(track, self._rectify, size, window=window, step=step)

    def _rectify(self, coordinates: np.ndarray, mask: np.ndarray) -> np.ndarray:
        assert self.rectifier is not None
        return self.rectifier.run([np.asarray(a, np.float32) for a in (coordinates, mask)])

    def _open(
        self,
        pictures: Generator[Picture, None, None],
        background: Background | None,
        **settings: Any,
    ) -> Stream:
        """Open a stream of pictures with the tracker's settings and some of its own."""
        return Stream(
            pictures,
            self.network,
            self._decoder,
            step=self.step,
            background=background,
            stabilize=self.stabilize,
            published=self.sampling == "published",
            **settings,
        )

    def _estimate_background(self, frames: Iterable[np.ndarray]) -> Background | None:
        """Return the background of a video by a sample of its frames, if the network needs one."""
        if self.spec.background == "none":
            return None
        size, fit = self.network.frame_size, self.spec.fit
        picture = estimate_background(fit_frame(frame, size, fit) for frame in frames)
        return Background(picture) if self.sampling == "published" else VideoBackground(picture)


def _find_networks(weights: Any, rectifier: Any, linker: Any) -> tuple[Any, Any, Any]:
    """Replace names by the paths of model files."""
    own = weights if isinstance(weights, WeightsPaths) else WeightsPaths(weights)
    if isinstance(weights, str | Path):
        own = find_weights(weights)
    found = []
    for other, bundled in ((rectifier, own.rectifier), (linker, own.linker)):
        if isinstance(other, str) and other == BUNDLED:
            other = bundled
        elif isinstance(other, str | Path):
            other = find_weights(other).tracker
        found.append(other)
    return own.tracker, found[0], found[1]


def _open_network(
    weights: ModelFile | Network | Path, engine: str, device: str, how: dict[str, Any]
) -> Network:
    """Make a network ready to run unless it is."""
    if isinstance(weights, Network):
        return weights
    if isinstance(weights, ModelFile):  # loaded where Keras put it
        return open_network(weights, **how)
    return open_network(weights, engine=engine, device=device, **how)
