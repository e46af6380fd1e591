"""`tracknet predict` of a camera or a stream: check the options and write the rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from keras_tracknet.video.recordings import Recording

    from .console import ConsoleReporter

# Options that need the whole video: live rows are written at once and frames come only once.
RECORDED_ONLY = {
    "overlay": "--overlay",
    "plots": "--plots",
    "shots": "--shots",
    "rejected": "--rejected",
    "resume": "--resume",
    "ray": "--ray",
    "rectifier": "--rectifier",
    "linker": "--linker",
    "max_gap": "--max-gap",
    "strict": "--strict",
    "start": "--start",
    "end": "--end",
    "every": "--every",
    "roi": "--roi",
}
FORMATS = ("csv", "jsonl")


def track_live_source(
    source: str,
    output: Path | None,
    formats: list[str],
    schema: str,
    duration: float | None,
    settings: dict[str, Any],
    overwrite: bool,
    show: bool,
    reporter: ConsoleReporter,
    as_json: bool,
) -> None:
    """Track a camera or a stream until it ends or Ctrl-C stops it."""
    import contextlib
    import json
    import webbrowser

    from keras_tracknet.inference.live import predict_live
    from keras_tracknet.inference.places import DEFAULT, OutputPaths, is_file_name

    from .options import load_tracker

    _check_options(click.get_current_context(), formats)
    to_stdout = str(output) == "-"
    if to_stdout and (as_json or len(formats) > 1):
        option = "--json" if as_json else "more than one --format"
        raise click.UsageError(f"{option} cannot be used with -o -: only rows are printed.")
    paths = None
    if not to_stdout:
        place = output or _name_folder(DEFAULT / "live")
        paths = OutputPaths.choose(Path("live"), place, formats, overlay=False)
        if any(path.suffix[1:] not in FORMATS for path in paths.tracks):
            raise click.UsageError(
                "live sources can be written as csv or jsonl only; change -o or --format."
            )
        paths.check_free(overwrite=overwrite)
    from keras_tracknet.presets import AUTO, find_preset

    sport = settings.pop("sport")
    if settings["weights"] is None and sport != AUTO:  # a live source shows no frames beforehand
        settings["weights"] = find_preset(sport).name
    settings = {**settings, "rectifier": "none", "linker": "none", "batch_size": 1}
    with contextlib.ExitStack() as stack:
        view = None
        if show:
            from keras_tracknet.studio.live import open_live_view

            page = open_live_view(
                announce=lambda address: reporter.note(f"live view: {address}"),
                started=webbrowser.open,
            )
            view = stack.enter_context(page)
        summary = predict_live(
            lambda: load_tracker(reporter, **settings),
            source,
            paths,
            format=formats[0] if formats else "csv",
            schema=schema,
            duration=duration,
            show=view.show if view is not None else None,
            reporter=reporter,
        )
    latency = summary["latency_ms"]
    reporter.note(
        f"{summary['frames']} frames, {summary['dropped']} dropped; median latency"
        f" {latency['p50']} ms, 95th percentile {latency['p95']} ms"
    )
    if as_json:
        click.echo(json.dumps(summary))
    elif paths is not None:
        whole = output if output is not None and is_file_name(output) else paths.summary.parent
        click.echo(whole.resolve())


def save_recording(
    recording: Recording, output: Path | None, formats: list[str], reporter: ConsoleReporter
) -> Path:
    """Save a video from the web in a folder next to its results."""
    from keras_tracknet.inference.places import OutputPaths

    options = click.get_current_context().params
    printed = str(output) == "-"
    paths = OutputPaths.choose(
        Path(recording.name),
        None if printed else output,
        formats,
        **{name: options[name] for name in ("overlay", "plots", "shots", "rejected")},
    )
    paths.check_free(overwrite=printed or options["overwrite"] or options["resume"])
    folder = paths.summary.parent / "source"
    return recording.save(folder, overwrite=options["overwrite"], reporter=reporter)


def _check_options(context: click.Context, formats: list[str]) -> None:
    """Raise `UsageError` if an option is given that a live source would ignore."""
    for name, option in RECORDED_ONLY.items():
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if given and context.params[name] not in (False, "none"):
            raise click.UsageError(
                f"{option} is for recorded videos only; remove it for a live source."
            )
    if context.params["sampling"] == "published":
        raise click.UsageError(
            "--sampling published is for recorded videos only; remove it for a live source."
        )
    if "parquet" in formats:
        raise click.UsageError("live sources can be written as csv or jsonl only; change --format.")


def _name_folder(folder: Path) -> Path:
    """Return a folder that does not exist yet, named after the current time."""
    import time

    name = time.strftime("%Y-%m-%d_%H%M%S")
    number = 1
    while (place := folder / (name if number == 1 else f"{name}_{number}")).exists():
        number += 1
    return place
