"""Lessons: the frames that a person corrected, cut out of their videos for training and testing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.frames.background import BACKGROUND_FRAMES, estimate_background
from keras_tracknet.frames.sizes import fit_frame, scale_positions
from keras_tracknet.studio.frames import Pictures, find_frames
from keras_tracknet.studio.labels import LabelFile
from keras_tracknet.tracks.files import read_track
from keras_tracknet.tracks.track import Track
from keras_tracknet.training.batches.window_batches import LabelledFrames
from keras_tracknet.video.reader import sample_frames
from keras_tracknet.weights.spec import ModelSpec

LEAST_LABELS = 5
HELD_BACK = 5  # every fifth group of corrected frames is held back
GROUP = 8  # frames of a group, at most: neighbours look alike
TRUSTED = 0.9  # confidence from which the network's own word is kept in mind


@dataclass(frozen=True)
class Lesson:
    """A video and what a person has said of it.

    Attributes:
        path: the video.
        labels: a row for every frame, unlabelled where nobody said anything.
        held: `(frames,)` bool, labelled frames that are held back from training.
        track: the network's own track, None where there is none.
    """

    path: Path
    labels: Track
    held: np.ndarray
    track: Track | None


def read_lessons(
    videos: Sequence[tuple[Path, Path]], tracks: Sequence[Path], hold_back: bool
) -> list[Lesson]:
    """Return what a person has said of videos, with some of it held back.

    Args:
        videos: each video and its label file.
        tracks: the network's own track of each; there need be none.
        hold_back: whether to hold frames back.

    Raises:
        InputError: too few frames are labelled.
    """
    lessons = []
    number = 0
    for place, (path, label_path) in enumerate(videos):
        file = LabelFile(label_path, label_path)  # stretches are in the track, see below
        track_file = tracks[place] if place < len(tracks) else None
        track = None
        if track_file is not None:
            file = LabelFile(label_path, track_file.with_name("reviewed.json"))
            track = read_track(track_file) if track_file.is_file() else None
        frames = len(find_frames(path).pts) if track is None else len(track)
        labels = file.as_track(frames, track)
        held = np.zeros(frames, bool)
        for group in list_groups(labels.labelled):
            if hold_back and number % HELD_BACK == HELD_BACK // 2:
                held[group] = True
            number += 1
        if labels.labelled.any():
            lessons.append(Lesson(path, labels, held, track))
    count = sum(int(lesson.labels.labelled.sum()) for lesson in lessons)
    if count < LEAST_LABELS:
        raise InputError(f"only {count} frames are labelled; correct at least {LEAST_LABELS}.")
    return lessons


def list_groups(labelled: np.ndarray) -> Iterator[np.ndarray]:
    """Yield labelled frames in groups of neighbours."""
    frames = np.flatnonzero(labelled)
    first = 0
    for place in range(1, len(frames) + 1):
        ends = place == len(frames) or frames[place] - frames[place - 1] > GROUP // 2
        if ends or place - first >= GROUP:
            yield frames[first:place]
            first = place


@dataclass(frozen=True)
class Cut:
    """Frames of a video at the model's size.

    Attributes:
        lesson: the video.
        first: number of its first frame.
        frames, background: as of `LabelledFrames`.
        size: (height, width) of the video, pixels.
    """

    lesson: Lesson
    first: int
    frames: np.ndarray
    background: np.ndarray
    size: tuple[int, int]

    @property
    def part(self) -> slice:
        """Its frames in the video."""
        return slice(self.first, self.first + len(self.frames))


def _cut(lesson: Lesson, wanted: np.ndarray, spec: ModelSpec) -> list[Cut]:
    """Return the frames around those that are wanted, as far as a window reaches."""
    around = np.zeros(len(wanted), bool)
    for frame in np.flatnonzero(wanted).tolist():
        around[max(0, frame - spec.frames + 1) : frame + spec.frames] = True
    sample = list(sample_frames(lesson.path, BACKGROUND_FRAMES))
    size = sample[0].image.shape[:2]
    behind = estimate_background(fit_frame(f.image, spec.input_size, spec.fit) for f in sample)
    cuts = []
    index = find_frames(lesson.path, frames=len(wanted))
    with Pictures(lesson.path, index) as pictures:
        for run in _list_runs(around):
            frames = [fit_frame(pictures.read(n), spec.input_size, spec.fit) for n in run]
            cuts.append(Cut(lesson, run[0], np.stack(frames), behind, size))
    return cuts


def _list_runs(there: np.ndarray) -> list[list[int]]:
    frames = np.flatnonzero(there)
    parts = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    return [part.tolist() for part in parts if len(part)]


def cut_clips(lesson: Lesson, spec: ModelSpec) -> list[LabelledFrames]:
    """Return what trains: corrected frames, and around them what the network is sure of."""
    labels, track = lesson.labels, lesson.track
    known = labels.labelled & ~lesson.held
    positions, taught = labels.positions.copy(), known.copy()
    if track is not None:
        sure = track.visibility & (track.confidence >= TRUSTED) & ~labels.labelled
        positions[sure], taught[sure] = track.positions[sure], True
    clips = []
    for cut in _cut(lesson, known, spec):
        places = scale_positions(positions[cut.part], cut.size, spec.input_size)
        clips.append(LabelledFrames(cut.frames, cut.background, places, taught[cut.part]))
    return clips


def cut_tests(lesson: Lesson, spec: ModelSpec) -> list[Cut]:
    """Return the frames around those that are held back."""
    return _cut(lesson, lesson.held, spec) if lesson.held.any() else []
