"""Option types, and options shared by several commands."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from keras_tracknet.inference.tracker import Tracker
    from keras_tracknet.progress import Reporter


class NumberType(click.ParamType):  # type: ignore[type-arg]  # generic in recent versions only
    """A number within bounds; nan and infinity are rejected.

    Args:
        number: converts the text; raises `ValueError` or `ArithmeticError` if it cannot.
        least, most: bounds.
        above: whether `least` itself is excluded.
    """

    name = "number"

    def __init__(
        self,
        number: Callable[[Any], Any],
        least: float,
        most: float = 1_000_000_000,
        *,
        above: bool = False,
    ) -> None:
        self.number, self.least, self.most, self.above = number, least, most, above

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the number."""
        try:
            number = self.number(value)
        except (ArithmeticError, ValueError):
            kind = "whole number" if self.number is int else "number"
            self.fail(f"{value!r} is not a {kind}.", param, ctx)
        if not self.least <= number <= self.most or (self.above and number == self.least):
            bound = "above" if self.above else "at least"
            self.fail(
                f"{value} is out of range: {bound} {self.least:,}, at most {self.most:,}.",
                param,
                ctx,
            )
        return number


class ExperimentalOption(click.Option):
    """An option of a feature that may change or go in any release."""


class ExperimentalCommand(click.Command):
    """A command whose help lists its experimental options last, under a title of their own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options."""
        params = self.get_params(ctx)
        experimental = [param for param in params if isinstance(param, ExperimentalOption)]
        usual = [param for param in params if param not in experimental]
        for title, listed in (("Options", usual), ("Experimental", experimental)):
            with formatter.section(title):
                records = (param.get_help_record(ctx) for param in listed)
                formatter.write_dl([record for record in records if record is not None])


def parse_rate(value: Any) -> Fraction:
    """Parse frames per second such as 60, 29.97 or 30000/1001."""
    numerator = str(value).partition("/")[0]
    if not 1e-9 < abs(float(numerator)) < 1e9:  # a Fraction would write 1e999999999 out in full
        raise ValueError(f"{value} is not a frame rate")
    return Fraction(value)


class PairType(click.ParamType):  # type: ignore[type-arg]  # generic in recent versions only
    """Two numbers joined by x, such as 288x512 (height x width).

    Args:
        number: type of both numbers.
        name: the value's name in the help.
    """

    def __init__(self, number: NumberType, name: str) -> None:
        self.number, self.name = number, name

    def get_metavar(self, param: Any, ctx: Any = None) -> str:
        """Return the form of the value for the help; click would write it in capitals."""
        return self.name

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the pair as a tuple."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split("x")
        if len(parts) != 2:
            self.fail(f"{value!r} does not have the form {self.name}.", param, ctx)
        return tuple(self.number.convert(part, param, ctx) for part in parts)


class RegionType(click.ParamType):  # type: ignore[type-arg]  # generic in recent versions only
    """A region of the picture, such as 100,50,640,360."""

    name = "X,Y,WIDTH,HEIGHT"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the region as a tuple."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        if len(parts) != 4:
            self.fail(f"{value!r} does not have the form {self.name}.", param, ctx)
        least = (0, 0, 1, 1)
        return tuple(
            NumberType(int, low, 100_000).convert(part, param, ctx)
            for low, part in zip(least, parts, strict=True)
        )


Moment = int | float  # a frame's number, or seconds


