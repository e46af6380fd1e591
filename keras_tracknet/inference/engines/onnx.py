"""ONNX Runtime: runs exported `.onnx` files."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.inference.engines.network import (
    Description,
    Network,
    foreign_file,
    hint_missing,
)
from keras_tracknet.weights.model_file import hash_file
from keras_tracknet.weights.spec import Shape

NAME = "onnx"
ELSEWHERE = ("AzureExecutionProvider",)  # computes in a cloud, and nothing that is here
GPUS = ("CUDA", "Tensorrt", "ROCM", "MIGraphX", "Dml")  # providers that compute on one
KEY = "tracknet"  # of the description among a file's metadata


def is_installed() -> bool:
    """Return whether ONNX Runtime can be used."""
    return importlib.util.find_spec("onnxruntime") is not None


class OnnxNetwork(Network):
    """A network in ONNX Runtime; one window at a time, on a GPU where the runtime has one.

    Args:
        path: an `.onnx` file with a description of itself.
    """

    def __init__(self, path: Path) -> None:
        if not is_installed():
            raise hint_missing(NAME, "onnxruntime", "onnx")
        import onnxruntime

        if not path.is_file():
            raise InputError(f"{path}: no such file; use a file written by tracknet export.")
        try:
            here = [p for p in onnxruntime.get_available_providers() if p not in ELSEWHERE]
            self._session: Any = onnxruntime.InferenceSession(path, providers=here)
        except Exception as error:  # the runtime's own classes have no common ancestor
            raise InputError(f"{path}: ONNX Runtime cannot read it; export it again.") from error
        metadata = self._session.get_modelmeta().custom_metadata_map
        if KEY not in metadata:
            raise foreign_file(path)
        described = Description.from_json(metadata[KEY], path)
        shapes = [_shape(place) for place in self._session.get_inputs()]
        described.check(path, shapes, _shape(self._session.get_outputs()[0]))
        self._names = sorted(i.name.split(":")[0] for i in self._session.get_inputs())[::-1]
        # Those that could be loaded, the first of them for all that it can compute.
        provider = self._session.get_providers()[0].removesuffix("ExecutionProvider")
        device = "gpu:0" if provider in GPUS else provider.lower()
        super().__init__(
            described.spec, path, hash_file(path), NAME, described.precision, device, 1,
            described.output, described.frame_size,
        )  # fmt: skip

    def run(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the outputs for a batch, see `Network.run`."""
        named = dict(zip(self._names, inputs, strict=True))  # frames, then background
        return np.asarray(self._session.run(None, named)[0])


def _shape(place: Any) -> Shape:
    return [side if isinstance(side, int) else None for side in place.shape]


def repeat_pixels(model: Any) -> None:
    """Make an ONNX model's enlargements plain repetition, for which runtimes have a fast way.

    For whole factors it gives the same as TensorFlow's way to count pixels, which ONNX has
    deprecated.

    Args:
        model: an `onnx.ModelProto`, changed in place.
    """
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.s == b"tf_half_pixel_for_nn":
                attribute.s = b"asymmetric"


def halve(model: Any, *, keep: str) -> Any:
    """Return an ONNX model with weights and arithmetic in half precision.

    Args:
        model: an `onnx.ModelProto`.
        keep: part of the name of the nodes to leave in single precision.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    names = [node.name for node in model.graph.node if keep in node.name]
    return convert_float_to_float16(model, keep_io_types=True, node_block_list=names)


def quantize(path: Path, windows: Callable[[], Iterator[dict[str, np.ndarray]]]) -> None:
    """Make an ONNX file's convolutions compute in int8.

    Args:
        path: the file, replaced.
        windows: yields what to calibrate on.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.windows = windows()

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.windows, None)

    quantize_static(
        path,
        path,
        Reader(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
