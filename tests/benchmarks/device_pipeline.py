"""What a training window costs: planned for the device, drawn there, and made by the host.

    KERAS_BACKEND=jax python tests/benchmarks/device_pipeline.py

Prints for windows of 8 frames (cut-outs of 160x256 from 288x512, with background and mixup),
without pasted balls, with half of the windows pasted, and with decoys in half of them besides:
milliseconds of one core for planning a window and for making it on the host, and milliseconds of
the clock for planning and drawing it on the device that Keras uses.
"""

import argparse
import time

import keras
import numpy as np

from keras_tracknet.training.batches.augment import Augmentation
from keras_tracknet.training.batches.window_batches import (
    LabelledFrames,
    WindowBatches,
    WindowConfig,
)
from keras_tracknet.training.device.batches import DeviceBatches
from keras_tracknet.training.device.plans import Planner

SIZE = (288, 512)
FRAMES = 60
CASES = {"plain": {}, "--paste 0.5": {"paste": 0.5}}
CASES["--paste 0.5 --decoys 0.5"] = {"paste": 0.5, "decoys": 0.5}


def film() -> LabelledFrames:
    """Return a clip of a white ball before a plain court on which something moves."""
    background = np.full((*SIZE, 3), (40, 120, 60), np.uint8)
    positions = 60 + np.arange(FRAMES)[:, None] * (5.0, 2.0)
    columns, rows = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    frames = np.repeat(background[None], FRAMES, axis=0)
    for frame, (x, y) in zip(frames, positions, strict=True):
        ball = 0.9 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 4.5)[..., None]
        frame[:] = (frame + ball * (245.0 - frame)).round()
    rng = np.random.default_rng(0)
    frames[:, 100:200, 200:300] = rng.integers(0, 256, (FRAMES, 100, 100, 3), dtype=np.uint8)
    return LabelledFrames(frames, background, positions, np.ones(FRAMES, bool))


def measure_draw(batches: DeviceBatches, count: int) -> float:
    """Return milliseconds a window of `count` batches, one after the other, on the clock."""
    keras.ops.convert_to_numpy(batches.batch(0, 0)[1])  # the first one compiles
    began = time.perf_counter()
    for number in range(count):
        targets = batches.batch(1 + number // len(batches), number % len(batches))[1]
    keras.ops.convert_to_numpy(targets)  # waits for all of them
    return 1000 * (time.perf_counter() - began) / (count * batches.batch_size)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--batches", type=int, default=10)
    options = parser.parse_args()
    clip = film()
    for name, pasting in CASES.items():
        augmentation = Augmentation(
            flip=0.5, brightness=0.1, contrast=0.2, crop=(160, 256), zoom=(0.8, 1.2), **pasting
        )
        host = WindowBatches(
            [clip],
            WindowConfig(8, 8, "concat"),
            batch_size=options.batch_size,
            augmentation=augmentation,
            mixup=0.5,
        )
        planner, milliseconds = Planner(host), {}
        planner.plan(0, 0)
        for what, make in (("planned", planner.plan), ("made by the host", host.batch)):
            began = time.process_time()
            for number in range(options.batches):
                make(1 + number // len(host), number % len(host))
            spent = time.process_time() - began
            milliseconds[what] = 1000 * spent / (options.batches * host.batch_size)
        milliseconds["planned and drawn"] = measure_draw(DeviceBatches(host), options.batches)
        print(f"{name}:", ", ".join(f"{w} {ms:.2f} ms" for w, ms in milliseconds.items()))
