"""Fine-tune a bundled tracker on labelled clips and measure the change.

    python examples/fine_tune.py --data DIR --weights badminton-v3 --windows 3200

Without labelled clips, it renders a few and trains for some seconds. This shows that it runs; it
does not improve the tracker.
"""

import argparse
from pathlib import Path

import keras_tracknet as kt

RUN = Path("runs/example/fine-tuned")


def main(data: Path | None, weights: str, windows: int) -> list[float]:
    """Split the clips, train, and measure before and after."""
    if data is None:
        data = Path("runs/example/clips")
        first = kt.RallyConfig(frames=16, size=(288, 512), seed=50)
        kt.render_rallies(first, data, 3, overwrite=True)
    split = kt.split_dataset(kt.find_dataset(data))
    config = kt.FitConfig(
        **kt.describe_network(kt.presets.load(weights)),
        init=weights,
        data=str(data),
        validation=split.validation,
        output=str(RUN),
        crop=(128, 128),
        windows=windows,
        epochs=1,
        learning_rate=3e-4,
    )
    kt.fit(config)
    scores = []
    for name in (weights, str(RUN)):
        tracker = kt.Tracker(name, rectifier=None)
        total = kt.evaluate(tracker, data, clips=split.validation).total
        scores.append(total.accuracy)
        print(f"{name}: accuracy {total.accuracy:.3f}, F1 {total.f1:.3f}")
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of labelled clips")
    parser.add_argument("--weights", default="rendered-v3", help="name of a bundled tracker")
    parser.add_argument("--windows", type=int, default=32, help="number of windows to train on")
    main(**vars(parser.parse_args()))
