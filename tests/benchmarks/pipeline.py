"""How fast the training pipeline is, alone and beside the network.

    python tests/benchmarks/pipeline.py

Prints windows a second of the pipeline alone (8 frames of 288x512 with background, discs and
mixup, from memory-mapped frames), and which share of a training step of quarter-width V3 is the
network's: the time of a step on one batch that lies ready, by the time of a step fed by the
pipeline, in one process, in turns.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from keras_tracknet.training.batches.feed import as_tf_dataset
from keras_tracknet.training.batches.window_batches import (
    LabelledFrames,
    WindowBatches,
    WindowConfig,
)

SIZE = (288, 512)
BATCH = 4


def make_batches(folder: Path) -> WindowBatches:
    """Write frames of noise to disk and cut windows from them."""
    rng = np.random.default_rng(0)
    path = folder / "frames.npy"
    np.save(path, rng.integers(0, 256, (600, *SIZE, 3), dtype=np.uint8))
    frames = np.load(path, mmap_mode="r")
    positions = rng.uniform((0, 0), (SIZE[1], SIZE[0]), (len(frames), 2))
    clip = LabelledFrames(frames, frames[0].copy(), positions, np.ones(len(frames), bool))
    config = WindowConfig(frames=8, heatmaps=8, background="concat")
    return WindowBatches([clip], config, batch_size=BATCH, mixup=0.5)


def measure_pipeline(batches: WindowBatches, seconds: float) -> float:
    """Return windows a second of the pipeline alone."""
    windows, began = 0, None
    for inputs, _ in as_tf_dataset(batches, 0, 100 * len(batches)):
        if began is None:  # the first batch pays for the start
            began = time.perf_counter()
            continue
        windows += len(inputs)
        if time.perf_counter() - began > seconds:
            break
    assert began is not None
    return windows / (time.perf_counter() - began)


def measure_network_share(batches: WindowBatches, rounds: int) -> float:
    """Return which share of a training step is the network's."""
    import keras

    from keras_tracknet.backends import choose_precision
    from keras_tracknet.losses import WeightedBCE
    from keras_tracknet.metrics import TrackingAccuracy, TrackingF1
    from keras_tracknet.models.v3 import build_v3
    from keras_tracknet.weights.model_file import set_precision

    model = build_v3(width_multiplier=0.25)
    set_precision(model, choose_precision())
    model.compile(
        keras.optimizers.Adam(), WeightedBCE(), metrics=[TrackingAccuracy(), TrackingF1()]
    )
    fed = iter(as_tf_dataset(batches, 0, 100 * len(batches)))
    ready = next(fed)
    model.train_on_batch(*ready)
    alone, together = [], []
    for _ in range(rounds):
        alone += [time_step(lambda: model.train_on_batch(*ready)) for _ in range(5)]
        # The first fed steps take batches that were made while the pipeline had the machine.
        fed_times = [time_step(lambda: model.train_on_batch(*next(fed))) for _ in range(8)]
        together += fed_times[3:]
    print(f"step alone {statistics.median(alone):.3f} s, fed {statistics.median(together):.3f} s")
    return statistics.median(alone) / statistics.median(together)


def time_step(step: Callable[[], object]) -> float:
    """Return the seconds that a step takes."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        batches = make_batches(Path(name))
        print(f"pipeline alone: {measure_pipeline(batches, options.seconds):.0f} windows a second")
        share = measure_network_share(batches, options.rounds)
        print(f"share of a training step that is the network's: {share:.1%}")