class MomentType(click.ParamType):  # type: ignore[type-arg]  # generic in recent versions only
    """A frame's number, such as 90, or a time, such as 4.5s or 1:30."""

    name = "FRAME|TIME"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the number as int, the time in seconds as float."""
        if isinstance(value, int | float):
            return value
        text = str(value)
        if ":" not in text and not text.endswith("s"):
            return NumberType(int, 0).convert(text, param, ctx)
        seconds = 0.0
        for part in text.removesuffix("s").split(":"):
            seconds = 60 * seconds + NumberType(float, 0).convert(part, param, ctx)
        return seconds


COUNT = NumberType(int, 1)
MOMENT, REGION = MomentType(), RegionType()
SEED = NumberType(int, 0, 2**32 - 1)
POSITIVE = NumberType(float, 0, above=True)
AT_LEAST_0 = NumberType(float, 0)
SHARE = NumberType(float, 0, 1)
RATE = NumberType(parse_rate, 0.001, 100_000)
SIZE = PairType(NumberType(int, 1, 100_000), "HEIGHTxWIDTH")
RANGE = PairType(POSITIVE, "MINxMAX")

PRECISIONS = ["auto", "float32", "mixed_bfloat16", "mixed_float16"]

quiet_option = click.option("--quiet", is_flag=True, help="Show warnings only, no progress.")
precision_option = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    show_default=True,
    help="Numeric precision of the network; auto uses bfloat16 if the hardware supports it.",
)
tracking_precision_option = click.option(
    "--precision",
    type=click.Choice([*PRECISIONS, "int8"]),
    default="auto",
    show_default=True,
    help="Numeric precision of the network. auto uses bfloat16 if the hardware supports it; int8 is"
    " several times as fast as float32 and comes with the bundled trackers.",
)
visible_option = click.option(
    "--visible",
    type=click.Choice(["easy", "hard", "hidden"]),
    default="hard",
    show_default=True,
    help="If labels grade visibility, which grades count as visible: easy, easy and hard, or all.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object to stdout."
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Overwrite existing results.")

sport_option = click.option(
    "--sport",
    type=click.Choice(["auto", "badminton", "tennis", "volleyball", "padel"]),
    default="auto",
    show_default=True,
    help="What is played; chooses the weights. auto tries the bundled weights on a few frames.",
)

mode_option = click.option(
    "--mode",
    type=click.Choice(["fast", "balanced", "accurate"]),
    default="fast",
    show_default=True,
    help="Window overlap: every frame is seen once (fast), twice (balanced) or at every"
    " position in the window (accurate).",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "keras", "openvino", "litert", "onnx", "saved-model"]),
    default="auto",
    show_default=True,
    help="Inference engine; auto uses the fastest one installed.",
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="Device that runs the network; auto uses a GPU if there is one.",
)

_TRACKER_OPTIONS = (
    sport_option,
    click.option(
        "--weights",
        help="Name of a bundled tracker (see tracknet presets), a .keras file, a run folder of"
        " tracknet fit, or hf://OWNER/NAME. [default: chosen by --sport]",
    ),
    click.option(
        "--rectifier",
        help="Rectifier that fills gaps where the ball is hidden: a .keras file, a run folder, or"
        " none. [default: the one bundled with the tracker]",
    ),
    click.option(
        "--linker",
        help="Linker that chooses among the peaks of each heatmap by how they line up in time: a"
        " .keras file, a run folder, or none. [default: the one bundled with the tracker]",
    ),
    mode_option,
    engine_option,
    device_option,
    click.option(
        "--threshold",
        type=SHARE,
        help="Minimum heatmap probability, 0 to 1. Two thirds of it is enough where a known flight"
        " continues. [default: the weights' own]",
    ),
    click.option(
        "--decode",
        type=click.Choice(["centroid", "published"]),
        default="centroid",
        show_default=True,
        help="How a position is read from a heatmap: centre of the largest blob (centroid), or the"
        " published code's bounding-box rule in whole pixels (published).",
    ),
    click.option(
        "--sampling",
        type=click.Choice(["own", "published"]),
        default="own",
        show_default=True,
        help="Windows and repairs: those of this package (own), or those of the published V3 code"
        " to reproduce its results (published; requires --decode published).",
    ),
    click.option(
        "--stabilize/--no-stabilize",
        default=None,
        help="Align the frames of each window so that the court stands still; for panning cameras"
        " and weights without a background. [default: set by the weights]",
    ),
    click.option(
        "--max-gap",
        type=NumberType(int, 0),
        help="Longest gap that the rectifier fills, in frames. [default: 1]",
    ),
    tracking_precision_option,
)


def tracker_options(command: Any) -> Any:
    """Add the options that configure a tracker."""
    for option in reversed(_TRACKER_OPTIONS):
        command = option(command)
    return command


def choose_weights(
    reporter: Reporter, video: Path | str, sport: str, weights: str | None, **settings: Any
) -> dict[str, Any]:
    """Return the settings of a tracker, with weights chosen for a video unless they are given."""
    if weights is None:
        from keras_tracknet.inference import choice

        chosen = choice.choose_weights(video, sport)
        weights = chosen.weights
        reporter.note(f"{weights} for {Path(video).name}: {chosen.reason}")
    return {**settings, "weights": weights}


def load_tracker(reporter: Reporter, **settings: Any) -> Tracker:
    """Load the tracker that the options ask for and print the name of its weights."""
    name, make_tracker = plan_tracker(**settings)
    tracker = make_tracker()
    trained_on = tracker.spec.trained_on or "unknown footage"
    reporter.note(f"weights: {name} ({tracker.spec.version}, trained on {trained_on})")
    if settings.get("engine") == "auto" and tracker.network.engine == "keras":
        from keras_tracknet.inference.engines import openvino, openvino_fits

        if openvino_fits(settings.get("device", "auto")) and not openvino.is_installed():
            reporter.note("for faster tracking on this CPU, run: pip install openvino")
    return tracker


def plan_tracker(**settings: Any) -> tuple[str, Callable[[], Tracker]]:
    """Return the name of the weights and a function that loads the tracker."""
    from functools import partial

    from keras_tracknet.inference.tracker import Tracker
    from keras_tracknet.presets import DEFAULT, find_weights

    name = settings.pop("weights") or DEFAULT
    settings.pop("sport", None)
    paths = find_weights(name)
    given = {key: value for key, value in settings.items() if value is not None}
    for part in ("rectifier", "linker"):
        if part in given:
            given[part] = None if given[part] == "none" else find_weights(given[part]).tracker
    return name, partial(Tracker, paths, **given)
