"""The published networks computed by PyTorch from a checkpoint's weights, for comparison.

Each function follows the published code's order of operations and knows nothing of how the Keras
network is made. They take this package's input and bring it into the form that the original sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from keras_tracknet.weights.checkpoints import originals_motion
from keras_tracknet.weights.checkpoints.original_layers import (
    State,
    apply_unet,
    convolve,
    normalise,
    split_pictures,
)

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def compute_original(
    family: str,
    inputs: list[np.ndarray],
    arrays: Mapping[str, np.ndarray],
    settings: Mapping[str, Any] | None = None,
) -> np.ndarray:
    """Return what the original network makes of an input of this package's.

    Args:
        family: name of the family.
        inputs: what the Keras network sees, channels last.
        arrays: the checkpoint's weights.
        settings: what the checkpoint says beside them.

    Returns:
        The Keras network's output as the original computes it, channels last; V1's after the
        softmax.
    """
    state = {name: torch.tensor(np.asarray(array, np.float32)) for name, array in arrays.items()}
    tensors = [torch.from_numpy(np.moveaxis(array, -1, 1).copy()) for array in inputs]
    with torch.no_grad():
        if family in originals_motion.ORIGINALS:
            output = originals_motion.ORIGINALS[family](*tensors, state, settings or {})
        else:
            output = ORIGINALS[family](*tensors, state)
    return np.moveaxis(output.numpy(), 1, -1)


def _standardised(x: Any) -> Any:
    mean, deviation = (torch.tensor(values).reshape(3, 1, 1) for values in (MEAN, DEVIATION))
    return ((split_pictures(x) - mean) / deviation).flatten(1, 2)


def _qaz(x: Any, s: State) -> Any:
    names = [f"down_block_{n}" for n in (1, 2, 3)] + ["bottleneck"]
    names += [f"up_block_{n}" for n in (1, 2, 3)]

    def stage(number: int, x: Any) -> Any:
        for k in count(1):
            stem = f"{names[number]}.conv_{k}"
            if f"{stem}.conv.weight" not in s:
                return x
            x = F.relu(normalise(convolve(x, s, f"{stem}.conv"), s, f"{stem}.bn"))

    return torch.sigmoid(convolve(apply_unet(x, stage), s, "predictor"))


def _inpaintnet(coordinates: Any, mask: Any, s: State) -> Any:
    def conv(x: Any, stem: str) -> Any:
        weight, bias = s[f"{stem}.conv.weight"], s[f"{stem}.conv.bias"]
        return F.leaky_relu(F.conv1d(x, weight, bias, padding=1), 0.01)

    x1 = conv(torch.cat([coordinates, mask], dim=1), "down_1")
    x2 = conv(x1, "down_2")
    x3 = conv(x2, "down_3")
    x = conv(conv(x3, "buttleneck.conv_1"), "buttleneck.conv_2")
    x = conv(torch.cat([x, x3], dim=1), "up_1")
    x = conv(torch.cat([x, x2], dim=1), "up_2")
    x = conv(torch.cat([x, x1], dim=1), "up_3")
    return torch.sigmoid(F.conv1d(x, s["predictor.weight"], s["predictor.bias"], padding=1))


def _wasb_tracknetv2(x: Any, s: State) -> Any:
    names = ["inc.double_conv", "down1.maxpool_conv.1.double_conv"]
    names += [f"down{n}.maxpool_conv.1.triple_conv" for n in (2, 3)]
    names += ["up1.conv.triple_conv", "up2.conv.double_conv", "up3.conv.double_conv"]

    def stage(number: int, x: Any) -> Any:
        for k in range(0, 9, 3):
            if f"{names[number]}.{k}.weight" in s:
                x = F.relu(convolve(x, s, f"{names[number]}.{k}"))
                x = normalise(x, s, f"{names[number]}.{k + 2}")
        return x

    x = apply_unet(_standardised(x), stage, skip_first=True)
    return torch.sigmoid(convolve(x, s, "outc.conv"))


def _monotrack(x: Any, s: State) -> Any:
    def block(x: Any, conv: str, norm: str) -> Any:
        return F.relu(normalise(convolve(x, s, conv), s, norm))

    def residual(x: Any, stem: str) -> Any:
        y = x
        for k in range(3):
            if f"{stem}.convs.conv{k}.weight" in s:
                y = block(y, f"{stem}.convs.conv{k}", f"{stem}.convs.bn{k}")
        return y + convolve(x, s, f"{stem}.conv0")

    x = block(_standardised(x), "inc.conv1.0", "inc.conv1.1")
    x = x + block(x, "inc.conv2.0", "inc.conv2.1")
    skips = []
    for n in (1, 2, 3):
        skips.append(x)
        x = residual(F.max_pool2d(x, 2), f"down{n}.maxpool_conv.1")
    for n in (1, 2, 3):
        x = F.conv_transpose2d(x, s[f"up{n}.up.weight"], s[f"up{n}.up.bias"], stride=2)
        x = residual(torch.cat([skips.pop(), x], dim=1), f"up{n}.conv")
    return torch.sigmoid(convolve(x, s, "outc.conv"))


def _wasb(x: Any, s: State) -> Any:
    def conv(x: Any, stem: str, norm: str, stride: int = 1) -> Any:
        return normalise(convolve(x, s, stem, stride=stride), s, norm)

    x = F.relu(conv(_standardised(x), "conv1", "bn1"))
    x = F.relu(conv(x, "conv2", "bn2"))
    y = F.relu(conv(x, "layer1.0.conv1", "layer1.0.bn1"))
    y = F.relu(conv(y, "layer1.0.conv2", "layer1.0.bn2"))
    y = conv(y, "layer1.0.conv3", "layer1.0.bn3")
    x = F.relu(y + conv(x, "layer1.0.downsample.0", "layer1.0.downsample.1"))
    xs = [F.relu(conv(x, "transition1.0.0", "transition1.0.1"))]
    xs.append(F.relu(conv(x, "transition1.1.0.0", "transition1.1.0.1", 2)))
    for stage in (2, 3, 4):
        if stage > 2:
            stem = f"transition{stage - 1}.{stage - 1}.0"
            xs = [*xs, F.relu(conv(xs[-1], f"{stem}.0", f"{stem}.1", 2))]
        for i in range(stage):
            for block in (f"stage{stage}.0.branches.{i}.{b}" for b in (0, 1)):
                y = F.relu(conv(xs[i], f"{block}.conv1", f"{block}.bn1"))
                xs[i] = F.relu(xs[i] + conv(y, f"{block}.conv2", f"{block}.bn2"))
        xs = [_fuse(xs, i, s, f"stage{stage}.0.fuse_layers.{i}") for i in range(stage)]
    return torch.sigmoid(convolve(xs[0], s, "final_layers.0"))


def _fuse(xs: list[Any], i: int, s: State, stem: str) -> Any:
    total = xs[i]
    for j, x in enumerate(xs):
        if j > i:
            x = normalise(convolve(x, s, f"{stem}.{j}.0"), s, f"{stem}.{j}.1")
            total = total + F.interpolate(x, scale_factor=2 ** (j - i))
        elif j < i:
            for k in range(i - j):
                x = F.relu(x) if k else x
                x = convolve(x, s, f"{stem}.{j}.{k}.0", stride=2)
                x = normalise(x, s, f"{stem}.{j}.{k}.1")
            total = total + x
    return F.relu(total)


def _plain(x: Any, block: Callable[[Any, int], Any]) -> Any:
    """V1's eighteen convolutions in a row, pooled after 2, 4, 7, doubled after 10, 13, 15."""
    for number in range(1, 19):
        x = block(x, number)
        if number in (2, 4, 7):
            x = F.max_pool2d(x, 2)
        if number in (10, 13, 15):
            x = F.interpolate(x, scale_factor=2)
    return torch.softmax(x, dim=1)


