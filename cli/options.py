"""Option types and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from keras_tracknet.inference.tracker import Tracker
    from keras_tracknet.progress import Reporter


class NumberType(click.ParamType):
    """A number within bounds, which nan and infinity never are.

    Args:
        number: makes it of text, and raises `ValueError` or `ArithmeticError` where it cannot.
        least, most: bounds.
        above: whether `least` itself is too little.
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


def parse_rate(value: Any) -> Fraction:
    """Return frames a second of 60, 29.97 or 30000/1001."""
    numerator = str(value).partition("/")[0]
    if not 1e-9 < abs(float(numerator)) < 1e9:  # a Fraction would write 1e999999999 out in full
        raise ValueError(f"{value} is no rate")
    return Fraction(value)


class PairType(click.ParamType):
    """Two numbers joined by x, such as 288x512 (height x width).

    Args:
        number: type of each.
        name: how the help calls the value.
    """

    def __init__(self, number: NumberType, name: str) -> None:
        self.number, self.name = number, name

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the pair as a tuple."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split("x")
        if len(parts) != 2:
            self.fail(f"{value!r} is not of the form {self.name}.", param, ctx)
        return tuple(self.number.convert(part, param, ctx) for part in parts)


COUNT = NumberType(int, 1)
SEED = NumberType(int, 0, 2**32 - 1)
POSITIVE = NumberType(float, 0, above=True)
AT_LEAST_0 = NumberType(float, 0)
SHARE = NumberType(float, 0, 1)
RATE = NumberType(parse_rate, 0.001, 100_000)
SIZE = PairType(NumberType(int, 1, 100_000), "HEIGHTxWIDTH")
RANGE = PairType(POSITIVE, "LEASTxGREATEST")

PRECISIONS = ["auto", "float32", "mixed_bfloat16", "mixed_float16"]

quiet_option = click.option("--quiet", is_flag=True, help="Show no progress, only warnings.")
precision_option = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    show_default=True,
    help="Numeric precision of the network; auto takes bfloat16 where the hardware has it.",
)
tracking_precision_option = click.option(
    "--precision",
    type=click.Choice([*PRECISIONS, "int8"]),
    default="auto",
    show_default=True,
    help="Numeric precision of the network. auto takes bfloat16 where the hardware has it; int8 is"
    " several times as fast as float32, and bundled with the presets.",
)
visible_option = click.option(
    "--visible",
    type=click.Choice(["easy", "hard", "hidden"]),
    default="hard",
    show_default=True,
    help="Which balls count as visible where labels say how well they are seen: those easily seen,"
    " hard to see too, or hidden as well.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout."
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace results that are there already."
)

_TRACKER_OPTIONS = (
    click.option(
        "--weights",
        help="A bundled tracker's name (see tracknet presets), a .keras file, a run folder of"
        " tracknet fit, or hf://OWNER/NAME. [default: badminton-v3]",
    ),
    click.option(
        "--rectifier",
        help="A rectifier's .keras file or run folder, to fill in hidden stretches, or none."
        " [default: the bundled tracker's own]",
    ),
    click.option(
        "--mode",
        type=click.Choice(["fast", "balanced", "accurate"]),
        default="fast",
        show_default=True,
        help="See each frame once, twice, or as often as a window is long.",
    ),
    click.option(
        "--engine",
        type=click.Choice(["auto", "keras", "openvino", "litert", "onnx", "saved-model"]),
        default="auto",
        show_default=True,
        help="What runs the network; auto takes the fastest that is installed.",
    ),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "gpu"]),
        default="auto",
        show_default=True,
        help="What the network runs on; auto takes a GPU where there is one.",
    ),
    click.option(
        "--threshold",
        type=SHARE,
        help="Probability of a ball, 0 to 1; two thirds of it where a flight leads there."
        " [default: the weights']",
    ),
    click.option(
        "--decode",
        type=click.Choice(["centroid", "published"]),
        default="centroid",
        show_default=True,
        help="Centre of the largest blob, or the published code's bounding-box rule in whole"
        " pixels.",
    ),
    click.option(
        "--sampling",
        type=click.Choice(["own", "published"]),
        default="own",
        show_default=True,
        help="Own windows and repairs, or those of the published V3 code, to repeat its tables;"
        " needs --decode published.",
    ),
    click.option(
        "--stabilize/--no-stabilize",
        default=None,
        help="Move the frames of a window so that the court stands still: for cameras that pan, and"
        " weights that see no background. [default: as the weights say]",
    ),
    click.option(
        "--max-gap",
        type=NumberType(int, 0),
        help="Longest stretch that the rectifier fills in. [default: 1]",
    ),
    tracking_precision_option,
)


def tracker_options(command: Any) -> Any:
    """Add the options that decide how a tracker works."""
    for option in reversed(_TRACKER_OPTIONS):
        command = option(command)
    return command


def load_tracker(reporter: Reporter, **settings: Any) -> Tracker:
    """Make the tracker that the options ask for, and name its weights."""
    name, make_tracker = plan_tracker(**settings)
    tracker = make_tracker()
    trained_on = tracker.spec.trained_on or "unknown footage"
    reporter.note(f"weights: {name} ({tracker.spec.version}, trained on {trained_on})")
    if settings.get("engine") == "auto" and tracker.network.engine == "keras":
        from keras_tracknet.inference.engines import openvino, openvino_fits

        if openvino_fits(settings.get("device", "auto")) and not openvino.is_installed():
            reporter.note("pip install openvino makes this faster on this machine's CPU.")
    return tracker


def plan_tracker(**settings: Any) -> tuple[str, Callable[[], Tracker]]:
    """Return the name of the weights that the options ask for, and what makes the tracker."""
    from functools import partial

    from keras_tracknet.inference.tracker import Tracker
    from keras_tracknet.presets import DEFAULT, find_weights

    name = settings.pop("weights") or DEFAULT
    paths, rectifier = find_weights(name), settings.pop("rectifier")
    second = paths.rectifier
    if rectifier is not None:
        second = None if rectifier == "none" else find_weights(rectifier).tracker
    given = {key: value for key, value in settings.items() if value is not None}
    return name, partial(Tracker.from_file, paths.tracker, rectifier=second, **given)
