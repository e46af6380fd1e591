"""Tiny clips and label files, written where a test wants them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import cv2
import numpy as np

SIZE = (36, 64)  # (height, width)


def draw_frames(count: int = 6, *, shade: int = 40) -> list[np.ndarray]:
    """Grey frames with one white dot that moves to the right."""
    frames = []
    for index in range(count):
        frame = np.full((*SIZE, 3), shade, np.uint8)
        cv2.circle(frame, (6 + 8 * index % 50, 18), 2, (255, 255, 255), -1)
        frames.append(frame)
    return frames


def pan_court(
    step: tuple[float, float], frames: int = 3, size: tuple[int, int] = (96, 160)
) -> np.ndarray:
    """Frames of a dim court with something to see on it, moved by `step` (x, y) pixels a frame."""
    rng = np.random.default_rng(1)
    court = cv2.resize(rng.uniform(0, 70, (30, 50, 3)).astype(np.uint8), (300, 180))
    moves = [np.array([[1, 0, i * step[0] - 60], [0, 1, i * step[1] - 40]]) for i in range(frames)]
    return np.stack([cv2.warpAffine(court, move, size[::-1]) for move in moves])


def write_video(path: Path, count: int = 6, *, shade: int = 40) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for frame in draw_frames(count, shade=shade):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_images(
    folder: Path, count: int = 6, *, shade: int = 40, name: str = "{}.png", first: int = 0
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, frame in enumerate(draw_frames(count, shade=shade), first):
        cv2.imwrite(str(folder / name.format(index)), frame)
    return folder


def write_labels(
    path: Path,
    rows: Iterable[tuple[object, ...]] = ((0, 1, 6, 18), (1, 1, 14, 18), (2, 0, 0, 0)),
    *,
    header: str = "Frame,Visibility,X,Y",
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_pair(folder: Path, stem: str, *, suffix: str = ".mp4") -> None:
    write_video(folder / f"{stem}{suffix}")
    write_labels(folder / f"{stem}.csv")


def write_clips(folder: Path, places: Sequence[tuple[float, float]]) -> Path:
    """Clips a, b and c in shades of their own, labelled with one place a frame."""
    for number, name in enumerate("abc"):
        write_video(folder / f"{name}.mp4", len(places), shade=20 + 30 * number)
        rows = [(frame, 1, *place) for frame, place in enumerate(places)]
        write_labels(folder / f"{name}.csv", rows)
    return folder


def write_match(match: Path, rallies: Iterable[str]) -> None:
    for rally in rallies:
        write_video(match / "video" / f"{rally}.mp4")
        write_labels(match / "csv" / f"{rally}_ball.csv")


def write_run(run: Path) -> None:
    write_images(run / "frames")
    write_labels(run / "labels.csv")
