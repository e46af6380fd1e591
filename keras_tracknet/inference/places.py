"""Places: where the results of a video go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_tracknet.errors import InputError
from keras_tracknet.files import check_free
from keras_tracknet.tracks.files import FORMATS
from keras_tracknet.tracks.plots import name_plots
from keras_tracknet.tracks.summary import is_interrupted

DEFAULT = Path("runs/predict")
FOREIGN = ("json", "txt", "tsv", "xlsx", "mp4", "avi", "mkv")  # suffixes that no folder has


@dataclass(frozen=True)
class OutputPaths:
    """Where the results of one video go.

    Attributes:
        tracks: one file for each format.
        overlay: the video with the track drawn on it, or None.
        plots: pictures of the track; empty where none are wanted.
        shots: CSV of camera shots, or None.
        rejected: CSV of detections that are not in the track, or None.
        summary: JSON with settings, counts and times.
    """

    tracks: tuple[Path, ...]
    overlay: Path | None
    plots: tuple[Path, ...]
    shots: Path | None
    rejected: Path | None
    summary: Path

    @classmethod
    def choose(
        cls,
        source: Path,
        output: Path | None,
        formats: Sequence[str],
        **wanted: bool,
    ) -> OutputPaths:
        """Place the results.

        Args:
            source: the video.
            output: a folder, or a track file by its suffix, beside which the rest goes; None
                for `runs/predict/<name of the video>` under the current folder. What is a
                folder already is taken for one, whatever its name.
            formats: track formats, out of csv, jsonl and parquet; a track file's own suffix
                comes first; csv when there is none.
            wanted: as for `inside`.

        Raises:
            InputError: the output is named like a file of another kind.
        """
        if output is None:
            return cls.inside(DEFAULT / name_result(source), formats, **wanted)
        if is_file_name(output):
            kinds = (output.suffix.lstrip("."), *formats)
            return cls._named(output.parent, output.stem, f"{output.stem}.", kinds, **wanted)
        return cls.inside(output, formats, **wanted)

    @classmethod
    def inside(cls, folder: Path, formats: Sequence[str], **wanted: bool) -> OutputPaths:
        """Place the results in a folder of their own.

        Args:
            folder: the folder.
            formats: track formats; csv when there is none.
            wanted: whether there is an `overlay`; and whether there are `plots`, `shots` and
                `rejected`, which there are not if omitted.
        """
        return cls._named(folder, "track", "", formats or ("csv",), **wanted)

    @classmethod
    def _named(
        cls,
        folder: Path,
        name: str,
        prefix: str,
        kinds: Sequence[str],
        *,
        overlay: bool,
        plots: bool = False,
        shots: bool = False,
        rejected: bool = False,
    ) -> OutputPaths:
        return cls(
            tracks=tuple(folder / f"{name}.{kind}" for kind in dict.fromkeys(kinds)),
            overlay=folder / f"{prefix}overlay.mp4" if overlay else None,
            plots=name_plots(folder, prefix) if plots else (),
            shots=folder / f"{prefix}shots.csv" if shots else None,
            rejected=folder / f"{prefix}rejected.csv" if rejected else None,
            summary=folder / f"{prefix}summary.json",
        )

    @property
    def results(self) -> tuple[Path, ...]:
        """Every file but the summary."""
        besides = (self.overlay, self.shots, self.rejected)
        return (*self.tracks, *(path for path in besides if path is not None), *self.plots)

    @property
    def growing(self) -> Path | None:
        """The track file that grows while the video is read; Parquet cannot."""
        return next((path for path in self.tracks if path.suffix != ".parquet"), None)

    @property
    def raw(self) -> Path | None:
        """Where the rows are before any repair, until everything is done."""
        path = self.growing
        return path and path.with_name(f".{path.stem}.raw{path.suffix}")

    def check_free(self, *, overwrite: bool = False) -> None:
        """Raise `InputError` where a result is there already, unless it may be replaced."""
        results = (*self.results, self.summary)
        if not overwrite and is_interrupted(self.summary):
            first = next(path for path in results if path.exists())
            raise InputError(
                f"{first}: belongs to an interrupted run; use `resume=True` or `overwrite=True` or"
                " choose another path."
            )
        check_free(results, overwrite=overwrite)


def is_file_name(output: Path) -> bool:
    """Return whether an output is meant as a track file; otherwise it is a folder.

    Raises:
        InputError: it is named like a file of another kind.
    """
    suffix = output.suffix.lstrip(".")
    if output.is_dir():
        return False
    if suffix.lower() in FOREIGN:
        raise InputError(
            f"{output}: not a track file; use a folder or one of the suffixes"
            f" .{', .'.join(FORMATS)}."
        )
    return suffix in FORMATS


def name_result(source: Path) -> str:
    """Return what the results of a source are called: a file's name without its suffix."""
    named = source.absolute()  # a link has the name that its user has given it
    if named.name in ("", ".."):
        named = source.resolve()
    return named.name if named.is_dir() else named.stem
