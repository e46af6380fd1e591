"""Folders of videos: which of the files in them are to be tracked."""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import av

from keras_tracknet.video.container import find_video_stream
from keras_tracknet.video.images import IMAGE_SUFFIXES
from keras_tracknet.video.media import VIDEO_SUFFIXES

# What FFmpeg calls the files that hold video; others of its formats are stills, texts or lists.
VIDEO_FORMATS = {
    "mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "flv", "asf",
    "mxf", "ogg", "gif", "dv", "rm", "h264", "hevc", "ivf", "nut", "wtv",
}  # fmt: skip
# Files that lie beside videos by the thousand, and are not opened to see what they are.
OTHER_SUFFIXES = (
    *IMAGE_SUFFIXES, ".bmp", ".tif", ".tiff", ".webp", ".csv", ".json", ".jsonl", ".parquet",
    ".txt", ".xml", ".yaml", ".yml", ".html", ".md", ".npy", ".npz", ".keras", ".zip",
)  # fmt: skip
OVERLAY_COMMENT = "overlay drawn by keras_tracknet"  # in the metadata of every overlay
NAMED = 3  # files that are named where many are left out


def list_videos(folder: Path) -> list[Path]:
    """List the videos of a folder by name: by their suffix, else by what is in them.

    Hidden files are left out, and so are overlays of an earlier run, which is told.
    """
    return _leave_out_overlays(path for path in sorted(folder.iterdir()) if _is_video(path))


def match_videos(pattern: str) -> list[Path]:
    """List the files and folders that a pattern such as `matches/*.mp4` means.

    Brackets and stars in the name of a folder that is there mean themselves.
    """
    folder, rest = Path(), list(Path(pattern).parts)
    while rest and (folder / rest[0]).is_dir():
        folder /= rest.pop(0)
    found = glob.glob(str(Path(*rest)), root_dir=folder, recursive=True) if rest else []
    paths = (folder / name for name in sorted(found))
    return _leave_out_overlays(path for path in paths if path.is_dir() or path.is_file())


def _is_video(path: Path) -> bool:
    if path.name.startswith(".") or not path.is_file():
        return False
    suffix = path.suffix.lower()
    return suffix in VIDEO_SUFFIXES or (suffix not in OTHER_SUFFIXES and _holds_video(path))


def _holds_video(path: Path) -> bool:
    try:
        with av.open(f"file:{path}", metadata_errors="ignore") as container:
            formats = set(container.format.name.split(","))
            return bool(formats & VIDEO_FORMATS) and find_video_stream(container) is not None
    except (av.FFmpegError, OSError, ValueError):
        return False


def _leave_out_overlays(paths: Iterable[Path]) -> list[Path]:
    paths = list(paths)
    overlays = [path for path in paths if _is_overlay(path)]
    if overlays:
        names = ", ".join(str(path) for path in overlays[:NAMED])
        more = f" and {len(overlays) - NAMED} more" if len(overlays) > NAMED else ""
        warnings.warn(
            f"{names}{more}: skipped, because an earlier run drew it; name the file to track it"
            " anyway.",
            stacklevel=3,
        )
    return [path for path in paths if path not in overlays]


def _is_overlay(path: Path) -> bool:
    """Return whether a file is an overlay: by its name and the summary beside, or what it says."""
    if "overlay" not in path.name.lower() or not path.is_file():
        return False
    if path.name == "overlay.mp4" or path.name.endswith(".overlay.mp4"):
        summary = path.with_name(path.name.removesuffix("overlay.mp4") + "summary.json")
        if os.path.exists(summary):
            return True
    try:
        with av.open(f"file:{path}", metadata_errors="ignore") as container:
            return container.metadata.get("comment") == OVERLAY_COMMENT
    except (av.FFmpegError, OSError, ValueError):
        return False
