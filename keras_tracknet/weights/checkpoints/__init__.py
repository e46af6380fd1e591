"""Public checkpoints of the TrackNet family as models of this package, and back.

`Tracker(checkpoints.load("TrackNet_best.pt"))` tracks with what another project trained.
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
