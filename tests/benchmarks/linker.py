"""Cross-validate a linker by court, on runs that `recipes.py` has trained.

    python tests/benchmarks/linker.py DATA --runs RUNS/plain --out RUNS/linker \
        --fold tokyo=00002,00017 --fold osaka=00004 --epochs 6

The network of each fold, RUNS/plain/FOLD/last.keras, has not seen the clips of the fold: it finds
the candidates there. For every fold a linker is trained on the candidates of all others, and
measured on its own. The table pools the clips of all folds: scores with and without the linker, and
the difference with its 95 % interval when clips are resampled. RUNS/linker/peaks holds the
candidates of all clips. An interrupted run goes on when the command is given again.
"""

import argparse
import json
import shutil
from pathlib import Path

from family import run_tracknet
from recipes import COUNTS, read_pair, tabulate

from keras_tracknet.metrics import Counts


def find_candidates(fold: str, clips: str, options: argparse.Namespace) -> dict[str, Counts]:
    """Track the clips of a fold by the network that has not seen them; return their counts."""
    return measure(options.out / "found" / fold, fold, clips, options, "--candidates")


def measure(
    found: Path, fold: str, clips: str, options: argparse.Namespace, *words: object
) -> dict[str, Counts]:
    """Return the counts of every clip of a fold."""
    if not (found / "evaluation.json").is_file():
        run_tracknet(
            "evaluate", "--data", options.data, "--weights", options.runs / fold / "last.keras",
            "--rectifier", "none", "--clips", clips, "-o", found, "--overwrite", *words,
        )  # fmt: skip
    told = json.loads((found / "evaluation.json").read_text(encoding="utf-8"))["clips"]
    return {name: Counts(**{k: clip[k] for k in COUNTS}) for name, clip in told.items()}


def train(run: Path, validation: str, options: argparse.Namespace) -> None:
    """Train a linker, or what is left to train of it."""
    if (run / "last.keras").is_file():
        run_tracknet("fit", "--resume", "-o", run)
        return
    run_tracknet(
        "fit", "--version", "linker", "--data", options.data, "--tracks", options.out / "peaks",
        "--val", validation, "--batch-size", 32, "--learning-rate", options.learning_rate,
        "--epochs", options.epochs, "--seed", options.seed, "-o", run,
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of labelled clips")
    parser.add_argument("--runs", type=Path, required=True, help="folder with a run per fold")
    parser.add_argument("--out", type=Path, required=True, help="folder of the linkers")
    parser.add_argument("--fold", type=read_pair, action="append", required=True)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    measured: dict[str, dict[str, Counts]] = {"without": {}, "with": {}}
    for fold, clips in options.fold:
        measured["without"] |= find_candidates(fold, clips, options)
        shutil.copytree(
            options.out / "found" / fold / "candidates", options.out / "peaks", dirs_exist_ok=True
        )
    for fold, clips in options.fold:
        run = options.out / fold
        train(run, clips, options)
        measured["with"] |= measure(
            run / "evaluation", fold, clips, options, "--linker", run / "last.keras"
        )
    print(json.dumps(tabulate(measured), indent=1))
