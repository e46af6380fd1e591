"""Match folders of the Shuttlecock Trajectory Dataset (Sun et al. 2020)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from keras_tracknet.datasets.formats.json_file import parse_json
from keras_tracknet.datasets.layouts.search import Folder, LayoutSearch, label_key

LAYOUT = "match folders (Shuttlecock Trajectory)"


def find_match(search: LayoutSearch, folder: Folder) -> bool:
    """Add the rallies of a match folder: `video` or `frame` beside `csv` or `corrected_csv`."""
    tables = [folder.folders[n] for n in ("csv", "corrected_csv") if n in folder.folders]
    if not tables or not {"video", "frame"} & folder.folders.keys():
        return False
    match = folder.path
    labels: dict[str, Path] = {}
    for path in tables:
        files = search.listing(path).files.values()
        labels |= {label_key(file): file for file in files if file.suffix.lower() == ".csv"}
    sources: dict[str, Path] = {}
    if "frame" in folder.folders:
        rallies = search.listing(folder.folders["frame"]).folders.values()
        sources |= {path.name: path for path in rallies if search.listing(path).has_images}
    if "video" in folder.folders:
        sources |= search.pick_videos(search.listing(folder.folders["video"]).videos)
    evaluated = _evaluated_frames(search, match, labels)
    for rally in sorted(labels.keys() | sources.keys()):
        search.add(
            LAYOUT,
            search.name_in(match, rally),
            sources.get(rally),
            labels.get(rally),
            place=match,
            # val holds the last rally of every match in train: the same match.
            group=re.sub(r"(^|/)val/", r"\1train/", search.name(match)),
            evaluated=evaluated.get(rally),
        )
    return True


def _evaluated_frames(
    search: LayoutSearch, match: Path, rallies: Iterable[str]
) -> dict[str, tuple[int, int]]:
    """Read which frames of each rally count, from `drop_frame.json` beside the match."""
    match = match.resolve()
    path = match.parent / "drop_frame.json"
    if not path.is_file():
        return {}
    number = re.sub(r"\D", "", match.name)
    try:
        table = parse_json(path.read_text(encoding="utf-8-sig"))
        start, end = table["start"], table["end"]
        spans = {r: (start[k], end[k]) for r in rallies if (k := f"{number}_{r}") in start}
        if any(not 0 <= int(first) < int(last) for first, last in spans.values()):
            raise ValueError("a rally ends before it starts")
    except (OSError, ArithmeticError, ValueError, TypeError, KeyError) as error:
        search.warnings.append(f"{path}: cannot be used ({error}); all frames are evaluated")
        return {}
    if not spans:
        search.warnings.append(
            f"{path}: lists no rally of {match.name}; all its frames are evaluated"
        )
    return {rally: (int(first), int(last)) for rally, (first, last) in spans.items()}
