"""Label files that are about many clips or images: COCO, Label Studio, and YOLO's folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from pathlib import Path

from keras_tracknet.datasets.formats import yolo
from keras_tracknet.datasets.formats.recognise import COLLECTIONS, read_head
from keras_tracknet.datasets.layouts.search import Folder, LayoutSearch
from keras_tracknet.errors import InputError
from keras_tracknet.video.media import open_media

COLLECTION = "one label file for many clips"
YOLO = "one label file per image"


def find_collection(search: LayoutSearch, folder: Folder) -> bool:
    """Add the clips below a folder that a COCO or Label Studio file in it is about.

    The file may also lie in `annotations/`, as COCO's own do.
    """
    places = [folder]
    if "annotations" in folder.folders:
        places.append(search.listing(folder.folders["annotations"]))
    for path in (path for place in places for path in place.files.values()):
        format = search.recognise(path) if path not in search.done else None
        if format is None or format not in COLLECTIONS:
            continue
        covered: dict[Path, set[Hashable]] = {}
        try:
            for below in search.walk(folder.path):
                for source in (*below.videos, *([below.path] if below.has_images else [])):
                    if source not in search.done:
                        covered[source] = format.covered(path, open_media(source))
        except InputError as error:
            search.warnings.append(f"skipped: {error}")
            search.done.add(path)
            continue
        if not any(covered.values()):
            search.warnings.append(
                f"{path}: skipped: none of the videos or images that it names was found"
            )
        for source in _tell_apart(search, path, covered):
            name = _drop_images(search, source if source.is_dir() else source.with_suffix(""))
            group = name.parent if name != search.root else name
            # A folder train/ is a clip and says what it is for; a video train.mp4 is just a name.
            part = search.part(name if source.is_dir() else group)
            search.add(COLLECTION, search.name(name), source, path, place=group, part=part)
            search.done |= {path, source}
    return False


def find_yolo(search: LayoutSearch, folder: Folder) -> bool:
    """Add a folder of images whose YOLO texts lie in it, or in `labels` where it is in `images`.

    Likewise a video with `<video>_<frame>.txt` beside it or in `labels`.
    """
    _find_video_texts(search, folder)
    texts = _find_texts(search, folder) if folder.path not in search.done else None
    if texts is None:
        return False
    name = _drop_images(search, folder.path)
    group = name.parent if name != search.root else name
    part = search.part(name)
    search.add(YOLO, search.name(name), folder.path, texts, place=group, read=yolo.read, part=part)
    search.done |= {folder.path, texts, *search.listing(texts).files.values()}
    return False


def _find_video_texts(search: LayoutSearch, folder: Folder) -> None:
    below = [folder.folders["labels"]] if "labels" in folder.folders else []
    for video in (video for video in folder.videos if video not in search.done):
        for place in (folder.path, *below):
            texts = yolo.find_numbered(search.listing(place).files.values(), video).values()
            if any(yolo.recognise(path, head) for path in texts if (head := read_head(path))):
                name = search.name_in(folder.path, video.stem)
                search.add(YOLO, name, video, place, place=folder.path, read=yolo.read)
                search.done |= {video, *texts}
                break


def _tell_apart(search: LayoutSearch, path: Path, covered: dict[Path, set[Hashable]]) -> list[Path]:
    """Return the sources that a file is about; where names do not tell, the one nearest to it."""
    covered = {source: images for source, images in covered.items() if images}
    counts = Counter(image for images in covered.values() for image in images)
    clear = [
        source for source, images in covered.items() if all(counts[image] == 1 for image in images)
    ]
    unclear = [source for source in covered if source not in clear]
    for near in (
        [source for source in unclear if source.stem == path.stem],
        [source for source in unclear if path.parent in (source, source.parent)],
    ):
        if len(near) == 1:
            return clear + near
    if unclear:
        search.warnings.append(
            f"{path}: skipped: matches {len(unclear)} clips (first: {search.name(unclear[0])});"
            " add folders to its image names"
        )
    return clear


def _drop_images(search: LayoutSearch, path: Path) -> Path:
    """Return the path that names a clip: images/train and train/images are both train."""
    parts = path.relative_to(search.root).parts
    return search.root.joinpath(*(part for part in parts if part.lower() != "images"))


def _find_texts(search: LayoutSearch, folder: Folder) -> Path | None:
    """Return the folder with a YOLO text for an image of a folder, None where there is none."""
    if not folder.has_images:
        return None
    places = [folder.path]
    parts = list(folder.path.parts)
    for index, part in enumerate(parts):
        if part.lower() == "images":
            places.append(Path(*parts[:index], "labels", *parts[index + 1 :]))
    stems = {path.stem for path in folder.files.values()}
    for place in places:
        files = search.listing(place).files.values() if place.is_dir() else ()
        texts = [path for path in files if path.suffix.lower() == ".txt" and path.stem in stems]
        heads = ((path, read_head(path)) for path in texts)
        first = next(((path, head) for path, head in heads if head.strip()), None)
        if first is not None and yolo.recognise(*first):
            return place
    return None
