"""`tracknet analyze`: find events, rallies and speeds in a track."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import RATE, json_option, overwrite_option, quiet_option, sport_option

if TYPE_CHECKING:
    from keras_tracknet.progress import Reporter


@click.command()
@click.argument("source", metavar="TRACK.csv|VIDEO", type=click.Path(path_type=Path))
@sport_option
@click.option(
    "--court",
    "court_file",
    type=click.Path(path_type=Path),
    help="Court file written by tracknet court.",
)
@click.option(
    "--video",
    type=click.Path(path_type=Path),
    help="Video that the track was made from. [default: the one named in summary.json, or a video"
    " of the same name next to the track]",
)
@click.option(
    "--fps",
    type=RATE,
    help="Frames per second, such as 60 or 30000/1001. [default: taken from the track's times, the"
    " video or summary.json]",
)
@click.option("--clips", is_flag=True, help="Also write each rally as a separate video.")
@click.option(
    "--highlights",
    is_flag=True,
    help="Also write a film of the longest rallies and fastest shots, and one rally as an animation"
    " (WebP).",
)
@click.option(
    "--overlay",
    is_flag=True,
    help="Also write the video with events, speeds and a small court drawn in.",
)
@click.option(
    "--weights", help="Weights for tracking if a VIDEO is given. [default: chosen by --sport]"
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the results. [default: runs/analyze/<name>]",
)
@overwrite_option
@json_option
@quiet_option
def analyze(
    source: Path,
    sport: str,
    court_file: Path | None,
    video: Path | None,
    fps: Fraction | None,
    clips: bool,
    highlights: bool,
    overlay: bool,
    weights: str | None,
    output: Path | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find hits, bounces, landings, rallies and ball speed in a track.

    Writes events.csv, rallies.csv, speed.csv and report.html, a single page that opens offline.
    A VIDEO is tracked first, to track.csv in the same folder. --sport says how the ball flies and
    bounces; auto takes the sport of the court file or of the weights. Speed is in pixels per
    second. With --court, landing points are also given in metres, and for every stroke the speed at
    the racket in km/h and the height over the net.

    \b
    tracknet analyze runs/predict/match/track.csv --clips --highlights
    tracknet analyze match.mp4 --sport tennis --court runs/court/match.json
    """
    import json

    from keras_tracknet.analysis.court.calibration import read_court
    from keras_tracknet.analysis.run import check_folder, run_analysis
    from keras_tracknet.inference.places import name_result
    from keras_tracknet.presets import AUTO
    from keras_tracknet.sports import SPORTS, find_sport
    from keras_tracknet.tracks.files import FORMATS, check_exists

    from .console import ConsoleReporter

    reporter = ConsoleReporter(quiet=quiet)
    tracked = source.suffix.lower().lstrip(".") in FORMATS
    ours = tracked and source.stem == "track"  # of predict, whose folder has the video's name
    folder = output or Path("runs/analyze") / name_result(source.parent if ours else source)
    check_folder(folder, overwrite=overwrite)
    if tracked:
        check_exists(source)  # before anything is said of it
    court = read_court(court_file) if court_file else None
    if court is not None and court.sport in SPORTS and sport == AUTO:
        sport = court.sport
    track = source
    if not tracked:
        track, video = _track_video(source, folder, sport, weights, overwrite, reporter), source
    if sport == AUTO:
        sport = _find_sport(track, reporter)
    summary = run_analysis(
        track,
        folder,
        find_sport(sport),
        court=court,
        video=video,
        fps=None if fps is None else float(fps),
        clips=clips,
        highlights=highlights,
        overlay=overlay,
        reporter=reporter,
    )
    if as_json:
        click.echo(json.dumps(summary))
        return
    names = {"rallies": "rally", "hits": "hit", "bounces": "bounce", "landings": "landing"}
    counts = ", ".join(
        f"{summary[many]} {one if summary[many] == 1 else many}"
        for many, one in names.items()
        if many in summary
    )
    click.echo(counts)
    click.echo(folder.resolve())


def _find_sport(track: Path, reporter: Reporter) -> str:
    """Return the sport of the weights that a track was made with."""
    from keras_tracknet.presets import name_sport
    from keras_tracknet.tracks.summary import find_summary

    sport = name_sport(find_summary(track)[0].get("weights_sha256"))
    if sport == "":
        raise click.UsageError(f"{track}: its weights are for several sports; give --sport.")
    reporter.note(f"sport: {sport or 'unknown, taken for badminton; --sport sets it'}")
    return sport or "badminton"


def _track_video(
    source: Path,
    folder: Path,
    sport: str,
    weights: str | None,
    overwrite: bool,
    reporter: Reporter,
) -> Path:
    from keras_tracknet.video.reader import probe_video

    from .options import choose_weights, load_tracker

    probe_video(source)  # report an unreadable source at once, before Keras is loaded

    from keras_tracknet.inference.outputs import predict_video
    from keras_tracknet.inference.places import OutputPaths
    from keras_tracknet.presets import AUTO, list_presets

    paths = OutputPaths.inside(folder, ["csv"], overlay=False)
    paths.check_free(overwrite=overwrite)
    settings = choose_weights(reporter, source, sport, weights)
    if sport == AUTO and weights is None and not list_presets()[settings["weights"]].sport:
        raise click.UsageError(
            f"{source}: {settings['weights']} suits it, which is for several sports; give --sport."
        )
    tracker = load_tracker(reporter, **settings, rectifier="none")
    predict_video(tracker, source, paths, overwrite=overwrite, reporter=reporter)
    return paths.tracks[0]
