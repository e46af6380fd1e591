"""Train the whole family at one budget, then compare it on clips that none has trained on.

    python tests/benchmarks/family.py DATA --out RUNS --val 00004,00027 --width 0.25 --steps 600

Every network sees the same training clips, windows of as many frames, as many steps, about as many
pixels in each, and the same seeds. They train on regions cut out of the picture, see `tracknet fit
--crop`; V5, which knows the places of a whole picture only, on fewer whole pictures. Each has a run
folder below RUNS. An interrupted run goes on when the command is given again; finished ones are
kept. In the end `tracknet compare` writes its table to RUNS/compare.
"""

import argparse
import math
import subprocess
import sys
from pathlib import Path

WHOLE = "288x512"  # the networks' input, (height)x(width)
NETWORKS = {
    "v1": ("--version", "v1"),
    "v2": ("--version", "v2"),
    "v3": ("--version", "v3", "--background", "concat"),
    "v3-frames": ("--version", "v3", "--background", "none"),
    "v4": ("--version", "v4", "--base", "v2"),
    "v5": ("--version", "v5"),
    "wasb": ("--version", "wasb"),
}


def run_tracknet(*words: object) -> None:
    """Run a command of this package."""
    command = [sys.executable, "-m", "keras_tracknet_cli", *map(str, words)]
    print("tracknet", *words, flush=True)
    subprocess.run(command, check=True)


def run_fit(run: Path, *words: object) -> None:
    """Train a run of one epoch, or what is left to train of it."""
    if (run / "best.keras").is_file():  # written at the end of the epoch
        print(f"{run}: finished", flush=True)
    elif (run / "last.keras").is_file():
        run_tracknet("fit", "--resume", "-o", run)
    else:
        run_tracknet("fit", *words, "--epochs", 1, "-o", run)


def train(name: str, options: argparse.Namespace) -> Path:
    """Train a network, or what is left to train of it; return its run folder."""
    run = options.out / name
    batch, crop = options.batch_size, ["--crop", options.crop]
    if name == "v5":
        batch, crop = round(batch * _count_pixels(options.crop) / _count_pixels(WHOLE)), []
    run_fit(
        run, *NETWORKS[name], "--data", options.data, "--val", options.val,
        "--width", options.width, "--frames", options.frames, "--input-size", WHOLE, *crop,
        "--windows", options.steps * batch, "--batch-size", batch, "--seed", options.seed,
    )  # fmt: skip
    return run


def _count_pixels(size: str) -> int:
    """Return the pixels of a size such as `288x512`."""
    return math.prod(map(int, size.split("x")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of labelled clips")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--val", required=True, help="validation clips, joined by commas")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="which, joined by commas")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--crop", default="160x256", help="(height)x(width) of the regions")
    parser.add_argument("--steps", type=int, default=600, help="at most one pass over the clips")
    parser.add_argument("--batch-size", type=int, default=8, help="regions in a step")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train-only", action="store_true", help="leave out the comparison")
    options = parser.parse_args()
    names = options.networks.split(",")
    if unknown := sorted(set(names) - set(NETWORKS)):
        parser.error(f"unknown network {unknown[0]}; use some of {', '.join(NETWORKS)}")
    runs = [train(name, options) for name in names]
    if not options.train_only:
        where = ("--data", options.data, "--clips", options.val, "-o", options.out / "compare")
        run_tracknet("compare", *runs, *where)
