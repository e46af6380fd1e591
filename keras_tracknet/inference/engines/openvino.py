"""OpenVINO: the fastest engine on x86 CPUs; runs its own files, and Keras files by conversion.

A Keras file is converted once, by Keras itself on its OpenVINO backend in a process of its own,
so that neither TensorFlow nor any other framework is loaded here. The result is kept in the
cache, and what OpenVINO compiles it to beside it.
"""

from __future__ import annotations

import importlib.util
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.folders import cache_folder
from keras_tracknet.inference.engines.conversion import Conversion
from keras_tracknet.inference.engines.network import (
    TRACK_OUTPUTS,
    Description,
    Network,
    foreign_file,
    hint_missing,
)
from keras_tracknet.weights.model_file import hash_file
from keras_tracknet.weights.spec import TRACK_VERSIONS, ModelSpec, Shape

NAME = "openvino"
KEY = "tracknet"  # of the description in a file's runtime information
CONVERSION = 3  # counts up when the same weights become another file
INT8 = "int8"
PRECISIONS = {"float32": "f32", "mixed_bfloat16": "bf16", "mixed_float16": "f16"}


def is_installed() -> bool:
    """Return whether OpenVINO can be used."""
    return importlib.util.find_spec("openvino") is not None


@cache
def get_core() -> Any:
    """Return the runtime: one for the process, and until its end.

    Each lays a stack of its own for signals, and takes it away when it goes, so that of two that
    have gone Ctrl-C would meet none: a segmentation fault.
    """
    import openvino

    return openvino.Core()


