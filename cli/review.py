"""`tracknet review`: the frames of a track that a person had best look at."""

from __future__ import annotations

from pathlib import Path

import click

from .options import SHARE, NumberType


@click.command()
@click.argument("track", metavar="TRACK", type=click.Path(path_type=Path))
@click.option(
    "--list",
    "listed",
    is_flag=True,
    required=True,
    help="Print the doubtful frames as CSV, most useful first.",
)
@click.option(
    "--other",
    type=click.Path(path_type=Path),
    help="Track of the same video in another mode or by other weights; where the two disagree comes"
    " first.",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="Corrections of tracknet studio; what they answer is left out.",
)
@click.option(
    "--threshold",
    type=SHARE,
    default=0.5,
    show_default=True,
    help="Confidence below which a detection was not taken for the ball.",
)
@click.option("--most", type=NumberType(int, 1), help="Number of frames to list. [default: all]")
def review(
    track: Path,
    listed: bool,
    other: Path | None,
    labels: Path | None,
    threshold: float,
    most: int | None,
) -> None:
    """List the frames of TRACK that a person had best look at, one for each moment.

    TRACK is the track.csv of tracknet predict. The columns are the frame to look at, the first and
    last frame of the doubt, its kind, a score from 0 to 1, and the reason in words. tracknet studio
    shows the same list beside the video.

    \b
    tracknet review runs/predict/match/track.csv --list --most 60
    """
    import csv
    import sys

    from keras_tracknet.studio.labels import LabelFile
    from keras_tracknet.tracks.doubts import DoubtfulMoment, find_doubtful_frames
    from keras_tracknet.tracks.files import read_track
    from keras_tracknet.tracks.merging import merge_labels

    found = read_track(track)
    if labels is not None:
        file = LabelFile(labels, labels.with_suffix(".json"))
        found = merge_labels(found, file.as_track(len(found)))
    second = read_track(other) if other is not None else None
    moments = find_doubtful_frames(found, threshold=threshold, other=second, most=most)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(name.capitalize() for name in DoubtfulMoment._fields)
    for moment in moments:
        writer.writerow(moment._replace(score=round(moment.score, 3)))
