"""`tracknet data`: look at labelled clips, split them, and convert them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import SEED, NumberType, json_option, overwrite_option, quiet_option, visible_option

if TYPE_CHECKING:
    from keras_tracknet.datasets.checks import DatasetReport

folder_argument = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.group()
def data() -> None:
    """Look at datasets of labelled clips, split them, and convert them."""


@data.command()
@folder_argument
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    help="PNG of labels drawn on frames. [default: runs/data/check/<DIR's name>.png]",
)
@click.option("--no-sheet", is_flag=True, help="Draw no sheet, and decode no video.")
@visible_option
@json_option
@quiet_option
def check(
    folder: Path, sheet: Path | None, no_sheet: bool, visible: str, as_json: bool, quiet: bool
) -> None:
    """Show which labelled clips are in DIR, and what is wrong with them.

    Known are, also mixed below one folder, and recognised by what the files hold:

    \b
    - the Shuttlecock Trajectory Dataset: match folders with video/ and csv/
    - a label file beside its video or folder of images, under the same name
    - frames/ with labels.csv, as GridTrackNet has them too
    - images with Label.csv among them (TrackNetV1 tennis)
    - a folder of labels beside one of footage (mareksubocz; WASB's soccer,
      volleyball and basketball)
    - COCO and Label Studio files for many clips; YOLO's images/ and labels/,
      or a video with its texts in labels/
    - results of tracknet predict, whose video is beside or named in summary.json

    Label files are CSV or JSON lines with Frame,Visibility,X,Y or Frame,Ball,x,y, in pixels or
    fractions; frame_num,x,y,visible, where 0 is visible; and CVAT XML.

    The contact sheet shows each labelled place in the frame before, in its own and in the one
    after: where the ball is in the ring in the middle, labels fit.

    Exits with 1 when no clip can be used.
    """
    import json

    from keras_tracknet.datasets.checks import check_dataset
    from keras_tracknet.datasets.contact_sheet import check_labels
    from keras_tracknet.datasets.dataset import find_dataset

    from .console import ConsoleReporter

    dataset = find_dataset(folder, visible=visible)
    report = check_dataset(dataset)
    if not no_sheet:
        place = sheet or Path("runs/data/check") / f"{folder.resolve().name}.png"
        report = check_labels(dataset, report, place, ConsoleReporter(quiet=quiet))
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


@data.command()
@folder_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("split.json"),
    show_default=True,
    help="The file, for tracknet fit --split.",
)
@click.option(
    "--by",
    type=click.Choice(["match", "clip"]),
    help="Hold out whole matches, or single clips. [default: a val folder where there is one,"
    " else matches where they are small enough, else clips]",
)
@click.option(
    "--share",
    type=NumberType(float, 0, 0.99, above=True),
    default=0.15,
    show_default=True,
    help="Part of the clips to hold out.",
)
@click.option(
    "--val",
    "validation",
    multiple=True,
    help="Clip, folder or glob to hold out; repeat or separate by commas.",
)
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Another seed, another split."
)
@overwrite_option
def split(
    folder: Path, output: Path, validation: tuple[str, ...], overwrite: bool, **settings: Any
) -> None:
    """Choose which clips of DIR train and which validate, and write it down.

    Whole matches or whole clips are held out, never frames: a frame's neighbours look like it.
    Clips under a test folder are for neither.
    """
    from keras_tracknet.datasets.checks import list_doubts
    from keras_tracknet.datasets.dataset import find_labelled_clips
    from keras_tracknet.datasets.splits import split_dataset, write_split

    if output.exists() and not overwrite:
        raise click.UsageError(f"{output} exists; use --overwrite or choose another -o.")
    names = [part for value in validation for part in value.split(",") if part]
    dataset = find_labelled_clips(folder)
    parts = split_dataset(dataset, names or None, **settings)
    write_split(parts, output)
    counts = f"{len(parts.train)} train, {len(parts.validation)} validate, {len(parts.test)} test"
    click.echo(f"{counts} ({', '.join(parts.validation[:8])} validate)", err=True)
    for doubt in list_doubts(dataset, ()):
        click.echo(f"tracknet: warning: {doubt}", err=True)
    if parts.train == parts.validation:
        click.echo("tracknet: warning: only one clip: it validates what learns from it", err=True)
    click.echo(output.resolve())


@data.command()
@folder_argument
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(["shuttlecock", "cvat", "coco"]),
    required=True,
    help="Shuttlecock Trajectory match folders, CVAT for video, or COCO keypoints.",
)
@click.option(
    "--first-frame",
    type=NumberType(int, 0, 1),
    default=0,
    show_default=True,
    help="What the labels in DIR call the first frame.",
)
@visible_option
@quiet_option
def convert(
    folder: Path, output: Path, to: str, first_frame: int, visible: str, quiet: bool
) -> None:
    """Write the labelled clips of DIR to OUT in another layout.

    Videos and images are linked, or copied where that cannot be; for COCO videos are taken
    apart into images.
    """
    from keras_tracknet.datasets.checks import list_doubts
    from keras_tracknet.datasets.conversion import convert_dataset
    from keras_tracknet.datasets.dataset import find_labelled_clips

    from .console import ConsoleReporter

    reporter = ConsoleReporter(quiet=quiet)
    dataset = find_labelled_clips(folder, visible=visible)
    # Counted from 1, labels fit once they are converted.
    for doubt in list_doubts(dataset, () if first_frame else dataset.clips):
        reporter.warn(doubt)
    with reporter.track("converting", len(dataset.clips), unit="clips") as advance:
        notes = convert_dataset(
            dataset, output, to, first_frame=first_frame, progress=lambda _clip: advance(1)
        )
    for note in notes:
        reporter.warn(note)
    click.echo(output.resolve())


def _print_report(report: DatasetReport) -> None:
    from rich.console import Console
    from rich.table import Table

    # Names in brackets are names, not colours; and a name is never cut to fit a terminal.
    console = Console(width=1000, markup=False, highlight=False)
    console.print(f"{report.root}: " + report.layout.replace("; ", "\n  "))
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
            f"{totals['clips']} clip{'s' * (totals['clips'] != 1)}",
            *_counts(totals["frames"], totals["labelled"], totals["visible"]),
        )
        console.print(table)
    lines = [f"{clip.name}: {line}" for clip in report.clips for line in clip.problems]
    if lines or report.doubts:
        console.print("\nTo look at:")
    for line in (*lines, *report.doubts):
        console.print(f"- {line}")
    if report.sheet:
        console.print(f"\n{report.sheet}")


def _counts(frames: int, labelled: int, visible: int) -> tuple[str, str, str, str]:
    share = f"{visible / labelled:.0%}" if labelled else "-"
    return f"{frames:,}", f"{labelled:,}", f"{visible:,}", share
