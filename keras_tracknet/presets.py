"""Presets: trackers that come with the package, and where else weights may come from."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_tracknet.errors import WEIGHTS, InputError
from keras_tracknet.files import read_json, replace_file, write_json, write_text
from keras_tracknet.folders import own_folder

if TYPE_CHECKING:  # Keras is loaded when a network is, not to say what there is
    from keras_tracknet.weights.model_file import ModelFile

FOLDER = WEIGHTS
MANIFEST = FOLDER / "manifest.json"
DEFAULT = "badminton-v3"
DEMO = "rendered-v3"
AUTO = "auto"  # the sport of a video is found by trying weights, see `choose_weights`
RENDERED_SPORT = "badminton"  # in the rallies that the demo's weights are trained on
HUB = "hf://"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")  # of weights that were taught on this machine
SAVED = ("model.weights.h5", "saved_model.pb")  # in folders of Keras and of TensorFlow


@dataclass(frozen=True)
class Preset:
    """A tracker that comes with the package.

    Attributes:
        name: as in `tracknet predict --weights NAME`; files and model card begin with it.
        summary: what it is for, in a line.
        sha256: of each file, the tracker's `<name>.keras` and where there are such the
            rectifier's `<name>-rectifier.keras`, the linker's `<name>-linker.keras` and the tracker
            in int8 for OpenVINO, `<name>.int8.xml` and `<name>.int8.bin`.
        parameters: of the tracker.
        accuracy, f1: on `validation`, tolerance 4 pixels at the model's size, mode `fast`.
        validation: what it was validated on.
        frames_per_second: of 1280x720 video on `machine`, see `tracknet bench`; 0 where
            nobody measured.
        machine: in a few words.
        sport: what it tracks: a sport of `keras_tracknet.sports`, `rendered` for rendered
            rallies, or an empty string for several sports.
        peak: mean height of the heatmap's peak on footage of that sport, 0 to 1, by which
            `choose_weights` compares networks.
        folder: where its files are, if it was taught on this machine; None for the package's.
    """

    name: str
    summary: str
    sha256: dict[str, str]
    parameters: int
    accuracy: float
    f1: float
    validation: str
    frames_per_second: float
    machine: str
    sport: str = ""
    peak: float = 0.7
    folder: Path | None = None

    @property
    def tracker(self) -> Path:
        """The tracker's file."""
        return self._place(f"{self.name}.keras")

    @property
    def rectifier(self) -> Path | None:
        """The rectifier's file, or None."""
        return self._find("rectifier")

    @property
    def linker(self) -> Path | None:
        """The linker's file, or None."""
        return self._find("linker")

    @property
    def card(self) -> Path:
        """The model card, Markdown."""
        return self._place(f"{self.name}.md")

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(self._place(name).stat().st_size for name in self.sha256)

    def check(self) -> None:
        """Compare its files with the manifest.

        Raises:
            InputError: a file is missing or is not what was released.
        """
        for name, expected in self.sha256.items():
            path = self._place(name)
            if not path.is_file() or _hash(path) != expected:
                raise InputError(
                    f"{path}: missing or damaged (its SHA-256 differs from the released file);"
                    " reinstall the package."
                )

    def _find(self, part: str) -> Path | None:
        path = self._place(f"{self.name}-{part}.keras")
        return path if path.name in self.sha256 else None

    def _place(self, name: str) -> Path:
        return (self.folder or FOLDER) / name


@dataclass(frozen=True)
class WeightsPaths:
    """Where weights are: the tracker's model, and its rectifier's and linker's or None."""

    tracker: Path
    rectifier: Path | None = None
    linker: Path | None = None


@cache
def list_presets() -> dict[str, Preset]:
    """Return the bundled trackers by name."""
    if not MANIFEST.is_file():
        return {}
    content = json.loads(MANIFEST.read_text())
    return {name: Preset(name, **entry) for name, entry in content.items()}


