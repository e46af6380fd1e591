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
    from keras_tracknet.analysis.events import find_events
    from keras_tracknet.errors import InputError
    from keras_tracknet.evaluation.exporting import export
    from keras_tracknet.inference.tracker import Tracker
    from keras_tracknet.models.rectifier import build_rectifier
    from keras_tracknet.models.tsm import build_tsm, build_tsm_online
    from keras_tracknet.models.v1 import build_v1
    from keras_tracknet.models.v2 import build_v2
    from keras_tracknet.models.v3 import build_v3
    from keras_tracknet.tracks.files import read_track, write_track
    from keras_tracknet.tracks.track import Track
    from keras_tracknet.tracks.velocity import compute_velocity
    from keras_tracknet.training.config import FitConfig
    from keras_tracknet.training.loop import fit
    from keras_tracknet.weights import checkpoints
    from keras_tracknet.weights.model_file import load_model, save_model

ensure_home()
choose_before_keras()

# Where each public name lives.
_HOMES = {
    "FitConfig": "training.config",
    "InputError": "errors",
    "Track": "tracks.track",
    "Tracker": "inference.tracker",
    "analyze_track": "analysis.analysis",
    "build_rectifier": "models.rectifier",
    "build_tsm": "models.tsm",
    "build_tsm_online": "models.tsm",
    "build_v1": "models.v1",
    "build_v2": "models.v2",
    "build_v3": "models.v3",
    "checkpoints": "weights.checkpoints",
    "compute_velocity": "tracks.velocity",
    "export": "evaluation.exporting",
    "find_events": "analysis.events",
    "fit": "training.loop",
    "layers": "layers",
    "load_model": "weights.model_file",
    "losses": "losses",
    "metrics": "metrics",
    "presets": "presets",
    "read_track": "tracks.files",
    "save_model": "weights.model_file",
    "write_track": "tracks.files",
}

__all__ = [
    "FitConfig",
    "InputError",
    "Track",
    "Tracker",
    "__version__",
    "analyze_track",
    "build_rectifier",
    "build_tsm",
    "build_tsm_online",
    "build_v1",
    "build_v2",
    "build_v3",
    "checkpoints",
    "compute_velocity",
    "export",
    "find_events",
    "fit",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "presets",
    "read_track",
    "save_model",
    "write_track",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_HOMES[name]}")
    return module if _HOMES[name].split(".")[-1] == name else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
