"""Merging: a network's track with what a person says of some of its frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from keras_tracknet.tracks.tables import CORRECTED
from keras_tracknet.tracks.track import Track


def merge_labels(track: Track, labels: Track) -> Track:
    """Return a track with labels in place of its own rows.

    Where a frame is labelled, its position is the label's, its status `corrected` and its
    confidence 1, or 0 if there is no ball. Elsewhere the row stays as it is.

    Args:
        track: of a network.
        labels: of the same video, frames that nobody labelled `unlabelled`; it may be shorter or
            longer, and what lies beyond the track is left out.

    Example:
        >>> track = Track.from_positions([4.0, 5.0, 90.0], [3.0, 3.0, 9.0], [1, 1, 1])
        >>> labels = Track.from_positions([0, 0, 6.0], [0, 0, 3.0], [0, 0, 1], labelled=[0, 0, 1])
        >>> merged = merge_labels(track, labels)
        >>> merged.x.tolist(), merged.status.tolist()
        ([4.0, 5.0, 6.0], ['detected', 'detected', 'corrected'])
    """
    labels = labels.resized(len(track))
    known = labels.labelled
    return replace(
        track,
        x=np.where(known, labels.x, track.x),
        y=np.where(known, labels.y, track.y),
        confidence=np.where(known, labels.visibility, track.confidence).astype(np.float64),
        status=np.where(known, CORRECTED, track.status),
    )
