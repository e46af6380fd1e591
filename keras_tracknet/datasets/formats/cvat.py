"""CVAT XML 1.1, for videos (tracks) and for images; points, or the middles of other shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from keras_tracknet.datasets.formats.objects import (
    LeftOut,
    choose_ball,
    choose_size,
    merge_labels,
    read_number,
    shorten,
)
from keras_tracknet.datasets.labels import (
    DEFAULT_VISIBLE,
    EASY,
    HALF_PIXEL,
    HIDDEN,
    LAST_FRAME,
    NO_BALL,
    PIXELS,
    Label,
    LabelTable,
)
from keras_tracknet.errors import InputError
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.media import Media, split_name

FORMAT = "CVAT XML"
# Attributes of a shape that speak about the ball: WASB's soccer labels mark the ball of the
# game among several; ours mark frames that nobody has looked at.
IN_GAME = "used_in_game"
LABELLED = "labelled"
YES, NO = "true", "false"


class Drawn(NamedTuple):
    """A shape: its class, its frame, and whether it only repeats the last one set by hand."""

    name: str
    frame: int
    shape: ElementTree.Element
    stands: bool


def recognise(path: Path, head: str) -> bool:
    """Return whether a file's first characters are those of CVAT's XML."""
    return head.lstrip("\ufeff").startswith("<") and "<annotations>" in head


def read(path: Path, media: Media, visible: str = DEFAULT_VISIBLE) -> LabelTable:
    """Read the ball from CVAT's XML.

    Of the frames that the file is about, those have no ball where no shape is, or where it is
    outside; an occluded ball is `HIDDEN`. After the last keyframe that a person set, CVAT lets
    a shape stand still, which no ball does: those frames are unlabelled, as are those with a
    shape that has no middle.

    Raises:
        InputError: the file cannot be read, or its ball is not to be told from the rest.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, SyntaxError, ValueError, LookupError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: not a CVAT export ({why}); export it again.") from error
    left_out = LeftOut()
    objects = list(_find_objects(root, media, left_out))
    if not objects:
        why = "; ".join(left_out.warnings()) or "expected a track labelled ball"
        raise InputError(f"{path}: contains no points or boxes ({why}).")
    named = {drawn.name for drawn in objects if drawn.name.strip()}
    ball = choose_ball(named, path)
    labels = []
    standing = set()
    for name, frame, shape, stands in objects:
        attributes = {a.get("name"): (a.text or "").strip() for a in shape.iter("attribute")}
        in_game = attributes.get(IN_GAME, YES).lower()
        if attributes.get(LABELLED) == NO:
            left_out.frames.add(frame)
        elif name not in named:
            left_out.add("shapes without a class", f"frame {frame}", frame)
        elif name != ball or in_game in ("0", NO):
            continue
        elif in_game not in ("1", YES):
            left_out.add(f"shapes with {IN_GAME} other than true or false", in_game, frame)
        elif stands:
            standing.add(frame)
        elif (label := _parse_shape(frame, shape)) is not None:
            labels.append(label)
        else:
            left_out.add(f"shapes of type {shorten(shape.tag)}", f"frame {frame}", frame)
    standing -= {label.frame for label in labels if label.grade != NO_BALL}
    left_out.frames |= standing
    last = max(drawn.frame for drawn in objects)
    merged, warnings = merge_labels(labels, _find_frames(root, media, last), left_out)
    names = [image.get("name", "") for image in root.iter("image")] if media.images else []
    missing = [name for name in names if media.find_image(name, folders=False) is None]
    if missing:
        warnings.append(
            f"{len(missing)} images are missing (first: {shorten(missing[0])}) and are skipped"
        )
    if standing:
        warnings.append(f"{len(standing)} frames after the last keyframe are read as unlabelled")
    return LabelTable.from_labels(
        merged,
        visible=visible,
        units=PIXELS,
        warnings=warnings,
        format=FORMAT,
        size=_find_size(root),
        open_end=bool(standing),
    )