def preset_names() -> list[str]:
    """Return the names of the bundled trackers."""
    return sorted(list_presets())


def list_own_presets() -> dict[str, Preset]:
    """Return by name the trackers that were taught on this machine, see `keep_weights`."""
    folder = own_folder()
    try:
        content = read_json(folder / MANIFEST.name)
    except FileNotFoundError:
        return {}
    return {name: Preset(name, **entry, folder=folder) for name, entry in content.items()}


def keep_weights(
    name: str,
    tracker: Path,
    card: str,
    *,
    rectifier: Path | None = None,
    linker: Path | None = None,
    **facts: Any,
) -> Preset:
    """Keep weights under a name that works on this machine wherever weights are asked for.

    Args:
        name: lower-case letters, digits and hyphens.
        tracker: model file.
        card: model card, Markdown.
        rectifier, linker: model files of its rectifier and its linker.
        facts: the other fields of `Preset`, as measured.

    Raises:
        InputError: the name cannot be used, or the files cannot be written.
    """
    own = list_own_presets()
    if not NAME.fullmatch(name):
        raise InputError(f"{name}: use lower-case letters, digits and hyphens, such as my-club.")
    if name in own or name in list_presets():
        raise InputError(f"{name}: there are already weights of this name; choose another one.")
    folder, sha256 = own_folder(), {}
    for file, source in _name_files(name, tracker, rectifier, linker).items():
        if source is not None:
            with replace_file(folder / file) as partial:
                shutil.copyfile(source, partial)
            sha256[file] = _hash(folder / file)
    write_text(card, folder / f"{name}.md")
    preset = Preset(name=name, sha256=sha256, **facts, folder=folder)
    _write_manifest({**own, name: preset}, folder / MANIFEST.name)
    return preset


def find_preset(sport: str) -> Preset:
    """Return the bundled tracker for a sport: of several the one with the highest F1.

    Args:
        sport: as `Preset.sport`; where no tracker is made for it, one for several sports is meant.
    """
    presets = list_presets().values()
    fitting = [p for p in presets if p.sport == sport] or [p for p in presets if not p.sport]
    return max(fitting, key=lambda preset: preset.f1)


def name_sport(sha256: str | None) -> str | None:
    """Return what is played where bundled weights track well.

    Args:
        sha256: of the weights' `.keras` file, as `summary.json` has it.

    Returns:
        A sport of `keras_tracknet.sports`; an empty string for weights for several sports; None for
        weights that are not bundled.
    """
    for preset in list_presets().values():
        if sha256 is not None and sha256 == preset.sha256.get(preset.tracker.name):
            return RENDERED_SPORT if preset.sport == "rendered" else preset.sport
    return None


def load(name: str | Path = DEFAULT) -> ModelFile:
    """Load a tracker's network.

    Args:
        name: as for `find_weights`.

    Returns:
        The Keras model with its specification.

    Raises:
        InputError: unknown or damaged weights.

    Example:
        >>> from keras_tracknet import presets
        >>> presets.load("badminton-v3").model.name
        'tracknet_v3'
    """
    from keras_tracknet.weights.model_file import load_model

    return load_model(find_weights(name).tracker)


def find_weights(name: str | Path) -> WeightsPaths:
    """Return the files of the weights that a user means.

    Args:
        name: a preset's name; the path of a `.keras` file, of a folder that Keras saved a model
            in, of what `tracknet export` wrote, or of a run folder of `fit` (its best model is
            meant); or `hf://OWNER/NAME` for such a folder on the Hugging Face Hub.

    Raises:
        InputError: none of these, or a preset whose files are damaged.
    """
    known = list_presets()
    if str(name) not in known and NAME.fullmatch(str(name)):
        known = list_own_presets()
    if str(name) in known:
        preset = known[str(name)]
        preset.check()
        return WeightsPaths(preset.tracker, preset.rectifier, preset.linker)
    if str(name).startswith(HUB):
        return WeightsPaths(_download(str(name)))
    path = Path(name)
    if path.is_dir() and (path / "best.keras").is_file():  # a run folder
        return WeightsPaths(path / "best.keras")
    if path.is_file() or any((path / name).is_file() for name in SAVED):
        return WeightsPaths(path)
    raise InputError(
        f"{name}: no such weights; use a .keras file, a run folder of tracknet fit,"
        f" hf://OWNER/NAME or one of"
        f" {', '.join([*preset_names(), *list_own_presets()]) or '(none bundled)'}."
    )


