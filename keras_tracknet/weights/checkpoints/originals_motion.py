"""TrackNetV4, TrackNetV5 and AnInsomniacy's rectifier, computed by PyTorch; see `originals`.

A function takes its inputs, the weights, and what the checkpoint says beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import torch
from torch.nn import functional as F

from keras_tracknet.weights.checkpoints.original_layers import (
    State,
    apply_unet,
    convolve,
    normalise,
    split_pictures,
)

Settings = Mapping[str, Any]
STAGES = ("enc1", "enc2", "enc3", "enc4", "dec1", "dec2", "dec3")
RUNS = ((1, 2), (3, 4), (5, 6, 7), (8, 9, 10), (11, 12, 13), (14, 15), (16, 17))
LUMINANCE = (0.299, 0.587, 0.114)


def _changes(x: Any, weights: Any) -> Any:
    grey = (split_pictures(x) * torch.as_tensor(weights).reshape(3, 1, 1)).sum(dim=2)
    return grey[:, 1:] - grey[:, :-1]


def _attend(change: Any, a: Any, b: Any, epsilon: float) -> Any:
    slope = 5 / (0.45 * a.tanh().abs() + epsilon)
    return torch.sigmoid(slope * (change.abs() - 0.6 * b.tanh()))


def _gate(z: Any, attention: Any) -> Any:
    return torch.cat([z[:, :1], z[:, 1:] * attention], dim=1)


def _keras_v4(x: Any, s: State, settings: Settings) -> Any:
    along = 3 if len(s["keras.norm1.weight"]) != len(s["keras.conv1.weight"]) else 1

    def stage(number: int, x: Any) -> Any:
        for n in RUNS[number]:
            x = F.relu(convolve(x, s, f"keras.conv{n}")).transpose(1, along)
            x = normalise(x, s, f"keras.norm{n}", eps=1e-3).transpose(1, along)
        return x

    z = convolve(apply_unet(x, stage), s, "keras.conv18")
    change = 0.225 * _changes(x, LUMINANCE)
    attention = _attend(change, s["keras.motion.a"], s["keras.motion.b"], 0.1)
    if settings["fusion"] == "a":
        return torch.sigmoid(_gate(z, attention))
    first, last = attention[:, :1], attention[:, -1:]
    middle = (attention[:, :-1] + attention[:, 1:]) / 2
    return torch.sigmoid(z * torch.cat([first, middle, last], dim=1))


def _asigatchov(x: Any, s: State, settings: Settings) -> Any:
    def stage(number: int, x: Any) -> Any:
        for k in count(step=3):
            stem = f"{STAGES[number]}.{k}"
            if f"{stem}.weight" not in s:
                return x
            x = F.relu(normalise(convolve(x, s, stem), s, f"{STAGES[number]}.{k + 1}"))

    change = _changes(x, (1 / 3,) * 3).abs()
    attention = torch.sigmoid(s["motion_prompt.a"] * change + s["motion_prompt.b"])
    return torch.sigmoid(_gate(convolve(apply_unet(x, stage), s, "output"), attention))


def _codelancera_body(x: Any, s: State) -> Any:
    def stage(number: int, x: Any) -> Any:
        for n in RUNS[number]:
            stem = f"{'backbone' if number < 4 else 'neck'}.conv{n}.conv"
            x = normalise(F.relu(convolve(x, s, f"{stem}.0")), s, f"{stem}.2")
        return x

    return apply_unet(
        x,
        stage,
        enlarge=lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
    )


def _codelancera_v4(x: Any, s: State, settings: Settings) -> Any:
    change = _changes(x, s["backbone.motion.gray_scale"])
    attention = _attend(change, s["backbone.motion.a"], s["backbone.motion.b"], 1e-6)
    z = convolve(_codelancera_body(x, s), s, "head.conv")
    return torch.sigmoid(_gate(z, attention))


def _aninsomniacy_body(x: Any, s: State) -> Any:
    def stage(number: int, x: Any) -> Any:
        for k in count():
            stem = f"backbone.{STAGES[number]}.{k}"
            if f"{stem}.0.weight" not in s:
                return x
            x = F.relu(normalise(convolve(x, s, f"{stem}.0"), s, f"{stem}.1"))

    return apply_unet(x, stage)


def _aninsomniacy_v4(x: Any, s: State, settings: Settings) -> Any:
    slope = s["motion_prompt.log_slope"].exp().clamp(1e-3, 100)
    change = _changes(x, (1 / 3,) * 3).abs()
    attention = torch.sigmoid(slope * (change - s["motion_prompt.shift"]))
    features = _aninsomniacy_body(x, s)
    stacked = s["fusion_output.weight"].shape[1] > features.shape[1]
    early = "backbone.output.weight" in s and settings.get("fusion_variant") == "eq4"
    if early and not stacked:
        return torch.sigmoid(_gate(convolve(features, s, "fusion_output"), attention))
    if stacked:
        parts = [features, *(features * a for a in attention.split(1, dim=1))]
        features = torch.cat(parts, dim=1)
    else:
        features = features * attention.mean(dim=1, keepdim=True)
    return torch.sigmoid(convolve(features, s, "fusion_output"))


def _directions(x: Any, a: Any, b: Any, weights: Any) -> tuple[Any, Any]:
    """The input with motion maps between the frames, and the maps."""
    first, second = _changes(x, weights).split(1, dim=1)
    maps = [
        _attend(F.relu(sign * change), a, b, 1e-6) for change in (first, second) for sign in (1, -1)
    ]
    x = torch.cat([x[:, :3], *maps[:2], x[:, 3:6], *maps[2:], x[:, 6:]], dim=1)
    return x, torch.cat(maps, dim=1)


def _encode(x: Any, s: State, stem: str, heads: int, *, norm_first: bool) -> Any:
    """PyTorch's own transformer layer, with the weights of a stem."""
    feed = s[f"{stem}.linear1.weight"].shape[0]
    layer = torch.nn.TransformerEncoderLayer(
        x.shape[-1], heads, feed, batch_first=True, norm_first=norm_first
    )
    names = layer.state_dict()
    layer.load_state_dict({name: s[f"{stem}.{name}"] for name in names})
    return layer.eval()(x)


