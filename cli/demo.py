"""`tracknet demo`: check the installation without a video."""

from __future__ import annotations

from pathlib import Path

import click

from .options import SEED, overwrite_option, quiet_option


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="runs/demo",
    show_default=True,
    help="Folder for the results.",
)
@click.option(
    "--seed", type=SEED, default=1_000_000, show_default=True, help="Random seed of the rally."
)
@click.option(
    "--weights", help="Weights to use. [default: the bundled weights trained on rendered rallies]"
)
@overwrite_option
@quiet_option
def demo(output: Path, seed: int, weights: str | None, overwrite: bool, quiet: bool) -> None:
    """Render a short badminton rally, track it, and compare the track with the ground truth.

    Writes the rally, track.csv, overlay.mp4 (ring: track, cross: ground truth) and overlay.png.
    Nothing is downloaded.
    """
    from keras_tracknet.evaluation.demo import run_demo
    from keras_tracknet.presets import DEMO

    from .console import ConsoleReporter
    from .options import load_tracker

    reporter = ConsoleReporter(quiet=quiet)
    tracker = load_tracker(reporter, weights=weights or DEMO, rectifier="none")
    result = run_demo(tracker, output, seed=seed, overwrite=overwrite, reporter=reporter)
    counts = result.counts
    click.echo(
        f"{counts.frames} frames tracked at {result.summary['frames_per_second']:.0f} frames per"
        f" second: {counts.tp} found, {counts.tn} correctly without a ball, {counts.fp1} too far"
        f" off, {counts.fp2} false detections, {counts.fn} missed"
    )
    click.echo(
        f"accuracy {counts.accuracy:.3f}, F1 {counts.f1:.3f} at 4 pixels; position error"
        f" {counts.rmse:.2f} pixels RMS at 512x288"
    )
    click.echo(output.resolve())
