"""Windows of consecutive frames: which frames they hold, and how their heatmaps merge."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

MODES = ("fast", "balanced", "accurate")
GREATEST_SHARE = 0.4  # of what a frame's greatest map has above their mean, see the cards


def window_step(mode: str, frames: int) -> int:
    """Return how many frames lie between the starts of neighbouring windows.

    Args:
        mode: `fast` predicts each frame once, `balanced` twice (windows half-overlap;
            the middle of an odd one once), `accurate` as often as a window is long.
        frames: frames in a window.

    Raises:
        ValueError: the mode is unknown.
    """
    if mode not in MODES:
        raise ValueError(f"`mode` must be one of {', '.join(MODES)}. Received: mode={mode!r}")
    return {"fast": frames, "balanced": (frames + 1) // 2, "accurate": 1}[mode]


def window_starts(clip_frames: int, frames: int, step: int) -> list[int]:
    """Return the first frame of each window over a clip.

    Windows follow each other by `step`; one more ends at the clip's last frame when they do
    not reach it, so that every frame is covered by real neighbours. A clip shorter than a
    window has one window, which repeats its last frame.

    Args:
        clip_frames: frames in the clip.
        frames: frames in a window.
        step: frames between the starts of neighbouring windows.
    """
    if clip_frames <= 0:
        return []
    last = max(0, clip_frames - frames)
    starts = list(range(0, last + 1, step))
    if starts[-1] != last:
        starts.append(last)
    return starts


def window_frames(start: int, frames: int, clip_frames: int, every: int = 1) -> np.ndarray:
    """Return the clip's frame indices in a window; the clip's edges repeat.

    Args:
        start: index of the window's first frame; may be negative.
        frames: frames in the window.
        clip_frames: frames in the clip.
        every: frames from one frame of the window to the next.

    Returns:
        `(frames,)` int.
    """
    return np.clip(start + every * np.arange(frames), 0, clip_frames - 1)


def sample_segments(
    clip_frames: int, segments: int, offsets: float | np.ndarray = 0.5
) -> np.ndarray:
    """Return one frame of each of the equal segments of a clip (Wang et al. 2016, section 3.1).

    A clip with fewer frames than segments has some of them twice.

    Args:
        clip_frames: frames in the clip.
        segments: how many frames to take.
        offsets: where in its segment a frame is taken, from 0 to below 1: the centre, as for
            validation, or `(segments,)`, drawn at random for training.

    Returns:
        `(segments,)` int, ascending.

    Example:
        >>> sample_segments(16, 4).tolist()
        [2, 6, 10, 14]
    """
    places = (np.arange(segments) + offsets) * clip_frames / segments
    frames: np.ndarray = np.minimum(places.astype(int), clip_frames - 1)
    return frames


def triangular_weights(frames: int) -> np.ndarray:
    """Return how much each place in a window counts where windows overlap.

    Highest in the middle: [1, 2, 3, 4, 4, 3, 2, 1] / 20 for 8 frames, as in the published V3
    code (the paper speaks of a Gaussian).

    Returns:
        `(frames,)` float64 with sum 1.
    """
    place = np.arange(frames)
    weights = np.minimum(place + 1, frames - place).astype(np.float64)
    shares: np.ndarray = weights / weights.sum()
    return shares


class Window(NamedTuple):
    """Frames that the network sees together.

    `start` is the clip's index of the first frame that the window has a heatmap for, `frames`
    the pictures in order, oldest first.
    """

    start: int
    frames: list[np.ndarray]


def stream_windows(
    frames: Iterable[np.ndarray], length: int, heatmaps: int, step: int, *, pad: bool = False
) -> Iterator[Window]:
    """Cut a stream of frames into windows without knowing how many frames will come.

    The same windows as `window_starts` gives. Networks with fewer heatmaps than frames see
    frames before the ones they output; at the clip's start the first frame repeats.

    Args:
        frames: pictures in order.
        length: frames in a window.
        heatmaps: maps that the network returns, for the last frames of a window.
        step: frames between the starts of neighbouring windows.
        pad: whether the last window keeps the step and repeats the clip's last frame, as in the
            published V3 code, instead of ending with it.
    """
    recent: deque[np.ndarray] = deque(maxlen=length)
    count, last_start = 0, -1
    for frame in frames:
        if not recent:
            recent.extend([frame] * (length - heatmaps))
        recent.append(frame)
        count += 1
        start = count - heatmaps
        if start >= 0 and start % step == 0:
            yield Window(start, list(recent))
            last_start = start
    if 0 < count < heatmaps:
        recent.extend([recent[-1]] * (heatmaps - count))
        yield Window(0, list(recent))
    elif pad and last_start + heatmaps < count:
        rest = count - last_start - step
        frames_left = list(recent)[len(recent) - rest - (length - heatmaps) :]
        yield Window(last_start + step, frames_left + [recent[-1]] * (heatmaps - rest))
    elif count and last_start != count - heatmaps:
        yield Window(count - heatmaps, list(recent))


class WindowMerger:
    """Merges the heatmaps of overlapping windows as they come, one map a frame.

    A frame gets its windows' mean, and two fifths of what the greatest of them has above that: a
    ball that one window sees well and another hardly would be lost in the mean. Published is the
    mean alone, under triangular weights inside the clip and plain near its edges, which fewer
    windows cover (Chen and Wang 2023, section 3.3, as in their code). Holds the maps of the windows
    that overlap, and no others.

    Args:
        frames: maps in a window.
        step: frames between the starts of neighbouring windows.
        published: whether to merge as the published V3 code does, for `step` 1. The last frames
            of a clip of less than two windows are divided by the number of windows that a long
            clip would have there, which dims them.
    """

    def __init__(self, frames: int, step: int, *, published: bool = False) -> None:
        self._frames, self._step = frames, step
        self._merge = self._merge_as_published if published and step == 1 else _merge
        self._next = 0  # the first frame not yet handed out
        self._pending: dict[int, list[tuple[int, np.ndarray]]] = {}

    def add(self, start: int, heatmaps: np.ndarray) -> Iterator[np.ndarray]:
        """Take a window's maps; yield those of the frames that no later window covers.

        Args:
            start: index of the window's first frame; starts must not decrease.
            heatmaps: `(frames, height, width)`; those beyond the clip's end may be left out.

        Yields:
            `(height, width)`, in order of frames.
        """
        yield from self._emit_before(start)
        for place, heatmap in enumerate(heatmaps):
            frame = start + place
            if frame >= self._next:
                self._pending.setdefault(frame, []).append((place, heatmap))
        yield from self._emit_before(start + self._step)

    def finish(self) -> Iterator[np.ndarray]:
        """Yield the maps of the frames that are left; call after the last window."""
        yield from self._emit_before(max(self._pending, default=-1) + 1)

    def _emit_before(self, frame: int) -> Iterator[np.ndarray]:
        while self._next < frame and self._next in self._pending:
            yield self._merge(self._pending.pop(self._next))
            self._next += 1

    def _merge_as_published(self, votes: list[tuple[int, np.ndarray]]) -> np.ndarray:
        places = [place for place, _ in votes]
        weights = np.ones(len(votes))
        if len(votes) == self._frames:
            weights = triangular_weights(self._frames)[places]
        total = self._frames - min(places) if min(places) > 0 else weights.sum()
        shares = (weights / total).astype(np.float32)
        maps = [share * heatmap for share, (_, heatmap) in zip(shares, votes, strict=True)]
        merged: np.ndarray = np.sum(maps, axis=0)
        return merged


def _merge(votes: list[tuple[int, np.ndarray]]) -> np.ndarray:
    if len(votes) == 1:
        return votes[0][1]
    maps = np.stack([heatmap for _, heatmap in votes])
    mean = maps.mean(axis=0)
    pulled: np.ndarray = mean + np.float32(GREATEST_SHARE) * (maps.max(axis=0) - mean)
    return pulled
