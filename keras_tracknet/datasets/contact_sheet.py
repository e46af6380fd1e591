"""Contact sheets: labels drawn on their frames, so that a person sees whether they fit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from keras_tracknet.datasets.checks import DatasetReport
from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.dataset import Dataset, read_labels
from keras_tracknet.errors import InputError
from keras_tracknet.progress import Reporter
from keras_tracknet.video.images import list_images, read_image, write_image
from keras_tracknet.video.reader import probe_video, read_frames

SEARCHED = 120  # frames of a clip that are looked at: a video is decoded up to there
SAMPLES = 24
EACH = 2  # samples of a clip, where there are clips enough
OFFSETS = (-1, 0, 1)  # frames beside the labelled one that are shown
FAST = 1 / 120  # of the picture's height a frame: a ball that moves this far leaves its place
# Labels of another frame: its pictures differ this much more where the ball is said to be.
CLEAR = 1.5
FAINT = 8.0  # grey levels: what differs less is noise
FEWEST = 6  # fast samples below which nothing is said

TILE = 144  # pixels on the sheet
CAPTION = 18
MARGIN = 6
VIEW = 1 / 10  # of the picture's height: side of the part that is shown enlarged
COLUMNS = 2
RING_COLOUR = (255, 214, 10)
TEXT_COLOUR, PAPER_COLOUR = (32, 32, 32), (245, 245, 245)


@dataclass(frozen=True)
class Sample:
    """A labelled frame with its neighbours.

    Attributes:
        clip: name of the clip.
        frame: the labelled frame.
        position: (x, y) of the label in pixels of the source.
        speed: pixels that the ball moves to or from the frame, the lesser of the two; NaN where
            a neighbour has no ball.
        images: `(height, width, 3)` uint8 RGB by offset out of `OFFSETS`, as far as there.
    """

    clip: str
    frame: int
    position: tuple[float, float]
    speed: float
    images: dict[int, np.ndarray]


def check_labels(
    dataset: Dataset, report: DatasetReport, path: Path, reporter: Reporter | None = None
) -> DatasetReport:
    """Draw a contact sheet of a dataset, and look in its pictures whether labels fit.

    Args:
        dataset: the clips.
        report: what `check_dataset` says of them.
        path: PNG file to write; none is where no ball is to be seen.
        reporter: where progress goes.

    Returns:
        The report with the sheet, and with a warning where labels seem to be of other frames.

    Raises:
        InputError: the file cannot be written.
    """
    readable = {clip.name for clip in report.clips if clip.visible}
    clips = [clip for clip in dataset.clips if clip.name in readable]
    with (reporter or Reporter()).track("drawing", _count_chosen(clips), unit="clips") as advance:
        samples = sample_labels(clips, progress=lambda _done: advance(1))
    if not samples:
        return report
    write_sheet(samples, path)
    warning = check_frames(samples)
    warnings = (*report.warnings, warning) if warning else report.warnings
    return replace(report, warnings=warnings, sheet=path.resolve())


def sample_labels(
    clips: Sequence[Clip],
    count: int = SAMPLES,
    *,
    progress: Callable[[int], None] = lambda _done: None,
) -> list[Sample]:
    """Read frames with a visible ball, spread over clips and their first `SEARCHED` frames.

    Fast balls come before slow ones: they tell a label of the frame before from its own.

    Args:
        clips: clips, all of which can be read.
        count: samples wanted; there may be fewer.
        progress: called with the number of clips read after each.
    """
    chosen = [clips[i] for i in _spread(len(clips), _count_chosen(clips, count))]
    samples = []
    for done, clip in enumerate(chosen, 1):
        each = count // len(chosen) + (done <= count % len(chosen))
        samples += _sample_clip(clip, each)
        progress(done)
    return samples


def draw_sheet(samples: Iterable[Sample]) -> np.ndarray:
    """Draw samples: the whole frame, and the ball's place a frame before, in it and a frame after.

    Returns:
        `(height, width, 3)` uint8 RGB.
    """
    cells = [_draw_sample(sample) for sample in samples]
    if not cells:
        raise ValueError("`samples` must not be empty")
    width = max(cell.shape[1] for cell in cells)
    cells = [_pad(cell, cell.shape[0], width) for cell in cells]
    cells += [np.full_like(cells[0], PAPER_COLOUR)] * (-len(cells) % min(COLUMNS, len(cells)))
    columns = min(COLUMNS, len(cells))
    rows = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)]
    return np.vstack(rows)


def write_sheet(samples: Iterable[Sample], path: Path) -> None:
    """Write a contact sheet as PNG.

    Raises:
        InputError: the file cannot be written.
    """
    write_image(draw_sheet(samples), path)


def check_frames(samples: Iterable[Sample]) -> str:
    """Return a warning where the ball is at its labels a frame before or after, or never.

    Where a fast ball is, its frame differs from the two others. The difference is taken in the
    middle of the enlarged part, and compared between the three frames.
    """
    differences = measure_differences(samples)
    if len(differences) < FEWEST:
        return ""
    before, here, after = differences.mean(axis=0)
    if max(before, here, after) < FAINT:
        return "nothing moves at the labelled positions; check the contact sheet"
    if max(before, after) < CLEAR * here:
        return ""
    side, step = ("before", "late") if before > after else ("after", "early")
    return (
        f"the ball seems to reach the labelled positions one frame {side} the label: labels may be"
        f" one frame too {step}; check the contact sheet"
    )


def measure_differences(samples: Iterable[Sample]) -> np.ndarray:
    """Measure how far each frame of fast samples differs from the median of the three.

    Returns:
        `(samples, 3)` float64, mean absolute difference of grey levels at the label, by offset.
    """
    rows = []
    for sample in samples:
        height = sample.images[0].shape[0]
        if not sample.speed >= FAST * height or len(sample.images) < len(OFFSETS):
            continue
        radius = max(2, round(height / 240))
        parts = np.stack(
            [
                _cut(sample.images[offset], sample.position, 2 * radius + 1).mean(axis=-1)
                for offset in OFFSETS
            ]
        )
        rows.append(np.abs(parts - np.median(parts, axis=0)).mean(axis=(1, 2)))
    return np.array(rows).reshape(-1, len(OFFSETS))


def _count_chosen(clips: Sequence[Clip], count: int = SAMPLES) -> int:
    return min(-(-count // EACH), len(clips))


def _sample_clip(clip: Clip, count: int) -> list[Sample]:
    info = probe_video(clip.source)
    frames = min(SEARCHED, info.frames or SEARCHED)
    track = read_labels(clip, size=(info.height, info.width), frames=frames)
    steps = np.linalg.norm(np.diff(track.positions, axis=0), axis=1)
    speed = np.minimum(np.append(np.nan, steps), np.append(steps, np.nan))
    seen = np.flatnonzero(track.visibility)
    fast = seen[np.nan_to_num(speed[seen]) >= FAST * info.height]
    pool = fast if len(fast) >= count else seen
    chosen = [int(pool[i]) for i in _spread(len(pool), min(count, len(pool)))]
    wanted = {frame + offset for frame in chosen for offset in OFFSETS}
    images = dict(_read_wanted(clip.source, wanted))
    return [
        Sample(
            clip=clip.name,
            frame=frame,
            position=(float(track.x[frame]), float(track.y[frame])),
            speed=float(speed[frame]),
            images={o: images[frame + o] for o in OFFSETS if frame + o in images},
        )
        for frame in chosen
        if frame in images
    ]


def _read_wanted(source: Path, wanted: set[int]) -> Iterator[tuple[int, np.ndarray]]:
    if source.is_dir():
        files = list_images(source)
        for index in sorted(wanted & set(range(len(files)))):
            try:
                image = read_image(files[index])
            except InputError:  # a damaged image is not shown
                continue
            yield index, image
        return
    last = max(wanted, default=-1)
    with contextlib.closing(read_frames(source)) as frames:
        for frame in frames:
            if frame.index in wanted:
                yield frame.index, frame.image
            if frame.index >= last:
                return


def _draw_sample(sample: Sample) -> np.ndarray:
    image = sample.images[0]
    height, width = image.shape[:2]
    scale = TILE / height
    whole = cv2.resize(image, (round(width * scale), TILE), interpolation=cv2.INTER_AREA)
    _draw_ring(whole, (np.array(sample.position) + 0.5) * scale - 0.5, TILE / 16)
    side = max(24, round(VIEW * height)) | 1
    tiles = [whole]
    for offset in OFFSETS:
        tile: np.ndarray = np.full((TILE, TILE, 3), PAPER_COLOUR, np.uint8)
        if offset in sample.images:
            part = _cut(sample.images[offset], sample.position, side).astype(np.uint8)
            tile = cv2.resize(part, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
            middle = np.array([(TILE - 1) / 2] * 2)
            fraction = np.array(sample.position) - np.rint(sample.position)
            _draw_ring(tile, middle + fraction * TILE / side, TILE / 5)
        tiles.append(tile)
    tiles = [_pad(tile, TILE + MARGIN, tile.shape[1] + MARGIN) for tile in tiles]
    caption = np.full((CAPTION, sum(t.shape[1] for t in tiles), 3), PAPER_COLOUR, np.uint8)
    _write_text(caption, f"{sample.clip}  frame {sample.frame}", 0)
    left = tiles[0].shape[1]
    for text, tile in zip(("before", "labelled frame", "after"), tiles[1:], strict=True):
        caption[:, left:] = PAPER_COLOUR  # a long name ends where the next column begins
        _write_text(caption, text, left)
        left += tile.shape[1]
    return np.vstack([caption, np.hstack(tiles)])


def _cut(image: np.ndarray, position: tuple[float, float], side: int) -> np.ndarray:
    """Cut a square around a position, its border repeated beyond the picture."""
    height, width = image.shape[:2]
    reach = np.arange(side) - side // 2
    columns = np.clip(round(position[0]) + reach, 0, width - 1)
    rows = np.clip(round(position[1]) + reach, 0, height - 1)
    return image[rows[:, None], columns].astype(np.float32)


def _draw_ring(picture: np.ndarray, centre: np.ndarray, radius: float) -> None:
    x, y = (round(float(value) * 16) for value in centre)
    cv2.circle(picture, (x, y), round(radius * 16), RING_COLOUR, 1, cv2.LINE_AA, 4)


def _pad(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    padded = np.full((height, width, 3), PAPER_COLOUR, np.uint8)
    padded[: picture.shape[0], : picture.shape[1]] = picture
    return padded


def _write_text(picture: np.ndarray, text: str, left: int) -> None:
    printable = text.encode("ascii", "replace").decode()
    font, place = cv2.FONT_HERSHEY_SIMPLEX, (left + 2, CAPTION - 5)
    cv2.putText(picture, printable, place, font, 0.42, TEXT_COLOUR, 1, cv2.LINE_AA)


def _spread(total: int, count: int) -> list[int]:
    """Indices of `count` things in the middles of as many equal parts."""
    return [int((k + 0.5) * total / count) for k in range(count)]
