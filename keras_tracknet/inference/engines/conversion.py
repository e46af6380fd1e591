"""Conversion of a Keras model file into the file of another runtime.

Keras exports from one backend or another, and a process has but one. So a conversion is a
process of its own, on the backend that the format needs, whatever this one computes with.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.shortage import explain_exit
from keras_tracknet.weights.spec import LARGEST_SIDE, ModelSpec, is_size

# Formats, the backend that Keras exports them from, and the packages that it takes besides.
FORMATS = {
    "saved-model": ("tensorflow", ("tensorflow",)),
    "tflite": ("tensorflow", ("tensorflow",)),
    "onnx": ("tensorflow", ("tensorflow", "tf2onnx", "onnxruntime")),
    "openvino": ("openvino", ("openvino",)),
}
SUFFIXES = {"saved-model": "", "tflite": ".tflite", "onnx": ".onnx", "openvino": ".xml"}
PRECISIONS = ("fp32", "fp16", "int8")
FAILED = "conversion failed: "


@dataclass(frozen=True)
class Conversion:
    """What is to become of a model file.

    Attributes:
        weights: the model file.
        target: file or folder to write.
        format: one of `FORMATS`.
        precision: one of `PRECISIONS`.
        output: `heatmaps` or `detections`.
        input_size: (height, width) of the network's input, pixels; the model file's when None.
        frame_size: (height, width) of the frames that go in, pixels; the network's when None.
        calibration: `.npz` file of windows to calibrate `int8` on, arrays named as the inputs.
    """

    weights: str
    target: str
    format: str
    precision: str = "fp32"
    output: str = "heatmaps"
    input_size: tuple[int, int] | None = None
    frame_size: tuple[int, int] | None = None
    calibration: str | None = None

    def check(self) -> None:
        """Raise `InputError` for what is not installed and `ValueError` for what there is not."""
        for name, known in (("format", FORMATS), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(known)}. Received: {getattr(self, name)!r}"
                )
        needed = [*FORMATS[self.format][1]]
        if self.format == "openvino" and self.precision == "int8":
            needed.append("nncf")
        missing = [package for package in needed if importlib.util.find_spec(package) is None]
        if missing:
            names = " and ".join(missing)
            raise InputError(
                f"export to {self.format} requires {names}; run: pip install {' '.join(missing)}"
            )
        if self.format == "saved-model" and self.precision != "fp32":
            raise InputError(
                f"format saved-model supports fp32 only; use another `format` for {self.precision}."
            )
        if self.precision == "int8" and self.calibration is None:
            raise InputError("int8 is calibrated on real frames; give videos as `calibrate`.")

    def find_sizes(self, spec: ModelSpec) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the sizes of the network's input and of the frames that go in, pixels.

        Args:
            spec: of the model file.

        Raises:
            InputError: sizes that the network cannot have.
        """
        wanted = self.input_size or spec.input_size
        if wanted != spec.input_size:
            if spec.version in ("v1", "v5"):
                raise InputError(
                    f"{self.weights}: a {spec.version.upper()} network has a fixed input size;"
                    " remove `input_size`."
                )
            if not is_size(wanted) or any(side % 8 for side in wanted):
                raise InputError(
                    f"input size {wanted[0]}x{wanted[1]} is not supported: both sides must be"
                    f" multiples of 8, up to {LARGEST_SIDE}."
                )
        size = self.frame_size or wanted
        if size != wanted and spec.fit != "stretch":
            raise InputError(
                f"{self.weights}: does not resize frames inside the network; export it without"
                " `frame_size`."
            )
        if not is_size(size) or size[0] < wanted[0] or size[1] < wanted[1]:
            raise InputError(
                f"frame size {size[0]}x{size[1]} is not supported: it must be between the input"
                f" size, {wanted[0]}x{wanted[1]}, and {LARGEST_SIDE}x{LARGEST_SIDE}."
            )
        return wanted, size

    def run(self) -> None:
        """Convert, in a process of its own; the target appears complete or not at all.

        Raises:
            InputError: something is missing, or the conversion failed.
        """
        self.check()
        environment = {**os.environ, "KERAS_BACKEND": FORMATS[self.format][0]}
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        code = "from keras_tracknet.inference.engines.converters import main; main()"
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, json.dumps(asdict(self))],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = done.stderr.splitlines()
            told = [line.removeprefix(FAILED) for line in lines if line.startswith(FAILED)]
            if told:
                raise InputError(told[0])
            reason = explain_exit(done.returncode, done.stderr)
            raise InputError(f"{self.weights}: export to {self.format} failed ({reason}).")

    @classmethod
    def from_json(cls, text: str) -> Conversion:
        """Read what `run` hands over."""
        content: dict[str, Any] = json.loads(text)
        sizes = {k: tuple(v) for k, v in content.items() if k.endswith("_size") and v}
        return cls(**{**content, **sizes})

    @property
    def folder(self) -> Path:
        """Where the target is to be."""
        return Path(self.target).parent
