"""Footage: what is known of the video that a track belongs to, and when its frames were shown."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.progress import Reporter
from keras_tracknet.tracks.summary import find_summary
from keras_tracknet.tracks.timestamps import mend_times
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.images import show_size
from keras_tracknet.video.media import find_namesakes
from keras_tracknet.video.reader import probe_video, read_frames
from keras_tracknet.video.shots import split_shots

USUAL_SIZES = ((360, 640), (720, 1280), (1080, 1920), (1440, 2560), (2160, 3840))
WIDEST = 100_000  # pixels of a picture's side
MARGIN = 4.5  # pixels beyond the picture at which a position still counts
MOST_BEYOND = 0.05  # share of the positions; with more the track is of another picture
MOST_AFTER = 0.01  # share of the frames that a track may go on for after the video's last
STEPS = (1e-4, 1.0)  # seconds from one frame to the next that can be
PACE = 1.05  # ratio of two frame rates that are not the same


@dataclass(frozen=True)
class Footage:
    """What is known of the video that a track belongs to.

    Attributes:
        size: (height, width) in pixels; None when unknown.
        fps: frames per second; None when unknown.
        source: what says so, a file's name.
        video: None where it is not there.
        capture_fps: frames per second that the camera took, of a slow-motion video.
        images: whether the track was made from images, which have no times: its own are made up.
        weights: name of the weights that made the track; empty when unknown.
    """

    size: tuple[int, int] | None = None
    fps: float | None = None
    source: str = ""
    video: Path | None = None
    capture_fps: float | None = None
    images: bool = False
    weights: str = ""


@dataclass(frozen=True)
class TimeBase:
    """When the frames of a track were shown.

    Attributes:
        times: `(frames,)` seconds, strictly ascending.
        name: where they are from, in words.
    """

    times: np.ndarray
    name: str


def find_footage(track_file: Path, video: Path | None) -> Footage:
    """Find the video of a track, or what `summary.json` beside the track says about it.

    Without being told, the video is that which the summary names, or the one beside the track that
    has its name.

    Raises:
        InputError: a video is found and cannot be read.
    """
    summary, source = find_summary(track_file)
    named, made_by = summary.get("source"), summary.get("weights")
    # The name of the file: badminton-v3 of .../badminton-v3.int8.xml.
    weights = re.split(r"[\\/]", made_by)[-1].split(".")[0] if isinstance(made_by, str) else ""
    known = [Path(named)] if isinstance(named, str) and named else []
    images = any(_is(Path.is_dir, path) for path in known)
    if video is None:
        candidates = [*known, *find_namesakes(track_file)]
        video = next((path for path in candidates if _is(Path.is_file, path)), None)
    if video is not None:
        info = probe_video(video)
        fps = None if info.codec == "images" else float(info.fps)
        shown = (info.height, info.width)
        return Footage(shown, fps, video.name, video, info.capture_fps, images, weights)
    height, width = summary.get("height"), summary.get("width")
    size = (height, width) if _is_side(height) and _is_side(width) else None
    rate = None if images else _read_rate(summary.get("fps"))
    return Footage(size, rate, source, images=images, weights=weights)


def guess_size(track: Track) -> tuple[int, int]:
    """Return the usual (height, width) in pixels that holds all positions of a track."""
    far = np.nanmax(track.positions, axis=0) if track.visibility.any() else np.zeros(2)
    for size in USUAL_SIZES:
        if far[1] <= size[0] and far[0] <= size[1]:
            return size
    return int(far[1]) + 1, int(far[0]) + 1


def watch_video(video: Path, frames: int, reporter: Reporter) -> tuple[np.ndarray, np.ndarray]:
    """Look through a video for the times of its pictures, and for cuts to another camera.

    Args:
        video: a video, or a folder of images.
        frames: how many there are about.
        reporter: where progress goes.

    Returns:
        Seconds of every picture, and the first picture after every cut.
    """
    times: list[float] = []
    firsts = []
    with (
        reporter.track("looking for cuts", frames, unit="frames") as advance,
        contextlib.closing(read_frames(video, Damage())) as pictures,
    ):
        for first, shot in split_shots(pictures, lambda frame: frame.image):
            firsts.append(first)
            for frame in shot:
                times.append(frame.time)
                advance()
    return np.array(times), np.array(firsts[1:], dtype=np.intp)


def fit_to_picture(track: Track, size: tuple[int, int], reporter: Reporter) -> Track:
    """Return the track without positions beyond the picture.

    Args:
        track: pixels of the source video.
        size: (height, width) of the picture, pixels.
        reporter: is told of them.

    Raises:
        InputError: they are too many; the track was made on another picture.
    """
    height, width = size
    with np.errstate(invalid="ignore"):
        over = np.maximum(track.x - (width - 1), track.y - (height - 1))
        beyond = np.maximum(over, -np.minimum(track.x, track.y)) > MARGIN
    number, seen = int(beyond.sum()), int(track.visibility.sum())
    if not number:
        return track
    first = int(beyond.argmax())
    place = f"{track.x[first]:.0f},{track.y[first]:.0f} in frame {first}"
    said = (
        f"{number} of {seen} positions are outside the picture of {show_size(size)} pixels, such as"
    )
    if number > max(MOST_BEYOND * seen, 1):
        raise InputError(
            f"{said} {place}: the track belongs to a video of another size; give that `video`."
        )
    reporter.warn(f"{said} {place}: they are skipped.")
    return replace(track, x=np.where(beyond, np.nan, track.x), y=np.where(beyond, np.nan, track.y))


def fit_to_video(track: Track, frames: int | None, reporter: Reporter) -> Track:
    """Return the track with its frames counted as those of the video.

    Args:
        track: whose frames may be counted from 1, or go on after the video's last.
        frames: of the video; None when unknown.
        reporter: is told what was changed, or may be wrong.

    Raises:
        InputError: the track has many more frames than the video.
    """
    extra = len(track) - (frames or len(track))
    from_one = not track.labelled[0] and track.labelled[1:].all()
    if -extra > max(MOST_AFTER * len(track), 2):
        reporter.warn(
            f"the track has {len(track)} frames, but the video has {frames}: the rest is unknown."
            " If the track covers only some of the frames, its times are wrong."
        )
    if extra <= 0:
        if from_one:
            reporter.warn(
                "the track starts with frame 1, but frames are counted from 0: if it counts from"
                " 1, every position is one frame late; subtract 1 from its frame numbers."
            )
        return track
    if extra == 1 and not track.labelled[0]:
        reporter.warn(f"the track counts frames from 1 to {frames}: it is read as counting from 0.")
        return track.cut(1, len(track))
    if extra > max(MOST_AFTER * len(track), 2):
        raise InputError(
            f"the track has {len(track)} frames, but the video has {frames}: it belongs to another"
            " video; give that `video`."
        )
    reporter.warn(f"{extra} rows after the last frame of the video are skipped.")
    return track.cut(0, len(track) - extra)


def choose_times(
    track: Track,
    footage: Footage,
    reporter: Reporter,
    *,
    fps: float | None = None,
    video_times: np.ndarray | None = None,
) -> TimeBase:
    """Say when each frame of a track was shown.

    By `fps` if given, else by the track's own times, by those of the video's pictures, or by the
    frame rate that `summary.json` tells.

    Args:
        track: whose frames are those of the video.
        footage: what is known of it.
        reporter: is told what was mended, or may be wrong.
        fps: frames per second.
        video_times: `(pictures,)` seconds; of images in a folder they do not count.

    Raises:
        InputError: nothing says how fast the frames follow each other.
    """
    frames = np.arange(len(track))
    if fps is not None:
        return TimeBase(frames / fps, f"{fps:g} frames per second, as given")
    _tell_slow_motion(footage, reporter)
    found = None if footage.images else mend_times(track.time)
    if found is not None:
        times, mended = found
        _check_pace(times, footage, reporter)
        if mended:
            reporter.warn(
                f"{mended} of {len(track)} timestamps of the track are invalid or do not increase;"
                " they are interpolated from their neighbours."
            )
        return TimeBase(times, "timestamps of the track")
    filled = None
    if video_times is not None and footage.fps is not None:
        filled = mend_times(video_times)
    if filled is not None and len(filled[0]) >= len(track):
        return TimeBase(filled[0][: len(track)], f"timestamps of {footage.source}")
    if footage.fps is not None:
        return TimeBase(
            frames / footage.fps, f"{footage.fps:g} frames per second, from {footage.source}"
        )
    raise InputError(
        "the frame rate of the track is"
        f" unknown{' (images have no timestamps)' if footage.images else ''}; set `fps`, or give"
        " its `video`."
    )


def measure_rate(times: np.ndarray) -> float:
    """Return the usual number of frames per second; NaN of a single one."""
    return 1 / float(np.median(np.diff(times))) if len(times) > 1 else np.nan


def _tell_slow_motion(footage: Footage, reporter: Reporter) -> None:
    if footage.capture_fps and footage.fps and footage.capture_fps > PACE * footage.fps:
        reporter.warn(
            f"{footage.source} is slow motion: recorded at {footage.capture_fps:g} frames per"
            f" second, played at {footage.fps:g}; for real speeds set"
            f" `fps={footage.capture_fps:g}`."
        )


def _check_pace(times: np.ndarray, footage: Footage, reporter: Reporter) -> None:
    rate = measure_rate(times)
    if np.isnan(rate):
        return
    if not STEPS[0] <= 1 / rate <= STEPS[1]:
        raise InputError(
            f"the times of the track advance by {1 / rate:.4g} per frame, but are read as seconds;"
            " write them in seconds, or set `fps`."
        )
    if footage.fps and not 1 / PACE < rate / footage.fps < PACE:
        reporter.warn(
            f"the times of the track correspond to {rate:.4g} frames per second, but"
            f" {footage.source} has {footage.fps:.4g}; the times of the track are used,"
            " set `fps` to override them."
        )


def _is(kind: Callable[[Path], bool], path: Path) -> bool:
    """Whether there is such a path, which may be no path at all."""
    with contextlib.suppress(OSError, ValueError):
        return kind(path)
    return False


def _is_side(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and 1 <= value <= WIDEST


def _read_rate(value: object) -> float | None:
    """Return a frame rate written as 30, 29.97 or 30000/1001; None where it is none."""
    numerator, _, denominator = str(value).partition("/")
    with contextlib.suppress(ValueError, ZeroDivisionError):
        rate = float(numerator) / float(denominator or 1)
        if STEPS[0] <= 1 / rate <= STEPS[1]:
            return rate
    return None
