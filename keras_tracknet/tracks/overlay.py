"""Overlays: the track drawn on the video, a ring at the ball and its trail behind it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from keras_tracknet.errors import InputError
from keras_tracknet.tracks.figures import JUMP
from keras_tracknet.tracks.tables import REPAIRED
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.damage import Damage
from keras_tracknet.video.folder import OVERLAY_COMMENT
from keras_tracknet.video.part import WHOLE, Part
from keras_tracknet.video.reader import probe_video, read_frames
from keras_tracknet.video.writer import VideoWriter

# RGB. A repaired position was filled in from its neighbours, not seen in its own frame.
DETECTED_COLOUR = (255, 214, 10)
REPAIRED_COLOUR = (64, 196, 255)
TRUTH_COLOUR = (255, 255, 255)
OUTLINE_COLOUR = (16, 16, 16)
# OpenCV takes positions as whole numbers with this many bits behind the point.
FRACTION_BITS = 4


def draw_overlay(
    image: np.ndarray,
    track: Track,
    frame: int,
    *,
    trail: int = 10,
    truth: Track | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Draw the ball of one frame with the trail of the frames before it.

    Args:
        image: `(height, width, 3)` uint8 RGB, the source picture; it is not changed.
        track: positions in pixels of that picture.
        frame: index of the picture in the track.
        trail: number of steps that the trail reaches back, fading. It is broken where the
            ball was absent and where it jumped by more than `JUMP`. 0 draws none.
        truth: where the ball really is, drawn as a cross; none when omitted.
        out: array for the result, of the shape of `image`; a new one when omitted.

    Returns:
        `(height, width, 3)` uint8 RGB.
    """
    if trail < 0:
        raise ValueError(f"`trail` must be at least 0. Received: trail={trail}")
    picture = np.empty(image.shape, np.uint8) if out is None else out
    picture[:] = image
    height = picture.shape[0]
    radius, thickness = max(4.0, height / 48), max(1, round(height / 360))
    visible = 0 <= frame < len(track) and bool(track.visibility[frame])
    ball = (float(track.x[frame]), float(track.y[frame])) if visible else None
    _draw_trail(picture, track, frame, trail, thickness, hole=(ball, radius))
    if ball is not None:
        colour = _colour(track, frame)
        _draw_ring(picture, ball, radius, OUTLINE_COLOUR, thickness + 2)
        _draw_ring(picture, ball, radius, colour, thickness)
    if truth is not None and 0 <= frame < len(truth) and truth.visibility[frame]:
        _draw_cross(picture, (truth.x[frame], truth.y[frame]), 2 * radius, radius, thickness)
    return picture


def write_overlay(
    source: Path,
    track: Track,
    path: Path,
    *,
    trail: int = 10,
    truth: Track | None = None,
    part: Part = WHOLE,
    progress: Callable[[int], None] | None = None,
    stage: Callable[[str], AbstractContextManager[Any]] = nullcontext,
) -> None:
    """Write a copy of a video with its track drawn on it; timestamps and sound stay.

    Args:
        source: the video, or folder of images, that the track belongs to.
        track: positions in pixels of the source video.
        path: mp4 file to create.
        trail, truth: as for `draw_overlay`.
        part: which frames to show; the track needs times then.
        progress: called with the number of frames written so far after each one.
        stage: makes a `with` block for each stage, by its name: `decode`, `draw`, `encode`.

    Raises:
        InputError: the source cannot be read or the file cannot be written.
    """
    source, path = Path(source), Path(path)
    info = probe_video(source)
    if path.exists() and path.samefile(source):
        raise InputError(f"{path}: is the source video itself; choose another path.")
    began, sound = 0.0, None
    if part != WHOLE:
        began = float(track.time[part.start])
        sound = [(began, float(track.time[-1]) + float(1 / info.fps))]
    writer = VideoWriter(
        path,
        size=(info.height, info.width),
        fps=info.fps,
        audio_from=source if info.has_audio else None,
        audio_parts=sound,
        comment=OVERLAY_COMMENT,
    )
    drawn = np.empty((info.height, info.width, 3), np.uint8)  # one for all frames
    with writer, closing(read_frames(source, Damage(), part)) as frames:
        while True:
            with stage("decode"):
                frame = next(frames, None)
            if frame is None:
                return
            with stage("draw"):
                draw_overlay(frame.image, track, frame.index, trail=trail, truth=truth, out=drawn)
            with stage("encode"):
                writer.write(drawn, frame.time - began)
            if progress is not None:
                progress(frame.index + 1)