def write(track: Track, path: Path, size: tuple[int, int]) -> None:
    """Write a track as CVAT for video 1.1, one track of points.

    A frame without a ball has an outside point. An unlabelled one has the attribute `labelled`
    false, which `read` understands; CVAT shows it as outside.

    Args:
        track: pixels of the source video.
        path: file to create.
        size: (height, width) of the source video.
    """
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    for tag, text in (
        ("name", path.stem.encode("utf-8", "backslashreplace").decode()),  # XML holds no other
        ("size", str(len(track))),
        ("mode", "interpolation"),
        ("start_frame", "0"),
        ("stop_frame", str(len(track) - 1)),
    ):
        ElementTree.SubElement(task, tag).text = text
    label = ElementTree.SubElement(ElementTree.SubElement(task, "labels"), "label")
    ElementTree.SubElement(label, "name").text = "ball"
    ElementTree.SubElement(label, "type").text = "points"
    attribute = ElementTree.SubElement(ElementTree.SubElement(label, "attributes"), "attribute")
    for tag, text in (
        ("name", LABELLED),
        ("mutable", "True"),
        ("input_type", "checkbox"),
        ("default_value", YES),
        ("values", YES),
    ):
        ElementTree.SubElement(attribute, tag).text = text
    original = ElementTree.SubElement(task, "original_size")
    for tag, length in zip(("height", "width"), size, strict=True):
        ElementTree.SubElement(original, tag).text = str(length)
    ball = ElementTree.SubElement(root, "track", id="0", label="ball", source="manual")
    last = "0,0"
    for frame, (x, y) in enumerate(track.positions.tolist()):
        seen = bool(track.visibility[frame])
        last = f"{round(x, 6)},{round(y, 6)}" if seen else last
        points = ElementTree.SubElement(
            ball,
            "points",
            frame=str(frame),
            outside=str(int(not seen)),
            occluded="0",
            keyframe="1",
            points=last,
            z_order="0",
        )
        ElementTree.SubElement(points, "attribute", name=LABELLED).text = (
            YES if track.labelled[frame] else NO
        )
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _find_objects(root: ElementTree.Element, media: Media, left_out: LeftOut) -> Iterator[Drawn]:
    """Yield all that is drawn, and leave out what is of no frame."""
    for track in root.findall("track"):
        shapes = list(track)
        by_hand = [place for place, shape in enumerate(shapes) if shape.get("keyframe") != "0"]
        last = max(by_hand, default=-1)
        for place, shape in enumerate(shapes):
            frame = _read_frame(shape.get("frame"))
            if frame is None:
                left_out.add("shapes without a frame", shape.get("frame"))
            else:
                yield Drawn(track.get("label", ""), frame, shape, place > last)
    for frame, image in _find_images(root, media, left_out):
        for shape in image:
            if shape.tag != "tag":
                yield Drawn(shape.get("label", ""), frame, shape, False)


def _find_images(
    root: ElementTree.Element, media: Media, left_out: LeftOut
) -> Iterator[tuple[int, ElementTree.Element]]:
    """Yield (frame, image) of the images that a file for images lists and that are there."""
    images = root.findall("image")
    places = {split_name(image.get("name", ""))[0] for image in images}
    for image in images:
        if media.images:
            # One folder may have been renamed since; of several, a clip has its own.
            frame = media.find_image(image.get("name", ""), folders=len(places) > 1)
        else:
            frame = _read_frame(image.get("id"))
            if frame is None:
                left_out.add("images without a number", image.get("name"))
        if frame is not None:
            yield frame, image


def _read_frame(text: str | None) -> int | None:
    number = read_number(text)
    return int(number) if number % 1 == 0 and 0 <= number <= LAST_FRAME else None


def _parse_shape(frame: int, shape: ElementTree.Element) -> Label | None:
    """Return where the ball is; None for a shape without a middle."""
    if shape.get("outside") == "1":
        return Label(frame, NO_BALL, math.nan, math.nan)
    x, y = _find_middle(shape)
    if math.isnan(x + y):
        return None
    return Label(frame, HIDDEN if shape.get("occluded") == "1" else EASY, x, y)


def _find_middle(shape: ElementTree.Element) -> tuple[float, float]:
    """Return the middle of a shape in pixels, NaN where it has none."""

    def side(name: str) -> float:
        return read_number(shape.get(name))

    if shape.tag == "points":
        points = _read_points(shape)
        return points[0] if points else (math.nan, math.nan)
    if shape.tag == "box":
        x, y = (side("xtl") + side("xbr")) / 2, (side("ytl") + side("ybr")) / 2
    elif shape.tag == "ellipse":
        x, y = side("cx"), side("cy")
    elif shape.tag == "mask":
        x, y = side("left") + side("width") / 2, side("top") + side("height") / 2
    elif shape.tag == "polygon" and (points := _read_points(shape)):
        x, y = ((min(values) + max(values)) / 2 for values in zip(*points, strict=True))
    else:
        return math.nan, math.nan
    return x - HALF_PIXEL, y - HALF_PIXEL


def _read_points(shape: ElementTree.Element) -> list[tuple[float, float]]:
    pairs = [part.split(",") for part in shape.get("points", "").split(";") if part.strip()]
    if any(len(pair) != 2 for pair in pairs):
        return []
    return [(read_number(x), read_number(y)) for x, y in pairs]


def _find_frames(root: ElementTree.Element, media: Media, last: int) -> Iterable[int]:
    """Return the frames that the file is about; up to the last shape where it does not say."""
    if root.find("image") is not None:
        return [frame for frame, _ in _find_images(root, media, LeftOut())]
    end = media.most_frames
    meta = root.find("meta")
    source = [] if meta is None else meta.findall("task") + meta.findall("job")
    for about in source:
        start = _read_frame(about.findtext("start_frame") or "0")
        stop = _read_frame(about.findtext("stop_frame"))
        size = _read_frame(about.findtext("size"))
        step = re.search(r"step=([1-9][0-9]{0,6})\b", about.findtext("frame_filter") or "")
        if start is not None and (stop is not None or size):
            upto = stop + 1 if stop is not None else size or 0
            return range(start, min(upto, end), int(step[1]) if step else 1)
    return range(min(last + 1, end))


def _find_size(root: ElementTree.Element) -> tuple[int, int] | None:
    original = root.find(".//original_size")
    if original is not None:
        return choose_size([(original.findtext("height"), original.findtext("width"))])
    return choose_size([(image.get("height"), image.get("width")) for image in root.iter("image")])