def _codelancera_v5(x: Any, s: State, settings: Settings) -> Any:
    x, maps = _directions(x, s["mdd.a"], s["mdd.b"], LUMINANCE)
    draft = convolve(_codelancera_body(x, s), s, "head.draft_head")
    draft = _gate(draft, maps[:, [0, 2]])
    batch, frames, height, width = draft.shape
    tokens = F.conv2d(
        draft.reshape(-1, 1, height, width),
        s["head.embed_conv.weight"],
        s["head.embed_conv.bias"],
        stride=16,
    )
    tokens = tokens.flatten(2).transpose(1, 2)
    tokens = tokens.reshape(batch, frames, *tokens.shape[1:])
    tokens = tokens + s["head.spatial_pos_embed"][:, None] + s["head.time_embed"][:, :, None]
    tokens = tokens.flatten(1, 2)
    for number in range(4):
        stem = f"head.transformer_encoder.layers.{number}"
        tokens = _encode(tokens, s, stem, int(settings.get("heads") or 2), norm_first=False)
    pictures = tokens.reshape(batch * frames, height // 16, width // 16, -1).permute(0, 3, 1, 2)
    residual = F.pixel_shuffle(convolve(pictures, s, "head.decoder_head.0"), 16)
    return torch.sigmoid(draft + residual.reshape(draft.shape))


def _places(length: int, values: int) -> Any:
    rates = torch.exp(torch.arange(0, values, 2) * (-torch.log(torch.tensor(1e4)) / values))
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def _aninsomniacy_v5(x: Any, s: State, settings: Settings) -> Any:
    x, maps = _directions(x, s["mdd.alpha"], s["mdd.beta"], (1 / 3,) * 3)
    draft = convolve(_aninsomniacy_body(x, s), s, "backbone.output")
    both = torch.cat([draft, maps], dim=1)
    later = "motion_gate.projection.weight" in s
    base = convolve(both, s, "motion_gate.projection" if later else "motion_gate")
    refined = both if later else base
    batch, times, height, width = refined.shape
    rows, columns = height // 16, width // 16
    patches = F.unfold(refined.reshape(-1, 1, height, width), 16, stride=16).transpose(1, 2)
    tokens = F.linear(patches, s["rstr.patch_embed.weight"], s["rstr.patch_embed.bias"])
    values = tokens.shape[-1]
    tokens = tokens.reshape(batch, times, rows * columns, values)
    space = _places(rows, values)[:, None] + _places(columns, values)[None]
    tokens = tokens + _places(times, values)[None, :, None] + space.reshape(1, 1, -1, values)
    turned = tokens.transpose(1, 2).reshape(-1, times, values)
    turned = _encode(turned, s, "rstr.blocks.0.temporal", 4, norm_first=True)
    tokens = (
        turned.reshape(batch, -1, times, values).transpose(1, 2).reshape(-1, rows * columns, values)
    )
    tokens = _encode(tokens, s, "rstr.blocks.0.spatial", 4, norm_first=True)
    decoded = F.linear(tokens, s["rstr.patch_decode.weight"], s["rstr.patch_decode.bias"])
    tiles = decoded.transpose(1, 2).reshape(-1, 256, rows, columns)
    residual = F.pixel_shuffle(tiles, 16).reshape(batch, times, height, width)
    return torch.sigmoid(base + residual[:, :3])


def _rectifier(coordinates: Any, mask: Any, s: State, settings: Settings) -> Any:
    def stage(x: Any, name: str) -> Any:
        for k in (0, 2):
            weight, bias = s[f"{name}.{k}.weight"], s[f"{name}.{k}.bias"]
            x = F.leaky_relu(F.conv1d(x, weight, bias, padding=1), 0.1)
        return x

    known = (coordinates.abs().amax(dim=1, keepdim=True) > 0).float()
    e1 = stage(torch.cat([coordinates, known, mask], dim=1), "enc1")
    e2 = stage(F.max_pool1d(e1, 2, ceil_mode=True), "enc2")
    x = stage(F.max_pool1d(e2, 2, ceil_mode=True), "enc3")
    for name, skip in (("dec2", e2), ("dec1", e1)):
        x = F.interpolate(x, size=skip.shape[-1], mode="linear", align_corners=False)
        x = stage(torch.cat([x, skip], dim=1), name)
    return torch.sigmoid(F.conv1d(x, s["out.weight"], s["out.bias"]))


ORIGINALS: dict[str, Callable[..., Any]] = {
    "keras-v4": _keras_v4,
    "asigatchov": _asigatchov,
    "codelancera-v4": _codelancera_v4,
    "aninsomniacy-v4": _aninsomniacy_v4,
    "codelancera-v5": _codelancera_v5,
    "aninsomniacy-v5": _aninsomniacy_v5,
    "aninsomniacy-rectifier": _rectifier,
}