def _yastrebksv(x: Any, s: State) -> Any:
    newest_first_bgr = split_pictures(x).flip(1).flip(2).flatten(1, 2)
    return _plain(
        newest_first_bgr,
        lambda x, n: normalise(F.relu(convolve(x, s, f"conv{n}.block.0")), s, f"conv{n}.block.2"),
    )


def _alenzenx(x: Any, s: State) -> Any:
    def block(x: Any, stem: str) -> Any:
        return F.relu(normalise(convolve(x, s, f"{stem}.conv"), s, f"{stem}.bn"))

    def encode(x: Any, stem: str) -> Any:
        first = block(block(x, f"{stem}.conv_1"), f"{stem}.conv_2")
        second = block(block(x, f"{stem}.conv_3"), f"{stem}.conv_4")
        third = block(block(x, f"{stem}.conv_5"), f"{stem}.conv_6")
        return block(torch.cat([first, second, third], dim=1), f"{stem}.conv_7") + second

    def attend(x: Any, stem: str) -> Any:
        stem = f"{stem}.channel_attention.shared_MLP"
        pooled = F.adaptive_avg_pool2d(x, 1), F.adaptive_max_pool2d(x, 1)
        mean, peak = (convolve(F.relu(convolve(p, s, f"{stem}.0")), s, f"{stem}.2") for p in pooled)
        return torch.sigmoid(mean + peak) * x

    skips = []
    for n in (1, 2, 3):
        x = encode(x, f"down_block_{n}")
        skips.append(x)
        x = F.max_pool2d(x, 2)
    for k in (1, 2, 3):
        x = block(x, f"bottleneck.conv_{k}")
    for n in (1, 2, 3):
        skip = attend(skips.pop(), f"cbam{n - 1}_2")
        x = torch.cat([F.interpolate(x, scale_factor=2), skip], dim=1)
        x = block(block(x, f"up_block_{n}.conv_1"), f"up_block_{n}.conv_2")
        x = attend(x, f"cbam{n}")
    return torch.sigmoid(convolve(x, s, "predictor"))


