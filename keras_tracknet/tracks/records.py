"""Records: the rows of a table in text, as CSV with any common separator or as JSON lines."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError

SEPARATORS = ",;\t"
# How files begin that are often given the name of another kind.
MAGIC = {
    b"PK\x03\x04": "an Excel workbook or another zip archive; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"PAR1": "a Parquet file; rename it to end in .parquet",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
}


@dataclass(frozen=True)
class Record:
    """One row: its line in the file, from 1, and its cells by column name in lower case."""

    line: int
    cells: dict[str, Any]


@dataclass(frozen=True)
class Records:
    """The rows of a table.

    Attributes:
        names: columns in lower case, in the order of the file; none where there is no header.
        rows: in the order of the file.
        notes: what was mended, a few words each.
    """

    names: tuple[str, ...]
    rows: tuple[Record, ...]
    notes: tuple[str, ...] = ()


def read_records(path: Path) -> Records:
    """Read CSV or JSON lines; what begins with `{` is JSON.

    Columns may be separated by commas, semicolons or tabs. With the latter two a comma in a cell
    is a decimal comma. A last line that has no end is left out, since it may have been cut off in
    the middle of a number.

    Raises:
        InputError: the file cannot be read, is empty, or is no such table.
    """
    text = read_text(path)
    lines = text.splitlines()
    notes = []
    if not text.endswith(("\n", "\r")):
        lines.pop()
        notes.append("its last line is incomplete and was ignored")
    first = next((line for line in lines if line.strip()), "")
    read = _read_json if first.lstrip().startswith("{") else _read_csv
    try:
        found = read(path, lines)
    except (csv.Error, RecursionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a table ({_explain(error)}); use a CSV file.") from error
    return Records(found.names, found.rows, (*notes, *found.notes))


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, or in UTF-16 where it says so.

    Raises:
        InputError: the file cannot be read, is empty, or is no text.
    """
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({reason}); check the path.") from error
    if not data:
        raise InputError(f"{path}: is empty (0 bytes); write it again.")
    for magic, what in MAGIC.items():
        if data.startswith(magic):
            raise InputError(f"{path}: is {what}.")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text; save it as CSV in UTF-8.") from error
    if "\0" in text:
        raise InputError(f"{path}: is not a text file (it contains null bytes); use a CSV file.")
    return text


def name_columns(path: Path, names: list[str]) -> tuple[str, ...]:
    """Return column names in lower case.

    Raises:
        InputError: two columns have one name.
    """
    lower = tuple(str(name).strip().lower() for name in names)
    for name in lower:
        if name and lower.count(name) > 1:
            raise InputError(f"{path}: has two columns named {name}; keep one.")
    return lower


def _read_csv(path: Path, lines: list[str]) -> Records:
    header = next((line for line in lines if line.strip()), "")
    separator = max(SEPARATORS, key=header.count)
    reader = csv.reader(lines, delimiter=separator)
    names: tuple[str, ...] = ()
    rows, decimal = [], False
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if not names:
            names = name_columns(path, cells)
            continue
        if len(cells) < len(names) or any(cells[len(names) :]):
            raise InputError(
                f"{path}: line {reader.line_num} has {len(cells)} cells, but the header has"
                f" {len(names)}: {separator.join(cells)[:80]!r}; with decimal commas, separate"
                " columns by semicolons."
            )
        if separator != ",":
            decimal = decimal or any("," in cell for cell in cells)
            cells = [cell.replace(",", ".") for cell in cells]
        rows.append(Record(reader.line_num, dict(zip(names, cells, strict=False))))
    notes = ("its decimal commas were read as decimal points",) if decimal else ()
    return Records(names, tuple(rows), notes)


def _read_json(path: Path, lines: list[str]) -> Records:
    rows = tuple(_parse_json(path, lines))
    return Records(tuple(rows[0].cells), rows)


def _parse_json(path: Path, lines: list[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except (RecursionError, ValueError) as error:
            raise InputError(
                f"{path}: line {number} is not JSON ({_explain(error)}); write one object per line."
            ) from error
        if not isinstance(content, dict):
            raise InputError(
                f"{path}: line {number} is not a JSON object: {line[:60]!r}; write one object per"
                " line."
            )
        names = name_columns(path, list(content))
        yield Record(number, dict(zip(names, content.values(), strict=True)))


def _explain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return " ".join(str(error).split())
