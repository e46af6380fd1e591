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
    ExperimentalCommand,
    ExperimentalOption,
    precision_option,
    quiet_option,
    visible_option,
)


@click.command(cls=ExperimentalCommand)
@click.option(
    "--version",
    type=click.Choice(["v1", "v2", "v3", "v4", "v5", "wasb", "rectifier", "linker", "tsm"]),
    default="v3",
    show_default=True,
    help="Network to train; tsm, a clip classifier, is experimental.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of labelled clips. [default: ./data if it exists, otherwise rendered rallies]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Run folder. [default: runs/fit/<version>]",
)
@click.option(
    "--epochs", type=COUNT, default=30, show_default=True, help="Number of training epochs."
)
@click.option(
    "--patience",
    type=COUNT,
    help="Stop after this many epochs without a better one. [default: train all epochs]",
)
@click.option("--batch-size", type=COUNT, default=4, show_default=True, help="Windows per batch.")
@click.option(
    "--learning-rate",
    type=POSITIVE,
    default=1e-3,
    show_default=True,
    help="Peak learning rate.",
)
@click.option(
    "--schedule",
    type=click.Choice(["cosine", "constant"]),
    default="cosine",
    show_default=True,
    help="Learning-rate schedule.",
)
@precision_option
@click.option(
    "--width",
    type=POSITIVE,
    default=1.0,
    show_default=True,
    help="Width multiplier for every layer.",
)
@click.option(
    "--frames",
    type=COUNT,
    help="Frames per window. [default: V3 (also under V4) and TSM 8, rectifier 16, linker 32,"
    " others 3]",
)
@click.option(
    "--heatmaps",
    type=COUNT,
    help="Number of output heatmaps (V2 and WASB). [default: one per frame]",
)
@click.option(
    "--base",
    type=click.Choice(["v2", "v3"]),
    default="v2",
    show_default=True,
    help="Network that V4 adds motion attention to.",
)
@click.option(
    "--fusion",
    type=click.Choice(["a", "b"]),
    default="a",
    show_default=True,
    help="How V4 gates the heatmap of a frame: by the change before it (a), or by the mean of the"
    " changes before and after it (b).",
)
@click.option(
    "--background",
    type=click.Choice(["none", "subtract", "subtract_concat", "concat"]),
    default="concat",
    show_default=True,
    help="How V3, or V4 on V3, uses the background image.",
)
@click.option(
    "--input-size",
    type=SIZE,
    help="Input size of the network. [default: V1 360x640, TSM 224x224, others 288x512]",
)
@click.option(
    "--target",
    type=click.Choice(["disc", "gaussian"]),
    default="disc",
    show_default=True,
    help="Training target of all but V1: disc (weighted cross-entropy) or gaussian (focal loss).",
)
@click.option(
    "--mixup",
    type=AT_LEAST_0,
    default=0.0,
    show_default=True,
    help="Mixup strength (parameter of the beta distribution); 0 disables it.",
)
@click.option(
    "--frame-mixup",
    type=AT_LEAST_0,
    default=0.0,
    show_default=True,
    help="Strength of mixup between neighbouring frames (parameter of the beta distribution); 0"
    " disables it.",
)
@click.option(
    "--flip",
    type=SHARE,
    default=0.5,
    show_default=True,
    help="Share of windows flipped horizontally, 0 to 1.",
)
@click.option(
    "--brightness",
    type=SHARE,
    default=0.1,
    show_default=True,
    help="Largest change in brightness, 0 to 1.",
)
@click.option(
    "--contrast",
    type=SHARE,
    default=0.2,
    show_default=True,
    help="Largest change in contrast, 0 to 1.",
)
@click.option(
    "--recolour",
    type=SHARE,
    default=0.0,
    show_default=True,
    help="Share of windows with shuffled colour channels, 0 to 1.",
)
@click.option(
    "--compression",
    type=SHARE,
    default=0.0,
    show_default=True,
    help="Share of windows with JPEG compression, 0 to 1.",
)
@click.option(
    "--crop",
    type=SIZE,
    help="Train on random crops of this size, which is several times faster. [default: whole"
    " frames]",
)
@click.option(
    "--zoom",
    type=RANGE,
    default="1x1",
    show_default=True,
    help="Range of the random zoom, such as 0.8x1.25.",
)
@click.option(
    "--on-ball",
    type=SHARE,
    default=0.7,
    show_default=True,
    help="Share of crops that contain the ball, 0 to 1.",
)
@click.option(
    "--pan",
    type=AT_LEAST_0,
    default=0.0,
    show_default=True,
    help="Largest camera movement from frame to frame, in pixels; for models without a background.",
)
@click.option(
    "--paste",
    type=SHARE,
    default=0.0,
    show_default=True,
    help="Share of windows with a second flying ball pasted in from another window, 0 to 1.",
)
@click.option(
    "--decoys",
    type=SHARE,
    default=0.0,
    show_default=True,
    help="Share of windows with fake stationary balls pasted in as distractors, 0 to 1.",
)
@click.option(
    "--skip",
    type=SHARE,
    default=0.0,
    show_default=True,
    help="Share of windows with only every second or third frame, as at a lower rate, 0 to 1.",
)
@click.option(
    "--stabilize/--no-stabilize",
    default=False,
    help="Align the frames of each window so that the court stands still; for panning cameras and"
    " models without a background. [default: as in --init, otherwise off]",
)
@click.option("--windows", type=COUNT, help="Windows per epoch, drawn at random. [default: all]")
@click.option(
    "--balance",
    is_flag=True,
    help="Sample every dataset (each folder directly below DATA) equally often.",
)
@click.option(
    "--val",
    "validation",
    multiple=True,
    help="Clip, folder or glob to validate on; repeat or separate with commas. [default: chosen"
    " automatically]",
)
@click.option(
    "--split",
    type=click.Path(path_type=Path),
    help="Split file that lists training and validation clips, written by tracknet data split.",
)
@visible_option
@click.option(
    "--tracks",
    type=click.Path(path_type=Path),
    help="Predicted tracks to train the rectifier on, as written by tracknet evaluate -o [default:"
    " the labels]; for the linker the candidates, as written by tracknet evaluate --candidates.",
)
@click.option(
    "--hidden",
    type=click.Choice(["interpolated", "zero"]),
    default="interpolated",
    show_default=True,
    help="What the rectifier receives for hidden positions: interpolated positions, or zeros as in"
    " the published recipe.",
)
@click.option(
    "--backbone",
    cls=ExperimentalOption,
    type=click.Choice(["resnet10", "mobilenet_v2", "resnet50"]),
    default="resnet10",
    show_default=True,
    help="Backbone of TSM.",
)
@click.option(
    "--modality",
    cls=ExperimentalOption,
    type=click.Choice(["difference", "rgb"]),
    default="difference",
    show_default=True,
    help="Input of TSM: difference from the previous frame, or RGB.",
)
@click.option(
    "--span",
    cls=ExperimentalOption,
    type=POSITIVE,
    default=0.5,
    show_default=True,
    help="Length of a TSM window, in seconds.",
)
@click.option(
    "--online",
    cls=ExperimentalOption,
    is_flag=True,
    help="Train TSM for live streams: it sees past frames only.",
)
@click.option(
    "--pipeline",
    type=click.Choice(["auto", "host", "device"]),
    default="auto",
    show_default=True,
    help="Where training batches are made. device keeps all frames in GPU memory (JAX and PyTorch);"
    " auto does so on a GPU with enough memory.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Random seed.")
