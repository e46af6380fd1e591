"""Track small, fast balls and shuttlecocks in sports video with the TrackNet family.

Importing this package loads no framework; Keras is loaded when a name that needs it is used, on
the backend that `choose_backend` finds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from keras_tracknet.backends import choose_before_keras
from keras_tracknet.folders import ensure_home
from keras_tracknet.version import __version__

if TYPE_CHECKING:
    from keras_tracknet import layers, losses, metrics, presets
    from keras_tracknet.analysis.analysis import analyze_track
    from keras_tracknet.analysis.court.calibration import read_court
    from keras_tracknet.analysis.events import find_events
    from keras_tracknet.datasets.dataset import find_clips, find_dataset, read_labels
    from keras_tracknet.datasets.splits import split_dataset
    from keras_tracknet.errors import InputError
    from keras_tracknet.evaluation.comparing import compare
    from keras_tracknet.evaluation.exporting import export
    from keras_tracknet.evaluation.trackers import evaluate
    from keras_tracknet.frames.background import estimate_background, sample_indices
    from keras_tracknet.frames.sizes import scale_positions
    from keras_tracknet.frames.stacking import scale_window, stack_window
    from keras_tracknet.frames.windows import sample_segments
    from keras_tracknet.inference.choice import choose_weights
    from keras_tracknet.inference.outputs import predict_video
    from keras_tracknet.inference.places import OutputPaths
    from keras_tracknet.inference.tracker import Tracker
    from keras_tracknet.models.linker import build_linker
    from keras_tracknet.models.rectifier import build_rectifier
    from keras_tracknet.models.tsm import build_tsm, build_tsm_online, reset_stream
    from keras_tracknet.models.v1 import build_v1
    from keras_tracknet.models.v2 import build_v2
    from keras_tracknet.models.v3 import build_v3
    from keras_tracknet.models.v4 import build_v4
    from keras_tracknet.models.v5 import build_v5
    from keras_tracknet.models.wasb import build_wasb
    from keras_tracknet.sports import find_sport
    from keras_tracknet.synthetic.clips import render_rallies, write_rally
    from keras_tracknet.synthetic.config import RallyConfig
    from keras_tracknet.synthetic.rally import simulate_rally
    from keras_tracknet.tracks.doubts import find_doubtful_frames
    from keras_tracknet.tracks.files import read_track, write_track
    from keras_tracknet.tracks.merging import merge_labels
    from keras_tracknet.tracks.outliers import raw_track
    from keras_tracknet.tracks.overlay import write_overlay
    from keras_tracknet.tracks.plots import name_plots, plot_track
    from keras_tracknet.tracks.track import Track
    from keras_tracknet.tracks.velocity import compute_velocity
    from keras_tracknet.training.batches.cache import FrameCache
    from keras_tracknet.training.batches.heatmaps import (
        render_classes,
        render_disc,
        render_gaussian,
    )
    from keras_tracknet.training.classifier.clip_classes import classify_windows
    from keras_tracknet.training.classifier.data import load_classified
    from keras_tracknet.training.classifier.evaluation import evaluate_classes
    from keras_tracknet.training.config import FitConfig, describe_network
    from keras_tracknet.training.loop import fit
    from keras_tracknet.video.part import Part
    from keras_tracknet.video.reader import probe_video, read_frames, sample_frames
    from keras_tracknet.weights import checkpoints
    from keras_tracknet.weights.model_file import ModelFile, load_model, save_model
    from keras_tracknet.weights.spec import ModelSpec

ensure_home()
choose_before_keras()

# Where each public name lives; whatever is not here may change in any release.
_HOMES = {
    "FitConfig": "training.config",
    "FrameCache": "training.batches.cache",
    "InputError": "errors",
    "ModelFile": "weights.model_file",
    "ModelSpec": "weights.spec",
    "OutputPaths": "inference.places",
    "Part": "video.part",
    "RallyConfig": "synthetic.config",
    "Track": "tracks.track",
    "Tracker": "inference.tracker",
    "analyze_track": "analysis.analysis",
    "build_linker": "models.linker",
    "build_rectifier": "models.rectifier",
    "build_tsm": "models.tsm",
    "build_tsm_online": "models.tsm",
    "build_v1": "models.v1",
    "build_v2": "models.v2",
    "build_v3": "models.v3",
    "build_v4": "models.v4",
    "build_v5": "models.v5",
    "build_wasb": "models.wasb",
    "checkpoints": "weights.checkpoints",
    "choose_weights": "inference.choice",
    "classify_windows": "training.classifier.clip_classes",
    "compare": "evaluation.comparing",
    "compute_velocity": "tracks.velocity",
    "describe_network": "training.config",
    "estimate_background": "frames.background",
    "evaluate": "evaluation.trackers",
    "evaluate_classes": "training.classifier.evaluation",
    "export": "evaluation.exporting",
    "find_clips": "datasets.dataset",
    "find_dataset": "datasets.dataset",
    "find_doubtful_frames": "tracks.doubts",
    "find_events": "analysis.events",
    "find_sport": "sports",
    "fit": "training.loop",
    "layers": "layers",
    "load_classified": "training.classifier.data",
    "load_model": "weights.model_file",
    "losses": "losses",
    "metrics": "metrics",
    "merge_labels": "tracks.merging",
    "name_plots": "tracks.plots",
    "plot_track": "tracks.plots",
    "predict_video": "inference.outputs",
    "presets": "presets",
    "probe_video": "video.reader",
    "raw_track": "tracks.outliers",
    "read_court": "analysis.court.calibration",
    "read_frames": "video.reader",
    "read_labels": "datasets.dataset",
    "read_track": "tracks.files",
    "render_classes": "training.batches.heatmaps",
    "render_disc": "training.batches.heatmaps",
    "render_gaussian": "training.batches.heatmaps",
    "render_rallies": "synthetic.clips",
    "reset_stream": "models.tsm",
    "sample_frames": "video.reader",
    "sample_indices": "frames.background",
    "sample_segments": "frames.windows",
    "save_model": "weights.model_file",
    "scale_positions": "frames.sizes",
    "scale_window": "frames.stacking",
    "simulate_rally": "synthetic.rally",
    "split_dataset": "datasets.splits",
    "stack_window": "frames.stacking",
    "write_overlay": "tracks.overlay",
    "write_rally": "synthetic.clips",
    "write_track": "tracks.files",
}

__all__ = [
    "FitConfig",
    "FrameCache",
    "InputError",
    "ModelFile",
    "ModelSpec",
    "OutputPaths",
    "Part",
    "RallyConfig",
    "Track",
    "Tracker",
    "__version__",
    "analyze_track",
    "build_linker",
    "build_rectifier",
    "build_tsm",
    "build_tsm_online",
    "build_v1",
    "build_v2",
    "build_v3",
    "build_v4",
    "build_v5",
    "build_wasb",
    "checkpoints",
    "choose_weights",
    "classify_windows",
    "compare",
    "compute_velocity",
    "describe_network",
    "estimate_background",
    "evaluate",
    "evaluate_classes",
    "export",
    "find_clips",
    "find_dataset",
    "find_doubtful_frames",
    "find_events",
    "find_sport",
    "fit",
    "layers",
    "load_classified",
    "load_model",
    "losses",
    "merge_labels",
    "metrics",
    "name_plots",
    "plot_track",
    "predict_video",
    "presets",
    "probe_video",
    "raw_track",
    "read_court",
    "read_frames",
    "read_labels",
    "read_track",
    "render_classes",
    "render_disc",
    "render_gaussian",
    "render_rallies",
    "reset_stream",
    "sample_frames",
    "sample_indices",
    "sample_segments",
    "save_model",
    "scale_positions",
    "scale_window",
    "simulate_rally",
    "split_dataset",
    "stack_window",
    "write_overlay",
    "write_rally",
    "write_track",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_HOMES[name]}")
    return module if _HOMES[name].split(".")[-1] == name else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
