"""Columns of a track as other libraries hold them: Parquet, pandas, supervision."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from keras_tracknet.errors import InputError


def read_parquet(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file.

    Raises:
        InputError: pyarrow is not installed, or the file is no such file.
    """
    parquet = import_parquet()
    from pyarrow.lib import ArrowException

    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return rows
    except (ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"{path}: cannot be read as Parquet ({reason}); write the file again."
        ) from error


def write_parquet(rows: list[dict[str, Any]], path: Path) -> None:
    """Write rows to a Parquet file.

    Raises:
        InputError: pyarrow is not installed.
    """
    parquet = import_parquet()
    import pyarrow

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def import_parquet() -> ModuleType:
    """Return `pyarrow.parquet`.

    Raises:
        InputError: pyarrow is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            "Parquet requires pyarrow; run: pip install 'keras_tracknet[parquet]'"
        ) from error
    module: ModuleType = parquet
    return module


def make_data_frame(columns: dict[str, Any]) -> Any:
    """Return a `pandas.DataFrame`.

    Raises:
        InputError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise InputError(
            "data frames require pandas; run: pip install 'keras_tracknet[pandas]'"
        ) from error
    return pandas.DataFrame(columns)


def make_detections(
    positions: np.ndarray, confidence: np.ndarray, status: np.ndarray, side: float
) -> list[Any]:
    """Return a `supervision.Detections` a frame, empty where there is no position.

    Args:
        positions: `(frames, 2)` float64, pixels, NaN for no ball.
        confidence: `(frames,)` float64.
        status: `(frames,)` strings, which become `data["status"]`.
        side: of the box around a position, pixels.

    Raises:
        InputError: supervision is not installed.
    """
    try:
        import supervision
    except ImportError as error:
        raise InputError(
            "detections require supervision; run: pip install 'keras_tracknet[supervision]'"
        ) from error
    boxes = np.concatenate([positions - side / 2, positions + side / 2], axis=1)
    rows = [slice(f, f + int(s)) for f, s in enumerate(~np.isnan(positions[:, 0]))]
    return [
        supervision.Detections(
            xyxy=boxes[row],
            confidence=confidence[row],
            class_id=np.zeros(len(boxes[row]), dtype=int),
            tracker_id=np.zeros(len(boxes[row]), dtype=int),
            data={"status": status[row]},
        )
        for row in rows
    ]
