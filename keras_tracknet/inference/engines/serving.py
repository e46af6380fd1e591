"""The network as it is run and shipped: uint8 frames in, heatmaps or detections out."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_tracknet.frames.stacking import BACKGROUND_MODES
from keras_tracknet.models.blocks import keras_defaults
from keras_tracknet.weights.spec import ModelSpec

OUTPUTS = ("heatmaps", "detections")
SQUARE = 17  # pixels of the heatmap, a side; a blob is some 5 pixels wide

register = keras.saving.register_keras_serializable("keras_tracknet")


@register
class WindowStacker(keras.layers.Layer):  # type: ignore[misc]
    """Makes a window's frames the network's input, as `stack_window` and `scale_window` do.

    Args:
        background_mode: as for `build_v3`.
        size: (height, width) that frames are shrunk to by averaging over area, pixels; None
            for frames that are of the network's size.
        differences: as for `subtract_background`.
        data_format: where the result has its channels, `channels_last` or `channels_first`.
        name: name of the layer.

    Input shape:
        frames `(batch, frames, height, width, 3)` uint8 RGB, oldest first, and unless the mode
        is `none` the background `(batch, height, width, 3)` uint8 RGB.

    Output shape:
        `(batch, *size, channels)` float32, 0 to 1; `(batch, channels, *size)` channels first.
    """

    def __init__(
        self,
        background_mode: str,
        size: tuple[int, int] | None = None,
        differences: str = "saturated",
        data_format: str = "channels_last",
        name: str = "window",
        **more: Any,
    ) -> None:
        super().__init__(name=name, dtype="float32", **more)
        self.background_mode, self.size = background_mode, tuple(size) if size else None
        self.differences, self.data_format = differences, data_format
        if background_mode not in BACKGROUND_MODES:
            raise ValueError(
                f"`background_mode` must be one of {', '.join(BACKGROUND_MODES)}. Received:"
                f" background_mode={background_mode!r}"
            )

    def call(self, frames: Any, background: Any = None) -> Any:
        """Stack frames, and the background before them."""
        mode = self.background_mode
        if mode != "none":
            frames = ops.concatenate([background[:, None], frames], axis=1)
        first = self.data_format == "channels_first"
        # (batch, pictures, 3, height, width), or (batch, height, width, pictures, 3)
        pictures = ops.transpose(frames, (0, 1, 4, 2, 3) if first else (0, 2, 3, 1, 4))
        pictures = self._shrink(ops.cast(pictures, "float32"))
        if mode not in ("none", "concat"):
            along, across = (1, 2) if first else (3, 4)
            behind, pictures = ops.split(pictures, [1], axis=along)
            differences = self._keep(
                ops.sum(ops.abs(pictures - behind), axis=across, keepdims=True)
            )
            parts = [differences] if mode == "subtract" else [pictures, differences]
            pictures = ops.concatenate(parts, axis=across)
        a, b, c, d = pictures.shape[1:]
        merged = (a * b, c, d) if first else (a, b, c * d)
        return ops.reshape(pictures, (-1, *merged)) * np.float32(1 / 255)

    def _keep(self, differences: Any) -> Any:
        """Return differences as eight bits hold them."""
        if self.differences == "wrapped":
            return differences - 256.0 * ops.floor(differences / 256.0)
        return ops.minimum(differences, 255.0)

    def _shrink(self, pictures: Any) -> Any:
        """Return the pictures at the network's size, whole levels."""
        first = self.data_format == "channels_first"
        source = tuple(pictures.shape[3:] if first else pictures.shape[1:3])
        if self.size is None or self.size == source:
            return pictures
        if not first:
            pictures = ops.transpose(pictures, (0, 3, 4, 1, 2))
        rows = shrinking_weights(source[0], self.size[0])
        columns = shrinking_weights(source[1], self.size[1])
        pictures = ops.floor(ops.matmul(ops.matmul(rows, pictures), columns.T) + 0.5)
        return pictures if first else ops.transpose(pictures, (0, 3, 4, 1, 2))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        config = super().get_config()
        config.pop("dtype")
        own = {"background_mode": self.background_mode, "size": self.size}
        own |= {"differences": self.differences, "data_format": self.data_format}
        return {**config, **own}


