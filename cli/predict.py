"""`tracknet predict`: track the ball in a video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import json_option, overwrite_option, quiet_option, tracker_options


@click.command()
@click.argument("source", metavar="VIDEO", type=click.Path(path_type=Path))
@tracker_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the results, or a .csv, .jsonl or .parquet file."
    " [default: runs/predict/<video>]",
)
@click.option(
    "--overlay/--no-overlay",
    default=True,
    show_default=True,
    help="Also write a video with the track drawn on it.",
)
@click.option(
    "--plots",
    is_flag=True,
    help="Also draw the trajectory, where the ball was most, position and confidence over time.",
)
@click.option(
    "--format",
    "formats",
    help="Formats of the track, joined by commas: csv, jsonl, parquet."
    " [default: that of the output file, or csv]",
)
@click.option(
    "--schema",
    type=click.Choice(["tracknet", "tracknetv2"]),
    default="tracknet",
    show_default=True,
    help="Columns: all, or Frame,Visibility,X,Y in whole pixels as the published code writes.",
)
@overwrite_option
@json_option
@quiet_option
def predict(
    source: Path,
    output: Path | None,
    overlay: bool,
    plots: bool,
    formats: str | None,
    schema: str,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Track the ball in VIDEO, which may also be a folder of images.

    Writes track.csv with one row for every frame, overlay.mp4 and summary.json, and prints
    where they are.

    \b
    tracknet predict match.mp4
    tracknet predict match.mp4 --weights runs/fit/v3 --mode accurate -o match.csv
    """
    import json

    from keras_tracknet.io.tracks import FORMATS
    from keras_tracknet.io.video import probe_video

    from .console import ConsoleReporter
    from .options import load_tracker

    wanted = [name.strip() for name in (formats or "").split(",") if name.strip()]
    if (formats is not None and not wanted) or set(wanted) - set(FORMATS):
        raise click.UsageError(
            f"--format must be out of {', '.join(FORMATS)}, joined by commas. Received: {formats}"
        )
    reporter = ConsoleReporter(quiet=quiet)
    probe_video(source)  # a source that cannot be read is told at once, before Keras is loaded

    from keras_tracknet.outputs import OutputPaths, predict_video

    paths = OutputPaths.choose(source, output, wanted, overlay=overlay, plots=plots)
    if not overwrite:
        paths.check_free()
    tracker = load_tracker(reporter, **settings)
    summary = predict_video(tracker, source, paths, schema=schema, reporter=reporter)
    counts = ", ".join(f"{count} {status}" for status, count in summary["status"].items())
    reporter.note(
        f"{summary['frames']} frames ({counts}) in {summary['seconds']:.1f} s,"
        f" {summary['frames_per_second']:.1f} frames a second"
    )
    if as_json:
        click.echo(json.dumps(summary))
    else:
        click.echo(
            (paths.overlay or paths.tracks[0]).resolve().parent
            if output is None or output.suffix.lstrip(".") not in FORMATS
            else output.resolve()
        )
