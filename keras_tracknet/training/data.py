"""The batches of a training run: clips found, decoded, and cut into windows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.datasets.checks import list_warnings
from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.dataset import find_labelled_clips, read_labels
from keras_tracknet.datasets.splits import split_clips
from keras_tracknet.errors import InputError
from keras_tracknet.frames.sizes import scale_positions
from keras_tracknet.inference.candidates import as_candidates
from keras_tracknet.inference.linking import find_spacing
from keras_tracknet.progress import Reporter
from keras_tracknet.synthetic import name_rallies, write_rallies
from keras_tracknet.tracks.candidate_files import read_candidates
from keras_tracknet.tracks.files import read_track
from keras_tracknet.tracks.track import Track
from keras_tracknet.training.batches.cache import FrameCache, read_clips
from keras_tracknet.training.batches.candidate_batches import CandidateBatches, LinkedClip
from keras_tracknet.training.batches.feed import Batches
from keras_tracknet.training.batches.trajectory_batches import Trajectory, TrajectoryBatches
from keras_tracknet.training.batches.window_batches import (
    LabelledFrames,
    WindowBatches,
    WindowConfig,
)
from keras_tracknet.training.classifier.data import load_clip_batches
from keras_tracknet.training.config import FitConfig
from keras_tracknet.video.info import VideoInfo
from keras_tracknet.video.media import estimate_frames
from keras_tracknet.video.reader import probe_video
from keras_tracknet.weights.spec import CANDIDATES, TRACK_VERSIONS

RENDERED_RALLIES = 24
RENDERED_SIZE = (720, 1280)  # (height, width), as broadcasts are
VALIDATION_BATCH = 4  # windows of whole pictures that a device takes at once, at most


@dataclass(frozen=True)
class FitData:
    """What a run trains and validates on.

    Attributes:
        training, validation: batches.
        clips: names of the clips that train and that validate.
        digest: tells clips and labels from others, so that a run goes on with its own.
    """

    training: Batches
    validation: Batches
    clips: tuple[tuple[str, ...], tuple[str, ...]]
    digest: str


def load_fit_data(config: FitConfig, reporter: Reporter, devices: int = 1) -> FitData:
    """Find a run's labelled clips, decode them into the cache and cut them into batches.

    Args:
        config: which data, and what becomes of it.
        reporter: where progress and notes go.
        devices: number of those that share a batch.

    Raises:
        InputError: no usable data.
    """
    train, validation = _find_clips(config, reporter)
    training: Batches
    validating: Batches
    if config.version in TRACK_VERSIONS:
        training, validating = _track_batches(config, train, validation)
    elif config.version == "tsm":
        training, validating = load_clip_batches(config, train, validation, reporter)
    else:
        training, validating = _window_batches(
            config, train, validation, reporter, VALIDATION_BATCH * devices
        )
    names = tuple(clip.name for clip in train), tuple(clip.name for clip in validation)
    digest = hashlib.sha256(repr((names, training.windows, validating.windows)).encode())
    for clip in (*train, *validation):
        table = clip.table
        for column in (table.frame, table.visibility, table.x, table.y):
            digest.update(column.tobytes())
    return FitData(training, validating, names, digest.hexdigest())


def load_clip(clip: Clip, frames: Any, size: tuple[int, int]) -> LabelledFrames:
    """Return a clip's cached frames with its labels in pixels at the model's size.

    Args:
        clip: where the labels are.
        frames: the clip's `CachedFrames`.
        size: (height, width) of the cached frames, pixels.
    """
    track = read_labels(clip, size=frames.source_size, frames=len(frames.frames))
    positions = scale_positions(track.positions, frames.source_size, size)
    return LabelledFrames(frames.frames, frames.background, positions, track.labelled)


def _find_clips(config: FitConfig, reporter: Reporter) -> tuple[Sequence[Clip], Sequence[Clip]]:
    if config.data is None:
        root = FrameCache().folder / "rendered" / name_rallies(RENDERED_RALLIES, RENDERED_SIZE)
        with reporter.track("rendering rallies", total=RENDERED_RALLIES, unit="clips") as advance:
            write_rallies(
                root,
                RENDERED_RALLIES,
                size=RENDERED_SIZE,
                progress=lambda _done, _count: advance(1),
            )
    else:
        root = Path(config.data)
    dataset = find_labelled_clips(root, visible=config.visible)
    train, validation = split_clips(
        dataset, config.validation or None, train=config.training or None, seed=config.seed
    )
    for warning in list_warnings(dataset, [*train, *(c for c in validation if c not in train)]):
        reporter.warn(warning)
    if set(c.name for c in train) == set(c.name for c in validation):
        reporter.note(f"{root}: only one clip found; it is used for both training and validation.")
    return train, validation


def _window_batches(
    config: FitConfig,
    train: Sequence[Clip],
    validation: Sequence[Clip],
    reporter: Reporter,
    most: int,
) -> tuple[WindowBatches, WindowBatches]:
    spec = config.spec
    clips = [*train, *(clip for clip in validation if clip not in train)]
    cached = read_clips(clips, spec.input_size, reporter)
    loaded = {
        clip.name: load_clip(clip, frames, spec.input_size)
        for clip, frames in zip(clips, cached, strict=True)
    }
    target = "classes" if config.version == "v1" else config.target
    window = WindowConfig(
        spec.frames, spec.heatmaps, spec.background, target, stabilized=spec.stabilized
    )
    try:
        return (
            WindowBatches(
                [loaded[clip.name] for clip in train],
                window,
                batch_size=config.batch_size,
                augmentation=config.augmentation,
                mixup=config.mixup,
                frame_mixup=config.frame_mixup,
                seed=config.seed,
                windows=config.windows,
                groups=[c.name.partition("/")[0] for c in train] if config.balance else None,
            ),
            WindowBatches(
                [loaded[clip.name] for clip in validation],
                window,
                batch_size=min(config.batch_size, most),
                training=False,
            ),
        )
    except ValueError as error:
        raise InputError(f"{config.data}: {error}") from error


def _track_batches(
    config: FitConfig, train: Sequence[Clip], validation: Sequence[Clip]
) -> tuple[Batches, Batches]:
    """Return the batches of a network that sees tracks: a rectifier or a linker."""

    def batches(clips: Sequence[Clip], training: bool) -> Batches:
        common: dict[str, Any] = {
            "window": config.spec.frames,
            "batch_size": config.batch_size,
            "training": training,
            "seed": config.seed,
        }
        if config.version == "linker":
            linked = [_load_candidates(config, clip) for clip in clips]
            return CandidateBatches(linked, skip=config.skip, **common)
        trajectories = [_load_trajectory(config, clip) for clip in clips]
        return TrajectoryBatches(trajectories, hidden=config.hidden, **common)

    try:
        return batches(train, True), batches(validation, False)
    except ValueError as error:
        raise InputError(f"{config.data}: {error}") from error


def _load_candidates(config: FitConfig, clip: Clip) -> LinkedClip:
    if config.tracks is None:
        raise InputError(
            "the linker is trained on candidates; write them with tracknet evaluate --candidates"
            " and give their folder as `tracks`."
        )
    labels, video = _load_labels(clip)
    size = (video.height, video.width)
    path = Path(config.tracks) / f"{clip.name}.csv"
    places, heat = read_candidates(path, len(labels), CANDIDATES)
    ball = as_candidates(labels.positions[:, None], np.ones((len(labels), 1)), size)
    candidates = as_candidates(places, heat, size)
    linked = LinkedClip.from_labels(candidates, ball[:, 0, :2], labels.labelled)
    return linked.space_out(find_spacing(float(video.fps)))


def _load_trajectory(config: FitConfig, clip: Clip) -> Trajectory:
    labels, video = _load_labels(clip)
    size = np.array([video.width, video.height], dtype=np.float64)
    labelled = labels.positions / size
    if config.tracks is None:
        return Trajectory(labelled, labelled)
    track = read_track(Path(config.tracks) / f"{clip.name}.csv").resized(len(labels))
    return Trajectory(track.positions / size, labelled)


def _load_labels(clip: Clip) -> tuple[Track, VideoInfo]:
    """Return a clip's labels, and what its video is like."""
    video = probe_video(clip.source)
    size = (video.height, video.width)
    return read_labels(clip, size=size, frames=estimate_frames(video)), video
