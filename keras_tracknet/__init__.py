"""Track small, fast balls and shuttlecocks in sports video with the TrackNet family.

Importing this package loads no framework; Keras is loaded when a name that needs it is used, on
the backend that `choose_backend` finds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from keras_tracknet.backends import choose_before_keras
from keras_tracknet.folders import ensure_home

if TYPE_CHECKING:
    from keras_tracknet import checkpoints, layers, losses, metrics, presets
    from keras_tracknet.analysis import analyze_track
    from keras_tracknet.errors import InputError
    from keras_tracknet.events import find_events
    from keras_tracknet.exporting import export
    from keras_tracknet.fit_config import FitConfig
    from keras_tracknet.inference import Tracker
    from keras_tracknet.io.tracks import Track, read_track, write_track
    from keras_tracknet.model_file import load_model, save_model
    from keras_tracknet.models.rectifier import build_rectifier
    from keras_tracknet.models.tsm import build_tsm, build_tsm_online
    from keras_tracknet.models.v1 import build_v1
    from keras_tracknet.models.v2 import build_v2
    from keras_tracknet.models.v3 import build_v3
    from keras_tracknet.training import fit
    from keras_tracknet.velocity import compute_velocity

__version__ = "0.1.0"

ensure_home()
choose_before_keras()

# Where each public name lives.
_HOMES = {
    "FitConfig": "fit_config",
    "InputError": "errors",
    "Track": "io.tracks",
    "Tracker": "inference",
    "analyze_track": "analysis",
    "build_rectifier": "models.rectifier",
    "build_tsm": "models.tsm",
    "build_tsm_online": "models.tsm",
    "build_v1": "models.v1",
    "build_v2": "models.v2",
    "build_v3": "models.v3",
    "checkpoints": "checkpoints",
    "compute_velocity": "velocity",
    "export": "exporting",
    "find_events": "events",
    "fit": "training",
    "layers": "layers",
    "load_model": "model_file",
    "losses": "losses",
    "metrics": "metrics",
    "presets": "presets",
    "read_track": "io.tracks",
    "save_model": "model_file",
    "write_track": "io.tracks",
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
    return module if name == _HOMES[name] else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
