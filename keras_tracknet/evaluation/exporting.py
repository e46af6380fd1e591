"""Export: a tracker as a file that other runtimes take, tried against the tracker itself."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.evaluation.sampling import find_videos, sample_windows
from keras_tracknet.evaluation.verification import (
    TOLERANCES,
    Verification,
    choose_windows,
    compare_export,
)
from keras_tracknet.files import explain_writing, write_json
from keras_tracknet.inference.engines import open_network
from keras_tracknet.inference.engines.conversion import SUFFIXES, Conversion
from keras_tracknet.inference.engines.exports import check_place
from keras_tracknet.progress import Reporter
from keras_tracknet.synthetic import write_rallies
from keras_tracknet.weights.model_file import read_spec
from keras_tracknet.weights.spec import TRACK_VERSIONS

CALIBRATION_WINDOWS = 64


def export(
    weights: Path | str,
    output: Path | str,
    *,
    format: str,
    precision: str = "fp32",
    end_to_end: bool = True,
    input_size: tuple[int, int] | None = None,
    frame_size: tuple[int, int] | None = None,
    calibrate: Path | None = None,
    verify: bool = False,
    data: Path | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> Verification | None:
    """Write a tracker as a file that another runtime takes.

    The file takes a window of frames, uint8 RGB, and the background where the network sees it;
    all that is done to them is inside. Its own description says which network it is of.

    Args:
        weights: a `.keras` model file.
        output: file or folder to write; it appears complete, or what is there stays.
        format: `saved-model`, `tflite`, `onnx` or `openvino`.
        precision: `fp32`; `fp16`, half the size; `int8`, a quarter, calibrated on real frames.
        end_to_end: whether positions come out, `(1, heatmaps, 3)` x, y and confidence, 0 to 1;
            else heatmaps `(1, heatmaps, height, width)`.
        input_size: (height, width) of the network's input, pixels; the weights' when None.
        frame_size: (height, width) of the frames that go in, pixels; shrunk inside when they
            are larger than the input. The input's when None.
        calibrate: a video, or a folder of them, to calibrate `int8` on.
        verify: whether to run the file beside the model and compare.
        data: labelled clips or a video to verify on; those to calibrate on, or a rendered
            rally, when None.
        overwrite: whether an earlier export is replaced. What is no export never is.
        reporter: where progress goes.

    Returns:
        How the file differs from the model, if that was asked for.

    Raises:
        InputError: something is missing, cannot be read or written, or the file differs more
            than its precision allows; the file is there all the same in the last case.
    """
    reporter, weights, output = reporter or Reporter(), Path(weights), Path(output)
    suffix = SUFFIXES.get(format, "")
    if suffix and output.suffix != suffix:
        raise InputError(f"{output}: wrong suffix for format {format}; use {suffix}.")
    spec = read_spec(weights)
    if spec is None:
        raise InputError(f"{weights}: contains no specification; train it with tracknet fit.")
    if spec.version in (*TRACK_VERSIONS, "tsm"):
        raise InputError(f"{weights}: not a tracker; use the weights of a tracker.")
    check_place(output, overwrite=overwrite)
    conversion = Conversion(
        str(weights.resolve()), str(output.resolve()), format, precision,
        "detections" if end_to_end else "heatmaps", input_size, frame_size,
    )  # fmt: skip
    _, size = conversion.find_sizes(spec)
    with TemporaryDirectory() as folder:
        if precision == "int8" and calibrate is not None:
            calibration = str(Path(folder) / "calibration.npz")
            conversion = replace(conversion, calibration=calibration)
            windows = sample_windows(
                find_videos(calibrate), spec.frames, size, CALIBRATION_WINDOWS,
                fit=spec.fit, reporter=reporter,
            )  # fmt: skip
            named = {"frames": windows[0]}
            if spec.background != "none":
                named["background"] = windows[1]
            np.savez(calibration, **named)  # type: ignore[arg-type]  # allow_pickle, of NumPy 2.2
        conversion.check()
        source = data or calibrate or Path(folder) / "rally"
        if verify:
            if not (data or calibrate):
                write_rallies(source, 1, size=(720, 1280))
            compared = choose_windows(source, spec, size, reporter)
        with explain_writing(output):  # before the work
            output.parent.mkdir(parents=True, exist_ok=True)
            TemporaryDirectory(dir=output.parent, prefix=".export").cleanup()
        with reporter.track(f"exporting to {format}", None, unit="files") as advance:
            conversion.run()
            advance(1)
        if not verify:
            return None
        theirs = open_network(output, precision="float32", batch_size=1)
        verification = compare_export(weights, theirs, source, compared, reporter)
    if not (data or calibrate):
        verification = replace(verification, data="a rendered rally")
    report = {"file": str(output), "precision": precision, **asdict(verification)}
    report["within_tolerance"] = verification.is_within(precision)
    told = output.with_name(f"{output.name}.verification.json")
    write_json(report, told)
    if not report["within_tolerance"] and precision in TOLERANCES:
        raise InputError(
            f"{output}: differs from {weights} by more than {precision} explains; see {told}."
        )
    return verification
