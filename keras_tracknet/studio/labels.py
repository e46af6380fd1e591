"""Label files of the studio: what a person said of a frame, saved at once."""

from __future__ import annotations

import csv
import getpass
import math
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.files import read_json, write_json, write_table
from keras_tracknet.tracks.tables import LABEL_STATUSES
from keras_tracknet.tracks.track import Track

COLUMNS = ("Frame", "Visibility", "X", "Y", "Status", "Author")
VISIBLE, HIDDEN, ABSENT, ACCEPTED, FILLED = LABEL_STATUSES
UNSEEN = (HIDDEN, ABSENT)  # statuses of a frame that shows no ball
MOST_FRAMES = 10_000_000
FARTHEST = 100_000.0  # pixels


@dataclass(frozen=True)
class FrameLabel:
    """What a person said of a frame.

    Attributes:
        visibility: 1 where the ball can be seen, else 0.
        x, y: pixels of the source video; None where nobody knows. A hidden ball has them.
        status: one of `LABEL_STATUSES`: clicked and visible, hidden, absent, accepted as the
            network has it, or filled between two that were clicked.
        author: who said so.
    """

    visibility: int
    x: float | None
    y: float | None
    status: str
    author: str

    @classmethod
    def parse(cls, content: Any, author: str) -> FrameLabel:
        """Make a label of what a page sends.

        Raises:
            InputError: it is none.
        """
        try:
            status = content["status"]
            if status not in LABEL_STATUSES:
                raise ValueError(f"status must be one of {', '.join(LABEL_STATUSES)}")
            x, y = (_read_number(content.get(name)) for name in ("x", "y"))
            if (x is None) != (y is None):
                raise ValueError("x and y belong together")
            if x is None and status in (VISIBLE, FILLED):
                raise ValueError(f"a {status} ball needs x and y")
            if status == ABSENT:
                x = y = None
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"not a label ({error}).") from error
        seen = x is not None and status not in UNSEEN
        return cls(int(seen), x, y, status, str(content.get("author") or author)[:80])


