"""`tracknet court`: mark the court in the picture."""

from __future__ import annotations

from pathlib import Path

import click

from .options import AT_LEAST_0, json_option, overwrite_option, quiet_option

SPORTS = ["badminton", "tennis", "volleyball", "padel", "custom"]


@click.command()
@click.argument("video", metavar="VIDEO", type=click.Path(path_type=Path))
@click.option(
    "--sport",
    type=click.Choice(SPORTS),
    default="badminton",
    show_default=True,
    help="Sport of the court to mark.",
)
@click.option(
    "--points",
    help="Four or more points, such as 'near_left=212,655 far_left=450,310 ...', or a JSON file"
    " with them. [default: click them in a browser page]",
)
@click.option(
    "--find",
    is_flag=True,
    help="Save the court that its lines show, without the page. Check the drawing.",
)
@click.option(
    "--at",
    type=AT_LEAST_0,
    default=0.0,
    show_default=True,
    help="Time of the frame to mark, in seconds.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="JSON file to write; the drawing is saved next to it. [default: runs/court/<video>.json]",
)
@overwrite_option
@json_option
@quiet_option
def court(
    video: Path,
    sport: str,
    points: str | None,
    find: bool,
    at: float,
    output: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Mark the court in VIDEO, for positions in metres.

    Opens the studio's court view with the court that its painted lines show, if they do: check it,
    and save.

    Writes the calibration as JSON and a drawing of the court on the picture as PNG, and reports the
    calibration error. Use the JSON with tracknet analyze --court. The camera must not move. With
    --sport custom, points are named by their position in metres: '0,0=212,655 6.1,0=...'.

    \b
    tracknet court match.mp4 --sport tennis
    tracknet court match.mp4 --find
    tracknet court match.mp4 --points 'near_left=212,655 near_right=1070,655
        far_left=450,310 far_right=830,310'
    """
    import json

    from keras_tracknet.analysis.court.marking import mark_court
    from keras_tracknet.inference.places import name_result
    from keras_tracknet.studio.marking import pick_marks

    from .console import ConsoleReporter

    if find and points is not None:
        raise click.UsageError("--find and --points exclude each other; use one of them.")

    reporter = ConsoleReporter(quiet=quiet)
    path = output or Path("runs/court") / f"{name_result(video)}.json"
    summary = mark_court(
        video,
        path,
        sport,
        points=points,
        find=find,
        at=at,
        overwrite=overwrite,
        pick=lambda image, sport: pick_marks(
            image, sport, lambda page: click.echo(f"open {page} to mark the court", err=True)
        ),
    )
    for line in summary.pop("warnings"):
        reporter.warn(line)
    if as_json:
        click.echo(json.dumps(summary))
        return
    click.echo(summary["fit"])
    click.echo(summary["drawing"])
    click.echo(summary["court"])
