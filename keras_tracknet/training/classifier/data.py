"""Labelled clips as a classifier takes them: frames, and what happens in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.dataset import read_labels
from keras_tracknet.errors import InputError
from keras_tracknet.progress import Reporter
from keras_tracknet.training.batches.cache import CachedFrames, read_clips
from keras_tracknet.training.classifier.clip_batches import ClassifiedFrames, ClipBatches
from keras_tracknet.training.classifier.clip_classes import label_play
from keras_tracknet.training.config import FitConfig


def load_clip_batches(
    config: FitConfig, train: Sequence[Clip], validation: Sequence[Clip], reporter: Reporter
) -> tuple[ClipBatches, ClipBatches]:
    """Return the batches that a classifier trains and validates on.

    Args:
        config: of the run.
        train, validation: the clips.
        reporter: where progress and notes go.

    Raises:
        InputError: a clip cannot be read, or no window has a class.
    """
    spec = config.spec

    def batches(clips: Sequence[Clip], **settings: Any) -> ClipBatches:
        cached = read_clips(clips, spec.input_size, reporter)
        loaded = [load_classified(c, f, spec.span) for c, f in zip(clips, cached, strict=True)]
        made = ClipBatches(loaded, spec.frames, batch_size=config.batch_size, **settings)
        reporter.note(f"windows: {made.describe()}")
        return made

    try:
        return (
            batches(
                train,
                augmentation=config.augmentation,
                seed=config.seed,
                windows=config.windows,
            ),
            batches(validation, training=False),
        )
    except ValueError as error:
        raise InputError(f"{config.data}: {error}") from error


def load_classified(clip: Clip, frames: CachedFrames, span: float) -> ClassifiedFrames:
    """Return a clip's cached frames with what happens in them.

    Args:
        clip: where the labels are.
        frames: of the clip.
        span: seconds that a window lasts.
    """
    track = read_labels(clip, size=frames.source_size, frames=len(frames))
    fps = float(frames.fps)
    play = label_play(track.positions / frames.source_size[0], track.labelled, fps)
    return ClassifiedFrames(frames.frames, play, max(1, round(span * fps)))
