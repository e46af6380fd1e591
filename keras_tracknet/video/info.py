"""Video info: what a container says about a video, and what of it its user should know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

SLOWED = 1.05  # times more frames taken than played, from where a video counts as slow motion


@dataclass(frozen=True)
class VideoInfo:
    """What the container says about a video.

    Attributes:
        path: the file, or the folder of images.
        width, height: pixels of the picture as shown: upright, its pixels square.
        fps: exact average frame rate, frames per second; `DEFAULT_FPS` for a folder of images.
        frames: number of frames, or None when the container does not say. It can be wrong:
            only decoding tells.
        duration: seconds, or None when unknown.
        rotation: degrees clockwise that the stored picture is turned by to be shown: 0, 90,
            180 or 270.
        codec: name of the video codec; `images` for a folder.
        has_audio: whether there is a sound track.
        mirrored: whether the stored picture is mirrored, left to right, before it is turned.
        aspect: width of a stored pixel by its height, which the shown picture is stretched by.
        hdr: `HLG` or `PQ` where the video is HDR, and its pictures are converted to SDR.
        capture_fps: frames per second that the camera took, as Android's slow-motion videos say;
            more than `fps` where they play slowed down. None where the file does not say.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frames: int | None
    duration: float | None
    rotation: int
    codec: str
    has_audio: bool
    mirrored: bool = False
    aspect: Fraction = Fraction(1)
    hdr: str = ""
    capture_fps: float | None = None

    def remarks(self) -> Iterator[str]:
        """Yield what decides how positions and times are to be read, a line each."""
        if self.hdr:
            yield f"HDR video ({self.hdr}): frames are converted to SDR (BT.709)."
        if self.aspect != 1:
            yield (
                f"pixel aspect ratio {self.aspect.numerator}:{self.aspect.denominator}: positions"
                f" are in pixels of the displayed picture, {self.width} x {self.height}."
            )
        slowed = (self.capture_fps or 0) / self.fps
        if slowed > SLOWED:
            yield (
                f"slow motion: recorded at {self.capture_fps:g} frames per second, played at"
                f" {float(self.fps):.4g}; times refer to playback, so the real ball is"
                f" {slowed:.3g} times as fast."
            )