@register
class BallFinder(keras.layers.Layer):  # type: ignore[misc]
    """Finds the ball in heatmaps by arithmetic that every format of exported networks has.

    Where the pixels above the threshold weigh most within a square of `SQUARE` pixels, there is
    the ball; its position is their mean in that square, weighted by probability. That is what
    `decode_centroid` gives unless a blob is larger than the square or two lie within one.

    Args:
        threshold: probability that a pixel must exceed.
        name: name of the layer.

    Input shape:
        `(batch, frames, height, width)` float32, probability 0 to 1.

    Output shape:
        `(batch, frames, 3)` float32: x and y of the ball as shares of the picture's width and
        height, 0 to 1, then the map's peak. Where that is not above the threshold there is no
        ball, and x and y are 0.
    """

    def __init__(self, threshold: float = 0.5, name: str = "detections", **more: Any) -> None:
        super().__init__(name=name, **{**more, "dtype": "float32"})
        self.threshold = threshold

    def call(self, heatmaps: Any) -> Any:
        """Return x, y and peak of each map."""
        frames, height, width = heatmaps.shape[1:]
        xs = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, 1, width))
        ys = ops.reshape(ops.arange(height, dtype="float32"), (1, 1, height, 1))
        weights = ops.where(heatmaps > self.threshold, heatmaps, np.float32(0))
        mass = _sum_squares(weights)
        # The first of the heaviest squares: its row, then its place in that row.
        far, heaviest = np.float32(height + width), mass >= ops.max(mass, (2, 3), keepdims=True)
        top = ops.min(ops.where(heaviest, ys, far), (2, 3), keepdims=True)
        in_row = ops.logical_and(heaviest, ops.equal(ys, top))
        left = ops.min(ops.where(in_row, xs, far), (2, 3), keepdims=True)
        half = SQUARE // 2
        near = ops.logical_and(ops.abs(xs - left) <= half, ops.abs(ys - top) <= half)
        weights = ops.where(near, weights, np.float32(0))
        total = ops.maximum(ops.sum(weights, (2, 3)), np.float32(1e-6))
        # About the square's centre, so that single precision is enough whatever the runtime.
        dx = ops.sum(weights * (xs - left), (2, 3)) / total
        dy = ops.sum(weights * (ys - top), (2, 3)) / total
        peak = ops.max(heatmaps, (2, 3))
        seen = ops.cast(peak > self.threshold, "float32")
        x = seen * (ops.reshape(left, (-1, frames)) + dx + 0.5) / width
        y = seen * (ops.reshape(top, (-1, frames)) + dy + 0.5) / height
        return ops.stack([x, y, peak], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        config = super().get_config()
        config.pop("dtype")
        return {**config, "threshold": self.threshold}


def _sum_squares(maps: Any) -> Any:
    """Return, for each pixel of `(batch, frames, height, width)`, the mean of its square."""
    frames, height, width = maps.shape[1:]
    half = SQUARE // 2
    single = ops.reshape(maps, (-1, height, width, 1))  # every runtime pools channels-last maps
    single = ops.pad(single, ((0, 0), (half, half), (half, half), (0, 0)))
    single = ops.average_pool(single, (SQUARE, 1), strides=1, data_format="channels_last")
    single = ops.average_pool(single, (1, SQUARE), strides=1, data_format="channels_last")
    return ops.reshape(single, (-1, frames, height, width))


def shrinking_weights(source: int, target: int) -> np.ndarray:
    """Return the weights of each source pixel in each target pixel when averaging over area.

    Args:
        source, target: pixels along one side of the picture.

    Returns:
        `(target, source)` float32, rows with sum 1.
    """
    edges = np.linspace(0, source, target + 1)
    pixels = np.arange(source)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares: np.ndarray = (np.clip(overlap, 0, None) * target / source).astype(np.float32)
    return shares


@keras_defaults()
def build_serving(
    model: keras.Model,
    spec: ModelSpec,
    *,
    output: str = "heatmaps",
    batch_size: int | None = None,
    frame_size: tuple[int, int] | None = None,
    data_format: str = "channels_last",
) -> keras.Model:
    """Build the network as it is run: scaling, stacking and, if asked for, decoding inside.

    Args:
        model: a tracker, as `load_model` gives it; its weights are shared, not copied.
        spec: how it is fed and read.
        output: `heatmaps`, or `detections` for the ball's position itself.
        batch_size: windows at once; None for any.
        frame_size: (height, width) of the frames that come in, pixels; the network's size
            when None.
        data_format: where `model` has its channels, `channels_last` or `channels_first`.

    Returns:
        A model with inputs `frames` `(batch, frames, height, width, 3)` uint8 and, where the
        network needs it, `background` `(batch, height, width, 3)` uint8. Heatmaps come out as
        `(batch, heatmaps, height, width)` float32, of V1 as brightness 0 to 1; detections as
        `BallFinder` gives them.

    Raises:
        ValueError: `output` is none of `OUTPUTS`.
    """
    if output not in OUTPUTS:
        raise ValueError(f"`output` must be one of {', '.join(OUTPUTS)}. Received: {output!r}")
    size = frame_size or spec.input_size
    frames = keras.Input(
        (spec.frames, *size, 3), batch_size=batch_size, dtype="uint8", name="frames"
    )
    inputs, behind = [frames], []
    if spec.background != "none":
        behind = [keras.Input((*size, 3), batch_size=batch_size, dtype="uint8", name="background")]
        inputs += behind
    stacker = WindowStacker(spec.background, spec.input_size, spec.differences, data_format)
    outputs = model(stacker(frames, *behind))
    if data_format == "channels_last":
        outputs = keras.layers.Permute((3, 1, 2), dtype="float32", name="planes")(outputs)
    if spec.version == "v1":
        outputs = ClassBrightness()(outputs)
    if output == "detections":
        outputs = BallFinder(spec.threshold)(outputs)
    return keras.Model(inputs, outputs, name=f"{model.name}_{output}")


@register
class ClassBrightness(keras.layers.Layer):  # type: ignore[misc]
    """Makes V1's class scores a brightness: the likeliest class over the highest one.

    Input shape:
        `(batch, classes, height, width)`.

    Output shape:
        `(batch, 1, height, width)` float32, 0 to 1.
    """

    def __init__(self, name: str = "brightness", **more: Any) -> None:
        super().__init__(name=name, **{**more, "dtype": "float32"})

    def call(self, scores: Any) -> Any:
        """Return the brightness; of equally likely classes the lowest counts."""
        classes = scores.shape[1]
        levels = ops.reshape(ops.arange(classes, dtype="float32"), (1, classes, 1, 1))
        likeliest = scores >= ops.max(scores, axis=1, keepdims=True)
        level = ops.min(ops.where(likeliest, levels, np.float32(classes)), axis=1, keepdims=True)
        return level / np.float32(classes - 1)
