"""LiteRT (TensorFlow Lite): runs exported `.tflite` files."""

from __future__ import annotations

import importlib.util
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.inference.engines.network import (
    DESCRIPTION,
    Description,
    Network,
    foreign_file,
    hint_missing,
)
from keras_tracknet.weights.model_file import hash_file
from keras_tracknet.weights.spec import DAMAGED_ARCHIVE, LARGEST_TEXT, read_member

NAME = "litert"
# What makes frames of another size fit and heatmaps positions, to a fraction of a pixel out of
# hundreds, for which int8 is too coarse. The network itself is made of other operations.
DECODING = (
    *("ABS", "ADD", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CAST", "DIV", "EQUAL", "FLOOR", "GREATER"),
    *("GREATER_EQUAL", "LESS_EQUAL", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "PACK", "PAD"),
    *("REDUCE_MAX", "REDUCE_MIN", "SELECT_V2", "STRIDED_SLICE", "SUB", "SUM", "TRANSPOSE"),
)


def is_installed() -> bool:
    """Return whether LiteRT can be used, alone or as a part of TensorFlow."""
    return any(importlib.util.find_spec(name) for name in ("ai_edge_litert", "tensorflow"))


class LiteRTNetwork(Network):
    """A network in LiteRT; one window at a time, on all cores.

    Args:
        path: a `.tflite` file with a description of itself.
    """

    def __init__(self, path: Path) -> None:
        described = read_description(path)
        try:
            self._interpreter = _make_interpreter(path)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InputError(
                f"{path}: LiteRT cannot run it ({_first_line(error)}); export it again."
            ) from error
        places = self._interpreter.get_input_details()
        # By shape: frames have one axis more than the background.
        self._inputs = sorted(places, key=lambda place: -len(place["shape"]))
        output = self._interpreter.get_output_details()[0]
        self._output = output["index"]
        described.check(path, [tuple(p["shape"]) for p in places], tuple(output["shape"]))
        super().__init__(
            described.spec, path, hash_file(path), NAME, described.precision, "cpu", 1,
            described.output, described.frame_size,
        )  # fmt: skip

    def run(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the outputs for a batch, see `Network.run`."""
        for place, array in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(place["index"], array)
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output))


def read_description(path: Path) -> Description:
    """Return what a `.tflite` file says of itself, in the archive that is appended to it.

    Raises:
        InputError: it is missing, or not this package's.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; use a file written by tracknet export.")
    if not zipfile.is_zipfile(path):
        raise foreign_file(path)
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGED_ARCHIVE as error:
        raise foreign_file(path) from error
    with archive:
        if DESCRIPTION not in archive.namelist():
            raise foreign_file(path)
        text = read_member(archive, DESCRIPTION, path, LARGEST_TEXT)
    return Description.from_json(text, path)


def quantize(folder: str, windows: Callable[[], Iterator[dict[str, np.ndarray]]]) -> bytes:
    """Return a LiteRT file whose network computes in int8, and whose positions in float32.

    Args:
        folder: a SavedModel.
        windows: yields what to calibrate on.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = windows
    # The converter itself has no means to leave operations as they are; its debugger does.
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=list(DECODING))
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=windows, debug_options=options
    )
    return bytes(debugger.get_nondebug_quantized_model())


def write_description(path: Path, described: Description) -> None:
    """Append a description to a `.tflite` file, as an archive, where LiteRT does not look."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(DESCRIPTION, described.as_json())


def _make_interpreter(path: Path) -> Any:
    threads = os.cpu_count() or 1
    if importlib.util.find_spec("ai_edge_litert") is not None:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(str(path), num_threads=threads)
    if importlib.util.find_spec("tensorflow") is None:
        raise hint_missing(NAME, "ai-edge-litert", "litert")
    import tensorflow as tf

    with warnings.catch_warnings():  # that LiteRT's own is to be preferred, as it is above
        warnings.filterwarnings("ignore", r"\s*Warning: tf.lite.Interpreter is deprecated")
        return tf.lite.Interpreter(str(path), num_threads=threads)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [repr(error)])[0]
