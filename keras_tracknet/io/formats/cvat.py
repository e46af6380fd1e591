"""CVAT XML 1.1, for videos (tracks) and for images; points, or the centres of boxes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import nan
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from keras_tracknet.errors import InputError
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

FORMAT = "CVAT XML"
SHAPES = ("points", "box")
# Attributes of a shape that speak about the ball: WASB's soccer labels mark the ball of the
# game among several; ours mark frames that nobody has looked at.
IN_GAME = "used_in_game"
LABELLED = "labelled"
YES, NO = "true", "false"


def recognise(path: Path, head: str) -> bool:
    """Return whether a file's first characters are those of CVAT's XML."""
    return head.lstrip("\ufeff").startswith("<") and "<annotations>" in head


def read(path: Path, media: Media, visible: str = DEFAULT_VISIBLE) -> LabelTable:
    """Read the ball from CVAT's XML.

    Of the frames that the file is about, those have no ball where no shape is, or where it is
    outside; an occluded ball is `HIDDEN`.

    Raises:
        InputError: the file cannot be read, or its ball is not to be told from the rest.
    """
    try:
        root = ElementTree.parse(path).getroot()
        shapes = list(_find_shapes(root, media))
        if not shapes:
            raise InputError(f"{path}: has no points or boxes; expected a track of the ball.")
        ball = choose_ball((name for name, _, _ in shapes), path)
        labels, unlabelled = [], set()
        for name, frame, shape in shapes:
            attributes = {a.get("name"): (a.text or "").strip() for a in shape.iter("attribute")}
            if attributes.get(LABELLED) == NO:
                unlabelled.add(frame)
            elif name == ball and attributes.get(IN_GAME, YES).lower() in ("1", YES):
                labels.append(_parse_shape(frame, shape))
        last = max(frame for _, frame, _ in shapes)
        about = [Label(frame, NO_BALL, nan, nan) for frame in _find_frames(root, media, last)]
        size = _find_size(root)
    except (OSError, ElementTree.ParseError, ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not what CVAT writes ({error}); export it anew.") from error
    merged, doubts = merge_labels([*labels, *about])
    return LabelTable.from_labels(
        (label for label in merged if label.frame not in unlabelled),
        visible=visible,
        units=PIXELS,
        doubts=doubts,
        format=FORMAT,
        size=size,
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
        ("name", path.stem),
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


def _find_shapes(
    root: ElementTree.Element, media: Media
) -> Iterator[tuple[str, int, ElementTree.Element]]:
    """Yield (class, frame, shape) of every point and box."""
    for track in root.findall("track"):
        for shape in track:
            if shape.tag in SHAPES:
                yield track.get("label", ""), int(shape.attrib["frame"]), shape
    for frame, image in _find_images(root, media):
        for shape in image:
            if shape.tag in SHAPES:
                yield shape.get("label", ""), frame, shape


def _find_images(
    root: ElementTree.Element, media: Media
) -> Iterator[tuple[int, ElementTree.Element]]:
    """Yield (frame, image) of the images that a file for images lists and that are there."""
    frames = media.frames_by_name
    for image in root.findall("image"):
        if not media.images:
            yield int(image.attrib["id"]), image
        elif (name := PurePosixPath(image.attrib["name"]).name) in frames:
            yield frames[name], image


def _parse_shape(frame: int, shape: ElementTree.Element) -> Label:
    if shape.get("outside") == "1":
        return Label(frame, NO_BALL, nan, nan)
    if shape.tag == "points":
        x, y = map(float, shape.attrib["points"].split(";")[0].split(","))
    else:
        left, top, right, bottom = (float(shape.attrib[n]) for n in ("xtl", "ytl", "xbr", "ybr"))
        x, y = (left + right) / 2 - HALF_PIXEL, (top + bottom) / 2 - HALF_PIXEL
    return Label(frame, HIDDEN if shape.get("occluded") == "1" else EASY, x, y)


def _find_frames(root: ElementTree.Element, media: Media, last: int) -> Iterable[int]:
    """Return the frames that the file is about; up to the last shape where it does not say."""
    if root.find("image") is not None:
        return [frame for frame, _ in _find_images(root, media)]
    meta = root.find("meta")
    source = [] if meta is None else meta.findall("task") + meta.findall("job")
    for about in source:
        start = int(about.findtext("start_frame") or 0)
        stop = about.findtext("stop_frame") or about.findtext("size")
        step = re.search(r"step=(\d+)", about.findtext("frame_filter") or "")
        if stop:
            end = int(stop) + (about.findtext("stop_frame") is not None)
            return range(start, end, int(step[1]) if step else 1)
    return range(last + 1)


def _find_size(root: ElementTree.Element) -> tuple[int, int] | None:
    original, image = root.find(".//original_size"), root.find("image")
    if original is not None:
        return int(original.findtext("height") or 0), int(original.findtext("width") or 0)
    if image is not None and image.get("height") and image.get("width"):
        return int(image.attrib["height"]), int(image.attrib["width"])
    return None
