"""A court file from a video: points given or clicked, calibrated, drawn and saved."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.court_drawing import draw_court
from keras_tracknet.court_page import pick_marks
from keras_tracknet.courts import (
    CUSTOM,
    POOR_ERROR,
    Mark,
    calibrate_court,
    find_place,
    parse_marks,
    write_court,
)
from keras_tracknet.errors import InputError
from keras_tracknet.io.images import write_image
from keras_tracknet.io.video import read_frames
from keras_tracknet.sports import find_sport


def mark_court(
    video: Path,
    path: Path,
    sport: str,
    *,
    points: str | None = None,
    at: float = 0.0,
    overwrite: bool = False,
    announce: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Calibrate a court and write it as JSON, with a drawing of it as PNG beside.

    Args:
        video: a video, or a folder of images.
        path: JSON file to create.
        sport: name, or `custom`.
        points: see `parse_marks`, or a JSON file of `{"near_left": [212, 655], ...}`; clicked on a
            page in the browser when omitted.
        at: seconds into the video of the picture to draw on.
        overwrite: whether to replace what is there.
        announce: is told the address of the page.

    Returns:
        Files, errors in pixels, and doubts, a line each.

    Raises:
        InputError: the video cannot be read, the points make no court, or the files are there
            already or cannot be written.
    """
    if sport != CUSTOM:
        find_sport(sport)
    drawing = path.with_suffix(".png")
    for file in (path, drawing):
        if file.exists() and not overwrite:
            raise InputError(
                f"{file}: exists already; use --overwrite or choose another place with -o."
            )
    image = _read_picture(video, at)
    marks = _read_points(points, sport) if points else pick_marks(image, sport, announce)
    court = calibrate_court(marks, image.shape[:2], sport)
    write_court(court, path)
    write_image(draw_court(image, court), drawing)
    errors = court.errors()
    doubts = [
        f"{mark.name} is {error:.1f} pixels from where the other points put it; mark it again."
        for mark, error in zip(marks, errors, strict=True)
        if error > POOR_ERROR * image.shape[0]
    ]
    if court.camera() is None:
        doubts.append("the points do not tell where the camera is; there will be no lower bounds.")
    return {
        "command": "court",
        "court": str(path.resolve()),
        "drawing": str(drawing.resolve()),
        "marks": len(marks),
        "error_rms": float(np.sqrt((errors**2).mean())),
        "error_max": float(errors.max()),
        "doubts": doubts,
    }


def _read_picture(video: Path, at: float) -> np.ndarray:
    """The picture at a moment; the last one of a shorter video."""
    with contextlib.closing(read_frames(video)) as frames:
        for frame in frames:
            if frame.time >= at:
                break
    return frame.image


def _read_points(points: str, sport: str) -> list[Mark]:
    """Read points as text or, where there is such a file, as JSON."""
    if not points.endswith(".json"):
        return parse_marks(points, sport)
    try:
        content = json.loads(Path(points).read_text(encoding="utf-8"))
        return [
            Mark(name, float(x), float(y), *find_place(name, sport))
            for name, (x, y) in content.items()
        ]
    except OSError as error:
        raise InputError(f"{points}: cannot be read ({error.strerror}); check the path.") from error
    except (AttributeError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f'{points}: not a file of points; expected {{"near_left": [212, 655], ...}}.'
        ) from error
