"""Label Studio's JSON of videos: boxes at keyframes, positions between them on a line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from keras_tracknet.datasets.formats.json_file import load_json
from keras_tracknet.datasets.formats.label_studio_time import find_scale
from keras_tracknet.datasets.formats.objects import (
    BOX_SIDE,
    LeftOut,
    choose_ball,
    merge_labels,
    read_number,
    shorten,
)
from keras_tracknet.datasets.labels import (
    DEFAULT_VISIBLE,
    EASY,
    FRACTION,
    HALF_PIXEL,
    Label,
    LabelTable,
)
from keras_tracknet.errors import InputError
from keras_tracknet.tracks.tables import UNLABELLED
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.media import Media

FORMAT = "Label Studio JSON"
KIND = "videorectangle"
LOCAL = "/data/local-files/?d="  # what Label Studio calls a file in its folder of local files


class Keyframe(NamedTuple):
    """A box that a person has set.

    `place` is in frames of the video, counted from 0, and between two of them where Label
    Studio counted at another rate; `x` and `y` are fractions of the picture, NaN where the box
    cannot be made out; `enabled` says whether the box is there until the next keyframe.
    """

    place: float
    x: float
    y: float
    enabled: bool


def recognise(path: Path, head: str) -> bool:
    """Return whether a file holds tasks of Label Studio with boxes on videos."""
    if KIND in head:
        return True
    try:
        return _starts_like_tasks(head) and any(_find_values(_load(path)))
    except InputError:
        return False


def covered(path: Path, media: Media) -> set[int]:
    """Return the file's tasks that are about a video, by their place."""
    return {place for place, task in enumerate(_load(path)) if _is_about(task, media)}


def read(path: Path, media: Media, visible: str = DEFAULT_VISIBLE) -> LabelTable:
    """Read the ball's boxes on one video; a position is the middle of its box.

    Label Studio counts frames from 1, at a rate of its own: where its count of frames is not
    the video's, frames are mapped by time. A box moves on a line from one keyframe to the
    next, unless it is switched off at the first; boxes that Label Studio filled in between are
    not needed. After the last keyframe the box would stand still, which no ball does: those
    frames are unlabelled. So are those that a box called `unlabelled` is on.

    Raises:
        InputError: the file has no such video, or its ball is not to be told from the rest.
    """
    tasks = _load(path)
    about = [task for task in tasks if _is_about(task, media)] or tasks
    if len(about) != 1:
        raise InputError(f"{path}: contains {len(about)} tasks for {media.path.name}; keep one.")
    values = list(_find_values(about))
    skipped = [value for value in values if _class(value) == UNLABELLED]
    names = {_class(value) for value in values} - {UNLABELLED}
    ball = choose_ball(names, path) if names or not skipped else ""
    balls = [value for value in values if _class(value) == ball]
    sequences = [_read_sequence(path, value) for value in balls]
    unseen = [_read_sequence(path, value) for value in skipped]
    boxes = [box for boxes in (*sequences, *unseen) for box in boxes]
    try:
        scale, warnings = find_scale([*balls, *skipped], boxes, media)
    except InputError as error:
        raise InputError(f"{path}: {error}; export it again.") from error
    stated = max(read_number(value.get("framesCount")) for value in (*balls, *skipped))

    count = math.ceil((stated if stated >= 1 else 0) * scale)
    left_out = LeftOut()
    tracks = []
    for boxes in sequences:
        keyframes = _find_keyframes(boxes, scale, media, left_out)
        tracks.append(keyframes)
        last = max((_place(box, scale) for box in boxes), default=0.0)
        count = max(count, math.floor(last) + 1)
    count = min(count, media.most_frames)
    for boxes in unseen:
        keyframes = _find_keyframes(boxes, scale, media, left_out)
        left_out.frames |= {label.frame for label in _fill(keyframes, count)}
        left_out.frames |= {*_after_last(keyframes, count)}
    labels = [label for keyframes in tracks for label in _fill(keyframes, count)]
    known = {label.frame for label in labels}
    unknown = {frame for keyframes in tracks for frame in _after_last(keyframes, count)} - known
    if unknown:
        warnings.append(f"{len(unknown)} frames after the last keyframe are read as unlabelled")
    merged, more = merge_labels(labels, sorted(set(range(count)) - unknown), left_out)
    return LabelTable.from_labels(
        merged,
        visible=visible,
        units=FRACTION,
        warnings=[*warnings, *more],
        format=FORMAT,
        offset=-HALF_PIXEL,
        open_end=bool(unknown),
    )


