"""Stages of prediction: items made in a thread of their own or in batches, and time per stage."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

STAGES = (
    *("decode", "background", "prepare", "network", "decode_heatmaps", "link"),
    *("draw", "encode", "write"),  # of the overlay, and of the track
)


@dataclass
class Stopwatch:
    """Seconds spent in each stage of prediction; decoding runs in parallel with the others."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent in the `with` block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - began


def read_ahead(make: Callable[[], Iterator[Any]], depth: int) -> Generator[Any, None, None]:
    """Yield what an iterator yields, run in a thread of its own, at most `depth` items ahead.

    An error in the thread is raised here; closing the generator stops the thread.

    Args:
        make: makes the iterator, in the thread.
        depth: items to hold at most; with 0 each item is made when asked for, without a thread.
    """
    if not depth:
        yield from make()
        return
    items: queue.Queue[tuple[bool, Any]] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(done: bool, value: Any) -> None:
        while not stopped.is_set():
            try:
                items.put((done, value), timeout=0.1)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in make():
                put(False, item)
                if stopped.is_set():
                    return
            put(True, None)
        except BaseException as error:  # handed over to the reader, whatever it is
            put(True, error)

    thread = threading.Thread(target=work, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            done, value = items.get()
            if not done:
                yield value
            elif value is not None:
                raise value
            else:
                return
    finally:
        stopped.set()
        thread.join()


def batch_items(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of `size` items, the last one shorter if need be."""
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
