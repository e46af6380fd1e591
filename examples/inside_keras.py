"""Use a trained TrackNet inside your own Keras model: does the shuttlecock rise or fall?

    python examples/inside_keras.py

A bundled tracker with frozen weights returns heatmaps, a few operations turn them into positions,
and a small recurrent network learns from the positions on a rally that this script renders. The
result is one Keras model from frames to a probability for each frame.
"""

import argparse

import keras
import numpy as np
from keras import layers, ops

import keras_tracknet as kt

FRAMES = 8  # in a window


def build_positions(file: kt.ModelFile) -> keras.Model:
    """Return a model from a window to the (x, y, peak) of each frame, 0 to 1."""
    height, width = file.spec.input_size
    window = keras.Input((height, width, file.model.input_shape[-1]), name="window")
    file.model.trainable = False
    heatmaps = file.model(window)  # (batch, height, width, frames)
    xs = np.linspace(0, 1, width, dtype=np.float32)[None, None, :, None]
    ys = np.linspace(0, 1, height, dtype=np.float32)[None, :, None, None]
    mass = heatmaps**4  # values near zero should not pull
    total = ops.sum(mass, axis=(1, 2)) + 1e-6
    x, y = (ops.sum(mass * place, axis=(1, 2)) / total for place in (xs, ys))
    positions = ops.stack([x, y, ops.max(heatmaps, axis=(1, 2))], axis=-1)
    return keras.Model(window, positions, name="positions")


def build_head() -> keras.Model:
    """Return a model from positions to the probability that the shuttlecock rises."""
    positions = keras.Input((FRAMES, 3), name="positions")
    x = layers.Bidirectional(layers.GRU(16, return_sequences=True))(positions)
    return keras.Model(positions, layers.Dense(1, activation="sigmoid")(x), name="rising")


def make_windows(frames: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return windows of a rendered rally, whether the shuttlecock rises, and where it is seen."""
    rally = kt.simulate_rally(kt.RallyConfig(frames=frames, size=size, seed=11))
    pictures = np.stack(list(rally.frames()))
    background = kt.estimate_background(pictures)
    step = np.gradient(rally.track.y)  # y points down
    rising, known = step < 0, np.isfinite(step)
    starts = range(0, frames - FRAMES + 1, FRAMES)
    windows = [kt.stack_window(pictures[s : s + FRAMES], background, "concat") for s in starts]
    targets = [np.stack([rising[s : s + FRAMES], known[s : s + FRAMES]]) for s in starts]
    rises, counts = np.moveaxis(np.stack(targets), 1, 0).astype(np.float32)
    return kt.scale_window(np.stack(windows)), rises[..., None], counts


def main(frames: int, epochs: int) -> float:
    """Train the head on TrackNet's positions and join both into one model."""
    keras.utils.set_random_seed(1)
    file = kt.presets.load("rendered-v3")
    positions, head = build_positions(file), build_head()
    windows, rises, counts = make_windows(frames, file.spec.input_size)
    seen = positions.predict(windows, batch_size=2, verbose=0)  # frozen, so once is enough
    head.compile(keras.optimizers.Adam(0.02), "binary_crossentropy")
    head.fit(seen, rises, sample_weight=counts, epochs=epochs, verbose=0)

    whole = keras.Model(positions.input, head(positions.output), name="rising_from_frames")
    outputs = whole.predict(windows, batch_size=2, verbose=0)
    right = (outputs > 0.5) == (rises > 0.5)
    share = float(right[counts > 0].mean())
    print(f"{whole.name}: {whole.input_shape} to {whole.output_shape}")
    print(f"correct for {share:.0%} of the {int(counts.sum())} frames that it was trained on")
    return share


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=100)
    main(**vars(parser.parse_args()))
