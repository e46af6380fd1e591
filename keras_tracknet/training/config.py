"""What decides a training run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from keras_tracknet.backends import PRECISIONS
from keras_tracknet.datasets.labels import DEFAULT_VISIBLE, VISIBLE
from keras_tracknet.frames.stacking import BACKGROUND_MODES
from keras_tracknet.models import v4, v5
from keras_tracknet.models.blocks import check_count, check_input_size
from keras_tracknet.models.tsm import BACKBONES, MODALITIES, describe_tsm
from keras_tracknet.tracks.hidden import HIDDEN_POSITIONS
from keras_tracknet.training.batches.augment import Augmentation
from keras_tracknet.training.classifier.clip_classes import CLASSES
from keras_tracknet.weights.model_file import ModelFile
from keras_tracknet.weights.spec import TRACK_VERSIONS, VERSIONS, ModelSpec

PIPELINES = ("auto", "host", "device")  # where training batches are made

CHOICES = {
    "version": VERSIONS,
    "schedule": ("constant", "cosine"),
    "base": v4.BASES,
    "fusion": v4.FUSIONS,
    "background": BACKGROUND_MODES,
    "target": ("disc", "gaussian"),
    "hidden": HIDDEN_POSITIONS,
    "visible": tuple(VISIBLE),
    "backbone": BACKBONES,
    "modality": MODALITIES,
    "precision": ("auto", *PRECISIONS),
    "pipeline": PIPELINES,
}


def all_are(values: Any, allows: Callable[[Any], bool], count: int | None = None) -> bool:
    """Return whether a value is a tuple, of so many values, that are all allowed."""
    right = isinstance(values, tuple) and all(map(allows, values))
    return right and count in (None, len(values))


# What the fields of a configuration hold, by their annotation.
TYPES: dict[str, Callable[[Any], bool]] = {
    "bool": lambda value: isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, Integral) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, Real) and math.isfinite(value),
    "tuple[int, int]": lambda value: all_are(value, TYPES["int"], 2),
    "tuple[float, float]": lambda value: all_are(value, TYPES["float"], 2),
    "tuple[str, ...]": lambda value: all_are(value, TYPES["str"]),
}

PICTURES = tuple(version for version in VERSIONS if version not in TRACK_VERSIONS)
HEATMAPS = tuple(version for version in PICTURES if version != "tsm")
ANY_SIZE = tuple(version for version in HEATMAPS if version != "v5")
PROBABILITIES = tuple(version for version in HEATMAPS if version != "v1")  # V1 has classes

# The versions that a setting is for; one that is not listed is for all of them.
USED_BY: dict[str, tuple[str, ...]] = {
    "heatmaps": ("v2", "wasb"),
    "base": ("v4",),
    "fusion": ("v4",),
    "background": ("v3", "v4"),
    "input_size": PICTURES,
    "target": PROBABILITIES,
    "mixup": PROBABILITIES,
    "frame_mixup": PROBABILITIES,
    "flip": PICTURES,
    "brightness": PICTURES,
    "contrast": PICTURES,
    "recolour": PICTURES,
    "compression": PICTURES,
    "crop": ANY_SIZE,
    "zoom": PICTURES,
    "on_ball": HEATMAPS,
    "pan": HEATMAPS,
    "paste": HEATMAPS,
    "decoys": HEATMAPS,
    "skip": (*HEATMAPS, "linker"),
    "stabilize": HEATMAPS,
    "windows": PICTURES,
    "balance": HEATMAPS,
    "hidden": ("rectifier",),
    "tracks": TRACK_VERSIONS,
    "backbone": ("tsm",),
    "modality": ("tsm",),
    "span": ("tsm",),
    "online": ("tsm",),
}

# Filters of the deepest convolution at full width.
MOST_FILTERS = {
    "v1": 512, "v2": 512, "v3": 512, "v4": 512, "v5": 512, "wasb": 128, "rectifier": 256,
    "linker": 24,
}  # fmt: skip


@dataclass(frozen=True)
class FitConfig:
    """Everything that decides a training run; written to the run folder as `config.json`.

    Attributes:
        version: `v1`, `v2`, `v3`, `v4`, `v5`, `wasb`, `rectifier`, `linker` or `tsm`.
        data: folder of labelled clips; None for rendered rallies.
        output: the run folder.
        epochs: passes over the windows, at most.
        patience: epochs without a better one after which training stops; None for never.
        batch_size: windows in a batch.
        learning_rate: Adam's, at its highest.
        schedule: `cosine` lets the learning rate fall to 0, `constant` keeps it.
        warmup: share of all steps over which the learning rate rises from 0 (cosine).
        precision: `auto`, or a Keras dtype policy.
        width: factor on the number of filters.
        frames: frames in a window, for TSM those that it sees of a window; the version's own
            when None.
        heatmaps: maps out; as many as frames when None (V1 always 1).
        base: network that V4 adds motion attention to, `v2` or `v3`.
        fusion: how V4 gates its maps, see `build_v4`.
        background: background mode of V3, and of V4 on V3.
        input_size: (height, width) in pixels; the version's own when None.
        target: `disc` with weighted cross-entropy, or `gaussian` with quality focal loss;
            V1 has its own.
        mixup: parameter of mixup between windows, 0 for none.
        frame_mixup: parameter of mixup between neighbouring frames, 0 for none.
        flip, brightness, contrast, recolour, compression, crop, zoom, on_ball, pan, paste, decoys,
            skip: see `Augmentation`.
        stabilize: move the frames of a window so that the court stands still in them; the weights
            say so, and `Tracker` does the same. For models without a background.
        windows: windows in an epoch, drawn anew each time; all when None.
        balance: draw from each dataset, a folder directly below `data`, equally often.
        training: names of clips, folders or globs to train on; all that do not validate when
            empty.
        validation: names of clips, folders or globs to validate on; chosen when empty.
        visible: which balls count as visible, see `find_dataset`.
        hidden: what the rectifier sees where a position is hidden: `interpolated`, trained on
            the distance from the truth, or `zero`, trained on its square as published.
        tracks: folder with a predicted track for each clip, for the rectifier; its labels
            alone when None. For the linker a folder with the candidates of each clip.
        backbone: TSM's network for pictures.
        modality: what TSM sees of a frame, see `build_tsm`.
        span: seconds that a window of TSM lasts.
        online: whether TSM looks only at the frames before, as for a live stream.
        pipeline: where training batches are made: `host`, `device`, or `auto`, see
            `place_batches`.
        seed: start of every random choice.
        init: weights to start from (fine-tuning), as `find_weights` takes them; they must be of
            the same network, see `describe_network`.
    """

    version: str = "v3"
    data: str | None = None
    output: str = "runs/fit"
    epochs: int = 30
    patience: int | None = None
    batch_size: int = 4
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup: float = 0.02
    precision: str = "auto"
    width: float = 1.0
    frames: int | None = None
    heatmaps: int | None = None
    base: str = "v2"
    fusion: str = "a"
    background: str = "concat"
    input_size: tuple[int, int] | None = None
    target: str = "disc"
    mixup: float = 0.0
    frame_mixup: float = 0.0
    flip: float = 0.5
    brightness: float = 0.1
    contrast: float = 0.2
    recolour: float = 0.0
    compression: float = 0.0
    crop: tuple[int, int] | None = None
    zoom: tuple[float, float] = (1.0, 1.0)
    on_ball: float = 0.7
    pan: float = 0.0
    paste: float = 0.0
    decoys: float = 0.0
    skip: float = 0.0
    stabilize: bool = False
    windows: int | None = None
    balance: bool = False
    training: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    visible: str = DEFAULT_VISIBLE
    hidden: str = "interpolated"
    tracks: str | None = None
    backbone: str = "resnet10"
    modality: str = "difference"
    span: float = 0.5
    online: bool = False
    pipeline: str = "auto"
    seed: int = 0
    init: str | None = None

    def __post_init__(self) -> None:
        for name in ("input_size", "crop", "zoom", "training", "validation"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        for field in fields(self):
            kind, _, optional = str(field.type).partition(" | ")
            value = getattr(self, field.name)
            if not (optional and value is None) and not TYPES[kind](value):
                raise ValueError(
                    f"`{field.name}` must be {field.type}. Received: {field.name}={value!r}"
                )
        for name, known in CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(known)}. Received: {name}={value!r}"
                )
        for name in ("epochs", "patience", "batch_size", "frames", "heatmaps", "windows"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        for name, least, fits in (
            ("learning_rate", "above 0", self.learning_rate > 0),
            ("width", "above 0", self.width > 0),
            ("span", "above 0", self.span > 0),
            ("mixup", "at least 0", self.mixup >= 0),
            ("frame_mixup", "at least 0", self.frame_mixup >= 0),
            ("warmup", "0 to 1", 0 <= self.warmup <= 1),
            ("seed", "0 to 2^32 - 1", 0 <= self.seed < 2**32),
        ):
            if not fits:
                raise ValueError(
                    f"`{name}` must be {least}. Received: {name}={getattr(self, name)}"
                )
        self._check_use()
        if self.backbone == "resnet50" and self.width != 1:
            raise ValueError(f"`width` must be 1 for resnet50. Received: width={self.width}")
        for name in ("pan", "stabilize"):
            if getattr(self, name) and self.spec.background != "none":
                raise ValueError(
                    f"`{name}` requires a model without a background. Received:"
                    f" {name}={getattr(self, name)}, background={self.background!r}"
                )
        check_input_size(self.input_size or (None, None))
        if self.version in ("v4", "v5"):
            self._check_motion()
        _ = self.spec, self.augmentation  # which raise what is wrong with them

    def _check_use(self) -> None:
        """Raise `ValueError` for a setting that the version has no use for."""
        for field in fields(self):
            value, versions = getattr(self, field.name), USED_BY.get(field.name, VERSIONS)
            if self.version not in versions and value != field.default:
                *others, last = versions
                known = f"{', '.join(others)} and {last}" if others else last
                raise ValueError(
                    f"`{field.name}` is supported by {known} only. Received:"
                    f" version={self.version!r}, {field.name}={value!r}"
                )

    def _check_motion(self) -> None:
        """Raise `ValueError` for a network of V4 or V5 that cannot be built."""
        check_count("frames", self.spec.frames, least=2)
        if self.spec.background == "subtract":
            raise ValueError(
                "`background` must show the frames to v4: none, subtract_concat or concat."
                " Received: background='subtract'"
            )
        if self.version == "v5":
            check_input_size(self.spec.input_size, v5.PATCH)

    @property
    def spec(self) -> ModelSpec:
        """What the network to be trained expects and returns."""
        source = Path(self.data).name if self.data else "rendered rallies"
        if self.version == "rectifier":
            window = self.frames or 16
            return ModelSpec(
                "rectifier", window, 0, "none", (0, 0), hidden=self.hidden, trained_on=source
            )
        if self.version == "linker":
            return ModelSpec("linker", self.frames or 32, 0, "none", (0, 0), trained_on=source)
        if self.version == "tsm":
            size = self.input_size or (224, 224)
            frames = self.frames or 8
            return ModelSpec(
                "tsm", frames, 0, "none", size, classes=CLASSES, span=self.span, trained_on=source
            )
        size = self.input_size or ((360, 640) if self.version == "v1" else (288, 512))
        version = self.base if self.version == "v4" else self.version
        frames = self.frames or (8 if version == "v3" else 3)
        heatmaps = self.heatmaps or frames
        return ModelSpec(
            version=self.version,
            frames=frames,
            heatmaps=1 if self.version == "v1" else heatmaps,
            background=self.background if version == "v3" else "none",
            input_size=size,
            stabilized=self.stabilize,
            trained_on=source,
        )

    @property
    def augmentation(self) -> Augmentation:
        """How training windows are varied."""
        names = [field.name for field in fields(Augmentation)]
        return Augmentation(**{name: getattr(self, name) for name in names})


def describe_network(file: ModelFile) -> dict[str, Any]:
    """Return the settings of `FitConfig` that build a model file's network anew.

    Args:
        file: a network of this package, as `load_model` returns it.
    """
    spec = file.spec
    if spec.version == "tsm":
        kept = {"frames": spec.frames, "input_size": spec.input_size, "span": spec.span}
        return {"version": "tsm"} | kept | describe_tsm(file.model)
    filters = [
        layer.filters
        for layer in file.model.layers
        if hasattr(layer, "filters") and not layer.name.startswith("head")
    ]
    network: dict[str, Any] = {
        "version": spec.version,
        "frames": spec.frames,
        "width": max(filters) / MOST_FILTERS[spec.version],
    }
    if spec.version not in TRACK_VERSIONS:
        network |= {"input_size": spec.input_size, "stabilize": spec.stabilized}
    if spec.version in ("v2", "wasb"):
        network["heatmaps"] = spec.heatmaps
    if spec.version == "v4":
        network["base"] = "v2" if file.model.get_layer("encoder1_conv1").use_bias else "v3"
        network["fusion"] = file.model.get_layer("motion_fusion").fusion
    if spec.version == "rectifier":
        network["hidden"] = spec.hidden
    if "v3" in (spec.version, network.get("base")):
        network["background"] = spec.background
    return network
