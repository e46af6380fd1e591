"""Checks: weights and settings that no tracker can be made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.inference.engines.network import Network
from keras_tracknet.inference.published import check_published
from keras_tracknet.weights.model_file import ModelFile
from keras_tracknet.weights.spec import TRACK_VERSIONS


def check_values(decode: str, sampling: str, threshold: float | None, batch_size: int) -> None:
    """Raise `ValueError` for an unknown name or a number out of range."""
    if decode not in ("centroid", "published"):
        raise ValueError(f"`decode` must be centroid or published. Received: decode={decode!r}")
    if sampling not in ("own", "published"):
        raise ValueError(f"`sampling` must be own or published. Received: sampling={sampling!r}")
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"`threshold` must be 0 to 1. Received: threshold={threshold}")
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")


def check_networks(weights: Any, rectifier: Any, linker: Any) -> None:
    """Raise `TypeError` for what is no network, loaded or by its path."""
    for name, network in (("weights", weights), ("rectifier", rectifier), ("linker", linker)):
        if isinstance(network, ModelFile | Network | Path):
            continue
        if network is None and name != "weights":
            continue
        raise TypeError(
            f"`{name}` must be a name, a path or what load_model returns; save the model with"
            f" save_model and its ModelSpec first. Received: {network!r}"
        )


def check_roles(weights: Network, rectifier: Network | None, linker: Network | None) -> None:
    """Raise `InputError` for a network in another's place."""
    for role, network in (("weights", weights), ("rectifier", rectifier), ("linker", linker)):
        if network is None:
            continue
        version = network.spec.version
        right = version if version in TRACK_VERSIONS else "weights"
        if right != role:
            names = {"weights": "tracker"}
            raise InputError(
                f"{network.path}: is a {names.get(right, right)}, not a {names.get(role, role)};"
                f" use it as `{right}`."
            )


def check_abilities(
    network: Network, mode: str, decode: str, sampling: str, stabilize: bool, threshold: float
) -> None:
    """Raise `InputError` for settings that the network cannot be used with."""
    spec, path = network.spec, network.path
    check_published(spec, path, mode, decode, sampling)
    if stabilize and (spec.background != "none" or sampling == "published"):
        raise InputError(
            f"{path}: `stabilize=True` requires weights without a background, such as badminton-v2"
            ' or multisport-v2, and does not work with `sampling="published"`; use'
            " `stabilize=False`."
        )
    if network.output == "heatmaps":
        return
    fixed = {
        "mode": (mode, "fast"),
        "decode": (decode, "centroid"),
        "threshold": (threshold, spec.threshold),
    }
    for name, (asked, built_in) in fixed.items():
        if asked != built_in:
            raise InputError(
                f"{path}: outputs positions, so `{name}` can only be {built_in}; export it again"
                " with tracknet export --heatmaps."
            )


def links(network: Network, decode: str, sampling: str, *, asked: bool) -> bool:
    """Return whether a linker can choose among the peaks of a network's heatmaps.

    Args:
        network: the tracker's.
        decode, sampling: the tracker's settings.
        asked: whether a linker was asked for.

    Raises:
        InputError: it cannot, but was asked for.
    """
    heatmaps = network.output == "heatmaps" and network.spec.version != "v1"
    if heatmaps and (decode, sampling) == ("centroid", "own"):
        return True
    if asked:
        raise InputError(
            f'{network.path}: a linker requires heatmaps of V2 or later, `decode="centroid"` and'
            ' `sampling="own"`; use `linker=None`.'
        )
    return False
