"""TrackNetV4: motion attention on V2 or V3 (Raj et al. 2025, ICASSP, arXiv 2409.14543)."""

from __future__ import annotations

import keras
from keras import initializers

from keras_tracknet.models.blocks import (
    as_probability,
    check_count,
    check_input_size,
    heatmap_logits,
    keras_defaults,
    unet,
)
from keras_tracknet.models.motion import MotionFusion, MotionPrompt
from keras_tracknet.models.v3 import INPUT_NAMES, input_channels

BASES = ("v2", "v3")
FUSIONS = ("a", "b")
BACKGROUNDS = ("none", "subtract_concat", "concat")  # modes that show the frames themselves


@keras_defaults()
def build_v4(
    *,
    base: str = "v2",
    fusion: str = "a",
    input_size: tuple[int | None, int | None] = (288, 512),
    frames: int | None = None,
    background: str = "concat",
    width_multiplier: float = 1.0,
    output_bias: float = 0.0,
    name: str = "tracknet_v4",
) -> keras.Model:
    """Build TrackNetV4: V2 or V3, whose maps are gated by where the picture changes.

    Attention from the differences between frames multiplies the maps before the logistic function
    (Raj et al. 2025, equations 2 to 4). It has two trainable parameters: 11,334,149 in all on V2
    and 11,341,002 on V3. The authors' code normalises over picture width, this over channels.

    The product draws a map towards probability 0.5, not towards 0, where nothing moves.

    Args:
        base: network that is gated, `v2` or `v3`.
        fusion: how maps are gated:
            `a`: each map but the first by the change that leads to its frame (equation 4);
            `b`: each map by the mean of the changes before and after its frame, which the
            published code offers too.
        input_size: (height, width) in pixels, multiples of 8; `None` for any.
        frames: RGB frames in a window, oldest first, at least 2; one heatmap comes out for each.
            3 on V2 and 8 on V3 when omitted.
        background: what V3 sees of the background, as for `build_v3`, though not `subtract`,
            which hides the frames.
        width_multiplier: factor on the number of filters of every layer.
        output_bias: initial bias of the maps before they are gated, 0 as published; a negative
            one starts the training from nearly empty maps.
        name: name of the model.

    Input shape:
        `(batch, height, width, channels)`, 0 to 1; 9 channels on V2, 27 on V3 by default.

    Output shape:
        `(batch, height, width, frames)`, probability 0 to 1 in float32.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an unknown base, fusion or background mode, a size that is no multiple of 8,
            or fewer than two frames.

    Example:
        >>> build_v4().output_shape
        (None, 288, 512, 3)
    """
    for argument, value, known in (("base", base, BASES), ("fusion", fusion, FUSIONS)):
        if value not in known:
            raise ValueError(
                f"`{argument}` must be one of {', '.join(known)}. Received: {argument}={value!r}"
            )
    mode = background if base == "v3" else "none"
    if mode not in BACKGROUNDS:
        raise ValueError(
            f"`background` must be one of {', '.join(BACKGROUNDS)}. Received:"
            f" background={background!r}"
        )
    check_input_size(input_size)
    frames = frames if frames is not None else {"v2": 3, "v3": 8}[base]
    check_count("frames", frames, least=2)
    block = {
        "v2": {
            "norm_first": False,
            "use_bias": True,
            "kernel_initializer": initializers.RandomUniform(-0.05, 0.05),
        },
        "v3": {"norm_first": True, "use_bias": False},
    }[base]
    inputs = keras.Input((*input_size, input_channels(mode, frames)), name=INPUT_NAMES[mode])
    x = unet(inputs, width_multiplier=width_multiplier, **block)
    x = heatmap_logits(x, frames, output_bias=output_bias)
    attention = MotionPrompt(frames, mode, name="motion")(inputs)
    x = MotionFusion(fusion, name="motion_fusion")([x, attention])
    return keras.Model(inputs, as_probability(x), name=name)
