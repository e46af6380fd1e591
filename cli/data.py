"""`tracknet data`: check, split and convert labelled clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .arguments import CommandGroup
from .options import SEED, NumberType, json_option, overwrite_option, quiet_option, visible_option

if TYPE_CHECKING:
    from keras_tracknet.datasets.checks import DatasetReport

folder_argument = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.group(cls=CommandGroup)
def data() -> None:
    """Check, split and convert datasets of labelled clips."""


@data.command()
@folder_argument
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    help="PNG to write, with labels drawn on frames. [default: runs/data/check/<DIR name>.png]",
)
@click.option("--no-sheet", is_flag=True, help="Skip the contact sheet; no video is decoded.")
@visible_option
@json_option
@quiet_option
def check(
    folder: Path, sheet: Path | None, no_sheet: bool, visible: str, as_json: bool, quiet: bool
) -> None:
    """List the labelled clips in DIR and report problems with them.

    Supported layouts, detected from file contents and free to mix in one folder:

    \b
    - the Shuttlecock Trajectory Dataset: match folders with video/ and csv/
    - a label file next to a video or image folder of the same name
    - frames/ with labels.csv, as in GridTrackNet
    - images with Label.csv among them (TrackNetV1 tennis)
    - a folder of labels next to one of footage (mareksubocz; WASB's soccer,
      volleyball and basketball)
    - COCO and Label Studio files for many clips; YOLO's images/ and labels/,
      or a video with its text files in labels/
    - results of tracknet predict, with the video in the same folder or named
      in summary.json

    Label files are CSV or JSON lines with Frame,Visibility,X,Y or Frame,Ball,x,y, in pixels or
    fractions; frame_num,x,y,visible, where 0 means visible; or CVAT XML.

    The contact sheet shows each labelled position in the previous frame, its own and the next one.
    If the labels fit, the ball is inside the ring of the middle picture.

    Exits with code 1 if no clip is usable.
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
            f"{folder}: no usable clip found; videos with labels are expected, see tracknet data"
            " check --help.",
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
    help="Split file to write, for tracknet fit --split.",
)
@click.option(
    "--by",
    type=click.Choice(["match", "clip"]),
    help="Hold out whole matches or single clips. [default: a val folder if there is one, otherwise"
    " matches if they are small enough, otherwise clips]",
)
@click.option(
    "--share",
    type=NumberType(float, 0, 0.99, above=True),
    default=0.15,
    show_default=True,
    help="Share of the clips to hold out.",
)
@click.option(
    "--val",
    "validation",
    multiple=True,
    help="Clip, folder or glob to hold out; repeat or separate with commas.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Random seed of the split.")
@overwrite_option
def split(
    folder: Path, output: Path, validation: tuple[str, ...], overwrite: bool, **settings: Any
) -> None:
    """Split the clips of DIR into training and validation clips.

    Whole matches or whole clips are held out, never single frames, because neighbouring frames look
    alike. Clips in a test folder are used for neither.
    """
    from keras_tracknet.datasets.checks import list_warnings
    from keras_tracknet.datasets.dataset import find_labelled_clips
    from keras_tracknet.datasets.splits import split_dataset, write_split
    from keras_tracknet.files import check_free

    check_free([output], overwrite=overwrite)
    names = [part for value in validation for part in value.split(",") if part]
    dataset = find_labelled_clips(folder)
    parts = split_dataset(dataset, names or None, **settings)
    write_split(parts, output)
    counts = (
        f"{len(parts.train)} training, {len(parts.validation)} validation, {len(parts.test)} test"
    )
    click.echo(f"{counts} (validation: {', '.join(parts.validation[:8])})", err=True)
    for warning in list_warnings(dataset, ()):
        click.echo(f"tracknet: warning: {warning}", err=True)
    if parts.train == parts.validation:
        click.echo(
            "tracknet: warning: only one clip found; it is used for both training and validation",
            err=True,
        )
    click.echo(output.resolve())


@data.command()
@folder_argument
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(["shuttlecock", "cvat", "coco", "yolo", "label-studio"]),
    required=True,
    help="Layout to write: Shuttlecock Trajectory match folders, CVAT for video, COCO keypoints,"
    " YOLO boxes or Label Studio tasks.",
)
@click.option(
    "--first-frame",
    type=NumberType(int, 0, 1),
    default=0,
    show_default=True,
    help="Number of the first frame in the labels of DIR.",
)
@visible_option
@quiet_option
def convert(
    folder: Path, output: Path, to: str, first_frame: int, visible: str, quiet: bool
) -> None:
    """Convert the labelled clips of DIR to another layout in OUT.

    Videos and images are hard-linked, or copied if that is not possible. For COCO and YOLO, videos
    are extracted to images; for Label Studio, images become a video.
    """
    from keras_tracknet.datasets.checks import list_warnings
    from keras_tracknet.datasets.conversion import convert_dataset
    from keras_tracknet.datasets.dataset import find_labelled_clips

    from .console import ConsoleReporter

    reporter = ConsoleReporter(quiet=quiet)
    dataset = find_labelled_clips(folder, visible=visible)
    # Labels counted from 1 fit once they are converted.
    for warning in list_warnings(dataset, () if first_frame else dataset.clips):
        reporter.warn(warning)
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
    if lines or report.warnings:
        console.print("\nPlease check:")
    for line in (*lines, *report.warnings):
        console.print(f"- {line}")
    if report.sheet:
        console.print(f"\n{report.sheet}")


def _counts(frames: int, labelled: int, visible: int) -> tuple[str, str, str, str]:
    share = f"{visible / labelled:.0%}" if labelled else "-"
    return f"{frames:,}", f"{labelled:,}", f"{visible:,}", share
