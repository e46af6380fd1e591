"""A court file from a video: points given or clicked, calibrated, drawn and saved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.analysis.court.calibration import (
    POOR_ERROR,
    calibrate_court,
    describe_fit,
    write_court,
)
from keras_tracknet.analysis.court.checks import check_orientation, recognise_sport
from keras_tracknet.analysis.court.drawing import draw_court
from keras_tracknet.analysis.court.finding import FINDABLE, find_court
from keras_tracknet.analysis.court.marks import (
    CUSTOM,
    LEAST_POINTS,
    Mark,
    check_marks,
    parse_marks,
    read_marks,
)
from keras_tracknet.errors import InputError
from keras_tracknet.files import check_free
from keras_tracknet.sports import find_sport
from keras_tracknet.video.images import write_image
from keras_tracknet.video.reader import read_frames


def mark_court(
    video: Path,
    path: Path,
    sport: str,
    *,
    points: str | None = None,
    find: bool = False,
    at: float = 0.0,
    overwrite: bool = False,
    pick: Callable[[np.ndarray, str], Sequence[Mark]] | None = None,
) -> dict[str, Any]:
    """Calibrate a court and write it as JSON, with a drawing of it as PNG beside.

    Args:
        video: a video, or a folder of images.
        path: JSON file to create.
        sport: name, or `custom`.
        points: see `parse_marks`, or a JSON file of `{"near_left": [212, 655], ...}`.
        find: whether to save the court that `find_court` finds.
        at: seconds into the video of the picture to draw on.
        overwrite: whether to replace what is there.
        pick: asks a person for the marks of a sport's court in a picture, where neither `points`
            nor `find` is given.

    Returns:
        Files, the fit in words, errors in pixels (None with four points, which always fit), and
        warnings, a line each.

    Raises:
        InputError: the video cannot be read, no court is found, the points make no court, or the
            files are there already or cannot be written.
    """
    if sport != CUSTOM:
        find_sport(sport)
    drawing = path.with_suffix(".png")
    if path == drawing:
        raise InputError(
            f"{path}: courts are written as JSON, with a PNG next to it; use the suffix .json."
        )
    check_free((path, drawing), overwrite=overwrite)
    image = _read_picture(video, at)
    size = image.shape[:2]
    marks: Sequence[Mark]
    if points is not None:
        marks = _read_points(points, sport, size)
    elif find:
        found = find_court(image, sport) if sport in FINDABLE else None
        if found is None:
            raise InputError(
                f"{video}: no {sport} court is found at {at:g} s; try another `at`, or mark it"
                " without `find`."
            )
        marks = found.marks
    elif pick is not None:
        marks = pick(image, sport)
    else:
        raise ValueError("points, find or pick must be given.")
    court = calibrate_court(marks, size, sport)
    check_orientation(court)
    write_court(court, path)
    write_image(draw_court(image, court), drawing)
    errors, tested = court.errors(), len(marks) > LEAST_POINTS
    other = recognise_sport(image, court)
    warnings = [
        (
            f"{mark.name} is {error:.1f} pixels away from where the other points place it; mark it"
            " again."
        )
        for mark, error in zip(marks, errors, strict=True)
        if error > POOR_ERROR * image.shape[0]
    ]
    if other is not None:
        warnings.append(f"these look like the lines of a {other} court; check the `sport`.")
    if court.camera() is None:
        warnings.append(
            "the points do not determine the camera position; speeds in km/h are not available."
        )
    return {
        "command": "court",
        "court": str(path.resolve()),
        "drawing": str(drawing.resolve()),
        "marks": len(marks),
        "fit": describe_fit(court),
        "error_rms": float(np.sqrt((errors**2).mean())) if tested else None,
        "error_max": float(errors.max()) if tested else None,
        "warnings": warnings,
    }


def _read_picture(video: Path, at: float) -> np.ndarray:
    """The picture at a moment; the last one of a shorter video."""
    with contextlib.closing(read_frames(video)) as frames:
        for frame in frames:
            if frame.time >= at:
                break
    return frame.image


def _read_points(points: str, sport: str, size: tuple[int, int]) -> list[Mark]:
    """Read points as text or, where there is such a file, as JSON."""
    if not points.endswith(".json"):
        return parse_marks(points, sport)
    try:
        marks = read_marks(Path(points).read_bytes(), sport)
        check_marks(marks, size)
    except OSError as error:
        raise InputError(f"{points}: cannot be read ({error.strerror}); check the path.") from error
    except InputError as error:
        raise InputError(f"{points}: {error}") from error
    return marks
