"""`tracknet predict`: track the ball in a video."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .failures import repeat_command
from .options import (
    COUNT,
    MOMENT,
    REGION,
    ExperimentalCommand,
    ExperimentalOption,
    Moment,
    NumberType,
    json_option,
    overwrite_option,
    quiet_option,
    tracker_options,
)

if TYPE_CHECKING:
    from keras_tracknet.inference.batch import BatchSettings
    from keras_tracknet.inference.places import OutputPaths
    from keras_tracknet.video.part import Part

    from .console import ConsoleReporter


@click.command(cls=ExperimentalCommand)
@click.argument("sources", metavar="VIDEO...", nargs=-1, required=True)
@tracker_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the results, a .csv, .jsonl or .parquet file, or - for stdout. [default:"
    " runs/predict/<video>]",
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
    help="Also write plots: the trajectory, a heatmap of positions, and position and confidence"
    " over time.",
)
@click.option("--shots", is_flag=True, help="Also write a list of camera shots.")
@click.option(
    "--rejected",
    is_flag=True,
    help="Also write a list of the detections that were rejected as not of the ball.",
)
@click.option(
    "--format",
    "formats",
    help="Track formats, separated by commas: csv, jsonl, parquet. [default: format of the output"
    " file, otherwise csv]",
)
@click.option(
    "--schema",
    type=click.Choice(["tracknet", "tracknetv2"]),
    default="tracknet",
    show_default=True,
    help="Columns of the track: all (tracknet), or Frame,Visibility,X,Y in whole pixels as in the"
    " published code (tracknetv2).",
)
@click.option(
    "--ray",
    cls=ExperimentalOption,
    is_flag=False,
    flag_value="local",
    metavar="[ADDRESS]",
    help="Distribute many videos over a Ray cluster; without ADDRESS a local one is started.",
)
@click.option(
    "--start",
    type=MOMENT,
    default="0",
    show_default=True,
    help="First frame: its number, or a time such as 4.5s or 1:30.",
)
@click.option(
    "--end",
    type=MOMENT,
    help="Frame or time before which tracking stops. [default: the end of the video]",
)
@click.option(
    "--every",
    type=COUNT,
    default=1,
    show_default=True,
    help="Track every Nth frame only, as if the video had no others; for high frame rates.",
)
@click.option(
    "--roi",
    type=REGION,
    help="Track in this region of the picture only: x, y, width and height in pixels.",
)
@click.option(
    "--duration",
    type=NumberType(float, 0, above=True),
    help="Stop tracking a camera or stream after this many seconds.",
)
@click.option(
    "--show",
    is_flag=True,
    help="Show a camera or stream with its track in the browser; q or Escape there ends tracking.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue an interrupted run; the result is the same as without the interruption.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Stop at the first damaged frame instead of skipping it.",
)
@overwrite_option
@json_option
@quiet_option
def predict(
    sources: tuple[str, ...],
    output: Path | None,
    overlay: bool,
    plots: bool,
    shots: bool,
    rejected: bool,
    formats: str | None,
    schema: str,
    ray: str | None,
    start: Moment,
    end: Moment | None,
    every: int,
    roi: tuple[int, int, int, int] | None,
    duration: float | None,
    show: bool,
    resume: bool,
    strict: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Track the ball in VIDEO, a video file or a folder of images.

    Writes track.csv (one row per frame), overlay.mp4 and summary.json, and prints the folder. If
    VIDEO is a folder of videos, a glob pattern or a text file with one path per line, or if there
    are several, every video is tracked; finished ones are skipped.

    --sport chooses the weights; by default a few frames show which weights suit the video. Of many
    videos the first one decides, so give --sport where they are of several sports.

    VIDEO can also be a camera number or a stream address. Rows are then written as frames arrive,
    to track.csv or, with -o -, to stdout; frames that arrive too fast are dropped and counted.
    Ctrl-C stops tracking. A live row waits for the frames that decide it: at most 20 with weights
    that see 8 frames (badminton-v3), 15 with weights that see 3 (badminton-v2). In live tracks
    strays stay and gaps are not filled. A video file at a web address is downloaded first and
    saved with the results.

    With -o -, the track of a video is printed to stdout when it is complete; no files are written.

    \b
    tracknet predict match.mp4
    tracknet predict match.mp4 --weights runs/fit/v3 --mode accurate -o match.csv
    tracknet predict 'matches/*.mp4' --no-overlay -o tracks
    tracknet predict rtsp://camera/stream --format jsonl -o -
    """
    import json

    from keras_tracknet.tracks.files import FORMATS
    from keras_tracknet.video.reader import probe_video

    from .console import ConsoleReporter
    from .live import save_recording, track_live_source
    from .options import choose_weights, load_tracker

    wanted = [name.strip() for name in (formats or "").split(",") if name.strip()]
    if (formats is not None and not wanted) or set(wanted) - set(FORMATS):
        raise click.UsageError(
            f"--format must be one or more of {', '.join(FORMATS)}, separated by commas. Received:"
            f" {formats}"
        )
    reporter = ConsoleReporter(quiet=quiet)
    from keras_tracknet.inference.batch import BatchSettings, find_readable, find_videos
    from keras_tracknet.inference.places import DEFAULT, OutputPaths, is_file_name
    from keras_tracknet.video.capture import is_live
    from keras_tracknet.video.recordings import open_recording

    source, several = sources[0], len(sources) > 1
    if several and any(is_live(name) for name in sources):
        raise click.UsageError("cameras, streams and addresses are tracked one at a time.")
    recording = open_recording(source) if is_live(source) else None
    if recording is None and is_live(source):
        track_live_source(
            source, output, wanted, schema, duration, settings, overwrite, show, reporter, as_json
        )
        return
    if recording is not None:
        click.get_current_context().call_on_close(recording.close)
    videos = find_videos(source) if recording is None else None
    if several:  # as a shell makes of an unquoted pattern
        videos = [video for name in sources for video in find_videos(name) or [Path(name)]]
    for option, given in (("--duration", duration is not None), ("--show", show)):
        if given:
            raise click.UsageError(f"{option} is for cameras and streams only; remove it.")
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite cannot be combined; remove one of them.")
    if str(output) == "-":
        _check_stdout(wanted, many=videos is not None)
    if videos is not None:
        batch = BatchSettings(
            output or DEFAULT,
            formats=tuple(wanted) or ("csv",),
            schema=schema,
            overlay=overlay,
            plots=plots,
            shots=shots,
            rejected=rejected,
            overwrite=overwrite,
            strict=strict,
            part=_choose_part(None, start, end, every, roi),
        )
        settings = choose_weights(reporter, find_readable(videos), **settings)
        with _say_what_is_kept(batch.output, reporter):
            _predict_batch(videos, batch, settings, ray, reporter, as_json)
        return
    if ray is not None:
        raise click.UsageError("--ray is for many videos; give a folder, a pattern or a list.")
    video = Path(source)
    if recording is not None:
        video = save_recording(recording, output, wanted, reporter)
    probe_video(video)  # report an unreadable source at once, before Keras is loaded
    part = _choose_part(video, start, end, every, roi)
    if str(output) == "-":
        settings = choose_weights(reporter, video, **settings)
        _print_track(video, wanted, schema, strict, part, settings, reporter)
        return
    from keras_tracknet.inference.outputs import predict_video

    more = {"plots": plots, "shots": shots, "rejected": rejected}
    paths = OutputPaths.choose(video, output, wanted, overlay=overlay, **more)
    paths.check_free(overwrite=overwrite or resume)
    settings = choose_weights(reporter, video, **settings)
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
            part=part,
            reporter=reporter,
        )
    if as_json:
        click.echo(json.dumps(summary))
    else:
        whole = output if output is not None and is_file_name(output) else paths.summary.parent
        click.echo(whole.resolve())


