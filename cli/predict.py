"""`tracknet predict`: track the ball in a video."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .failures import repeat_command
from .options import NumberType, json_option, overwrite_option, quiet_option, tracker_options

if TYPE_CHECKING:
    from keras_tracknet.inference.corpus import CorpusSettings
    from keras_tracknet.inference.places import OutputPaths

    from .console import ConsoleReporter


@click.command()
@click.argument("source", metavar="VIDEO")
@tracker_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the results, or a .csv, .jsonl or .parquet file."
    " [default: runs/predict/<video>]",
)
@click.option(
    "--overlay/--no-overlay",
    default=True,
    show_default=True,
    help="Also write a video with the track drawn on it.",
)
@click.option(
    "--plots",
    is_flag=True,
    help="Also draw the trajectory, where the ball was most, position and confidence over time.",
)
@click.option("--segments", is_flag=True, help="Also list the shots between the camera's cuts.")
@click.option(
    "--format",
    "formats",
    help="Formats of the track, joined by commas: csv, jsonl, parquet."
    " [default: that of the output file, or csv]",
)
@click.option(
    "--schema",
    type=click.Choice(["tracknet", "tracknetv2"]),
    default="tracknet",
    show_default=True,
    help="Columns: all, or Frame,Visibility,X,Y in whole pixels as the published code writes.",
)
@click.option(
    "--ray",
    is_flag=False,
    flag_value="local",
    metavar="[ADDRESS]",
    help="Share many videos out over a Ray cluster, or over one started on this machine.",
)
@click.option(
    "--duration",
    type=NumberType(float, 0, above=True),
    help="Seconds to track a camera or a stream for.",
)
@click.option(
    "--resume", is_flag=True, help="Go on where an interrupted run stopped, with the same result."
)
@click.option(
    "--strict",
    is_flag=True,
    help="Stop at the first damaged part or image, instead of tracking what can be read.",
)
@overwrite_option
@json_option
@quiet_option
def predict(
    source: str,
    output: Path | None,
    overlay: bool,
    plots: bool,
    segments: bool,
    formats: str | None,
    schema: str,
    ray: str | None,
    duration: float | None,
    resume: bool,
    strict: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Track the ball in VIDEO, which may also be a folder of images.

    Writes track.csv with one row for every frame, overlay.mp4 and summary.json, and prints
    where they are. Of a folder with videos in it, a pattern, or a text file with a path a
    line, every video is tracked; those that were finished before are skipped.

    VIDEO may also be a camera's number or a stream's address: rows come a moment after the
    frames, go to track.csv, or with -o - to stdout, and frames that come too fast are dropped
    and counted. Ctrl-C ends it. Live rows cannot wait for later frames: faint balls are not
    followed, outliers stay and gaps are not filled. A video file at a web address is saved
    beside the results first, and tracked as any other.

    With -o - the track of a video, too, goes to stdout, once it is complete, and nothing else
    is written.

    \b
    tracknet predict match.mp4
    tracknet predict match.mp4 --weights runs/fit/v3 --mode accurate -o match.csv
    tracknet predict 'matches/*.mp4' --no-overlay -o tracks
    tracknet predict rtsp://camera/stream --format jsonl -o -
    """
    import json

    from keras_tracknet.tracks.track import FORMATS
    from keras_tracknet.video.reader import probe_video

    from .console import ConsoleReporter
    from .live import save_recording, track_live_source
    from .options import load_tracker

    wanted = [name.strip() for name in (formats or "").split(",") if name.strip()]
    if (formats is not None and not wanted) or set(wanted) - set(FORMATS):
        raise click.UsageError(
            f"--format must be out of {', '.join(FORMATS)}, joined by commas. Received: {formats}"
        )
    reporter = ConsoleReporter(quiet=quiet)
    from keras_tracknet.inference.corpus import CorpusSettings, find_videos
    from keras_tracknet.inference.places import DEFAULT, OutputPaths, is_file_name
    from keras_tracknet.video.capture import is_live
    from keras_tracknet.video.recordings import open_recording

    recording = open_recording(source) if is_live(source) else None
    if recording is None and is_live(source):
        track_live_source(
            source, output, wanted, schema, duration, settings, overwrite, reporter, as_json
        )
        return
    if recording is not None:
        click.get_current_context().call_on_close(recording.close)
    videos = find_videos(source) if recording is None else None
    if duration is not None:
        raise click.UsageError("--duration is for a camera or a stream.")
    if resume and overwrite:
        raise click.UsageError("--resume goes on and --overwrite starts anew; leave one out.")
    if str(output) == "-":
        _check_stdout(wanted, many=videos is not None)
    if videos is not None:
        corpus = CorpusSettings(
            output or DEFAULT,
            formats=tuple(wanted) or ("csv",),
            schema=schema,
            overlay=overlay,
            plots=plots,
            segments=segments,
            overwrite=overwrite,
            strict=strict,
        )
        with _say_what_is_kept(corpus.output, reporter):
            _predict_corpus(videos, corpus, settings, ray, reporter, as_json)
        return
    if ray is not None:
        raise click.UsageError("--ray is for many videos: a folder, a pattern or a list.")
    video = Path(source)
    if recording is not None:
        video = save_recording(recording, output, wanted, reporter)
    probe_video(video)  # a source that cannot be read is told at once, before Keras is loaded
    if str(output) == "-":
        _print_track(video, wanted, schema, strict, settings, reporter)
        return
    from keras_tracknet.inference.outputs import predict_video

    paths = OutputPaths.choose(
        video, output, wanted, overlay=overlay, plots=plots, segments=segments
    )
    if not (overwrite or resume):
        paths.check_free()
    tracker = load_tracker(reporter, **settings)
    with _say_what_is_kept(paths, reporter):
        summary = predict_video(
            tracker,
            video,
            paths,
            schema=schema,
            resume=resume,
            overwrite=overwrite,
            strict=strict,
            reporter=reporter,
        )
    if as_json:
        click.echo(json.dumps(summary))
    else:
        whole = output if output is not None and is_file_name(output) else paths.summary.parent
        click.echo(whole.resolve())


