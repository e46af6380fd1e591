"""Folders of images with their labels: beside `frames/`, or among the images themselves."""

from __future__ import annotations

from keras_tracknet.datasets.formats.recognise import LABEL_SUFFIXES
from keras_tracknet.datasets.layouts.search import Folder, LayoutSearch

RUNS = "image runs (as GridTrackNet)"
INSIDE = "image folders with labels inside"


def find_run(search: LayoutSearch, folder: Folder) -> bool:
    """Add an image run: `frames/` and `labels.csv`, as GridTrackNet has them too."""
    frames = folder.folders.get("frames")
    labels = folder.files.get("labels.csv")
    if frames is None or not (labels or search.listing(frames).has_images):
        return False
    search.add(
        RUNS,
        search.name(folder.path),
        frames if search.listing(frames).has_images else None,
        labels,
        place=folder.path.parent if folder.path != search.root else folder.path,
    )
    search.done |= {frames, *([labels] if labels else [])}
    return False


def find_labels_inside(search: LayoutSearch, folder: Folder) -> bool:
    """Add a folder of images with one label file in it, as TrackNetV1 tennis has them."""
    if not folder.has_images or folder.videos or folder.path in search.done:
        return False
    tables = [
        path
        for path in folder.files.values()
        if path.suffix.lower() in LABEL_SUFFIXES and path not in search.done
    ]
    known = [path for path in tables if search.recognise(path)]
    known = known or [path for path in tables if path.suffix.lower() == ".csv"]
    search.add(
        INSIDE,
        search.name(folder.path),
        folder.path,
        known[0] if known else None,
        place=folder.path.parent if folder.path != search.root else folder.path,
    )
    search.done |= {folder.path, *tables}
    return False
