"""Average the weights of networks that were trained from the same weights ("model soup").

    python examples/average_weights.py third/last.keras fourth/last.keras=2 -o mean.keras

The mean is often better than each network (Wortsman et al. 2022) and runs as fast as one. `=2`
counts a network twice. The networks must have the same architecture and most of their training in
common; the mean of unrelated networks is useless.
"""

import argparse
from pathlib import Path

import numpy as np

import keras_tracknet as kt


def main(networks: list[str], output: Path) -> None:
    """Load the networks, average each weight, and save the result."""
    shares, files = [], []
    for network in networks:
        name, _, share = network.partition("=")
        shares.append(float(share or 1))
        files.append(kt.load_model(kt.presets.find_weights(name).tracker))
    columns = zip(*(file.model.get_weights() for file in files), strict=True)
    means = [np.average(column, axis=0, weights=shares) for column in columns]
    first = files[0]
    first.model.set_weights(means)
    kt.save_model(first.model, first.spec, output)
    print(f"{output}: the mean of {len(files)} networks")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="+", help="runs, files or presets; NAME=2 counts twice")
    parser.add_argument("-o", "--output", type=Path, default=Path("mean.keras"))
    main(**vars(parser.parse_args()))
