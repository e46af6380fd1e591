"""Choice: the bundled weights that suit a video, by its sport or by trying them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.frames.background import estimate_background
from keras_tracknet.frames.sizes import fit_frame
from keras_tracknet.frames.stabilization import stack_frames
from keras_tracknet.frames.windows import stream_windows
from keras_tracknet.inference.detections import Decoder
from keras_tracknet.inference.engines import choose_engine, open_network, openvino
from keras_tracknet.inference.engines.network import Network
from keras_tracknet.inference.looks import recognise_look
from keras_tracknet.presets import AUTO, DEFAULT, Preset, find_preset, list_presets
from keras_tracknet.sports import find_sport
from keras_tracknet.video.runs import sample_runs

RUNS, LENGTH = 3, 24  # places in the video that are looked at, and frames at each
BACKGROUND_FRAMES = 24  # of those, that the background is the median of
HOPELESS = 1.5  # behind the best score after a run, from where weights are not tried any further
LOOK = 3.0  # how much the look of the picture counts
CLEAR_LOOK = 0.15  # of it, from where a reason says so
LEAST = 0.05  # share of frames in flight, below which nothing flies
# A ball in flight, in heights of the picture per frame and its square.
SLOWEST, FASTEST = 0.004, 0.2
BEND, BEND_SHARE = 0.006, 0.2  # largest change of a step, and that as a share of the step
SHORTEST = 5  # frames of a flight


@dataclass(frozen=True)
class Choice:
    """The weights that suit a video.

    Attributes:
        weights: name of bundled weights, as for `Tracker`.
        sport: what they track, see `Preset.sport`.
        reason: why, in a line.
        scores: of all weights that were tried, by name; empty where the sport was given.
    """

    weights: str
    sport: str
    reason: str
    scores: dict[str, float]


@dataclass(frozen=True)
class Trial:
    """What weights see in a few runs of frames.

    Attributes:
        flying: share of frames in which what they see flies as a ball does.
        peak: mean height of the heatmap's peak, 0 to 1.
        usual: what that is on footage that the weights are made for.
        look: how much the picture looks like that footage; 0 for weights for several sports.
    """

    flying: float
    peak: float
    usual: float
    look: float

    @property
    def score(self) -> float:
        """How well the weights suit the footage; above 0 for what they are made for.

        The terms count as they tell the sports of 44 clips apart, each on a court that the looks
        were not learnt from.
        """
        clear = float(np.log(self.peak / self.usual + 0.01))
        return 0.5 * float(np.log(self.flying + 0.02)) + 3 * clear + LOOK * self.look


def choose_weights(video: Path | str, sport: str = AUTO) -> Choice:
    """Return the bundled weights that suit a video.

    With `auto` the best weights of every sport track a few runs of frames from all over the video.
    Those win that see a ball fly in most frames, see it as clearly as on the footage they are made
    for, and whose sport the court looks like.

    Args:
        video: a video, or a folder of images.
        sport: what is played, such as `tennis`, or `auto`.

    Raises:
        InputError: the video cannot be read, or an unknown sport.

    Example:
        >>> import keras_tracknet as kt
        >>> kt.choose_weights("match.mp4", sport="tennis").weights
        'tennis-v3'
    """
    if sport != AUTO:
        preset = find_preset(find_sport(sport).name)
        return Choice(preset.name, preset.sport, f"the weights for {sport}", {})
    runs = _read_runs(Path(video))
    trials = _try_all(runs)
    scores = {name: trial.score for name, trial in trials.items()}
    best = max(scores, key=lambda name: scores[name])
    frames = sum(map(len, runs))
    if max(trial.flying for trial in trials.values()) < LEAST:
        reason = (
            f"nothing flies in the {frames} frames looked at, so these are the default; choose the"
            " weights with `sport`"
        )
        return Choice(DEFAULT, list_presets()[DEFAULT].sport, reason, scores)
    sport = list_presets()[best].sport
    like = "rendered" if sport == "rendered" else f"like {sport}"
    court = f"looks {like}, and " if trials[best].look > CLEAR_LOOK else ""
    reason = f"{court}a ball flies in {trials[best].flying:.0%} of the {frames} frames looked at"
    others = sorted(set(scores) - {best}, key=lambda name: -scores[name])
    if others:
        reason += f"; next {others[0]}: {trials[others[0]].flying:.0%}"
    return Choice(best, sport, reason, scores)


def list_candidates() -> list[Preset]:
    """Return the best weights of every sport, and those for several."""
    return [find_preset(sport) for sport in sorted({p.sport for p in list_presets().values()})]


def _read_runs(video: Path) -> list[np.ndarray]:
    """Read runs of frames as every bundled network takes them: `(frames, height, width, 3)`."""
    size, fit = (288, 512), "stretch"
    return [
        np.stack(run)
        for run in sample_runs(video, RUNS, LENGTH, lambda image: fit_frame(image, size, fit))
    ]


def _try_all(runs: Sequence[np.ndarray]) -> dict[str, Trial]:
    """Try all candidates on the first run, and those that it leaves some hope on the others."""
    pictures = np.concatenate(runs)
    background = estimate_background(pictures[:: max(1, len(pictures) // BACKGROUND_FRAMES)])
    presets = {preset.name: preset for preset in list_candidates()}
    looks = recognise_look(background)
    networks = {name: _open(preset) for name, preset in presets.items()}
    seen: dict[str, list[np.ndarray]] = {name: [] for name in networks}
    trials: dict[str, Trial] = {}
    for run in runs:
        for name, parts in seen.items():
            parts.append(_look(networks[name], run, background))
            preset = presets[name]
            trials[name] = _judge(parts, preset.peak, looks.get(preset.sport, 0.0))
        least = max(trial.score for trial in trials.values()) - HOPELESS
        seen = {name: parts for name, parts in seen.items() if trials[name].score >= least}
    return trials


def _open(preset: Preset) -> Network:
    """Open a preset's network in int8 where that is possible: it is several times as fast."""
    quick = f"{preset.name}.int8.xml" in preset.sha256 and choose_engine() == openvino.NAME
    return open_network(preset.tracker, precision=openvino.INT8 if quick else "auto")


