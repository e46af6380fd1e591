"""Exchange: labels out in every format the package writes, and in from every one it reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from keras_tracknet.datasets.conversion import TARGETS, convert_dataset
from keras_tracknet.datasets.dataset import find_dataset
from keras_tracknet.datasets.formats import cvat
from keras_tracknet.datasets.formats.recognise import LABEL_SUFFIXES, read_label_file
from keras_tracknet.errors import InputError
from keras_tracknet.studio.labels import ABSENT, VISIBLE, FrameLabel
from keras_tracknet.studio.library import Video
from keras_tracknet.tracks.files import write_track
from keras_tracknet.tracks.merging import merge_labels
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.media import open_media

TRACK, LABELS, CVAT = "track", "labels", "cvat"
FORMATS = {
    TRACK: "Track with corrections: Frame,Visibility,X,Y,Confidence,Status,Time",
    "tracknetv2": "Track with corrections in whole pixels: Frame,Visibility,X,Y",
    "jsonl": "Track with corrections as JSON lines",
    LABELS: "Labels alone: Frame,Visibility,X,Y,Status,Author",
    "shuttlecock": "Shuttlecock Trajectory Dataset with the video (ZIP)",
    CVAT: "CVAT for video (XML)",
    "coco": "COCO keypoints with the frames (ZIP)",
    "yolo": "YOLO boxes with the labelled frames (ZIP)",
    "label-studio": "Label Studio task with the video (ZIP)",
}


def merge_video(video: Video) -> Track:
    """Return the track of a video with its corrections; the labels alone where it is not tracked.

    Raises:
        InputError: it is neither tracked nor labelled.
    """
    track = video.read_track()
    if track is not None:
        return merge_labels(track, video.labels.as_track(len(track)))
    if not video.labels.frames:
        raise InputError(f"{video.path.name}: neither tracked nor labelled yet.")
    return video.labels.as_track(video.count_frames())


def export_video(video: Video, format: str, folder: Path) -> Path:
    """Write a video's track or labels for others to read.

    Args:
        video: the video.
        format: out of `FORMATS`.
        folder: an empty folder.

    Returns:
        The file to hand out.

    Raises:
        InputError: unknown format, or there is nothing to write.
    """
    if format not in FORMATS:
        raise InputError(f"{format}: unknown format; use one of {', '.join(FORMATS)}.")
    stem = video.path.stem
    if format in (TRACK, "tracknetv2", "jsonl"):
        path = folder / f"{stem}_track.{'jsonl' if format == 'jsonl' else 'csv'}"
        schema = "tracknetv2" if format == "tracknetv2" else "tracknet"
        write_track(merge_video(video), path, schema=schema)
        return path
    if not video.labels.frames:
        raise InputError(f"{video.path.name}: not labelled yet.")
    if format == LABELS:
        return Path(shutil.copy(video.labels.path, folder / video.labels.path.name))
    if format == CVAT:
        path, info = folder / f"{stem}.xml", video.info
        cvat.write(video.labels.as_track(video.count_frames()), path, (info.height, info.width))
        return path
    assert format in TARGETS
    with TemporaryDirectory(dir=folder) as work:
        source = Path(work) / stem
        source.mkdir()
        (source / video.path.name).symlink_to(video.path.resolve())
        shutil.copy(video.labels.path, source / f"{stem}_ball.csv")
        made = Path(work) / format
        convert_dataset(find_dataset(source), made, format)
        return Path(shutil.make_archive(str(folder / f"{stem}_{format}"), "zip", made))


def import_labels(video: Video, content: bytes, author: str) -> dict[int, FrameLabel]:
    """Return the labels that a file of any known format holds for a video.

    Args:
        video: the video.
        content: of the file.
        author: of the labels.

    Raises:
        InputError: it is no label file, or one of another video.
    """
    info = video.info
    with TemporaryDirectory() as work:
        path = Path(work) / f"{video.path.stem}{_guess_suffix(content)}"
        path.write_bytes(content)
        try:
            table = read_label_file(path, open_media(video.path))
        except InputError as error:
            raise InputError(str(error).replace(f"{path}: ", "").replace(work, "")) from error
    track = table.track((info.height, info.width), video.count_frames())
    labels = {}
    for row in track.rows():
        if track.labelled[row.frame]:
            x, y = (row.x, row.y) if row.visible else (None, None)
            entry = {"status": VISIBLE if row.visible else ABSENT, "x": x, "y": y}
            labels[row.frame] = FrameLabel.parse(entry, author)
    if not labels:
        raise InputError("the file has no label for a frame of this video.")
    return labels


def _guess_suffix(content: bytes) -> str:
    head = content[:4096].decode("utf-8-sig", "replace").lstrip()
    if head.startswith("<"):
        return ".xml"
    if head.startswith(("{", "[")):
        try:
            json.loads(content)
        except ValueError:
            return ".jsonl"
        return ".json"
    assert ".csv" in LABEL_SUFFIXES
    return ".csv"
