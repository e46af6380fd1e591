"""`tracknet evaluate`: evaluate weights on labelled clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import (
    AT_LEAST_0,
    json_option,
    overwrite_option,
    quiet_option,
    tracker_options,
    visible_option,
)

if TYPE_CHECKING:
    from keras_tracknet.evaluation.trackers import Evaluation
    from keras_tracknet.metrics import Counts
    from keras_tracknet.training.classifier.evaluation import ClipEvaluation


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder of labelled clips."
)
@tracker_options
@click.option(
    "--clips",
    multiple=True,
    help="Clip, folder or glob to evaluate; repeat or separate with commas. [default: every clip]",
)
@visible_option
@click.option(
    "--tolerance",
    type=AT_LEAST_0,
    default=4.0,
    show_default=True,
    help="Largest distance, in pixels, at which a detection is correct.",
)
@click.option(
    "--tolerance-unit",
    "unit",
    type=click.Choice(["model", "source"]),
    default="model",
    show_default=True,
    help="Pixels that the tolerance is given in: at 512x288 (model) or of the video (source).",
)
@click.option(
    "--calibrate",
    is_flag=True,
    help="Fit the confidence to these clips and save the fit in the weights; use clips that they"
    " were not trained on.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for evaluation.json and the track of every clip. [default: not written]",
)
@click.option(
    "--candidates",
    is_flag=True,
    help="Also write the peaks of every heatmap to OUTPUT, to train a linker on.",
)
@overwrite_option
@json_option
@quiet_option
def evaluate(
    data: Path,
    clips: tuple[str, ...],
    visible: str,
    tolerance: float,
    unit: str,
    calibrate: bool,
    output: Path | None,
    candidates: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Evaluate weights on labelled clips, with the same code as tracknet predict.

    Without --weights, --sport chooses them; auto tries the bundled weights on the first clip.

    Every frame counts as one of five outcomes: TP, ball found within the tolerance; TN, correctly
    no ball; FP1, found too far away; FP2, found where there is no ball; FN, missed.

    For clip classifiers (tracknet fit --version tsm) it measures window accuracy against the
    labels, and also writes classes.csv, confusion.csv and confusion.png to OUTPUT.
    """
    from keras_tracknet.datasets.dataset import find_labelled_clips, pick_clips
    from keras_tracknet.evaluation.trackers import evaluate as run
    from keras_tracknet.inference.engines import KERAS, find_engine
    from keras_tracknet.presets import find_weights
    from keras_tracknet.weights.model_file import load_model, read_spec

    from .console import ConsoleReporter
    from .options import choose_weights, load_tracker

    reporter = ConsoleReporter(quiet=quiet)
    names = [part for value in clips for part in value.split(",") if part]
    given = settings["weights"]
    if given is None:
        dataset = find_labelled_clips(data, visible=visible)
        first = (pick_clips(dataset.clips, names) if names else dataset.clips)[0]
        settings = choose_weights(reporter, first.source, **settings)
    path = find_weights(settings["weights"]).tracker
    spec = read_spec(path) if find_engine(path) == KERAS else None
    if calibrate and (given != str(path) or spec is None or spec.version == "tsm"):
        raise click.UsageError(
            "--calibrate needs --weights with the .keras file of a tracker, in which it saves the"
            " fit."
        )
    if spec is not None and spec.version == "tsm":
        from keras_tracknet.training.classifier.evaluation import evaluate_classes

        reporter.note(f"weights: {path} (tsm)")
        classified = evaluate_classes(
            load_model(path),
            data,
            clips=names,
            precision=settings["precision"],
            output=output,
            overwrite=overwrite,
            reporter=reporter,
        )
        _show(classified, _print_classes, output, as_json)
        return
    if candidates and output is None:
        raise click.UsageError("--candidates are written to the folder of -o; give one.")
    tracker = load_tracker(reporter, **settings)
    if calibrate and tracker.linker is not None:
        raise click.UsageError(
            "--calibrate fits the confidence of heatmaps, not of a linker; use --linker none."
        )
    evaluation = run(
        tracker,
        data,
        clips=names,
        visible=visible,
        tolerance=tolerance,
        unit=unit,
        output=output,
        candidates=candidates,
        overwrite=overwrite,
        reporter=reporter,
    )
    _show(evaluation, _print_table, output, as_json)
    if calibrate:
        from keras_tracknet.evaluation.reliability import calibrate_weights

        done = calibrate_weights(path, [clip.judged for clip in evaluation.clips])
        reporter.note(
            f"calibration saved in {path}; expected error of the confidence:"
            f" {done['error_before']:.3f} before, {done['error_after']:.3f} on clips left out of"
            " the fit"
        )


