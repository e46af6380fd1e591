"""Resuming: what an earlier run left, and whether this run would make the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_tracknet.errors import InputError
from keras_tracknet.inference.places import OutputPaths
from keras_tracknet.tracks.files import read_rows
from keras_tracknet.tracks.summary import read_summary
from keras_tracknet.tracks.track import TrackRow
from keras_tracknet.video.part import WHOLE, Part

# What decides a row, and its name in messages.
DECIDING = {
    "source_digest": "the video",
    "weights_sha256": "`weights`",
    "rectifier_sha256": "`rectifier`",
    "linker_sha256": "`linker`",
    "mode": "`mode`",
    "threshold": "`threshold`",
    "decode": "`decode`",
    "sampling": "`sampling`",
    "stabilized": "`stabilize`",
    "max_gap": "`max_gap`",
    "schema": "`schema`",
    "start": "`start`",
    "end": "`end`",
    "every": "`every`",
    "roi": "`roi`",
}
# What also decides the last digits.
COMPUTING = {"version": "the version", "engine": "`engine`", "precision": "`precision`"}


def find_finished(described: dict[str, Any], paths: OutputPaths) -> dict[str, Any] | None:
    """Return the summary of a finished result, None if it is not finished.

    Args:
        described: the run that would make the same result, see `describe_run`.
        paths: the results that are wanted.

    Raises:
        InputError: it is finished but was tracked with other settings, or one of the results
            is missing.
    """
    summary = read_summary(paths.summary)
    if summary is None or not summary["complete"]:
        return None
    _check_same(summary, described, paths.summary, exact=False)
    for path in paths.results:
        if not path.exists():
            raise InputError(
                f"{path}: missing although tracking was finished; use `overwrite=True` to track"
                " again."
            )
    return summary


def restore_rows(
    described: dict[str, Any], paths: OutputPaths, part: Part = WHOLE
) -> list[TrackRow]:
    """Return the rows that an interrupted run left; none if it left nothing of use.

    Args:
        described: the run that continues it, see `describe_run`.
        paths: the results.
        part: which frames of the video are tracked.

    Raises:
        InputError: it was tracked with other settings, or cannot be continued.
    """
    growing, raw = paths.growing, paths.raw
    if growing is None or raw is None or described["schema"] != "tracknet":
        raise InputError(
            "`resume=True` requires a csv or jsonl track with all columns; use `overwrite=True` to"
            " start again."
        )
    summary = read_summary(paths.summary)
    if summary is None:
        paths.check_free()  # what is there without a summary is somebody else's
        return []
    file = raw if raw.exists() else growing
    if file.exists():
        _check_same(summary, described, paths.summary, exact=True)
    return _read_whole_lines(file, part)


def _check_same(before: dict[str, Any], now: dict[str, Any], path: Path, *, exact: bool) -> None:
    """Raise `InputError` if an earlier result was made from something else.

    Args:
        before: its summary.
        now: the run at hand, see `describe_run`.
        path: of the summary.
        exact: whether the last digits count.
    """
    names = DECIDING | (COMPUTING if exact else {})
    different = [
        f"{label} was {_show(before, name)}, is now {_show(now, name)}"
        for name, label in names.items()
        if before.get(name) != now[name]  # what an older version has no name for, it did without
    ]
    if different:
        raise InputError(
            f"{path.parent}: tracked with other settings: {', '.join(different)}; use the same"
            " settings, `overwrite=True` or another path."
        )


def _read_whole_lines(path: Path, part: Part) -> list[TrackRow]:
    """Return the rows of a track file that grew until it was interrupted.

    Everything after the last whole line is cut off: half a number, as a full disk or a kill leaves
    it, or zeros, as a loss of power does.
    """
    if not path.exists():
        return []
    with open(path, "r+b") as file:
        content = file.read()
        whole = content.partition(b"\0")[0]
        whole = whole[: whole.rfind(b"\n") + 1]
        if whole != content:
            file.truncate(len(whole))
    return read_rows(path, part.numbers)


def _show(record: dict[str, Any], name: str) -> str:
    value = record.get(name, "not recorded")
    thing, _, kind = name.rpartition("_")
    if kind in ("sha256", "digest") and isinstance(value, str):
        file = Path(str(record.get(thing))).name
        return f"{file} ({'SHA-256 ' if kind == 'sha256' else ''}{value[:8]})"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)
