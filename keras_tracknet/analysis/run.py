"""An analysis from a track file to its folder: tables, report, and a clip for each rally."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_tracknet.analysis.analysis import Analysis, analyze_track
from keras_tracknet.analysis.court.calibration import Court
from keras_tracknet.analysis.film.writing import write_highlights, write_play
from keras_tracknet.analysis.footage import (
    Footage,
    choose_times,
    find_footage,
    fit_to_picture,
    fit_to_video,
    guess_size,
    measure_rate,
    watch_video,
)
from keras_tracknet.analysis.report.page import Heading, write_report
from keras_tracknet.analysis.tables import write_tables
from keras_tracknet.datasets.formats.recognise import read_label_file, recognise_format
from keras_tracknet.errors import InputError
from keras_tracknet.files import check_free
from keras_tracknet.progress import Reporter
from keras_tracknet.sports import Sport
from keras_tracknet.tracks.files import read_track
from keras_tracknet.tracks.tables import OtherTableError
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.cutting import cut_clip
from keras_tracknet.video.images import show_size
from keras_tracknet.video.media import open_media

RESULTS = ("events.csv", "rallies.csv", "speed.csv", "report.html")
CLIPS = "clips"
FILMS = ("overlay.mp4", "highlights.mp4", "rally.webp")
LEAD, TAIL = 1.0, 1.0  # seconds that a clip begins before its rally and goes on after it


def run_analysis(
    track_file: Path,
    folder: Path,
    sport: Sport,
    *,
    court: Court | None = None,
    video: Path | None = None,
    fps: float | None = None,
    clips: bool = False,
    overlay: bool = False,
    highlights: bool = False,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Analyse a track and write the results.

    Args:
        track_file: a track, or labels.
        folder: where the results go; what is there is replaced.
        sport: what is played.
        court: for places in metres.
        video: that the track belongs to; found as `find_footage` does when omitted.
        fps: frames per second, instead of what the track or the video says.
        clips: whether to cut each rally into a file of its own.
        overlay: whether to write the video with events, speeds and a small court drawn in.
        highlights: whether to write a film of the longest rallies and fastest shots.
        reporter: where progress goes.

    Returns:
        Counts, and the files that were written.

    Raises:
        InputError: the track or video cannot be read, a film is asked for without a video, or
            the folder cannot be written.
    """
    reporter = reporter or Reporter()
    footage = find_footage(track_file, video)
    track = _read_positions(track_file, footage)
    if (clips or overlay or highlights) and footage.video is None:
        what = "clips" if clips else "highlights" if highlights else "overlays"
        raise InputError(f"{track_file}: {what} are made from the video; give the `video`.")
    if not len(track):
        raise InputError(f"{track_file}: contains no rows; track the video again.")
    size = footage.size or (court.size if court is not None else guess_size(track))
    if footage.size is None:
        source = (
            "as in the court file" if court is not None else "give the `video` if this is wrong"
        )
        reporter.note(f"no video found: picture size is assumed to be {show_size(size)}; {source}.")
    try:
        placed = _place_track(track, size, footage, fps, reporter)
    except InputError as error:
        raise InputError(f"{track_file}: {error}") from error
    track = placed.track
    reporter.note(f"time base: {placed.base}")
    seen = int(track.visibility.sum())
    with reporter.track("finding events", seen, unit="positions") as advance:
        analysis = analyze_track(
            track, size, sport, court=court, cuts=placed.cuts, progress=advance
        )
    files, films = [], []
    if footage.video is not None:
        if clips:
            files = _cut_rallies(analysis, footage.video, placed.shown, folder / CLIPS, reporter)
        if highlights:
            films = write_highlights(analysis, footage.video, placed.shown, folder, reporter)
        if overlay:
            films.append(folder / FILMS[0])
            write_play(analysis, footage.video, placed.shown, films[-1], reporter)
    write_tables(analysis, folder, clips=files)
    with reporter.track("writing the report", 1, unit="pages") as advance:
        heading = Heading((footage.video or track_file).stem, footage.weights, placed.base)
        write_report(
            analysis,
            folder / "report.html",
            heading,
            video=footage.video,
            shown=placed.shown,
        )
        advance()
    kinds = [event.kind for event in analysis.found.events]
    return {
        "command": "analyze",
        "track": str(track_file.resolve()),
        "video": str(footage.video.resolve()) if footage.video else None,
        "sport": sport.name,
        "time_base": placed.base,
        "frames_per_second": round(measure_rate(track.time), 3) if len(track) > 1 else None,
        "rallies": len(analysis.rallies),
        **{f"{kind}s": kinds.count(kind) for kind in sorted(set(kinds))},
        "position_error_pixels": round(analysis.found.error, 2),
        "files": [str((folder / name).resolve()) for name in RESULTS],
        "clips": [str(path.resolve()) for path in files],
        "films": [str(path.resolve()) for path in films],
    }


def check_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Raise `InputError` where the results of an analysis are already, unless replaceable."""
    check_free((folder / name for name in (*RESULTS, CLIPS, *FILMS)), overwrite=overwrite)


class _Placed(NamedTuple):
    """A track on the frames of its video.

    `track` has times; `base` says in words where they are from; `cuts` are seconds, too; `shown`
    is when the video shows its pictures by its own timestamps.
    """

    track: Track
    base: str
    cuts: np.ndarray
    shown: np.ndarray


def _place_track(
    track: Track,
    size: tuple[int, int],
    footage: Footage,
    fps: float | None,
    reporter: Reporter,
) -> _Placed:
    track = fit_to_picture(track, size, reporter)
    shown, firsts = np.zeros(0), np.zeros(0, dtype=np.intp)
    if footage.video is not None:
        shown, firsts = watch_video(footage.video, len(track), reporter)
    track = fit_to_video(track, len(shown) or None, reporter)
    if not np.isfinite(track.time).any():
        track = track.resized(max(len(shown), len(track)))
    base = choose_times(track, footage, reporter, fps=fps, video_times=shown)
    firsts = firsts[firsts < len(track)]
    cuts = (base.times[firsts - 1] + base.times[firsts]) / 2
    return _Placed(replace(track, time=base.times), base.name, cuts, shown)


def _read_positions(track_file: Path, footage: Footage) -> Track:
    """Read a track, or labels in any of their units."""
    try:
        return read_track(track_file)
    except OtherTableError:
        if footage.video is None or footage.size is None or not recognise_format(track_file):
            raise
        table = read_label_file(track_file, open_media(footage.video))
        for warning in table.warnings:
            warnings.warn(f"{track_file}: {warning}.", stacklevel=2)
        return table.track(footage.size)


def _cut_rallies(
    analysis: Analysis, video: Path, shown: np.ndarray, folder: Path, reporter: Reporter
) -> list[Path]:
    """Cut a clip of each rally, at the moments that the video shows its frames."""
    paths = []
    times = analysis.velocity.time[: len(shown)]
    with reporter.track("cutting clips", len(analysis.rallies), unit="clips") as advance:
        for rally in analysis.rallies:
            path = folder / f"rally-{rally.number:03d}.mp4"
            start, end = np.interp((rally.start, rally.end), times, shown[: len(times)]).tolist()
            cut_clip(video, path, max(start - LEAD, 0.0), end + TAIL)
            paths.append(path)
            advance()
    return paths
