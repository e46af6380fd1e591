"""`tracknet convert`: public checkpoints to models of this package, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import SIZE, overwrite_option

if TYPE_CHECKING:
    from keras_tracknet.weights.checkpoints import Conversion

FAMILIES = (
    "qaz", "inpaintnet", "wasb-tracknetv2", "monotrack", "wasb", "yastrebksv", "alenzenx",
    "alenzenx-v2", "aninsomniacy", "aninsomniacy-v1", "mareksubocz", "keras-v1", "keras-v2",
)  # fmt: skip


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--family",
    type=click.Choice(["auto", *FAMILIES]),
    default="auto",
    show_default=True,
    help="Code that the checkpoint has to be of; auto takes any that is known.",
)
@click.option(
    "--to",
    type=click.Choice(["keras", "qaz"]),
    default="keras",
    show_default=True,
    help="A model of this package, or a .pt of the published V3 code.",
)
@click.option(
    "--size",
    type=SIZE,
    metavar="HEIGHTxWIDTH",
    help="Size of the network's input. [default: what the network was published for]",
)
@click.option(
    "--report",
    is_flag=True,
    help="Also print layers, parameters, unused weights and the difference to the original.",
)
@overwrite_option
def convert(
    source: Path,
    target: Path,
    family: str,
    to: str,
    size: tuple[int, int] | None,
    report: bool,
    overwrite: bool,
) -> None:
    """Turn SOURCE, a public checkpoint, into OUT, a model for --weights.

    Nothing in a checkpoint is run, and PyTorch need not be installed to read one. Colours,
    scaling and the order of frames are built into the network, so that predict needs no
    settings.

    \b
    tracknet convert TrackNet_best.pt v3.keras --report
    tracknet convert InpaintNet_best.pt rectifier.keras
    tracknet predict match.mp4 --weights v3.keras --rectifier rectifier.keras
    tracknet convert runs/fit/v3/best.keras TrackNet_best.pt --to qaz
    """
    from keras_tracknet.errors import InputError

    suffix = ".pt" if to == "qaz" else ".keras"
    if target.suffix != suffix:
        raise click.UsageError(f"OUT must end in {suffix}. Received: {target}")
    if to == "qaz" and (report or size or family != "auto"):
        raise click.UsageError("--report, --size and --family are for --to keras.")
    if target.exists() and not overwrite:
        raise InputError(f"{target}: exists already; use --overwrite or choose another name.")

    from keras_tracknet import checkpoints
    from keras_tracknet.presets import find_weights
    from keras_tracknet.weights.model_file import load_model, save_model

    if to == "qaz":
        checkpoints.write_qaz(load_model(find_weights(source).tracker), target)
    else:
        try:
            conversion = checkpoints.convert(source, family=family, size=size)
        except InputError:
            raise
        except ValueError as error:  # of the size
            raise click.UsageError(str(error)) from error
        save_model(conversion.file.model, conversion.file.spec, target)
        click.echo(f"{source}: {conversion.family.title}", err=True)
        if report:
            _print_report(conversion)
    click.echo(target.resolve())


def _print_report(conversion: Conversion) -> None:
    from keras_tracknet.weights.checkpoints import measure_parity

    taken, weighted = conversion.layers
    unused = ", ".join(conversion.state.unused)
    parity = measure_parity(conversion)
    click.echo(f"recognised as: {conversion.family.title}")
    click.echo(f"layers with weights from the checkpoint: {taken} of {weighted}")
    click.echo(f"parameters: {conversion.file.model.count_params():,}")
    click.echo(f"unused, as in the original: {unused or 'none'}")
    click.echo(
        "greatest difference to the original: "
        + ("not measured, for that needs PyTorch" if parity is None else f"{parity:.1e}")
    )
