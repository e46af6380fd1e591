"""What a rendered rally is to be like."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

RENDERED = ("badminton", "tennis", "volleyball")  # sports whose rallies can be drawn
RENDERER = 1  # raise it when the same config gives other pixels or another truth


@dataclass(frozen=True)
class RallyConfig:
    """What to render. The same config gives the same pixels and the same truth.

    Args:
        frames: length of the clip.
        size: (height, width) of the picture in pixels.
        fps: frames per second.
        seed: decides the hall, the camera, the players and the play.
        strokes: strokes per rally, including the serve; then the shuttle lands, and after a
            pause the next rally starts, until the clip is full.
        occlusion: whether players and the score box hide the shuttle; without, it is drawn
            over both.
        noise: standard deviation of the sensor noise in grey levels, 0 to 255.
        sport: one of `RENDERED`: badminton, tennis or volleyball.
        shutter: how long it is open, seconds; None for what the seed decides, between 0.18
            and 0.5 of a frame.
        shake: of the camera, standard deviation in pixels.
        compression: quality, 1 to 100, of the JPEG that every frame goes through; None for
            frames as they were drawn.
        cuts: whether the picture cuts away to something else between rallies.

    Raises:
        ValueError: a value is out of range.
    """

    frames: int = 150
    size: tuple[int, int] = (720, 1280)
    fps: Fraction = Fraction(30)
    seed: int = 0
    strokes: int = 10
    occlusion: bool = True
    noise: float = 2.0
    # Those that most rallies leave alone are in the name of a file only where they are not.
    sport: str = field(default="badminton", repr=False)
    shutter: float | None = field(default=None, repr=False)
    shake: float = field(default=0.0, repr=False)
    compression: int | None = field(default=None, repr=False)
    cuts: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"`frames` must be at least 1. Received: frames={self.frames}")
        if len(self.size) != 2 or min(self.size) < 64:
            raise ValueError(
                f"`size` must be (height, width), each at least 64. Received: size={self.size}"
            )
        if self.fps <= 0:
            raise ValueError(f"`fps` must be above 0. Received: fps={self.fps}")
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received: seed={self.seed}")
        if self.strokes < 1:
            raise ValueError(f"`strokes` must be at least 1. Received: strokes={self.strokes}")
        if not 0 <= self.noise < math.inf:
            raise ValueError(f"`noise` must be at least 0. Received: noise={self.noise}")
        if self.sport not in RENDERED:
            raise ValueError(
                f"`sport` must be one of {', '.join(RENDERED)}. Received: sport={self.sport!r}"
            )
        if self.shutter is not None and not 0 <= self.shutter * self.fps <= 1:
            raise ValueError(
                f"`shutter` must be between 0 and 1 / fps. Received: shutter={self.shutter}"
            )
        if not 0 <= self.shake < math.inf:
            raise ValueError(f"`shake` must be at least 0. Received: shake={self.shake}")
        if self.compression is not None and not 1 <= self.compression <= 100:
            raise ValueError(
                f"`compression` must be between 1 and 100. Received: compression={self.compression}"
            )
