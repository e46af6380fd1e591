"""Cross-validate recipes of training by court: which options of `tracknet fit` help where?

    python tests/benchmarks/recipes.py DATA --out RUNS --init rendered-v3 --steps 300 \
        --fold tokyo=00002,00017 --fold osaka=00004 --recipe plain= --recipe mixup='--mixup 0.5'

A fold is a court, named with its clips. For every fold each recipe trains on all clips but those of
the fold, which then measure it. Recipes differ in the options that stand after their name; all else
is the same. The table pools the clips of all folds and gives each recipe's difference from the
first one, with its 95 % interval when clips are resampled. An interrupted run goes on when the
command is given again; finished ones are kept. RUNS/recipes.csv holds the table.
"""

import argparse
import csv
import itertools
import json
import shlex
from pathlib import Path

from family import run_fit, run_tracknet

from keras_tracknet.evaluation.resampling import find_difference
from keras_tracknet.metrics import Counts

COUNTS = ("tp", "tn", "fp1", "fp2", "fn")


def train(run: Path, recipe: str, clips: str, options: argparse.Namespace) -> None:
    """Train a recipe on all clips but those of a fold, or what is left to train of it."""
    run_fit(
        run, "--init", options.init, "--data", options.data, "--val", clips,
        "--crop", options.crop, "--batch-size", options.batch_size,
        "--windows", options.steps * options.batch_size,
        "--learning-rate", options.learning_rate, "--seed", options.seed, *shlex.split(recipe),
    )  # fmt: skip


def measure(run: Path, clips: str, options: argparse.Namespace) -> dict[str, Counts]:
    """Return the counts of every clip of a fold."""
    found = run / "evaluation"
    if not (found / "evaluation.json").is_file():
        run_tracknet(
            "evaluate", "--data", options.data, "--weights", run / "last.keras", "--clips", clips,
            "--rectifier", "none", "-o", found, "--overwrite",
        )  # fmt: skip
    told = json.loads((found / "evaluation.json").read_text(encoding="utf-8"))["clips"]
    return {name: Counts(**{k: clip[k] for k in COUNTS}) for name, clip in told.items()}


def tabulate(measured: dict[str, dict[str, Counts]]) -> list[dict[str, object]]:
    """Return one row per recipe: scores over all clips, and how they differ from the first's."""
    names = sorted(next(iter(measured.values())))
    first = [measured[next(iter(measured))][name] for name in names]
    base, rows = sum(first, Counts()), []
    for recipe, clips in measured.items():
        counts = [clips[name] for name in names]
        total = sum(counts, Counts())
        row: dict[str, object] = {"recipe": recipe, "clips": len(names), "frames": total.frames}
        for score in ("accuracy", "f1"):
            value = getattr(total, score)
            low, high = find_difference(counts, first, score) or (float("nan"), float("nan"))
            row |= {score: round(value, 4)}
            row |= {f"{score}_gain": round(value - getattr(base, score), 4)}
            row |= {f"{score}_gain_low": round(low, 4), f"{score}_gain_high": round(high, 4)}
        rows.append(row)
    return rows


def read_pair(text: str) -> tuple[str, str]:
    """Read NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text}: write NAME=VALUE")
    return name, value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of labelled clips")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--init", required=True, help="weights that have seen none of the clips")
    parser.add_argument("--fold", type=read_pair, action="append", required=True)
    parser.add_argument("--recipe", type=read_pair, action="append", required=True)
    parser.add_argument("--steps", type=int, default=300, help="at most one pass over the clips")
    parser.add_argument("--batch-size", type=int, default=16, help="regions in a step")
    parser.add_argument("--crop", default="160x256", help="(height)x(width) of the regions")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    measured: dict[str, dict[str, Counts]] = {name: {} for name, _ in options.recipe}
    for (fold, clips), (name, recipe) in itertools.product(options.fold, options.recipe):
        run = options.out / name / fold
        train(run, recipe, clips, options)
        measured[name] |= measure(run, clips, options)
    rows = tabulate(measured)
    with open(options.out / "recipes.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(json.dumps(rows, indent=1))
