"""Experimental: a batch of videos on a Ray cluster, where every device takes the next free one."""

from __future__ import annotations

import importlib.util
import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.inference.batch import (
    FAILED,
    BatchSettings,
    Outcome,
    claim_folder,
    name_folders,
    predict_one,
    report,
    write_outcomes,
)
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.progress import Reporter


class Worker:
    """Tracks videos on one device; it loads the network once.

    Args:
        make_tracker: makes the tracker there.
    """

    def __init__(self, make_tracker: Callable[[], Tracker]) -> None:
        self._tracker = make_tracker()

    def predict(self, video: Path, folder: Path, settings: BatchSettings) -> Outcome:
        """Track one video; what goes wrong is in the outcome."""
        return predict_one(self._tracker, video, folder, settings, Reporter())


def predict_on_cluster(
    make_tracker: Callable[[], Tracker],
    videos: Sequence[Path],
    settings: BatchSettings,
    *,
    address: str | None = None,
    reporter: Reporter | None = None,
) -> list[Outcome]:
    """Track many videos on a Ray cluster, with the results of `predict_videos`.

    There is one worker for each GPU of the cluster, and one for each machine without a GPU.
    Videos and results are on a file system that all machines share.

    Args:
        make_tracker: makes the tracker; goes to the workers, so it must be picklable.
        videos, settings: as for `predict_videos`.
        address: of the cluster; a cluster is started on this machine when None.
        reporter: where progress goes.

    Returns:
        An outcome for each video, in the order of `videos`.

    Raises:
        InputError: Ray is not installed, or the cluster cannot be reached.
    """
    if importlib.util.find_spec("ray") is None:
        raise InputError(
            "tracking on a cluster requires Ray; run: pip install 'keras_tracknet[ray]'"
        )

    reporter = reporter or Reporter()
    with claim_folder(settings.output), _connect(address):
        return _share_out(make_tracker, videos, settings, reporter)


@contextmanager
def _connect(address: str | None) -> Iterator[None]:
    """Connect to a cluster for the `with` block, or have one on this machine for so long."""
    import ray

    own: dict[str, Any] = {} if address else {"include_dashboard": False}
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise InputError(
            f"{address}: no Ray cluster found ({reason}); check the address."
        ) from error
    finally:
        for number, handler in before.items():  # Ray has its own, which end the process
            signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()


def _share_out(
    make_tracker: Callable[[], Tracker],
    videos: Sequence[Path],
    settings: BatchSettings,
    reporter: Reporter,
) -> list[Outcome]:
    """Give each worker the next video, and collect the outcomes in the order of the videos."""
    import ray

    waiting = [
        (video.absolute(), folder.absolute())
        for video, folder in name_folders(videos, settings.output)
    ]
    done: dict[tuple[Path, Path], Outcome | None] = dict.fromkeys(waiting)
    workers = _start_workers(make_tracker, len(waiting))
    busy: dict[Any, tuple[tuple[Path, Path], Any]] = {}
    with reporter.track("tracking videos", len(waiting), unit="videos") as advance:
        while waiting or busy:
            while waiting and workers:
                place, worker = waiting.pop(0), workers.pop()
                busy[worker.predict.remote(*place, settings)] = place, worker
            (ready,), _ = ray.wait(list(busy))
            place, worker = busy.pop(ready)
            done[place] = outcome = _collect(ready, place)
            report(outcome, reporter)
            workers.append(worker)
            outcomes = [outcome for outcome in done.values() if outcome is not None]
            write_outcomes(outcomes, settings.output)
            advance(1)
    return outcomes


def _start_workers(make_tracker: Callable[[], Tracker], most: int) -> list[Any]:
    """Start a worker for each device, but no more than there are videos."""
    import ray

    remote = ray.remote(Worker)
    workers: list[Any] = []
    for node in ray.nodes():
        if not node["Alive"]:
            continue
        gpus = int(node["Resources"].get("GPU", 0))
        here = f"node:{node['NodeManagerAddress']}"
        for _ in range(max(1, gpus)):
            if len(workers) < most:
                needs = {"num_gpus": 1} if gpus else {"num_cpus": 1}
                options = remote.options(resources={here: 1e-3}, **needs)
                workers.append(options.remote(make_tracker))
    return workers


def _collect(ready: Any, place: tuple[Path, Path]) -> Outcome:
    import ray

    try:
        outcome: Outcome = ray.get(ready)
        return outcome
    except ray.exceptions.RayError as error:
        lines = str(error).strip().splitlines() or [repr(error)]
        return Outcome(*place, FAILED, error=f"{place[0]}: {lines[-1]}")