def write(track: Track, path: Path, video: str, size: tuple[int, int], fps: float) -> None:
    """Write a track as a task of Label Studio for a video, with the labels in it.

    Every frame with a ball has a keyframe, whose box has its middle at the ball and a nominal side
    of `BOX_SIDE`. A box called `unlabelled` is on the frames that nobody has looked at.

    Args:
        track: pixels of the video, a row for each of its frames.
        path: file to create.
        video: path of the video below Label Studio's folder of local files.
        size: (height, width) of the video.
        fps: frames per second.
    """
    height, width = size
    side = BOX_SIDE * height
    corners = (track.positions + HALF_PIXEL - side / 2) / (width, height) * 100
    box = (100 * side / width, 100 * side / height)
    seen = [(*corner, *box) for corner in corners.tolist()]
    whole = [(0.0, 0.0, 100.0, 100.0)] * len(track)
    regions = []
    for name, on, boxes in (("ball", track.visibility, seen), (UNLABELLED, ~track.labelled, whole)):
        if on.any():
            value = {
                "framesCount": len(track),
                "duration": len(track) / fps,
                "sequence": _make_sequence(on, boxes, fps),
                "labels": [name],
            }
            region = {"id": name, "type": KIND, "from_name": "box", "to_name": "video"}
            regions.append({**region, "origin": "manual", "value": value})
    data = {"video": LOCAL + video, "fps": fps}
    task = {"data": data, "annotations": [{"result": regions}]}
    path.write_text(json.dumps([task]) + "\n", encoding="utf-8")


def _make_sequence(
    on: np.ndarray, boxes: Sequence[tuple[float, ...]], fps: float
) -> list[dict[str, Any]]:
    """Return a keyframe for every frame that a box is on; it is switched off after the last."""
    followed = np.append(on[1:], False)
    sequence = []
    for frame in np.flatnonzero(on).tolist():
        sides = zip(("x", "y", "width", "height"), boxes[frame], strict=True)
        sequence.append(
            {
                "frame": frame + 1,
                "time": round((frame + 1) / fps, 6),
                "enabled": bool(followed[frame]),
                "rotation": 0,
                **{name: round(value, 9) for name, value in sides},
            }
        )
    return sequence


