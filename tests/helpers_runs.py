"""Short training runs, and what to compare of them."""

import csv
from contextlib import contextmanager

import numpy as np
import pytest
from helpers_reporters import Notebook

from keras_tracknet.training.config import FitConfig
from keras_tracknet.weights.model_file import load_model

SIZE = (32, 64)  # (height, width) of the model's input
CLIP_FRAMES = 12
DOTS = [(6 + 8 * frame % 50, 18) for frame in range(CLIP_FRAMES)]  # as the clips show them


def configure(data, output, version="v2", **settings):
    usual = {
        "v1": {"input_size": SIZE},
        "v2": {"input_size": SIZE},
        "v3": {"input_size": SIZE, "frames": 4},
        "v4": {"input_size": SIZE, "base": "v3"},
        "v5": {"input_size": (32, 48)},
        "wasb": {"input_size": SIZE},
        "rectifier": {"frames": 8},
        "linker": {"frames": 8, "tracks": str(output)},
    }
    return FitConfig(
        version=version,
        data=str(data),
        output=str(output),
        **{"epochs": 1, "width": 0.1, "precision": "float32", "validation": ("c",)}
        | usual[version]
        | settings,
    )


class Interrupter(Notebook):
    """Presses Ctrl-C at a step of a piece of work, or when something is noted."""

    def __init__(self, work="", step=0, note=None):
        super().__init__()
        self.work, self.step, self.awaited = work, step, note

    def note(self, message):
        super().note(message)
        if self.awaited and message.startswith(self.awaited):
            raise KeyboardInterrupt

    @contextmanager
    def track(self, description, total=None, *, unit="items"):
        def advance(n=1, **_figures):
            if self.work and description.startswith(self.work):
                self.step -= n
                if self.step == 0:
                    raise KeyboardInterrupt

        yield advance


def read_weights(path):
    return load_model(path).model.get_weights()


def assert_same_weights(path, other):
    for array, twin in zip(read_weights(path), read_weights(other), strict=True):
        np.testing.assert_allclose(array, twin, atol=1e-5)


def assert_same_history(rows, others):
    """Compare histories but for the time."""
    assert len(rows) == len(others)
    for row, other in zip(rows, others, strict=True):
        assert row.keys() == other.keys()
        timeless = {name: value for name, value in other.items() if name != "seconds"}
        assert {name: row[name] for name in timeless} == pytest.approx(timeless, abs=1e-5)


def read_history(folder):
    with open(folder / "history.csv", newline="") as file:
        return [{n: float(v) for n, v in row.items()} for row in csv.DictReader(file)]
