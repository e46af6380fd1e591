"""WASB's network, an HRNet at full resolution (Tarashima et al. 2023, BMVC, arXiv 2311.05237)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from keras_tracknet.models.blocks import (
    BATCH_NORM,
    PYTORCH_KERNEL,
    check_count,
    check_input_size,
    heatmap_head,
    keras_defaults,
    scale_filters,
)

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures, RGB
BLOCKS = 2  # of two convolutions, in each branch of a stage


@keras_defaults()
def build_wasb(
    *,
    input_size: tuple[int | None, int | None] = (288, 512),
    frames: int = 3,
    heatmaps: int | None = None,
    width_multiplier: float = 1.0,
    output_bias: float = 0.0,
    name: str = "wasb",
) -> keras.Model:
    """Build WASB's HRNet: a branch at full resolution beside up to three coarser ones.

    The branches are fused after every stage (Tarashima et al. 2023, figure 3c; no stride in the
    stem). Convolutions without bias, then batch normalisation; layers are called like the weights
    of the published checkpoints. 1,288,179 trainable parameters; the published network has
    193,248 more, in fusions of the last stage that nothing reads.

    Frames are standardised by ImageNet's mean and deviation, inside the network.

    Args:
        input_size: (height, width) in pixels, multiples of 8; `None` for any.
        frames: RGB frames in a window, oldest first.
        heatmaps: maps out, for the last frames of the window: as many as frames when omitted.
        width_multiplier: factor on the number of filters of every layer.
        output_bias: initial bias before the logistic function, 0 as published; a negative one
            starts the training from nearly empty maps.
        name: name of the model.

    Input shape:
        `(batch, height, width, 3 x frames)`, 0 to 1.

    Output shape:
        `(batch, height, width, heatmaps)`, probability 0 to 1 in float32.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: a size that is no multiple of 8, a count below 1, or more heatmaps than
            frames.

    Example:
        >>> build_wasb().output_shape
        (None, 288, 512, 3)
    """
    check_input_size(input_size)
    check_count("frames", frames)
    heatmaps = frames if heatmaps is None else heatmaps
    check_count("heatmaps", heatmaps)
    if heatmaps > frames:
        raise ValueError(
            f"`heatmaps` must be at most `frames`. Received: heatmaps={heatmaps}, frames={frames}"
        )
    stem, neck, *widths = (scale_filters(f, width_multiplier) for f in (64, 32, 16, 32, 64, 128))
    inputs = keras.Input((*input_size, 3 * frames), name="frames")
    x = _conv(standardise(inputs, frames), stem, "conv1")
    x = _conv(x, stem, "conv2")
    x = _bottleneck(x, neck, "layer1_0")
    branches = [_conv(x, widths[0], "transition1_0_0")]
    for stage in (2, 3, 4):
        # The new branch: half the size of the one before, and twice as many filters.
        source = x if stage == 2 else branches[-1]
        new = f"transition{stage - 1}_{stage - 1}_0_0"
        branches = [*branches, _conv(source, widths[stage - 1], new, stride=2)]
        branches = [_branch(x, f"stage{stage}_0_branches_{i}") for i, x in enumerate(branches)]
        outputs = len(branches) if stage < 4 else 1
        fuse = f"stage{stage}_0_fuse_layers"
        branches = [_fuse(branches, i, widths, f"{fuse}_{i}") for i in range(outputs)]
    outputs = heatmap_head(branches[0], heatmaps, output_bias=output_bias)
    return keras.Model(inputs, outputs, name=name)


def standardise(x: Any, frames: int) -> Any:
    """Standardise pictures as WASB does; a layer, for zeros beyond the border stay zeros."""
    scale = [1 / deviation for deviation in DEVIATION] * frames
    offset = [-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)] * frames
    return layers.Rescaling(scale, offset, name="standardise")(x)


def _conv(
    x: Any, filters: int, name: str, *, kernel: int = 3, stride: int = 1, relu: bool = True
) -> Any:
    if stride == 2:  # Keras's own padding would be on the other side
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    x = layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="valid" if stride == 2 else "same",
        use_bias=False,
        kernel_initializer=PYTORCH_KERNEL,
        name=name,
    )(x)
    x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _bottleneck(x: Any, filters: int, name: str) -> Any:
    """Apply a residual block of a 1x1, a 3x3 and a 1x1 convolution, four times as wide at last."""
    y = _conv(x, filters, f"{name}_conv1", kernel=1)
    y = _conv(y, filters, f"{name}_conv2")
    y = _conv(y, 4 * filters, f"{name}_conv3", kernel=1, relu=False)
    x = _conv(x, 4 * filters, f"{name}_downsample_0", kernel=1, relu=False)
    return _add([y, x], name)


def _branch(x: Any, name: str) -> Any:
    """Apply residual blocks of two 3x3 convolutions."""
    for number in range(BLOCKS):
        block = f"{name}_{number}"
        y = _conv(x, x.shape[-1], f"{block}_conv1")
        y = _conv(y, x.shape[-1], f"{block}_conv2", relu=False)
        x = _add([y, x], block)
    return x


def _fuse(branches: list[Any], i: int, widths: list[int], name: str) -> Any:
    """Bring every branch to the size of branch `i`, and add them up."""
    parts = []
    for j, x in enumerate(branches):
        if j > i:
            x = _conv(x, widths[i], f"{name}_{j}_0", kernel=1, relu=False)
            x = layers.UpSampling2D(2 ** (j - i), name=f"{name}_{j}_up")(x)
        for k in range(i - j):
            last = k == i - j - 1
            filters = widths[i] if last else widths[j]
            x = _conv(x, filters, f"{name}_{j}_{k}_0", stride=2, relu=not last)
        parts.append(x)
    return _add(parts, name)


def _add(parts: list[Any], name: str) -> Any:
    x = layers.Add(name=f"{name}_add")(parts)
    return layers.ReLU(name=f"{name}_relu")(x)