def _look(network: Network, run: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return what a network sees in a run: x and y in pictures' heights, and peak, by frame."""
    spec, size = network.spec, network.batch_size
    decoder = Decoder(spec, network.output, "centroid", spec.threshold)
    shape = run.shape[1:3]
    found = np.full((len(run), 3), np.nan)
    windows = list(stream_windows(run, spec.frames, spec.heatmaps, spec.heatmaps))
    for first in range(0, len(windows), size):
        batch = windows[first : first + size]
        frames = np.zeros((size, spec.frames, *shape, 3), np.uint8)
        for window, out in zip(batch, frames, strict=False):
            stack_frames(window.frames, stabilized=False, out=out)
        inputs: list[Any] = [frames]
        if spec.background != "none":
            inputs.append(np.stack([background] * size))
        for window, outputs in zip(batch, network.run(inputs), strict=False):
            for k, output in enumerate(outputs[: len(run) - window.start]):
                found[window.start + k] = decoder.locate(output, shape)
    found[:, :2] *= [16 / 9 / shape[1], 1 / shape[0]]
    return found


def _judge(parts: Sequence[np.ndarray], usual: float, look: float) -> Trial:
    flying = np.concatenate([find_flying(part[:, :2]) for part in parts])
    peaks = np.concatenate([part[:, 2] for part in parts])
    return Trial(float(flying.mean()), float(peaks.mean()), usual, look)


def find_flying(positions: np.ndarray) -> np.ndarray:
    """Find the frames in which a ball is on a smooth flight.

    Args:
        positions: `(frames, 2)` in heights of the picture, NaN where there is no ball.

    Returns:
        `(frames,)` bool.
    """
    flying = np.zeros(len(positions), bool)
    if len(positions) < SHORTEST:
        return flying
    steps = np.diff(positions, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    bend = np.linalg.norm(np.diff(steps, axis=0), axis=1)
    less, more = np.minimum(lengths[1:], lengths[:-1]), np.maximum(lengths[1:], lengths[:-1])
    smooth = (bend <= BEND + BEND_SHARE * less) & (more >= SLOWEST) & (more < FASTEST)
    for k in range(3):  # the three frames of two steps
        flying[k : len(smooth) + k] |= smooth
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flying, [False]])))
    for start, stop in edges.reshape(-1, 2):
        flying[start:stop] &= stop - start >= SHORTEST
    return flying
