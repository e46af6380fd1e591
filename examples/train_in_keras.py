"""Train a small TrackNetV2 in plain Keras on a rally that this script renders.

    python examples/train_in_keras.py

Uses four parts of the package in ordinary Keras code: a builder, a loss, a metric, and targets
rendered from positions. Prints the loss and F1 of each epoch. Takes half a minute on two cores.
"""

import argparse

import keras
import numpy as np

import keras_tracknet as kt

SIZE = (96, 160)  # (height, width) of the model's input


def make_windows(frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets: windows of three consecutive frames."""
    rally = kt.simulate_rally(kt.RallyConfig(frames=frames, size=SIZE, seed=7))
    pictures = np.stack(list(rally.frames()))
    positions = kt.scale_positions(rally.track.positions, SIZE, SIZE)
    starts = range(0, frames - 2, 3)
    inputs = [kt.scale_window(kt.stack_window(pictures[s : s + 3], None, "none")) for s in starts]
    targets = [kt.render_disc(positions[s : s + 3], SIZE) for s in starts]
    return np.stack(inputs), np.stack(targets)


def main(frames: int, epochs: int) -> dict[str, list[float]]:
    """Build, compile and fit the model."""
    inputs, targets = make_windows(frames)
    model = kt.build_v2(input_size=SIZE, width_multiplier=0.25, output_bias=-3.0)
    model.compile(
        keras.optimizers.Adam(3e-3),
        loss=kt.losses.WeightedBCE(),
        metrics=[kt.metrics.TrackingF1()],
    )
    return model.fit(inputs, targets, batch_size=4, epochs=epochs, verbose=2).history


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=10)
    main(**vars(parser.parse_args()))
