"""Jobs: tracking and teaching, one at a time, each in a process of its own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError

PATIENCE = 15.0  # seconds that a job may take to stop before it is killed
WORKER = [sys.executable, "-P", "-m", "keras_tracknet.studio.worker"]
RUNNING, DONE, FAILED, STOPPED = "running", "done", "failed", "stopped"


class BusyError(Exception):
    """A job is running already."""


class Job:
    """A process that works, tells of it in lines of JSON, and ends when it is told to.

    Args:
        id: names the job.
        kind: `track` or `teach`.
        order: what the worker is to do, see `keras_tracknet.studio.worker`.
        changed: called whenever `state` has changed.
    """

    def __init__(
        self, id: str, kind: str, order: dict[str, Any], changed: Callable[[], None]
    ) -> None:
        self.id, self.kind, self.order, self._changed = id, kind, order, changed
        self.state: dict[str, Any] = {
            "kind": kind, "id": self.id, "state": RUNNING, "stage": "starting", "done": 0,
            "total": None, "seconds_left": None, "loss": None, "message": "", "video": None,
            "result": None,
        }  # fmt: skip
        self._stopping = False
        self._errors: deque[str] = deque(maxlen=20)
        # A process group of its own: Ctrl-C in the terminal reaches the studio, which stops it.
        own_group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        self._process = subprocess.Popen(
            WORKER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            **own_group,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"kind": kind, **order}) + "\n")
        self._process.stdin.flush()  # and stays open: when it closes, the worker ends
        self._readers = [
            threading.Thread(target=self._read_lines, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return bool(self.state["state"] == RUNNING)

    def stop(self) -> None:
        """Ask it to stop, and kill it if it does not."""
        if not self.running:
            return
        self._stopping = True
        with suppress(OSError):
            if sys.platform == "win32":
                self._process.terminate()
            else:
                self._process.send_signal(signal.SIGINT)
        threading.Thread(target=self._insist, daemon=True).start()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for its end."""
        for reader in self._readers:
            reader.join(seconds)

    def _insist(self) -> None:
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError):
                self._update(json.loads(line))
        code = self._process.wait()
        self._readers[1].join(2)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        if self.running:
            if self._stopping:
                self._update({"state": STOPPED, "message": "stopped; what was done is kept"})
            elif code == 0:
                self._update({"state": DONE})
            else:
                last = self._errors[-1] if self._errors else f"ended with code {code}"
                self._update({"state": FAILED, "message": last})

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.strip():
                self._errors.append(line.strip())

    def _update(self, news: dict[str, Any]) -> None:
        self.state = self.state | {k: v for k, v in news.items() if k in self.state}
        self._changed()


class JobQueue:
    """The one job that may run, and those that were.

    Attributes:
        version: counts changes, so that whoever looks on sees that there are some.
    """

    def __init__(self) -> None:
        self.version = 0
        self.current: Job | None = None
        self.jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    @property
    def state(self) -> dict[str, Any]:
        """What the running job does, or the last one did; a `state` of `none` before the first."""
        return {"state": "none"} if self.current is None else self.current.state

    def start(
        self, kind: str, order: dict[str, Any], place: Callable[[str], Path] | None = None
    ) -> Job:
        """Start a job.

        Args:
            kind: `track` or `teach`.
            order: what the worker is to do.
            place: gives the folder of the result by the job's name.

        Raises:
            BusyError: one is running.
        """
        with self._lock:
            if self.current is not None and self.current.running:
                raise BusyError
            name = secrets.token_hex(6)
            if place is not None:
                order = {**order, "output": str(place(name))}
            self.current = Job(name, kind, order, self._change)
            self.jobs[self.current.id] = self.current
            self._change()
            return self.current

    def find(self, id: str) -> Job:
        """Return a job that ran since the studio started.

        Raises:
            InputError: there is none.
        """
        if id not in self.jobs:
            raise InputError("no such job; it may have run before the studio was started.")
        return self.jobs[id]

    def close(self) -> None:
        """Stop the running job and wait for its end."""
        if self.current is not None and self.current.running:
            self.current.stop()
            self.current.wait(PATIENCE + 1)

    def _change(self) -> None:
        self.version += 1


def estimate_left(began: float, done: float, total: float | None) -> float | None:
    """Return the seconds that are left at the pace so far; None where nobody can tell."""
    spent = time.monotonic() - began
    if not total or done <= 0 or spent < 1:
        return None
    return spent / done * max(0.0, total - done)
