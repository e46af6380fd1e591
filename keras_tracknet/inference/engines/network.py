"""The interface of all engines: a network that takes windows and returns outputs."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.inference.engines.conversion import PRECISIONS
from keras_tracknet.weights.spec import (
    CANDIDATES,
    FORMAT,
    ModelSpec,
    Shape,
    check_shapes,
    check_value,
    damaged,
    is_size,
    one_of,
    parse_specification,
)

DESCRIPTION = "tracknet.json"  # beside or inside every exported file
OUTPUTS = ("heatmaps", "detections")
TRACK_OUTPUTS = {"rectifier": "positions", "linker": "choices"}


@dataclass(frozen=True)
class Description:
    """What an exported file says of itself.

    Attributes:
        spec: how the network is fed and read.
        output: `heatmaps` or `detections`.
        frame_size: (height, width) of the frames that go in, pixels.
        precision: `fp32`, `fp16` or `int8`.
        provenance: which weights it was made of, by which versions.
    """

    spec: ModelSpec
    output: str
    frame_size: tuple[int, int]
    precision: str
    provenance: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        """Return it as text."""
        return json.dumps({"format": FORMAT, **asdict(self), "colour_order": "RGB"})

    @classmethod
    def from_json(cls, text: bytes | str, path: Path) -> Description:
        """Read it back.

        Raises:
            InputError: it is not what this package wrote.
        """
        spec, content = parse_specification(text, path)
        size: Any = content.get("frame_size")
        size = tuple(size) if isinstance(size, list) else size
        output: Any = content.get("output")
        precision: Any = content.get("precision")
        provenance = content.get("provenance", {})
        try:
            own = TRACK_OUTPUTS.get(spec.version)
            known = (own,) if own else OUTPUTS
            check_value("output", output, *one_of(known))
            check_value("precision", precision, *one_of(PRECISIONS))
            check_value("frame_size", size, is_size, "(height, width)")
            check_value("colour_order", content.get("colour_order", "RGB"), *one_of(("RGB",)))
            check_value("provenance", provenance, lambda it: isinstance(it, dict), "a dictionary")
        except ValueError as error:
            raise damaged(path, str(error).rstrip(".")) from error
        return cls(spec, output, size, precision, provenance)

    def check(self, path: Path, inputs: Sequence[Shape], output: Shape) -> None:
        """Compare it with the network's own shapes, the batch first.

        Args:
            path: the file, for messages.
            inputs: in any order.
            output: of the only output.

        Raises:
            InputError: they differ.
        """
        spec, frames = self.spec, self.spec.frames
        expected: list[Shape]
        if spec.version == "rectifier":
            expected = [(None, frames, 2), (None, frames, 1), (None, frames, 2)]
        elif spec.version == "linker":
            expected = [(None, frames, CANDIDATES, 3), (None, frames, CANDIDATES + 1)]
        else:
            expected = [(None, frames, *self.frame_size, 3)]
            if spec.background != "none":
                expected.append((None, *self.frame_size, 3))
            maps = (None, spec.heatmaps)
            expected.append((*maps, *(spec.input_size if self.output == "heatmaps" else (3,))))
        # The larger input first: formats have their own order.
        ordered = sorted(inputs, key=lambda shape: (-len(shape), -(shape[-1] or 0)))
        check_shapes(path, spec, expected, [*ordered, output])


def foreign_file(path: Path) -> InputError:
    """Return the error that a file was not exported by this package."""
    return InputError(
        f"{path}: was not exported by keras_tracknet; use a file written by tracknet export."
    )


@dataclass
class Network(ABC):
    """A network that an engine has made ready to run.

    Attributes:
        spec: how it is fed and read.
        path: where its weights were read from.
        sha256: of that file.
        engine: name of the engine.
        precision: what it computes in, in the engine's own words.
        device: `cpu`, `gpu:0` or the like.
        batch_size: windows that `run` takes at once.
        output: `heatmaps` or `detections`.
        frame_size: (height, width) of the frames that go in, pixels.
        concurrent: whether windows are computed independently. Then a batch may be shorter, and
            the next one can be started before this one is finished.
    """

    concurrent: ClassVar[bool] = False

    spec: ModelSpec
    path: Path
    sha256: str
    engine: str
    precision: str
    device: str
    batch_size: int
    output: str
    frame_size: tuple[int, int]

    @abstractmethod
    def run(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the outputs for a batch.

        Args:
            inputs: of a tracker `(batch_size, frames, height, width, 3)` uint8 and, if it
                needs it, the background `(batch_size, height, width, 3)` uint8; of a rectifier
                coordinates `(windows, window, 2)` and mask `(windows, window, 1)` float32; of a
                linker `(windows, window, candidates, 3)` float32.

        Returns:
            `(batch_size, heatmaps, height, width)`, `(batch_size, heatmaps, 3)`, a rectifier's
            `(windows, window, 2)`, or a linker's `(windows, window, candidates + 1)`, float32.
        """

    def start(self, inputs: Sequence[np.ndarray]) -> Callable[[], np.ndarray]:
        """Start a batch, and return a function that waits for its outputs.

        Args:
            inputs: as for `run`; they must not change before the outputs are there.
        """
        outputs = self.run(inputs)
        return lambda: outputs


def hint_missing(name: str, package: str, extra: str | None = None) -> InputError:
    """Return the error that an engine's library is not installed.

    Args:
        name: of the engine.
        package: of the library.
        extra: of this package that installs it, if any does.
    """
    other = f", or 'keras_tracknet[{extra}]'" if extra else ""
    return InputError(f"engine {name} requires {package}; run: pip install {package}{other}")