def _read_sequence(path: Path, value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the boxes of a region by their frames.

    Raises:
        InputError: a box is of no frame, so nobody knows between which others it is.
    """
    boxes = value.get("sequence")
    boxes = boxes if isinstance(boxes, list) else [boxes]
    for box in boxes:
        if not (isinstance(box, dict) and read_number(box.get("frame")) >= 1):
            raise InputError(
                f"{path}: not a Label Studio export: box without a frame, {shorten(box)}; export"
                " it again."
            )
    return sorted(boxes, key=lambda box: read_number(box["frame"]))


def _find_keyframes(
    boxes: list[dict[str, Any]], scale: float, media: Media, left_out: LeftOut
) -> list[Keyframe]:
    """Return the boxes that a person set; those filled in follow from them."""
    keyframes = []
    for box in boxes:
        if box.get("auto"):
            continue
        place = _place(box, scale)
        x, y = _middle(box, media)
        if place > media.most_frames + 1:
            left_out.add("boxes after the last frame of the video", f"frame {place:.0f}")
        elif math.isnan(x + y):
            left_out.add("unreadable boxes", f"frame {round(place)}", round(place))
        keyframes.append(Keyframe(place, x, y, box.get("enabled") is not False))
    return keyframes


def _place(box: dict[str, Any], scale: float) -> float:
    return (read_number(box["frame"]) - 1) * scale


def _fill(keyframes: list[Keyframe], count: int) -> Iterator[Label]:
    """Yield a label for every frame from a keyframe on to the next where the box is on.

    Where a keyframe lies between two frames, and no line leads from or to it, the nearer one
    gets its position. Frames beside a box that cannot be made out get no position, and so are
    unlabelled.
    """
    filled = set()
    for box, following in pairwise(keyframes):
        if not box.enabled:
            continue
        steps = following.place - box.place
        for frame in range(math.ceil(box.place), min(math.floor(following.place) + 1, count)):
            share = (frame - box.place) / steps if steps else 0.0
            if frame < following.place:
                filled.add(frame)
                x = box.x if not share else box.x + share * (following.x - box.x)
                y = box.y if not share else box.y + share * (following.y - box.y)
                yield Label(frame, EASY, x, y)
    for box in keyframes:
        frame = math.floor(box.place + 0.5)
        if frame < count and frame not in filled:
            yield Label(frame, EASY, box.x, box.y)


def _after_last(keyframes: list[Keyframe], count: int) -> range:
    """Return the frames for which a box is there only because nobody has switched it off."""
    if not keyframes:
        return range(count)
    if not keyframes[-1].enabled:
        return range(0)
    return range(math.floor(keyframes[-1].place + 0.5) + 1, count)


def _middle(box: dict[str, Any], media: Media) -> tuple[float, float]:
    """Return the middle of a box as a fraction; Label Studio writes per cent.

    A box is turned around its first corner, in pixels, so that the picture's shape counts.
    """
    x, y, width, height = (read_number(box.get(name)) for name in ("x", "y", "width", "height"))
    degrees = read_number(box.get("rotation") or 0)
    if min(width, height) < 0:
        return math.nan, math.nan
    right, down = width / 2, height / 2
    if degrees % 360:
        if media.info is None:
            return math.nan, math.nan
        shape = media.info.width / media.info.height
        turn = math.radians(degrees)
        right, down = (
            right * math.cos(turn) - down / shape * math.sin(turn),
            right * shape * math.sin(turn) + down * math.cos(turn),
        )
    return (x + right) / 100, (y + down) / 100


def _load(path: Path) -> list[dict[str, Any]]:
    document = load_json(path)
    tasks = document if isinstance(document, list) else [document]
    return [task for task in tasks if isinstance(task, dict)]


def _starts_like_tasks(head: str) -> bool:
    start = head.lstrip("\ufeff \n\r\t")
    return start.startswith("[") or (start.startswith("{") and '"annotations"' in head)


def _find_values(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what the boxes of each task say.

    They stand in its last annotation that was not cancelled; in an export of the kind
    JSON-MIN, in the task itself.
    """
    for task in tasks:
        done = task.get("annotations")
        results = [
            a["result"]
            for a in (done if isinstance(done, list) else [])
            if isinstance(a, dict) and a.get("result") and not a.get("was_cancelled")
        ]
        regions = results[-1] if results else []
        for region in regions if isinstance(regions, list) else []:
            if isinstance(region, dict) and str(region.get("type")).lower() == KIND:
                value = region.get("value")
                yield value if isinstance(value, dict) else {}
        for values in task.values() if done is None else ():
            for value in values if isinstance(values, list) else []:
                if isinstance(value, dict) and isinstance(value.get("sequence"), list):
                    yield value


def _class(value: dict[str, Any]) -> str:
    names = value.get("labels") or value.get("videorectangle")
    return str(names[0]) if isinstance(names, list) and names else "ball"


def _is_about(task: dict[str, Any], media: Media) -> bool:
    """Return whether a task's video is the one: uploads get eight characters before their name."""
    data = task.get("data") if "annotations" in task else task
    texts = [v for v in data.values() if isinstance(v, str)] if isinstance(data, dict) else []
    paths = [text.removeprefix(LOCAL).replace("\\", "/") for text in texts]
    stems = [PurePosixPath(path).stem for path in paths]
    own = media.path.stem
    return any(stem == own or stem.endswith(f"-{own}") for stem in stems)
