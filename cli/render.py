"""`tracknet render`: rallies that never were, with everything known about them."""

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
    help="What is played.",
)
@click.option("--count", type=COUNT, default=1, show_default=True, help="Clips.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the first.")
@click.option("--frames", type=COUNT, default=150, show_default=True, help="Of each clip.")
@click.option("--size", type=SIZE, default="720x1280", show_default=True, help="HEIGHTxWIDTH.")
@click.option("--fps", type=RATE, default="30", show_default=True, help="Such as 30000/1001.")
@click.option("--shots", type=COUNT, default=10, show_default=True, help="Hits of a rally.")
@click.option(
    "--shutter", type=AT_LEAST_0, help="Seconds that the shutter is open. [default: drawn]"
)
@click.option(
    "--shake", type=AT_LEAST_0, default=0.0, show_default=True, help="Of the camera, pixels RMS."
)
@click.option(
    "--compression",
    type=NumberType(int, 1, 100),
    help="JPEG quality that every frame goes through. [default: none]",
)
@click.option("--cuts", is_flag=True, help="Cut away to other pictures between rallies.")
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
    shots: int,
    shutter: float | None,
    shake: float,
    compression: int | None,
    cuts: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Render rallies with exact labels and events.

    Writes for each a video, its labels (Frame,Visibility,X,Y,...) as CSV of the same name, and
    what happens in it as .events.csv: hits, bounces and landings. The same options give the same
    clips.

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
            shots=shots,
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
