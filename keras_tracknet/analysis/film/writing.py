"""Films written to files: the whole video, or its highlights, with the play drawn in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_tracknet.analysis.analysis import Analysis
from keras_tracknet.analysis.film.drawing import PlayDrawing
from keras_tracknet.analysis.film.parts import Part, Title, choose_parts, find_longest
from keras_tracknet.errors import InputError
from keras_tracknet.progress import Reporter
from keras_tracknet.video.animation import write_animation
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.folder import OVERLAY_COMMENT
from keras_tracknet.video.reader import DEFAULT_FPS, probe_video, read_frames
from keras_tracknet.video.writer import VideoWriter

TITLE_SECONDS = 2.5  # that a title stays in the picture
LONGEST_ANIMATION = 12.0  # seconds
EVERYTHING = Part(float("-inf"), float("inf"))


class Section(NamedTuple):
    """Frames of the video, first and one after the last, and when they are shown; titles."""

    first: int
    last: int
    start: float
    end: float
    titles: tuple[Title, ...]


def write_highlights(
    analysis: Analysis, video: Path, shown: np.ndarray, folder: Path, reporter: Reporter
) -> list[Path]:
    """Write the longest rallies and fastest shots as `highlights.mp4`, one rally as `rally.webp`.

    Args:
        analysis: of the video.
        video: a video, or a folder of images.
        shown: `(frames,)` seconds at which the video shows its pictures.
        folder: where the files go.
        reporter: where progress goes.

    Returns:
        The files; none if there is no rally.

    Raises:
        InputError: the video cannot be read or the files cannot be written.
    """
    times, parts = analysis.velocity.time, choose_parts(analysis)
    sections = [s for part in parts if (s := find_section(part, times, shown)) is not None]
    rally = find_longest(analysis)
    if not sections or rally is None:
        reporter.warn("no rally was found, so there are no highlights.")
        return []
    files = [folder / "highlights.mp4", folder / "rally.webp"]
    begin = max(rally.start, rally.end - LONGEST_ANIMATION)
    clip = find_section(Part(begin, rally.end), times, shown)
    total = sum(section.last - section.first for section in sections)
    with (
        reporter.track("writing highlights", total, unit="frames") as advance,
        write_animation(files[1], analysis.size, _measure_rate(shown)) as animation,
    ):

        def keep(frame: int, time: float, picture: np.ndarray) -> None:
            advance()
            if clip is not None and clip.first <= frame < clip.last:
                animation.write(picture, time - clip.start)

        write_film(analysis, video, files[0], sections, keep)
    return files


def write_play(
    analysis: Analysis, video: Path, shown: np.ndarray, path: Path, reporter: Reporter
) -> None:
    """Write a copy of a video with its play drawn in; timestamps and sound stay.

    Raises:
        InputError: the video cannot be read or the file cannot be written.
    """
    section = find_section(EVERYTHING, analysis.velocity.time, shown)
    if section is None:
        raise InputError(f"{video}: has no frames to draw on.")
    with reporter.track("drawing overlay", section.last, unit="frames") as advance:
        write_film(analysis, video, path, [section], lambda *_: advance(), whole=True)


def find_section(part: Part, times: np.ndarray, shown: np.ndarray) -> Section | None:
    """Return the frames of a part; None if it has none.

    Args:
        part: seconds of the analysis.
        times: `(frames,)` seconds of the analysis.
        shown: `(frames,)` seconds of the video.
    """
    times = times[: len(shown)]
    first, last = np.searchsorted(times, [part.start, part.end]).tolist()
    if last <= first:
        return None
    end = float(shown[last - 1]) + 1 / _measure_rate(shown)
    return Section(first, last, float(shown[first]), end, part.titles)


def _measure_rate(shown: np.ndarray) -> float:
    return 1 / float(np.median(np.diff(shown))) if len(shown) > 1 else float(DEFAULT_FPS)


def write_film(
    analysis: Analysis,
    video: Path,
    path: Path,
    sections: Sequence[Section],
    watch: Callable[[int, float, np.ndarray], None],
    *,
    whole: bool = False,
) -> None:
    """Write sections of a video one after the other, with the play drawn in and their sound.

    Args:
        analysis: of the video.
        video: a video, or a folder of images.
        path: mp4 file to create.
        sections: in the order of time; they do not overlap.
        watch: is told each frame's index and time in the video, and its picture, before the next.
        whole: whether the one section is the whole video, whose sound is copied as it is.

    Raises:
        InputError: the video cannot be read or the file cannot be written.
    """
    info, drawing = probe_video(video), PlayDrawing(analysis)
    if path.exists() and path.samefile(video):
        raise InputError(f"{path}: is the source video itself; choose another path.")
    writer = VideoWriter(
        path,
        size=(info.height, info.width),
        fps=info.fps,
        audio_from=video if info.has_audio else None,
        audio_parts=None if whole else [(s.start, s.end) for s in sections],
        comment=OVERLAY_COMMENT,
    )
    waiting, written = list(sections), 0.0
    with writer, contextlib.closing(read_frames(video, Damage())) as frames:
        for frame in frames:
            if frame.index >= waiting[0].last:
                written += waiting[0].end - waiting[0].start
                waiting.pop(0)
                if not waiting:
                    break
            section = waiting[0]
            if frame.index < section.first:
                continue
            picture, time = frame.image.copy(), float(analysis.velocity.time[frame.index])
            titles = [text for t, text in section.titles if t <= time < t + TITLE_SECONDS]
            drawing.draw(picture, frame.index, titles)
            writer.write(picture, frame.time if whole else written + frame.time - section.start)
            watch(frame.index, frame.time, picture)
