import importlib.util
import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers_clips import write_labels, write_video

from keras_tracknet.errors import InputError
from keras_tracknet.training import devices, hosts
from keras_tracknet.training.config import FitConfig
from keras_tracknet.training.devices import (
    Devices,
    SharedBatches,
    choose_devices,
)
from keras_tracknet.training.hosts import Hosts, join_hosts
from keras_tracknet.weights.model_file import load_model

SCRIPT = Path(__file__).parents[1] / "helpers_devices.py"
TWO_CPUS = "--xla_backend_optimization_level=0 --xla_force_host_platform_device_count=2"


def write_clips(folder):
    """Three clips of twelve frames; in the last four the ball is away."""
    (folder / "clips").mkdir()
    for number, name in enumerate("abc"):
        write_video(folder / "clips" / f"{name}.mp4", 12, shade=20 + 30 * number)
        rows = [(f, 1, 6 + 8 * f % 50, 18) if f < 8 else (f, 0, 0, 0) for f in range(12)]
        write_labels(folder / "clips" / f"{name}.csv", rows)
    return folder


def start(backend, folder, *runs, **environment):
    """Train runs in a process of its own."""
    settings = {"KERAS_BACKEND": backend, "TRACKNET_CACHE": str(folder / "cache")}
    return subprocess.Popen(
        [sys.executable, SCRIPT, folder, *runs],
        env={**os.environ, "OMP_NUM_THREADS": "1", **settings, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(*processes):
    try:
        for process in processes:
            _, errors = process.communicate(timeout=1200)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def read(folder, run):
    return json.loads((folder / f"{run}.json").read_text())


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def backend(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def trained(backend, tmp_path_factory):
    """A folder of runs on one and on two devices."""
    folder = write_clips(tmp_path_factory.mktemp(backend))
    runs = ("one", "two", "cut", "one_v1", "two_v1")
    finish(start(backend, folder, *runs, XLA_FLAGS=TWO_CPUS))
    return folder


def assert_same_history(rows, others):
    for row, other in zip(rows, others, strict=True):
        names = other.keys() - {"seconds"}
        assert {n: row[n] for n in names} == pytest.approx({n: other[n] for n in names}, rel=1e-3)


@pytest.mark.parametrize(("one", "two"), [("one", "two"), ("one_v1", "two_v1")])
def test_two_devices_give_the_losses_of_one(trained, one, two):
    alone, shared = read(trained, one), read(trained, two)
    assert "devices" not in alone["network"]
    assert shared["network"].endswith(", 2 devices")
    assert len(shared["losses"]) == 8 - 2 * ("v1" in one)
    assert shared["losses"] == pytest.approx(alone["losses"], rel=1e-3)
    assert_same_history(shared["history"], alone["history"])
    assert shared["warnings"] == []


def test_run_on_two_devices_ends_as_planned_when_resumed(trained):
    whole, cut = read(trained, "two")["history"], read(trained, "cut")["history"]
    assert_same_history(cut, whole)


def test_model_trained_on_two_devices_loads_everywhere(trained):
    with zipfile.ZipFile(trained / "two" / "best.keras") as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    norms = [layer for layer in layers if layer["class_name"] == "BatchNormalization"]
    assert [layer["config"]["synchronized"] for layer in norms] == [False]


def find_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def name_hosts(backend):
    """The environments of two hosts on this machine."""
    addresses = [f"127.0.0.1:{find_port()}" for _ in range(2)]
    if backend == "jax":
        names = ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
        return [
            {
                f"KERAS_DISTRIBUTION_{name}": value
                for name, value in zip(names, (addresses[0], "2", str(index)), strict=True)
            }
            | {"XLA_FLAGS": "--xla_backend_optimization_level=0"}
            for index in range(2)
        ]
    cluster = {"worker": addresses}
    return [
        {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})}
        for index in range(2)
    ]


def test_two_hosts_give_the_losses_of_one(backend, trained):
    hosts = name_hosts(backend)
    finish(*(start(backend, trained, "odd_hosts", "hosts", **host) for host in hosts))
    alone, shared = read(trained, "one"), read(trained, "hosts")
    assert shared["network"].endswith(", 2 devices of 2 hosts")
    assert shared["losses"] == pytest.approx(alone["losses"], rel=1e-3)
    assert_same_history(shared["history"], alone["history"])
    assert load_model(trained / "hosts" / "best.keras").training["history"]
    assert "multiple of 2" in read(trained, "odd_hosts")["error"]


# --- the parts of a batch


class Numbers:
    """Batches of the numbers 0 to `windows`; the last one may be short."""

    def __init__(self, windows, batch_size):
        self.windows, self.batch_size = windows, batch_size

    def __len__(self):
        return -(-self.windows // self.batch_size)

    def batch(self, epoch, number):
        stop = min(self.windows, (number + 1) * self.batch_size)
        values = np.arange(number * self.batch_size, stop, dtype=np.float32)
        return values[:, None], values


def make_devices(count, hosts=1, index=0):
    return Devices(count, Hosts(hosts, index), strategy=object())


@pytest.mark.parametrize(
    ("windows", "batch_size", "count"),
    [
        (9, 4, 2),  # a last batch of one
        (8, 4, 4),  # nothing to fill up
        (5, 4, 8),  # more devices than windows in a batch
        (1, 4, 2),
    ],
)
@pytest.mark.parametrize("hosts", [1, 2])
def test_every_window_counts_once(windows, batch_size, count, hosts):
    batches = Numbers(windows, batch_size)
    total = counted = 0.0
    for index in range(hosts):
        shared = SharedBatches(batches, make_devices(count, hosts, index))
        assert shared.batch_size % count == 0
        for number in range(len(shared)):
            inputs, targets, *weights = shared.batch(0, number)
            assert len(inputs) == len(targets) == shared.batch_size // hosts
            (weight,) = weights or [np.ones(len(targets))]
            total += (weight * targets).sum()  # as Keras adds up the losses of an epoch
            counted += len(targets)
    assert total / counted == pytest.approx(np.arange(windows).mean())


def test_hosts_parts_make_up_the_batch():
    parts = [SharedBatches(Numbers(8, 8), make_devices(4, 2, i)).batch(0, 0)[1] for i in (0, 1)]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(8))


# --- which devices


class Notebook(devices.Reporter):
    def __init__(self):
        self.warnings = []

    def warn(self, message):
        self.warnings.append(message)


@pytest.fixture
def alone(monkeypatch):
    """No hosts in the environment, and none remembered."""
    for name in (hosts.JAX_HOSTS, hosts.TENSORFLOW_HOSTS):
        monkeypatch.delenv(name, raising=False)
    join_hosts.cache_clear()
    yield monkeypatch
    join_hosts.cache_clear()


def test_batches_that_do_not_divide_leave_devices_out(alone):
    alone.setattr(devices, "list_devices", lambda: ["gpu:0", "gpu:1"])
    alone.setattr(devices.keras.backend, "backend", lambda: "jax")
    reporter = Notebook()
    assert choose_devices(FitConfig(batch_size=3), reporter) == Devices()
    (warning,) = reporter.warnings
    assert "batches of 3 use only 1 of 2 devices; set `batch_size` to a multiple of 2" in warning


def test_rectifier_has_one_device(alone):
    alone.setattr(devices, "list_devices", lambda: ["gpu:0", "gpu:1"])
    reporter = Notebook()
    assert choose_devices(FitConfig(version="rectifier"), reporter) == Devices()
    assert reporter.warnings == []


def test_pytorch_says_that_it_uses_one_device(alone):
    alone.setattr(devices.keras.backend, "backend", lambda: "torch")
    alone.setattr(devices, "list_devices", lambda: ["gpu:0", "gpu:1"])
    reporter = Notebook()
    assert choose_devices(FitConfig(), reporter) == Devices()
    assert "PyTorch trains on one of 2 devices; set KERAS_BACKEND=jax" in reporter.warnings[0]


@pytest.mark.parametrize("backend_name", ["tensorflow", "torch"])
def test_hosts_of_another_backend_are_refused(alone, backend_name):
    alone.setattr(devices.keras.backend, "backend", lambda: backend_name)
    alone.setenv(hosts.JAX_HOSTS, "2")
    with pytest.raises(InputError, match="KERAS_DISTRIBUTION_NUM_PROCESSES requires JAX"):
        join_hosts()


@pytest.mark.parametrize("config", ["{", '{"cluster": {"worker": ["a:1", "b:1"]}}'])
def test_unreadable_hosts_are_an_input_error(alone, config):
    alone.setattr(devices.keras.backend, "backend", lambda: "tensorflow")
    alone.setenv(hosts.TENSORFLOW_HOSTS, config)
    with pytest.raises(
        InputError, match=r"connecting to the other hosts failed .*; check TF_CONFIG"
    ):
        join_hosts()


def test_rectifier_is_refused_on_several_hosts(alone):
    alone.setattr(devices, "join_hosts", lambda: Hosts(2, 0))
    with pytest.raises(InputError, match="the rectifier trains on a single host"):
        choose_devices(FitConfig(version="rectifier"), Notebook())


def test_only_the_first_host_writes_the_run_folder(tmp_path):
    with make_devices(2, 2, 0).own_folder(tmp_path) as folder:
        assert folder == tmp_path
    with make_devices(2, 2, 1).own_folder(tmp_path) as folder:
        assert folder not in (tmp_path, *tmp_path.parents)
        (folder / "last.keras").touch()
    assert not folder.exists()
