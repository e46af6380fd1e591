"""`tracknet export`: export a tracker for other runtimes."""

from __future__ import annotations

from pathlib import Path

import click

from .options import SIZE, json_option, overwrite_option, quiet_option


@click.command()
@click.option(
    "--weights",
    help="Name of a bundled tracker (see tracknet presets), a .keras file or a run folder of"
    " tracknet fit. [default: badminton-v3]",
)
@click.option(
    "--format",
    type=click.Choice(["saved-model", "tflite", "onnx", "openvino"]),
    required=True,
    help="Format to write: a SavedModel folder, or a file for LiteRT, ONNX Runtime or OpenVINO.",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8"]),
    default="fp32",
    show_default=True,
    help="Numeric precision: fp16 halves the file size; int8 quarters it and needs --calibrate.",
)
@click.option(
    "--calibrate",
    type=click.Path(path_type=Path),
    help="Video, or folder of videos, to calibrate int8 on.",
)
@click.option(
    "--input-size", type=SIZE, help="Input size of the network. [default: the weights' own]"
)
@click.option(
    "--frame-size",
    type=SIZE,
    help="Size of the frames that the exported file takes; larger frames are resized inside."
    " [default: the network's input size]",
)
@click.option(
    "--end-to-end/--heatmaps",
    default=True,
    show_default=True,
    help="Output x, y and confidence, or heatmaps.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Run the exported file and the model on the same frames and report how they differ.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Labelled clips or a video to verify on. [default: the data of --calibrate, otherwise a"
    " rendered rally]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File or folder to write. [default: runs/export/<weights>.<suffix>]",
)
@overwrite_option
@json_option
@quiet_option
def export(
    weights: str | None,
    format: str,
    precision: str,
    calibrate: Path | None,
    input_size: tuple[int, int] | None,
    frame_size: tuple[int, int] | None,
    end_to_end: bool,
    verify: bool,
    data: Path | None,
    output: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Export a tracker for other runtimes.

    The exported file takes uint8 frames and returns ball positions as fractions of picture width
    and height. Run it with tracknet predict --weights FILE.

    \b
    tracknet export --format tflite --verify
    tracknet export --weights badminton-v3 --format openvino --precision int8 --calibrate DIR
    """
    import json
    from dataclasses import asdict

    from keras_tracknet.evaluation.exporting import export as write_export
    from keras_tracknet.evaluation.verification import F1_COST
    from keras_tracknet.inference.engines.conversion import SUFFIXES
    from keras_tracknet.inference.places import name_result
    from keras_tracknet.presets import DEFAULT, find_weights

    from .console import ConsoleReporter

    if data is not None and not verify:
        raise click.UsageError("--data is used by --verify only; add --verify or remove --data.")
    reporter, name = ConsoleReporter(quiet=quiet), weights or DEFAULT
    path = find_weights(name).tracker
    target = output or Path("runs/export") / f"{name_result(Path(name))}{SUFFIXES[format]}"
    verification = write_export(
        path,
        target,
        format=format,
        precision=precision,
        end_to_end=end_to_end,
        input_size=input_size,
        frame_size=frame_size,
        calibrate=calibrate,
        verify=verify,
        data=data,
        overwrite=overwrite,
        reporter=reporter,
    )
    if verification is not None:
        if verification.position_mean is not None:
            reporter.note(
                f"positions differ by {verification.position_mean:.3g} pixels on average and"
                f" {verification.position_largest:.3g} at most ({verification.frames} frames of"
                f" {verification.data})"
            )
        if verification.f1_cost is not None:
            reporter.note(
                f"F1 on {verification.data}: {verification.f1_before:.3f} before export,"
                f" {verification.f1_after:.3f} after"
            )
            if verification.f1_cost > F1_COST:
                reason = (
                    ", partly because exported positions do not follow faint detections; compare"
                    " with --heatmaps"
                    if end_to_end
                    else ""
                )
                reporter.warn(
                    f"the exported file loses {100 * verification.f1_cost:.1f} points of"
                    f" F1{reason}."
                )
    if as_json:
        result = asdict(verification) if verification is not None else {}
        click.echo(json.dumps({"file": str(target.resolve()), **result}))
    else:
        click.echo(target.resolve())
