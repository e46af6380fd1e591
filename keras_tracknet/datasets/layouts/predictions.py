"""Results of `tracknet predict`: a track beside its video, or beside a summary that names it."""

from __future__ import annotations

from pathlib import Path

from keras_tracknet.datasets.layouts.search import Folder, LayoutSearch
from keras_tracknet.tracks.summary import find_summary

LAYOUT = "tracks of tracknet predict"
TRACKS = ("track.csv", "track.jsonl")
OVERLAY = "overlay"


def find_prediction(search: LayoutSearch, folder: Folder) -> bool:
    """Add the video that `track.csv` in a folder is about."""
    tracks = [folder.files[name] for name in TRACKS if name in folder.files]
    videos = [path for path in folder.videos if path.stem.lower() != OVERLAY]
    if not tracks or tracks[0] in search.done or folder.has_images:
        return False
    if any(path.stem.lower() == "track" for path in videos):
        return False  # a pair like any other
    name = find_summary(tracks[0])[0].get("source")
    source: Path | None = None
    if isinstance(name, str) and name:
        places = (Path(name), folder.path / Path(name).name, folder.path.parent / Path(name).name)
        source = next((place for place in places if _exists(place)), None)
    elif len(videos) == 1:
        source = videos[0]
    below_root = folder.path != search.root
    search.add(
        LAYOUT,
        search.name(folder.path),
        source,
        tracks[0],
        place=folder.path.parent if below_root else folder.path,
    )
    search.done |= {*tracks, *(path for path in folder.videos if path not in videos)}
    search.done |= {source} if source is not None else set()
    return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name, or with a NUL in it
        return False
