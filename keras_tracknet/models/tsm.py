"""Experimental: TSM, the temporal shift module (Lin et al. 2019, ICCV): what happens in a clip."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from keras_tracknet.layers import (
    CachedDifference,
    CachedShift,
    Consensus,
    FrameDifference,
    TemporalShift,
)
from keras_tracknet.models.blocks import BATCH_NORM, check_count, keras_defaults
from keras_tracknet.models.resnet10 import BLOCK_FILTERS, stack_resnet10

BACKBONES = ("mobilenet_v2", "resnet50", "resnet10")
MODALITIES = ("rgb", "difference")
DIFFERENCE_GAIN = 8.0  # most of what moves changes a pixel by less than an eighth of full scale
# Mean of ImageNet's blue, green and red, 0 to 255, that ResNet-50's weights expect to be taken off.
IMAGENET_MEAN = (103.939, 116.779, 123.68)


@keras_defaults()
def build_tsm(
    num_classes: int = 4,
    *,
    frames: int = 8,
    input_size: tuple[int, int] = (224, 224),
    backbone: str = "mobilenet_v2",
    modality: str = "rgb",
    width_multiplier: float = 1.0,
    bidirectional: bool = True,
    divisor: int = 8,
    dropout: float = 0.5,
    weights: str | None = None,
    name: str = "tsm",
) -> keras.Model:
    """Build a classifier of clips: a network for pictures whose features move in time.

    Experimental: it may change or go in any release.

    Each frame passes through a network for pictures; in every residual branch,
    before its first convolution, a part of the channels comes from the neighbouring frames
    (residual placement, Lin et al. 2019, figure 3b). The frames' class scores are averaged, then
    the softmax is taken. The shift adds no weights: 2,263,108 parameters with the defaults,
    23,595,908 with ResNet-50. In MobileNetV2 the 10 blocks with an identity path are shifted, as
    in the published code.

    Batch normalisation has the momentum of the other networks here instead of the slow one of
    `keras.applications`, which leaves a network trained from scratch without usable statistics
    for its first epochs.

    Args:
        num_classes: classes.
        frames: RGB frames of a clip, oldest first, spread over it.
        input_size: (height, width) in pixels, at least 32 each.
        backbone: `mobilenet_v2` or `resnet50` of `keras.applications`; or `resnet10`, which
            learns from scratch on a processor, see `stack_resnet10`.
        modality: `rgb`, or `difference` for how each frame differs from the one before (Wang et
            al. 2016): a network without pretrained weights learns from a few clips what moves in
            them, and not how their courts look.
        width_multiplier: factor on the number of filters; ResNet-50 takes none.
        bidirectional: `True` looks at the frames before and after (offline), `False` only at
            those before (online), see `build_tsm_online`.
        divisor: one channel in so many moves in each direction.
        dropout: share of the features that are dropped in training.
        weights: `None` for random ones; for networks of `keras.applications` also `imagenet`,
            which are downloaded, or a file.
        name: name of the model.

    Input shape:
        `(batch, frames, height, width, 3)`, RGB, 0 to 1.

    Output shape:
        `(batch, num_classes)`, probability in float32.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an unknown backbone or modality, a width for ResNet-50, weights for ResNet-10,
            a picture that is too small, or a count below 1.

    Example:
        >>> build_tsm(4, input_size=(96, 160)).output_shape
        (None, 4)
    """
    for label, value, known in (
        ("backbone", backbone, BACKBONES),
        ("modality", modality, MODALITIES),
    ):
        if value not in known:
            raise ValueError(
                f"`{label}` must be one of {', '.join(known)}. Received: {label}={value!r}"
            )
    if backbone == "resnet50" and width_multiplier != 1:
        raise ValueError(
            "`width_multiplier` is supported by mobilenet_v2 and resnet10 only. Received:"
            f" backbone='resnet50', width_multiplier={width_multiplier}"
        )
    if backbone == "resnet10" and weights is not None:
        raise ValueError(
            "`weights` are supported by mobilenet_v2 and resnet50 only. Received:"
            f" weights={weights!r}"
        )
    for label, count in (("num_classes", num_classes), ("frames", frames)):
        check_count(label, count)
    clip = keras.Input((frames, *input_size, 3), name="clip")
    # In full precision: neighbouring frames differ in the last bits of what half of it tells.
    x = clip if modality == "rgb" else FrameDifference(name="difference", dtype="float32")(clip)
    x = ops.reshape(x, (-1, *input_size, 3))  # (batch x frames, height, width, 3)
    x = _scale(x, modality, backbone)
    if backbone == "mobilenet_v2":
        network = keras.applications.MobileNetV2(
            input_tensor=x, alpha=width_multiplier, include_top=False, weights=weights
        )
    elif backbone == "resnet50":
        network = keras.applications.ResNet50(input_tensor=x, include_top=False, weights=weights)
    else:
        network = keras.Model(clip, stack_resnet10(x, width_multiplier=width_multiplier))
    network = _shift_branches(network, frames, divisor, bidirectional)
    x = layers.GlobalAveragePooling2D(name="pool")(network.output)  # (batch x frames, features)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(
        num_classes, kernel_initializer=keras.initializers.RandomNormal(stddev=1e-3), name="head"
    )(x)
    x = Consensus(frames, name="consensus")(x)  # (batch, num_classes)
    x = layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(network.inputs[0], x, name=name)


@keras_defaults()
def build_tsm_online(model: keras.Model, streams: int = 1) -> keras.Model:
    """Build the network that classifies a stream frame by frame from one that saw whole clips.

    It shares the weights of `model` and keeps the moving features of the frame before in caches,
    so it costs one frame's work a frame. What it says of a frame is what `model`, if its clip
    were the stream, says of that frame before the consensus. The mean over frames is the
    caller's; `reset_stream` begins another stream. Call it with `predict_on_batch`.

    Args:
        model: from `build_tsm(bidirectional=False)`.
        streams: streams that are fed side by side.

    Input shape:
        `(streams, 1, height, width, 3)`, RGB, 0 to 1: one frame of each stream.

    Output shape:
        `(streams, num_classes)`, probability in float32.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: the model looks ahead, or is no TSM.
    """
    shifts = [layer for layer in model.layers if isinstance(layer, TemporalShift)]
    if not shifts or any(layer.bidirectional for layer in shifts):
        raise ValueError(
            f"`model` must come from build_tsm(bidirectional=False). Received: {model.name!r} with"
            f" {len(shifts)} shifts"
        )

    def call(layer: Any, x: Any, **settings: Any) -> Any:
        if isinstance(layer, FrameDifference):
            return CachedDifference(streams, name=f"{layer.name}_cached", dtype="float32")(x)
        if isinstance(layer, TemporalShift):
            return CachedShift(streams, layer.divisor, name=f"{layer.name}_cached")(x)
        if isinstance(layer, Consensus):
            return x
        return layer(x, **settings)

    frame = keras.Input((1, *model.input_shape[2:]), batch_size=streams, name="frame")
    return keras.models.clone_model(
        model, input_tensors=frame, clone_function=lambda layer: layer, call_function=call
    )


def reset_stream(model: keras.Model) -> None:
    """Empty the caches of a network from `build_tsm_online`."""
    for layer in model.layers:
        if isinstance(layer, CachedShift | CachedDifference):
            layer.reset()


def describe_tsm(model: keras.Model) -> dict[str, Any]:
    """Return the settings of a network from `build_tsm` that its layers tell.

    Returns:
        `backbone`, `modality`, `width` (the width multiplier) and `online`.
    """
    named = {layer.name: layer for layer in model.layers}
    backbone, width = "resnet50", 1.0
    # The last convolution whose filters are a multiple of the width.
    for name, stem, filters in (
        ("mobilenet_v2", "block_16_project", 320),
        ("resnet10", "block4_2_conv", BLOCK_FILTERS[-1]),
    ):
        if stem in named:
            backbone, width = name, named[stem].filters / filters
    return {
        "backbone": backbone,
        "modality": "difference" if "difference" in named else "rgb",
        "width": width,
        "online": not any(getattr(layer, "bidirectional", False) for layer in model.layers),
    }


def _scale(x: Any, modality: str, backbone: str) -> Any:
    """Return pictures, 0 to 1, or their differences, in the range that a backbone takes."""
    if modality == "difference":
        return layers.Rescaling(DIFFERENCE_GAIN, name="scale", dtype="float32")(x)
    if backbone == "resnet50":
        mean = [-level for level in IMAGENET_MEAN]
        return layers.Rescaling(255.0, offset=mean, name="scale")(ops.flip(x, axis=-1))  # BGR
    return layers.Rescaling(2.0, offset=-1.0, name="scale")(x)


def _shift_branches(
    network: keras.Model, frames: int, divisor: int, bidirectional: bool
) -> keras.Model:
    """Return the network with a shift before the first convolution of each residual branch."""
    names = {layer.name for layer in network.layers}
    first = {  # MobileNetV2's, then ResNet's
        convolution
        for name in names
        if name.endswith("_add")
        for convolution in (name.replace("_add", "_expand"), name.replace("_add", "_1_conv"))
        if convolution in names
    }

    def call(layer: Any, x: Any, **settings: Any) -> Any:
        if layer.name in first:
            x = TemporalShift(frames, divisor, bidirectional, name=f"{layer.name}_shift")(x)
        return layer(x, **settings)

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, layers.BatchNormalization):
            config["momentum"] = BATCH_NORM["momentum"]
        return type(layer).from_config(config)

    shifted = keras.models.clone_model(network, clone_function=clone, call_function=call)
    shifted.set_weights(network.get_weights())
    return shifted