@click.option(
    "--init",
    help="Weights to fine-tune: name of a bundled tracker, a .keras file or a run folder."
    " Architecture comes from these weights unless other options are given.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue the run in OUTPUT with its saved settings; only --epochs and --patience can"
    " change.",
)
@click.option("--dry-run", is_flag=True, help="Print the training plan and exit.")
@quiet_option
def fit(resume: bool, dry_run: bool, quiet: bool, **options: Any) -> None:
    """Train a model on labelled clips.

    Writes best.keras, last.keras, config.json, history.csv, curves.png and a TensorBoard log to the
    run folder. Ctrl-C keeps the last state; --resume continues from it, for more epochs if --epochs
    is given.

    \b
    tracknet fit --version v3 --data DIR
    tracknet fit --version v2 --data DIR --width 0.5 --crop 128x128 --batch-size 8
    tracknet fit --version tsm --data DIR --input-size 96x160 --batch-size 16
    tracknet fit --init badminton-v3 --data DIR --learning-rate 0.0003 --epochs 5
    tracknet fit --resume -o runs/fit/v3
    tracknet fit --resume -o runs/fit/v3 --epochs 60
    """
    from keras_tracknet.presets import find_weights
    from keras_tracknet.training.config import FitConfig, describe_network
    from keras_tracknet.training.config_file import change_config, load_config
    from keras_tracknet.training.hosts import join_hosts
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
            f"{output}: contains a run already; continue it with --resume or choose another path"
            " with -o."
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
        raise click.UsageError(str(error).replace("`training`", "`split`")) from error
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
        raise click.UsageError("--split already sets the validation clips; remove --val.")
    parts = read_split(split) if split else Split("", (), tuple(names))
    here = Path(parts.data or "data")
    data = options["data"] or (here if split or here.is_dir() else None)
    return (
        options
        | {"tracks": str(options["tracks"]) if options["tracks"] else None}
        | {"data": str(data) if data else None, "output": str(output)}
        | {"training": tuple(parts.train), "validation": tuple(parts.validation)}
    )
