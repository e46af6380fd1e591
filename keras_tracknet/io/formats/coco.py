"""COCO JSON: a box or a keypoint for the ball on each image."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from math import nan
from pathlib import Path, PurePosixPath
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.io.formats.json_file import load_json
from keras_tracknet.io.labels import (
    DEFAULT_VISIBLE,
    EASY,
    HALF_PIXEL,
    HIDDEN,
    NO_BALL,
    PIXELS,
    Label,
    LabelTable,
    choose_ball,
    merge_labels,
)
from keras_tracknet.io.media import Media
from keras_tracknet.io.tracks import Track

FORMAT = "COCO JSON"
BOX_SIDE = 1 / 60  # of the picture's height: a box is wanted, and a track says nothing of size


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


def covered(path: Path, media: Media) -> set[Any]:
    """Return the file's images that may be frames of a clip, by number."""
    return set(_find_frames(load_json(path), media))


def read(path: Path, media: Media, visible: str = DEFAULT_VISIBLE) -> LabelTable:
    """Read the ball on the images of one clip.

    An image without a ball among its annotations has none; a frame that is not among the
    images is unlabelled. A keypoint is taken before a box, and is `HIDDEN` where its
    visibility is 1. The file must have one category, or one that sounds like a ball.

    Raises:
        InputError: the file cannot be read, or its ball is not to be told from the rest.
    """
    document = load_json(path)
    try:
        frames = _find_frames(document, media)
        names = {category["id"]: str(category["name"]) for category in document["categories"]}
        used = {annotation["category_id"] for annotation in document["annotations"]}
        known = used & names.keys() or names.keys()
        ball = choose_ball((names[number] for number in known), path)
        labels = [
            _parse(frames[annotation["image_id"]], annotation)
            for annotation in document["annotations"]
            if annotation["image_id"] in frames and names[annotation["category_id"]] == ball
        ]
        sizes = {
            (int(image.get("height") or 0), int(image.get("width") or 0))
            for image in document["images"]
            if image["id"] in frames
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not what COCO has ({error!r}); export it anew.") from error
    absent = [Label(frame, NO_BALL, nan, nan) for frame in frames.values()]
    merged, doubts = merge_labels([*labels, *absent])
    size = sizes.pop() if len(sizes) == 1 else (0, 0)
    return LabelTable.from_labels(
        merged,
        visible=visible,
        units=PIXELS,
        doubts=doubts,
        format=FORMAT,
        size=size if all(size) else None,
    )


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


def _parse(frame: int, annotation: dict[str, Any]) -> Label:
    points = annotation.get("keypoints") or []
    if len(points) == 3 and points[2]:
        return Label(frame, EASY if points[2] == 2 else HIDDEN, float(points[0]), float(points[1]))
    left, top, width, height = map(float, annotation["bbox"])
    return Label(frame, EASY, left + width / 2 - HALF_PIXEL, top + height / 2 - HALF_PIXEL)


def _find_frames(document: dict[str, Any], media: Media) -> dict[Any, int]:
    """Return the frames of a clip among the images, by the image's number.

    Folders in an image's name must be those that the clip lies in. A frame of a video is
    numbered, below a folder of the video's name where there is a folder.
    """
    frames: dict[Any, int] = {}
    above = media.path.resolve().parts
    for image in document["images"]:
        folders, name = _split_name(str(image["file_name"]))
        if media.images:
            if name in media.frames_by_name and (not folders or above[-len(folders) :] == folders):
                frames[image["id"]] = media.frames_by_name[name]
        elif not folders or folders[-1] == media.path.stem:
            numbers = re.findall(r"\d+", PurePosixPath(name).stem)
            if numbers:
                frames[image["id"]] = int(numbers[-1])
    return frames


@lru_cache(maxsize=1 << 20)
def _split_name(name: str) -> tuple[tuple[str, ...], str]:
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    return tuple(parts[:-1]), parts[-1] if parts else ""
