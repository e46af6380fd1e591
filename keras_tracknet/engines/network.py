"""What every engine makes of a network: something that takes windows and answers."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.model_file import ModelSpec, known_fields

DESCRIPTION = "tracknet.json"  # beside or inside every exported file


@dataclass(frozen=True)
class Description:
    """What an exported file says of itself.

    Attributes:
        spec: how the network is fed and read.
        answers: `heatmaps` or `detections`.
        frame_size: (height, width) of the frames that go in, pixels.
        precision: `fp32`, `fp16` or `int8`.
        provenance: which weights it was made of, by which versions.
    """

    spec: ModelSpec
    answers: str
    frame_size: tuple[int, int]
    precision: str
    provenance: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        """Return it as text."""
        return json.dumps({**asdict(self), "colour_order": "RGB"})

    @classmethod
    def from_json(cls, text: str, path: Path) -> Description:
        """Read it back.

        Raises:
            InputError: it is not what this package wrote.
        """
        try:
            content = json.loads(text)
            spec = ModelSpec(**known_fields(content["spec"]))
            size = (int(content["frame_size"][0]), int(content["frame_size"][1]))
            return cls(spec, content["answers"], size, content["precision"], content["provenance"])
        except (ValueError, KeyError, TypeError) as error:
            raise foreign_file(path) from error


def foreign_file(path: Path) -> InputError:
    """Return the error that a file was not exported by this package."""
    return InputError(f"{path}: says nothing of a tracker; give a file that tracknet export wrote.")


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
        answers: `heatmaps` or `detections`.
        frame_size: (height, width) of the frames that go in, pixels.
    """

    spec: ModelSpec
    path: Path
    sha256: str
    engine: str
    precision: str
    device: str
    batch_size: int
    answers: str
    frame_size: tuple[int, int]

    @abstractmethod
    def run(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the answers to a batch.

        Args:
            inputs: of a tracker `(batch_size, frames, height, width, 3)` uint8 and, if it
                needs it, the background `(batch_size, height, width, 3)` uint8; of a rectifier
                coordinates `(windows, window, 2)` and mask `(windows, window, 1)` float32.

        Returns:
            `(batch_size, heatmaps, height, width)`, `(batch_size, heatmaps, 3)`, or a
            rectifier's `(windows, window, 2)`, float32.
        """


def hint_missing(name: str, package: str, extra: str) -> InputError:
    """Return the error that an engine's library is not installed."""
    return InputError(
        f"engine {name} needs {package}: pip install {package}, or 'keras_tracknet[{extra}]'."
    )
