"""`tracknet compare`: several trackers on the same clips, in one table."""

from __future__ import annotations

from pathlib import Path

import click

from .options import (
    POSITIVE,
    device_option,
    engine_option,
    json_option,
    mode_option,
    overwrite_option,
    quiet_option,
    tracking_precision_option,
    visible_option,
)


@click.command()
@click.argument("weights", nargs=-1, required=True)
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder of labelled clips."
)
@click.option(
    "--clips",
    multiple=True,
    help="Clip, folder or glob to compare on; repeat or separate with commas. [default: every"
    " clip]",
)
@visible_option
@click.option(
    "--tolerance",
    "pixels",
    type=POSITIVE,
    multiple=True,
    default=(2.0, 4.0, 8.0),
    show_default=True,
    help="Largest distance at which a detection is correct, in pixels at 512x288; repeat for more.",
)
@click.option(
    "--ball-share",
    "shares",
    type=POSITIVE,
    multiple=True,
    default=(0.5, 1.0),
    show_default=True,
    help="The same, as a share of the ball's diameter; repeat for more.",
)
@click.option(
    "--ball",
    type=POSITIVE,
    default=5.0,
    show_default=True,
    help="Diameter of the ball in pixels at 512x288; 5 is that of the training target.",
)
@mode_option
@engine_option
@device_option
@tracking_precision_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("runs/compare"),
    show_default=True,
    help="Folder for comparison.json, .csv and .html, accuracy_over_speed.svg and the tracks.",
)
@overwrite_option
@json_option
@quiet_option
def compare(
    weights: tuple[str, ...],
    data: Path,
    clips: tuple[str, ...],
    visible: str,
    pixels: tuple[float, ...],
    shares: tuple[float, ...],
    ball: float,
    mode: str,
    engine: str,
    device: str,
    precision: str,
    output: Path,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare WEIGHTS on the same labelled clips, by one protocol, in one table.

    WEIGHTS are run folders of tracknet fit, names of bundled trackers, or files. All work without a
    rectifier and without a linker. Scores come with 95 % intervals from resampling clips, and every
    pair's difference says whether it is within noise. Tracks are kept: the same command continues
    an interrupted comparison.

    \b
    tracknet compare runs/fit/v2 runs/fit/v4 --data clips --clips 00004,00027
    tracknet compare badminton-v3 badminton-v2 --data clips --mode accurate -o runs/compare/modes
    """
    import json

    from keras_tracknet.evaluation.comparing import compare as run
    from keras_tracknet.evaluation.comparison_page import format_text

    from .console import ConsoleReporter

    comparison = run(
        weights,
        data,
        clips=[part for value in clips for part in value.split(",") if part],
        visible=visible,
        pixels=pixels,
        shares=shares,
        ball=ball,
        output=output,
        overwrite=overwrite,
        reporter=ConsoleReporter(quiet=quiet),
        mode=mode,
        engine=engine,
        device=device,
        precision=precision,
    )
    if as_json:
        click.echo(json.dumps(comparison.as_dict(), indent=1))
    else:
        click.echo(format_text(comparison))
        click.echo(output.resolve())
