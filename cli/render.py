"""`tracknet render`: render synthetic rallies with exact labels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import click

from .options import (
    AT_LEAST_0,
    COUNT,
    RATE,
    SEED,
    SIZE,
    NumberType,
    json_option,
    overwrite_option,
    quiet_option,
)


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="runs/render",
    show_default=True,
    help="Folder for the clips.",
)
@click.option(
    "--sport",
    type=click.Choice(["badminton", "tennis", "volleyball"]),
    default="badminton",
    show_default=True,
    help="Sport to render.",
)
@click.option("--count", type=COUNT, default=1, show_default=True, help="Number of clips.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of the first clip.")
@click.option("--frames", type=COUNT, default=150, show_default=True, help="Frames per clip.")
@click.option(
    "--size", type=SIZE, default="720x1280", show_default=True, help="Frame size in pixels."
)
@click.option(
    "--fps",
    type=RATE,
    default="30",
    show_default=True,
    help="Frames per second, such as 30 or 30000/1001.",
)
@click.option("--strokes", type=COUNT, default=10, show_default=True, help="Strokes per rally.")
@click.option(
    "--shutter", type=AT_LEAST_0, help="Exposure time of a frame, in seconds. [default: random]"
)
@click.option(
    "--shake", type=AT_LEAST_0, default=0.0, show_default=True, help="Camera shake in pixels (RMS)."
)
@click.option(
    "--compression",
    type=NumberType(int, 1, 100),
    help="JPEG quality of the frames, 1 to 100. [default: no compression]",
)
@click.option("--cuts", is_flag=True, help="Cut away to other footage between rallies.")
@overwrite_option
@json_option
@quiet_option
def render(
    output: Path,
    sport: str,
    count: int,
    seed: int,
    frames: int,
    size: tuple[int, int],
    fps: Fraction,
    strokes: int,
    shutter: float | None,
    shake: float,
    compression: int | None,
    cuts: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Render synthetic rallies with exact labels and events.

    Writes for every clip a video, its labels (Frame,Visibility,X,Y,...) as .csv, and its events
    (hits, bounces and landings) as .events.csv. The same options give the same clips.

    \b
    tracknet render --sport tennis --count 20 -o data/rendered
    """
    import json

    from keras_tracknet.synthetic import RallyConfig, render_rallies

    from .console import ConsoleReporter

    try:
        first = RallyConfig(
            frames=frames,
            size=size,
            fps=fps,
            seed=seed,
            strokes=strokes,
            sport=sport,
            shutter=shutter,
            shake=shake,
            compression=compression,
            cuts=cuts,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    reporter = ConsoleReporter(quiet=quiet)
    with reporter.track("rendering", count, unit="clips") as advance:
        paths = render_rallies(
            first, output, count, overwrite=overwrite, progress=lambda _done, _count: advance(1)
        )
    if as_json:
        click.echo(json.dumps({"command": "render", "clips": [str(p.resolve()) for p in paths]}))
    else:
        click.echo(output.resolve())
