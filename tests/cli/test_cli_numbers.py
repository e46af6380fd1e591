"""Numbers on the command line: every option takes those that make sense, and no others."""

import click
import pytest
from click.types import FloatParamType, IntParamType
from keras_tracknet_cli.main import cli
from keras_tracknet_cli.options import COUNT, POSITIVE, RANGE, RATE, SIZE, NumberType, PairType


def find_options(group, path=()):
    """Yield (words that call the command, option) of every option below a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from find_options(command, (*path, name))
            continue
        for option in command.params:
            yield (*path, name), option


OPTIONS = [(" ".join(path), option) for path, option in find_options(cli)]
NUMBERS = [case for case in OPTIONS if isinstance(case[1].type, NumberType | PairType)]
NONE = ("nan", "NaN", "inf", "-inf", "Infinity", "1e308", "1e999999999", "9" * 5000, "1/0", "", "x")


def test_every_number_is_of_the_one_type_that_has_bounds():
    assert len(NUMBERS) > 30
    wrong = [
        (path, option.name)
        for path, option in OPTIONS
        if isinstance(option.type, FloatParamType | IntParamType | click.types.FuncParamType)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("path", "option"), NUMBERS, ids=[f"{path} {option.opts[-1]}" for path, option in NUMBERS]
)
def test_no_option_takes_what_is_no_number_or_out_of_range(path, option):
    context = click.Context(click.Command(path))
    pair = isinstance(option.type, PairType)
    number = option.type.number if pair else option.type
    assert number.least >= 0
    values = [*NONE, "-1", repr(number.most * 2)]
    if pair:
        values = [f"{value}x8" for value in values] + ["8x8x8", "8"]
    for value in values:
        with pytest.raises(click.BadParameter) as caught:
            option.type_cast_value(context, value)
        assert caught.value.exit_code == 2
    default = option.get_default(context)
    if isinstance(default, int | float | str):
        assert option.type_cast_value(context, default) is not None


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        (RATE, "30000/1001", 30000 / 1001),
        (RATE, "29.97", 29.97),
        (COUNT, "8", 8),
        (POSITIVE, "1e-3", 0.001),
        (SIZE, "288x512", (288, 512)),
        (RANGE, "0.8x1.25", (0.8, 1.25)),
    ],
)
def test_numbers_are_read(type, text, value):
    found = type.convert(text, None, None)
    assert found == value if isinstance(value, tuple) else float(found) == value


def test_what_is_wrong_is_said_with_the_bounds():
    with pytest.raises(click.BadParameter, match=r"0 is out of range: at least 1, at most 100,000"):
        SIZE.convert("0x5", None, None)