def _aninsomniacy(x: Any, s: State) -> Any:
    frames = s["backbone.output.weight"].shape[0]
    if x.shape[1] > 3 * frames:  # the background stands last there
        x = torch.cat([x[:, 3:], x[:, :3]], dim=1)
    names = ["enc1", "enc2", "enc3", "enc4", "dec1", "dec2", "dec3"]

    def stage(number: int, x: Any) -> Any:
        for k in count():
            stem = f"backbone.{names[number]}.{k}"
            if f"{stem}.0.weight" not in s:
                return x
            x = F.relu(normalise(convolve(x, s, f"{stem}.0"), s, f"{stem}.1"))

    return torch.sigmoid(convolve(apply_unet(x, stage), s, "backbone.output"))


def _aninsomniacy_v1(x: Any, s: State) -> Any:
    runs = {"enc1": 2, "enc2": 2, "enc3": 3, "enc4": 3, "dec1": 3, "dec2": 2, "dec3": 3}
    stems = [f"{name}.{k}" for name, convs in runs.items() for k in range(convs)]
    return _plain(
        x,
        lambda x, n: F.relu(normalise(convolve(x, s, f"{stems[n - 1]}.0"), s, f"{stems[n - 1]}.1")),
    )


def _mareksubocz(x: Any, s: State) -> Any:
    names = [f"vgg_conv{n}" for n in (1, 2, 3, 4)] + [f"unet_conv{n}" for n in (1, 2, 3)]

    def stage(number: int, x: Any) -> Any:
        for k in count():
            stem = f"{names[number]}.{k}"
            if f"{stem}.0.weight" not in s:
                return x
            x = normalise(F.relu(convolve(x, s, f"{stem}.0")), s, f"{stem}.2")

    bgr = split_pictures(x).flip(2).flatten(1, 2)
    return torch.sigmoid(convolve(apply_unet(bgr, stage), s, "last_conv"))


def _keras_block(x: Any, s: State, number: int) -> Any:
    """The authors' convolution, ReLU and normalisation over picture width, or over channels."""
    x = F.relu(convolve(x, s, f"keras.conv{number}"))
    if len(s["keras.norm1.weight"]) == len(s["keras.conv1.weight"]):
        return normalise(x, s, f"keras.norm{number}", eps=1e-3)
    x = x.transpose(1, 3)
    return normalise(x, s, f"keras.norm{number}", eps=1e-3).transpose(1, 3)


def _keras_v1(x: Any, s: State) -> Any:
    bytes_newest_first_bgr = 255 * split_pictures(x).flip(1).flip(2).flatten(1, 2)
    return _plain(bytes_newest_first_bgr, lambda x, number: _keras_block(x, s, number))


def _keras_v2(x: Any, s: State) -> Any:
    numbers = ((1, 2), (3, 4), (5, 6, 7), (8, 9, 10), (11, 12, 13), (14, 15), (16, 17))

    def stage(stage_number: int, x: Any) -> Any:
        for number in numbers[stage_number]:
            x = _keras_block(x, s, number)
        return x

    return torch.sigmoid(convolve(apply_unet(x, stage), s, "keras.conv18"))


ORIGINALS: dict[str, Callable[..., Any]] = {
    "qaz": _qaz,
    "inpaintnet": _inpaintnet,
    "wasb-tracknetv2": _wasb_tracknetv2,
    "monotrack": _monotrack,
    "wasb": _wasb,
    "yastrebksv": _yastrebksv,
    "alenzenx": _alenzenx,
    "alenzenx-v2": _qaz,  # fewer convolutions, and with biases
    "aninsomniacy": _aninsomniacy,
    "aninsomniacy-v1": _aninsomniacy_v1,
    "mareksubocz": _mareksubocz,
    "keras-v1": _keras_v1,
    "keras-v2": _keras_v2,
}
