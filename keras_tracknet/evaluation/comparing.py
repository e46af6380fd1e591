"""Measuring for a comparison: every tracker on every clip, each result kept at once."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_tracknet.datasets.checks import list_warnings
from keras_tracknet.datasets.clip import Clip
from keras_tracknet.datasets.dataset import find_labelled_clips, pick_clips, read_labels
from keras_tracknet.datasets.labels import DEFAULT_VISIBLE
from keras_tracknet.errors import InputError
from keras_tracknet.evaluation.comparison import (
    BALL,
    SIZE,
    ClipOutcome,
    Comparison,
    Entry,
    Tolerance,
    list_tolerances,
)
from keras_tracknet.evaluation.comparison_page import write_page
from keras_tracknet.evaluation.operations import count_operations
from keras_tracknet.evaluation.trackers import find_counted
from keras_tracknet.files import prepare_place, read_json, write_json, write_table
from keras_tracknet.frames.sizes import scale_positions
from keras_tracknet.frames.windows import window_step
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.metrics import count_outcomes
from keras_tracknet.presets import find_weights
from keras_tracknet.progress import Advance, Reporter
from keras_tracknet.tracks.files import read_track, write_track
from keras_tracknet.tracks.track import Track
from keras_tracknet.video.reader import probe_video
from keras_tracknet.weights.model_file import load_model

SAVED_NAMES = ("best", "last")  # of files in a run folder, which is named instead


@dataclass(frozen=True)
class Contestant:
    """Weights to compare: their name in the table, where they are, and their hash."""

    name: str
    path: Path
    sha256: str


def compare(
    weights: Sequence[str | Path],
    data: Path,
    *,
    clips: Sequence[str] = (),
    visible: str = DEFAULT_VISIBLE,
    pixels: Sequence[float] = (2.0, 4.0, 8.0),
    shares: Sequence[float] = (0.5, 1.0),
    ball: float = BALL,
    output: Path = Path("runs/compare"),
    overwrite: bool = False,
    reporter: Reporter | None = None,
    **settings: Any,
) -> Comparison:
    """Track the same labelled clips with several weights, and compare them by one protocol.

    Every tracker works without a rectifier and without a linker, and positions are judged in pixels
    at 512x288. Tracks are kept in `output`; when the comparison is interrupted and started again,
    they are not computed anew.

    Args:
        weights: run folders, names of bundled trackers or files, as `find_weights` takes them.
        data: folder of labelled clips.
        clips: names of clips, folders or globs; every clip when empty.
        visible: which balls count as visible, see `find_dataset`.
        pixels: tolerances, pixels at 512x288.
        shares: tolerances, in diameters of the ball.
        ball: diameter of the ball, pixels at 512x288; that of the disc that networks are trained
            on when omitted.
        output: folder for `comparison.json`, `comparison.csv`, `comparison.html`,
            `accuracy_over_speed.svg` and the tracks.
        overwrite: whether to replace a comparison that is there.
        reporter: where progress goes.
        settings: `mode`, `engine`, `device` and `precision`, as for `Tracker`.

    Returns:
        The `Comparison`.

    Raises:
        InputError: no such weights, no clip, or a result that cannot be written.
        ValueError: no weights or no tolerance, or one that is not above 0.
    """
    reporter = reporter or Reporter()
    tolerances = list_tolerances(pixels, shares, ball)
    if not weights or not tolerances or any(not t.pixels > 0 for t in tolerances):
        raise ValueError(
            "`weights` and tolerances must not be empty, and tolerances be above 0. Received:"
            f" weights={list(weights)}, pixels={list(pixels)}, shares={list(shares)}, ball={ball}"
        )
    contestants = _find_contestants(weights)
    dataset = find_labelled_clips(data, visible=visible)
    found = pick_clips(dataset.clips, clips) if clips else dataset.clips
    for warning in list_warnings(dataset, found):
        reporter.warn(warning)
    prepare_place(output / "comparison.json", overwrite)
    entries = []
    lengths = sum(probe_video(clip.source).frames or 0 for clip in found)
    total = lengths * len(contestants)
    try:
        with reporter.track("comparing", total, unit="frames") as advance:
            for one in contestants:
                reporter.note(f"weights: {one.name} ({one.path})")
                run = Run(one, output / "tracks" / one.name, settings)
                entries.append(run.measure(found, tolerances, advance))
    except KeyboardInterrupt:
        reporter.warn(f"stopped; tracks so far are in {output}; run the same command to continue")
        raise
    comparison = Comparison(tuple(entries), tuple(tolerances))
    rows = comparison.rows()
    write_table(rows[0], (row.values() for row in rows), output / "comparison.csv")
    write_page(comparison, output)
    write_json(comparison.as_dict(), output / "comparison.json")
    return comparison


class Run:
    """One tracker on all clips. What it has measured is kept in a folder.

    Args:
        contestant: the weights.
        folder: for the track of every clip and `measured.json`.
        settings: as for `Tracker`.
    """

    def __init__(self, contestant: Contestant, folder: Path, settings: dict[str, Any]) -> None:
        self.contestant, self.folder, self.settings = contestant, folder, settings
        self._tracker: Tracker | None = None
        self._notes = self._read_notes()

    def measure(
        self, clips: Sequence[Clip], tolerances: Sequence[Tolerance], advance: Advance
    ) -> Entry:
        """Return the tracker's row of the table."""
        outcomes = tuple(self._measure_clip(clip, tolerances, advance) for clip in clips)
        facts = self._notes["facts"]
        name, path = self.contestant.name, str(self.contestant.path)
        return Entry(name=name, weights=path, clips=outcomes, **facts)

    def _measure_clip(
        self, clip: Clip, tolerances: Sequence[Tolerance], advance: Advance
    ) -> ClipOutcome:
        place = self.folder / f"{clip.name}.csv"
        if clip.name in self._notes["seconds"] and place.is_file():
            advance(probe_video(clip.source).frames or 0)
        else:
            self._track(clip, place, advance)
        track = read_track(place)
        truth, predicted = _align(clip, track)
        with np.errstate(invalid="ignore"):
            distances = np.linalg.norm(predicted - truth, axis=-1)
        return ClipOutcome(
            name=clip.name,
            frames=len(track),
            seconds=self._notes["seconds"][clip.name],
            counts=tuple(count_outcomes(truth, predicted, t.pixels) for t in tolerances),
            distances=distances[np.isfinite(distances)],
        )

    def _track(self, clip: Clip, place: Path, advance: Advance) -> None:
        """Track a clip, and keep the track with the seconds that it took."""
        if self._tracker is None:
            self._tracker = Tracker(self.contestant.path, **self.settings)
            with closing(self._tracker.stream(clip.source)) as rows:
                next(rows)  # the network has run before it is timed
            self._notes["facts"] = _describe(self._tracker, self.contestant.path)
        began = time.perf_counter()
        track = self._tracker.track(clip.source, advance=advance)
        seconds = time.perf_counter() - began
        write_track(track, place)
        self._notes["seconds"][clip.name] = seconds
        write_json(self._notes, self.folder / "measured.json")

    def _read_notes(self) -> dict[str, Any]:
        """Return what was measured with the same weights and settings, or an empty record."""
        made_with = {"sha256": self.contestant.sha256, "settings": self.settings}
        try:
            notes = read_json(self.folder / "measured.json")
        except (FileNotFoundError, InputError):
            notes = {}
        if notes.get("made_with") == made_with and {"facts", "seconds"} <= notes.keys():
            return notes
        return {"made_with": made_with, "facts": {}, "seconds": {}}


