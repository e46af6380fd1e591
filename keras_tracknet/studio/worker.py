"""The worker: the process that a job runs in. It reads an order and tells of the work in JSON.

`python -m keras_tracknet.studio.worker` takes one line on stdin and writes lines on stdout. When
its stdin closes, whoever gave the order has gone, and it stops as it does at Ctrl-C.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from keras_tracknet.errors import InputError
from keras_tracknet.files import write_text
from keras_tracknet.progress import Advance, Reporter
from keras_tracknet.studio.jobs import estimate_left

TELL_EVERY = 0.25  # seconds


class LineReporter(Reporter):
    """Tells of progress in lines of JSON.

    Args:
        file: where the lines go.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def tell(self, **news: Any) -> None:
        """Write a line."""
        with suppress(OSError, ValueError):
            self._file.write(json.dumps(news) + "\n")
            self._file.flush()

    def note(self, message: str) -> None:
        """Tell what is worth knowing."""
        self.tell(message=message)

    def warn(self, message: str) -> None:
        """Tell what needs attention."""
        self.tell(message=message)

    @contextmanager
    def track(
        self, description: str, total: int | None = None, *, unit: str = "items"
    ) -> Iterator[Advance]:
        """Tell how far a task is during the `with` block."""
        began, latest, done = time.monotonic(), 0.0, 0
        self.tell(stage=description, done=0, total=total, seconds_left=None)

        def advance(n: int = 1, **figures: float) -> None:
            nonlocal latest, done
            done += n
            if time.monotonic() - latest >= TELL_EVERY:
                latest = time.monotonic()
                left = figures.pop("seconds_left", estimate_left(began, done, total))
                self.tell(done=done, total=total, seconds_left=left, **figures)

        yield advance
        self.tell(done=done, total=total, seconds_left=None)


def work(order: dict[str, Any], reporter: LineReporter) -> None:
    """Do what an order says.

    Args:
        order: `kind`, and what the server puts in it for that kind.
        reporter: is told of progress and of the result.
    """
    if order["kind"] == "track":
        _track_videos(order, reporter)
    else:
        from keras_tracknet.studio.teaching import teach

        videos = [(Path(video["path"]), Path(video["labels"])) for video in order["videos"]]
        result = teach(
            videos,
            weights=order["weights"],
            output=Path(order["output"]),
            minutes=order["minutes"],
            tracks=[Path(video["folder"]) / "track.csv" for video in order["videos"]],
            reporter=reporter,
        )
        reporter.tell(result=result)


def _track_videos(order: dict[str, Any], reporter: LineReporter) -> None:
    from keras_tracknet.inference.outputs import predict_video
    from keras_tracknet.inference.places import OutputPaths
    from keras_tracknet.inference.tracker import Tracker
    from keras_tracknet.studio.library import MODE, WEIGHTS
    from keras_tracknet.studio.play import note_play

    settings = {key: order[key] for key in ("mode", "threshold") if order.get(key) is not None}
    reporter.tell(stage=f"loading {order['weights']}")
    tracker = Tracker(order["weights"], **settings)
    for video in order["videos"]:
        reporter.tell(video=video["id"])
        source, folder = Path(video["path"]), Path(video["folder"])
        # The track before stays until the new one is complete.
        work = folder / "next"
        paths = OutputPaths.inside(work, ("csv",), overlay=False, shots=True)
        try:
            predict_video(tracker, source, paths, resume=True, reporter=reporter)
        except InputError:  # tracked in part, by other weights or in another mode
            predict_video(tracker, source, paths, overwrite=True, reporter=reporter)
        mode = order.get("mode") or ""
        _keep_other_mode(folder, order["weights"], mode)
        for path in (*paths.results, paths.summary):
            os.replace(path, folder / path.name)
        shutil.rmtree(work, ignore_errors=True)
        write_text(order["weights"], folder / WEIGHTS)
        write_text(mode, folder / MODE)
        reporter.tell(stage=f"finding hits and rallies in {source.name}", done=0, total=None)
        note_play(source, folder, order["weights"])


def _keep_other_mode(folder: Path, weights: str, mode: str) -> None:
    """Set the track of a video aside before one in another mode takes its place."""
    from keras_tracknet.studio.library import MODE, OTHER_MODE, WEIGHTS

    def read(name: str) -> str | None:
        path = folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else None

    if read(WEIGHTS) != weights:
        (folder / OTHER_MODE).unlink(missing_ok=True)
    elif read(MODE) not in (None, mode):
        os.replace(folder / "track.csv", folder / OTHER_MODE)


def main() -> None:
    """Read an order from stdin and do it."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no line of ours
    reporter = LineReporter(lines)
    warnings.simplefilter("ignore")
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        work(order, reporter)
    except KeyboardInterrupt:
        reporter.tell(state="stopped", message="stopped; what was done is kept")
    except InputError as error:
        reporter.tell(state="failed", message=" ".join(str(error).split()))
        raise SystemExit(1) from None


def _end_with_stdin() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main()