def _choose_part(
    video: Path | None,
    start: Moment,
    end: Moment | None,
    every: int,
    roi: tuple[int, int, int, int] | None,
) -> Part:
    """Return the part of a video that options ask for; of many videos, None, times are refused."""
    from keras_tracknet.video.part import Part
    from keras_tracknet.video.reader import find_frame

    bounds: list[int | None] = []
    for name, moment in (("start", start), ("end", end)):
        if not isinstance(moment, float):
            bounds.append(moment)
        elif video is None:
            raise click.UsageError(f"--{name} of many videos must be the number of a frame.")
        else:
            bounds.append(find_frame(video, moment))
    try:
        return Part(bounds[0] or 0, bounds[1], every, roi)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _check_stdout(wanted: list[str], *, many: bool) -> None:
    """Raise `UsageError` if options ask for more than a track on stdout."""
    if many:
        raise click.UsageError("-o - works with a single video only; give a folder for many.")
    if len(wanted) > 1 or wanted == ["parquet"]:
        raise click.UsageError("with -o -, --format must be csv or jsonl.")
    context = click.get_current_context()
    for name in ("overlay", "plots", "shots", "rejected", "resume", "as_json"):
        given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if given and context.params[name]:
            option = name.removeprefix("as_")
            raise click.UsageError(
                f"--{option} cannot be used with -o -: only the track is printed."
            )


