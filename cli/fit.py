"""`tracknet fit`: train a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from .options import (
    AT_LEAST_0,
    COUNT,
    POSITIVE,
    RANGE,
    SEED,
    SHARE,
    SIZE,
    precision_option,
    quiet_option,
    visible_option,
)


@click.command()
@click.option(
    "--version",
    type=click.Choice(["v1", "v2", "v3", "rectifier", "tsm"]),
    default="v3",
    show_default=True,
    help="Which network to train; tsm is a classifier of clips.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of labelled clips. [default: ./data where there is one, else rendered rallies]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The run folder. [default: runs/fit/<version>]",
)
@click.option(
    "--epochs", type=COUNT, default=30, show_default=True, help="Passes over the windows."
)
@click.option("--batch-size", type=COUNT, default=4, show_default=True, help="Windows in a batch.")
@click.option(
    "--learning-rate",
    type=POSITIVE,
    default=1e-3,
    show_default=True,
    help="Adam's, at its highest.",
)
@click.option(
    "--schedule",
    type=click.Choice(["cosine", "constant"]),
    default="cosine",
    show_default=True,
    help="How the learning rate goes over the run.",
)
@precision_option
@click.option(
    "--width",
    type=POSITIVE,
    default=1.0,
    show_default=True,
    help="Factor on the number of filters.",
)
@click.option(
    "--frames", type=COUNT, help="Frames in a window. [default: 3, V3 and TSM 8, rectifier 16]"
)
@click.option("--heatmaps", type=COUNT, help="Maps out (V2). [default: as many as frames]")
@click.option(
    "--background",
    type=click.Choice(["none", "subtract", "subtract_concat", "concat"]),
    default="concat",
    show_default=True,
    help="What V3 sees of the background.",
)
@click.option(
    "--input-size", type=SIZE, help="Model input. [default: 288x512, V1 360x640, TSM 224x224]"
)
@click.option(
    "--target",
    type=click.Choice(["disc", "gaussian"]),
    default="disc",
    show_default=True,
    help="Target of V2 and V3: disc with weighted cross-entropy, Gaussian with focal loss.",
)
@click.option(
    "--mixup", type=AT_LEAST_0, default=0.0, show_default=True, help="Beta parameter, 0 for none."
)
@click.option(
    "--frame-mixup",
    type=AT_LEAST_0,
    default=0.0,
    show_default=True,
    help="Beta parameter of mixup between neighbouring frames, 0 for none.",
)
@click.option(
    "--flip", type=SHARE, default=0.5, show_default=True, help="Share of windows mirrored."
)
@click.option(
    "--brightness", type=SHARE, default=0.1, show_default=True, help="Greatest change, 0 to 1."
)
@click.option(
    "--contrast", type=SHARE, default=0.2, show_default=True, help="Greatest change, 0 to 1."
)
@click.option(
    "--recolour",
    type=SHARE,
    default=0.0,
    show_default=True,
    help="Share of windows whose red, green and blue change places.",
)
@click.option(
    "--compression",
    type=SHARE,
    default=0.0,
    show_default=True,
    help="Share of windows compressed once more.",
)
@click.option(
    "--crop",
    type=SIZE,
    help="Train on random cut-outs of this size: several times faster. [default: whole frames]",
)
@click.option(
    "--zoom",
    type=RANGE,
    default="1x1",
    show_default=True,
    help="Random enlargement of the picture, such as 0.8x1.25.",
)
@click.option(
    "--on-ball", type=SHARE, default=0.7, show_default=True, help="Share of cut-outs on the ball."
)
@click.option(
    "--pan",
    type=AT_LEAST_0,
    default=0.0,
    show_default=True,
    help="Greatest movement of the camera from frame to frame, pixels; not with a background.",
)
@click.option(
    "--paste",
    type=SHARE,
    default=0.0,
    show_default=True,
    help="Share of windows that a second ball flies through, cut out of another window.",
)
@click.option(
    "--decoys",
    type=SHARE,
    default=0.0,
    show_default=True,
    help="Share of windows with balls pasted into them that hover over the court and are none.",
)
@click.option(
    "--stabilize/--no-stabilize",
    default=False,
    help="Move the frames of a window so that the court stands still: for cameras that pan, and not"
    " with a background. [default: as --init]",
)
@click.option(
    "--windows", type=COUNT, help="Windows in an epoch, drawn anew each time. [default: all]"
)
@click.option(
    "--balance",
    is_flag=True,
    help="Draw from each dataset, a folder directly below DATA, equally often.",
)
@click.option(
    "--val",
    "validation",
    multiple=True,
    help="Clip, folder or glob to validate on; repeat or separate by commas. [default: chosen]",
)
@click.option(
    "--split",
    type=click.Path(path_type=Path),
    help="Which clips train and which validate, as tracknet data split wrote it.",
)
@visible_option
@click.option(
    "--tracks",
    type=click.Path(path_type=Path),
    help="Predicted tracks to train the rectifier on, as tracknet evaluate -o writes them."
    " [default: the labels themselves]",
)
@click.option(
    "--hidden",
    type=click.Choice(["interpolated", "zero"]),
    default="interpolated",
    show_default=True,
    help="What the rectifier sees where a position is hidden; zero is the published recipe.",
)
@click.option(
    "--backbone",
    type=click.Choice(["resnet10", "mobilenet_v2", "resnet50"]),
    default="resnet10",
    show_default=True,
    help="TSM's network for pictures.",
)
@click.option(
    "--modality",
    type=click.Choice(["difference", "rgb"]),
    default="difference",
    show_default=True,
    help="What TSM sees: by how much each frame differs from the one before, or its colours.",
)
@click.option(
    "--span",
    type=POSITIVE,
    default=0.5,
    show_default=True,
    help="Seconds that a window of TSM lasts.",
)
@click.option("--online", is_flag=True, help="TSM looks only at the frames before, for streams.")
@click.option(
    "--seed", type=SEED, default=0, show_default=True, help="Start of every random choice."
)
@click.option(
    "--init",
    help="Weights to start from, for fine-tuning: a bundled tracker's name, a .keras file or a run"
    " folder. The network is theirs unless options say otherwise.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue the run in OUTPUT with its own settings; of these only --epochs can change.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be trained, and stop.")
@quiet_option
def fit(resume: bool, dry_run: bool, quiet: bool, **options: Any) -> None:
    """Train a model on labelled clips.

    The run folder gets best.keras, last.keras, config.json, history.csv, curves.png and a
    TensorBoard log. Ctrl-C keeps the last state; --resume goes on from it, for more epochs where
    --epochs is given.

    \b
    tracknet fit --version v3 --data DIR
    tracknet fit --version v2 --data DIR --width 0.5 --crop 128x128 --batch-size 8
    tracknet fit --version tsm --data DIR --input-size 96x160 --batch-size 16
    tracknet fit --init badminton-v3 --data DIR --learning-rate 0.0003 --epochs 5
    tracknet fit --resume -o runs/fit/v3
    tracknet fit --resume -o runs/fit/v3 --epochs 60
    """
    from keras_tracknet.presets import find_weights
    from keras_tracknet.training.config import (
        FitConfig,
        change_config,
        describe_network,
        load_config,
    )
    from keras_tracknet.training.devices import join_hosts
    from keras_tracknet.training.loop import plan_fit, run_plan
    from keras_tracknet.weights.model_file import load_model

    from .console import ConsoleReporter

    reporter = ConsoleReporter(quiet=quiet)
    join_hosts()
    source = click.get_current_context().get_parameter_source
    given = {name for name in options if source(name) is not ParameterSource.DEFAULT}
    if options["init"] and not resume:
        network = describe_network(load_model(find_weights(options["init"]).tracker))
        kept = {name: value for name, value in network.items() if name not in given}
        if kept.get("version", options["version"]) == network["version"]:
            options |= kept
    output = options["output"] or Path("runs/fit") / options["version"]
    if not resume and (output / "last.keras").exists():
        raise click.UsageError(
            f"{output} holds a run; continue it with --resume or choose another -o."
        )
    run = load_config(output) if resume else None
    settings = _read_settings(options, output)
    try:
        if run is None:
            data = Path(settings["data"]).resolve() if settings["data"] else "rendered rallies"
            reporter.note(f"data: {data}")
            config = FitConfig(**settings)
        else:
            chosen = given | ({"training", "validation"} if "split" in given else set())
            config = change_config(run, {n: v for n, v in settings.items() if n in chosen})
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    plan = plan_fit(config, resume=resume, reporter=reporter)
    for line in plan.describe():
        reporter.note(line)
    if not dry_run:
        run_plan(plan, reporter)
    click.echo(Path(config.output).resolve())


def _read_settings(options: dict[str, Any], output: Path) -> dict[str, Any]:
    """Return the fields of `FitConfig` that the options stand for."""
    from keras_tracknet.datasets.splits import Split, read_split

    split = options.pop("split")
    names = [part for value in options["validation"] for part in value.split(",") if part]
    if split and names:
        raise click.UsageError("--split says what validates; leave --val away.")
    parts = read_split(split) if split else Split("", (), tuple(names))
    here = Path(parts.data or "data")
    data = options["data"] or (here if split or here.is_dir() else None)
    return (
        options
        | {"tracks": str(options["tracks"]) if options["tracks"] else None}
        | {"data": str(data) if data else None, "output": str(output)}
        | {"training": tuple(parts.train), "validation": tuple(parts.validation)}
    )
