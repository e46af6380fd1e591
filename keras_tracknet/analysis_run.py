"""An analysis from a track file to its folder: tables, report, and a clip for each rally."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.analysis import Analysis, analyze_track, write_tables
from keras_tracknet.courts import Court
from keras_tracknet.data.shots import split_shots
from keras_tracknet.errors import InputError
from keras_tracknet.io.clips import cut_clip
from keras_tracknet.io.formats.recognise import read_label_file, recognise_format
from keras_tracknet.io.media import VIDEO_SUFFIXES, open_media
from keras_tracknet.io.tracks import Track, read_track
from keras_tracknet.io.video import VideoInfo, probe_video, read_frames
from keras_tracknet.report import write_report
from keras_tracknet.reporting import Reporter
from keras_tracknet.sports import Sport

RESULTS = ("events.csv", "rallies.csv", "speed.csv", "report.html")
CLIPS = "clips"
LEAD, TAIL = 1.0, 1.0  # seconds that a clip begins before its rally and goes on after it
USUAL_SIZES = ((360, 640), (720, 1280), (1080, 1920), (1440, 2560), (2160, 3840))


@dataclass(frozen=True)
class Footage:
    """What is known of the video that a track belongs to.

    Attributes:
        size: (height, width) in pixels.
        fps: frames a second; None when unknown.
        video: None where it is not there.
    """

    size: tuple[int, int]
    fps: float | None
    video: Path | None


def run_analysis(
    track_file: Path,
    folder: Path,
    sport: Sport,
    *,
    court: Court | None = None,
    video: Path | None = None,
    clips: bool = False,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Analyse a track and write the results.

    Args:
        track_file: a track, or labels.
        folder: where the results go; what is there is replaced.
        sport: what is played.
        court: for places in metres.
        video: that the track belongs to; found as `find_footage` does when omitted.
        clips: whether to cut each rally into a file of its own.
        reporter: where progress goes.

    Returns:
        Counts, and the files that were written.

    Raises:
        InputError: the track or video cannot be read, a clip is asked for without a video, or
            the folder cannot be written.
    """
    reporter = reporter or Reporter()
    footage = find_footage(track_file, video)
    if clips and footage.video is None:
        raise InputError(f"{track_file}: its video is needed to cut clips; give it with --video.")
    track = _read_positions(track_file, footage)
    if footage.video is None:
        height, width = footage.size
        reporter.note(f"no video: taken as {width}x{height}; give it with --video.")
    cuts = np.zeros(0)
    if footage.video is not None:
        times, cuts = watch_video(footage.video, len(track), reporter)
        if not np.isfinite(track.time).all():
            track = replace(track.resized(len(times)), time=times)
    seen = int(track.visibility.sum())
    with reporter.track("reading the play", seen, unit="positions") as advance:
        analysis = analyze_track(
            track, footage.size, sport, court=court, fps=footage.fps, cuts=cuts, progress=advance
        )
    files = []
    if clips and footage.video is not None:
        files = _cut_rallies(analysis, footage.video, folder / CLIPS, reporter)
    write_tables(analysis, folder, clips=files)
    with reporter.track("writing the report", 1, unit="pages") as advance:
        title = (footage.video or track_file).stem
        write_report(analysis, folder / "report.html", title=title, video=footage.video)
        advance()
    kinds = [event.kind for event in analysis.found.events]
    return {
        "command": "analyze",
        "track": str(track_file.resolve()),
        "video": str(footage.video.resolve()) if footage.video else None,
        "sport": sport.name,
        "rallies": len(analysis.rallies),
        **{f"{kind}s": kinds.count(kind) for kind in sorted(set(kinds))},
        "position_error_pixels": round(analysis.found.error, 2),
        "files": [str((folder / name).resolve()) for name in RESULTS],
        "clips": [str(path.resolve()) for path in files],
    }


def check_free(folder: Path) -> None:
    """Raise `InputError` where a result is there already."""
    for name in (*RESULTS, CLIPS):
        if (folder / name).exists():
            raise InputError(
                f"{folder / name}: exists already; use --overwrite or choose another place with -o."
            )


def find_footage(track_file: Path, video: Path | None) -> Footage:
    """Find the video of a track, and without one guess its size from the positions.

    Without being told, the video is that which `summary.json` beside the track names, or the one
    beside it that has its name.

    Raises:
        InputError: a video is given and cannot be read.
    """
    summary: dict[str, Any] = {}
    for name in ("summary.json", f"{track_file.stem}.summary.json"):
        path = track_file.with_name(name)
        if path.is_file():
            try:
                summary = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                continue
    if video is None and Path(summary.get("source") or "").is_file():
        video = Path(summary["source"])
    if video is None:
        beside = (track_file.with_suffix(suffix) for suffix in VIDEO_SUFFIXES)
        video = next((path for path in beside if path.is_file()), None)
    if video is not None:
        info: VideoInfo = probe_video(video)
        return Footage((info.height, info.width), float(info.fps), video)
    if "width" in summary and "height" in summary:
        return Footage((int(summary["height"]), int(summary["width"])), None, None)
    track = read_track(track_file)
    far = np.nanmax(track.positions, axis=0) if track.visibility.any() else np.zeros(2)
    for size in USUAL_SIZES:
        if far[1] <= size[0] and far[0] <= size[1]:
            return Footage(size, None, None)
    return Footage((int(far[1]) + 1, int(far[0]) + 1), None, None)


def watch_video(video: Path, frames: int, reporter: Reporter) -> tuple[np.ndarray, np.ndarray]:
    """Look through a video for the times of its pictures, and for cuts to another camera.

    Args:
        video: a video, or a folder of images.
        frames: how many there are about.
        reporter: where progress goes.

    Returns:
        Seconds of every picture, and of every cut, halfway between the pictures around it.
    """
    times: list[float] = []
    firsts = []
    with (
        reporter.track("looking for cuts", frames, unit="frames") as advance,
        contextlib.closing(read_frames(video)) as pictures,
    ):
        for first, shot in split_shots(pictures, lambda frame: frame.image):
            firsts.append(first)
            for frame in shot:
                times.append(frame.time)
                advance()
    return np.array(times), np.array([(times[k - 1] + times[k]) / 2 for k in firsts[1:]])


def _read_positions(track_file: Path, footage: Footage) -> Track:
    """Read a track, or labels in any of their units."""
    try:
        return read_track(track_file)
    except InputError:
        if footage.video is None or recognise_format(track_file) is None:
            raise
        return read_label_file(track_file, open_media(footage.video)).track(footage.size)


def _cut_rallies(analysis: Analysis, video: Path, folder: Path, reporter: Reporter) -> list[Path]:
    paths = []
    with reporter.track("cutting clips", len(analysis.rallies), unit="clips") as advance:
        for rally in analysis.rallies:
            path = folder / f"rally-{rally.number:03d}.mp4"
            cut_clip(video, path, max(rally.start - LEAD, 0.0), rally.end + TAIL)
            paths.append(path)
            advance()
    return paths