def _check_stdout(wanted: list[str], *, many: bool) -> None:
    """Raise `UsageError` where options ask for more than a track on stdout."""
    if many:
        raise click.UsageError("-o - is for one video; give many a folder.")
    if len(wanted) > 1 or wanted == ["parquet"]:
        raise click.UsageError("--format with -o - is csv or jsonl.")
    context = click.get_current_context()
    for name in ("overlay", "plots", "segments", "resume", "as_json"):
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if given and context.params[name]:
            option = name.removeprefix("as_")
            raise click.UsageError(f"--{option} does not go with -o -: only the track is printed.")


@contextlib.contextmanager
def _say_what_is_kept(place: OutputPaths | Path, reporter: ConsoleReporter) -> Iterator[None]:
    """Say how to go on where the `with` block is interrupted.

    Args:
        place: of the results of a video, or the folder of many.
        reporter: where it is said.
    """
    from keras_tracknet.inference.summaries import read_summary

    try:
        yield
    except KeyboardInterrupt:
        if isinstance(place, Path):
            again = repeat_command(leave_out="--overwrite")
            reporter.warn(f"stopped; what is done is kept in {place}; go on with: {again}")
            raise
        with contextlib.suppress(OSError, ValueError):
            summary = read_summary(place.summary)
            if summary is not None and not summary["complete"]:
                kept = f"stopped; {summary.get('frames', 0)} rows are kept in {place.tracks[0]}"
                again = repeat_command("--resume", leave_out="--overwrite")
                if place.raw is None or summary.get("schema") != "tracknet":
                    again = repeat_command("--overwrite") + ", from the start"
                reporter.warn(f"{kept}; go on with: {again}")
        raise


def _print_track(
    video: Path,
    wanted: list[str],
    schema: str,
    strict: bool,
    settings: dict[str, Any],
    reporter: ConsoleReporter,
) -> None:
    """Track one video, and print its track instead of writing files."""
    from keras_tracknet.inference.outputs import track_to_stdout

    from .options import load_tracker

    tracker = load_tracker(reporter, **settings)
    kind = wanted[0] if wanted else "csv"
    track_to_stdout(tracker, video, format=kind, schema=schema, strict=strict, reporter=reporter)


def _predict_corpus(
    videos: list[Path],
    corpus: CorpusSettings,
    settings: dict[str, Any],
    ray: str | None,
    reporter: ConsoleReporter,
    as_json: bool,
) -> None:
    """Track many videos, and exit with 1 where one failed."""
    from keras_tracknet.inference.corpus import FAILED, SUMMARY, predict_corpus

    from .options import load_tracker, plan_tracker

    if ray is None:
        outcomes = predict_corpus(
            lambda: load_tracker(reporter, **settings), videos, corpus, reporter=reporter
        )
    else:
        from keras_tracknet.inference.cluster import predict_on_cluster

        _, make_tracker = plan_tracker(**settings)
        outcomes = predict_on_cluster(
            make_tracker,
            videos,
            corpus,
            address=None if ray == "local" else ray,
            reporter=reporter,
        )
    failed = [outcome for outcome in outcomes if outcome.state == FAILED]
    reporter.note(f"{len(outcomes) - len(failed)} of {len(outcomes)} videos are tracked")
    summary = corpus.output / SUMMARY
    click.echo(summary.read_text().rstrip() if as_json else corpus.output.resolve())
    if failed:
        names = ", ".join(str(outcome.video) for outcome in failed)
        raise click.ClickException(f"{names}: not tracked; {summary} says why.")
