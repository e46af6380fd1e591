"""Conversion: a dataset in any known layout, written anew in one that others read."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.dataset import Dataset, read_labels
from keras_tracknet.datasets.formats import coco, cvat, label_studio, yolo
from keras_tracknet.errors import InputError
from keras_tracknet.files import explain_writing
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.images import list_images
from keras_tracknet.video.reader import probe_video, read_frames
from keras_tracknet.video.writer import VideoWriter

TARGETS = ("shuttlecock", "cvat", "coco", "yolo", "label-studio")
DIGITS = 6  # behind the point of a position
JPEG_QUALITY = 95
IMAGES_FPS = Fraction(25)  # of a video made of images
PARTIAL = ".partial-"  # how the folder is called that a conversion is written to

Progress = Callable[[Clip], None]


def convert_dataset(
    dataset: Dataset,
    output: Path,
    to: str,
    *,
    first_frame: int = 0,
    progress: Progress | None = None,
) -> list[str]:
    """Write the labelled clips of a dataset in another layout.

    - `shuttlecock`: `<match>/video/<rally>.mp4` (or `frame/<rally>/<n>.png`) and
      `<match>/csv/<rally>_ball.csv`, as the Shuttlecock Trajectory Dataset has them. A frame
      without a row is unlabelled. Positions keep their fractions of a pixel.
    - `cvat`: a CVAT for video XML beside each video or folder of images.
    - `coco`: `annotations/instances.json` with keypoints, and `images/<clip>/`; videos are
      taken apart into JPEG files.
    - `yolo`: `images/<clip>/`, `labels/<clip>/` with a text per image, and `data.yaml`; videos are
      taken apart. Unlabelled frames are left out, for an image without a box has no ball.
    - `label-studio`: a JSON task beside each video; images are made into a video.

    Videos and images are linked where the file system can, else copied. Read again, every clip
    has the same track, but for what is left out.

    Args:
        dataset: as `find_dataset` returns it.
        output: folder to create.
        to: out of `TARGETS`.
        first_frame: the number that the labels give to the first frame, 0 or 1.
        progress: called with each clip once it is written.

    Returns:
        What could not be kept, a line each.

    Raises:
        InputError: the folder is not empty, or lies in the dataset, or cannot be written.
        ValueError: an unknown target.
    """
    if to not in TARGETS:
        raise ValueError(f"`to` must be one of {', '.join(TARGETS)}. Received: to={to!r}")
    output = Path(output)
    if output.resolve().is_relative_to(dataset.root.resolve()):
        raise InputError(f"{output}: is inside the dataset itself; choose another path.")
    if output.exists() and (not output.is_dir() or _list_entries(output)):
        raise InputError(f"{output}: already exists and is not empty; choose another path.")
    clips = [replace(c, table=c.table.shifted(-first_frame)) for c in dataset.clips]
    write = {
        "shuttlecock": _write_shuttlecock,
        "cvat": _write_cvat,
        "coco": _write_coco,
        "yolo": _write_yolo,
        "label-studio": _write_label_studio,
    }[to]
    with explain_writing(output):
        output.mkdir(parents=True, exist_ok=True)
        # Half a dataset would look like a whole one.
        with TemporaryDirectory(dir=output, prefix=PARTIAL) as work:
            notes = write(clips, Path(work), progress or (lambda _clip: None))
            for name in sorted(os.listdir(work)):
                os.replace(Path(work) / name, output / name)
    return notes


def _list_entries(folder: Path) -> list[str]:
    """Return what lies in a folder, but for what a killed conversion left."""
    return [name for name in os.listdir(folder) if not name.startswith(PARTIAL)]


def _write_shuttlecock(clips: list[Clip], output: Path, progress: Progress) -> list[str]:
    # A match folder is not searched for others: a rally lies in the root only if all do.
    flat = all("/" not in clip.name for clip in clips)
    spans: dict[Path, dict[str, tuple[int, int]]] = {}
    notes = []
    for clip in clips:
        place, _, rally = clip.name.rpartition("/")
        match = output / (place or ("" if flat else clip.group))
        track, _ = _load_track(clip)
        table = match / "csv" / f"{rally}_ball.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text("\n".join(_format_rows(track)) + "\n", encoding="utf-8")
        if clip.source.is_dir():
            images = list_images(clip.source)
            names = [f"{frame}{image.suffix}" for frame, image in enumerate(images)]
            _link_images(images, match / "frame" / rally, names)
        else:
            _link(clip.source, match / "video" / f"{rally}{clip.source.suffix}")
        if clip.evaluated and match != output:
            key = f"{re.sub(r'[^0-9]', '', match.name)}_{rally}"
            spans.setdefault(match.parent, {})[key] = clip.evaluated
        elif clip.evaluated:
            notes.append(_note_lost_span(clip))
        progress(clip)
    for folder, keys in spans.items():
        drop = {
            "map": list(keys),
            "start": {key: first for key, (first, _) in keys.items()},
            "end": {key: last for key, (_, last) in keys.items()},
        }
        (folder / "drop_frame.json").write_text(json.dumps(drop) + "\n", encoding="utf-8")
    return notes


def _format_rows(track: Track) -> Iterator[str]:
    yield "Frame,Visibility,X,Y"
    for row in track.rows():
        if row.visible:
            yield f"{row.frame},1,{_shorten(row.x)},{_shorten(row.y)}"
        elif track.labelled[row.frame]:
            yield f"{row.frame},0,0,0"


def _write_cvat(clips: list[Clip], output: Path, progress: Progress) -> list[str]:
    for clip in clips:
        track, size = _load_track(clip)
        labels = output / f"{clip.name}.xml"
        labels.parent.mkdir(parents=True, exist_ok=True)
        cvat.write(track, labels, size)
        if clip.source.is_dir():
            images = list_images(clip.source)
            _link_images(images, output / clip.name, [image.name for image in images])
        else:
            _link(clip.source, output / f"{clip.name}{clip.source.suffix}")
        progress(clip)
    return [_note_lost_span(clip) for clip in clips if clip.evaluated]


def _write_coco(clips: list[Clip], output: Path, progress: Progress) -> list[str]:
    def written() -> Iterator[tuple[Track, list[str], tuple[int, int]]]:
        for clip in clips:
            track, size = _load_track(clip)
            folder = output / "images" / clip.name
            if clip.source.is_dir():
                images = list_images(clip.source)
                names = [image.name for image in images]
                _link_images(images, folder, names)
            else:
                names = _extract_frames(clip.source, folder)
            yield track.resized(len(names)), [f"{clip.name}/{name}" for name in names], size
            progress(clip)

    labels = output / "annotations" / "instances.json"
    labels.parent.mkdir(parents=True)
    coco.write(written(), labels)
    return [_note_lost_span(clip) for clip in clips if clip.evaluated]


def _write_yolo(clips: list[Clip], output: Path, progress: Progress) -> list[str]:
    parts: dict[str, list[str]] = {}
    notes = []
    for clip in clips:
        track, size = _load_track(clip)
        folder = Path("images") / clip.name
        if clip.source.is_dir():
            images = list_images(clip.source)
            names = [image.name for image in images]
            kept = [images[frame] for frame in np.flatnonzero(track.labelled[: len(images)])]
            _link_images(kept, output / folder, [image.name for image in kept])
        else:
            names = _extract_frames(clip.source, output / folder, track.labelled)
        track = track.resized(len(names))
        stems = [Path(name).stem for name in names]
        yolo.write(track, stems, output / "labels" / clip.name, size)
        parts.setdefault(clip.part or "train", []).append(folder.as_posix())
        unknown = int((~track.labelled).sum())
        if unknown:
            notes.append(
                f"{clip.name}: {unknown} unlabelled frames are left out, because YOLO would read"
                " them as no ball"
            )
        progress(clip)
    yolo.write_index(parts, output)
    return [*notes, *(_note_lost_span(clip) for clip in clips if clip.evaluated)]


def _write_label_studio(clips: list[Clip], output: Path, progress: Progress) -> list[str]:
    for clip in clips:
        track, size = _load_track(clip)
        if clip.source.is_dir():
            name, fps = f"{clip.name}.mp4", IMAGES_FPS
            with VideoWriter(output / name, size=size, fps=fps) as writer:
                for frame in read_frames(clip.source):
                    writer.write(frame.image)
        else:
            name, fps = f"{clip.name}{clip.source.suffix}", probe_video(clip.source).fps
            _link(clip.source, output / name)
        label_studio.write(track, output / f"{clip.name}.json", name, size, float(fps))
        progress(clip)
    return [_note_lost_span(clip) for clip in clips if clip.evaluated]


def _note_lost_span(clip: Clip) -> str:
    return f"{clip.name}: the list of evaluated frames is not kept"


def _load_track(clip: Clip) -> tuple[Track, tuple[int, int]]:
    """Return a clip's labels with a row for every frame, and the size of its frames."""
    info = probe_video(clip.source)
    size = (info.height, info.width)
    frames = info.frames or sum(1 for _ in read_frames(clip.source))
    return read_labels(clip, size=size, frames=frames), size


def _extract_frames(source: Path, folder: Path, wanted: np.ndarray | None = None) -> list[str]:
    """Write frames of a video as JPEG, those wanted or all; return what each is called."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    with contextlib.closing(read_frames(source)) as frames:
        for frame in frames:
            names.append(f"{frame.index:06d}.jpg")
            if wanted is not None and not wanted[frame.index : frame.index + 1].any():
                continue
            image = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
            encoded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))[1]
            (folder / names[-1]).write_bytes(encoded.tobytes())
    return names


def _link_images(images: list[Path], folder: Path, names: list[str]) -> None:
    for image, name in zip(images, names, strict=True):
        _link(image, folder / name)


def _link(source: Path, target: Path) -> None:
    """Give a file a second place: a hard link, or a copy where the file system has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except FileExistsError:
        raise
    except OSError:
        shutil.copy2(source, target)


def _shorten(value: float) -> str:
    return f"{round(value, DIGITS):.{DIGITS}f}".rstrip("0").rstrip(".")
