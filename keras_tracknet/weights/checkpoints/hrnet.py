"""WASB's own network, an HRNet at full resolution (Tarashima et al. 2023, BMVC)."""

from __future__ import annotations

import keras

from keras_tracknet.models.wasb import build_wasb
from keras_tracknet.weights.checkpoints.family import Family, Size
from keras_tracknet.weights.checkpoints.state import StateDict, fill_blocks, fill_conv
from keras_tracknet.weights.checkpoints.wasb import SIZE
from keras_tracknet.weights.spec import ModelSpec


def build(state: StateDict, size: Size | None) -> tuple[keras.Model, ModelSpec]:
    """Build the network, with WASB's standardisation as a layer."""
    size = size or SIZE
    first, channels = state.shape("conv1.weight")[:2]
    heatmaps, frames = state.shape("final_layers.0.weight")[0], channels // 3
    model = build_wasb(
        input_size=size, frames=frames, heatmaps=heatmaps, width_multiplier=first / 64
    )
    stems = {name_layer(name): name.removesuffix(".weight") for name in state.arrays}
    convolutions = [layer.name for layer in model.layers if hasattr(layer, "kernel")]
    blocks = [(name, stems.get(name, name)) for name in convolutions if name != "head"]
    fill_blocks(model, state, [(name, stem, name_norm(stem)) for name, stem in blocks])
    fill_conv(model, "head", state, "final_layers.0")
    return model, ModelSpec("wasb", frames, heatmaps, "none", size, fit="longest")


def name_layer(name: str) -> str:
    """Return the layer that a checkpoint's weight belongs to."""
    return name.removesuffix(".weight").replace(".", "_")


def name_norm(stem: str) -> str:
    """Return the stem of the normalisation behind a convolution: bn1 to conv1, else 1 to 0."""
    head, _, last = stem.rpartition(".")
    norm = last.replace("conv", "bn") if last.startswith("conv") else "1"
    return f"{head}.{norm}" if head else norm


FAMILY = Family(
    "wasb",
    "WASB (WASB-SBDT)",
    lambda state: "stage4.0.branches.3.0.conv1.weight" in state.arrays,
    build,
    ignores=("stage4.0.fuse_layers.1.", "stage4.0.fuse_layers.2.", "stage4.0.fuse_layers.3."),
)
