"""Teaching: weights trained for some minutes on what a person has corrected."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_tracknet.backends import choose_precision
from keras_tracknet.datasets.dataset import find_labelled_clips
from keras_tracknet.errors import InputError
from keras_tracknet.files import write_json
from keras_tracknet.frames.background import estimate_background
from keras_tracknet.frames.sizes import fit_frame, scale_positions
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.metrics import TOLERANCE, Counts, count_outcomes
from keras_tracknet.models.blocks import keras_defaults
from keras_tracknet.presets import find_weights
from keras_tracknet.progress import Advance, Reporter
from keras_tracknet.studio.cards import MODEL, RESULT
from keras_tracknet.studio.lessons import Cut, cut_clips, cut_tests, read_lessons
from keras_tracknet.synthetic.config import RallyConfig
from keras_tracknet.synthetic.rally import simulate_rally
from keras_tracknet.training.batches.cache import read_clips
from keras_tracknet.training.batches.feed import as_py_dataset
from keras_tracknet.training.batches.window_batches import (
    LabelledFrames,
    WindowBatches,
    WindowConfig,
)
from keras_tracknet.training.config import ANY_SIZE, FitConfig, describe_network
from keras_tracknet.training.data import load_clip
from keras_tracknet.training.recipes import build_network, compile_network, take_weights
from keras_tracknet.weights.model_file import ModelFile, load_model, save_model, set_precision

OTHER_CLIPS, RENDERED = 8, 6  # clips of before, or rendered rallies, that are mixed in
RENDERED_FRAMES, RENDERED_SIZE = 48, (288, 512)
OTHERS = "others"
LEARNING_RATE = 2e-4
WARMUP = 0.05  # share of the time over which the learning rate rises
BATCH = 2
MOST_EXAMPLES = 12


def teach(
    videos: Sequence[tuple[Path, Path]],
    *,
    weights: str,
    output: Path,
    minutes: float,
    steps: int | None = None,
    tracks: Sequence[Path] = (),
    hold_back: bool = True,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Train weights on corrected frames, mixed with what they were trained on before.

    Where that is not at hand, rendered rallies take its place, so that what the weights know is
    not lost. Every fifth group of corrected frames is held back; before and after are compared on
    them.

    Args:
        videos: each video and its label file.
        weights: that training starts from, as `find_weights` takes them.
        output: folder that gets `taught.keras` and `result.json`.
        minutes: that training takes.
        steps: that training takes instead of the minutes, so that runs compare.
        tracks: the network's own track of each video; where it is sure, its word is kept in mind.
        hold_back: whether to hold frames back.
        seed: start of every random choice.
        reporter: where progress goes.

    Returns:
        `before` and `after`: scores on the frames held back; `frames` and `held_back`: how many
        trained and were held back; `examples`: single frames, positions in pixels; `minutes`,
        `steps`, `others`: what training took, and what it was mixed with.

    Raises:
        InputError: too few frames are labelled, or the weights cannot be trained.
    """
    reporter = reporter or Reporter()
    began = time.monotonic()
    lessons = read_lessons(videos, tracks, hold_back)
    start = load_model(find_weights(weights).tracker)
    config = _plan(start, seed)
    model = build_network(config)
    take_weights(model, start)
    set_precision(model, choose_precision("auto"))
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in norms:  # a few windows say nothing of how bright or busy pictures are
        layer.trainable = False
    tests = [test for lesson in lessons for test in cut_tests(lesson, config.spec)]
    with reporter.track("measuring the weights as they are", None) as advance:
        before = _measure(start, tests, advance)
    with reporter.track("collecting frames", len(lessons), unit="videos") as advance:
        clips = []
        for lesson in lessons:
            clips += cut_clips(lesson, config.spec)
            advance(1)
    others, origin = _find_others(start, config, reporter)
    batches = WindowBatches(
        [*clips, *others],
        WindowConfig(
            config.spec.frames, config.spec.heatmaps, config.spec.background,
            "classes" if config.version == "v1" else config.target,
            stabilized=config.spec.stabilized,
        ),
        batch_size=BATCH,
        augmentation=config.augmentation,
        seed=seed,
        groups=["own"] * len(clips) + [OTHERS] * len(others),
    )  # fmt: skip
    clock = TeachingClock(minutes * 60, reporter, steps)
    with keras_defaults(), clock.tracking():
        compile_network(model, replace(config, schedule="constant"), len(batches))
        for epoch in range(10_000):
            first = epoch * len(batches)
            model.fit(
                as_py_dataset(batches, first, first + len(batches)),
                epochs=1, shuffle=False, verbose=0, callbacks=[clock],
            )  # fmt: skip
            if clock.over:
                break
    for layer in norms:
        layer.trainable = True
    notes = {**start.spec.notes, "taught": {"from": weights, "frames": len(lessons)}}
    model.compile()  # the optimizer's state is of no use
    save_model(model, replace(start.spec, notes=notes), output / MODEL)
    with reporter.track("measuring the taught weights", None) as advance:
        after = _measure(load_model(output / MODEL), tests, advance)
    result = {
        "weights": weights,
        "parameters": model.count_params(),
        "tolerance": TOLERANCE,
        "before": before.counts.as_dict(),
        "after": after.counts.as_dict(),
        "frames": int(sum((les.labels.labelled & ~les.held).sum() for les in lessons)),
        "held_back": int(sum(les.held.sum() for les in lessons)),
        "examples": _pick_examples(tests, before, after),
        "minutes": round((time.monotonic() - began) / 60, 2),
        "steps": clock.steps,
        "others": origin,
    }
    write_json(result, output / RESULT)
    return result