class OpenVINONetwork(Network):
    """A network in OpenVINO.

    Each window of a batch runs on cores of its own, which is faster than all cores sharing one.

    Args:
        path: an OpenVINO `.xml` file with a description of itself, its weights beside it.
        precision: `auto`, which is bfloat16 where the hardware has it, a Keras dtype policy, or
            `int8` for a file that was exported in it; such a file is never run in another.
        batch_size: windows at once.
        source: the weights that the file was converted from, and their SHA-256, for summaries.

    Attributes:
        operations: arithmetic operations that the convolutions of one window take.
        streams: windows that are computed at the same time.
        threads: of all streams together.
    """

    concurrent: ClassVar[bool] = True

    def __init__(
        self,
        path: Path,
        *,
        precision: str = "auto",
        batch_size: int = 2,
        source: tuple[Path, str] | None = None,
    ) -> None:
        if not is_installed():
            raise hint_missing(NAME, "openvino", "openvino")
        core = get_core()
        try:
            model = core.read_model(path)
        except RuntimeError as error:
            raise InputError(f"{path}: OpenVINO cannot read it; export it again.") from error
        described = read_description(model, path)
        described.check(path, [_shape(port) for port in model.inputs], _shape(model.outputs[0]))
        if precision == "auto":
            has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "mixed_bfloat16" if has_bf16 else "float32"
        sees_tracks = described.spec.version in TRACK_VERSIONS
        if precision == INT8 and not sees_tracks and described.precision != INT8:
            raise InputError(
                f'{path}: was not exported in int8; export it again with `precision="int8"`.'
            )
        if sees_tracks or described.output == "detections" or described.precision == INT8:
            precision = "float32"  # positions need more than bfloat16's eight bits
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
            "NUM_STREAMS": str(batch_size),
            "CACHE_DIR": str(_make_cache()),
        }
        try:
            self._compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            reason = str(error).strip().rpartition("\n")[2]
            raise InputError(
                f"{path}: OpenVINO cannot run it ({reason}); export it again."
            ) from error
        self.operations = count_operations(model)
        self.streams = self._compiled.get_property("NUM_STREAMS")
        self.threads = self._compiled.get_property("INFERENCE_NUM_THREADS")
        # Of two batches: while one is finished and the next prepared, another one is computed.
        self._idle = deque(self._compiled.create_infer_request() for _ in range(2 * batch_size))
        # Frames before the background, coordinates before the mask: formats have their own order.
        shapes = [tuple(port.partial_shape.get_max_shape()) for port in self._compiled.inputs]
        self._order = sorted(range(len(shapes)), key=lambda k: (-len(shapes[k]), -shapes[k][-1]))
        where, sha256 = source or (path, hash_file(path.with_suffix(".bin")))
        super().__init__(
            described.spec, where, sha256, NAME,
            INT8 if described.precision == INT8 else precision, "cpu", batch_size,
            described.output, described.frame_size,
        )  # fmt: skip

    def run(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the outputs for a batch, see `Network.run`."""
        firsts = range(0, len(inputs[0]), self.batch_size)
        parts = [[array[k : k + self.batch_size] for array in inputs] for k in firsts]
        return np.concatenate([self.start(part)() for part in parts])

    def start(self, inputs: Sequence[np.ndarray]) -> Callable[[], np.ndarray]:
        """Start a batch, see `Network.start`; a second one may wait behind it."""
        busy = [self._idle.popleft() for _ in inputs[0]]
        for place, request in enumerate(busy):
            window = {
                k: array[place : place + 1] for k, array in zip(self._order, inputs, strict=True)
            }
            request.start_async(window, share_inputs=True)

        def finish() -> np.ndarray:
            outputs = []
            for request in busy:
                request.wait()
                outputs.append(np.array(request.get_output_tensor(0).data[0]))
            self._idle.extend(busy)
            return np.stack(outputs)

        return finish


def count_operations(model: Any) -> int:
    """Return the multiplications and additions of an OpenVINO model's convolutions."""
    total = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Convolution":
            kernel, output = node.input(1).get_shape(), node.get_output_shape(0)
            total += 2 * int(np.prod(kernel[1:])) * int(np.prod(output))
    return total


def convert_weights(path: Path, sha256: str) -> Path:
    """Return the OpenVINO file of a Keras model file, made on the first call.

    Args:
        path: the model file.
        sha256: its hash, by which the result is found again.

    Raises:
        InputError: the conversion failed.
    """
    target = _make_cache() / f"{sha256[:32]}-{CONVERSION}.xml"
    if target.is_file() and target.with_suffix(".bin").is_file():
        return target
    Conversion(str(path), str(target), NAME).run()
    return target


def find_int8(path: Path, sha256: str) -> Path:
    """Return the file of the same network in int8, `<name>.int8.xml` beside the weights.

    Args:
        path: the model file.
        sha256: its hash, which the other file has noted.

    Raises:
        InputError: there is none, or it is of other weights.
    """
    made = path.with_suffix(f".{INT8}.xml")
    command = (
        f"tracknet export --weights {path} --format openvino --precision int8 --heatmaps"
        f" --calibrate VIDEO -o {made}"
    )
    if not made.is_file():
        raise InputError(f"{path}: {made.name} is missing next to it; write it with: {command}")
    described = read_description(get_core().read_model(made), made)
    if described.provenance.get("sha256") != sha256:
        raise InputError(
            f"{made}: was made from other weights than {path.name}; write it again with: {command}"
        )
    return made


def write_network(model: Any, path: Path, described: Description, *, half: bool = False) -> None:
    """Write an OpenVINO model with its description.

    Args:
        model: an `openvino.Model`.
        path: file to write, ending in `.xml`; the weights go beside it.
        described: what it says of itself.
        half: whether to keep the weights in half precision.
    """
    import openvino

    model.set_rt_info(described.as_json(), KEY)
    openvino.save_model(model, path, compress_to_fp16=half)


def quantize(model: Any, windows: Callable[[], Iterator[dict[str, np.ndarray]]]) -> Any:
    """Return an OpenVINO model whose network computes in int8, by NNCF.

    What follows the last convolution makes positions out of heatmaps, to a fraction of a pixel of
    hundreds; it stays as it is.

    Args:
        model: an `openvino.Model`.
        windows: yields what to calibrate on.
    """
    import nncf
    from openvino.passes import ConstantFolding, Manager

    folding = Manager()  # weights that pass a transposition would stay as they are
    folding.register_pass(ConstantFolding())
    folding.run_passes(model)
    nodes = model.get_ordered_ops()
    last = max(k for k, node in enumerate(nodes) if node.get_type_name() == "Convolution")
    names = [node.get_friendly_name() for node in nodes[last + 1 :]]
    calibration = list(windows())
    dataset = nncf.Dataset(
        calibration,
        lambda window: {
            place: window[port.get_node().friendly_name] for place, port in enumerate(model.inputs)
        },
    )
    return nncf.quantize(
        model,
        dataset,
        subset_size=len(calibration),
        ignored_scope=nncf.IgnoredScope(names=names, validate=False),
    )


def read_description(model: Any, path: Path) -> Description:
    """Return what an OpenVINO model says of itself.

    Raises:
        InputError: nothing.
    """
    try:
        text = model.get_rt_info(KEY).astype(str)
    except RuntimeError as error:
        raise foreign_file(path) from error
    return Description.from_json(text, path)


def _shape(port: Any) -> Shape:
    return [side.get_length() if side.is_static else None for side in port.partial_shape]


def describe_track_network(spec: ModelSpec) -> Description:
    """Return the description of a rectifier or linker, which always run in single precision."""
    output = TRACK_OUTPUTS[spec.version]
    return Description(replace(spec, notes={}), output, (0, 0), "fp32")


def _make_cache() -> Path:
    """Return the folder of converted and compiled networks, made if need be."""
    folder = cache_folder("engines")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: networks cannot be cached there ({error.strerror or error}); set"
            " TRACKNET_CACHE to another folder."
        ) from error
    return folder
