"""The library: the videos of a folder, what is known of them, and where their files are."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from keras_tracknet.errors import InputError
from keras_tracknet.presets import DEFAULT
from keras_tracknet.studio.frames import Pictures, Stamp, find_frames, stamp_file
from keras_tracknet.studio.jpegs import FrameServer, JpegCache
from keras_tracknet.studio.labels import LabelFile
from keras_tracknet.tracks.files import read_track
from keras_tracknet.tracks.summary import read_summary
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.info import VideoInfo
from keras_tracknet.video.media import VIDEO_SUFFIXES
from keras_tracknet.video.reader import probe_video

OWN_FOLDER = ".tracknet"  # hidden, so that the search for labelled clips passes it over
WEIGHTS, MODE = "weights.txt", "mode.txt"  # what a video was tracked with
OTHER_MODE = "other.csv"  # its track by the same weights in another mode
OPEN_VIDEOS = 4  # that are kept open for their frames


@dataclass
class Video:
    """A video of the library.

    Attributes:
        path: the file.
        stamp: of the file when it was found; another file under its name has another.
        folder: what the studio keeps about it: track, index of frames, reviewed stretches.
        labels: its label file, beside it.
    """

    path: Path
    stamp: Stamp
    folder: Path
    labels: LabelFile

    @property
    def id(self) -> str:
        """Names the video in addresses."""
        return hashlib.sha256(self.path.name.encode("utf-8", "replace")).hexdigest()[:12]

    @cached_property
    def info(self) -> VideoInfo:
        """What the container says; raises `InputError` for a damaged file."""
        return probe_video(self.path)

    @property
    def track_file(self) -> Path:
        """The network's own track, without the corrections."""
        return self.folder / "track.csv"

    @property
    def summary(self) -> dict[str, object]:
        """What the run that tracked it says of itself; empty where there was none."""
        with suppress(InputError, OSError):
            return read_summary(self.folder / "summary.json") or {}
        return {}

    @property
    def tracked(self) -> bool:
        """Whether there is a complete track."""
        return bool(self.summary.get("complete")) and self.track_file.is_file()

    @property
    def weights(self) -> str:
        """Name of the weights that it was tracked with; the default for one that is not."""
        with suppress(OSError):
            return (self.folder / WEIGHTS).read_text(encoding="utf-8") or DEFAULT
        return DEFAULT

    @property
    def track_stamp(self) -> int:
        """When the track was written; 0 for a video that is not tracked."""
        return self.track_file.stat().st_mtime_ns if self.tracked else 0

    def read_track(self) -> Track | None:
        """Return the network's track; None for a video that is not tracked."""
        stamp = self.track_stamp
        if not stamp:
            return None
        if self._track is None or self._track[0] != stamp:
            self._track = stamp, read_track(self.track_file)
        return self._track[1]

    _track: tuple[int, Track] | None = None

    def read_other_track(self) -> Track | None:
        """Return the track by the same weights in another mode; None without one."""
        path = self.folder / OTHER_MODE
        return read_track(path) if path.is_file() else None

    def open(self) -> Pictures:
        """Open it for reading frames by number; the caller closes it."""
        track = self.read_track()
        saved = self.folder / "frames.npz"
        index = find_frames(self.path, saved, frames=None if track is None else len(track))
        return Pictures(self.path, index)

    def count_frames(self) -> int:
        """Return how many frames it has; before it was opened or tracked, as it says itself."""
        track = self.read_track()
        if track is not None:
            return len(track)
        if self.info.frames:
            return self.info.frames
        return round((self.info.duration or 0) * self.info.fps)


class Library:
    """The videos of a folder.

    Args:
        path: the folder, or one video in it, which is then the only one.

    Raises:
        InputError: there is no such folder or video.
    """

    def __init__(self, path: Path) -> None:
        path = Path(path)
        if not path.exists():
            raise InputError(f"{path}: no such file or folder; check the path.")
        self.root = (path if path.is_dir() else path.parent).resolve()
        self.shown = None if path.is_dir() else {path.name}
        if self.shown is not None:
            probe_video(path)
        self.cache = JpegCache()
        self._videos: dict[Path, Video] = {}
        self._servers: dict[str, FrameServer] = {}
        self._lock = threading.RLock()

    @property
    def folder(self) -> Path:
        """Where the studio keeps its own files."""
        return self.root / OWN_FOLDER

    def videos(self) -> list[Video]:
        """Return the videos, by name as people sort them: 2 before 10."""
        with self._lock:
            found = [self._know(path) for path in self._list_files()]
        return sorted(found, key=lambda video: _natural(video.path.name))

    def find(self, id: str) -> Video:
        """Return the video of an address.

        Raises:
            KeyError: there is none.
        """
        return {video.id: video for video in self.videos()}[id]

    def serve(self, video: Video) -> FrameServer:
        """Return what serves the frames of a video; the latest few are kept open."""
        # Another file is opened anew, and a new track may know better how many frames there are.
        tag = "-".join(f"{part:x}" for part in (*video.stamp, video.track_stamp))
        with self._lock:
            server = self._servers.pop(video.id, None)
            if server is not None and server.tag != tag:
                server.close()
                server = None
            if server is None:
                server = FrameServer(video.open(), self.cache, tag)
            self._servers[video.id] = server
            while len(self._servers) > OPEN_VIDEOS:
                self._servers.pop(next(iter(self._servers))).close()
            return server

    def check_name(self, name: str) -> Path:
        """Return where a new video of a name goes.

        Raises:
            InputError: it is no plain name of a video, or there is a file of that name.
        """
        plain = name and name == Path(name).name and not re.search(r"[\\/:\0]|^\.", name)
        if not plain or Path(name).suffix.lower() not in VIDEO_SUFFIXES:
            raise InputError(f"{name}: not the name of a video file, such as match.mp4.")
        path = self.root / name
        if path.exists():
            raise InputError(f"{name}: there is already such a file; rename it first.")
        if self.shown is not None:
            self.shown.add(name)
        return path

    def close(self) -> None:
        """Close all videos."""
        with self._lock:
            while self._servers:
                self._servers.popitem()[1].close()

    def _list_files(self) -> Iterator[Path]:
        for path in sorted(self.root.iterdir()):
            if path.name.startswith(".") or path.suffix.lower() not in VIDEO_SUFFIXES:
                continue
            if self.shown is not None and path.name not in self.shown:
                continue
            # A link that leads out of the folder is left out: only what is inside is served.
            if path.is_file() and path.resolve().is_relative_to(self.root):
                yield path

    def _know(self, path: Path) -> Video:
        stamp = stamp_file(path)
        if path not in self._videos or self._videos[path].stamp != stamp:
            twin = any(
                other.path.stem == path.stem and other.path != path
                for other in self._videos.values()
            )
            stem = path.name if twin else path.stem
            folder = self.folder / path.name
            labels = LabelFile(path.with_name(f"{stem}_ball.csv"), folder / "reviewed.json")
            self._videos[path] = Video(path, stamp, folder, labels)
        return self._videos[path]


def _natural(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