class LabelFile:
    """The labels of one video: `Frame,Visibility,X,Y,Status,Author`, a row per labelled frame.

    Every change is on disk, complete, before the method returns. A file that somebody else wrote
    keeps a copy with the suffix `.original` when it is first changed.

    Args:
        path: the label file.
        reviewed_path: JSON file of the stretches that somebody has looked at.
    """

    def __init__(self, path: Path, reviewed_path: Path) -> None:
        self.path, self.reviewed_path = path, reviewed_path
        self._lock = threading.RLock()
        self._stamp: int | None = None
        self._frames: dict[int, FrameLabel] = {}

    @property
    def frames(self) -> dict[int, FrameLabel]:
        """The labels by frame, as they are in the file now.

        Raises:
            InputError: the file is damaged.
        """
        with self._lock:
            stamp = self.path.stat().st_mtime_ns if self.path.is_file() else None
            if stamp != self._stamp:
                self._frames = {} if stamp is None else read_label_rows(self.path)
                self._stamp = stamp
            return dict(self._frames)

    @property
    def reviewed(self) -> list[list[int]]:
        """Stretches of frames that somebody has looked at: first and last, ascending."""
        with suppress(OSError, InputError):
            return merge_stretches(read_json(self.reviewed_path).get("reviewed", []))
        return []

    def change(
        self,
        put: Mapping[int, FrameLabel],
        remove: Iterable[int] = (),
        reviewed: Iterable[Any] | None = None,
    ) -> None:
        """Change labels and save them.

        Args:
            put: labels to set, by frame.
            remove: frames to take the label from.
            reviewed: all stretches that somebody has looked at; as they were when omitted.

        Raises:
            InputError: a frame or stretch is none, or the file cannot be written.
        """
        remove = list(remove)
        if any(not 0 <= frame < MOST_FRAMES for frame in (*put, *remove)):
            raise InputError("frames must count from 0.")
        stretches = None if reviewed is None else merge_stretches(reviewed)
        with self._lock:
            frames = self.frames
            changed = {frame: label for frame, label in frames.items() if frame not in remove}
            changed |= put
            if changed != frames:
                self._keep_original()
                rows = ((frame, *_write_row(changed[frame])) for frame in sorted(changed))
                write_table(COLUMNS, rows, self.path)
                self._frames, self._stamp = changed, self.path.stat().st_mtime_ns
            if stretches is not None and stretches != self.reviewed:
                write_json({"reviewed": stretches}, self.reviewed_path)

    def as_dict(self) -> dict[str, Any]:
        """Return labels and stretches for JSON."""
        frames = {str(frame): asdict(label) for frame, label in sorted(self.frames.items())}
        return {"frames": frames, "reviewed": self.reviewed}

    def as_track(self, frames: int, track: Track | None = None) -> Track:
        """Return the labels as a track, with unlabelled frames where nobody said anything.

        Args:
            frames: of the video.
            track: the network's; where somebody has looked at a stretch, it holds.
        """
        x, y, seen, known = np.zeros((4, frames))
        if track is not None:
            for first, last in self.reviewed:
                part = slice(first, min(last + 1, len(track)))
                x[part], y[part] = track.x[part], track.y[part]
                seen[part], known[part] = track.visibility[part], 1
        for frame, label in self.frames.items():
            if frame < frames:
                x[frame], y[frame] = label.x or 0.0, label.y or 0.0
                seen[frame], known[frame] = label.visibility, 1
        return Track.from_positions(x, y, seen, labelled=known)

    def count_reviewed(self, frames: int) -> int:
        """Return how many frames somebody has looked at or labelled."""
        looked = np.zeros(frames, bool)
        for first, last in self.reviewed:
            looked[first : last + 1] = True
        looked[[frame for frame in self.frames if frame < frames]] = True
        return int(looked.sum())

    def _keep_original(self) -> None:
        if not self.path.is_file():
            return
        copy = self.path.with_name(f"{self.path.name}.original")
        content = self.path.read_bytes()
        if b"Author" not in content.partition(b"\n")[0] and not copy.exists():
            copy.write_bytes(content)


def read_label_rows(path: Path) -> dict[int, FrameLabel]:
    """Read a label file of the studio, or any other CSV with `Frame,Visibility,X,Y` in pixels.

    Raises:
        InputError: it is no such file.
    """
    labels = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                cells = {name.strip().lower(): value for name, value in row.items() if name}
                visible = float(cells["visibility"]) == 1
                x, y = (_read_number(cells[name].strip() or None) for name in ("x", "y"))
                if not visible and not cells.get("status") and x == 0 == y:
                    x = y = None
                status = cells.get("status") or _name_status(visible, x)
                content = {"status": status, "x": x, "y": y}
                labels[int(cells["frame"])] = FrameLabel.parse(content, cells.get("author") or "")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file.") from error
    except (KeyError, ValueError, AttributeError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a label file ({error}); move it away.") from error
    return labels


def find_author() -> str:
    """Return the name of who sits at this machine."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "person"


def merge_stretches(stretches: Iterable[Any]) -> list[list[int]]:
    """Return stretches of frames in order, those that touch as one.

    Raises:
        InputError: one is no first and last frame.
    """
    merged: list[list[int]] = []
    try:
        pairs = sorted((int(first), int(last)) for first, last in stretches)
    except (TypeError, ValueError) as error:
        raise InputError("a stretch must be its first and its last frame.") from error
    for first, last in pairs:
        if not 0 <= first <= last < MOST_FRAMES:
            raise InputError("a stretch must be its first and its last frame.")
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return merged


def _name_status(visible: bool, x: float | None) -> str:
    if visible:
        return VISIBLE
    return ABSENT if x is None else HIDDEN


def _write_row(label: FrameLabel) -> tuple[object, ...]:
    x, y = ("" if value is None else f"{value:.3f}" for value in (label.x, label.y))
    return label.visibility, x, y, label.status, label.author


def _read_number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number) or abs(number) > FARTHEST:
        raise ValueError(f"position is {number}")
    return round(number, 3)
