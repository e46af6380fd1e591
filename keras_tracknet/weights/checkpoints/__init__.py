"""Public checkpoints of the TrackNet family as models of this package, and back.

Example:
    >>> from keras_tracknet import Tracker, checkpoints
    >>> tracker = Tracker(checkpoints.load("TrackNet_best.pt"))  # doctest: +SKIP
"""

from __future__ import annotations

from keras_tracknet.weights.checkpoints.conversion import (
    FAMILIES,
    Conversion,
    convert,
    load,
    measure_parity,
)
from keras_tracknet.weights.checkpoints.qaz_file import write_qaz

__all__ = ["FAMILIES", "Conversion", "convert", "load", "measure_parity", "write_qaz"]