def _show(
    evaluation: Any, print_table: Callable[[Any], None], output: Path | None, as_json: bool
) -> None:
    """Print the results as JSON or as a table."""
    import json

    if as_json:
        click.echo(json.dumps(evaluation.as_dict(), indent=1))
        return
    print_table(evaluation)
    if output is not None:
        click.echo(output.resolve())


def _print_table(evaluation: Evaluation) -> None:
    from rich.console import Console
    from rich.table import Table

    from keras_tracknet.evaluation.reliability import expected_error

    table = Table(box=None, pad_edge=False)
    table.add_column("Clip", no_wrap=True)
    titles = ("Frames", "Accuracy", "Precision", "Recall", "F1", "TP", "TN", "FP1", "FP2", "FN")
    for title in (*titles, "RMSE"):
        table.add_column(title, justify="right", no_wrap=True)
    for clip in evaluation.clips:
        table.add_row(clip.name, *_cells(clip.counts))
    table.add_section()
    table.add_row("total", *_cells(evaluation.total))
    console = Console(width=1000, markup=False, highlight=False)
    console.print(table)
    where = "at model size" if evaluation.unit == "model" else "of the source video"
    console.print(f"Tolerance: {evaluation.tolerance:g} pixels {where}.")
    error = expected_error(evaluation.reliability)
    if error == error:
        console.print(f"Confidence: off by {error:.3f} on average (expected calibration error).")
    for name, (low, high) in evaluation.intervals.items():
        title = {"accuracy": "Accuracy", "f1": "F1"}[name]
        console.print(f"{title}: 95 % interval {low:.3f} to {high:.3f} when clips are resampled.")


def _print_classes(evaluation: ClipEvaluation) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("Class", no_wrap=True)
    titles = [f"Predicted {name}" for name in evaluation.classes]
    for title in ("Windows", "Precision", "Recall", "F1", *titles):
        table.add_column(title, justify="right", no_wrap=True)
    for row, counts in zip(evaluation.table(), evaluation.confusion, strict=True):
        scores = [row[name] for name in ("precision", "recall", "f1")]
        shown = ["-" if score != score else f"{score:.3f}" for score in scores]
        table.add_row(row["class"], f"{row['windows']:,}", *shown, *(f"{n:,}" for n in counts))
    console = Console(width=1000, markup=False, highlight=False)
    console.print(table)
    console.print(
        f"{evaluation.windows:,} windows from {len(evaluation.clips)} clips: accuracy"
        f" {evaluation.accuracy:.3f}, mean F1 {evaluation.f1:.3f}."
    )


def _cells(counts: Counts) -> list[str]:
    scores = [counts.accuracy, counts.precision, counts.recall, counts.f1]
    shown = ["-" if score != score else f"{score:.3f}" for score in scores]
    frames = [counts.tp, counts.tn, counts.fp1, counts.fp2, counts.fn]
    rmse = "-" if counts.rmse != counts.rmse else f"{counts.rmse:.2f}"
    return [f"{counts.frames:,}", *shown, *(f"{n:,}" for n in frames), rmse]
