"""COCO JSON: a box or a keypoint for the ball on each image."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from keras_tracknet.datasets.formats.json_file import load_json
from keras_tracknet.datasets.formats.objects import (
    BOX_SIDE,
    LeftOut,
    choose_ball,
    choose_size,
    merge_labels,
    read_key,
    read_number,
    shorten,
)
from keras_tracknet.datasets.labels import (
    DEFAULT_VISIBLE,
    EASY,
    HALF_PIXEL,
    HIDDEN,
    PIXELS,
    Label,
    LabelTable,
)
from keras_tracknet.errors import InputError
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.media import Media, find_number, split_name

FORMAT = "COCO JSON"
MOST_STRANGERS = 0.1  # share of annotations of unlisted images beyond which no id is trusted


def recognise(path: Path, head: str) -> bool:
    """Return whether a file holds images, annotations and categories as COCO does."""
    if not head.lstrip("\ufeff \n\r\t").startswith("{"):
        return False
    try:
        document = load_json(path)
    except InputError:
        return False
    return isinstance(document, dict) and all(
        isinstance(document.get(part), list) for part in ("images", "annotations", "categories")
    )


def covered(path: Path, media: Media) -> set[str]:
    """Return the file's images that may be frames of a clip, by number."""
    document = load_json(path)
    return set(_find_frames(document["images"], media, LeftOut()))


def read(path: Path, media: Media, visible: str = DEFAULT_VISIBLE) -> LabelTable:
    """Read the ball on the images of one clip.

    An image without a ball among its annotations has none, unless an annotation that cannot
    be made out may be its own; a frame that is not among the images is unlabelled. A keypoint
    is taken before a box, and is `HIDDEN` where its visibility is 1. The file must have one
    category, or one that sounds like a ball.

    Raises:
        InputError: the file cannot be read, its ball is not to be told from the rest, or its
            annotations are of other images.
    """
    document = load_json(path)
    left_out = LeftOut()
    frames = _find_frames(document["images"], media, left_out)
    listed = {key for image in document["images"] if (key := _key(image, "id")) is not None}
    annotations = [*_find_balls(path, document, left_out)]
    strangers = [a for a in annotations if (_key(a, "image_id") or "") not in listed]
    if len(strangers) > MOST_STRANGERS * len(annotations):
        raise InputError(
            f"{path}: {len(strangers)} of {len(annotations)} annotations refer to images that are"
            f" not listed (first: image {shorten(strangers[0].get('image_id'))}); the ids are"
            " unreliable, export the file again."
        )
    labels = []
    for annotation in annotations:
        key = _key(annotation, "image_id")
        if key not in listed:
            left_out.add("annotations of unknown images", f"image {annotation.get('image_id')}")
        elif key in frames:
            label = _parse(frames[key], annotation)
            if label is None:
                left_out.add("annotations without a box or keypoint", f"image {key}", frames[key])
            else:
                labels.append(label)
    warnings = []
    if not media.images and any(map(_is_sampled, document["images"])):
        warnings.append(
            "frames are numbered as in Roboflow file names, which count from 0 only if every frame"
            " of the video was extracted"
        )
    merged, more = merge_labels(labels, frames.values(), left_out)
    return LabelTable.from_labels(
        merged,
        visible=visible,
        units=PIXELS,
        warnings=[*warnings, *more],
        format=FORMAT,
        size=_find_size(document["images"], frames),
    )


def _find_balls(
    path: Path, document: dict[str, Any], left_out: LeftOut
) -> Iterator[dict[str, Any]]:
    """Yield the annotations of the ball's category, and leave out those without a category."""
    names = {
        key: str(category.get("name"))
        for category in document["categories"]
        if (key := _key(category, "id")) is not None
    }
    categories = [(_key(a, "category_id"), a) for a in document["annotations"]]
    used = {key for key, _ in categories}
    known = names.keys() & used or names.keys()
    ball = choose_ball((names[key] for key in known), path)
    for key, annotation in categories:
        if key is None or key not in names:
            left_out.add("annotations of an unknown category", shorten(annotation))
        elif names[key] == ball:
            yield annotation


