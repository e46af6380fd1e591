"""WASB's own network, an HRNet at full resolution (Tarashima et al. 2023, BMVC)."""

from __future__ import annotations

from itertools import count
from typing import Any

import keras
from keras import layers

from keras_tracknet.models.blocks import BATCH_NORM, heatmap_head
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.state import StateDict, fill_blocks, fill_conv
from keras_tracknet.weights.checkpoints.wasb import SIZE, standardise
from keras_tracknet.weights.spec import ModelSpec


def build(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build the network, with WASB's standardisation as a layer.

    Layers are named like the checkpoint's weights. Filters, branches and blocks are counted
    in the checkpoint; of the last stage only the first branch is put together.
    """
    size = size or SIZE
    channels, heatmaps = state.shape("conv1.weight")[1], state.shape("final_layers.0.weight")[0]
    inputs = keras.Input((*size, channels), name="frames")
    network = _Network(state)
    x = network.conv(standardise(inputs, channels // 3), "conv1", "bn1")
    x = network.conv(x, "conv2", "bn2")
    branches = [network.bottleneck(x, "layer1.0")]
    for stage in (2, 3, 4):
        branches = network.enter(branches, f"transition{stage - 1}")
        branches = [
            network.branch(x, f"stage{stage}.0.branches.{i}") for i, x in enumerate(branches)
        ]
        outputs = len(branches) if stage < 4 else 1
        fuse = f"stage{stage}.0.fuse_layers"
        branches = [network.fuse(branches, i, f"{fuse}.{i}") for i in range(outputs)]
    model = keras.Model(inputs, heatmap_head(branches[0], heatmaps, output_bias=0.0), name="wasb")
    fill_blocks(model, state, network.blocks)
    fill_conv(model, "head", state, "final_layers.0")
    return model, ModelSpec("v2", channels // 3, heatmaps, "none", size, fit="longest")


class _Network:
    """Puts the network together in the names of a checkpoint, and notes which go where."""

    def __init__(self, state: StateDict) -> None:
        self.state = state
        self.blocks: list[tuple[str, str, str]] = []

    def has(self, stem: str) -> bool:
        return f"{stem}.weight" in self.state.arrays

    def conv(self, x: Any, stem: str, norm: str, *, stride: int = 1, relu: bool = True) -> Any:
        filters, _, kernel, _ = self.state.shape(f"{stem}.weight")
        name = stem.replace(".", "_")
        self.blocks.append((name, stem, norm))
        if stride == 2:  # Keras's own padding would be on the other side
            x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
        padding = "valid" if stride == 2 else "same"
        x = layers.Conv2D(
            filters, kernel, strides=stride, padding=padding, use_bias=False, name=name
        )(x)
        x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x) if relu else x

    def bottleneck(self, x: Any, stem: str) -> Any:
        y = self.conv(x, f"{stem}.conv1", f"{stem}.bn1")
        y = self.conv(y, f"{stem}.conv2", f"{stem}.bn2")
        y = self.conv(y, f"{stem}.conv3", f"{stem}.bn3", relu=False)
        if self.has(f"{stem}.downsample.0"):
            x = self.conv(x, f"{stem}.downsample.0", f"{stem}.downsample.1", relu=False)
        return self.add([y, x], stem)

    def enter(self, branches: list[Any], stem: str) -> list[Any]:
        """Pass from one stage to the next, which has one branch more."""
        entered = []
        for i in range(len(branches) + 1):
            if i == len(branches):
                x = self.conv(branches[-1], f"{stem}.{i}.0.0", f"{stem}.{i}.0.1", stride=2)
            elif self.has(f"{stem}.{i}.0"):
                x = self.conv(branches[i], f"{stem}.{i}.0", f"{stem}.{i}.1")
            else:
                x = branches[i]
            entered.append(x)
        return entered

    def branch(self, x: Any, stem: str) -> Any:
        for number in count():
            block = f"{stem}.{number}"
            if not self.has(f"{block}.conv1"):
                return x
            y = self.conv(x, f"{block}.conv1", f"{block}.bn1")
            y = self.conv(y, f"{block}.conv2", f"{block}.bn2", relu=False)
            x = self.add([y, x], block)

    def fuse(self, branches: list[Any], i: int, stem: str) -> Any:
        """Bring every branch to the size of branch `i`, and add them up."""
        parts = []
        for j, x in enumerate(branches):
            if j > i:
                x = self.conv(x, f"{stem}.{j}.0", f"{stem}.{j}.1", relu=False)
                name = f"{stem}.{j}.up".replace(".", "_")
                x = layers.UpSampling2D(2 ** (j - i), name=name)(x)
            for k in range(i - j):
                halved = f"{stem}.{j}.{k}"
                last = k == i - j - 1
                x = self.conv(x, f"{halved}.0", f"{halved}.1", stride=2, relu=not last)
            parts.append(x)
        return self.add(parts, stem)

    def add(self, parts: list[Any], stem: str) -> Any:
        name = stem.replace(".", "_")
        x = layers.Add(name=f"{name}_add")(parts)
        return layers.ReLU(name=f"{name}_relu")(x)


FAMILY = Family(
    "wasb",
    "WASB (WASB-SBDT)",
    lambda state: "stage4.0.branches.3.0.conv1.weight" in state.arrays,
    build,
    ignores=("stage4.0.fuse_layers.1.", "stage4.0.fuse_layers.2.", "stage4.0.fuse_layers.3."),
)
