"""Heatmaps: what the network sees in one frame."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from keras_tracknet.frames.background import BACKGROUND_FRAMES, estimate_background
from keras_tracknet.frames.sizes import fit_frame
from keras_tracknet.frames.stabilization import stack_frames
from keras_tracknet.frames.windows import window_frames
from keras_tracknet.presets import find_weights
from keras_tracknet.studio.jpegs import FrameServer
from keras_tracknet.video.reader import sample_frames

if TYPE_CHECKING:
    from keras_tracknet.inference.engines.network import Network


class HeatmapMaker:
    """Runs the network on the window of one frame; the network of the latest weights is kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._network: tuple[str, Network] | None = None
        self._background: tuple[Any, np.ndarray] | None = None

    def make(self, server: FrameServer, path: Path, number: int, weights: str) -> bytes:
        """Return the heatmap of a frame as grey PNG at the network's size, 255 for probability 1.

        Args:
            server: of the video's frames.
            path: the video.
            number: of the frame.
            weights: as for `find_weights`.

        Raises:
            IndexError: there is no such frame.
        """
        count = len(server.pictures)
        if not 0 <= number < count:
            raise IndexError(number)
        from keras_tracknet.inference.engines import open_network  # loads Keras: when asked for

        with self._lock:
            if self._network is None or self._network[0] != weights:
                tracker = find_weights(weights).tracker
                self._network = weights, open_network(tracker, engine="keras", batch_size=1)
            network = self._network[1]
            spec, size = network.spec, network.frame_size
            # The frame stands in the middle of what the window is asked for.
            start = number - spec.frames + spec.heatmaps - spec.heatmaps // 2
            start = min(max(start, 0), max(count - spec.frames, 0))
            indices = window_frames(start, spec.frames, count)
            images = [fit_frame(server.read(n), size, spec.fit) for n in indices.tolist()]
            window = np.zeros((1, spec.frames, *size, 3), np.uint8)
            stack_frames(np.stack(images), stabilized=spec.stabilized, out=window[0])
            inputs = [window]
            if spec.background != "none":
                inputs.append(self._find_background(path, network)[None])
            place = min(max(number - start - (spec.frames - spec.heatmaps), 0), spec.heatmaps - 1)
            heat = network.run(inputs)[0, place]
        grey = np.rint(np.clip(heat, 0, 1) * 255).astype(np.uint8)
        _, data = cv2.imencode(".png", grey)
        return data.tobytes()

    def _find_background(self, path: Path, network: Network) -> np.ndarray:
        key = path, network.frame_size
        if self._background is None or self._background[0] != key:
            frames = sample_frames(path, BACKGROUND_FRAMES)
            fit = network.spec.fit
            picture = estimate_background(
                fit_frame(f.image, network.frame_size, fit) for f in frames
            )
            self._background = key, picture
        return self._background[1]
