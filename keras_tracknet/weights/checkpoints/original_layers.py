"""Pieces that the published networks have in common, computed by PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional as F

State = Mapping[str, torch.Tensor]


def convolve(x: Any, s: State, stem: str, **settings: Any) -> Any:
    """Convolve with the weights of a stem, and its bias where it has one."""
    weight = s[f"{stem}.weight"]
    return F.conv2d(x, weight, s.get(f"{stem}.bias"), padding=weight.shape[-1] // 2, **settings)


def normalise(x: Any, s: State, stem: str, eps: float = 1e-5) -> Any:
    """Normalise by the statistics of a stem."""
    mean, variance = s[f"{stem}.running_mean"], s[f"{stem}.running_var"]
    return F.batch_norm(x, mean, variance, s[f"{stem}.weight"], s[f"{stem}.bias"], eps=eps)


def split_pictures(x: Any) -> Any:
    """Split channels into pictures: (batch, pictures, colours, height, width)."""
    return x.unflatten(1, (-1, 3))


def apply_unet(
    x: Any,
    stage: Callable[[int, Any], Any],
    *,
    skip_first: bool = False,
    enlarge: Callable[[Any], Any] = lambda x: F.interpolate(x, scale_factor=2),
) -> Any:
    """V2's topology; `stage(number, x)` are its seven runs of convolutions."""
    skips = []
    for number in range(3):
        x = stage(number, x)
        skips.append(x)
        x = F.max_pool2d(x, 2)
    x = stage(3, x)
    for number in range(4, 7):
        parts = [enlarge(x), skips.pop()]
        x = stage(number, torch.cat(parts[::-1] if skip_first else parts, dim=1))
    return x