class TeachingClock(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends training when its time is over; the learning rate rises, then falls to 0 until then.

    Args:
        seconds: that training takes.
        reporter: is told of progress.
        most: steps that training takes instead; None to go by the time.
    """

    def __init__(self, seconds: float, reporter: Reporter, most: int | None = None) -> None:
        super().__init__()
        self.seconds, self._reporter, self._most = seconds, reporter, most
        self.steps, self.over = 0, False
        self._began: float | None = None
        self._advance: Advance = Reporter.ignore
        self._told = 0

    @contextlib.contextmanager
    def tracking(self) -> Iterator[None]:
        """Tell of progress during the `with` block."""
        with self._reporter.track("teaching", round(self.seconds), unit="seconds") as advance:
            self._advance = advance
            yield

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the learning rate by the time that is over."""
        # The first step compiles the network, and does not count.
        spent = 0.0 if self._began is None else time.monotonic() - self._began
        done = spent / self.seconds if self._most is None else self.steps / self._most
        share = min(1.0, done)
        rate = min(1.0, share / WARMUP + 0.1) * 0.5 * (1 + math.cos(math.pi * share))
        self.model.optimizer.learning_rate = LEARNING_RATE * rate

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the step, and stop when the time is over."""
        self.steps += 1
        if self._began is None:
            self._began = time.monotonic()
        spent = time.monotonic() - self._began
        new, self._told = int(spent) - self._told, int(spent)
        loss = float((logs or {}).get("loss", math.nan))
        figures = {} if math.isnan(loss) else {"loss": loss}
        self._advance(new, seconds_left=max(0.0, self.seconds - spent), **figures)
        ends = spent >= self.seconds if self._most is None else self.steps >= self._most
        if ends:
            self.over = self.model.stop_training = True


def _plan(start: ModelFile, seed: int) -> FitConfig:
    if start.spec.fit != "stretch":
        raise InputError(f"{start.path}: weights of another code base cannot be taught here.")
    height, width = start.spec.input_size
    # A quarter of the picture trains four times as often in the same time.
    crop = (height // 2, width // 2) if not (height % 16 or width % 16) else None
    return FitConfig(
        **describe_network(start),
        learning_rate=LEARNING_RATE,
        batch_size=BATCH,
        crop=crop if start.spec.version in ANY_SIZE else None,
        seed=seed,
    )


def _find_others(
    start: ModelFile, config: FitConfig, reporter: Reporter
) -> tuple[list[LabelledFrames], str]:
    """Return clips that the weights were trained on, or rendered rallies, and what they are."""
    data = start.spec.notes.get("fit", {}).get("data")
    spec = config.spec
    if isinstance(data, str) and Path(data).is_dir():
        with contextlib.suppress(InputError):
            found = list(find_labelled_clips(Path(data)).clips)
            chosen = np.random.default_rng(config.seed).permutation(len(found))[:OTHER_CLIPS]
            clips = [found[number] for number in chosen.tolist()]
            cached = read_clips(clips, spec.input_size, reporter)
            loaded = [
                load_clip(clip, frames, spec.input_size)
                for clip, frames in zip(clips, cached, strict=True)
            ]
            return loaded, f"{len(loaded)} clips of {data}"
    rallies = []
    with reporter.track("rendering rallies", RENDERED, unit="rallies") as advance:
        for number in range(RENDERED):
            rendered = RallyConfig(frames=RENDERED_FRAMES, size=RENDERED_SIZE, seed=1000 + number)
            rally = simulate_rally(rendered)
            frames = np.stack([fit_frame(f, spec.input_size, spec.fit) for f in rally.frames()])
            places = scale_positions(rally.track.positions, RENDERED_SIZE, spec.input_size)
            known = np.ones(len(frames), bool)
            rallies.append(LabelledFrames(frames, estimate_background(frames), places, known))
            advance(1)
    return rallies, f"{RENDERED} rendered rallies"


@dataclass(frozen=True)
class _Scores:
    counts: Counts
    positions: list[np.ndarray]  # of each test, pixels of the video


def _measure(file: ModelFile, tests: Sequence[Cut], advance: Advance) -> _Scores:
    """Track the frames around those held back, and count how often that is right on these."""
    if not tests:
        return _Scores(Counts(), [])
    tracker, counts, found = Tracker(file), Counts(), []
    model = file.spec.input_size
    for cut in tests:
        track = tracker.track_frames(cut.frames, background=cut.background)
        held = cut.lesson.held[cut.part]
        truth = scale_positions(cut.lesson.labels.positions[cut.part], cut.size, model)
        counts += count_outcomes(truth[held], track.positions[held], TOLERANCE)
        found.append(scale_positions(track.positions, model, cut.size))
        advance(1)
    return _Scores(counts, found)


def _pick_examples(tests: Sequence[Cut], before: _Scores, after: _Scores) -> list[dict[str, Any]]:
    """Return frames that were held back, those first where the two differ the most."""
    examples: list[tuple[float, dict[str, Any]]] = []
    for cut, old, new in zip(tests, before.positions, after.positions, strict=True):
        for place in np.flatnonzero(cut.lesson.held[cut.part]).tolist():
            truth = cut.lesson.labels.positions[cut.part][place]
            moved = np.nan_to_num(np.linalg.norm(old[place] - new[place]), nan=0.0)
            changed = np.isnan(old[place, 0]) != np.isnan(new[place, 0])
            entry = {
                "video": cut.lesson.path.name,
                "frame": cut.first + place,
                "before": _show(old[place]),
                "after": _show(new[place]),
                "truth": _show(truth),
            }
            examples.append((-float(moved) - 1000 * changed, entry))
    return [entry for _, entry in sorted(examples, key=lambda pair: pair[0])[:MOST_EXAMPLES]]


def _show(place: np.ndarray) -> list[float] | None:
    return None if np.isnan(place[0]) else [round(float(value), 1) for value in place]
