"""Pairs by name: a label file beside its video, or in a folder beside the folder of videos."""

from __future__ import annotations

from pathlib import Path

from keras_tracknet.datasets.formats.recognise import COLLECTIONS
from keras_tracknet.datasets.layouts.search import MAX_DEPTH, Folder, LayoutSearch, label_key

PAIRS = "pairs of footage and labels"
TWINS = "folders of labels next to folders of footage"

Key = tuple[str, ...]


def find_pairs(search: LayoutSearch, folder: Folder) -> bool:
    """Add `<stem>.mp4`, or images in `<stem>/`, with `<stem>.csv`, `<stem>_ball.csv`, `.xml` ..."""
    videos = search.pick_videos([path for path in folder.videos if path not in search.done])
    labels: dict[str, Path] = {}
    for path in (path for path in folder.files.values() if path not in search.done):
        known = search.recognise(path)
        stem = path.stem if path.stem in videos else label_key(path)
        # A table of unknown columns is told of, other texts beside a video are none of ours.
        if known or (path.suffix.lower() == ".csv" and stem not in labels):
            labels[stem] = path
    images = {
        path.name: path
        for path in folder.folders.values()
        if path.name in labels and path not in search.done and search.listing(path).has_images
    }
    sources = images | videos
    for stem in sorted(sources.keys() | labels.keys()):
        if stem not in sources and search.recognise(labels[stem]) in (None, *COLLECTIONS):
            continue  # some other table
        search.add(
            PAIRS,
            search.name_in(folder.path, stem),
            sources.get(stem),
            labels.get(stem),
            place=folder.path,
        )
    search.done |= {*images.values()}
    return False


def find_twins(search: LayoutSearch, folder: Folder) -> bool:
    """Add clips whose labels lie in one folder and whose footage in another, under like names.

    So it is in mareksubocz (`csvs/a.csv`, `videos/a.mp4`) and in WASB (`annos/ID-1.xml`,
    `frames/ID-1/00000.png`; `ball-annos/v/x_3.xml`, `videos/v/3/000000.jpg`).
    """
    labels: dict[Path, dict[Key, Path]] = {}
    footage: dict[Path, dict[Key, Path]] = {}
    for path in folder.folders.values():
        texts, sources = _scan(search, path)
        if texts and not sources:
            labels[path] = texts
        elif sources and not texts:
            footage[path] = sources
    for text_folder, texts in labels.items():
        matches = {path: _match(texts, sources) for path, sources in footage.items()}
        best = max(matches, key=lambda path: len(matches[path]), default=None)
        if best is None or not matches[best]:
            continue
        pairs = matches[best]
        for key in sorted(texts.keys() - pairs.keys()):
            _add(search, folder, key, None, texts[key])
        for key, other in sorted(pairs.items()):
            _add(search, folder, other, footage[best][other], texts[key])
        for other in sorted(footage[best].keys() - set(pairs.values())):
            _add(search, folder, other, footage[best][other], None)
        # Frames that were cut out of the same videos are no further clips.
        search.done |= {text_folder, *(path for path, found in matches.items() if found)}
    return False


def _add(
    search: LayoutSearch, folder: Folder, key: Key, source: Path | None, labels: Path | None
) -> None:
    search.add(
        TWINS,
        search.name_in(folder.path, "/".join(key)),
        source,
        labels,
        place=folder.path.joinpath(*key[:-1]),
    )


def _scan(search: LayoutSearch, path: Path) -> tuple[dict[Key, Path], dict[Key, Path]]:
    """Return the label files and the footage below a folder by their place in it."""
    texts: dict[Key, Path] = {}
    sources: dict[Key, Path] = {}
    for below in search.walk(path, MAX_DEPTH - 1):
        place = below.path.relative_to(path).parts
        sources |= {(*place, video.stem): video for video in below.videos}
        if below.has_images and place:
            sources[place] = below.path
        for file in below.files.values():
            format = search.recognise(file) if file not in search.done else None
            if format is not None and format not in COLLECTIONS:
                texts[*place, label_key(file)] = file
    return texts, sources


def _match(texts: dict[Key, Path], sources: dict[Key, Path]) -> dict[Key, Key]:
    """Match label files with footage: of one place, or of a name that ends in `_<clip>`."""
    matched = {}
    for key in texts:
        ends = [s for s in sources if s[:-1] == key[:-1] and key[-1].endswith(f"_{s[-1]}")]
        if key in sources:
            matched[key] = key
        elif len(ends) == 1:
            matched[key] = ends[0]
    return matched
