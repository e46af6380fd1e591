"""Damage: what of a source cannot be decoded, counted, and told or refused."""

from __future__ import annotations

from pathlib import Path

from keras_tracknet.errors import InputError


class Damage:
    """What of a video, or of a folder of images, could not be decoded.

    Args:
        strict: the source, where the first damage is to be raised as an error; None to go on.

    Attributes:
        count: packets or images that could not be decoded.
        first: what was wrong with the first one, empty where nothing was.
        frames: numbers of the frames whose pictures are missing and stand in the row of frames
            all the same: damaged images. Packets of a video that cannot be decoded are no frames.
    """

    def __init__(self, strict: Path | None = None) -> None:
        self.strict = strict
        self.count, self.first = 0, ""
        self.frames: set[int] = set()

    def note(self, what: str, frame: int | None = None) -> None:
        """Count a damage.

        Raises:
            InputError: damage is not to be gone on from.
        """
        if self.strict is not None:
            where = "" if frame is None else f" at frame {frame}"
            raise InputError(
                f"{self.strict}: damaged{where} ({what}); without `strict` the rest is read."
            )
        self.count += 1
        self.first = self.first or what
        if frame is not None:
            self.frames.add(frame)
