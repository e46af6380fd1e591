"""`tracknet convert`: convert public checkpoints to Keras models, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import COUNT, SIZE, overwrite_option

if TYPE_CHECKING:
    from keras_tracknet.weights.checkpoints import Conversion

FAMILIES = (
    "qaz", "inpaintnet", "wasb-tracknetv2", "monotrack", "wasb", "yastrebksv", "alenzenx",
    "alenzenx-v2", "aninsomniacy", "aninsomniacy-v1", "aninsomniacy-rectifier", "asigatchov",
    "codelancera-v4", "aninsomniacy-v4", "codelancera-v5", "aninsomniacy-v5", "mareksubocz",
    "keras-v1", "keras-v2", "keras-v4",
)  # fmt: skip


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--family",
    type=click.Choice(["auto", *FAMILIES]),
    default="auto",
    show_default=True,
    help="Code base the checkpoint comes from; auto detects it.",
)
@click.option(
    "--to",
    type=click.Choice(["keras", "qaz"]),
    default="keras",
    show_default=True,
    help="Format to write: a Keras model for this package, or a .pt checkpoint for the published V3"
    " code (qaz).",
)
@click.option(
    "--size",
    type=SIZE,
    help="Input size of the network. [default: the published size]",
)
@click.option(
    "--heads",
    type=COUNT,
    help="Attention heads of codelancera's TrackNetV5, which its weights do not tell. [default: 2]",
)
@click.option(
    "--report",
    is_flag=True,
    help="Also print layers, parameters, unused weights and the difference from the original.",
)
@overwrite_option
def convert(
    source: Path,
    target: Path,
    family: str,
    to: str,
    size: tuple[int, int] | None,
    heads: int | None,
    report: bool,
    overwrite: bool,
) -> None:
    """Convert SOURCE, a public checkpoint, to OUT, a model for --weights.

    Checkpoints are read without running any code in them and without PyTorch. Colour order,
    scaling and frame order are built into the model, so tracknet predict needs no settings.

    \b
    tracknet convert TrackNet_best.pt v3.keras --report
    tracknet convert InpaintNet_best.pt rectifier.keras
    tracknet predict match.mp4 --weights v3.keras --rectifier rectifier.keras
    tracknet convert runs/fit/v3/best.keras TrackNet_best.pt --to qaz
    """
    from keras_tracknet.errors import InputError
    from keras_tracknet.files import check_free

    suffix = ".pt" if to == "qaz" else ".keras"
    if target.suffix != suffix:
        raise click.UsageError(f"OUT must end in {suffix}. Received: {target}")
    if to == "qaz" and (report or size or heads or family != "auto"):
        raise click.UsageError("--report, --size, --heads and --family require --to keras.")
    check_free([target], overwrite=overwrite)

    from keras_tracknet import checkpoints
    from keras_tracknet.presets import find_weights
    from keras_tracknet.weights.model_file import load_model, save_model

    if to == "qaz":
        checkpoints.write_qaz(load_model(find_weights(source).tracker), target)
    else:
        try:
            conversion = checkpoints.convert(source, family=family, size=size, heads=heads)
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
    click.echo(f"detected as: {conversion.family.title}")
    click.echo(f"layers with weights from the checkpoint: {taken}/{weighted}")
    click.echo(f"parameters: {conversion.file.model.count_params():,}")
    click.echo(f"unused weights, also unused in the original: {unused or 'none'}")
    click.echo(
        "largest difference from the original: "
        + ("not measured (requires PyTorch)" if parity is None else f"{parity:.1e}")
    )
