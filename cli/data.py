"""`tracknet data`: look at labelled clips before training on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from keras_tracknet.io.checks import DatasetReport


@click.group()
def data() -> None:
    """Look at datasets of labelled clips."""


@data.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def check(folder: Path, as_json: bool) -> None:
    """Show which labelled clips are in DIR, and what is wrong with them.

    Three layouts are known, also mixed below one folder: match folders of the Shuttlecock
    Trajectory Dataset; videos with a CSV of the same name beside them; folders with frames/
    and labels.csv. Labels are Frame,Visibility,X,Y in pixels or Frame,Ball,x,y as fractions.

    Exits with 1 when no clip can be used.
    """
    import json

    from keras_tracknet.io.checks import check_dataset
    from keras_tracknet.io.datasets import find_dataset

    report = check_dataset(find_dataset(folder))
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2))
    else:
        _print_report(report)
    if not report.usable:
        click.echo(
            f"{folder}: no clip can be used; expected videos with labels, see"
            " tracknet data check --help.",
            err=True,
        )
        raise SystemExit(1)


def _print_report(report: DatasetReport) -> None:
    from rich.console import Console
    from rich.table import Table

    # Names in brackets are names, not colours; and a name is never cut to fit a terminal.
    console = Console(width=1000, markup=False, highlight=False)
    console.print(f"{report.root}: {report.layout}")
    if report.clips:
        table = Table(box=None, pad_edge=False)
        table.add_column("Clip", no_wrap=True)
        for title in ("Frames", "Labelled", "Visible", "Share", "Size", "fps"):
            table.add_column(title, justify="right", no_wrap=True)
        for clip in report.clips:
            table.add_row(
                clip.name,
                *_counts(clip.frames, clip.labelled, clip.visible),
                f"{clip.size[1]}x{clip.size[0]}" if clip.size else "-",
                f"{clip.fps:.5g}" if clip.fps else "-",
            )
        totals = report.totals()
        table.add_section()
        table.add_row(
            f"{totals['clips']} clips",
            *_counts(totals["frames"], totals["labelled"], totals["visible"]),
        )
        console.print(table)
    lines = [f"{clip.name}: {line}" for clip in report.clips for line in clip.problems]
    if lines or report.doubts:
        console.print("\nTo look at:")
    for line in (*lines, *report.doubts):
        console.print(f"- {line}")


def _counts(frames: int, labelled: int, visible: int) -> tuple[str, str, str, str]:
    share = f"{visible / labelled:.0%}" if labelled else "-"
    return f"{frames:,}", f"{labelled:,}", f"{visible:,}", share
