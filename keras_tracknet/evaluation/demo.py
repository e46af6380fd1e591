"""The demo: a rendered rally, tracked, and compared with where the shuttlecock really was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.frames.sizes import scale_positions
from keras_tracknet.inference.outputs import predict_video
from keras_tracknet.inference.places import OutputPaths
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.metrics import Counts, count_outcomes
from keras_tracknet.progress import Reporter
from keras_tracknet.synthetic import RallyConfig, write_rally
from keras_tracknet.tracks.files import read_track
from keras_tracknet.tracks.overlay import draw_overlay, write_overlay
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.images import write_image
from keras_tracknet.video.reader import read_frames

PICTURE_TRAIL = 24  # frames behind the ball in the demo's picture


@dataclass(frozen=True)
class DemoResult:
    """What the demo made and how good the track is.

    Attributes:
        video, truth, track, overlay, picture: files.
        counts: outcomes at 4 pixels at the model's size.
        summary: as of `predict_video`.
    """

    video: Path
    truth: Path
    track: Path
    overlay: Path
    picture: Path
    counts: Counts
    summary: dict[str, Any]


def run_demo(
    tracker: Tracker,
    folder: Path,
    *,
    seed: int,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> DemoResult:
    """Render a rally, track it and compare.

    Args:
        tracker: the tracker.
        folder: where everything goes.
        seed: which rally; the bundled weights have never seen those from 1,000,000 on.
        overwrite: whether to replace what is there.
        reporter: where progress goes.

    Raises:
        InputError: the folder holds a demo already, or cannot be written.
    """
    reporter = reporter or Reporter()
    paths = OutputPaths.inside(folder, ["csv"], overlay=False)
    paths.check_free(overwrite=overwrite)
    config = RallyConfig(seed=seed)
    with reporter.track("rendering a rally", config.frames, unit="frames") as advance:
        video = write_rally(config, folder)
        advance(config.frames)
    truth_file = video.with_suffix(".csv")
    truth = read_track(truth_file)
    summary = predict_video(tracker, video, paths, reporter=reporter)
    track = read_track(paths.tracks[0])
    overlay, picture = folder / "overlay.mp4", folder / "overlay.png"
    with reporter.track("drawing overlay", len(track), unit="frames") as advance:
        write_overlay(video, track, overlay, truth=truth, progress=lambda _done: advance(1))
    _write_picture(video, track, truth, picture)
    size = (summary["height"], summary["width"])
    real, found = (
        scale_positions(t.positions, size, tracker.spec.input_size) for t in (truth, track)
    )
    counts = count_outcomes(real, found)
    return DemoResult(video, truth_file, paths.tracks[0], overlay, picture, counts, summary)


def _write_picture(video: Path, track: Track, truth: Track, path: Path) -> None:
    """Write the frame behind which the track is longest."""
    steps = np.hypot(np.diff(track.x), np.diff(track.y))
    steps = np.convolve(np.nan_to_num(steps), np.ones(PICTURE_TRAIL), "valid")
    frame = int(steps.argmax()) + PICTURE_TRAIL
    for candidate in read_frames(video):
        if candidate.index == frame:
            drawn = draw_overlay(candidate.image, track, frame, trail=PICTURE_TRAIL, truth=truth)
            write_image(drawn, path)
            return