@contextlib.contextmanager
def _say_what_is_kept(place: OutputPaths | Path, reporter: ConsoleReporter) -> Iterator[None]:
    """Print how to continue if the `with` block is interrupted.

    Args:
        place: the result paths of one video, or the folder of many.
        reporter: prints the hint.
    """
    from keras_tracknet.tracks.summary import read_summary

    try:
        yield
    except KeyboardInterrupt:
        if isinstance(place, Path):
            again = repeat_command(leave_out="--overwrite")
            reporter.warn(f"stopped; finished videos are kept in {place}; continue with: {again}")
            raise
        with contextlib.suppress(OSError, ValueError):
            summary = read_summary(place.summary)
            if summary is not None and not summary["complete"]:
                kept = f"stopped; {summary.get('frames', 0)} rows are kept in {place.tracks[0]}"
                again = repeat_command("--resume", leave_out="--overwrite")
                if place.raw is None or summary.get("schema") != "tracknet":
                    again = repeat_command("--overwrite") + ", from the start"
                reporter.warn(f"{kept}; continue with: {again}")
        raise


def _print_track(
    video: Path,
    wanted: list[str],
    schema: str,
    strict: bool,
    part: Part,
    settings: dict[str, Any],
    reporter: ConsoleReporter,
) -> None:
    """Track one video and print its track instead of writing files."""
    from keras_tracknet.inference.outputs import track_to_stdout

    from .options import load_tracker

    tracker = load_tracker(reporter, **settings)
    kind = wanted[0] if wanted else "csv"
    track_to_stdout(
        tracker, video, format=kind, schema=schema, strict=strict, part=part, reporter=reporter
    )


def _predict_batch(
    videos: list[Path],
    batch: BatchSettings,
    settings: dict[str, Any],
    ray: str | None,
    reporter: ConsoleReporter,
    as_json: bool,
) -> None:
    """Track many videos; exit with code 1 if one failed."""
    from keras_tracknet.inference.batch import FAILED, SUMMARY, predict_videos

    from .options import load_tracker, plan_tracker

    if ray is None:
        outcomes = predict_videos(
            lambda: load_tracker(reporter, **settings), videos, batch, reporter=reporter
        )
    else:
        from keras_tracknet.inference.cluster import predict_on_cluster

        _, make_tracker = plan_tracker(**settings)
        outcomes = predict_on_cluster(
            make_tracker,
            videos,
            batch,
            address=None if ray == "local" else ray,
            reporter=reporter,
        )
    failed = [outcome for outcome in outcomes if outcome.state == FAILED]
    reporter.note(f"{len(outcomes) - len(failed)}/{len(outcomes)} videos tracked")
    summary = batch.output / SUMMARY
    click.echo(summary.read_text().rstrip() if as_json else batch.output.resolve())
    if failed:
        names = ", ".join(str(outcome.video) for outcome in failed)
        raise click.ClickException(f"{names}: not tracked; see {summary} for the reason.")