def _draw_trail(
    picture: np.ndarray,
    track: Track,
    frame: int,
    trail: int,
    thickness: int,
    hole: tuple[tuple[float, float] | None, float],
) -> None:
    """Draw the steps up to `frame`, oldest faintest, leaving the inside of the ring free."""
    first = max(0, frame - trail)
    window = slice(first, frame + 1)
    points = np.stack([track.x[window], track.y[window]], axis=1)
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    # The length beside an absent frame is NaN, which compares as false.
    ends = np.flatnonzero(lengths <= JUMP * picture.shape[0]) + 1
    if not len(ends):
        return
    drawn = np.concatenate([points[ends - 1], points[ends]])
    margin = 2 * thickness + 2
    left, top = np.maximum(np.floor(drawn.min(axis=0)).astype(int) - margin, 0)
    right, bottom = np.maximum(np.ceil(drawn.max(axis=0)).astype(int) + margin + 1, 0)
    part = picture[top:bottom, left:right]
    if not part.size:
        return
    colours = {end: _colour(track, first + end) for end in ends.tolist()}
    ball, radius = hole
    for colour in set(colours.values()):
        strength = np.zeros(part.shape[:2], np.uint8)
        for end in (end for end, own in colours.items() if own == colour):
            start, stop = (_fixed(points[i] - (left, top)) for i in (end - 1, end))
            value = round(255 * (1 - (frame - first - end) / trail))
            cv2.line(strength, start, stop, value, thickness, cv2.LINE_AA, FRACTION_BITS)
        if ball is not None:
            centre = _fixed(np.subtract(ball, (left, top)))
            inside = round(radius * 2**FRACTION_BITS)
            cv2.circle(strength, centre, inside, 0, -1, cv2.LINE_AA, FRACTION_BITS)
        touched = strength > 0
        below, alpha = part[touched], strength[touched][:, None] / np.float32(255)
        part[touched] = below + alpha * (np.array(colour, np.float32) - below) + np.float32(0.5)


def _draw_ring(
    picture: np.ndarray,
    centre: tuple[float, float],
    radius: float,
    colour: tuple[int, int, int],
    thickness: int,
) -> None:
    middle, length = _fixed(np.array(centre)), round(radius * 2**FRACTION_BITS)
    cv2.circle(picture, middle, length, colour, thickness, cv2.LINE_AA, FRACTION_BITS)


def _draw_cross(
    picture: np.ndarray,
    centre: tuple[float, float],
    outer: float,
    inner: float,
    thickness: int,
) -> None:
    """Draw four strokes about a point, which itself stays free."""
    for direction in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        ends = [_fixed(np.add(centre, np.multiply(direction, r))) for r in (inner, outer)]
        for colour, width in ((OUTLINE_COLOUR, thickness + 2), (TRUTH_COLOUR, thickness)):
            cv2.line(picture, ends[0], ends[1], colour, width, cv2.LINE_AA, FRACTION_BITS)


def _colour(track: Track, frame: int) -> tuple[int, int, int]:
    return REPAIRED_COLOUR if track.status[frame] == REPAIRED else DETECTED_COLOUR


def _fixed(point: np.ndarray) -> tuple[int, int]:
    x, y = np.rint(point * 2**FRACTION_BITS).astype(int).tolist()
    return x, y
