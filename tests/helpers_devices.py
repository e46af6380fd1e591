"""What runs give on the devices there are: `python helpers_devices.py FOLDER NAME...`.

FOLDER holds clips; every run named is a folder in it, with what it told in NAME.json. A name that
begins with `one` is of a run that sees a single device.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from helpers_trackers import SIZE, shorten_networks

from keras_tracknet.errors import InputError
from keras_tracknet.progress import Reporter
from keras_tracknet.training import devices
from keras_tracknet.training.config import FitConfig
from keras_tracknet.training.hosts import join_hosts
from keras_tracknet.training.loop import plan_fit, run_plan

USUAL: dict[str, Any] = {
    "version": "v3",
    "frames": 4,
    "input_size": SIZE,
    "precision": "float32",
    "validation": ("c",),  # three windows, which two devices do not divide
    "epochs": 2,
    "batch_size": 4,
    "learning_rate": 1e-2,
}
CLASSES = {"version": "v1", "frames": None, "schedule": "constant", "width": 0.1, "epochs": 1}
RUNS: dict[str, dict[str, Any]] = {
    "one": {},
    "two": {},
    "cut": {},  # stopped and resumed
    "hosts": {},
    "one_v1": CLASSES,
    "two_v1": CLASSES,
    "odd_hosts": {"epochs": 1, "batch_size": 3},
}


class Listener(Reporter):
    """Keeps the loss of every step and the warnings; presses Ctrl-C after `stop` steps."""

    def __init__(self, stop: int | None = None) -> None:
        self.losses: list[float] = []
        self.warnings: list[str] = []
        self.stop = stop

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    @contextmanager
    def track(self, description, total=None, *, unit="items"):
        def advance(n=1, **figures):
            if "loss" in figures:
                self.losses.append(figures["loss"])
                if len(self.losses) == self.stop:
                    raise KeyboardInterrupt

        yield advance


def train(folder: Path, name: str) -> dict[str, Any]:
    """Train a run of `RUNS`; return what it told."""
    config = FitConfig(data=str(folder / "clips"), output=str(folder / name), **USUAL | RUNS[name])
    reporter, resume = Listener(), False
    if name == "cut":
        with suppress(KeyboardInterrupt):
            run_plan(plan_fit(config), Listener(stop=6))
        resume = True
    try:
        plan = plan_fit(config, resume=resume, reporter=reporter)
    except InputError as error:
        return {"error": str(error)}
    history = run_plan(plan, reporter)
    return {
        "network": plan.describe()[0],
        "history": history,
        "losses": reporter.losses,
        "warnings": reporter.warnings,
    }


def split_cpu() -> None:
    """Have TensorFlow see two devices; JAX is told by a variable."""
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def main(folder: Path, *names: str) -> None:
    """Train runs one after the other and write down what they told."""
    if os.environ["KERAS_BACKEND"] == "tensorflow" and "TF_CONFIG" not in os.environ:
        split_cpu()
    for name in names:
        with pytest.MonkeyPatch.context() as patch:
            shorten_networks(patch)
            if name.startswith("one"):
                patch.setattr(devices, "list_devices", lambda: ["cpu:0"])
            told = train(folder, name)
        if join_hosts().index == 0:
            (folder / f"{name}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
