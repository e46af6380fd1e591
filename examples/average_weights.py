"""Write the mean of networks that were trained on from the same weights ("model soup").

    python examples/average_weights.py third/last.keras fourth/last.keras=2 -o mean.keras

The mean is often better than each of them (Wortsman et al. 2022) and costs no more than one to run.
`=2` lets a network count twice. Take networks of one build whose training parted late; the mean of
strangers is good for nothing.
"""

import argparse
from pathlib import Path

import numpy as np

import keras_tracknet as kt


def main(networks: list[str], output: Path) -> None:
    """Load each network, average weight by weight, save."""
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