def write(clips: Iterable[tuple[Track, list[str], tuple[int, int]]], path: Path) -> None:
    """Write tracks as COCO keypoints with one category, `ball`.

    Unlabelled frames are left out; an image without an annotation has no ball. The box, which
    every reader of COCO wants, has its middle at the ball and a nominal side of `BOX_SIDE`.

    Args:
        clips: (track in pixels of the source, name of each frame's image, (height, width)).
        path: file to create.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for track, names, (height, width) in clips:
        side = round(BOX_SIDE * height, 2)
        for row, name in zip(track.rows(), names, strict=True):
            if not track.labelled[row.frame]:
                continue
            number = len(images) + 1
            images.append({"id": number, "file_name": name, "width": width, "height": height})
            if row.visible:
                x, y = round(row.x, 6), round(row.y, 6)
                corner = [x + HALF_PIXEL - side / 2, y + HALF_PIXEL - side / 2]
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": 1,
                        "bbox": [*(round(value, 6) for value in corner), side, side],
                        "area": round(side * side, 4),
                        "iscrowd": 0,
                        "keypoints": [x, y, 2],
                        "num_keypoints": 1,
                    }
                )
    category = {"id": 1, "name": "ball", "keypoints": ["centre"], "skeleton": []}
    document = {"images": images, "annotations": annotations, "categories": [category]}
    path.write_text(json.dumps(document) + "\n", encoding="utf-8")


def _parse(frame: int, annotation: dict[str, Any]) -> Label | None:
    """Return where the ball is; None where neither a keypoint nor a box says it."""
    points = annotation.get("keypoints")
    if isinstance(points, list) and len(points) == 3:
        x, y, seen = map(read_number, points)
        if seen in (1, 2):
            found = math.isfinite(x + y)
            return Label(frame, EASY if seen == 2 else HIDDEN, x, y) if found else None
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        return None
    left, top, width, height = map(read_number, box)
    if not (width >= 0 and height >= 0 and math.isfinite(left + top)) or not any(box):
        return None
    return Label(frame, EASY, left + width / 2 - HALF_PIXEL, top + height / 2 - HALF_PIXEL)


def _find_frames(images: list[Any], media: Media, left_out: LeftOut) -> dict[str, int]:
    """Return the frames of a clip among the images, by the image's number.

    Folders in an image's name must be those that the clip lies in. A frame of a video is
    numbered, below a folder of the video's name where there is a folder.
    """
    frames: dict[str, int] = {}
    counts = Counter(_key(image, "id") for image in images)
    for image in images:
        key, name = _key(image, "id"), image.get("file_name") if isinstance(image, dict) else None
        if key is None or not isinstance(name, str) or not name:
            left_out.add("images without an id or a file name", image)
            continue
        frame = media.find_image(name) if media.images else _number_frame(name, media)
        if frame is not None:
            frames[key] = frame
            if counts[key] > 1:
                left_out.add("images that share an id", f"image {key}", frame)
    return frames


def _number_frame(name: str, media: Media) -> int | None:
    """Return the number in the name of a video's frame, None for frames of another video."""
    folders, last = split_name(name)
    return find_number(last) if not folders or folders[-1] == media.path.stem else None


def _is_sampled(image: Any) -> bool:
    return isinstance(image, dict) and ".rf." in str(image.get("file_name"))


def _find_size(images: list[Any], frames: dict[str, int]) -> tuple[int, int] | None:
    """Return the (height, width) that all images of a clip have, None where they do not say."""
    return choose_size(
        (image.get("height"), image.get("width")) for image in images if _key(image, "id") in frames
    )


def _key(item: Any, name: str) -> str | None:
    """Return an id as text; None where there is none, or no item."""
    return read_key(item.get(name)) if isinstance(item, dict) else None
