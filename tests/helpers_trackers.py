"""Networks that find a white dot without any training, pictures of one, and short networks."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np

from keras_tracknet.inference import tracker as trackers
from keras_tracknet.inference.stream import Stream
from keras_tracknet.inference.tracker import Tracker
from keras_tracknet.models import v1, v2, v3, v4, v5, wasb
from keras_tracknet.models.blocks import conv_block
from keras_tracknet.models.v3 import INPUT_NAMES, input_channels
from keras_tracknet.tracks.tables import DETECTED
from keras_tracknet.tracks.track import TrackRow
from keras_tracknet.video.reader import Frame
from keras_tracknet.weights.model_file import ModelFile, save_model
from keras_tracknet.weights.spec import ModelSpec

SIZE = (32, 64)  # (height, width) of the model's input
SCRIPTED = 16  # rows of a scripted tracker
GAIN = 40.0  # steepness of the probability over brightness


def detector_spec(
    version="v2", *, frames=3, heatmaps=None, background="none", size=SIZE, **more
) -> ModelSpec:
    heatmaps = frames if heatmaps is None else heatmaps
    return ModelSpec(version, frames, heatmaps, background, size, **more)


def build_detector(spec: ModelSpec) -> keras.Model:
    """A network whose maps are high where a frame is white.

    With a background, where a frame is much brighter than that. V1's outputs are class 255
    or class 0.
    """
    channels = input_channels(spec.background, spec.frames)
    inputs = keras.Input((*spec.input_size, channels), name=INPUT_NAMES[spec.background])
    maps = 256 if spec.version == "v1" else spec.heatmaps
    kernel, bias = np.zeros((1, 1, channels, maps), np.float32), np.zeros(maps, np.float32)
    first = channels - 3 * spec.heatmaps  # channel of the first frame that has a map
    for index in range(spec.heatmaps):
        place = 255 if spec.version == "v1" else index
        kernel[0, 0, first + 3 * index : first + 3 * index + 3, place] = GAIN / 3
        bias[place] = -0.6 * GAIN
        if spec.background == "concat":
            kernel[0, 0, :3, place] = -GAIN / 3
            bias[place] = -0.3 * GAIN
    if spec.version == "v1":
        bias[1:255] = -1000.0
    head = keras.layers.Conv2D(maps, 1, name="head")
    outputs = head(inputs)
    if spec.version != "v1":
        outputs = keras.layers.Activation("sigmoid", dtype="float32", name="heatmaps")(outputs)
    model = keras.Model(inputs, outputs)
    head.set_weights([kernel, bias])
    return model


def make_detector(version="v2", **settings) -> ModelFile:
    spec = detector_spec(version, **settings)
    return ModelFile(build_detector(spec), spec, Path(f"{version}.keras"), "0" * 64, {})


def save_detector(path: Path, version="v2", **settings) -> Path:
    spec = detector_spec(version, **settings)
    save_model(build_detector(spec), spec, path)
    return path


def paint(size, *dots, radius=2, shade=20) -> np.ndarray:
    """A dark picture of `size` (height, width) with a white square about each (x, y)."""
    image = np.full((*size, 3), shade, np.uint8)
    for x, y in dots:
        image[y - radius : y + radius + 1, x - radius : x + radius + 1] = 255
    return image


WINDOWS = {  # what the network of a window looks like
    "v1": {"version": "v1", "frames": 3, "heatmaps": 1},
    "3-in-3": {"frames": 3},
    "3-in-1": {"frames": 3, "heatmaps": 1},
    "8-in-8": {"version": "v3", "frames": 8},
}


@cache
def make_tracker(window="3-in-3", mode="fast", background="none") -> Tracker:
    """A tracker of white dots; one for each set of arguments."""
    detector = make_detector(**WINDOWS[window], background=background)
    return Tracker(detector, mode=mode, precision="float32")


def show_frames(patch, images, times=None) -> None:
    """Make every video that a tracker opens consist of pictures.

    Args:
        patch: a `pytest.MonkeyPatch`.
        images: the pictures.
        times: seconds, one for each; 25 frames per second when omitted.
    """
    images = list(images)
    times = [number / 25 for number in range(len(images))] if times is None else times
    frames = list(map(Frame, range(len(images)), times, images))
    patch.setattr(trackers, "read_frames", lambda *_source: iter(frames))
    patch.setattr(
        trackers, "sample_frames", lambda _source, count, _shrink=None: (f for f in frames[:count])
    )
    height, width = images[0].shape[:2]
    info = SimpleNamespace(height=height, width=width, fps=25)
    patch.setattr(trackers, "probe_video", lambda _source: info)


def dot_of(frame) -> tuple[int, int]:
    """Where the ball is in a frame of the model's size: somewhere else in every one."""
    return 4 + 5 * frame % 56, 4 + 7 * frame % 24


def shorten_networks(patch) -> None:
    """Leave out all but the ends of each tracker: what is in between costs compile time.

    Args:
        patch: a `pytest.MonkeyPatch`.
    """

    def short_unet(x, *, width_multiplier, interpolated=False, **block):
        return conv_block(x, 4, name="encoder1_conv1", **block)

    def no_stage(x, filters, convs, **_block):
        return x

    patch.setattr(v1, "conv_stage", no_stage)
    for module in (v2, v3, v4, v5):
        patch.setattr(module, "unet", short_unet)
    patch.setattr(v5, "ENCODERS", 1)
    patch.setattr(wasb, "_branch", lambda x, name: x)
    patch.setattr(wasb, "_fuse", lambda branches, i, widths, name: branches[i])


def make_rows(seed=6):
    """Rows of a ball that jumps so often that what looks like a jump depends on the others."""
    rng = np.random.default_rng(seed)
    path = np.cumsum(rng.normal(0, 2, (2, SCRIPTED)), axis=1) + np.array([[30], [18]])
    jumps = rng.random(SCRIPTED) < 0.35
    spots = np.stack([rng.uniform(0, 64, SCRIPTED), rng.uniform(0, 36, SCRIPTED)])
    x, y = np.where(jumps, spots, path).tolist()
    return [TrackRow(k, x[k], y[k], 0.75, DETECTED, k / 25) for k in range(SCRIPTED)]


class ScriptedTracker(Tracker):
    """Finds the ball where the rows say that it is, and stops where it is told to."""

    def __init__(self, rows=None, *, stop=None, sha256="0" * 64, **settings):
        super().__init__(make_detector(), precision="float32", **settings)
        self.rows, self.stop = rows or make_rows(), stop
        self.network.sha256 = sha256

    def stream(self, source, *, first=0, **_settings):
        return ScriptedStream(self.script(first))

    def script(self, first):
        for row in self.rows[first:]:
            if row.frame == self.stop:
                raise KeyboardInterrupt
            yield row


class ScriptedStream(Stream):
    """A stream of rows that are known before."""

    def __init__(self, rows):
        self.shots, self._rows = [0], rows
