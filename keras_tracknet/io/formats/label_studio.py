"""Label Studio's JSON of videos: boxes at keyframes, positions between them on a line."""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from pathlib import Path, PurePosixPath
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.io.formats.json_file import load_json
from keras_tracknet.io.labels import (
    DEFAULT_VISIBLE,
    EASY,
    FRACTION,
    HALF_PIXEL,
    NO_BALL,
    Label,
    LabelTable,
    choose_ball,
    merge_labels,
)
from keras_tracknet.io.media import Media

FORMAT = "Label Studio JSON"
KIND = "videorectangle"


def recognise(path: Path, head: str) -> bool:
    """Return whether a file holds tasks of Label Studio with boxes on videos."""
    return KIND in head or (_starts_like_tasks(head) and any(_find_regions(_load(path))))


def covered(path: Path, media: Media) -> set[int]:
    """Return the file's tasks that are about a video, by their place."""
    return {place for place, task in enumerate(_load(path)) if _is_about(task, media)}


def read(path: Path, media: Media, visible: str = DEFAULT_VISIBLE) -> LabelTable:
    """Read the ball's boxes on one video; a position is the middle of its box.

    Label Studio counts frames from 1. A box moves on a line from one keyframe to the next,
    unless it is switched off at the first. After the last keyframe it would stand still,
    which no ball does: those frames are unlabelled.

    Raises:
        InputError: the file has no such video, or its ball is not to be told from the rest.
    """
    tasks = _load(path)
    about = [task for task in tasks if _is_about(task, media)] or tasks
    if len(about) != 1:
        raise InputError(f"{path}: has {len(about)} tasks for {media.path.name}; keep one.")
    regions = list(_find_regions(about))
    labels: list[Label] = []
    unknown: set[int] = set()
    count = 0
    try:
        ball = choose_ball((_class(region) for region in regions), path)
        for region in (region for region in regions if _class(region) == ball):
            value = region["value"]
            boxes = sorted(value["sequence"], key=lambda box: box["frame"])
            count = max(count, int(value.get("framesCount") or 0))
            labels += _fill_sequence(boxes)
            if boxes and boxes[-1].get("enabled", True):
                unknown |= set(range(boxes[-1]["frame"], count))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not what Label Studio writes ({error!r}).") from error
    doubts = [f"{len(unknown)} frames after a last keyframe: taken as unlabelled"] * bool(unknown)
    known = {label.frame for label in labels}
    absent = (Label(f, NO_BALL, nan, nan) for f in range(count) if f not in unknown)
    merged, more = merge_labels([*labels, *(label for label in absent if label.frame not in known)])
    return LabelTable.from_labels(
        merged,
        visible=visible,
        units=FRACTION,
        doubts=[*doubts, *more],
        format=FORMAT,
        offset=-HALF_PIXEL,
    )


def _fill_sequence(boxes: list[dict[str, Any]]) -> Iterator[Label]:
    """Yield a label for every frame from the first keyframe to the last where the box is on."""
    for box, following in zip(boxes, [*boxes[1:], None], strict=True):
        frame, (x, y) = box["frame"], _middle(box)
        yield Label(frame - 1, EASY, x, y)
        if following is not None and box.get("enabled", True):
            steps = following["frame"] - frame
            right, down = _middle(following)
            for step in range(1, steps):
                share = step / steps
                yield Label(frame - 1 + step, EASY, x + share * (right - x), y + share * (down - y))


def _middle(box: dict[str, Any]) -> tuple[float, float]:
    """Return the middle of a box as a fraction; Label Studio writes per cent."""
    return (box["x"] + box["width"] / 2) / 100, (box["y"] + box["height"] / 2) / 100


def _load(path: Path) -> list[dict[str, Any]]:
    document = load_json(path)
    tasks = document if isinstance(document, list) else [document]
    return [task for task in tasks if isinstance(task, dict)]


def _starts_like_tasks(head: str) -> bool:
    return head.lstrip("\ufeff [\n\r\t").startswith("{") and '"annotations"' in head


def _find_regions(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the boxes of each task's last annotation that was not cancelled."""
    for task in tasks:
        done = task.get("annotations")
        results = [
            a["result"]
            for a in (done if isinstance(done, list) else [])
            if isinstance(a, dict) and a.get("result") and not a.get("was_cancelled")
        ]
        for region in results[-1] if results else []:
            if isinstance(region, dict) and str(region.get("type")).lower() == KIND:
                yield region


def _class(region: dict[str, Any]) -> str:
    names = region["value"].get("labels") or region["value"].get("videorectangle") or ["ball"]
    return str(names[0])


def _is_about(task: dict[str, Any], media: Media) -> bool:
    """Return whether a task's video is the one: uploads get eight characters before their name."""
    data = task.get("data")
    source = data.get("video") if isinstance(data, dict) else None
    stem = PurePosixPath(str(source or "").replace("\\", "/")).stem
    return stem == media.path.stem or stem.endswith(f"-{media.path.stem}")
