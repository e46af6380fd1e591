"""The clock of a Label Studio task: it counts frames at a rate of its own."""

from __future__ import annotations

import math
from typing import Any

from keras_tracknet.datasets.formats.objects import read_number
from keras_tracknet.errors import InputError
from keras_tracknet.video.media import Media, estimate_frames

CLOSE = 0.02  # share by which two lengths, or two ways to find a rate, may differ
FASTEST = 10_000.0  # frames per second that any camera takes


def find_scale(
    values: list[dict[str, Any]], boxes: list[dict[str, Any]], media: Media
) -> tuple[float, list[str]]:
    """Find how many frames of the video a frame of the labels is.

    Label Studio does not know a video's rate: its frames are so many a second as its project
    says, 24 unless told. Where its number of frames is not the video's, time tells which is
    which.

    Args:
        values: what regions say: `framesCount`, and `duration` in seconds.
        boxes: of all regions, each with `frame`, counted from 1, and `time` in seconds.
        media: the video.

    Returns:
        (scale, warnings): 1 where both count alike, or nobody knows.

    Raises:
        InputError: both count differently, and there are no times.
    """
    info = media.info
    if info is None:
        return 1.0, []
    frames, fps = estimate_frames(info), float(info.fps)
    count = _greatest(values, "framesCount")
    last = _greatest(boxes, "frame")
    if not count >= last:
        count = math.nan  # a task of fewer frames than have a box
    if abs(count - frames) <= 1:
        return 1.0, []
    rate = _find_rate(count / _greatest(values, "duration"), boxes)
    if math.isnan(rate):
        if math.isnan(count):
            return 1.0, []
        raise InputError(
            f"labels are for {count:.0f} frames, but the video has {frames}, and there are no"
            " times to match them"
        )
    scale = fps / rate
    if math.isnan(count) and abs(scale - 1) * frames <= 1:
        return 1.0, []
    warnings = []
    if abs(scale - 1) * frames > 1:
        warnings.append(
            f"labels use {rate:.5g} frames per second, but the video has {fps:.5g}: they are"
            " matched by time"
        )
    else:
        scale = 1.0
    if abs(count * scale - frames) > max(2, CLOSE * frames):
        warnings.append(
            f"labels cover {count * scale / fps:.1f} s of video, but this one has"
            f" {frames / fps:.1f} s: they may belong to another cut"
        )
    return scale, warnings


def _find_rate(stated: float, boxes: list[dict[str, Any]]) -> float:
    """Return frames per second as boxes have it, or as the task has it; NaN where neither does."""
    pairs = sorted((read_number(box.get("frame")), read_number(box.get("time"))) for box in boxes)
    known = [pair for pair in pairs if not math.isnan(sum(pair))]
    rate = math.nan
    if known and known[-1][1] > known[0][1]:
        rate = (known[-1][0] - known[0][0]) / (known[-1][1] - known[0][1])
    found = [r for r in (rate, stated) if 0 < r < FASTEST]
    agree = len(found) == 2 and abs(found[0] / found[1] - 1) <= CLOSE
    return found[0] if agree or len(found) == 1 else found[1] if found else math.nan


def _greatest(items: list[dict[str, Any]], name: str) -> float:
    """Return the greatest of some numbers above 0; NaN where there is none."""
    numbers = [read_number(item.get(name)) for item in items]
    return max((number for number in numbers if number > 0), default=math.nan)
