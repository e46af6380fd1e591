"""A corpus on a Ray cluster: every device takes the next video that nobody has taken."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_tracknet.corpus import (
    FAILED,
    CorpusSettings,
    Outcome,
    find_finished,
    name_folders,
    predict_one,
    report,
    write_outcomes,
)
from keras_tracknet.errors import InputError
from keras_tracknet.inference import Tracker
from keras_tracknet.reporting import Reporter


class Worker:
    """Tracks videos on one device; it loads the network once.

    Args:
        make_tracker: makes the tracker there.
    """

    def __init__(self, make_tracker: Callable[[], Tracker]) -> None:
        self._tracker = make_tracker()

    def predict(self, video: Path, folder: Path, settings: CorpusSettings) -> Outcome:
        """Track one video; what goes wrong is in the outcome."""
        return predict_one(self._tracker, video, folder, settings, Reporter())


def predict_on_cluster(
    make_tracker: Callable[[], Tracker],
    videos: Sequence[Path],
    settings: CorpusSettings,
    *,
    address: str | None = None,
    reporter: Reporter | None = None,
) -> list[Outcome]:
    """Track many videos on a Ray cluster, with the results of `predict_corpus`.

    There is one worker for each GPU of the cluster, and one for each machine without a GPU.
    Videos and results are on a file system that all machines share.

    Args:
        make_tracker: makes the tracker; goes to the workers, so it must be picklable.
        videos, settings: as for `predict_corpus`.
        address: of the cluster; a cluster is started on this machine when None.
        reporter: where progress goes.

    Returns:
        An outcome for each video, in the order of `videos`.

    Raises:
        InputError: Ray is not installed, or the cluster cannot be reached.
    """
    if importlib.util.find_spec("ray") is None:
        raise InputError("--ray needs ray: pip install ray, or 'keras_tracknet[ray]'.")
    import ray

    reporter = reporter or Reporter()
    places = [
        (video.absolute(), folder.absolute())
        for video, folder in name_folders(videos, settings.output)
    ]
    done = {place: find_finished(*place, settings) for place in places}
    waiting = [place for place in places if done[place] is None]
    try:
        own: dict[str, Any] = {} if address else {"include_dashboard": False}
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **own)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise InputError(f"{address}: no Ray cluster there ({reason}).") from error
    try:
        workers = _start_workers(make_tracker, len(waiting)) if waiting else []
        busy: dict[Any, tuple[tuple[Path, Path], Any]] = {}
        with reporter.track("tracking videos", len(waiting), unit="videos") as advance:
            while waiting or busy:
                while waiting and workers:
                    place, worker = waiting.pop(0), workers.pop()
                    busy[worker.predict.remote(*place, settings)] = place, worker
                (ready,), _ = ray.wait(list(busy))
                place, worker = busy.pop(ready)
                outcome = _collect(ready, place)
                done[place] = outcome
                report(outcome, reporter)
                workers.append(worker)
                write_outcomes([o for o in done.values() if o is not None], settings.output)
                advance(1)
    finally:
        ray.shutdown()
    outcomes = [outcome for outcome in done.values() if outcome is not None]
    write_outcomes(outcomes, settings.output)
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
        return ray.get(ready)
    except ray.exceptions.RayError as error:
        lines = str(error).strip().splitlines() or [repr(error)]
        return Outcome(*place, FAILED, error=f"{place[0]}: {lines[-1]}")