def add_preset(
    name: str,
    tracker: Path,
    *,
    rectifier: Path | None = None,
    linker: Path | None = None,
    changes: dict[str, Any] | None = None,
    **facts: Any,
) -> Preset:
    """Add a tracker to the bundled ones, or replace one: for who releases this package.

    Args:
        name: the preset's.
        tracker: model file to pack in half precision.
        rectifier, linker: likewise.
        changes: fields of the tracker's specification to replace, such as `threshold`.
        facts: the other fields of `Preset`, as measured.

    Returns:
        What the manifest now says.
    """
    from keras_tracknet.weights.model_file import load_model, pack_model

    for file, source in _name_files(name, tracker, rectifier, linker).items():
        (FOLDER / file).unlink(missing_ok=True)
        if source is not None:
            pack_model(source, FOLDER / file, **(changes or {} if source is tracker else {}))
    for path in FOLDER.glob(f"{name}.int8.*"):  # of other weights
        path.unlink()
    parameters = load_model(FOLDER / f"{name}.keras").model.count_params()
    preset = Preset(name=name, sha256=_hash_files(name), parameters=parameters, **facts)
    _write_manifest({**list_presets(), name: preset}, MANIFEST)
    list_presets.cache_clear()
    return preset


def add_int8(name: str, made: Path) -> Preset:
    """Add the int8 network of a bundled tracker; for maintainers.

    Args:
        name: the preset's.
        made: the `.xml` file that `tracknet export --format openvino --precision int8 --heatmaps`
            wrote of the preset; its weights are beside it.

    Returns:
        What the manifest now says.
    """
    for suffix in (".xml", ".bin"):
        shutil.copyfile(made.with_suffix(suffix), FOLDER / f"{name}.int8{suffix}")
    preset = replace(list_presets()[name], sha256=_hash_files(name))
    _write_manifest({**list_presets(), name: preset}, MANIFEST)
    list_presets.cache_clear()
    return preset


def _name_files(
    name: str, tracker: Path | None, rectifier: Path | None, linker: Path | None
) -> dict[str, Path | None]:
    """Return the model files of a preset: name, and what becomes it or None."""
    return {
        f"{name}.keras": tracker,
        f"{name}-rectifier.keras": rectifier,
        f"{name}-linker.keras": linker,
    }


def _hash_files(name: str) -> dict[str, str]:
    files = [*_name_files(name, None, None, None), f"{name}.int8.xml", f"{name}.int8.bin"]
    return {file: _hash(FOLDER / file) for file in files if (FOLDER / file).is_file()}


def _write_manifest(presets: dict[str, Preset], path: Path) -> None:
    entries = {name: asdict(presets[name]) for name in sorted(presets)}
    for entry in entries.values():
        del entry["name"], entry["folder"]
    write_json(entries, path)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _download(name: str) -> Path:
    """Fetch a model from the Hugging Face Hub, as Keras's own loader does."""
    if importlib.util.find_spec("huggingface_hub") is None:
        raise InputError(
            f"{name}: huggingface_hub is required; run: pip install 'keras_tracknet[hub]'"
        )
    import huggingface_hub

    try:
        return Path(huggingface_hub.snapshot_download(name.removeprefix(HUB)))
    except Exception as error:  # of the network, or of the name
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            f"{name}: download failed ({reason}); check the name and the network connection."
        ) from error