def _describe(tracker: Tracker, path: Path) -> dict[str, Any]:
    """Return what the table says of a tracker's network."""
    parameters = gflop = None
    spec, network = tracker.spec, tracker.network
    if path.suffix == ".keras":
        model = load_model(path).model
        parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)
        step = window_step(tracker.mode, spec.heatmaps)
        gflop = 1e-9 * count_operations(model, spec.input_size) / step
    return {
        "version": spec.version,
        "engine": network.engine,
        "precision": network.precision,
        "parameters": parameters,
        "gflop": gflop,
    }


def _align(clip: Clip, track: Track) -> tuple[np.ndarray, np.ndarray]:
    """Return true and predicted positions of the frames that count, pixels at 512x288."""
    info = probe_video(clip.source)
    size = (info.height, info.width)
    labels = read_labels(clip, size=size, frames=len(track))
    counted = find_counted(clip, labels)
    truth, predicted = (
        scale_positions(positions[counted], size, SIZE)
        for positions in (labels.positions, track.positions)
    )
    return truth, predicted


def _find_contestants(weights: Sequence[str | Path]) -> list[Contestant]:
    """Find all weights, and name them so that each has a folder of its own.

    Raises:
        InputError: there are none of a name.
    """
    found: list[Contestant] = []
    for given in weights:
        path = find_weights(given).tracker
        name = Path(given).stem if Path(given).suffix else Path(given).name
        if name in SAVED_NAMES:
            name = path.resolve().parent.name
        name = plain = re.sub(r"[^\w.-]+", "-", name) or "weights"
        number = 1
        while name in [one.name for one in found]:
            number += 1
            name = f"{plain}-{number}"
        found.append(Contestant(name, path, _hash(path)))
    return found


def _hash(path: Path) -> str:
    """Return the SHA-256 of a file (of OpenVINO's two) or of all files of a folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path, path.with_suffix(".bin")]
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()
